package gcrunner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// run is one run of a collector. A brake ends its parts.
type run struct {
	*Collector
	reads, writes *pacer
	patience      time.Duration // for refusals without an end
	costs         estimate
	slots         chan struct{} // one for each delete that may be under way
	began         time.Time
	mostRecords   int // on a page, by what the number of segments leaves

	mu       sync.Mutex // never held during a call
	report   Report
	position Position
	claimed  int // deleted, or being deleted
	later    []candidate
	saved    time.Time
	further  time.Time // when a session was deleted, or a page was done, the last time
	told     time.Time // when progress was told the last time
	bytes    int64     // the largest estimate so far: it must not shrink

	telling sync.Mutex // held while progress is told, so that calls do not overlap
}

func (c *Collector) newRun() *run {
	r := &run{
		Collector: c,
		reads:     newPacer(c.options.Budget.ReadUnits), writes: newPacer(c.options.Budget.WriteUnits),
		slots: make(chan struct{}, c.options.Concurrency), patience: refusalLimit,
		began: time.Now(), mostRecords: c.options.PageSize,
		report: Report{DryRun: c.options.DryRun, Source: c.from.kind(), Started: c.options.Now()},
	}
	if c.options.Limits.Duration > 0 { // which says how long to try
		r.patience = forever
	}
	r.costs.byIndex = c.from.kind() == SourceIndex
	if index, ok := c.driver.(storage.ExpiryScanner); ok && index.ExpiryShards() > 0 {
		r.costs.indexed = 1
	}
	return r
}

// do is the run, once this process is elected.
func (r *run) do(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	start, err := r.startAt(ctx)
	if err != nil {
		return err
	}
	r.leases.nextRun()
	r.mu.Lock()
	r.position, r.saved = start, time.Now()
	r.mu.Unlock()
	if err := r.save(ctx); err != nil { // which is better known before anything is deleted
		return err
	}

	b := r.newBrake(ctx)
	defer b.release()
	r.scan(b)
	r.collectLater(b)
	return r.conclude(ctx, b.why())
}

// conclude notes why the run has ended, nil for no other reason than that nothing was left to do, and saves its
// position.
func (r *run) conclude(ctx context.Context, why *stopped) error {
	if why == nil || r.position.done() && !why.atOnce() {
		r.end(Completed, func() { r.position = Position{} })
		return r.save(ctx)
	}
	r.end(why.reason, func() {})
	if why.reason == electionLost { // another process has its own position
		return why.err
	}
	refused := r.refused()
	if refused == nil && why.reason == stoppedByDuration {
		refused = r.unanswered()
	}
	if refused != nil && why.reason != Canceled {
		r.end(failed, func() {})
	}
	return errors.Join(why.err, differing(refused, why.err), r.save(ctx))
}

// end notes how the run has ended, and does something else at the same moment.
func (r *run) end(how StopReason, and func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Stopped = how
	and()
}

// refused returns the last refusal of reads, or of deletes, where none was accepted, nil otherwise.
func (r *run) refused() error {
	if err := r.reads.throughout(); err != nil {
		return err
	}
	return r.writes.throughout()
}

// unanswered says that the time of the run was up before a read, or a delete, was answered, nil where that is not so.
func (r *run) unanswered() error {
	if ever, _ := r.reads.answered(); !ever {
		return fmt.Errorf("%w: no read was answered by then", ErrTimeUp)
	}
	if ever, begun := r.writes.answered(); begun && !ever {
		return fmt.Errorf("%w: no delete was answered by then", ErrTimeUp)
	}
	return nil
}

// left is how much of its time the run has left.
func (r *run) left() time.Duration {
	if r.options.Limits.Duration == 0 {
		return forever
	}
	return r.options.Limits.Duration - time.Since(r.began)
}

// differing returns cause, nil where it is err.
func differing(cause, err error) error {
	if cause == nil || errors.Is(err, cause) {
		return nil
	}
	return cause
}

// finish completes the report.
func (r *run) finish(ctx context.Context, err error) (Report, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.report.Stopped != "" || err == nil:
	case errors.Is(err, ErrNotElected):
		r.report.Stopped = notElected
	case errors.Is(err, ErrElectionLost):
		r.report.Stopped = electionLost
	case ctx.Err() != nil:
		r.report.Stopped = Canceled
	default:
		r.report.Stopped = failed
	}
	report := r.snapshotLocked()
	if report.Stopped != Canceled && report.Stopped != electionLost && report.Stopped != notElected {
		report.Err = err
	}
	return report, err
}

// snapshotLocked returns the report so far.
func (r *run) snapshotLocked() Report {
	report := r.report.clone()
	report.Position = r.position.clone()
	report.Duration = time.Since(r.began)
	size, total := r.costs.size(), float64(report.Total())
	r.bytes = max(r.bytes, int64(size*total))
	report.Bytes = r.bytes
	if r.options.DryRun {
		report.WriteUnits = (math.Ceil(size/bytesPerWriteUnit) + r.costs.indexed) * total
	}
	return report
}

// soFar is how far a run has come.
type soFar struct {
	report  Report
	further time.Time // when it last came further, the zero time where it has not yet
}

func (r *run) soFar() soFar {
	r.mu.Lock()
	defer r.mu.Unlock()
	return soFar{r.snapshotLocked(), r.further}
}

// tell tells the progress.
func (r *run) tell() {
	if r.options.Progress == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	r.mu.Lock()
	r.told = time.Now()
	report := r.snapshotLocked()
	r.mu.Unlock()
	r.options.Progress(report)
}

// tellEvery is how often progress is told within a page.
const tellEvery = time.Second

// tellNowAndThen tells the progress if that is some time ago.
func (r *run) tellNowAndThen() {
	r.mu.Lock()
	due := time.Since(r.told) >= tellEvery
	if due {
		r.told = time.Now() // for others that ask meanwhile
	}
	r.mu.Unlock()
	if due {
		r.tell()
	}
}

const (
	// saveEvery is how often the position is saved during a run.
	saveEvery = 5 * time.Second
	// saveTimeout bounds saving the last one, also after the context has ended.
	saveTimeout = 5 * time.Second
)

// advance notes that a page is done.
func (r *run) advance(ctx context.Context, at int, next storage.Position) {
	r.mu.Lock()
	r.position.segments[at] = segment{Next: next, Done: next == ""}
	r.further = time.Now()
	position := r.position.clone()
	due := !r.options.DryRun && time.Since(r.saved) >= saveEvery
	if due {
		r.saved = time.Now()
	}
	r.mu.Unlock()
	r.tell()
	if due && r.writes.take(ctx, 1) == nil {
		units, _ := r.saveAs(ctx, position) // a later one may succeed, and the last one tells
		r.writes.spend(1, units)
	}
}

// save saves the last position.
func (r *run) save(ctx context.Context) error {
	if r.options.DryRun {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	_, err := r.saveAs(ctx, r.position)
	return err
}

// saveAs saves a position, which may be in the table. Errors: [ErrCheckpoint].
func (r *run) saveAs(ctx context.Context, position Position) (units float64, err error) {
	meter := &storage.Meter{}
	err = r.options.Checkpoint.Save(storage.WithMeter(ctx, meter), position)
	usage := meter.Usage()
	r.count(usage)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return usage.WriteUnits, err
}
