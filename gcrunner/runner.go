package gcrunner

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
)

// Runner runs a collector again and again, as a schedule says. The error of a run never ends it: the run is repeated,
// at first after a second, later every few minutes, or when the next one is due.
//
// With an election (CollectorOptions.Election), it runs only while this process is elected, and otherwise stands by. A
// process that has just been elected begins with what its predecessor has not completed, where they share a checkpoint.
//
// All methods may be called by many goroutines at once.
type Runner struct {
	collector *Collector
	schedule  Schedule
	election  *Election
	logger    *slog.Logger
	reach     *reach

	mu      sync.Mutex   // never held during a call
	status  Status       // Totals without the present run
	current func() soFar // of the present run, nil between runs
	overrun time.Time    // when the present run should have ended
}

// NewRunner returns a runner. It makes no call and starts no goroutine. The collector is the runner's from now on, with
// its election and its logger. All that is wrong with the schedule is reported in one error.
func NewRunner(collector *Collector, schedule Schedule) (*Runner, error) {
	err := schedule.Validate()
	if collector == nil {
		err = errors.Join(errors.New("gcrunner: NewRunner: the collector is nil"), err)
	}
	if err != nil {
		return nil, err
	}
	return &Runner{
		collector: collector, schedule: schedule, election: collector.options.Election,
		logger: collector.options.Logger, reach: newReach(),
		status: Status{
			Phase: idle, Runs: newRuns(), Schedule: schedule, Rules: collector.rules, Source: collector.from.kind(),
			Budget: collector.options.Budget, DryRun: collector.options.DryRun,
		},
	}, nil
}

const (
	// firstRetry and lastRetry bound the pauses after failures.
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// Run collects until ctx ends, and returns nil then: a run that is under way finishes its pages (see
// CollectorOptions.StopTimeout), and the election is released. It can be called once. Errors: [ErrRunning].
func (r *Runner) Run(ctx context.Context) error {
	if !r.start() {
		return ErrRunning
	}
	defer r.set(func(s *Status) {
		s.Phase, s.Elected, s.Next, s.Stopping = ended, false, time.Time{}, ctx.Err() != nil
	})
	defer context.AfterFunc(ctx, func() { r.set(func(s *Status) { s.Stopping = true }) })()
	if r.election == nil {
		return r.lead(ctx)
	}
	c := candidacy{runner: r, pause: newRetry(longestStandby)}
	for ctx.Err() == nil {
		err := r.election.Lead(ctx, r.lead)
		elected := r.resign()
		if ctx.Err() != nil {
			break
		}
		_ = backoff.Sleep(ctx, c.after(ctx, err, elected))
	}
	return nil
}

func newRetry(limit time.Duration) backoff.Backoff {
	return backoff.Backoff{First: firstRetry, Limit: limit, Even: true}
}

// lead is the time for which this process collects.
func (r *Runner) lead(ctx context.Context) error {
	now := time.Now()
	r.set(func(s *Status) { s.Elected, s.Since, s.Leader, s.Failures, s.Err = true, now, nil, 0, nil })
	if r.election != nil {
		r.logger.InfoContext(ctx, "elected")
	}
	pause := newRetry(lastRetry)
	due := r.schedule.first(now)
	begin := due.Add(r.schedule.delay())
	if r.unfinished(ctx) {
		due, begin = now, now
	}
	for r.waitUntil(ctx, begin) {
		err := r.collect(ctx)
		now := time.Now()
		due = r.schedule.after(due, now)
		begin = due.Add(r.schedule.delay())
		if err == nil || ctx.Err() != nil {
			pause = newRetry(lastRetry)
			continue
		}
		if retry := now.Add(pause.Next()); retry.Before(begin) {
			begin = retry
		}
		r.logger.ErrorContext(ctx, "the run has failed", "error", err, "next_run", begin)
	}
	return nil
}

// unfinished reports whether there is the position of a run that was not completed. What goes wrong here goes wrong in
// the run, too, which reports it.
func (r *Runner) unfinished(ctx context.Context) bool {
	if r.collector.options.DryRun {
		return false
	}
	position, err := r.collector.options.Checkpoint.Load(ctx)
	return err == nil && !position.IsZero()
}

// longestSleep is after how long a sleeper looks at the clock again: clocks are set, and machines suspended.
const longestSleep = time.Minute

// waitUntil reports whether the instant has come before ctx has ended.
func (r *Runner) waitUntil(ctx context.Context, begin time.Time) bool {
	begin = begin.Round(0) // by the clock on the wall
	r.set(func(s *Status) { s.Phase, s.Next = waiting, begin })
	for {
		left := begin.Sub(time.Now().Round(0))
		if left <= 0 {
			return ctx.Err() == nil
		}
		if backoff.Sleep(ctx, min(left, longestSleep)) != nil {
			return false
		}
	}
}

// collect makes a run.
func (r *Runner) collect(ctx context.Context) error {
	began := time.Now()
	r.mu.Lock()
	r.status.Phase, r.status.Next, r.status.LastAttempt = running, time.Time{}, began
	r.overrun = time.Time{}
	if limit := r.collector.options.Limits.Duration; limit > 0 {
		r.overrun = began.Add(limit + 2*saveTimeout + overrunGrace)
	}
	r.mu.Unlock()

	report, _ := r.collector.run(ctx, nil, func(current func() soFar) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.current = current
	})
	report.Position = Position{}
	ended := time.Now()
	r.set(func(s *Status) {
		s.Phase = waiting
		if r.current != nil {
			s.LastProgress = later(s.LastProgress, r.current().further)
			r.current = nil
		}
		s.add(report)
		s.Last = append(s.Last, report)
		s.Last = s.Last[max(0, len(s.Last)-rememberedRuns):]
		switch {
		case report.Err != nil:
			s.Failures, s.Err = s.Failures+1, report.Err
		case succeeded(report.Stopped):
			s.Failures, s.Err, s.LastSuccess = 0, nil, ended
		}
	})
	if report.Err == nil {
		r.logger.InfoContext(ctx, "collected", "report", report)
	}
	return report.Err
}

// later returns the later of two instants.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Status returns what is known at the moment.
func (r *Runner) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	s.Last = slices.Clone(s.Last)
	s.Runs = maps.Clone(s.Runs)
	if r.current != nil {
		current := r.current()
		current.report.Position = Position{}
		s.LastProgress = later(s.LastProgress, current.further)
		s.Current = &current.report
		s.add(current.report)
	}
	return s
}

// start reports whether Run was not called before.
func (r *Runner) start() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.Phase != idle {
		return false
	}
	r.status.Started, r.status.Phase = time.Now(), standby
	return true
}

// resign notes that the term has ended, and reports whether there was one.
func (r *Runner) resign() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	elected := r.status.Elected
	r.status.Phase, r.status.Elected = standby, false
	r.status.Since, r.status.Next = time.Time{}, time.Time{}
	return elected
}

func (r *Runner) set(change func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.status)
}
