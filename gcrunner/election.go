package gcrunner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// electionKey is the record on which the elected process has a lease.
const electionKey = storage.ReservedPrefix + "collector"

// Election lets one of several processes collect at a time. The election is a lease on a record beside the sessions, by
// the code that locks sessions: [lockstrategy.Lease]. The elected process renews the lease three times in its duration;
// when it dies, another one takes over as soon as it has seen the lease unchanged for its duration and a tenth,
// whatever the clocks say. A process that stands by reads the lease about once in a tenth of it, for half a read unit
// each.
//
// An Election is safe for concurrent use; only one caller leads at a time.
type Election struct {
	backend  lockstrategy.Backend
	strategy lockstrategy.Strategy
	lease    time.Duration // of the record: a part of what was asked for
	rules    Rules         // of the collector that it is for
}

// The shortest and the longest lease of an election.
const (
	minElectionLease = 200 * time.Millisecond
	maxElectionLease = time.Hour
)

// NewElection returns an election among all processes that make one over the same sessions. After the elected process
// has died, another one is elected within lease; 0 means 15 seconds. It makes no call. Error: a lease shorter than 200
// ms, or longer than an hour.
func NewElection(driver storage.Driver, lease time.Duration) (*Election, error) {
	if driver == nil {
		return nil, errors.New("gcrunner: NewElection: the driver is nil")
	}
	if lease == 0 {
		lease = defaults.ElectionLease
	}
	if lease < minElectionLease {
		return nil, fmt.Errorf("gcrunner: NewElection: a lease of %v; at least %v are needed, as calls to storage take time",
			lease, minElectionLease)
	}
	if lease > maxElectionLease {
		return nil,
			fmt.Errorf("gcrunner: NewElection: a lease of %v; at most %v are allowed, as nobody collects for so long "+
				"after the elected process has died", lease, maxElectionLease)
	}
	// A successor has to see the last renewal, and then no change for the lease and a tenth: all that must take no
	// longer than the caller has asked for.
	poll := max(lease/10, defaults.MinLeasePoll)
	duration := lease * 8 / 10
	e := &Election{
		backend: lockstrategy.Backend{Driver: electionDriver{driver}, Now: time.Now},
		lease:   duration,
		strategy: lockstrategy.Lease(lockstrategy.LeaseOptions{
			Duration: duration, Poll: poll, MaxHold: -1,
			// Long enough to see that a lease does not move, or a dead process would never be followed.
			MaxWait: duration + duration/10 + 2*time.Second,
		}),
	}
	if strategy, ok := e.strategy.(lockstrategy.Validator); ok {
		if err := strategy.Validate(&e.backend); err != nil {
			return nil, fmt.Errorf("gcrunner: NewElection: %w", err)
		}
	}
	return e, nil
}

// Lead calls work once this process is elected, and releases the lease when work has returned. The context of work is
// cancelled, with the cause [ErrElectionLost], as soon as another process may be elected: its lease was taken, or not
// renewed in time.
//
// It waits as long as it takes to tell a dead process from a live one: the lease, and up to two seconds. Errors:
// [ErrNotElected], that of work, and the driver's.
func (e *Election) Lead(ctx context.Context, work func(ctx context.Context) error) error {
	term, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lose := func() { cancel(ErrElectionLost) }
	end := time.AfterFunc(time.Hour, lose) // set below, and with each renewal
	defer end.Stop()
	held := false // by another process, as far as this one has seen
	session, err := e.enter(ctx, &lockstrategy.Request{
		Backend: &e.backend, Lock: true,
		Cancel: func(error) { lose() },
		Notify: func(n lockstrategy.Notice) {
			switch {
			case n.Event == lockstrategy.Waited:
				held = true
			case n.Event == lockstrategy.Renewed && n.Err == nil:
				end.Reset(e.lease - n.Duration) // from when the call began
			}
		},
	})
	if errors.Is(err, lockstrategy.ErrLockTimeout) || err != nil && held && errors.Is(context.Cause(ctx), ErrTimeUp) {
		return ErrNotElected
	}
	if err != nil {
		return err
	}
	defer func() {
		// What fails here ends with the lease. It has its own timeout.
		_ = session.Release(context.WithoutCancel(ctx))
	}()
	record, _ := session.Record()
	end.Reset(record.Lease.ExpiresAt.Sub(e.backend.Now())) // by the clock that has set it
	e.announce(term, record)
	err = work(term)
	lost := ctx.Err() == nil && errors.Is(context.Cause(term), ErrElectionLost)
	if lost && errors.Is(err, context.Canceled) && !errors.Is(err, ErrElectionLost) {
		return fmt.Errorf("%w: %w", ErrElectionLost, err) // a call that was cut off does not say why
	}
	return err
}

const (
	// enterTries is how often a process tries to make the record of the election. Each time that it is refused, another
	// process may have been faster; it is there the next time then.
	enterTries      = 8
	firstEnterPause = 50 * time.Millisecond
	lastEnterPause  = time.Second
)

// enter returns the session that is the election, under a lease.
func (e *Election) enter(ctx context.Context, request *lockstrategy.Request) (lockstrategy.Session, error) {
	pause := backoff.Backoff{First: firstEnterPause, Limit: lastEnterPause, Even: true}
	for tries := 1; ; tries++ {
		session, err := e.strategy.Load(ctx, request, electionKey)
		if err != nil {
			return nil, err
		}
		record, found := session.Record()
		if found {
			return session, nil
		}
		now := e.backend.Now()
		condition := storage.IfAbsent(now)
		if record.Ended() && !record.Expired(now) { // whoever has ended it: the election is no session, and goes on
			condition = storage.IfVersion(record.Version, now)
		}
		err = e.backend.Driver.Put(ctx, reservedRecord(electionKey, nil), condition)
		switch {
		case err != nil && !errors.Is(err, storage.ErrConflict):
			return nil, err
		case err != nil && tries == enterTries:
			return nil, fmt.Errorf("gcrunner: the record of the election, %s, can neither be used nor replaced: %w",
				electionKey, err)
		case err != nil:
			err = pause.Wait(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
}

// electionDriver is the driver of an election. A lease that lasts longer than any election makes one is nobody's: it
// must not keep collection off, so that it seems to last no time, and can be taken over.
type electionDriver struct{ storage.Driver }

// Get implements storage.Driver.
func (d electionDriver) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	record, found, err := d.Driver.Get(ctx, key, c)
	return believed(record), found, err
}

// Acquire implements storage.Driver.
func (d electionDriver) Acquire(
	ctx context.Context, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	record, err := d.Driver.Acquire(ctx, key, lease, c)
	if conflict := (*storage.ConflictError)(nil); errors.As(err, &conflict) && conflict.Current != nil {
		*conflict.Current = believed(*conflict.Current)
	}
	return record, err
}

// believed returns the record as an election believes it.
func believed(record storage.Record) storage.Record {
	if record.Lease.Duration > maxElectionLease {
		record.Lease.Duration = 0
	}
	return record
}
