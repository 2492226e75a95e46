package gcrunner

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Option is a setting of a collector.
type Option func(*config)

type config struct {
	budget      Budget
	concurrency int
	segments    int // 0 for the default
	pageSize    int
	source      Source
	limits      Limits
	dryRun      bool
	resume      Position
	checkpoint  Checkpoint
	election    *Election
	progress    func(Report)
	stopTimeout time.Duration
	logger      *slog.Logger
	now         func() time.Time
	problems    []error
}

// Budget is how much capacity a run may consume, in capacity units per second.
type Budget struct {
	// ReadUnits and WriteUnits must be positive. Either can be [Unlimited].
	ReadUnits, WriteUnits float64
}

// Unlimited is a budget without a bound.
var Unlimited = math.Inf(1)

// Limits bound a run. Zero fields are no limits.
type Limits struct {
	// Items is how many sessions are deleted at most.
	Items int
	// Units is how many capacity units are consumed at most, read and write units together. Operations under way may
	// exceed it.
	Units float64
	// Duration is how long the run may take, standing for election included; only saving the position comes after it.
	// The last tenth of it, or the time of [WithStopTimeout] where that is less, is for finishing the pages that were
	// begun.
	Duration time.Duration
}

// WithBudget bounds the capacity that a run consumes, as the service reports it. Operations are spread evenly, pages
// are made so small that each costs no more than a twentieth of what a second allows, and where an operation has cost
// more than expected, the next ones wait. Only items that cost more by themselves exceed it. Default: unlimited. Where
// the service throttles, a run slows down by itself, with a budget and without.
func WithBudget(budget Budget) Option {
	return func(c *config) {
		c.budget = budget
		for _, units := range []struct {
			name  string
			value float64
		}{{"ReadUnits", budget.ReadUnits}, {"WriteUnits", budget.WriteUnits}} {
			if !(units.value > 0) { // NaN included
				c.problem("WithBudget: %s: %v; it must be positive, and Unlimited means no bound", units.name, units.value)
			}
		}
	}
}

// WithConcurrency sets how many deletes are under way at once, and how many segments are scanned at once. Default: 8.
func WithConcurrency(n int) Option {
	return func(c *config) {
		c.concurrency = n
		if n < 1 {
			c.problem("WithConcurrency: %d; at least 1 is needed", n)
		}
	}
}

// WithSegments sets into how many segments the table is divided, each of which is scanned by itself. Default: chosen
// from what some small pages show. A table of one page, a driver that is not billed by the unit, and a read budget that
// one segment can use up are scanned undivided; others in 4 segments, or one for every 2 GB, as AWS advises, up to 256.
// An index has its own shards.
func WithSegments(n int) Option {
	return func(c *config) {
		c.segments = n
		if n < 1 || n > storage.MaxSegments {
			c.problem("WithSegments: %d; from 1 to %d are possible", n, storage.MaxSegments)
		}
	}
}

// WithPageSize bounds how many records are looked at in one call to storage. Memory grows with it: with 4000, the
// default and the most that are possible, a run stays within some 48 MiB of heap. Large records, a budget, and more
// than four segments at once make pages smaller.
func WithPageSize(records int) Option {
	return func(c *config) {
		c.pageSize = records
		if records < 1 || records > defaults.PageSize {
			c.problem("WithPageSize: %d; from 1 to %d are possible", records, defaults.PageSize)
		}
	}
}

// WithSource says how sessions are found. Default: [SourceAuto].
func WithSource(source Source) Option { return func(c *config) { c.source = source } }

// WithLimits bounds each run. A run that stops at a limit says so in its report and returns no error; the next one goes
// on where it has stopped. Default: none.
func WithLimits(limits Limits) Option {
	return func(c *config) {
		c.limits = limits
		if limits.Items < 0 || !(limits.Units >= 0) || limits.Duration < 0 {
			c.problem("WithLimits: %d items, %v units, %v; none may be negative, and 0 is no limit",
				limits.Items, limits.Units, limits.Duration)
		}
	}
}

// WithDryRun makes runs count what they would delete, and delete nothing. They neither load nor save a position.
func WithDryRun() Option { return func(c *config) { c.dryRun = true } }

// WithResume makes the first run start at the position of an earlier one, such as Report.Position, whatever the
// checkpoint says. A run with another source than the earlier one refuses it, with [ErrPosition].
func WithResume(position Position) Option {
	return func(c *config) { c.resume = position.clone() }
}

// WithCheckpoint sets where the position of runs is kept. Default: in the collector, so that its next run goes on where
// the last one has stopped.
func WithCheckpoint(checkpoint Checkpoint) Option {
	return func(c *config) {
		c.checkpoint = checkpoint
		if checkpoint == nil {
			c.problem("WithCheckpoint: the checkpoint is nil; leave the option out for the default")
		}
	}
}

// WithElection makes the collector run only while this process is elected, and stop at once where the election is lost.
// Each [Collector.Run] stands for election; a [Runner] does so around all its runs. Default: none.
func WithElection(election *Election) Option {
	return func(c *config) {
		c.election = election
		if election == nil {
			c.problem("WithElection: the election is nil; leave the option out for none")
		}
	}
}

// WithProgress calls fn with what a run has done so far: after each page, and about once in a second in which a
// session was deleted or a request was refused. Calls do not overlap; a run waits for fn. Default: none.
func WithProgress(fn func(Report)) Option {
	return func(c *config) {
		c.progress = fn
		if fn == nil {
			c.problem("WithProgress: the function is nil")
		}
	}
}

// WithStopTimeout sets how long a run may take to finish the pages that it has begun, once its context has ended or it
// has reached a limit. 0 stops at once. Default: 5 seconds.
func WithStopTimeout(d time.Duration) Option {
	return func(c *config) {
		c.stopTimeout = d
		if d < 0 {
			c.problem("WithStopTimeout: %v; it must not be negative", d)
		}
	}
}

// WithLogger sets where a [Runner] logs its runs and elections, without keys. Default: nowhere.
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) {
		c.logger = logger
		if logger == nil {
			c.problem("WithLogger: the logger is nil; leave the option out for none")
		}
	}
}

// WithClock sets the clock by which sessions are judged, for tests. Pauses and limits have their own. Default:
// [time.Now].
func WithClock(now func() time.Time) Option {
	return func(c *config) {
		c.now = now
		if now == nil {
			c.problem("WithClock: the clock is nil")
		}
	}
}

func (c *config) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf("gcrunner: "+format, args...))
}

func newConfig(options []Option) config {
	c := config{
		budget:      Budget{ReadUnits: Unlimited, WriteUnits: Unlimited},
		concurrency: defaults.Concurrency, pageSize: defaults.PageSize, source: SourceAuto, stopTimeout: defaults.StopTimeout,
		checkpoint: &memoryCheckpoint{}, logger: slog.New(slog.DiscardHandler), now: time.Now,
	}
	for _, option := range options {
		option(&c)
	}
	return c
}

// validate reports all that is wrong, and returns what finds sessions.
func (c *config) validate(driver storage.Driver, rules Rules) (source, error) {
	var from source
	if driver == nil {
		c.problem("NewCollector: the driver is nil")
	} else {
		var err error
		if from, err = c.source.choose(driver, rules); err != nil {
			c.problems = append(c.problems, err)
		}
	}
	return from, errors.Join(rules.Validate(), errors.Join(c.problems...))
}
