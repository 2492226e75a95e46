package lockbench_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
)

// What meets in one session: so many requests at once, whose handlers take so long.
const (
	contending  = 8
	handlerTime = 200 * time.Millisecond
)

// contender is a strategy that is measured.
type contender struct {
	name string
	new  func() lockstrategy.Strategy
	// limit is what the project promises. Without one, the strategy is there to compare with.
	limit *limit
}

// limit is what the requests of one, or of two processes may use at most.
type limit struct {
	inside  int    // handlers at once
	calls   [2]int // to storage
	refused [2]int // writes whose condition does not hold
	// wall is the time from the first request of one process to the last response, in handler times. It is shown, but
	// not asserted: it is the machine's as much as the strategy's.
	wall float64
}

var contenders = []contender{
	{"baseline", newBaseline, nil},
	{"none", lockstrategy.None, nil},
	{"optimistic", lockstrategy.Optimistic, nil},
	{"merge", newMerge, &limit{inside: contending, calls: [2]int{17, 26}, refused: [2]int{1, 10}, wall: 1.3}},
	{"lease", newLease, &limit{inside: 1, calls: [2]int{12, 24}, refused: [2]int{0, 8}, wall: 1.05 * contending}},
}

func newMerge() lockstrategy.Strategy { return lockstrategy.Merge(nil) }

func newLease() lockstrategy.Strategy { return lockstrategy.Lease(lockstrategy.LeaseOptions{}) }

// outcome is what came of requests that met in one session, as far as it does not depend on the machine.
type outcome struct {
	succeeded int
	kept      int // updates that are in the session at the end
	inside    int // the most handlers at once
	count
}

// result is all that is measured of them.
type result struct {
	outcome
	units
	wall     time.Duration
	failures map[string]int // by error
}

// contend sends the requests at once, spread over as many processes as the place is for.
func contend(t testing.TB, p *place, c contender) result {
	t.Helper()
	ctx := t.Context()
	processes := make([]*process, len(p.drivers))
	for i, driver := range p.drivers {
		var err error
		if processes[i], err = newProcess(driver, c.new()); err != nil {
			t.Fatal(err)
		}
	}
	token, err := processes[0].login(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p.reset()
	r := result{failures: map[string]int{}}
	var inside gauge
	began := time.Now()
	for _, err := range atOnce(contending, func(i int) error {
		process := processes[i%len(processes)]
		return process.do(ctx, http.MethodPost, token, func(ctx context.Context) {
			defer inside.enter()()
			<-time.After(handlerTime) // what a handler does for so long
			process.update(ctx, i)
		})
	}) {
		if err == nil {
			r.succeeded++
		} else {
			r.failures[err.Error()]++
		}
	}
	r.wall = time.Since(began)
	r.inside = int(inside.most.Load())
	r.count, r.units = p.cost(t)
	if r.kept, err = processes[0].kept(ctx, token, contending); err != nil {
		t.Fatal(err)
	}
	return r
}

// atOnce runs n calls at once and returns their errors.
func atOnce(n int, call func(i int) error) []error {
	start, errs := make(chan struct{}), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

// gauge counts who is inside.
type gauge struct{ now, most atomic.Int32 }

func (g *gauge) enter() (leave func()) {
	now := g.now.Add(1)
	for most := g.most.Load(); now > most && !g.most.CompareAndSwap(most, now); most = g.most.Load() {
	}
	return func() { g.now.Add(-1) }
}
