package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/scsdynamo/scsdynamo/conformance"
)

// TestReference shows that a correct store passes every case, and that none is skipped where everything is declared.
func TestReference(t *testing.T) {
	t.Parallel()
	wantConformance(t, unchanged)
}

// TestSlowReference shows that a correct store passes also where every call takes its time, and each another one.
func TestSlowReference(t *testing.T) {
	t.Parallel()
	wantConformance(t, func(r *reference) scs.Store {
		slow := func() { <-time.After(rand.N(10 * time.Millisecond)) }
		return &mutant{
			reference: r,
			find: func(ctx context.Context, token string) ([]byte, bool, error) {
				slow()
				defer slow()
				return r.FindCtx(ctx, token)
			},
			commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
				slow()
				defer slow()
				return r.CommitCtx(ctx, token, data, expiry)
			},
			delete: func(ctx context.Context, token string) error {
				slow()
				defer slow()
				return r.DeleteCtx(ctx, token)
			},
		}
	})
}

// wantConformance expects every case to pass and none to be skipped.
func wantConformance(t *testing.T, mutate func(*reference) scs.Store) {
	t.Helper()
	newStore := func(t *testing.T) scs.Store { return opened(t, mutate, newReference()) }
	opts := append(capabilities(mutate), conformance.WithRequestScope(serialized), conformance.WithNoLostUpdates(nil))
	var wg sync.WaitGroup
	free := make(chan struct{}, 16) // More at once than -parallel would allow: most of the time they wait.
	ids, _ := conformance.Cases()
	for _, id := range ids {
		wg.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			failures, skipped := conformance.Examine(t, id, newStore, append(slices.Clip(opts), clockFor(id)...)...)
			if skipped != "" {
				t.Errorf("%s is skipped: %s", id, skipped)
			}
			for _, failure := range failures {
				t.Error(failure)
			}
		})
	}
	wg.Wait()
}

// clockFor declares the clock of the reference for the case that cannot do without: the others see more by the
// machine's.
func clockFor(id string) []conformance.Option {
	if id == "E23" {
		return []conformance.Option{conformance.WithClock(setReferenceClock)}
	}
	return nil
}

// TestRunSharedBackend runs the suite as anybody would, on stores that share one backend and declare nothing.
func TestRunSharedBackend(t *testing.T) {
	t.Parallel()
	shared := &backend{records: map[string]record{}}
	conformance.Run(t, func(t *testing.T) scs.Store { return opened(t, unchanged, onBackend(shared, "")) })
}

// memstoreFailures are the rules that the store which comes with scs breaks in version 2.9.0.
var memstoreFailures = map[string]string{
	"D08": "memstore keeps the slice it was given",
	"D09": "memstore hands out the slice it keeps",
	"E22": "memstore counts nanoseconds in 64 bits, which begin in 1677",
	"E13": "memstore counts nanoseconds in 64 bits, which end in 2262",
	"I12": "memstore hands out the slices it keeps",
}

// TestRunMemstore shows how known failures are declared.
func TestRunMemstore(t *testing.T) {
	t.Parallel()
	var opts []conformance.Option
	for id, reason := range memstoreFailures {
		opts = append(opts, conformance.WithSkip(id, reason))
	}
	conformance.Run(t, newMemstore, opts...)
}

// TestMemstoreFailures shows that those rules are broken indeed.
func TestMemstoreFailures(t *testing.T) {
	t.Parallel()
	for id, reason := range memstoreFailures {
		if failures, _ := conformance.Examine(t, id, newMemstore); len(failures) == 0 {
			t.Errorf("%s does not fail: %s", id, reason)
		}
	}
}

// newMemstore returns a store without the cleaning goroutine, which cannot be stopped reliably.
func newMemstore(*testing.T) scs.Store { return memstore.NewWithCleanupInterval(0) }

// TestCapabilitiesSkip shows which cases an undeclared capability leaves out, and that each says what it needs.
func TestCapabilitiesSkip(t *testing.T) {
	t.Parallel()
	// A store without contexts, iteration and Close.
	newStore := func(t *testing.T) scs.Store {
		return struct{ scs.Store }{opened(t, unchanged, newReference())}
	}
	for id, want := range map[string]string{
		"B17": "WithPeer", "B18": "WithNamespaces", "E16": "WithCollect", "E17": "WithCollect", "E23": "WithClock",
		"B24": "WithPeer", "I09": "All", "C01": "FindCtx",
		"C02": "CommitCtx", "C03": "DeleteCtx", "C04": "AllCtx", "C06": "context", "D07": "WithMaxData", "D11": "WithMaxData",
		"P06": "Close", "P08": "package", "P09": "WithLocking", "P11": "WithLocking", "P15": "WithLocking",
		"F01": "WithFault", "F04": "WithCorruption", "F08": "WithFault", "S08": "WithFault", "S11": "All",
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			failures, skipped := conformance.Examine(t, id, newStore)
			if len(failures) > 0 || !strings.Contains(skipped, want) {
				t.Errorf("skipped: %q, want a reason with %q; failures: %q", skipped, want, failures)
			}
		})
	}
}

// TestUnavailableFaultSkips shows that a fault which cannot be made leaves the case out.
func TestUnavailableFaultSkips(t *testing.T) {
	t.Parallel()
	none := conformance.WithFault(func(*testing.T, scs.Store, conformance.Fault) func() { return nil })
	newStore := func(t *testing.T) scs.Store { return opened(t, unchanged, newReference()) }
	for id, fault := range map[string]conformance.Fault{
		"C05": conformance.FaultHang, "F01": conformance.FaultDown, "F05": conformance.FaultThrottle,
		"F07": conformance.FaultLostResponse,
		"I10": conformance.FaultScan, "S08": conformance.FaultDown, "S21": conformance.FaultDown,
	} {
		failures, skipped := conformance.Examine(t, id, newStore, none)
		if len(failures) > 0 || !strings.Contains(skipped, fault.String()) {
			t.Errorf("%s: skipped: %q, want a reason with %v; failures: %q", id, skipped, fault, failures)
		}
	}
}

// TestLargeDataSkips shows that payloads over the declared limit are not demanded.
func TestLargeDataSkips(t *testing.T) {
	t.Parallel()
	newStore := func(t *testing.T) scs.Store { return opened(t, unchanged, newReference()) }
	for _, id := range []string{"D05", "D06"} {
		failures, skipped := conformance.Examine(t, id, newStore, conformance.WithMaxData(1000))
		if len(failures) > 0 || !strings.Contains(skipped, "WithMaxData") {
			t.Errorf("%s: skipped: %q; failures: %q", id, skipped, failures)
		}
	}
}

// brokenStore is set where the test program runs TestBrokenStore for TestRunReports.
const brokenStore = "CONFORMANCE_BROKEN_STORE"

// TestBrokenStore fails on purpose: TestRunReports runs it in another process and looks at what it prints.
func TestBrokenStore(t *testing.T) {
	if os.Getenv(brokenStore) == "" {
		t.Skipf("fails on purpose; TestRunReports runs it, or %s=1 does", brokenStore)
	}
	mutate := func(r *reference) scs.Store {
		return &mutant{reference: r, delete: func(context.Context, string) error { return nil }}
	}
	conformance.Run(t, func(t *testing.T) scs.Store { return opened(t, mutate, newReference()) },
		conformance.WithSkip("B07", "the reason for B07"))
}

// TestRunReports shows that Run fails the subtest of a broken rule, passes the others, and shows what is skipped.
func TestRunReports(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestBrokenStore$/^B", "-test.v")
	cmd.Env = append(os.Environ(), brokenStore+"=1")
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		t.Fatalf("the broken store passes: %v\n%s", err, out)
	}
	for _, want := range []string{
		"--- PASS: TestBrokenStore/B01_CommitThenFind", "--- FAIL: TestBrokenStore/B05_DeleteRemoves",
		"rule B05 (basic operations): ",
		"--- SKIP: TestBrokenStore/B07_DeleteTwice", "the reason for B07", "--- SKIP: TestBrokenStore/B17_PeerSeesChanges",
		"WithPeer",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if t.Failed() {
		t.Logf("the output:\n%s", out)
	}
}

// TestMessages shows that a failure says what was broken, done and seen, and no token.
func TestMessages(t *testing.T) {
	t.Parallel()
	var base *reference
	failures, _ := conformance.Examine(t, "B05", func(t *testing.T) scs.Store {
		base = newReference()
		return opened(t, func(r *reference) scs.Store {
			return &mutant{reference: r, delete: func(_ context.Context, token string) error {
				return fmt.Errorf("cannot delete %s", token)
			}}
		}, base)
	})
	if len(failures) != 1 {
		t.Fatalf("%d failures: %q", len(failures), failures)
	}
	_, rules := conformance.Cases()
	for _, want := range []string{
		"rule B05 (basic operations): " + rules["B05"],
		"did: CommitCtx(A, 100 B, expiry in 1h0m0s) = <nil>",
		"DeleteCtx(A) = cannot delete <token A>",
		"saw: deleting A failed: cannot delete <token A>",
	} {
		if !strings.Contains(failures[0], want) {
			t.Errorf("the message lacks %q:%s", want, failures[0])
		}
	}
	if strings.Contains(failures[0], base.seen[0]) {
		t.Error("the message contains the token")
	}
}

// TestPanicIsAFailure shows that a panic of a store, also on other goroutines of a case, is a failure.
func TestPanicIsAFailure(t *testing.T) {
	t.Parallel()
	broken := func(t *testing.T) scs.Store {
		return opened(t, func(r *reference) scs.Store {
			return &mutant{reference: r, commit: func(_ context.Context, token string, _ []byte, _ time.Time) error {
				panic("commit of " + token)
			}}
		}, newReference())
	}
	for _, id := range []string{"B01", "P01", "I02", "S01"} { // On the case's goroutine, together, each, a server's.
		failures, _ := conformance.Examine(t, id, broken)
		if len(failures) == 0 || !strings.Contains(failures[0], "commit of <token ") {
			t.Errorf("%s: failures: %q", id, failures)
		}
	}
}

// TestHangIsAFailure shows that the watchdog ends a case with a dump of all goroutines.
func TestHangIsAFailure(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	stuck := func(t *testing.T) scs.Store {
		return opened(t, func(r *reference) scs.Store {
			return &mutant{reference: r, find: func(context.Context, string) ([]byte, bool, error) {
				<-hang
				return nil, false, nil
			}}
		}, newReference())
	}
	failures, _ := conformance.Examine(t, "B01", stuck, conformance.WithTimeout(50*time.Millisecond))
	if len(failures) != 1 {
		t.Fatalf("%d failures", len(failures))
	}
	for _, want := range []string{
		"did not end within 50ms", "FindCtx(A) has not returned", "goroutine ",
		"TestHangIsAFailure",
	} {
		if !strings.Contains(failures[0], want) {
			t.Errorf("the message lacks %q", want)
		}
	}
}

// TestOptionProblems shows that every wrong option is told, all at once.
func TestOptionProblems(t *testing.T) {
	t.Parallel()
	err := conformance.CheckOptions(
		conformance.WithSkip("B01", ""), conformance.WithSkip("X99", "no such case"), conformance.WithTimeout(0),
		conformance.WithSearchTime(0),
		conformance.WithExpiryResolution(-1), conformance.WithMaxData(0), conformance.WithRequestScope(nil),
		conformance.WithClock(nil), conformance.WithLocking(0, nil), conformance.WithReport(nil, "store"),
	)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`case "B01" is skipped without a reason`, `no case "X99"`, "WithTimeout", "WithSearchTime",
		"WithExpiryResolution", "WithMaxData",
		"WithRequestScope",
		"WithClock", "WithLocking", "WithReport",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
	if err := conformance.CheckOptions(conformance.WithSkip("B01", "a reason")); err != nil {
		t.Errorf("a right option is refused: %v", err)
	}
}

// TestCaseList keeps ids unique and rules written.
func TestCaseList(t *testing.T) {
	t.Parallel()
	ids, rules := conformance.Cases()
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			t.Errorf("%s is there twice", id)
		}
		if rules[id] == "" || strings.HasSuffix(rules[id], ".") {
			t.Errorf("%s: the rule %q is not a sentence without its full stop", id, rules[id])
		}
	}
}

// TestHelpersOfTestsAreNotAccused shows whose goroutines count as left behind: those of the package's files, and of its
// tests only where the store itself is from a package of tests.
func TestHelpersOfTestsAreNotAccused(t *testing.T) {
	t.Parallel()
	const pkg = "github.com/scsdynamo/scsdynamo/conformance"
	for _, test := range []struct {
		pkg   string
		start func(ctx context.Context, started func())
		left  int
	}{
		{pkg, func(ctx context.Context, started func()) { go conformance.Park(ctx, started) }, 0},
		{pkg + "_test", func(ctx context.Context, started func()) { go func() { conformance.Park(ctx, started) }() }, 1},
		{pkg + "/other", func(ctx context.Context, started func()) { go func() { conformance.Park(ctx, started) }() }, 0},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		started := make(chan struct{})
		left := conformance.Left(ctx, test.pkg, func() {
			test.start(ctx, func() { close(started) })
			<-started
		})
		cancel()
		if len(left) != test.left {
			t.Errorf("%s: %q", test.pkg, left)
		}
	}
}

// TestPatienceIsForTheCase shows that a case which many stores hang in is given up early, and that making the store
// does not count.
func TestPatienceIsForTheCase(t *testing.T) {
	t.Parallel()
	const patience = 100 * time.Millisecond
	slow := func(t *testing.T) scs.Store {
		t.Helper()
		<-time.After(2 * patience)
		return opened(t, unchanged, newReference())
	}
	if failures := conformance.ExamineImpatiently(t, patience, slow, func(context.Context) {}); len(failures) > 0 {
		t.Errorf("a store that takes long to make: %q", failures)
	}
	failures := conformance.ExamineImpatiently(t, patience, slow, func(ctx context.Context) { <-ctx.Done() })
	if len(failures) != 1 || !strings.Contains(failures[0], "did not end within 100ms") {
		t.Errorf("a case that hangs: %q", failures)
	}
}
