package conformance

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

// outcome is what became of a case.
type outcome struct {
	failures []string
	skipped  string // The reason, or "" if the case was run.
}

// examine runs a case and returns what became of it. It reports nothing to t, which is only for the caller's functions:
// that is how the suite's own tests see a case fail without failing.
func examine(t *testing.T, tc testCase, newStore func(*testing.T) scs.Store, o *options) outcome {
	if reason, found := o.skips[tc.id]; found {
		return outcome{skipped: reason}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := &check{t: t, ctx: ctx, opts: o, factory: newStore, testCase: tc, names: map[string]string{}}
	return c.watch(o.timeout, func() {
		store := c.newStore()
		c.mu.Lock()
		c.store = store
		c.mu.Unlock()
		for _, n := range tc.needs {
			if reason := n.missing(c.store.store, o); reason != "" {
				c.skip(reason)
			}
		}
		if tc.patience > 0 {
			c.hurry(tc.patience)
		}
		tc.run(c)
	})
}

// watch runs the case in a goroutine of its own, so that one which hangs can be given up.
func (c *check) watch(timeout time.Duration, run func()) outcome {
	done := make(chan struct{})
	c.timeout, c.watchdog = timeout, time.NewTimer(timeout)
	defer c.watchdog.Stop()
	go func() {
		defer close(done)
		c.guarded(func() {
			defer c.cleanUp()
			run()
		})
	}()
	select {
	case <-done:
	case <-c.watchdog.C:
		c.mu.Lock()
		timeout = c.timeout
		c.mu.Unlock()
		c.failf("the case did not end within %v; all goroutines:\n%s", timeout, c.allStacks())
	}
	return c.close()
}

// hurry gives the case this much time from now on, if it had more.
func (c *check) hurry(timeout time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if timeout < c.timeout {
		c.timeout = timeout
		c.watchdog.Reset(timeout)
	}
}

// check is one run of a case: what the case works with, and the recorder of what it sees. Its methods may be called by
// several goroutines of the case.
type check struct {
	testCase

	t       *testing.T // For newStore and the functions of options only.
	ctx     context.Context
	opts    *options
	factory func(*testing.T) scs.Store
	store   *caller // The case's own store.
	// watchdog ends the case after timeout.
	watchdog *time.Timer

	mu       sync.Mutex
	timeout  time.Duration
	names    map[string]string // How messages call each token.
	steps    []*step
	dropped  int // Steps that are no longer in steps.
	failures []string
	skipped  string
	closed   bool
	cleanUps []func()
	clock    storeClock
}

// newStore makes another fresh store.
func (c *check) newStore() *caller {
	c.endIfClosed()
	store := c.factory(c.t)
	switch {
	case store == nil:
		c.fatalf("newStore returned nil")
	case !c.opts.made.first(store):
		c.fatalf("newStore returned a store that it had returned before; make a new one each time, for cases close theirs")
	}
	return &caller{c: c, store: store}
}

// failf records a failure and goes on.
func (c *check) failf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const enough = 5 // More of the same would only hide the first.
	if len(c.failures) == enough {
		return
	}
	c.failures = append(c.failures, c.message(fmt.Sprintf(format, args...)))
}

// fatalf records a failure and ends the goroutine it is called from.
func (c *check) fatalf(format string, args ...any) {
	c.failf(format, args...)
	runtime.Goexit()
}

// skip ends the case as not run. It is called from the goroutine of the case itself.
func (c *check) skip(reason string) {
	c.mu.Lock()
	c.skipped = reason
	c.mu.Unlock()
	runtime.Goexit()
}

// close returns the outcome. What a case that was given up still says is not heard, and its next
// call to a store ends it.
func (c *check) close() outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return outcome{failures: c.failures, skipped: c.skipped}
}

// atEnd has f called when the case has ended, from its own goroutine.
func (c *check) atEnd(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cleanUps = append(c.cleanUps, f)
}

func (c *check) cleanUp() {
	c.mu.Lock()
	cleanUps := c.cleanUps
	c.mu.Unlock()
	for _, f := range slices.Backward(cleanUps) {
		f()
	}
}

// guarded calls f, and makes a panic a failure of the case. It does so with a memory fault, too, which would end all tests:
// what a store hands out may lie in a file that its backend maps.
func (c *check) guarded(f func()) {
	defer func() {
		if p := recover(); p != nil {
			c.failf("panic: %s\n%s", panicText(p), debug.Stack())
		}
	}()
	debug.SetPanicOnFault(true) // For this goroutine only.
	f()
}

func panicText(p any) string {
	// The runtime tells the address of a fault, and none where a pointer was nil.
	if _, fault := p.(interface{ Addr() uintptr }); fault {
		return "memory fault: a slice of the store or its backend lies where it may not be written to, or where nothing is any more"
	}
	return fmt.Sprint(p)
}

// message tells what was broken, what was done and what was seen. The caller holds c.mu.
func (c *check) message(seen string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n  rule %s (%s): %s\n", c.id, c.group(), c.rule)
	lead := "  did: "
	if c.dropped > 0 {
		fmt.Fprintf(&b, "%s(%d steps before)\n", lead, c.dropped)
		lead = "       "
	}
	for _, s := range c.steps {
		fmt.Fprintf(&b, "%s%s\n", lead, s)
		lead = "       "
	}
	fmt.Fprintf(&b, "  saw: %s", seen)
	return c.redact(b.String())
}

// step is one call to a store as messages show it.
type step struct{ call, result string }

func (s *step) String() string {
	if s.result == "" {
		return s.call + " has not returned"
	}
	return s.call + " = " + s.result
}

// begin notes a call that is about to be made.
func (c *check) begin(format string, args ...any) *step {
	c.endIfClosed()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &step{call: fmt.Sprintf(format, args...)}
	const window = 12
	if len(c.steps) == window {
		c.steps = append(c.steps[:0], c.steps[1:]...)
		c.dropped++
	}
	c.steps = append(c.steps, s)
	return s
}

// end notes what the call returned.
func (c *check) end(s *step, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.result = fmt.Sprintf(format, args...)
}

// note puts something other than a call among the steps.
func (c *check) note(call, result string) {
	c.end(c.begin("%s", call), "%s", result)
}

// name makes messages call the token so.
func (c *check) name(token, name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names[token] = name
	return token
}

// nameOf returns how messages call the token, with the next free letter for one not seen before.
func (c *check) nameOf(token string) string {
	if token == "" {
		return `""`
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	name, found := c.names[token]
	if !found {
		n := len(c.names)
		name = string(rune('A' + n%26))
		if n >= 26 {
			name += fmt.Sprint(n / 26)
		}
		c.names[token] = name
	}
	return name
}

// redact removes the tokens from a text that may quote a store, such as its errors. The caller holds c.mu.
func (c *check) redact(text string) string {
	const telling = 16 // Shorter ones are no secrets, and would match anywhere.
	for token, name := range c.names {
		if len(token) >= telling {
			text = strings.ReplaceAll(text, token, "<token "+name+">")
		}
	}
	return text
}

// each calls f with 0 to n-1 from up to limit goroutines and waits for them. If one of them failed, it ends the case.
func (c *check) each(n, limit int, f func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, limit) {
		wg.Go(func() {
			c.guarded(func() {
				for i := range next {
					f(i)
				}
			})
		})
	}
	stopped := make(chan struct{})
	go func() { wg.Wait(); close(stopped) }()
feed:
	for i := range n {
		select {
		case next <- i:
		case <-stopped: // Every goroutine has failed.
			break feed
		}
	}
	close(next)
	<-stopped
	c.endIfFailed()
}

// together calls all functions at the same time and waits for them. If one of them failed, it ends the case.
func (c *check) together(fs ...func()) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for _, f := range fs {
		wg.Go(func() {
			<-start
			c.guarded(f)
		})
	}
	close(start)
	wg.Wait()
	c.endIfFailed()
}

// endIfClosed ends the goroutine of a case that was given up.
func (c *check) endIfClosed() {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		runtime.Goexit()
	}
}

func (c *check) endIfFailed() {
	c.mu.Lock()
	failed := len(c.failures) > 0
	c.mu.Unlock()
	if failed {
		runtime.Goexit()
	}
}

// waitUntil waits until the clock shows at or later. It compares readings of the wall clock, because that is what
// backends compare.
func (c *check) waitUntil(at time.Time) {
	for {
		left := at.Round(0).Sub(time.Now().Round(0))
		if left <= 0 {
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			timer.Stop()
			runtime.Goexit()
		}
	}
}

// inject breaks the backend of the case's own store, or skips the case. The function it returns repairs it; calling that
// again does nothing.
func (c *check) inject(fault Fault) (repair func()) {
	repair, possible := c.tryInject(fault)
	if !possible {
		c.skipFault(fault)
	}
	return repair
}

// tryInject is inject for where the case cannot be skipped.
func (c *check) tryInject(fault Fault) (repair func(), possible bool) {
	undo := c.opts.inject(c.t, c.store.store, fault)
	if undo == nil {
		return func() {}, false
	}
	c.note("break the backend: "+fault.String(), "done")
	return sync.OnceFunc(func() {
		undo()
		c.note("repair the backend", "done")
	}), true
}

func (c *check) skipFault(fault Fault) {
	c.skip("the function given to WithFault cannot make " + fault.String())
}

// allStacks returns the stacks of all goroutines, those in the store's package first, as far as anybody reads.
func (c *check) allStacks() string {
	const most = 64 << 10
	buf := make([]byte, 4<<20)
	c.mu.Lock()
	store := c.store
	c.mu.Unlock()
	var inStore, others []string
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if store != nil && strings.Contains(stack, symbolPrefix(packageOf(store.store))) {
			inStore = append(inStore, stack)
		} else {
			others = append(others, stack)
		}
	}
	all := strings.Join(append(inStore, others...), "\n\n")
	if len(all) > most {
		all = fmt.Sprintf("%s\n(%d bytes more)", all[:most], len(all)-most)
	}
	return all
}
