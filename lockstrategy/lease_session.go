package lockstrategy

import (
	"context"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// leaseSession is a session under a lease, or without one where the request only reads or has released it.
type leaseSession struct {
	session
	strategy *lease
	busy     chan struct{} // holds a token while an operation runs; guards tenure
	tenure   *tenure
}

// begin waits until no other operation runs on the session.
func (s *leaseSession) begin(ctx context.Context) (end func(), err error) {
	end = func() { <-s.busy }
	select {
	case s.busy <- struct{}{}:
		return end, nil
	default: // with a context that was cancelled because the lease is lost, the operation says so itself
	}
	select {
	case s.busy <- struct{}{}:
		return end, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Commit implements Session.
func (s *leaseSession) Commit(ctx context.Context, next storage.Record) error {
	return s.commit(ctx, next, s.request.Backend.Write)
}

// Renew implements Session.
func (s *leaseSession) Renew(ctx context.Context, next storage.Record) error {
	return s.commit(ctx, next, s.request.Backend.Renew)
}

func (s *leaseSession) commit(ctx context.Context, next storage.Record, write writer) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	record, found, gone := s.state()
	switch {
	case gone:
		return ErrSessionGone
	case !found:
		_, err := s.write(ctx, next, storage.IfAbsent(next.UpdatedAt), write)
		return err
	case s.tenure == nil:
		if err := s.acquireAgain(ctx, record, next.Key); err != nil {
			return err
		}
	}
	return s.commitUnderLease(ctx, record, next, write)
}

// acquireAgain takes the lease for a session that the request has read without one, or released. A session that was changed
// since, or moved to the key that it is to have, is a conflict.
func (s *leaseSession) acquireAgain(ctx context.Context, record storage.Record, newKey string) error {
	t, err := s.strategy.acquire(ctx, s.request, record.Key)
	switch {
	case err != nil:
		return err
	case t == nil && newKey != record.Key:
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

// commitUnderLease writes next, and gives up the lease with it, or hands it on.
func (s *leaseSession) commitUnderLease(ctx context.Context, record, next storage.Record, write writer) error {
	t := s.tenure
	heir, err := t.beginWrite()
	if err != nil {
		s.tenure = nil
		return err
	}
	backend := s.request.Backend
	from := succeed(&next, record, true)
	sent, now := time.Now(), backend.Now()
	next.Lease = storage.Lease{}
	stays := heir && from == next.Key
	if stays {
		next.Lease = s.strategy.leaseAt(t.id, now)
	}
	inTheWay, err := write(ctx, from, next, storage.IfVersionAndLease(record.Version, t.id, now))
	switch {
	case err == nil:
		s.stored(next)
		s.tenure = nil
		if from != next.Key { // there is no such session any more under the key that others wait for
			t.lose(ErrSessionGone, sent)
			return nil
		}
		s.passOn(ctx, t, next, sent)
		return nil
	case errors.Is(err, ErrSessionGone):
		s.tenure = nil
		t.lose(ErrSessionGone, sent)
		return err
	case inTheWay != nil && inTheWay.Lease.ID != t.id:
		s.tenure = nil
		t.lose(ErrLockLost, sent)
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

// passOn hands on the tenure after a write that has left record, with the lease or without it.
func (s *leaseSession) passOn(ctx context.Context, t *tenure, record storage.Record, sent time.Time) {
	if record.Lease.Free() {
		t.finish()
		return
	}
	t.extended(record, sent)
	t.endWrite()
	_ = t.handOn(ctx) // what fails here ends with the lease
}

// Touch implements Toucher.
func (s *leaseSession) Touch(ctx context.Context, change storage.Change) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	record, found, _ := s.state()
	t := s.tenure
	if !found || t == nil {
		return s.touch(ctx, change)
	}
	heir, over := t.beginWrite()
	if over != nil { // who has it now moves the expiry, too
		s.tenure = nil
		return nil
	}
	backend := s.request.Backend
	sent, now := time.Now(), backend.Now()
	change.Lease = &storage.Lease{}
	if heir {
		*change.Lease = s.strategy.leaseAt(t.id, now)
	}
	err = backend.Driver.Update(ctx, record.Key, change, storage.IfVersionAndLease(record.Version, t.id, now))
	_, err = backend.judge(err)
	why := lossOf(err)
	switch {
	case err == nil:
		s.stored(change.Apply(record))
		s.tenure = nil
		s.passOn(ctx, t, change.Apply(record), sent)
	case why != nil:
		s.tenure = nil
		t.lose(why, sent)
		if unknownOf(err) == nil { // else it may have been touched, released, and changed by the next one
			s.request.notify(Notice{Event: Lost, Err: why})
		}
		if errors.Is(why, ErrSessionGone) {
			return why
		}
		return nil
	default:
		t.endWrite()
		if errors.Is(err, storage.ErrOutcomeUnknown) {
			t.verified = time.Time{}
		}
	}
	return err
}

// Delete implements Session.
func (s *leaseSession) Delete(ctx context.Context) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	sent := time.Now()
	if err := s.session.Delete(ctx); err != nil {
		return err
	}
	if t := s.tenure; t != nil {
		s.tenure = nil
		t.lose(ErrSessionGone, sent)
	}
	return nil
}

// Release implements Session.
func (s *leaseSession) Release(ctx context.Context) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	t := s.tenure
	if t == nil {
		return nil
	}
	s.tenure = nil
	return t.handOn(ctx)
}
