package trial_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
)

func TestSkips(t *testing.T) {
	t.Parallel()
	cases := []trial.Case{{ID: "B01"}, {ID: "B10"}, {ID: "B11"}, {ID: "D-CTX-01"}, {ID: "D-CTX-02"}, {ID: "L-I1-01"}}
	for _, test := range []struct {
		ids  string
		want []string
	}{
		{"B10", []string{"B10"}},
		{"B", []string{"B01", "B10", "B11"}},
		{"D-CTX", []string{"D-CTX-01", "D-CTX-02"}},
		{"D-CTX-01", []string{"D-CTX-01"}},
		{"L-I1", []string{"L-I1-01"}},
		{"B1", nil}, // Not B10 and B11.
		{"", nil},
		{"X", nil},
	} {
		skips := trial.Skips{test.ids: "because"}
		var got []string
		for _, c := range cases {
			if skips.Reason(c.ID) != "" {
				got = append(got, c.ID)
			}
		}
		if strings.Join(got, " ") != strings.Join(test.want, " ") {
			t.Errorf("%q stands for %v; want %v", test.ids, got, test.want)
		}
		if err := skips.Check(cases); (err == nil) != (len(test.want) > 0) {
			t.Errorf("%q: %v", test.ids, err)
		}
	}
	if err := (trial.Skips{"B01": ""}).Check(cases); err == nil || !strings.Contains(err.Error(), "without a reason") {
		t.Errorf("a skip without a reason: %v", err)
	}
}

// What rests on a broken case is skipped, and what rests on that.
func TestRests(t *testing.T) {
	t.Parallel()
	var run trial.Run
	outcome := func(c trial.Case, f func(*trial.Trial)) trial.Outcome { return run.Try(t.Context(), c, time.Minute, f) }
	pass := func(*trial.Trial) {}
	first := outcome(trial.Case{ID: "A", Rule: "the rule"}, func(c *trial.Trial) { c.Fatalf("broken") })
	if len(first.Failures) != 1 || !strings.Contains(first.Failures[0], "the rule") {
		t.Errorf("%+v", first)
	}
	for _, c := range []trial.Case{{ID: "B", RestsOn: []string{"A"}}, {ID: "C", RestsOn: []string{"B"}}} {
		if o := outcome(c, pass); len(o.Failures) > 0 ||
			!strings.Contains(o.Skipped, "it rests on A (the rule), which is broken") {
			t.Errorf("%s: %+v", c.ID, o)
		}
	}
	if o := outcome(trial.Case{ID: "D"}, pass); o.Skipped != "" || len(o.Failures) > 0 {
		t.Errorf("D: %+v", o)
	}
}

// What has hung twice is not called again; what did so in a backend that was broken on purpose does not count.
func TestHangs(t *testing.T) {
	t.Parallel()
	var run trial.Run
	forever := make(chan struct{})
	t.Cleanup(func() { close(forever) })
	hang := func(call string) func(*trial.Trial) {
		return func(c *trial.Trial) {
			c.End(c.Begin("peer.Commit(A)"), "%v", nil)
			c.Begin("%s", call)
			<-forever
		}
	}
	const limit = 300 * time.Millisecond
	broken := func(c *trial.Trial) { c.Faulty(); hang("Delete(A)")(c) }
	for _, step := range []struct {
		id   string
		run  func(*trial.Trial)
		want string // In a failure, or in the reason of a skip.
	}{
		{"faulty", broken, "did not end within 300ms"},
		{"first", hang("peer.Delete(A)"), "did not end within 300ms"},
		{"second", hang("DeleteCtx(A)"), "has hung in another case"},
		{"third", hang("Delete(B)"), "it calls Delete, which hangs: see first, second"},
	} {
		o := run.Try(t.Context(), trial.Case{ID: step.id}, limit, step.run)
		if got := strings.Join(append(o.Failures, o.Skipped), ""); !strings.Contains(got, step.want) {
			t.Errorf("%s: %q; want %q", step.id, got, step.want)
		}
	}
	if o := run.Try(t.Context(), trial.Case{ID: "other"}, limit, func(c *trial.Trial) {
		c.End(c.Begin("Commit(A)"), "done")
	}); o.Skipped != "" || len(o.Failures) > 0 {
		t.Errorf("what did not hang is not called: %+v", o)
	}
}

// A case that is skipped by a goroutine of it is no failure because of what the others see then.
func TestSkipOfAGoroutine(t *testing.T) {
	t.Parallel()
	var run trial.Run
	o := run.Try(t.Context(), trial.Case{ID: "A"}, time.Minute, func(c *trial.Trial) {
		var wg sync.WaitGroup
		wg.Go(func() { c.Skip("because") })
		wg.Wait()
		c.Fatalf("nothing was done")
	})
	if o.Skipped != "because" || len(o.Failures) > 0 {
		t.Errorf("%+v", o)
	}
}
