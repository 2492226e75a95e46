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
	strategy *lease
	tenure   *tenure // the operation's that runs
}

// Commit implements Session.
func (s *leaseSession) Commit(ctx context.Context, next storage.Record) error {
	return s.commit(ctx, next, committing)
}

// Renew implements Session.
func (s *leaseSession) Renew(ctx context.Context, next storage.Record) error {
	return s.commit(ctx, next, renewing)
}

func (s *leaseSession) commit(ctx context.Context, next storage.Record, write writing) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
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
	err := s.underLease(ctx, record, func(
		stays storage.Lease, condition storage.Condition,
	) (storage.Record, *storage.Record, error) {
		if from == next.Key {
			next.Lease = stays
		}
		inTheWay, err := write.call(s.request.Backend, ctx, from, next, condition)
		return next, inTheWay, err
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
		s.strategy.known.exists(place{s.request.Backend, stored.Key})
	}
}

// acquireAgain takes the lease for a session that the request has read without one, or released. A session that was
// changed since, or moved to the key that it is to have, is a conflict.
func (s *leaseSession) acquireAgain(ctx context.Context, record storage.Record, newKey string, write writing) error {
	t, _, err := s.strategy.acquire(ctx, s.request, record.Key)
	switch {
	case err != nil:
		return err
	case t == nil && newKey != record.Key && !write.renews:
		_, err := s.request.Backend.moved(ctx, newKey)
		return err
	case t == nil:
		return ErrSessionGone
	case t.record.Version != record.Version:
		_ = t.handOn(ctx) // what fails here ends with the lease
		return errConflict
	}
	s.tenure = t
	return nil
}

// underLease makes a write that also settles what becomes of the lease: it is freed, or stays for the next request of
// this process. write gets the lease that is to be stored, and the condition; it returns what it has stored, or what
// was in the way.
func (s *leaseSession) underLease(ctx context.Context, record storage.Record, write func(
	stays storage.Lease, condition storage.Condition,
) (stored storage.Record, inTheWay *storage.Record, err error),
) error {
	t := s.tenure
	if err := t.beginWrite(); err != nil {
		s.tenure = nil
		return err
	}
	sent, now := time.Now(), s.request.Backend.Now()
	var stays storage.Lease
	if t.heir() {
		stays = t.terms.at(t.id, now)
	}
	stored, inTheWay, err := write(stays, storage.IfVersionAndLease(record.Version, t.id, now))
	switch {
	case err == nil:
		s.tenure = nil
		t.written(ctx, stored, sent)
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
	// It is still held; it is released with the request.
	t.endWrite()
	if errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrOutcomeUnknown) {
		t.verified = time.Time{} // what is stored may be another record
	}
	return err
}

// Touch implements Session. Under the lease it also releases it.
func (s *leaseSession) Touch(ctx context.Context, change storage.Change) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	record, found, _ := s.state()
	if !found || s.tenure == nil {
		return s.touch(ctx, change)
	}
	err := s.underLease(ctx, record, func(
		stays storage.Lease, condition storage.Condition,
	) (storage.Record, *storage.Record, error) {
		change.Lease = &stays
		inTheWay, err := s.request.Backend.update(ctx, record.Key, change, condition)
		return change.Apply(record), inTheWay, err
	})
	return s.touched(change, err)
}

// Delete implements Session.
func (s *leaseSession) Delete(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := s.delete(ctx); err != nil {
		return err
	}
	record, _ := s.Record()
	s.strategy.known.forget(place{s.request.Backend, record.Key})
	if t := s.tenure; t != nil {
		s.tenure = nil
		t.lose(ErrSessionGone)
	}
	return nil
}

// Release implements Session.
func (s *leaseSession) Release(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	t := s.tenure
	if t == nil {
		return nil
	}
	s.tenure = nil
	return t.handOn(ctx)
}
