package gcrunner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

const (
	// overdueRuns is after how many runs without success a runner is not ready.
	overdueRuns = 3
	// longestStep is how long a run takes at most to come further, with the smallest budgets.
	longestStep = 30 * time.Second
	// overrunGrace is how much later than it should something must be before a runner counts as stuck.
	overrunGrace = time.Minute
)

// Ready reports why this process does not do its work, or nil. It does not if
//
//   - the table cannot be read: it is asked at most every five seconds, for half a read unit,
//   - it is elected, and for three intervals, or three of the instants that Cron names, no run has succeeded, nor the
//     present one made progress: a run that deletes is ready, however long it takes,
//   - its first runs have failed: a process that has never collected is not ready,
//   - it cannot find out which process is elected, and so would never be elected itself,
//   - it is told to end, or has ended.
//
// A process that stands by is ready if the table can be read: it cannot know how the elected one fares.
func (r *Runner) Ready(ctx context.Context) error {
	if err := r.readyBut(time.Now()); err != nil {
		return err
	}
	if err := r.reach.ask(ctx, r.collector.driver, r.logger); err != nil {
		return &NotReadyError{Reason: "the table cannot be read", Err: err}
	}
	return nil
}

// readyBut is Ready, but for the table.
func (r *Runner) readyBut(now time.Time) error {
	s := r.Status()
	going := s.Phase == running && s.LastProgress.After(s.LastAttempt) &&
		(now.Sub(s.LastProgress) < longestStep || now.Before(s.Schedule.runs(overdueRuns, s.LastProgress)))
	switch {
	case s.Phase == idle:
		return &NotReadyError{Reason: "it has not begun"}
	case s.Stopping || s.Phase == ended:
		return &NotReadyError{Reason: "it is ending"}
	case going:
		return nil
	case s.Elected && s.Err != nil && s.LastSuccess.IsZero():
		return &NotReadyError{Reason: "no run has succeeded yet", Err: s.Err}
	case !s.Elected && s.Err != nil:
		return &NotReadyError{Reason: "it cannot be found out who is elected", Err: s.Err}
	case !s.Elected:
		return nil
	}
	since := later(s.Since, s.LastSuccess)
	if now.Before(s.Schedule.runs(overdueRuns, since)) {
		return nil
	}
	return &NotReadyError{
		Reason: fmt.Sprintf("no run has succeeded for %v", now.Sub(since).Round(time.Second)), Err: s.Err,
	}
}

// NotReadyError is what [Runner.Ready] returns. It matches its cause.
type NotReadyError struct {
	// Reason says what is wrong, and names no account, role or table.
	Reason string
	// Err is the cause, or nil. Its text may name accounts and roles.
	Err error
}

// Error implements error.
func (e *NotReadyError) Error() string {
	text := "gcrunner: not ready: " + e.Reason
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *NotReadyError) Unwrap() error { return e.Err }

// Alive reports why this process should be restarted, nil if it need not be. That is so where Run has returned without
// being told to, where a run has not started a minute after it should have, and where one has not ended a minute after
// its limit of duration. Errors of the table are no reason: a restart does not mend them.
func (r *Runner) Alive() error {
	now := time.Now()
	s := r.Status()
	r.mu.Lock()
	overrun := r.overrun
	r.mu.Unlock()
	switch {
	case s.Phase == ended && !s.Stopping:
		return errors.New("gcrunner: not alive: it has ended")
	case s.Phase == waiting && !s.Next.IsZero() && now.Sub(s.Next) > longestSleep+overrunGrace:
		return fmt.Errorf("gcrunner: not alive: a run should have begun at %v", s.Next.UTC().Format(time.RFC3339))
	case s.Phase == running && !overrun.IsZero() && now.After(overrun):
		return errors.New("gcrunner: not alive: a run goes on beyond its limit")
	default:
		return nil
	}
}

const (
	// reachEvery is how often the table is asked at most, reachTimeout how long it has to answer.
	reachEvery   = 5 * time.Second
	reachTimeout = 2 * time.Second
	// reachKey is what it is asked for. There is no such record.
	reachKey = storage.ReservedPrefix + "probe"
)

// reach is the answer to whether the table can be read. Callers that ask at the same time share it.
type reach struct {
	asking chan struct{} // holds a token while a caller asks

	mu    sync.Mutex
	asked time.Time
	err   error
}

func newReach() *reach { return &reach{asking: make(chan struct{}, 1)} }

// ask asks, and logs where the answer is another than before.
func (r *reach) ask(ctx context.Context, driver storage.Driver, logger *slog.Logger) error {
	select {
	case r.asking <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.asking }()
	if fresh, err := r.known(); fresh {
		return err
	}
	// It is not for this caller alone: a caller that goes away must not leave an error to the others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reachTimeout)
	defer cancel()
	_, _, err := driver.Get(ctx, reachKey, storage.Eventual)
	r.mu.Lock()
	before := r.err
	r.asked, r.err = time.Now(), err
	r.mu.Unlock()
	switch {
	case err != nil && before == nil:
		logger.ErrorContext(ctx, "the table cannot be read", "error", err)
	case err == nil && before != nil:
		logger.InfoContext(ctx, "the table can be read again")
	}
	return err
}

func (r *reach) known() (fresh bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.asked.IsZero() && time.Since(r.asked) < reachEvery, r.err
}
