package keys

import (
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Where the position of a collection is kept.
const (
	SourceAuto       = "auto"
	CheckpointMemory = "memory"
	CheckpointFile   = "file"
	CheckpointTable  = "table"
)

func collectionKeys() []Key {
	return []Key{{
		Name: "collection.expired", Kind: Boolean, Fallback: true,
		Doc:    "Whether sessions are collected whose expiry has passed.",
		Option: "gcrunner.Rules.Expired",
	}, {
		Name: "collection.grace", Kind: Duration, Fallback: time.Duration(0),
		Doc:    "For how long a session must have been expired: room for clocks that differ.",
		Option: "gcrunner.Rules.Grace",
	}, {
		Name: "collection.max_age", Kind: Duration, Otherwise: "no such rule", Example: "30d", Least: int64(time.Second),
		Doc:    "Collects sessions that were created longer ago than this, whether they have expired or not.",
		Option: "gcrunner.Rules.MaxAge",
	}, {
		Name: "collection.max_stale", Kind: Duration, Otherwise: "no such rule", Example: "7d", Least: int64(time.Second),
		Doc:    "Collects sessions that were last written longer ago than this, whether they have expired or not.",
		Option: "gcrunner.Rules.MaxStale",
	}, {
		Name: "collection.source", Kind: Choice, Fallback: SourceAuto,
		Choices: []string{SourceAuto, string(gcrunner.SourceScan), string(gcrunner.SourceIndex)},
		Doc: "How sessions are found: by a scan of the whole table, or by table.expiry_index, which knows nothing of " +
			"max_age and " +
			"max_stale. auto is the index where there is one and it can serve the rules.",
		Option: "gcrunner.CollectorOptions.Source",
	}, {
		Name: "collection.read_units", Kind: Number, Otherwise: "no bound", Example: "50", Check: checkPositive,
		Unit: "read units per second", Doc: "How much read capacity a run may consume. More than 0.",
		Option: "gcrunner.Budget.ReadUnits",
	}, {
		Name: "collection.write_units", Kind: Number, Otherwise: "no bound", Example: "25", Check: checkPositive,
		Unit: "write units per second", Doc: "How much write capacity a run may consume. More than 0.",
		Option: "gcrunner.Budget.WriteUnits",
	}, {
		Name: "collection.concurrency", Kind: Integer, Fallback: int64(defaults.Concurrency), Least: 1, Most: 1000,
		Unit: "requests", Doc: "How many deletes are under way at once, and how many segments are scanned at once.",
		Option: "gcrunner.CollectorOptions.Concurrency",
	}, {
		Name: "collection.segments", Kind: Integer, Otherwise: "chosen from the size of the table", Example: "4", Least: 1,
		Most: storage.MaxSegments, Unit: "segments",
		Doc: "Into how many segments the table is divided, each of which is scanned " +
			"by itself.",
		Option: "gcrunner.CollectorOptions.Segments",
	}, {
		Name: "collection.page_size", Kind: Integer, Fallback: int64(defaults.PageSize), Least: 1,
		Most: defaults.PageSize, Unit: "sessions", Doc: "How many sessions are looked at in one call. Memory grows with it.",
		Option: "gcrunner.CollectorOptions.PageSize",
	}, {
		Name: "collection.limits.items", Kind: Integer, Otherwise: "no limit", Example: "100000", Least: 1,
		Unit: "sessions", Doc: "A run stops when it has deleted so many. The next one goes on there.",
		Option: "gcrunner.Limits.Items",
	}, {
		Name: "collection.limits.units", Kind: Number, Otherwise: "no limit", Example: "50000", Check: checkPositive,
		Unit: "capacity units", Doc: "A run stops when it has consumed so much, read and write units together. More than 0.",
		Option: "gcrunner.Limits.Units",
	}, {
		Name: "collection.limits.duration", Kind: Duration, Otherwise: "no limit", Example: "10m", Least: ms(1),
		Doc: "A run has ended after this time, standing for election and finishing its pages included; only its position " +
			"may still be " +
			"saved.", Option: "gcrunner.Limits.Duration",
	}, {
		Name: "collection.stop_timeout", Kind: Duration, Fallback: defaults.StopTimeout,
		Doc:    "How long a run that is told to end, or has reached a limit, may take to finish its pages.",
		Option: "gcrunner.CollectorOptions.StopTimeout",
	}, {
		Name: "collection.dry_run", Kind: Boolean, Fallback: false,
		Doc: "Whether runs only count what they would delete.", Option: "gcrunner.CollectorOptions.DryRun",
	}, {
		Name: "collection.checkpoint", Kind: Choice, Choices: []string{CheckpointMemory, CheckpointFile, CheckpointTable},
		Fallback: CheckpointMemory,
		Doc: "Where it is kept how far a run has come, for the next one to go on there: in the process, in a file, or " +
			"beside the " +
			"sessions, for any process. The position can hold tokens, as the table does.",
		Option: "gcrunner.CollectorOptions.Checkpoint",
	}, {
		Name: "collection.checkpoint_file", Kind: Text, Otherwise: "no file", Example: "/var/lib/sessions/position",
		Check: checkPath,
		Doc:   "The file for the checkpoint file.", Option: "gcrunner.FileCheckpoint",
	}, {
		Name: "collection.elect", Kind: Boolean, Fallback: true,
		Doc:    "Whether processes that collect the same sessions elect one of them, which does it until it ends.",
		Option: "gcrunner.NewElection",
	}, {
		Name: "collection.election_lease", Kind: Duration, Fallback: defaults.ElectionLease, Least: ms(1000),
		Most: int64(time.Hour),
		Doc: "How long it takes until another process is elected when the elected one has died: at most this, and half an " +
			"interval.", Option: "gcrunner.NewElection",
	}, {
		Name: "collection.interval", Kind: Duration, Otherwise: "one run", Example: "1h", Least: ms(1000),
		Doc: "Time from the beginning of one run to that of the next. Set this or collection.schedule: of two places, that " +
			"of higher precedence counts.",
		Option: "gcrunner.Schedule.Interval",
	}, {
		Name: "collection.jitter", Kind: Duration, Otherwise: "a tenth of collection.interval", Example: "5m",
		Doc:    "By how much a run begins later than it should, at random, so that not all begin at once.",
		Option: "gcrunner.Schedule.Jitter",
	}, {
		Name: "collection.schedule", Kind: Text, Otherwise: "one run", Example: "'17 3 * * *'", Check: checkSchedule,
		Doc: "When runs begin, as a cron expression of five fields: minute, hour, day of the month, month, day of the " +
			"week.",
		Option: "gcrunner.Schedule.Cron",
	}}
}

func checkPositive(value any) string {
	if value.(float64) <= 0 {
		return "it must be more than 0; leave the key out for no bound"
	}
	return ""
}

func checkSchedule(value any) string {
	if err := (gcrunner.Schedule{Cron: value.(string)}).Validate(); err != nil {
		return cronInKeys.Replace(err.Error())
	}
	return ""
}

// cronInKeys puts what gcrunner says of cron expressions into the words of the configuration.
var cronInKeys = strings.NewReplacer("gcrunner: Schedule.Cron: ", "", "set Interval",
	"set collection.interval, in place of this",
	"set Zone", "use --time-zone of gcrunner, or gcrunner.Schedule.Zone")
