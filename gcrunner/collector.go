package gcrunner

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Collector deletes the sessions to which its rules apply. It is safe for concurrent use, but runs once at a time.
type Collector struct {
	options CollectorOptions
	driver  storage.Driver
	from    source
	rules   Rules
	running atomic.Bool

	leases observations // belong to the run
}

// NewCollector returns a collector. It makes no call and starts no goroutine. All that is wrong with the rules and the
// options is reported in one error: [ErrNoRule] and [ErrNoIndex] are among them.
func NewCollector(driver storage.Driver, rules Rules, options CollectorOptions) (*Collector, error) {
	from, err := options.Source.choose(driver, rules)
	if err := errors.Join(rules.Validate(), options.validate(), err); err != nil {
		return nil, err
	}
	if options.Election != nil {
		options.Election.rules = rules
	}
	return &Collector{options: options.withDefaults(), driver: driver, from: from, rules: rules}, nil
}

// Run reads all sessions once, or the expired ones by an index, from where an earlier run has stopped, and deletes
// those to which a rule applies. The report says what was done, also if there is an error.
//
// Before it deletes anything, Run saves the position at which it starts, to find out whether the checkpoint can be
// written.
//
// Once ctx has ended, Run reads no further page; see CollectorOptions.StopTimeout. It returns when everything it has
// started has ended, its position is saved, and its election is released. If ctx ends with the cause [ErrElectionLost],
// it stops at once and saves nothing.
//
// Errors: the context's, [ErrNotElected], [ErrElectionLost], [ErrTimeUp], [ErrRunning], [ErrCheckpoint], and the
// driver's, after which nothing more is deleted. A limit is no error, and neither is throttling, while the service
// accepts something: the run slows down. If all reads, or all deletes, are refused until a limit is reached or ctx
// ends, or for two minutes without a limit of duration, the error is the last refusal. If none was answered when the
// limit of duration is reached, it is [ErrTimeUp].
func (c *Collector) Run(ctx context.Context) (Report, error) {
	return c.run(ctx, c.options.Election, func(func() soFar) {})
}

// run is Run, with an election or none. It calls began with a function that tells at any time how far the run has come.
func (c *Collector) run(ctx context.Context, election *Election, began func(func() soFar)) (Report, error) {
	if !c.running.CompareAndSwap(false, true) {
		return Report{Err: ErrRunning}, ErrRunning
	}
	defer c.running.Store(false)
	r := c.newRun()
	began(r.soFar)
	if election == nil {
		return r.finish(ctx, r.do(ctx))
	}
	// Standing for election is part of the time that a run may take.
	standing, end := context.WithCancelCause(ctx)
	defer end(nil)
	late := fmt.Errorf("%w: this process was not elected by then", ErrTimeUp)
	timeUp := time.AfterFunc(r.left(), func() { end(late) })
	err := election.Lead(standing, func(term context.Context) error {
		if !timeUp.Stop() { // it was elected a moment too late
			return late
		}
		return r.do(term)
	})
	//nolint:errorlint // This one.
	if context.Cause(standing) == late && ctx.Err() == nil && !errors.Is(err, ErrNotElected) {
		err = late
	}
	return r.finish(ctx, err)
}

// startAt returns where a run starts.
func (c *Collector) startAt(ctx context.Context) (Position, error) {
	resume := c.options.Resume
	c.options.Resume = Position{} // it is for one run
	if !resume.IsZero() && !resume.fits(c.from) {
		return Position{}, fmt.Errorf("%w: it is one of another source than %q", errPosition, c.from.kind())
	}
	if resume.IsZero() && !c.options.DryRun {
		var err error
		resume, err = c.options.Checkpoint.Load(ctx)
		switch {
		case errors.Is(err, errPosition):
			c.options.Logger.WarnContext(ctx, "the position of the last run is damaged; beginning at the beginning",
				"error", err)
			return Position{}, nil
		case err != nil:
			return Position{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
		}
	}
	if resume.done() || !resume.fits(c.from) {
		return Position{}, nil
	}
	return resume.clone(), nil
}
