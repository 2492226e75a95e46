package boltstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/defaults"
)

// DriverOption is a setting of [OpenDriver], which reports everything that is wrong with its options in one error.
type DriverOption func(*options)

type options struct {
	lockTimeout time.Duration
	grace       time.Duration
	clock       func() time.Time // by which expired records are removed; conditions bring their own instant
}

// WithLockTimeout sets how long OpenDriver waits for another process to let go of the file before it returns
// [ErrInUse]. The default is 1 second. It must be positive. Waiting goes in steps of 50 ms, so that less than that
// means one try.
func WithLockTimeout(timeout time.Duration) DriverOption {
	return func(o *options) { o.lockTimeout = timeout }
}

// WithGrace sets how long a record is kept after its expiry before a later write may remove it. The default is 1
// minute: a clock that jumps ahead and is set right soon after costs no session. 0 removes records as soon as they have
// expired; it must not be negative.
func WithGrace(grace time.Duration) DriverOption {
	return func(o *options) { o.grace = grace }
}

func newOptions(opts []DriverOption) (options, error) {
	o := options{lockTimeout: defaults.LockTimeout, grace: defaults.Grace, clock: time.Now}
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
	return errors.Join(problems...)
}
