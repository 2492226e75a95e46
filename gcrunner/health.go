package gcrunner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// ErrNotReady is matched by what [Runner.Ready] returns, and ErrNotAlive by what [Runner.Alive] does.
var (
	ErrNotReady = errors.New("gcrunner: not ready")
	ErrNotAlive = errors.New("gcrunner: not alive")
)

const (
	// overdueRuns is after how many runs without success a runner is not ready.
	overdueRuns = 3
	// overrunGrace is how much later than it should something must be before a runner counts as stuck.
	overrunGrace = time.Minute
)

// Ready reports why this process does not do its work, nil where it does. It does not where
//
//   - the table cannot be read: it is asked at most every five seconds, for half a read unit,
//   - it is elected, and no run has succeeded for three intervals, or for three of the instants that Cron names,
//   - its first runs have failed: who has never collected is not ready to,
//   - it cannot find out who is elected, and so would never be,
//   - it is told to end, or has ended.
//
// One that stands by is ready if the table can be read: it cannot know how its elected fellow fares.
func (r *Runner) Ready(ctx context.Context) error {
	if err := r.readyBut(time.Now()); err != nil {
		return err
	}
	if err := r.reach.ask(ctx, r.collector.driver); err != nil {
		return fmt.Errorf("%w: the table cannot be read: %w", ErrNotReady, err)
	}
	return nil
}

// readyBut is Ready, but for the table.
func (r *Runner) readyBut(now time.Time) error {
	s := r.Status()
	switch {
	case s.Phase == Idle:
		return fmt.Errorf("%w: it has not begun", ErrNotReady)
	case s.Stopping || s.Phase == Ended:
		return fmt.Errorf("%w: it is ending", ErrNotReady)
	case s.Err != nil && s.LastSuccess.IsZero():
		return fmt.Errorf("%w: no run has succeeded yet: %w", ErrNotReady, s.Err)
	case !s.Elected && s.Err != nil:
		return fmt.Errorf("%w: it cannot be found out who is elected: %w", ErrNotReady, s.Err)
	case !s.Elected:
		return nil
	}
	since := s.Since
	if s.LastSuccess.After(since) {
		since = s.LastSuccess
	}
	if now.Before(s.Schedule.runs(overdueRuns, since)) {
		return nil
	}
	overdue := fmt.Errorf("%w: no run has succeeded for %v", ErrNotReady, now.Sub(since).Round(time.Second))
	if s.Err != nil {
		return fmt.Errorf("%w: %w", overdue, s.Err)
	}
	return overdue
}

// Alive reports why this process should be started anew, nil where it need not. That is so where Run has returned without
// being told to, where a run has not begun a minute after it should have, and where one goes on a minute after a limit of
// its duration should have ended it. Errors of the table are no reason: starting anew does not mend them.
func (r *Runner) Alive() error {
	now := time.Now()
	s := r.Status()
	r.mu.Lock()
	overrun := r.overrun
	r.mu.Unlock()
	switch {
	case s.Phase == Ended && !s.Stopping:
		return fmt.Errorf("%w: it has ended", ErrNotAlive)
	case s.Phase == Waiting && !s.Next.IsZero() && now.Sub(s.Next) > longestSleep+overrunGrace:
		return fmt.Errorf("%w: a run should have begun at %v", ErrNotAlive, s.Next.UTC().Format(time.RFC3339))
	case s.Phase == Running && !overrun.IsZero() && now.After(overrun):
		return fmt.Errorf("%w: a run goes on beyond its limit", ErrNotAlive)
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

// reach is the answer to whether the table can be read. Those who ask at the same time share it.
type reach struct {
	asking chan struct{} // holds a token while somebody asks

	mu    sync.Mutex
	asked time.Time
	err   error
}

func newReach() *reach { return &reach{asking: make(chan struct{}, 1)} }

func (r *reach) ask(ctx context.Context, driver storage.Driver) error {
	select {
	case r.asking <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.asking }()
	if fresh, err := r.known(); fresh {
		return err
	}
	// It is not for this caller alone: one who goes away must not leave the others with an error.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reachTimeout)
	defer cancel()
	_, _, err := driver.Get(ctx, reachKey, storage.Eventual)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked, r.err = time.Now(), err
	return err
}

func (r *reach) known() (fresh bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.asked.IsZero() && time.Since(r.asked) < reachEvery, r.err
}
