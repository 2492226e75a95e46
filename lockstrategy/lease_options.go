package lockstrategy

import (
	"cmp"
	"fmt"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/defaults"
)

// LeaseOptions are the settings of [Lease]. A field that is 0 stands for its default. Processes may differ in them.
type LeaseOptions struct {
	// Duration is how long a lease lasts unless it is renewed, and so how long others wait after a process has died.
	// Default: 5 s. At least 100 ms.
	Duration time.Duration

	// MaxWait is how long a request waits for a session. The call to storage that ends the wait comes on top. A wait
	// that is shorter than Duration and ClockAllowance together ends before the request can take over from a holder
	// that has died; a later request then does. Default: 10 s. At least 20 ms.
	MaxWait time.Duration

	// MaxWaiting is how many requests of this process may wait for one session. One more gets [ErrTooManyWaiting] at
	// once. Default: 64.
	MaxWaiting int

	// MaxHold is how long one request may have a session, such as one that hangs. Then its lease is given up, its
	// context is cancelled with [ErrLockLost], and its commit is refused; the next request goes on. Default: 1 minute,
	// or Duration where that is longer. At least Duration; negative for no limit.
	MaxHold time.Duration

	// Renewal is how often the lease of a running request is renewed. Default: a third of Duration. Negative switches
	// renewal off: where goroutines are frozen between requests, as on AWS Lambda, it does nothing, and the lease
	// should last longer than any request.
	Renewal time.Duration

	// ClockAllowance is how much longer than its duration a lease must have been observed unchanged before it is taken
	// over: room for a renewal on its way, and for clocks that do not run at the same speed. Default: a tenth of
	// Duration. Negative for none.
	ClockAllowance time.Duration

	// Poll is the longest pause of a request that waits for another process, before it asks again, for half a read unit
	// or more: a lease that is released is noticed that much later. One that has run out is taken over in time all the
	// same. Default: 200 ms. At least 50 ms. A quarter of Duration bounds it, too.
	Poll time.Duration
}

const (
	defaultMaxHold = time.Minute

	// defaultPoll makes a waiter ask another process at intervals of 25 to 50 ms at first, and of 100 to 200 ms in the
	// end. Measured with a request of 0.8 s ahead: 18 calls in the mean and 19 at most, where full jitter up to 400 ms
	// makes 18 and 25.
	defaultPoll = 200 * time.Millisecond
	firstPoll   = defaults.MinLeasePoll
)

// resolved returns the options with their defaults. There, 0 is what switches off.
func (o LeaseOptions) resolved() LeaseOptions {
	orOff := func(d, fallback time.Duration) time.Duration { return max(cmp.Or(d, fallback), 0) }
	o.Duration = cmp.Or(o.Duration, defaults.LeaseDuration)
	o.MaxWait = cmp.Or(o.MaxWait, defaults.LeaseMaxWait)
	o.MaxWaiting = cmp.Or(o.MaxWaiting, defaults.LeaseMaxWaiting)
	o.MaxHold = orOff(o.MaxHold, max(defaultMaxHold, o.Duration))
	o.Renewal = orOff(o.Renewal, o.Duration/3)
	o.ClockAllowance = orOff(o.ClockAllowance, o.Duration/10)
	o.Poll = cmp.Or(o.Poll, defaultPoll)
	return o
}

// problems returns all that is wrong with resolved options.
func (o LeaseOptions) problems() (problems []error) {
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf("lockstrategy: LeaseOptions."+format, args...))
		}
	}
	check(o.Duration >= defaults.MinLeaseDuration,
		"Duration: %v; a lease lasts at least %v, as calls to storage take time", o.Duration, defaults.MinLeaseDuration)
	check(o.MaxWait >= defaults.MinLeaseMaxWait,
		"MaxWait: %v; at least %v are needed for one call to storage", o.MaxWait, defaults.MinLeaseMaxWait)
	check(o.Poll >= defaults.MinLeasePoll,
		"Poll: %v; at least %v are needed, as each look costs a read", o.Poll, defaults.MinLeasePoll)
	check(o.MaxWaiting >= 1, "MaxWaiting: %d; at least one request must be able to wait", o.MaxWaiting)
	check(o.MaxHold == 0 || o.MaxHold >= o.Duration,
		"MaxHold: %v; it must not be shorter than a lease of %v", o.MaxHold, o.Duration)
	check(o.Renewal == 0 || o.Renewal < o.Duration,
		"Renewal: every %v is too late for a lease of %v; a third of it is usual", o.Renewal, o.Duration)
	check(o.ClockAllowance == 0 || o.ClockAllowance < o.Duration,
		"ClockAllowance: %v is no allowance for a lease of %v; a tenth of it is usual", o.ClockAllowance, o.Duration)
	return problems
}
