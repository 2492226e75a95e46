package lockbench_test

import (
	"context"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// The defaults of aws-sessionstore-dynamodb.
const (
	baselineExpiry  = 500 * time.Millisecond
	baselineDelay   = 500 * time.Millisecond
	baselineMaxWait = time.Second
)

// baseline is the pessimistic locking of aws-sessionstore-dynamodb 4.0.0 (dynamo_db/locking/pessimistic.rb) with its
// defaults, call for call:
//
//   - It remembers when the first lock that it met expires, and then takes the lock from whoever has it, without a
//     condition.
//   - It tries again after a fixed delay.
//   - It releases the lock only where it saves the session. Rack saves in every request, scs only where something has
//     changed: other requests would leave the lock behind, so they are not measured.
//   - It locks in requests that only read, too.
//
// What differs: a lock is told by a random ID and not by its time, which would have to be different in each request
// anyway; a session that is not there is a miss, where the original stores a lock without a session.
type baseline struct{}

func newBaseline() lockstrategy.Strategy { return baseline{} }

// Load implements lockstrategy.Strategy.
func (baseline) Load(ctx context.Context, request *lockstrategy.Request, key string) (lockstrategy.Session, error) {
	record, err := lock(ctx, request.Backend, key)
	var conflict *storage.ConflictError
	switch {
	case errors.As(err, &conflict): // there is no such session
		record = storage.Record{Key: key}
	case err != nil:
		return nil, err
	}
	return baseline{}.New(request, record), nil
}

// New implements lockstrategy.Strategy.
func (baseline) New(request *lockstrategy.Request, record storage.Record) lockstrategy.Session {
	return &baselineSession{lockstrategy.NewBase(request, record, nil), request.Backend}
}

// baselineSession is made of a Base. Delete ignores the lock, and nothing is released but by Commit.
type baselineSession struct {
	*lockstrategy.Base
	backend *lockstrategy.Backend
}

// lock returns the record once it is locked. A *storage.ConflictError says that there is none.
func lock(ctx context.Context, backend *lockstrategy.Backend, key string) (storage.Record, error) {
	attempt := func(condition storage.Condition) (storage.Record, error) {
		lock := storage.Lease{
			ID: storage.NewVersion(), Duration: baselineExpiry,
			ExpiresAt: backend.Now().Add(baselineExpiry),
		}
		return backend.Driver.Acquire(ctx, key, lock, condition)
	}
	giveUp := backend.Now().Add(baselineMaxWait)
	var expires time.Time // of the lock that was met first
	for {
		if backend.Now().After(giveUp) {
			return storage.Record{}, lockstrategy.ErrLockTimeout
		}
		record, err := attempt(storage.IfFree(backend.Now()))
		var conflict *storage.ConflictError
		if !errors.As(err, &conflict) || conflict.Current == nil || conflict.Current.Expired(backend.Now()) {
			return record, err
		}
		if expires.IsZero() {
			current, found, err := backend.Driver.Get(ctx, key, storage.Strong)
			switch {
			case err != nil:
				return storage.Record{}, err
			case !found:
				return storage.Record{}, &storage.ConflictError{}
			case current.Lease.Free():
				continue
			}
			expires = current.Lease.ExpiresAt
		}
		if expires.Before(backend.Now()) {
			return attempt(storage.Always())
		}
		if err := pause(ctx, baselineDelay); err != nil {
			return storage.Record{}, err
		}
	}
}

// Commit implements lockstrategy.Session. It saves and releases in one call, which is refused where the lock is
// somebody else's.
func (s *baselineSession) Commit(ctx context.Context, next storage.Record) error {
	record, found := s.Record()
	condition := storage.Always()
	if found {
		condition = storage.IfLease(record.Lease.ID)
		next.CreatedAt = record.CreatedAt
		next.Succeed(record)
	} else {
		next.CreatedAt = next.UpdatedAt
	}
	err := s.backend.Driver.Put(ctx, next, condition)
	if errors.Is(err, storage.ErrConflict) {
		return storage.ErrConflict
	}
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
