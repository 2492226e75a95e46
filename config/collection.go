package config

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Rules returns which sessions are collected.
func (c Config) Rules() gcrunner.Rules {
	return gcrunner.Rules{
		Expired:  get[bool](c, "collection.expired"),
		Grace:    c.duration("collection.grace"),
		MaxAge:   c.duration("collection.max_age"),
		MaxStale: c.duration("collection.max_stale"),
	}
}

// Collector returns a collector over a driver that is open: that of [Config.Driver]. The functions change what is
// configured: they are for what has no key, such as a logger, and for the election, which a collector has only if it is
// set: see [Config.Election]. It makes no call. Errors: those of [gcrunner.NewCollector].
func (c Config) Collector(driver storage.Driver, set ...func(*gcrunner.CollectorOptions)) (*gcrunner.Collector, error) {
	options := gcrunner.CollectorOptions{
		Budget: gcrunner.Budget{
			ReadUnits: get[float64](c, "collection.read_units"), WriteUnits: get[float64](c, "collection.write_units"),
		},
		Limits: gcrunner.Limits{
			Items:    c.integer("collection.limits.items"),
			Units:    get[float64](c, "collection.limits.units"),
			Duration: c.duration("collection.limits.duration"),
		},
		Concurrency: c.integer("collection.concurrency"),
		Segments:    c.integer("collection.segments"),
		PageSize:    c.integer("collection.page_size"),
		DryRun:      get[bool](c, "collection.dry_run"),
		StopTimeout: cmp.Or(c.duration("collection.stop_timeout"), -1), // 0 stops at once, as a negative one does there
	}
	if source := c.text("collection.source"); source != keys.SourceAuto {
		options.Source = gcrunner.Source(source)
	}
	switch c.text("collection.checkpoint") {
	case keys.CheckpointFile:
		options.Checkpoint = gcrunner.FileCheckpoint(c.path("collection.checkpoint_file"))
	case keys.CheckpointTable:
		options.Checkpoint = gcrunner.TableCheckpoint(driver)
	}
	for _, f := range set {
		f(&options)
	}
	collector, err := gcrunner.NewCollector(driver, c.Rules(), options)
	switch {
	case errors.Is(err, gcrunner.ErrNoRule):
		return nil, fmt.Errorf("config: set collection.expired to true, or set collection.max_age or "+
			"collection.max_stale: %w", err)
	case errors.Is(err, gcrunner.ErrNoIndex):
		return nil, fmt.Errorf("config: set table.expiry_index.name, or set collection.source to scan: %w", err)
	}
	return collector, err
}

// Election returns the election among all processes that collect the same sessions, or nil if collection.elect is
// false. It makes no call.
func (c Config) Election(driver storage.Driver) (*gcrunner.Election, error) {
	if !get[bool](c, "collection.elect") {
		return nil, nil //nolint:nilnil // None is what was asked for.
	}
	return gcrunner.NewElection(driver, c.duration("collection.election_lease"))
}

// Schedule returns when collections begin. Its zero value means one run, now. Of collection.interval and
// collection.schedule, the one that was set in the place of higher precedence counts; a jitter does not count if it
// does not fit an interval of higher precedence.
func (c Config) Schedule() gcrunner.Schedule {
	const interval, jitter, schedule = "collection.interval", "collection.jitter", "collection.schedule"
	var s gcrunner.Schedule
	if c.overrides(interval, schedule) {
		s.Interval = c.duration(interval)
	} else {
		s.Cron = c.text(schedule)
	}
	s.Jitter = c.duration(jitter)
	if !c.isSet(jitter) || s.Interval > 0 && s.Jitter > s.Interval && c.overrides(interval, jitter) {
		s.Jitter = s.Interval / 10
	}
	return s
}

// overrides reports whether a key was set in a place of higher precedence than the other.
func (c Config) overrides(key, other string) bool {
	return c.source(key).rank() > c.source(other).rank()
}

// checkCollection reports what does not go together about collection.
func (l *loader) checkCollection(c *Config) {
	const source, maxAge, maxStale = "collection.source", "collection.max_age", "collection.max_stale"
	if c.text(source) == string(gcrunner.SourceIndex) && (c.isSet(maxAge) || c.isSet(maxStale)) {
		l.together(c, "an index by expiry knows nothing of collection.max_age and collection.max_stale; leave them out, or "+
			"set it to scan, in a second collector that runs less often", source, maxAge, maxStale)
	}
	const checkpoint, file, interval, jitter, schedule = "collection.checkpoint", "collection.checkpoint_file",
		"collection.interval", "collection.jitter", "collection.schedule"
	switch asFile := c.text(checkpoint) == keys.CheckpointFile; {
	case asFile && !c.isSet(file):
		l.together(c, "set collection.checkpoint_file, too: the file to keep the position in", checkpoint, file)
	case c.isSet(file) && !asFile && !c.overrides(checkpoint, file):
		l.together(c, "a file that is not used; set collection.checkpoint to file, or leave it out", file, checkpoint)
	}
	switch {
	case c.isSet(interval) && c.isSet(schedule) && c.source(interval).Kind == c.source(schedule).Kind:
		l.together(c, "collection.interval is set, too; set one of them", schedule, interval)
	case c.isSet(jitter) && !c.isSet(interval) && !c.isSet(schedule):
		l.together(c, "there is no interval and no schedule to vary; set collection.interval, or leave it out",
			jitter, interval)
	case c.Schedule().Interval > 0 && c.Schedule().Jitter > c.Schedule().Interval:
		l.together(c, "longer than collection.interval", jitter, interval)
	}
}
