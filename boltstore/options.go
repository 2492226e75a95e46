package boltstore

import (
	"errors"
	"fmt"
	"time"
)

const (
	// DefaultLockTimeout is how long OpenDriver waits for the file without [WithLockTimeout].
	DefaultLockTimeout = time.Second
	// DefaultGrace is how long an expired record is kept without [WithGrace].
	DefaultGrace = time.Minute
)

// Option changes how a driver behaves. OpenDriver reports everything that is wrong with its options in one error.
type Option func(*options)

type options struct {
	lockTimeout time.Duration
	grace       time.Duration
	clock       func() time.Time
}

// WithLockTimeout sets how long OpenDriver waits for another process to let go of the file before it returns [ErrInUse].
// The default is 1 second. It must be positive. Waiting goes in steps of 50 ms, so that less than that means one try.
func WithLockTimeout(timeout time.Duration) Option {
	return func(o *options) { o.lockTimeout = timeout }
}

// WithGrace sets how long a record is kept after its expiry before a later write may remove it. The default is 1 minute:
// a clock that jumps ahead and is set right soon after costs no session. 0 removes records as soon as they have expired;
// it must not be negative.
func WithGrace(grace time.Duration) Option {
	return func(o *options) { o.grace = grace }
}

// WithClock sets the clock by which expired records are removed. The default is time.Now. It decides nothing else:
// conditions bring their own instant. The clock is called by many goroutines at once.
func WithClock(clock func() time.Time) Option {
	return func(o *options) { o.clock = clock }
}

func newOptions(opts []Option) (options, error) {
	o := options{lockTimeout: DefaultLockTimeout, grace: DefaultGrace, clock: time.Now}
	for _, opt := range opts {
		opt(&o)
	}
	return o, o.validate()
}

func (o options) validate() error {
	var problems []error
	if o.lockTimeout <= 0 {
		problems = append(problems, fmt.Errorf("boltstore: a lock timeout of %v; it must be positive", o.lockTimeout))
	}
	if o.grace < 0 {
		problems = append(problems, fmt.Errorf("boltstore: a grace of %v; it must not be negative", o.grace))
	}
	if o.clock == nil {
		problems = append(problems, errors.New("boltstore: the clock is nil; leave WithClock out to use time.Now"))
	}
	return errors.Join(problems...)
}
