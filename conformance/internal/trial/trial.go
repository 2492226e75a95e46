// Package trial runs the cases of a suite: it gives up one that hangs, makes a panic a failure, keeps a log of the
// calls for the message of a failure, and keeps tokens out of that. The suites for stores, drivers and strategies share
// it.
//
// It reports to nobody, so that the tests of a suite can see its cases fail; [Outcome.Tell] hands an outcome to a test.
package trial

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// Case is what a suite says of a case.
type Case struct {
	ID, Name string
	Group    string // What the id belongs to, in words.
	Rule     string // One sentence without its full stop. Failures quote it.
	// RestsOn are the ids of cases whose rules this one takes for granted. Where a store breaks one of them, this case
	// is skipped: it would accuse the store of breaking a rule that it may keep.
	RestsOn []string
}

// Title is the name of the case's subtest.
func (c Case) Title() string { return c.ID + "_" + c.Name }

// Outcome is what became of a case. Where both are empty, the rule is kept.
type Outcome struct {
	Failures []string
	Skipped  string // The reason.
}

// Trial is one run of a case: it records what the case does and sees. Its methods may be called by several goroutines
// of the case. Those that end the case end the goroutine which calls them.
type Trial struct {
	Case

	ctx     context.Context //nolint:containedctx // A trial lives as long as one case.
	run     *Run
	suspect string // See Suspect.

	mu       sync.Mutex
	began    time.Time
	limit    time.Duration     // From began on.
	names    map[string]string // How messages call each token.
	steps    []*Step
	dropped  int // Steps that are no longer in steps.
	open     []*Step
	faulty   bool
	failures []string
	skipped  string
	closed   bool
	cleanUps []func()
}

// Try runs a case in a goroutine of its own, so that one which hangs can be given up. That is when limit has passed, or
// when a call takes so long that has hung in another case of the run, too.
func (r *Run) Try(ctx context.Context, c Case, limit time.Duration, run func(*Trial)) Outcome {
	if reason := r.rests(c); reason != "" {
		return Outcome{Skipped: reason}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &Trial{Case: c, ctx: ctx, run: r, began: time.Now(), limit: limit, names: map[string]string{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.Guarded(func() {
			defer t.cleanUp()
			run(t)
		})
	}()
	t.await(done, limit)
	return t.close()
}

// await returns when the case has ended or is given up.
func (t *Trial) await(done <-chan struct{}, limit time.Duration) {
	ticker := time.NewTicker(max(min(limit/20, 250*time.Millisecond), time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			if why := t.overdue(limit / 6); why != "" {
				t.Failf("%s; the goroutines:\n%s", why, t.stacks())
				return
			}
		}
	}
}

// overdue returns why the case is given up, or nothing. It tells the run which calls hang.
func (t *Trial) overdue(patience time.Duration) string {
	t.mu.Lock()
	passed, limit := time.Since(t.began), t.limit
	var hanging []string
	for _, s := range t.open {
		took := time.Since(s.began)
		if took >= limit/2 && passed >= limit || took >= patience && t.run.hangs(s.operation()) > 0 {
			hanging = append(hanging, s.operation())
		}
	}
	faulty := t.faulty
	t.mu.Unlock()
	switch {
	case passed >= limit:
		if !faulty { // A backend that was made to hang accuses nobody.
			t.run.hung(t.Case, hanging)
		}
		return fmt.Sprintf("the case did not end within %v", limit)
	case len(hanging) > 0 && !faulty:
		t.run.hung(t.Case, hanging)
		return fmt.Sprintf("%s did not return within %v, and has hung in another case", hanging[0], patience)
	}
	return ""
}

// Hurry gives the case this much time from now on, if it had more.
func (t *Trial) Hurry(limit time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.Add(limit).Before(t.began.Add(t.limit)) {
		t.began, t.limit = now, limit
	}
}

// Context ends with the case.
func (t *Trial) Context() context.Context { return t.ctx }

// Faulty says that the backend is about to fail on purpose: calls that hang from now on are not held against others.
func (t *Trial) Faulty() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faulty = true
}

// Failf records a failure and goes on.
func (t *Trial) Failf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const enough = 5 // More of the same would only hide the first.
	if len(t.failures) == enough || t.skipped != "" {
		return
	}
	t.failures = append(t.failures, t.message(fmt.Sprintf(format, args...)))
}

// Fatalf records a failure and ends the goroutine it is called from.
func (t *Trial) Fatalf(format string, args ...any) {
	t.Failf(format, args...)
	runtime.Goexit()
}

// Skip ends the case as not run, unless it has failed. What other goroutines of it see from then on does not count.
func (t *Trial) Skip(reason string) {
	t.mu.Lock()
	if t.skipped == "" && len(t.failures) == 0 {
		t.skipped = reason
	}
	t.mu.Unlock()
	runtime.Goexit()
}

// close returns the outcome. What a case that was given up still says is not heard, and its next call ends it.
func (t *Trial) close() Outcome {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if len(t.failures) > 0 {
		t.run.Break(t.Case, "is broken")
	}
	return Outcome{Failures: t.failures, Skipped: t.skipped}
}

// AtEnd has f called when the case has ended, from its own goroutine.
func (t *Trial) AtEnd(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanUps = append(t.cleanUps, f)
}

func (t *Trial) cleanUp() {
	t.mu.Lock()
	cleanUps := t.cleanUps
	t.mu.Unlock()
	for _, f := range slices.Backward(cleanUps) {
		f()
	}
}

// Guarded calls f, and makes a panic a failure of the case. It does so with a memory fault, too, which would end all
// tests: what a store hands out may lie in a file that its backend maps.
func (t *Trial) Guarded(f func()) {
	defer func() {
		if p := recover(); p != nil {
			t.Failf("panic: %s\n%s", PanicText(p), debug.Stack())
		}
	}()
	debug.SetPanicOnFault(true) // For this goroutine only.
	f()
}

// PanicText says what a panic was about.
func PanicText(p any) string {
	// The runtime tells the address of a fault, and none where a pointer was nil.
	if _, fault := p.(interface{ Addr() uintptr }); fault {
		return "memory fault: a slice of the store or its backend lies where it may not be written to, or where nothing " +
			"is any more"
	}
	return fmt.Sprint(p)
}

// EndIfClosed ends the goroutine of a case that was given up.
func (t *Trial) EndIfClosed() {
	t.mu.Lock()
	closed := t.closed
	t.mu.Unlock()
	if closed {
		runtime.Goexit()
	}
}

// EndIfFailed ends the goroutine if the case has failed, or was skipped by another goroutine.
func (t *Trial) EndIfFailed() {
	t.mu.Lock()
	ended := len(t.failures) > 0 || t.skipped != ""
	t.mu.Unlock()
	if ended {
		runtime.Goexit()
	}
}

// WaitUntil waits until the clock shows at or later. It compares readings of the wall clock, because that is what
// backends compare.
func (t *Trial) WaitUntil(at time.Time) {
	for {
		left := at.Round(0).Sub(time.Now().Round(0))
		if left <= 0 {
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-t.ctx.Done():
			timer.Stop()
			runtime.Goexit()
		}
	}
}
