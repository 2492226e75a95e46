// Package conformance tests whether a session store keeps its promises. [Run] works for any store of
// [github.com/alexedwards/scs/v2], whatever it keeps sessions in; [RunDriver] is for what lies below, the drivers of this
// project's package storage.
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
// [Run] makes one parallel subtest of each case, named by its id, such as B03_OverwriteReplaces. The first letter is the
// group: B basic operations, E expiry, I iteration, C contexts, P parallel use and life cycle, D data, S whole requests
// through a real [scs.SessionManager], F faults of the backend. A case that fails says which rule was broken, what was
// done, and what was seen. A case that needs something only the caller can provide, such as a second instance on the same
// backend, is skipped with a line that names the [Option] it needs.
//
// # What it guarantees
//
//   - A correct store passes, also on a loaded machine and with the race detector: that a session lives is asserted only
//     with time to spare or where the clock proves it, and that it ended only after the instant has passed.
//   - Each case has its own store and random tokens, and judges only the sessions it made. newStore may return a new
//     backend each time or one that all share.
//   - The store is called as scs.SessionManager calls it: for each operation, the method with a context where there is one.
//   - A panic inside a call to the store is that case's failure, and the other cases go on. A case that hangs fails with a
//     dump of all goroutines.
//   - No failure message contains a session token or session data: tokens are shown as A, B, C, data by its length.
//
// # What it does not guarantee
//
//   - That a store which passes is correct: races are provoked, not proven absent. Run it with the race detector.
//   - Anything about speed or cost.
//   - That a panic in a goroutine of the store's own is survived: in Go nobody else can recover it.
package conformance
