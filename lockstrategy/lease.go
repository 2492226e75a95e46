package lockstrategy

import (
	"context"
	"errors"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Lease returns the strategy that lets one request at a time have a session. The others wait for their turn, at most
// for LeaseOptions.MaxWait; then they get [ErrLockTimeout]. A request that only reads takes no lease and never waits;
// see sessionstore.WithReadOnly.
//
// The lease is on the session's own record: one call locks and reads it, and the commit releases it. Within one
// process, waiting requests queue without asking storage, and the lease is handed from one to the next, without a call
// or with the commit, for one lease duration at the most: then other processes get their turn. A request that waits for
// another process asks again at random and growing intervals.
//
// A lease is renewed while its request is running. One whose holder has died is taken over once a waiter has observed
// it unchanged for its duration and the clock allowance, by the waiter's clock: what the holder's clock said does not
// matter. A holder that was only slow then finds its context cancelled, if it renews, and its commit refused, with
// [ErrLockLost]. Safety rests on the condition of that commit, never on a clock.
//
// The lease is released when the session is committed, when the response begins, and however else the request ends. A
// commit after that, and one in a request that only reads, takes the lease once more and is refused with
// [storage.ErrConflict] if the session was changed since it was read.
//
// A request costs two writes, one that locks and reads, and one that commits or releases; one that follows in the queue
// costs one.
func Lease(options LeaseOptions) Strategy {
	l := &lease{leases{LeaseOptions: options.resolved(), memory: memory{known: newKnown()}}}
	l.turns.limit = l.MaxWaiting
	return l
}

type lease struct{ leases }

// Validate reports all that is wrong with the options.
func (l *lease) Validate(*Backend) error { return errors.Join(l.problems()...) }

// Load implements Strategy.
func (l *lease) Load(ctx context.Context, request *Request, key string) (Session, error) {
	if !request.Lock {
		base, err := LoadBase(ctx, request, key, nil)
		if err != nil {
			return nil, err
		}
		return l.newSession(base), nil
	}
	t, missing, err := l.acquire(ctx, request, key)
	switch {
	case err != nil:
		return nil, err
	case missing != nil:
		return l.newSession(NewBase(request, *missing, nil)), nil
	}
	s := l.newSession(NewBase(request, t.record, nil))
	s.tenure = t
	return s, nil
}

// New implements Strategy.
func (l *lease) New(request *Request, record storage.Record) Session {
	return l.newSession(NewBase(request, record, nil))
}
