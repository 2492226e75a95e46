package config

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Where the position of a collection is kept.
const (
	checkpointMemory = "memory"
	checkpointFile   = "file"
	checkpointTable  = "table"
)

func collectionKeys() []Key {
	return []Key{{
		Name: "collection.expired", Kind: Boolean, fallback: true,
		Doc:    "Whether sessions are collected whose expiry has passed.",
		Option: "gcrunner.Rules.Expired",
	}, {
		Name: "collection.grace", Kind: Duration, fallback: time.Duration(0),
		Doc:    "For how long a session must have been expired: room for clocks that differ.",
		Option: "gcrunner.Rules.Grace",
	}, {
		Name: "collection.max_age", Kind: Duration, Otherwise: "no such rule", Example: "30d", least: int64(time.Second),
		Doc:    "Collects sessions that were created longer ago than this, whether they have expired or not.",
		Option: "gcrunner.Rules.MaxAge",
	}, {
		Name: "collection.max_stale", Kind: Duration, Otherwise: "no such rule", Example: "7d", least: int64(time.Second),
		Doc:    "Collects sessions that were last written longer ago than this, whether they have expired or not.",
		Option: "gcrunner.Rules.MaxStale",
	}, {
		Name: "collection.source", Kind: Choice, fallback: string(gcrunner.SourceAuto),
		Choices: []string{string(gcrunner.SourceAuto), string(gcrunner.SourceScan), string(gcrunner.SourceIndex)},
		Doc: "How sessions are found: by a scan of the whole table, or by table.expiry_index, which knows nothing of max_age and " +
			"max_stale. auto is the index where there is one and it can serve the rules.",
		Option: "gcrunner.WithSource",
	}, {
		Name: "collection.read_units", Kind: Number, Otherwise: "no bound", Example: "50", check: checkPositive,
		Unit: "read units per second", Doc: "How much read capacity a run may consume. More than 0.",
		Option: "gcrunner.Budget.ReadUnits",
	}, {
		Name: "collection.write_units", Kind: Number, Otherwise: "no bound", Example: "25", check: checkPositive,
		Unit: "write units per second", Doc: "How much write capacity a run may consume. More than 0.",
		Option: "gcrunner.Budget.WriteUnits",
	}, {
		Name: "collection.concurrency", Kind: Integer, fallback: int64(gcrunner.DefaultConcurrency), least: 1, most: 1000,
		Unit: "requests", Doc: "How many deletes are under way at once, and how many segments are scanned at once.",
		Option: "gcrunner.WithConcurrency",
	}, {
		Name: "collection.segments", Kind: Integer, Otherwise: "chosen from the size of the table", Example: "4", least: 1,
		most: storage.MaxSegments, Unit: "segments", Doc: "Into how many segments the table is divided, each of which is scanned " +
			"by itself.",
		Option: "gcrunner.WithSegments",
	}, {
		Name: "collection.page_size", Kind: Integer, fallback: int64(gcrunner.DefaultPageSize), least: 1,
		most: gcrunner.MaxPageSize, Unit: "sessions", Doc: "How many sessions are looked at in one call. Memory grows with it.",
		Option: "gcrunner.WithPageSize",
	}, {
		Name: "collection.limits.items", Kind: Integer, Otherwise: "no limit", Example: "100000", least: 1,
		Unit: "sessions", Doc: "A run stops when it has deleted so many. The next one goes on there.",
		Option: "gcrunner.Limits.Items",
	}, {
		Name: "collection.limits.units", Kind: Number, Otherwise: "no limit", Example: "50000", check: checkPositive,
		Unit: "capacity units", Doc: "A run stops when it has consumed so much, read and write units together. More than 0.",
		Option: "gcrunner.Limits.Units",
	}, {
		Name: "collection.limits.duration", Kind: Duration, Otherwise: "no limit", Example: "10m", least: ms(1),
		Doc: "A run has ended after this time, standing for election and finishing its pages included; only its position may still be " +
			"saved.", Option: "gcrunner.Limits.Duration",
	}, {
		Name: "collection.stop_timeout", Kind: Duration, fallback: gcrunner.DefaultStopTimeout,
		Doc:    "How long a run that is told to end, or has reached a limit, may take to finish its pages.",
		Option: "gcrunner.WithStopTimeout",
	}, {
		Name: "collection.dry_run", Kind: Boolean, fallback: false,
		Doc: "Whether runs only count what they would delete.", Option: "gcrunner.WithDryRun",
	}, {
		Name: "collection.checkpoint", Kind: Choice, Choices: []string{checkpointMemory, checkpointFile, checkpointTable},
		fallback: checkpointMemory,
		Doc: "Where it is kept how far a run has come, for the next one to go on there: in the process, in a file, or beside the " +
			"sessions, for any process. The position can hold tokens, as the table does.",
		Option: "gcrunner.WithCheckpoint",
	}, {
		Name: "collection.checkpoint_file", Kind: Text, Otherwise: "no file", Example: "/var/lib/sessions/position", check: checkPath,
		Doc: "The file for the checkpoint file.", Option: "gcrunner.FileCheckpoint",
	}, {
		Name: "collection.elect", Kind: Boolean, fallback: true,
		Doc:    "Whether processes that collect the same sessions elect one of them, which does it until it ends.",
		Option: "gcrunner.NewElection",
	}, {
		Name: "collection.election_lease", Kind: Duration, fallback: gcrunner.DefaultElectionLease, least: ms(1000),
		Doc: "How long it takes until another process is elected when the elected one has died: at most this, and half an " +
			"interval.", Option: "gcrunner.NewElection",
	}, {
		Name: "collection.interval", Kind: Duration, Otherwise: "one run", Example: "1h", least: ms(1000),
		Doc: "Time from the beginning of one run to that of the next. Set this or collection.schedule: of two places, that " +
			"of higher precedence counts.",
		Option: "config.Schedule.Interval",
	}, {
		Name: "collection.jitter", Kind: Duration, Otherwise: "a tenth of collection.interval", Example: "5m",
		Doc:    "By how much a run begins later than it should, at random, so that not all begin at once.",
		Option: "config.Schedule.Jitter",
	}, {
		Name: "collection.schedule", Kind: Text, Otherwise: "one run", Example: "'17 3 * * *'", check: checkSchedule,
		Doc:    "When runs begin, as a cron expression of five fields: minute, hour, day of the month, month, day of the week.",
		Option: "config.Schedule.Cron",
	}}
}

func checkPositive(value any) string {
	if value.(float64) <= 0 {
		return "it must be more than 0; leave the key out for no bound"
	}
	return ""
}

func checkSchedule(value any) string {
	if err := gcrunner.ValidateCron(value.(string)); err != nil {
		return cronInKeys.Replace(err.Error())
	}
	return ""
}

// cronInKeys puts what gcrunner says of cron expressions into the words of who sets keys.
var cronInKeys = strings.NewReplacer("gcrunner: ", "", "set Interval", "set collection.interval, in place of this",
	"set Zone", "use --time-zone of gcrunner, or gcrunner.Schedule.Zone")

// Rules returns which sessions are collected.
func (c Config) Rules() gcrunner.Rules {
	return gcrunner.Rules{
		Expired:  get[bool](c, "collection.expired"),
		Grace:    c.duration("collection.grace"),
		MaxAge:   c.duration("collection.max_age"),
		MaxStale: c.duration("collection.max_stale"),
	}
}

// Collector returns a collector over a driver that is open: that of [Config.Driver]. The options are applied after those of
// the configuration. It takes no part in an election: see [Config.Election]. It makes no call. Errors: those of
// [gcrunner.New].
func (c Config) Collector(driver storage.Driver, options ...gcrunner.Option) (*gcrunner.Collector, error) {
	configured := []gcrunner.Option{
		gcrunner.WithBudget(gcrunner.Budget{
			ReadUnits:  cmp.Or(get[float64](c, "collection.read_units"), gcrunner.Unlimited),
			WriteUnits: cmp.Or(get[float64](c, "collection.write_units"), gcrunner.Unlimited),
		}),
		gcrunner.WithConcurrency(c.integer("collection.concurrency")),
		gcrunner.WithPageSize(c.integer("collection.page_size")),
		gcrunner.WithSource(gcrunner.Source(c.text("collection.source"))),
		gcrunner.WithLimits(gcrunner.Limits{
			Items:    c.integer("collection.limits.items"),
			Units:    get[float64](c, "collection.limits.units"),
			Duration: c.duration("collection.limits.duration"),
		}),
		gcrunner.WithStopTimeout(c.duration("collection.stop_timeout")),
	}
	if c.isSet("collection.segments") {
		configured = append(configured, gcrunner.WithSegments(c.integer("collection.segments")))
	}
	if get[bool](c, "collection.dry_run") {
		configured = append(configured, gcrunner.WithDryRun())
	}
	switch c.text("collection.checkpoint") {
	case checkpointFile:
		configured = append(configured, gcrunner.WithCheckpoint(gcrunner.FileCheckpoint(c.path("collection.checkpoint_file"))))
	case checkpointTable:
		configured = append(configured, gcrunner.WithCheckpoint(gcrunner.TableCheckpoint(driver)))
	}
	collector, err := gcrunner.New(driver, c.Rules(), append(configured, options...)...)
	switch {
	case errors.Is(err, gcrunner.ErrNoRule):
		return nil, fmt.Errorf("config: set collection.expired to true, or set collection.max_age or collection.max_stale: %w", err)
	case errors.Is(err, gcrunner.ErrNoIndex):
		return nil, fmt.Errorf("config: set table.expiry_index.name, or set collection.source to scan: %w", err)
	}
	return collector, err
}

// Election returns the election among all who collect the same sessions, nil where collection.elect is false. A process that
// runs once makes it an option of the collector ([gcrunner.WithElection]); one that runs again and again calls its Lead
// around all runs. It makes no call.
func (c Config) Election(driver storage.Driver) (*gcrunner.Election, error) {
	if !get[bool](c, "collection.elect") {
		return nil, nil //nolint:nilnil // None is what was asked for.
	}
	return gcrunner.NewElection(driver, c.duration("collection.election_lease"))
}

// Schedule says when collections begin. Its zero value means one run, now.
type Schedule struct {
	// Interval is the time from the beginning of one run to that of the next.
	Interval time.Duration
	// Jitter is by how much a run begins later, at random.
	Jitter time.Duration
	// Cron is a cron expression of five fields, instead of Interval.
	Cron string
}

// Schedule returns when collections begin. Of collection.interval and collection.schedule, that counts which was set in
// the place of higher precedence; a jitter that does not fit an interval of higher precedence does not count.
func (c Config) Schedule() Schedule {
	const interval, jitter, schedule = "collection.interval", "collection.jitter", "collection.schedule"
	var s Schedule
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
func (c Config) overrides(key, other string) bool { return c.source(key).Kind > c.source(other).Kind }

// checkCollection reports what does not go together about collection.
func (l *loader) checkCollection(c *Config) {
	const source, maxAge, maxStale = "collection.source", "collection.max_age", "collection.max_stale"
	if c.text(source) == string(gcrunner.SourceIndex) && (c.isSet(maxAge) || c.isSet(maxStale)) {
		l.together(c, "an index by expiry knows nothing of collection.max_age and collection.max_stale; leave them out, or set it to "+
			"scan, in a second collector that runs less often", source, maxAge, maxStale)
	}
	const checkpoint, file, interval, jitter, schedule = "collection.checkpoint", "collection.checkpoint_file",
		"collection.interval", "collection.jitter", "collection.schedule"
	switch asFile := c.text(checkpoint) == checkpointFile; {
	case asFile && !c.isSet(file):
		l.together(c, "set collection.checkpoint_file, too: the file to keep the position in", checkpoint, file)
	case c.isSet(file) && !asFile && !c.overrides(checkpoint, file):
		l.together(c, "a file that is not used; set collection.checkpoint to file, or leave it out", file, checkpoint)
	}
	switch {
	case c.isSet(interval) && c.isSet(schedule) && c.source(interval).Kind == c.source(schedule).Kind:
		l.together(c, "collection.interval is set, too; set one of them", schedule, interval)
	case c.isSet(jitter) && !c.isSet(interval) && !c.isSet(schedule):
		l.together(c, "there is no interval and no schedule to vary; set collection.interval, or leave it out", jitter, interval)
	case c.Schedule().Interval > 0 && c.Schedule().Jitter > c.Schedule().Interval:
		l.together(c, "longer than collection.interval", jitter, interval)
	}
}
