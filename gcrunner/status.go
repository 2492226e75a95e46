package gcrunner

import (
	"log/slog"
	"maps"
	"slices"
	"time"
)

// Phase is what a [Runner] does at the moment.
type Phase string

// The phases.
const (
	// Idle is before Run.
	Idle Phase = "idle"
	// Standby is waiting to be elected.
	Standby Phase = "standby"
	// Waiting is waiting for the next run, elected if there is an election.
	Waiting Phase = "waiting"
	// Running is a run.
	Running Phase = "running"
	// Ended is after Run.
	Ended Phase = "ended"
)

// Status is what a [Runner] knows of itself. Its reports have no positions, and so no keys.
type Status struct {
	// Phase is what it does at the moment; Stopping is whether it has been told to end.
	Phase    Phase
	Stopping bool
	// Elected is whether it collects: without an election, it does so from beginning to end.
	Elected bool
	// Leader is who is elected, where this process stands by and that is known. Where its rules are not those of this
	// process, what is collected depends on who is elected.
	Leader *Elected
	// Started is when Run was called. Since is since when it is elected, the zero time where it is not.
	Started, Since time.Time
	// Next is when the next run begins, the zero time where that is not known.
	Next time.Time
	// Current is what the present run has done so far, nil between runs.
	Current *Report
	// LastAttempt and LastSuccess are when the last run began, and when the last one ended well.
	LastAttempt, LastSuccess time.Time
	// LastProgress is when a run, the present one included, last deleted a session or was done with a page.
	LastProgress time.Time
	// Failures is how many runs, or attempts to be elected, have failed in a row. Err is what the last of them has failed
	// with, nil where there is none.
	Failures int
	Err      error
	// Last are the last runs, the latest at the end. There are up to [RememberedRuns].
	Last []Result
	// Totals is what has been done since Started.
	Totals Totals
	// Schedule, Budget and Rules are those of the runner and its collector.
	Schedule Schedule
	Budget   Budget
	Rules    Rules
	// Source is how sessions are found: SourceScan or SourceIndex.
	Source Source
	// DryRun is whether nothing is deleted.
	DryRun bool
}

// RememberedRuns is how many runs [Status.Last] has at most.
const RememberedRuns = 60

// Result is a run that has ended.
type Result struct {
	Report Report
	// Ended is when it has ended.
	Ended time.Time
	// Err is what the run has failed with, nil where it has not. Ending with its context, or with its election, is no
	// failure.
	Err error
}

// Backlog is that of the last run that looked at everything or stopped at a limit. It is not known before there is one.
func (s Status) Backlog() (age time.Duration, known bool) {
	for _, result := range slices.Backward(s.Last) {
		if succeeded(result.Report.Stopped) {
			return result.Report.Backlog(), true
		}
	}
	return 0, false
}

// Totals add up what runs have done, the present one included: they only grow. What a dry run only would have done is not
// in them.
type Totals struct {
	// Runs counts runs by why they have ended.
	Runs map[StopReason]int
	// Time is how long runs have taken.
	Time time.Duration
	// The other fields are as in Report.
	Scanned               int
	Deleted               map[Rule]int
	Leased                int
	Conflicts             int
	Unreadable            int
	ReadUnits, WriteUnits float64
	Throttles             int
	Bytes                 int64
}

func newTotals() Totals {
	t := Totals{Runs: map[StopReason]int{}, Deleted: map[Rule]int{}}
	for _, reason := range AllStopReasons() {
		t.Runs[reason] = 0
	}
	for _, rule := range AllRules() {
		t.Deleted[rule] = 0
	}
	return t
}

// AllStopReasons returns all reasons for which a run ends.
func AllStopReasons() []StopReason {
	return []StopReason{
		Completed, StoppedByItems, StoppedByUnits, StoppedByDuration, Canceled, ElectionLost, NotElected, Failed,
	}
}

// plus returns the totals with those of the report.
func (t Totals) plus(r Report) Totals {
	t.Runs, t.Deleted = maps.Clone(t.Runs), maps.Clone(t.Deleted)
	t.Time += r.Duration
	t.Scanned += r.Scanned
	t.Leased += r.Leased
	t.Conflicts += r.Conflicts
	t.Unreadable += r.Unreadable
	t.ReadUnits += r.ReadUnits
	t.Throttles += r.Throttles
	if r.Stopped != "" {
		t.Runs[r.Stopped]++
	}
	if r.DryRun {
		return t
	}
	for rule, n := range r.Deleted {
		t.Deleted[rule] += n
	}
	t.WriteUnits += r.WriteUnits
	t.Bytes += r.Bytes
	return t
}

// succeeded reports whether a run that ended so has done what it should.
func succeeded(reason StopReason) bool {
	switch reason {
	case Completed, StoppedByItems, StoppedByUnits, StoppedByDuration:
		return true
	default:
		return false
	}
}

// LogValue implements slog.LogValuer. It leaves out the position, which holds keys.
func (r Report) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("stopped", string(r.Stopped)), slog.Duration("duration", r.Duration.Round(time.Millisecond)),
		slog.String("source", string(r.Source)), slog.Int("scanned", r.Scanned),
	}
	if r.DryRun {
		attrs = append(attrs, slog.Bool("dry_run", true))
	}
	deleted := []any{slog.Int("total", r.Total())}
	for _, rule := range AllRules() {
		if n := r.Deleted[rule]; n > 0 {
			deleted = append(deleted, slog.Int(string(rule), n))
		}
	}
	attrs = append(attrs, slog.Group("deleted", deleted...))
	for _, count := range []struct {
		name string
		n    int
	}{{"leased", r.Leased}, {"conflicts", r.Conflicts}, {"unreadable", r.Unreadable}, {"throttles", r.Throttles}} {
		if count.n > 0 {
			attrs = append(attrs, slog.Int(count.name, count.n))
		}
	}
	if r.ReadUnits > 0 || r.WriteUnits > 0 {
		attrs = append(attrs, slog.Float64("read_units", r.ReadUnits), slog.Float64("write_units", r.WriteUnits))
	}
	if backlog := r.Backlog(); backlog > 0 {
		attrs = append(attrs, slog.Duration("backlog", backlog.Round(time.Second)))
	}
	return slog.GroupValue(attrs...)
}
