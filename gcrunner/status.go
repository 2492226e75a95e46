package gcrunner

import (
	"log/slog"
	"slices"
	"time"
)

// What a runner does: see Status.Phase.
const (
	idle    = "idle"
	standby = "standby"
	waiting = "waiting"
	running = "running"
	ended   = "ended"
)

// Status is what a [Runner] knows of itself. Its reports have no positions, and so no keys.
type Status struct {
	// Phase is what it does at the moment: "idle" before Run, "standby" while another process is elected, "waiting" for
	// the next run, "running", and "ended" after Run. Stopping is whether it has been told to end.
	Phase    string
	Stopping bool
	// Elected is whether it collects: without an election, it does so from beginning to end.
	Elected bool
	// Leader is the elected process, if this one stands by and knows it. If the two have different rules, the election
	// decides what is collected.
	Leader *Elected
	// Started is when Run was called. Since is when it was elected, or the zero time.
	Started, Since time.Time
	// Next is when the next run begins, or the zero time.
	Next time.Time
	// Current is what the present run has done so far, or nil between runs.
	Current *Report
	// LastAttempt and LastSuccess are when the last run began, and when the last one ended well.
	LastAttempt, LastSuccess time.Time
	// LastProgress is when a run, the present one included, last deleted a session or finished a page.
	LastProgress time.Time
	// Failures is how many runs, or attempts to be elected, have failed in a row. Err is the last such error, or nil.
	Failures int
	Err      error
	// Last are the last runs, the latest at the end. There are up to 60.
	Last []Report
	// Runs counts the runs since Started by why they have ended.
	Runs map[StopReason]int
	// Totals adds up what runs have done since Started, the present one included: its counts, units, Duration and Bytes
	// only grow. It leaves out what a dry run would have deleted.
	Totals Report
	// Schedule, Budget and Rules are those of the runner and its collector.
	Schedule Schedule
	Budget   Budget
	Rules    Rules
	// Source is how sessions are found: SourceScan or SourceIndex.
	Source Source
	// DryRun is whether nothing is deleted.
	DryRun bool
}

// rememberedRuns is how many runs Status.Last has at most.
const rememberedRuns = 60

// Backlog is that of the last run that looked at everything or stopped at a limit. It is not known before there is one.
func (s Status) Backlog() (age time.Duration, known bool) {
	for _, report := range slices.Backward(s.Last) {
		if succeeded(report.Stopped) {
			return report.Backlog(), true
		}
	}
	return 0, false
}

// newRuns returns the count of no run for each way in which a run of a [Runner] ends.
func newRuns() map[StopReason]int {
	return map[StopReason]int{
		Completed: 0, stoppedByItems: 0, stoppedByUnits: 0, stoppedByDuration: 0, Canceled: 0, electionLost: 0, failed: 0,
	}
}

// add adds a run, or what a run has done so far.
func (s *Status) add(r Report) {
	if r.Stopped != "" {
		s.Runs[r.Stopped]++
	}
	t := &s.Totals
	t.Duration += r.Duration
	t.Scanned += r.Scanned
	t.Leased += r.Leased
	t.Conflicts += r.Conflicts
	t.Unreadable += r.Unreadable
	t.ReadUnits += r.ReadUnits
	t.Throttles += r.Throttles
	if r.DryRun {
		return
	}
	t.Deleted = t.Deleted.plus(r.Deleted)
	t.WriteUnits += r.WriteUnits
	t.Bytes += r.Bytes
}

// succeeded reports whether a run that ended so has done what it should.
func succeeded(reason StopReason) bool {
	switch reason {
	case Completed, stoppedByItems, stoppedByUnits, stoppedByDuration:
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
	for rule, n := range r.Deleted.All() {
		if n > 0 {
			deleted = append(deleted, slog.Int(rule, n))
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
