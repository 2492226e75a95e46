package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/scsdynamo/scsdynamo/conformance"
)

// A full run, as users make it: what one case finds decides about others.

var fullRuns = flag.Int("runs", 0, "run all cases on each mutant so many times, and print in how many runs it is found")

// fullRun runs all cases on the mutant.
func fullRun(
	t *testing.T, mutate func(*reference) scs.Store, first bool, opts ...conformance.Option,
) (failures map[string][]string, skipped map[string]string) {
	t.Helper()
	return conformance.ExamineAll(t, func(t *testing.T) scs.Store { return opened(t, mutate, newReference()) }, first,
		func(id string) []conformance.Option {
			all := append(capabilities(mutate), conformance.WithTimeout(45*time.Second))
			if slices.Contains(lockingIDs, id) {
				all = append(all, conformance.WithRequestScope(serialized))
			}
			return append(append(all, clockFor(id)...), opts...)
		})
}

// TestShareOfFullRuns prints in how many full runs each mutant is found. See scripts/mutants.sh.
func TestShareOfFullRuns(t *testing.T) {
	if *fullRuns == 0 {
		t.Skip("takes hours; -runs 100 does it, with -run 'TestShareOfFullRuns/name' for one mutant")
	}
	for _, m := range allMutations() {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			found := 0
			by := map[string]int{}
			for range *fullRuns {
				failures, _ := fullRun(t, m.mutate, true, m.opts...)
				if len(failures) > 0 {
					found++
				}
				for id := range failures {
					by[id]++
				}
			}
			t.Logf("found in %d of %d full runs: %s; by %v", found, *fullRuns, m.name, by)
			if found*100 < *fullRuns*99 {
				t.Errorf("found in less than 99 of 100")
			}
		})
	}
}

// TestOneDefectOneAccusation shows that a defect is reported once, by the case that is about it: what rests on the rule
// that it breaks is skipped, and says so.
func TestOneDefectOneAccusation(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		mutate  func(*reference) scs.Store
		fail    []string
		skipped []string // Among others.
	}{
		{
			name: "an iteration gives one buffer to all sessions", fail: []string{"I02"},
			skipped: []string{"I03", "I04", "I06", "I09", "I12", "I15", "S11"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, all: func(ctx context.Context) (map[string][]byte, error) {
					all, err := r.AllCtx(ctx)
					var last []byte
					for _, data := range all {
						if len(data) > 0 {
							last = data
						}
					}
					for token, data := range all {
						all[token] = last[:min(len(data), len(last))]
					}
					return all, err
				}}
			},
		},
		{
			name: "deleting what is not there is an error", fail: []string{"B06"}, skipped: []string{"B07", "B09", "S06"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, delete: func(ctx context.Context, token string) error {
					if _, found := r.get(token); !found {
						return errors.New("0 rows affected")
					}
					return r.DeleteCtx(ctx, token)
				}}
			},
		},
		{
			name: "sessions live for two seconds at least", fail: []string{"E01", "E04"},
			skipped: []string{"E03", "E06", "E08", "E14", "E18", "E20", "E21", "S04", "S12"},
			mutate: expiresAt(func(at time.Time) time.Time {
				if least := time.Now().Add(2 * time.Second); at.Before(least) {
					return least
				}
				return at
			}),
		},
		{
			name: "commits write nothing", fail: []string{"B01"}, skipped: []string{"B03", "E01", "I02", "S01", "F01"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(context.Context, string, []byte, time.Time) error { return nil }}
			},
		},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			failures, skipped := fullRun(t, test.mutate, false)
			if failed := slices.Sorted(maps.Keys(failures)); !slices.Equal(failed, test.fail) {
				t.Errorf("%v fail; %v should", failed, test.fail)
				for _, id := range failed {
					if !slices.Contains(test.fail, id) {
						t.Log(failures[id][0])
					}
				}
			}
			for _, id := range test.skipped {
				if !strings.Contains(skipped[id], "it rests on ") {
					t.Errorf("%s is not skipped because of what it rests on: %q", id, skipped[id])
				}
			}
		})
	}
}

// TestSkippedPrerequisite shows that what rests on a case which the caller skips is skipped, too.
func TestSkippedPrerequisite(t *testing.T) {
	t.Parallel()
	failures, skipped := fullRun(t, func(r *reference) scs.Store {
		return &mutant{reference: r, delete: func(ctx context.Context, token string) error {
			if _, found := r.get(token); !found {
				return errors.New("0 rows affected")
			}
			return r.DeleteCtx(ctx, token)
		}}
	}, false, conformance.WithSkip("B06", "as in SQL"))
	if len(failures) > 0 {
		t.Errorf("failures: %v", failures)
	}
	if !strings.Contains(skipped["B07"], "B06") || !strings.Contains(skipped["B07"], "as in SQL") {
		t.Errorf("B07 is skipped: %q", skipped["B07"])
	}
}

// hangingCall is set, to an operation, where the test program runs TestHangingStore for TestHangsAreReported.
const hangingCall = "CONFORMANCE_HANGING_CALL"

// TestHangingStore fails on purpose: TestHangsAreReported runs it in another process.
func TestHangingStore(t *testing.T) {
	call := os.Getenv(hangingCall)
	if call == "" {
		t.Skipf("fails on purpose; TestHangsAreReported runs it, or %s=find does", hangingCall)
	}
	hangs := func(operation string) {
		if operation == call {
			select {}
		}
	}
	mutate := func(r *reference) scs.Store {
		return &mutant{
			reference: r,
			find: func(ctx context.Context, token string) ([]byte, bool, error) {
				hangs("find")
				return r.FindCtx(ctx, token)
			},
			commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
				hangs("commit")
				return r.CommitCtx(ctx, token, data, expiry)
			},
			delete: func(ctx context.Context, token string) error {
				hangs("delete")
				return r.DeleteCtx(ctx, token)
			},
			all: func(ctx context.Context) (map[string][]byte, error) {
				hangs("all")
				return r.AllCtx(ctx)
			},
			close: func() error {
				hangs("close")
				return r.Close()
			},
		}
	}
	conformance.Run(t, func(t *testing.T) scs.Store { return opened(t, mutate, newReference()) },
		conformance.WithTimeout(hangTimeout))
}

const hangTimeout = 6 * time.Second

// TestHangsAreReported shows that a store which hangs is reported without -v, in twice the time of one case: two
// minutes by default. Without -v nothing is printed before the end, and go test kills what takes ten minutes.
func TestHangsAreReported(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for call, want := range map[string]string{
		"find": "FindCtx", "commit": "CommitCtx", "delete": "DeleteCtx", "all": "AllCtx", "close": "Close",
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			// What does not hang takes some seconds more, here as there.
			limit := 2*hangTimeout + 30*time.Second
			cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestHangingStore$", "-test.parallel=1",
				"-test.timeout="+limit.String())
			cmd.Env = append(os.Environ(), hangingCall+"="+call)
			out, err := cmd.CombinedOutput()
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || bytes.Contains(out, []byte("panic: test timed out")) {
				t.Fatalf("%v\n%.2000s", err, out)
			}
			if !bytes.Contains(out, []byte(want+"(")) || !bytes.Contains(out, []byte("has not returned")) {
				t.Errorf("the report does not name %s:\n%.4000s", want, out)
			}
			if n := bytes.Count(out, []byte("--- FAIL: TestHangingStore/")); n < 1 || n > 2 {
				t.Errorf("%d cases are given up; one or two are enough", n)
			}
		})
	}
}

// TestGoroutinesOfHomegrownStore shows that a store which lies in a file of tests is looked after like any other.
func TestGoroutinesOfHomegrownStore(t *testing.T) {
	t.Parallel()
	leave := make(chan struct{})
	t.Cleanup(func() { close(leave) })
	failures, _ := conformance.Examine(t, "P08", func(*testing.T) scs.Store {
		return &conformance.Homegrown{Store: memstore.NewWithCleanupInterval(0), Leave: leave}
	})
	if len(failures) != 1 || !strings.Contains(failures[0], "go on") {
		t.Errorf("failures: %q", failures)
	}
}
