package gcrunner

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Collector deletes the sessions to which its rules apply. It is safe for concurrent use, but runs once at a time.
type Collector struct {
	config
	driver  storage.Driver
	from    source
	rules   Rules
	running atomic.Bool

	leases observations // belong to the run
}

// NewCollector returns a collector. It makes no call and starts no goroutine. All that is wrong with the rules and the
// options is reported in one error: [ErrNoRule] and [ErrNoIndex] are among them.
func NewCollector(driver storage.Driver, rules Rules, options ...Option) (*Collector, error) {
	c := newConfig(options)
	from, err := c.validate(driver, rules)
	if err != nil {
		return nil, err
	}
	if c.election != nil {
		c.election.rules = rules
	}
	return &Collector{config: c, driver: driver, from: from, rules: rules}, nil
}

// Run goes once through all sessions, or by an index through the expired ones, from where an earlier run has stopped,
// and deletes those to which a rule applies. The report says what was done, also if there is an error.
//
// Before it deletes anything, Run saves the position at which it begins, to find out whether the checkpoint can be
// written.
//
// Once ctx has ended, Run begins no further page; see [WithStopTimeout]. It returns when everything it has started has
// ended, its position is saved, and its election is released. If ctx ends with the cause [ErrElectionLost], it stops at
// once and saves nothing.
//
// Errors: the context's, [ErrNotElected], [ErrElectionLost], [ErrRunning], [ErrCheckpoint], and the driver's, after
// which nothing more is deleted. A limit is no error, and neither is throttling, as long as the service accepts
// something: a run slows down and goes on. If all reads, or all deletes, are refused until a limit is reached or ctx
// ends, or for two minutes without a limit of duration, the error is the last refusal.
func (c *Collector) Run(ctx context.Context) (Report, error) {
	return c.run(ctx, c.election, func(func() soFar) {})
}

// run is Run, with an election or none. It calls began with a function that tells at any time how far the run has come.
func (c *Collector) run(ctx context.Context, election *Election, began func(func() soFar)) (Report, error) {
	if !c.running.CompareAndSwap(false, true) {
		return Report{}, ErrRunning
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
	timeUp := time.AfterFunc(r.left(), func() { end(ErrNotElected) })
	err := election.Lead(standing, func(term context.Context) error {
		if !timeUp.Stop() { // it was elected a moment too late
			return ErrNotElected
		}
		return r.do(term)
	})
	if context.Cause(standing) == ErrNotElected && ctx.Err() == nil { //nolint:errorlint // This very one.
		err = ErrNotElected
	}
	return r.finish(ctx, err)
}

// startAt returns where a run starts.
func (c *Collector) startAt(ctx context.Context) (Position, error) {
	resume := c.resume
	c.resume = Position{} // it is for one run
	if !resume.IsZero() && !resume.fits(c.from) {
		return Position{}, fmt.Errorf("%w: it is one of another source than %q", ErrPosition, c.from.kind())
	}
	if resume.IsZero() && !c.dryRun {
		var err error
		if resume, err = c.checkpoint.Load(ctx); err != nil {
			return Position{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
		}
	}
	if resume.done() || !resume.fits(c.from) {
		return Position{}, nil
	}
	return resume.clone(), nil
}
