package owners_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

const (
	histories = 80
	requests  = 45 // in each
	browsers  = 5
)

// T6: whatever fails, and whoever dies.
func TestT6_Histories(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds(t, histories) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { history(t, seed) })
		})
	}
}

// history is one history.
func history(t *testing.T, seed uint64) {
	t.Helper()
	names := slices.Sorted(maps.Keys(strategies))
	draw := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(t, draw, settings{
		strategy: names[draw.IntN(len(names))], faults: draw.IntN(4) > 0, secrets: draw.IntN(3),
		skew: time.Duration(draw.IntN(2)) * time.Hour, then: sessionstore.OwnerLimit(draw.IntN(2)),
		limit: []int{0, 0, 1, 2}[draw.IntN(4)],
	})
	processes := make([]*process, 3)
	for i := range processes {
		processes[i] = w.start()
	}
	for len(w.ops) < requests || w.running() > 0 {
		if i := w.draw.IntN(len(processes)); w.is.faults && w.draw.IntN(120) == 0 {
			w.kill(processes[i])
			processes[i] = w.start()
		}
		if running := w.running(); len(w.ops) < requests && running < 4 && (running == 0 || w.draw.IntN(6) == 0) {
			w.begin(w.drawn(processes[w.draw.IntN(len(processes))]))
		}
		if !w.step(w.faulty) {
			time.Sleep(10 * time.Millisecond)
		}
		pause := time.Millisecond
		if w.draw.IntN(80) == 0 {
			pause = time.Duration(w.draw.IntN(240)) * time.Second
		}
		time.Sleep(pause)
		w.arrive()
	}
	w.settle()
	w.report(seed)
}

// drawn draws a request.
func (w *world) drawn(p *process) *op {
	o := &op{process: p, user: users[w.draw.IntN(len(users))], renews: w.draw.IntN(3) == 0}
	o.does = []string{
		"begin", "login", "login", "login", "login", "login", "change", "change", "get", "leave", "logout", "list",
		"list", "list", "endall", "endall", "endothers", "end",
	}[w.draw.IntN(18)]
	// The browsers have the tokens that were sent last: those that are shared by several requests.
	var tokens []string
	for _, made := range slices.Backward(w.ops) {
		if made.ended.Load() && made.got != "" && !slices.Contains(tokens, made.got) && len(tokens) < browsers {
			tokens = append(tokens, made.got)
		}
	}
	if n := len(tokens); n > 0 && o.does != "begin" && (o.does != "login" || w.draw.IntN(3) > 0) {
		o.token = tokens[w.draw.IntN(n)]
	}
	switch o.does {
	case "login":
		o.renews = w.draw.IntN(2) == 0
	case "begin", "get", "list", "logout":
		o.renews = false
	case "end":
		for _, made := range slices.Backward(w.ops) {
			if made.does == "list" && made.user == o.user && made.ended.Load() && len(made.listed) > 0 {
				o.id2 = made.listed[w.draw.IntN(len(made.listed))].ID
				break
			}
		}
	}
	return o
}

// faulty is the turn of a call that may meet a fault.
func (w *world) faulty(waits *waiting) turn {
	fault := w.draw.IntN(25)
	if !w.is.faults || fault > 3 || waits.call.Reads() && fault > 0 || waits.call.Method == "Acquire" && fault > 1 {
		return w.plainly(waits)
	}
	waits.op.faulted = true
	due := time.Now().Add(time.Duration(w.draw.IntN(int(14 * time.Minute))))
	return func(next func(late bool) error) error {
		what := waits.op.id + " " + waits.op.does + ": " + waits.call.Method + " " + waits.call.Key
		switch fault {
		case 0:
			w.note("%s is refused", what)
			return storage.ErrUnavailable
		case 1:
			w.note("%s gets no answer: %v", what, next(false))
			return storage.ErrOutcomeUnknown
		case 2:
			w.note("%s is late", what)
			w.late = append(w.late, late{due, what, func() error { return next(true) }})
			return storage.ErrOutcomeUnknown
		default:
			err := next(false)
			w.note("%s is sent twice: %v", what, err)
			w.late = append(w.late, late{due, what, func() error { return next(true) }})
			return err
		}
	}
}
