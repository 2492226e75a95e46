package lockstrategy

import (
	"context"
	"time"
)

// queue is the requests of this process that wait for one session. It is there as long as one of them has the turn: that is
// the only one who asks storage, or who has the lease.
type queue struct {
	waiting []waiter // first come, first served
}

// waiter is one request that waits for its turn.
type waiter struct {
	since time.Time
	turn  chan turn // has room for it, so that nobody waits for who has given up
}

// turn is what a request gets when it is its turn.
type turn struct {
	// tenure is this process's lease on the session, nil where storage must be asked for it.
	tenure *tenure
	// yield asks for a pause first: this process has had the session for long, and others may wait for it.
	yield bool
	// gone says that there is no such session any more. It comes without the turn.
	gone bool
}

// enter waits for the turn. waited is whether somebody else had it. The error is ctx's.
func (l *lease) enter(ctx context.Context, at place, since time.Time) (_ turn, waited bool, err error) {
	l.mu.Lock()
	q := l.queues[at]
	if q == nil {
		l.queues[at] = &queue{}
		l.mu.Unlock()
		return turn{}, false, nil
	}
	mine := make(chan turn, 1)
	q.waiting = append(q.waiting, waiter{since, mine})
	l.mu.Unlock()
	select {
	case t := <-mine:
		return t, true, nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	left := q.leave(mine)
	l.mu.Unlock()
	if !left { // it came at the same moment
		l.decline(ctx, at, <-mine)
	}
	return turn{}, true, ctx.Err()
}

// decline passes on a turn that came too late.
func (l *lease) decline(ctx context.Context, at place, t turn) {
	switch {
	case t.gone:
	case t.tenure != nil:
		_ = t.tenure.handOn(ctx) // what fails here ends with the lease
	default:
		l.pass(at, t)
	}
}

// pass gives the turn to the next request, or ends the queue.
func (l *lease) pass(at place, t turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.passLocked(at, t)
}

// passLocked is pass with l.mu held. A tenure finds no taker where nobody waits: false, and the turn stays.
func (l *lease) passLocked(at place, t turn) bool {
	q := l.queues[at]
	if len(q.waiting) > 0 {
		next := q.waiting[0]
		q.waiting = q.waiting[1:]
		next.turn <- t
		return true
	}
	if t.tenure != nil {
		return false
	}
	delete(l.queues, at)
	return true
}

// dismiss is dismissLocked for who does not hold l.mu.
func (l *lease) dismiss(at place, asOf time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dismissLocked(at, asOf)
}

// dismissLocked tells those who wait that there was no such session at an instant. Who has come after it must ask. l.mu is
// held.
func (l *lease) dismissLocked(at place, asOf time.Time) {
	q := l.queues[at]
	for len(q.waiting) > 0 && q.waiting[0].since.Before(asOf) {
		q.waiting[0].turn <- turn{gone: true}
		q.waiting = q.waiting[1:]
	}
}

// leave takes a request out of the queue. False where it has got its turn.
func (q *queue) leave(mine chan turn) bool {
	for i, waiting := range q.waiting {
		if waiting.turn == mine {
			q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// awaitedLocked reports whether somebody waits. l.mu is held.
func (l *lease) awaitedLocked(at place) bool {
	q := l.queues[at]
	return q != nil && len(q.waiting) > 0
}
