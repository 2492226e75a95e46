// Package conformance tests whether a session store keeps its promises.
//
// [Run] works for any store of [github.com/alexedwards/scs/v2], whatever it keeps sessions in. [Benchmark] measures a
// store, and a [Report] shows the outcomes of [Run] as a table.
//
// Package smoke tries a store in some calls, without a test, also where real sessions are. The suites for what is below
// the stores of this project are in packages of their own: drivertest for drivers, strategytest for lock strategies.
//
// In the tests of a store:
//
//	func TestStore(t *testing.T) {
//		conformance.Run(t, func(t *testing.T) scs.Store {
//			store, err := mystore.Open(t.TempDir())
//			if err != nil {
//				t.Fatal(err)
//			}
//			t.Cleanup(func() { _ = store.Close() })
//			return store
//		}, conformance.WithMaxData(400_000))
//	}
//
// [Run] makes one subtest of each case, named by its id, such as B03_OverwriteReplaces. Most of them are parallel. The
// first letter is the group: B basic operations, E expiry, I iteration, C contexts, P parallel use and life cycle, D
// data, S whole requests through a real [scs.SessionManager], F faults of the backend. A case that fails says which
// rule was broken, what was done, and what was seen. A case that needs something only the caller can provide, such as a
// second instance on the same backend, is skipped with a line that names the [Option] it needs.
//
// # What options unlock
//
//	WithPeer          two instances on one backend: B17, B24
//	WithNamespaces    several applications on one backend: B18, I08
//	WithForeignData   records that the store did not write: B23, I09
//	WithMaxData       the largest payload: D07, D11; leaves out larger ones
//	WithCollect       the collection of expired sessions: E16, E17
//	WithFault         faults of the backend: F01 to F08 but F04, C05, I10, S08, S21
//	WithCorruption    damaged records: F04
//	WithLocking       one request of a session after the other: P09 to P12, P15
//	WithNoLostUpdates makes S14 demand every change of every request that succeeded
//	WithRequestScope  the middleware of the store instead of scs's, for S and locking cases
//	WithClock         lifetimes of hours, months and years: E23; expiries are not waited for
//
// [WithExpiryResolution], [WithTimeout] and [WithSearchTime] set limits, [WithSkip] leaves out a case and says why, and
// [WithReport] collects the outcomes.
//
// # What it guarantees
//
//   - A correct store passes, also on a loaded machine and with the race detector: that a session lives is asserted
//     only with time to spare or where the clock proves it, and that it ended only after the instant has passed.
//   - Each case has its own store and random tokens, and judges only the sessions it made. newStore may return a new
//     backend each time or one that all share.
//   - The store is called as scs.SessionManager calls it: for each operation, the method with a context where there is
//     one.
//   - A panic inside a call to the store is that case's failure, and the other cases go on. A case that hangs fails
//     with the goroutines of the store; what has hung in two cases is not called any more.
//   - A defect is reported by the case that is about it. Cases that take the broken rule for granted are skipped, and
//     say so.
//   - No failure message contains a session token or session data: tokens are shown as A, B, C, data by its length.
//
// # What it does not guarantee
//
//   - That a store which passes is correct: races are provoked, not proven absent. Run it with the race detector.
//   - Anything about speed or cost; [Benchmark] tells something of it. On a local backend a run takes less than half a
//     minute.
//   - That a panic in a goroutine of the store's own is survived: in Go nobody else can recover it.
package conformance
