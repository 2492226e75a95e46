package gcrunner

import (
	"time"
)

// Report says what a run has done. In a dry run it says what would be done.
type Report struct {
	// DryRun is whether nothing was deleted.
	DryRun bool
	// Source is how sessions were found: SourceScan or SourceIndex.
	Source Source
	// Started is when the run began, by the collector's clock; Duration is how long it took.
	Started  time.Time
	Duration time.Duration

	// Scanned is how many records were looked at: by an index, only those that seem to have expired.
	Scanned int
	// Deleted is how many were deleted, by rule. It includes records that something else, such as DynamoDB's TTL, has
	// deleted since they were read. It does not include deletes that were under way when the run's time was over, or
	// its election was lost, although they may have succeeded.
	Deleted Deleted
	// Leased is how many sessions were left alone because a request has a lease on them. In a dry run it includes those
	// whose holder has died.
	Leased int
	// Conflicts is how many sessions were left alone because they were renewed, leased or changed after they were read.
	Conflicts int
	// Unreadable is how many records could not be read and were left alone.
	Unreadable int

	// ReadUnits and WriteUnits are the capacity units that the service says were consumed. It does not report those of
	// deletes that ended in a conflict, and bills them. On drivers that are not billed by the unit both are 0. In a dry
	// run WriteUnits is an estimate of what the deletes would consume.
	ReadUnits, WriteUnits float64
	// ExpectedReadUnits is an estimate of what reading everything consumes, made when the run began. 0 where there is
	// none: by an index, where a table is not divided, and in a run that resumes at a position.
	ExpectedReadUnits float64
	// Throttles is how often the service throttled a request.
	Throttles int
	// Bytes is an estimate of the size of what was deleted. By a scan it is the average size of what was read, by the
	// units that it consumed, for each; by an index, 1 KB for each unit that deleting consumed, and in a dry run the
	// average size of some that it has read for that. 0 on drivers that are not billed by the unit.
	Bytes int64
	// OldestExpired is the earliest expiry among the expired sessions that were found, or the zero time. By an index
	// it may be up to an hour after that expiry.
	OldestExpired time.Time

	// Stopped says why the run ended.
	Stopped StopReason
	// Err is the error of a failed run, which Run has returned, or nil. It is no failure to end with the context, or
	// because another process is elected.
	Err error
	// Position is where the next run resumes, or the zero Position if this one has completed.
	Position Position
}

// Total is how many sessions were deleted under all rules.
func (r Report) Total() int { return r.Deleted.Total() }

// Backlog is how long the oldest expired session had been expired when the run began, or 0.
func (r Report) Backlog() time.Duration {
	if r.OldestExpired.IsZero() {
		return 0
	}
	return max(0, r.Started.Sub(r.OldestExpired))
}

// Progress is about which share of everything was read, less than 1 before the run has ended. It is known only with
// ExpectedReadUnits.
func (r Report) Progress() (share float64, known bool) {
	if r.ExpectedReadUnits <= 0 {
		return 0, false
	}
	if r.Stopped == Completed {
		return 1, true
	}
	return min(r.ReadUnits/r.ExpectedReadUnits, 0.99), true
}

// clone returns a report that shares nothing with r.
func (r Report) clone() Report {
	r.Position = r.Position.clone()
	return r
}

// StopReason says why a run ended. Beside the constants there are the limits, "items", "units" and "duration";
// "failed", with Report.Err; "not elected", with [ErrNotElected]; and "lost", with [ErrElectionLost].
type StopReason string

// The reasons that are not told by the error of a run.
const (
	Completed StopReason = "completed" // everything was looked at
	Canceled  StopReason = "canceled"  // the context of Run has ended

	failed            StopReason = "failed"
	stoppedByItems    StopReason = "items"
	stoppedByUnits    StopReason = "units"
	stoppedByDuration StopReason = "duration"
	notElected        StopReason = "not elected"
	electionLost      StopReason = "lost"
)
