package lockstrategy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
	"github.com/scsdynamo/scsdynamo/internal/outcome"
	"github.com/scsdynamo/scsdynamo/storage"
)

// leases get the leases that the requests of this process ask for.
type leases struct {
	LeaseOptions // resolved
	turns        turns[turn]
	memory       memory
}

// acquire waits for the session and returns this process's tenure of it, or what is there instead: the tombstone of the
// session, or a record that has nothing but the key. A request that gets a tenure transfers or ends it.
func (l *leases) acquire(
	ctx context.Context, request *Request, key string,
) (t *tenure, missing *storage.Record, err error) {
	began := time.Now()
	if request.waitsSince.IsZero() {
		request.waitsSince = began
	}
	wait, cancel := context.WithDeadline(ctx, request.waitsSince.Add(l.MaxWait))
	defer cancel()
	a := &acquisition{leases: l, request: request, at: sessionKey{request.Backend, key}}
	t, missing, err = a.run(ctx, wait, began)
	if t != nil || err != nil { // else it may be under another key
		request.waitsSince = time.Time{}
	}
	if a.waited {
		request.notify(Notice{Event: Waited, Duration: time.Since(began), Err: err})
	}
	return t, missing, err
}

// acquisition is one request that acquires one session.
type acquisition struct {
	*leases
	request *Request
	at      sessionKey
	waited  bool // the request had to wait
}

// run waits for the turn, and acquires the lease unless it comes with it. Calls are made with ctx: one that is cut off
// leaves it unknown who has the lease. What ends with wait, the request's patience, is the waiting between them.
func (a *acquisition) run(ctx, wait context.Context, began time.Time) (_ *tenure, missing *storage.Record, err error) {
	for {
		line, got, queued, err := a.turns.take(wait, a.at)
		a.waited = a.waited || queued
		how := askStorage
		switch {
		case errors.Is(err, errTooMany):
			return nil, nil, ErrTooManyWaiting
		case err != nil:
			return nil, nil, waitError(ctx)
		case got.missing != nil:
			return nil, got.missing, nil
		case got.tenure != nil:
			how, missing, err = got.tenure.adopt(ctx, a.request, began)
		}
		switch {
		case err != nil || how == isMissing:
			return nil, missing, err
		case how == adopted:
			return got.tenure, nil, nil
		case how == queueAgain:
			continue
		}
		t, missing, err := a.ask(ctx, wait, line)
		if t == nil {
			line.give(turn{})
		}
		return t, missing, err
	}
}

// waitError is what ends a wait: the end of the request's context, or else of its patience.
func waitError(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return ErrLockTimeout
}

// ask acquires the lease from storage. A session that is not known to exist is read first: a refused write is billed
// like a write, and anybody can invent a cookie.
func (a *acquisition) ask(ctx, wait context.Context, line *line[turn]) (_ *tenure, missing *storage.Record, err error) {
	backend := a.at.backend
	last, exists := a.memory.known.last(a.at)
	var held storage.Lease // by another process
	if !exists {
		if held, missing, err = a.look(ctx, line); missing != nil || err != nil {
			return nil, missing, err
		}
	}
	pause := backoff.Backoff{First: firstPoll, Limit: min(a.Poll, a.Duration/4), Even: true}
	began, err := a.yield(ctx, wait, last, &pause)
	if err != nil {
		return nil, nil, err
	}
	var dead *storage.Lease // one that may be taken over
	for {
		if !held.Free() {
			a.waited, began = true, time.Time{}
			if dead, err = a.awaitFree(ctx, wait, held, &pause); err != nil {
				return nil, nil, err
			}
		}
		sent, now := time.Now(), backend.Now()
		mine := a.lease(storage.NewVersion(), now)
		condition := storage.IfFree(now)
		if dead != nil {
			condition = storage.IfFreeOrUnchanged(*dead, now)
		}
		var record storage.Record
		err := backend.conditionally(ctx, condition, func() (err error) {
			record, err = backend.Driver.Acquire(ctx, a.at.key, mine, condition)
			return err
		})
		var conflict *storage.ConflictError
		switch {
		case err == nil:
			a.memory.observed.forget(a.at)
			if dead != nil {
				a.request.notify(Notice{Event: TookOver, Duration: time.Since(sent)})
			}
			if began.IsZero() {
				began = sent
			}
			return a.newTenure(line, record, began, sent), nil, nil
		case !errors.As(err, &conflict):
			if errors.Is(err, storage.ErrOutcomeUnknown) {
				a.forgo(ctx, mine)
				err = outcome.Known("the session could not be locked", err)
			}
			if errors.Is(err, errors.ErrUnsupported) {
				err = fmt.Errorf("lockstrategy: Lease over a driver without leases, %T; use Merge: %w", backend.Driver, err)
			}
			return nil, nil, err
		case conflict.Current == nil || !conflict.Current.Live(now):
			var there storage.Record
			if conflict.Current != nil {
				there = *conflict.Current
			}
			return nil, a.memory.missed(line, there, sent), nil
		}
		if held, dead = conflict.Current.Lease, nil; held.Free() { // it was released since
			if pause.Wait(wait) != nil {
				return nil, nil, waitError(ctx)
			}
		}
	}
}

// look reads a session that this process does not know, and returns the lease on it.
func (a *acquisition) look(
	ctx context.Context, line *line[turn],
) (held storage.Lease, missing *storage.Record, err error) {
	sent := time.Now()
	record, found, err := a.at.backend.Read(ctx, a.at.key)
	switch {
	case err != nil:
		return storage.Lease{}, nil, err
	case !found:
		return storage.Lease{}, a.memory.missed(line, record, sent), nil
	}
	a.memory.known.exists(a.at)
	return record.Lease, nil, nil
}

// yield pauses if this process has had the session for long, one request right after the other: nobody here knows
// whether other processes wait for it. It returns since when it has had it, the zero time if only from now on.
func (a *acquisition) yield(
	ctx, wait context.Context, last stay, pause *backoff.Backoff,
) (began time.Time, err error) {
	switch {
	case time.Since(last.ended) >= a.Poll: // others have had the time to come in
		return time.Time{}, nil
	case time.Since(last.began) < a.Duration:
		return last.began, nil
	}
	a.waited = true
	_ = backoff.Sleep(wait, pause.Limit+pause.Next()) // longer than the pauses of others, or until patience ends
	return time.Time{}, ctx.Err()
}

// awaitFree waits until the lease that is held seems to be free, and returns it if it has run out instead. It only
// reads, eventually: a refused write is billed like a write, and what a read has missed the next one finds out.
func (a *acquisition) awaitFree(
	ctx, wait context.Context, held storage.Lease, pause *backoff.Backoff,
) (dead *storage.Lease, err error) {
	observed := &a.memory.observed
	for {
		if backoff.Sleep(wait, min(pause.Next(), observed.left(a.at, held, a.ClockAllowance))) != nil {
			return nil, waitError(ctx)
		}
		if observed.left(a.at, held, a.ClockAllowance) <= 0 {
			return &held, nil
		}
		record, found, err := a.at.backend.Driver.Get(ctx, a.at.key, storage.Eventual)
		if err != nil || !found || record.Lease.Free() || !record.Live(a.at.backend.Now()) {
			return nil, err
		}
		held = record.Lease
	}
}

// forgo gives up a lease that may or may not have been acquired, so that nobody has to wait for its end. Should the
// call arrive only after that, this process takes the lease over at once.
func (a *acquisition) forgo(ctx context.Context, mine storage.Lease) {
	a.memory.observed.abandon(a.at, mine)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_ = a.at.free(ctx, mine.ID)
}

// newTenure begins a tenure with a lease that was acquired by a call which began at sent.
func (a *acquisition) newTenure(line *line[turn], record storage.Record, began, sent time.Time) *tenure {
	t := &tenure{memory: &a.memory, line: line, began: began, record: record, verified: sent}
	t.heldLease = &heldLease{at: a.at, id: record.Lease.ID, terms: &a.LeaseOptions, lost: t.passTurn}
	t.start(a.request, sent)
	return t
}
