package gcrunner

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/storage"
)

// CollectorOptions are the settings of a collector. The zero value has the defaults.
type CollectorOptions struct {
	// Budget bounds the capacity that a run consumes. Default: no bound.
	Budget Budget
	// Limits bound each run. A run that stops at a limit says so in its report and returns no error; the next one
	// resumes where it has stopped. Default: none.
	Limits Limits
	// Source is how sessions are found. Default: SourceIndex where the driver has an index by expiry and no rule but
	// Expired is set, else SourceScan.
	Source Source
	// Concurrency is how many deletes are under way at once, and how many segments are scanned at once. Default: 8.
	Concurrency int
	// Segments is into how many segments the table is divided, each of which is scanned by itself. Default: chosen from
	// what some small pages show. A table of one page, a driver that is not billed by the unit, and a read budget that
	// one segment can use up are scanned undivided; others in 4 segments, or one for every 2 GB, as AWS advises, up to
	// 256. An index has its own shards.
	Segments int
	// PageSize bounds how many records are read in one call to storage. Memory grows with it: with 4000, the default
	// and the maximum, a run stays within some 48 MiB of heap. Large records, a budget, and more than four segments at
	// once make pages smaller.
	PageSize int
	// DryRun makes runs count what they would delete, and delete nothing. They neither load nor save a position.
	DryRun bool
	// Resume makes the first run start at the position of an earlier one, such as Report.Position, whatever the
	// checkpoint says. A run with another source than the earlier one returns an error.
	Resume Position
	// Checkpoint keeps the position of runs. Default: in the memory of the collector.
	Checkpoint Checkpoint
	// Election makes the collector run only while this process is elected, and stop at once if the election is lost.
	// Each [Collector.Run] stands for election; a [Runner] does so around all its runs. Default: none.
	Election *Election
	// Progress is called with what a run has done so far: after each page, and about once in a second in which a
	// session was deleted or a request was refused. Calls do not overlap, and the run waits for them.
	Progress func(Report)
	// StopTimeout is how long a run may take to finish the pages it is working on, once its context has ended or it has
	// reached a limit. A negative one stops at once. Default: 5 seconds.
	StopTimeout time.Duration
	// Logger is where a [Runner] logs its runs and elections, and a run that the position of the last one is damaged,
	// without keys. Default: nowhere.
	Logger *slog.Logger
	// Now is the clock by which sessions are judged, for tests. Pauses and limits have their own. Default: [time.Now].
	Now func() time.Time
}

// Budget is how much capacity a run may consume, in capacity units per second. Zero fields are no bounds.
//
// Operations are spread evenly, pages are made so small that each costs no more than a twentieth of what a second
// allows, and where an operation has cost more than expected, the next ones wait. Only items that cost more by
// themselves exceed the budget. Where the service throttles, a run slows down by itself, with a budget and without.
type Budget struct {
	ReadUnits, WriteUnits float64
}

// Limits bound a run. Zero fields are no limits.
type Limits struct {
	// Items is how many sessions are deleted at most.
	Items int
	// Units is after how many capacity units a run stops, read and write units together. What is under way by then may
	// exceed it: at most CollectorOptions.Concurrency deletes and as many pages, each of which is made for a twentieth
	// of the limit by the size of the records before; and saving the position.
	Units float64
	// Duration is how long the run may take, standing for election included; only saving the position comes after it.
	// The last tenth of it, or CollectorOptions.StopTimeout where that is less, is for finishing pages.
	Duration time.Duration
}

// validate reports all that is wrong.
func (o CollectorOptions) validate() error {
	finite := func(x float64) bool { return 0 <= x && x <= math.MaxFloat64 } // NaN is not
	var problems []error
	for _, field := range []struct {
		name  string
		value any
		valid bool
		must  string
	}{
		{"Budget.ReadUnits", o.Budget.ReadUnits, finite(o.Budget.ReadUnits), "be positive, or 0 for no bound"},
		{"Budget.WriteUnits", o.Budget.WriteUnits, finite(o.Budget.WriteUnits), "be positive, or 0 for no bound"},
		{"Limits.Items", o.Limits.Items, o.Limits.Items >= 0, "be positive, or 0 for no limit"},
		{"Limits.Units", o.Limits.Units, finite(o.Limits.Units), "be positive, or 0 for no limit"},
		{"Limits.Duration", o.Limits.Duration, o.Limits.Duration >= 0, "be positive, or 0 for no limit"},
		{"Concurrency", o.Concurrency, o.Concurrency >= 0, "be positive, or 0 for the default"},
		{
			"Segments", o.Segments, 0 <= o.Segments && o.Segments <= storage.MaxSegments,
			fmt.Sprintf("be at most %d, or 0 for the default", storage.MaxSegments),
		},
		{
			"PageSize", o.PageSize, 0 <= o.PageSize && o.PageSize <= defaults.PageSize,
			fmt.Sprintf("be at most %d, or 0 for the default", defaults.PageSize),
		},
	} {
		if !field.valid {
			err := fmt.Errorf("gcrunner: CollectorOptions.%s: %v; it must %s", field.name, field.value, field.must)
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// withDefaults returns the options with those that were left out.
func (o CollectorOptions) withDefaults() CollectorOptions {
	o.Concurrency = cmp.Or(o.Concurrency, defaults.Concurrency)
	o.PageSize = cmp.Or(o.PageSize, defaults.PageSize)
	o.StopTimeout = max(0, cmp.Or(o.StopTimeout, defaults.StopTimeout))
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.Resume = o.Resume.clone()
	if o.Checkpoint == nil {
		o.Checkpoint = &memoryCheckpoint{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
