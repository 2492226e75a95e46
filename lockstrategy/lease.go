package lockstrategy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Lease returns the strategy that lets one request at a time have a session. The others wait until it is their turn, at
// most for the time that [WithMaxWait] allows; then they get [ErrLockTimeout]. A request that only reads takes no lease
// and never waits; see sessionstore.WithReadOnly.
//
// The lease is on the session's own record: one call locks and reads it, and the commit releases it. Within one
// process, waiting requests queue without asking storage, and the lease is handed from one to the next, without a call
// or with the commit, for one lease duration at the most: then other processes get their turn. Who waits for another
// process asks again at random and growing intervals.
//
// A lease is kept up while its request is running; see [WithRenewal]. One whose holder has died is taken over once it
// was seen unchanged for its duration and the clock allowance, by the clock of who waits: what the holder's clock said
// does not matter. A holder that was only slow then finds its context cancelled, if it renews, and its commit refused,
// with [ErrLockLost]. Safety rests on the condition of that commit, never on a clock.
//
// The lease is released when the session is committed, when the response begins, and however else the request ends. A
// commit after that, and one in a request that only reads, takes the lease once more and is refused with
// [storage.ErrConflict] if the session was changed since it was read.
//
// A request costs two writes, one that locks and reads, and one that commits or releases; one that follows in the queue
// costs one.
func Lease(options ...LeaseOption) Strategy {
	l := &lease{
		terms:   leaseTerms{duration: DefaultDuration, renewal: unset, maxHold: unset},
		maxWait: DefaultMaxWait, allowance: unset, poll: DefaultPoll, known: newKnown(),
	}
	l.turns.limit = DefaultMaxWaiting
	for _, option := range options {
		option(l)
	}
	if l.terms.renewal == unset {
		l.terms.renewal = l.terms.duration / 3
	}
	if l.terms.maxHold == unset {
		l.terms.maxHold = max(DefaultMaxHold, l.terms.duration)
	}
	if l.allowance == unset {
		l.allowance = l.terms.duration / 10
	}
	return l
}

// LeaseOption is a setting of [Lease].
type LeaseOption func(*lease)

// WithDuration sets how long a lease lasts if it is not renewed, and with it how long others wait after a process died.
// All processes may differ. Default: 5 s. At least [MinDuration].
func WithDuration(d time.Duration) LeaseOption { return func(l *lease) { l.terms.duration = d } }

// WithMaxWait sets how long a request waits for a session. The call to storage that ends the wait comes on top.
// Default: 10 s. At least [MinWait]. A wait that is shorter than lease and allowance together gives up before it can
// take over from a holder that has died; a later request then does.
func WithMaxWait(d time.Duration) LeaseOption { return func(l *lease) { l.maxWait = d } }

// WithMaxHold sets how long one request may have a session, such as one that hangs. Then its lease is given up, its
// context is cancelled with [ErrLockLost], and its commit is refused; the next request goes on. Default: 1 minute, or the
// lease duration where that is longer. At least the lease duration; 0 sets no limit.
func WithMaxHold(d time.Duration) LeaseOption { return func(l *lease) { l.terms.maxHold = d } }

// WithMaxWaiting sets how many requests of this process may wait for one session. One more gets [ErrTooManyWaiting] at
// once. Default: 64. At least 1.
func WithMaxWaiting(requests int) LeaseOption { return func(l *lease) { l.turns.limit = requests } }

// WithRenewal sets how often the lease of a running request is renewed. Default: a third of the lease duration. 0
// switches renewal off: where goroutines are frozen between requests, as on AWS Lambda, it does nothing, and the lease
// should last longer than any request.
func WithRenewal(every time.Duration) LeaseOption { return func(l *lease) { l.terms.renewal = every } }

// WithClockAllowance sets how much longer than its duration a lease must have been seen unchanged before it is taken
// over: room for a renewal on its way, and for clocks that do not run at the same speed. Default: a tenth of the lease
// duration.
func WithClockAllowance(d time.Duration) LeaseOption { return func(l *lease) { l.allowance = d } }

// WithPoll sets how long who waits for another process pauses at most before it asks again, for half a read unit or
// more: a lease that is released is noticed that much later. One that is over is taken over in time all the same.
// Default: 200 ms. At least [MinPoll]. A quarter of the lease duration bounds it, too.
func WithPoll(longest time.Duration) LeaseOption { return func(l *lease) { l.poll = longest } }

const (
	// DefaultDuration is how long a lease lasts without [WithDuration].
	DefaultDuration = 5 * time.Second
	// DefaultMaxWait is how long a request waits without [WithMaxWait].
	DefaultMaxWait = 10 * time.Second
	// DefaultMaxHold is how long a request may have a session without [WithMaxHold].
	DefaultMaxHold = time.Minute
	// DefaultMaxWaiting is how many requests may wait for a session without [WithMaxWaiting].
	DefaultMaxWaiting = 64
	// MinDuration is the shortest lease: one call to storage and some.
	MinDuration = 100 * time.Millisecond
	// MinWait is the shortest wait, about one call to storage.
	MinWait = 20 * time.Millisecond

	// DefaultPoll is the longest pause without [WithPoll]. Who waits for another process asks at intervals of 25 to 50
	// ms at first, and of 100 to 200 ms in the end. Measured with a request of 0.8 s ahead: 18 calls in the mean and 19
	// at most, where full jitter up to 400 ms makes 18 and 25.
	DefaultPoll = 200 * time.Millisecond
	// MinPoll is the least that [WithPoll] takes.
	MinPoll   = firstPoll
	firstPoll = 50 * time.Millisecond

	unset time.Duration = -1 << 63
)

type lease struct {
	terms                    leaseTerms
	maxWait, allowance, poll time.Duration

	turns turns[turn]
	known *known
	seen  observations
}

// Validate reports all that is wrong with the options, and a driver that has no leases.
func (l *lease) Validate(backend *Backend) error {
	var problems []error
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("lockstrategy: "+format, args...))
	}
	if l.terms.duration < MinDuration {
		problem("WithDuration: %v; a lease lasts at least %v, as calls to storage take time", l.terms.duration, MinDuration)
	}
	if l.maxWait < MinWait {
		problem("WithMaxWait: %v; at least %v are needed for one call to storage", l.maxWait, MinWait)
	}
	if l.poll < MinPoll {
		problem("WithPoll: %v; at least %v are needed, as each look costs a read", l.poll, MinPoll)
	}
	switch {
	case l.terms.renewal < 0:
		problem("WithRenewal: %v; it must not be negative, and 0 switches renewal off", l.terms.renewal)
	case l.terms.renewal >= l.terms.duration && l.terms.renewal > 0:
		problem("WithRenewal: every %v is too late for a lease of %v; a third of it is usual", l.terms.renewal, l.terms.duration)
	}
	if l.terms.maxHold < 0 || l.terms.maxHold > 0 && l.terms.maxHold < l.terms.duration {
		problem("WithMaxHold: %v; it must not be shorter than a lease of %v, and 0 sets no limit", l.terms.maxHold, l.terms.duration)
	}
	if l.turns.limit < 1 {
		problem("WithMaxWaiting: %d; at least one request must be able to wait", l.turns.limit)
	}
	switch {
	case l.allowance < 0:
		problem("WithClockAllowance: %v; it must not be negative", l.allowance)
	case l.allowance >= l.terms.duration && l.allowance > 0:
		problem("WithClockAllowance: %v is no allowance for a lease of %v; a tenth of it is usual", l.allowance, l.terms.duration)
	}
	return errors.Join(problems...)
}

// Load implements Strategy.
func (l *lease) Load(ctx context.Context, request *Request, key string) (Session, error) {
	if !request.Lock {
		base, err := LoadBase(ctx, request, key, nil)
		if err != nil {
			return nil, err
		}
		return &leaseSession{Base: base, strategy: l}, nil
	}
	t, missing, err := l.acquire(ctx, request, key)
	if err != nil {
		return nil, err
	}
	s := &leaseSession{Base: NewBase(request, missing, nil), strategy: l}
	if t != nil {
		s.tenure = t
		s.reads(t.record, true)
	}
	return s, nil
}

// New implements Strategy.
func (l *lease) New(request *Request, record storage.Record) Session {
	return &leaseSession{Base: NewBase(request, record, nil), strategy: l}
}
