package lockstrategy

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// turns is one turn for each session in this process: at most one request has it, and the others get it first come,
// first served. Each session has a lock of its own, and nothing done under it takes longer for more waiters, except to
// dismiss them. T is what a request leaves to the next one.
//
//	take ──free──▶ has the turn ──give──▶ the first waiter has it, or it is free
//	  └──taken──▶ waits in line ──▶ has the turn | gave up (ctx) | was dismissed, without the turn
type turns[T any] struct {
	// limit is how many requests may wait for one session; 0 means any number.
	limit int
	lines sync.Map // of sessionKey to *line[T]
}

// line is the requests of this process at one session. It exists while a request has the turn, waits for it, or has
// joined.
type line[T any] struct {
	turns *turns[T]
	at    sessionKey

	mu      sync.Mutex // never held during a call
	joined  int
	taken   bool      // a request has the turn
	left    T         // what the last one has left, where nobody waited
	waiting list.List // of *waiter[T]
	ended   bool      // it has been removed
}

// waiter is one request that waits for its turn.
type waiter[T any] struct {
	since time.Time
	got   chan T // has room for what it gets, so that nobody waits for a request that has given up
}

// errTooMany says that as many requests wait as may.
var errTooMany = errors.New("lockstrategy: too many requests wait for their turn")

// join returns the line of the session. The request must part from it.
func (t *turns[T]) join(at sessionKey) *line[T] {
	for {
		found, exists := t.lines.Load(at)
		if !exists {
			found, _ = t.lines.LoadOrStore(at, &line[T]{turns: t, at: at})
		}
		l := found.(*line[T])
		l.mu.Lock()
		ended := l.ended
		if !ended {
			l.joined++
		}
		l.mu.Unlock()
		if !ended {
			return l
		}
		t.lines.CompareAndDelete(at, l) // whoever has ended it is about to
	}
}

// take is join, [line.take] and part: the line exists while the request has the turn.
func (t *turns[T]) take(ctx context.Context, at sessionKey) (l *line[T], got T, waited bool, err error) {
	l = t.join(at)
	defer l.part()
	got, waited, err = l.take(ctx)
	return l, got, waited, err
}

// part is the end of join.
func (l *line[T]) part() {
	l.mu.Lock()
	l.joined--
	l.mu.Unlock()
	l.endUnused()
}

// take waits for the turn, and returns what the request before it has left. A free turn is taken even if ctx has ended:
// what the request then does fails by itself. Errors: ctx's, and errTooMany.
func (l *line[T]) take(ctx context.Context) (got T, waited bool, err error) {
	l.mu.Lock()
	if !l.taken {
		l.taken = true
		got, l.left = l.left, got
		l.mu.Unlock()
		return got, false, nil
	}
	if limit := l.turns.limit; limit > 0 && l.waiting.Len() >= limit {
		l.mu.Unlock()
		return got, false, errTooMany
	}
	mine := &waiter[T]{since: time.Now(), got: make(chan T, 1)}
	queued := l.waiting.PushBack(mine)
	l.mu.Unlock()
	select {
	case got = <-mine.got:
		return got, true, nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case got = <-mine.got: // at the same moment; it is not refused, so that it need not be passed on
		return got, true, nil
	default:
		l.waiting.Remove(queued)
		return got, true, ctx.Err()
	}
}

// give passes the turn on, and leaves something to the next request, whether it waits or is yet to come.
func (l *line[T]) give(leave T) {
	l.mu.Lock()
	if !l.giveLocked(leave) {
		l.taken, l.left = false, leave
	}
	l.mu.Unlock()
	l.endUnused()
}

// tryGive passes the turn on if somebody waits for it.
func (l *line[T]) tryGive(leave T) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.giveLocked(leave)
}

func (l *line[T]) giveLocked(leave T) bool {
	first := l.waiting.Front()
	if first == nil {
		return false
	}
	l.waiting.Remove(first).(*waiter[T]).got <- leave
	return true
}

// awaited reports whether somebody waits for the turn.
func (l *line[T]) awaited() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting.Len() > 0
}

// dismiss gives something, but not the turn, to those who have waited since before an instant.
func (l *line[T]) dismiss(before time.Time, answer T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		first := l.waiting.Front()
		if first == nil || !first.Value.(*waiter[T]).since.Before(before) {
			return
		}
		l.giveLocked(answer)
	}
}

// endUnused removes the line if nobody uses it.
func (l *line[T]) endUnused() {
	l.mu.Lock()
	l.ended = l.ended || l.joined == 0 && !l.taken
	ended := l.ended
	l.mu.Unlock()
	if ended {
		l.turns.lines.CompareAndDelete(l.at, l)
	}
}
