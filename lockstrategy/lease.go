package lockstrategy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Lease returns the strategy that lets one request at a time have a session. The others wait until it is their turn, at
// most for the time that [WithMaxWait] allows; then they get [ErrLockTimeout]. A request that only reads takes no lease
// and never waits; see sessionstore.WithReadOnly.
//
// The lease is on the session's own record: one call locks and reads it, and the commit releases it. Within one process,
// waiting requests queue without asking storage, and the lease is handed from one to the next, without a call or with
// the commit, for one lease duration at the most: then other processes get their turn. Who waits for another process asks
// again at random and growing intervals.
//
// A lease is kept up while its request is running; see [WithRenewal]. One whose holder has died is taken over once it was
// seen unchanged for its duration and the clock allowance, by the clock of who waits: what the holder's clock said does not
// matter. A holder that was only slow then finds its context cancelled, if it renews, and its commit refused, with
// [ErrLockLost]. Safety rests on the condition of that commit, never on a clock.
//
// The lease is released when the session is committed, when the response begins, and however else the request ends. A
// commit after that, and one in a request that only reads, takes the lease once more and is refused with
// [storage.ErrConflict] if the session was changed since it was read.
//
// A request costs two writes, one that locks and reads, and one that commits or releases; one that follows in the queue
// costs one.
func Lease(options ...LeaseOption) Strategy {
	l := &lease{duration: DefaultDuration, maxWait: DefaultMaxWait, poll: DefaultPoll, queues: map[place]*queue{}}
	l.renewal, l.allowance = unset, unset
	for _, option := range options {
		option(l)
	}
	if l.renewal == unset {
		l.renewal = l.duration / 3
	}
	if l.allowance == unset {
		l.allowance = l.duration / 10
	}
	return l
}

// LeaseOption is a setting of [Lease].
type LeaseOption func(*lease)

// WithDuration sets how long a lease lasts if it is not renewed, and with it how long others wait after a process died. All
// processes may differ. Default: 5 s. At least [MinDuration].
func WithDuration(d time.Duration) LeaseOption { return func(l *lease) { l.duration = d } }

// WithMaxWait sets how long a request waits for a session. The call to storage that ends the wait comes on top. Default:
// 10 s. At least [MinWait]. A wait that is shorter than lease and allowance together gives up before it can take over
// from a holder that has died; a later request then does.
func WithMaxWait(d time.Duration) LeaseOption { return func(l *lease) { l.maxWait = d } }

// WithRenewal sets how often the lease of a running request is renewed. Default: a third of the lease duration. 0 switches
// renewal off: where goroutines are frozen between requests, as on AWS Lambda, it does nothing, and the lease should last
// longer than any request.
func WithRenewal(every time.Duration) LeaseOption { return func(l *lease) { l.renewal = every } }

// WithClockAllowance sets how much longer than its duration a lease must have been seen unchanged before it is taken over:
// room for a renewal on its way, and for clocks that do not run at the same speed. Default: a tenth of the lease duration.
func WithClockAllowance(d time.Duration) LeaseOption { return func(l *lease) { l.allowance = d } }

// WithPoll sets how long who waits for another process pauses at most before it asks again, for half a read unit or more: a
// lease that is released is noticed that much later. One that is over is taken over in time all the same. Default: 200 ms.
// At least [MinPoll]. A quarter of the lease duration bounds it, too.
func WithPoll(longest time.Duration) LeaseOption { return func(l *lease) { l.poll = longest } }

const (
	// DefaultDuration is how long a lease lasts without [WithDuration].
	DefaultDuration = 5 * time.Second
	// DefaultMaxWait is how long a request waits without [WithMaxWait].
	DefaultMaxWait = 10 * time.Second
	// MinDuration is the shortest lease: one call to storage and some.
	MinDuration = 100 * time.Millisecond
	// MinWait is the shortest wait, about one call to storage.
	MinWait = 20 * time.Millisecond

	// DefaultPoll is the longest pause without [WithPoll]. Who waits for another process asks at intervals of 25 to 50 ms at
	// first, and of 100 to 200 ms in the end. Measured with a request of 0.8 s ahead: 18 calls in the mean and 19 at most,
	// where full jitter up to 400 ms makes 18 and 25.
	DefaultPoll = 200 * time.Millisecond
	// MinPoll is the least that [WithPoll] takes.
	MinPoll   = firstPoll
	firstPoll = 50 * time.Millisecond

	unset time.Duration = -1 << 63
)

type lease struct {
	duration, maxWait, renewal, allowance, poll time.Duration

	mu     sync.Mutex // never held during a call
	queues map[place]*queue
	seen   observations
}

// Validate reports all that is wrong with the options, and a driver that has no leases.
func (l *lease) Validate(backend *Backend) error {
	var problems []error
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("lockstrategy: "+format, args...))
	}
	if l.duration < MinDuration {
		problem("WithDuration: %v; a lease lasts at least %v, as calls to storage take time", l.duration, MinDuration)
	}
	if l.maxWait < MinWait {
		problem("WithMaxWait: %v; at least %v are needed for one call to storage", l.maxWait, MinWait)
	}
	if l.poll < MinPoll {
		problem("WithPoll: %v; at least %v are needed, as each look costs a read", l.poll, MinPoll)
	}
	switch {
	case l.renewal < 0:
		problem("WithRenewal: %v; it must not be negative, and 0 switches renewal off", l.renewal)
	case l.renewal >= l.duration && l.renewal > 0:
		problem("WithRenewal: every %v is too late for a lease of %v; a third of it is usual", l.renewal, l.duration)
	}
	switch {
	case l.allowance < 0:
		problem("WithClockAllowance: %v; it must not be negative", l.allowance)
	case l.allowance >= l.duration && l.allowance > 0:
		problem("WithClockAllowance: %v is no allowance for a lease of %v; a tenth of it is usual", l.allowance, l.duration)
	}
	if _, ok := backend.Driver.(storage.Leaser); !ok && backend.Driver != nil {
		problem("Lease: driver %T has no leases (no storage.Leaser); use Merge", backend.Driver)
	}
	return errors.Join(problems...)
}

// Load implements Strategy.
func (l *lease) Load(ctx context.Context, request *Request, key string) (Session, error) {
	s := &leaseSession{session: newSession(request, storage.Record{Key: key}), strategy: l, busy: make(chan struct{}, 1)}
	if !request.Lock {
		return s, s.read(ctx)
	}
	t, err := l.acquire(ctx, request, key)
	if t != nil {
		s.tenure, s.record, s.found = t, t.record, true
	}
	return s, err
}

// New implements Strategy.
func (l *lease) New(request *Request, record storage.Record) Session {
	return &leaseSession{session: newSession(request, record), strategy: l, busy: make(chan struct{}, 1)}
}

// acquire waits for the session and returns this process's tenure of it, or nil where there is no such session. Whoever
// gets a tenure hands it on, or ends it.
func (l *lease) acquire(ctx context.Context, request *Request, key string) (got *tenure, err error) {
	began := time.Now()
	at := place{request.Backend, key}
	if request.waitsSince.IsZero() {
		request.waitsSince = began
	}
	wait, cancel := context.WithDeadline(ctx, request.waitsSince.Add(l.maxWait))
	defer cancel()
	var waited bool
	defer func() {
		if got != nil || err != nil { // else it may be under another key
			request.waitsSince = time.Time{}
		}
		if waited {
			request.notify(Notice{Event: Waited, Duration: time.Since(began), Err: err})
		}
	}()
	for {
		t, queued, err := l.enter(wait, at, began)
		waited = waited || queued
		switch {
		case err != nil:
			return nil, waitError(ctx)
		case t.gone:
			return nil, nil
		case t.tenure != nil:
			usable, hasTurn, err := t.tenure.takeOn(ctx, request, began)
			switch {
			case usable:
				return t.tenure, nil
			case err != nil:
				return nil, err
			case !hasTurn:
				continue
			}
		}
		mine, asked, err := l.ask(ctx, wait, request, at, t.yield)
		waited = waited || asked
		if mine == nil {
			l.pass(at, turn{})
		}
		return mine, err
	}
}

// waitError is what ends a wait: the end of the request's context, or else of its patience.
func waitError(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return ErrLockTimeout
}

// ask acquires the lease from storage. Calls are made with ctx: one that is cut off leaves it unknown who has the lease.
// What ends with wait is the waiting between them.
func (l *lease) ask(
	ctx, wait context.Context, request *Request, at place, yield bool,
) (_ *tenure, waited bool, err error) {
	backend := request.Backend
	leaser, ok := backend.Driver.(storage.Leaser)
	if !ok {
		return nil, false, fmt.Errorf("lockstrategy: driver %T has no leases (no storage.Leaser)", backend.Driver)
	}
	pause := backoff.Backoff{First: firstPoll, Limit: min(l.poll, l.duration/4), Even: true}
	if yield {
		if backoff.Sleep(wait, pause.Limit+pause.Next()) != nil { // longer than the pauses of the others
			return nil, true, waitError(ctx)
		}
		waited = true
	}
	var dead *storage.Lease // one that may be taken over
	for {
		sent, now := time.Now(), backend.Now()
		mine := l.leaseAt(storage.NewVersion(), now)
		condition := storage.IfFree(now)
		if dead != nil {
			condition = storage.IfFreeOrUnchanged(*dead, now)
		}
		record, err := leaser.Acquire(ctx, at.key, mine, condition)
		if err == nil && record.Ended() { // a tombstone: what looks live to the engine
			l.dismiss(at, sent)
			return nil, waited, nil
		}
		if err == nil {
			l.seen.forget(at)
			if dead != nil {
				request.notify(Notice{Event: TookOver, Duration: time.Since(sent)})
			}
			return l.newTenure(request, at, record, sent), waited, nil
		}
		var conflict *storage.ConflictError
		switch {
		case !errors.As(err, &conflict):
			if errors.Is(err, storage.ErrOutcomeUnknown) {
				l.forgo(ctx, at, mine)
			}
			return nil, waited, err
		case conflict.Current == nil || !conflict.Current.Live(now):
			l.seen.forget(at)
			l.dismiss(at, sent)
			return nil, waited, nil
		}
		waited = true
		dead, err = l.awaitFree(ctx, wait, at, conflict.Current.Lease, &pause)
		if err != nil {
			return nil, waited, err
		}
	}
}

// awaitFree waits until the lease that is held seems to be free, and returns it if it is over rather than free. It only
// reads, eventually: a refused write is billed like a write, and what a read has missed is found out by the next one.
func (l *lease) awaitFree(
	ctx, wait context.Context, at place, held storage.Lease, pause *backoff.Backoff,
) (dead *storage.Lease, err error) {
	for {
		if backoff.Sleep(wait, min(pause.Next(), l.seen.left(at, held, l.allowance))) != nil {
			return nil, waitError(ctx)
		}
		if l.seen.left(at, held, l.allowance) <= 0 {
			return &held, nil
		}
		record, found, err := at.backend.Driver.Get(ctx, at.key, storage.Eventual)
		if err != nil || !found || record.Lease.Free() || !record.Live(at.backend.Now()) {
			return nil, err
		}
		held = record.Lease
	}
}

// forgo gives up a lease that may or may not have been acquired, so that nobody has to wait for its end.
func (l *lease) forgo(ctx context.Context, at place, mine storage.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_ = at.free(ctx, mine.ID)
}

// free frees the lease of an acquisition. That it is held by another one, or by nobody, is an error.
func (at place) free(ctx context.Context, id string) error {
	return at.backend.Driver.Update(ctx, at.key, storage.Change{Lease: &storage.Lease{}}, storage.IfLease(id))
}

func (l *lease) leaseAt(id string, now time.Time) storage.Lease {
	return storage.Lease{ID: id, Duration: l.duration, ExpiresAt: now.Add(l.duration)}
}
