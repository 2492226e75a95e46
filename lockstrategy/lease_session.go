package lockstrategy

import (
	"context"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// leaseSession is a session under a lease, or without one where the request only reads or has released it.
type leaseSession struct {
	*Base
	leases *leases
	tenure *tenure // of the operation that runs; nil where the request has no lease
}

// newSession returns a session for which the request has no lease.
func (l *leases) newSession(base *Base) *leaseSession {
	s := &leaseSession{Base: base, leases: l}
	s.operations = s
	return s
}

func (s *leaseSession) commit(ctx context.Context, next storage.Record, write writing) error {
	record, found, gone := s.state()
	switch {
	case gone:
		return s.settle(ErrSessionGone)
	case !found:
		if err := s.create(ctx, next, storage.IfAbsent(next.UpdatedAt)); err != nil {
			return err
		}
		s.exists(next)
		return nil
	case s.tenure == nil:
		if err := s.acquireAgain(ctx, record, next.Key, write); err != nil {
			return s.settle(err)
		}
	}
	from := succeed(&next, record)
	err := s.underLease(ctx, record, &next, func(
		stays storage.Lease, condition storage.Condition,
	) (inTheWay *storage.Record, err error) {
		if from == next.Key {
			next.Lease = stays
		}
		return write.call(s.request.Backend, ctx, from, next, condition)
	})
	if err != nil {
		return s.settle(err)
	}
	s.stored(next)
	s.exists(next)
	return nil
}

// exists notes that a session was stored, if it was not to end.
func (s *leaseSession) exists(stored storage.Record) {
	if !stored.Ended() {
		s.leases.memory.known.exists(sessionKey{s.request.Backend, stored.Key})
	}
}

// acquireAgain takes the lease for a session that the request has read without one, or released. A session that was
// changed since, or moved to the key that it is to have, is a conflict.
func (s *leaseSession) acquireAgain(ctx context.Context, record storage.Record, newKey string, write writing) error {
	t, _, err := s.leases.acquire(ctx, s.request, record.Key)
	switch {
	case err != nil:
		return err
	case t == nil && newKey != record.Key && !write.renews:
		_, err := s.request.Backend.moved(ctx, newKey)
		return err
	case t == nil:
		return ErrSessionGone
	case t.record.Version != record.Version:
		_ = t.transfer(ctx) // what fails here ends with the lease
		return errConflict
	}
	s.tenure = t
	return nil
}

// underLease makes a write that also settles what becomes of the lease: it is freed, or stays for the next request of
// this process. write puts the lease that is to be stored into next, and makes the call under the condition; it returns
// what was in the way.
//
//	the write                                    the tenure          the request is told
//	is stored                                    goes on, or ended   nothing
//	finds no session                             ended               ErrSessionGone
//	finds another lease                          ended               ErrLockLost
//	finds this lease, but another version        stays               ErrConflict
//	fails otherwise, perhaps after it is stored  stays               the error
//
// A tenure that stays is released with the request.
func (s *leaseSession) underLease(
	ctx context.Context, record storage.Record, next *storage.Record,
	write func(stays storage.Lease, condition storage.Condition) (inTheWay *storage.Record, err error),
) error {
	t := s.tenure
	if err := t.beginWrite(); err != nil {
		s.tenure = nil
		return err
	}
	sent, now := time.Now(), s.request.Backend.Now()
	var stays storage.Lease
	if t.heir() {
		stays = t.terms.lease(t.id, now)
	}
	inTheWay, err := write(stays, storage.IfVersionAndLease(record.Version, t.id, now))
	switch {
	case err == nil:
		s.tenure = nil
		t.written(ctx, *next, sent)
		return nil
	case errors.Is(err, ErrSessionGone):
		s.tenure = nil
		t.lose(ErrSessionGone)
		return err
	case inTheWay != nil && inTheWay.Lease.ID != t.id:
		s.tenure = nil
		t.lose(ErrLockLost)
		s.request.notify(Notice{Event: Lost, Err: ErrLockLost})
		return join(ErrLockLost, unknownOf(err))
	}
	t.endWrite()
	if errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrOutcomeUnknown) {
		t.verified = time.Time{} // what is stored may be another record
	}
	return err
}

// touch also releases the lease.
func (s *leaseSession) touch(ctx context.Context, change storage.Change) error {
	record, found, _ := s.state()
	if !found || s.tenure == nil {
		return s.Base.touch(ctx, change)
	}
	next := record
	err := s.underLease(ctx, record, &next, func(
		stays storage.Lease, condition storage.Condition,
	) (inTheWay *storage.Record, err error) {
		change.Lease = &stays
		next = change.Apply(record)
		return s.request.Backend.update(ctx, record.Key, change, condition)
	})
	return s.touched(change, err)
}

func (s *leaseSession) delete(ctx context.Context) error {
	if err := s.Base.delete(ctx); err != nil {
		return err
	}
	record, _ := s.Record()
	s.leases.memory.known.forget(sessionKey{s.request.Backend, record.Key})
	if t := s.tenure; t != nil {
		s.tenure = nil
		t.lose(ErrSessionGone)
	}
	return nil
}

// Release implements Session.
func (s *leaseSession) Release(ctx context.Context) error {
	return s.run(ctx, func() error {
		t := s.tenure
		if t == nil {
			return nil
		}
		s.tenure = nil
		return t.transfer(ctx)
	})
}
