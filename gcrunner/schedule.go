package gcrunner

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/adhocore/gronx"
)

// Schedule says when the runs of a [Runner] begin: every Interval, or as Cron says. One of the two must be set.
type Schedule struct {
	// Interval is the time from the beginning of one run to that of the next. If a run takes longer, the beginnings
	// that it has missed are left out. It is at least a second.
	Interval time.Duration
	// Cron is a cron expression of five fields: minute, hour, day of the month, month, day of the week. An hour that is
	// left out when clocks go forward has no runs, and one that comes twice has them once.
	Cron string
	// Zone is the time zone of Cron. Default: UTC.
	Zone *time.Location
	// Jitter is by how much a run begins later, at random, so that not all programs begin at once. It is at most
	// Interval. Default: 0.
	Jitter time.Duration
}

// minInterval is the shortest Schedule.Interval.
const minInterval = time.Second

// Validate reports all that is wrong with the schedule.
func (s Schedule) Validate() error {
	var problems []error
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("gcrunner: Schedule."+format, args...))
	}
	switch {
	case s.Interval == 0 && s.Cron == "":
		problem("Interval: there is neither Interval nor Cron; set one of them")
	case s.Interval != 0 && s.Cron != "":
		problem("Cron: there is an Interval, too; set one of them")
	case s.Cron == "" && s.Interval < minInterval:
		problem("Interval: %v; at least %v are needed", s.Interval, minInterval)
	case s.Cron != "":
		if err := validateCron(s.Cron); err != nil {
			problem("Cron: %w", err)
		}
	}
	switch {
	case s.Jitter < 0:
		problem("Jitter: %v; it must not be negative", s.Jitter)
	case s.Interval >= minInterval && s.Jitter > s.Interval:
		problem("Jitter: %v is longer than Interval, %v", s.Jitter, s.Interval)
	}
	if s.Zone != nil && s.Cron == "" {
		problem("Zone: %v without Cron; leave it out", s.Zone)
	}
	return errors.Join(problems...)
}

func (s Schedule) zone() *time.Location {
	if s.Zone == nil {
		return time.UTC
	}
	return s.Zone
}

// String returns the schedule in words, such as "every 1h0m0s".
func (s Schedule) String() string {
	if s.Cron != "" {
		return fmt.Sprintf("at %s (%v)", s.Cron, s.zone())
	}
	return "every " + s.Interval.String()
}

// first is when the first run is due.
func (s Schedule) first(now time.Time) time.Time {
	if s.Cron == "" {
		return now
	}
	return s.after(now, now)
}

// after is when the first run is due that is later than now, where one was due at due.
func (s Schedule) after(due, now time.Time) time.Time {
	if due.After(now) {
		return due
	}
	if s.Cron == "" {
		return now.Add(s.Interval - now.Sub(due)%s.Interval)
	}
	next, err := gronx.NextTickAfter(s.Cron, now.In(s.zone()), false)
	if err != nil { // which Validate has excluded, unless there is no such day any more
		return now.AddDate(1, 0, 0)
	}
	return next
}

// Period is the time between the next two runs that are due, as seen from now.
func (s Schedule) Period(now time.Time) time.Duration {
	return s.runs(2, now).Sub(s.runs(1, now))
}

// runs is when the nth run after the instant is due.
func (s Schedule) runs(n int, after time.Time) time.Time {
	for range n {
		if s.Cron == "" {
			after = after.Add(s.Interval)
		} else {
			after = s.after(after, after)
		}
	}
	return after
}

// delay returns by how much a run begins later than it is due.
func (s Schedule) delay() time.Duration {
	if s.Jitter <= 0 {
		return 0
	}
	return rand.N(s.Jitter + 1) //nolint:gosec // Jitter needs no secrecy.
}
