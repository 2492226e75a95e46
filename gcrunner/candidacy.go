package gcrunner

import (
	"context"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
)

// longestStandby is the longest pause between attempts to be elected, failed ones included: a process that does not ask
// cannot follow one that has died. Each attempt reads for a while.
const longestStandby = time.Minute

// candidacy is what a runner that stands for election remembers between its attempts:
//
//	an attempt has ended           status           log                            the next attempt
//	another process is elected     the leader       once, and for a new leader     after half an interval
//	this one was elected, and      no failure       a warning                      after a second
//	  has lost the election
//	it failed                      one failure      the error                      after a second, later every minute
type candidacy struct {
	runner *Runner
	pause  backoff.Backoff // after failures
	told   bool            // that another process is elected
	leader Elected         // the last one that was told
}

// after notes how an attempt has ended, and returns how long to wait for the next. elected says whether this process
// was.
func (c *candidacy) after(ctx context.Context, err error, elected bool) (wait time.Duration) {
	r := c.runner
	switch {
	case errors.Is(err, ErrNotElected):
		leader := r.election.elected(ctx)
		if !c.told || leader != nil && *leader != c.leader {
			r.tellStandby(ctx, leader)
		}
		if leader != nil {
			c.leader = *leader
		}
		r.set(func(s *Status) { s.Failures, s.Err, s.Leader = 0, nil, leader })
		c.told, c.pause = true, newRetry(longestStandby)
		return r.standby()
	case elected: // and lost, which ends the failure of its last run, too
		r.set(func(s *Status) { s.Failures, s.Err = 0, nil })
		r.logger.WarnContext(ctx, "the election was lost; standing for it again")
		c.told, c.pause = false, newRetry(longestStandby)
		return c.pause.Next()
	default:
		wait = c.pause.Next()
		r.set(func(s *Status) { s.Failures++; s.Err, s.Leader = err, nil })
		r.logger.ErrorContext(ctx, "it cannot be found out who is elected", "error", err, "next_attempt_in", wait)
		c.told = false
		return wait
	}
}

// tellStandby logs why this process does not collect, and whether it would do so otherwise.
func (r *Runner) tellStandby(ctx context.Context, leader *Elected) {
	if leader == nil {
		r.logger.InfoContext(ctx, "standing by: another process is elected, and alive")
		return
	}
	r.logger.InfoContext(ctx, "standing by: another process is elected, and alive", "elected", leader.Name)
	if leader.Rules != r.collector.rules {
		r.logger.WarnContext(ctx, "the elected process collects by other rules than this one would", "elected", leader.Name,
			"its_rules", leader.Rules, "rules", r.collector.rules)
	}
}

// standby is how long to wait before standing for election again: not longer than half an interval, so that a process
// that has died is followed within its lease and one interval.
func (r *Runner) standby() time.Duration {
	if r.schedule.Cron != "" {
		return longestStandby
	}
	return min(r.schedule.Interval/2, longestStandby)
}
