package gcrunner

import (
	"context"
	"errors"
	"math"
	"time"
)

// brake ends the parts of a run, each by its context:
//
//	what has happened          reading    deleting            deletes on their way
//	a limit was reached        ends       after stopTimeout   with deleting
//	the caller's ctx ended     ends       after stopTimeout   with deleting
//	the run's time is up       ends       ends                end
//	the election was lost      ends       ends                end
//	an unknown error           ends       ends                after stopTimeout, so that they are counted
//
// A limit of duration counts as reached a little before the run's time is up, so that its pages can be finished.
type brake struct {
	// The contexts are of one run, and handed down with it. Those of reading and deleting end with a *stopped as their
	// cause.
	reading, deleting, sent context.Context
	stop, abort             context.CancelCauseFunc // of reading, and of deleting
	release                 func()
}

const (
	// forever is longer than any run.
	forever time.Duration = math.MaxInt64
	// finishingShare is which share of a limit of duration is kept for finishing pages, at most.
	finishingShare = 10
)

// newBrake returns the brake of a run that ends with ctx. It must be released.
func (r *run) newBrake(ctx context.Context) *brake {
	deleting, abort := context.WithCancelCause(context.WithoutCancel(ctx))
	reading, stop := context.WithCancelCause(deleting)
	sent, cut := context.WithCancel(context.WithoutCancel(ctx))
	b := &brake{reading: reading, deleting: deleting, sent: sent, stop: stop, abort: abort}

	finishing := min(r.options.StopTimeout, r.options.Limits.Duration/finishingShare)
	late := time.AfterFunc(r.left()-finishing, func() { b.reached(stoppedByDuration) })
	timeUp := time.AfterFunc(r.left(), func() { b.abort(&stopped{reason: stoppedByDuration}) })
	// These two begin to run once reading, or deleting, has ended.
	lastDelete := time.AfterFunc(forever, func() { b.abort(context.Cause(reading)) })
	lastSent := time.AfterFunc(forever, cut)
	releases := []func() bool{
		context.AfterFunc(ctx, func() { b.ended(ctx) }),
		context.AfterFunc(reading, func() { lastDelete.Reset(r.options.StopTimeout) }),
		context.AfterFunc(deleting, func() {
			if why := stoppedBy(deleting); why != nil && why.reason == failed {
				lastSent.Reset(r.options.StopTimeout)
			} else {
				cut()
			}
		}),
		late.Stop, timeUp.Stop, lastDelete.Stop, lastSent.Stop,
	}
	b.release = func() {
		for _, release := range releases {
			release()
		}
		b.abort(nil)
		cut()
	}
	return b
}

// ended stops the run because the caller's context has ended.
func (b *brake) ended(ctx context.Context) {
	cause := context.Cause(ctx)
	if errors.Is(cause, ErrElectionLost) {
		b.abort(&stopped{electionLost, cause})
		return
	}
	b.stop(&stopped{Canceled, errors.Join(ctx.Err(), differing(cause, ctx.Err()))})
}

// reached stops the run at a limit.
func (b *brake) reached(limit StopReason) { b.stop(&stopped{reason: limit}) }

// fail stops the run at once: nothing is deleted in doubt.
func (b *brake) fail(err error) { b.abort(&stopped{failed, err}) }

// why returns why the run was stopped, nil where it was not.
func (b *brake) why() *stopped { return stoppedBy(b.reading) }

// stoppedBy returns why a context of a run was ended, nil where it was not.
func stoppedBy(ctx context.Context) (why *stopped) {
	errors.As(context.Cause(ctx), &why)
	return why
}

// stopped is the cause with which the contexts of a run are cancelled.
type stopped struct {
	reason StopReason
	err    error // what Run returns
}

// Error implements error.
func (s *stopped) Error() string { return "gcrunner: the run was stopped: " + string(s.reason) }

// Unwrap makes the error match.
func (s *stopped) Unwrap() error { return s.err }

// atOnce reports whether what was under way was cut off.
func (s *stopped) atOnce() bool { return s.reason == failed || s.reason == electionLost }
