package gcrunner

import (
	"context"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/internal/roster"
	"github.com/scsdynamo/scsdynamo/storage"
)

// recordsInMemory is how many records pages may have together that are being read: as many are being deleted. Memory
// does not grow with the number of segments.
const recordsInMemory = 4 * defaults.PageSize

// batch is what a page has to be deleted.
type batch struct {
	candidates []candidate
	next       storage.Position
}

// scan walks all segments, several at a time.
func (r *run) scan(b *brake) {
	first, err := r.divide(b.reading)
	if err != nil {
		b.fail(err)
		return
	}
	if r.position.IsZero() { // it was stopped before it was divided
		return
	}
	work := make(chan int)
	var workers sync.WaitGroup
	readers := min(len(r.position.segments), r.options.Concurrency)
	r.mostRecords = max(1, min(r.options.PageSize, recordsInMemory/readers))
	for range readers {
		workers.Go(func() {
			for at := range work {
				r.walk(b, at, first)
			}
		})
	}
	for at, segment := range r.position.clone().segments {
		if segment.Done || b.reading.Err() != nil {
			continue
		}
		work <- at
	}
	close(work)
	workers.Wait()
}

// walk reads the pages of one segment, and deletes what has to be, a page behind.
func (r *run) walk(b *brake, at int, first *page) {
	batches := make(chan batch)
	reader := sync.WaitGroup{}
	reader.Go(func() {
		defer close(batches)
		if err := r.readAll(b, batches, at, first); err != nil && b.reading.Err() == nil {
			b.fail(err)
		}
	})
	for page := range batches {
		if b.reading.Err() != nil || !r.collect(b, page.candidates) {
			break
		}
		r.advance(b.deleting, at, page.next)
	}
	for range batches { // what was read and not collected is left to the next run
	}
	reader.Wait()
}

// readAll reads the pages of a segment. first is the first one, where it was read before.
func (r *run) readAll(b *brake, batches chan<- batch, at int, first *page) error {
	r.mu.Lock()
	next := place{segments: len(r.position.segments), segment: at, start: r.position.segments[at].Next}
	r.mu.Unlock()
	for {
		var p page
		if first != nil {
			p, first = *first, nil
		} else {
			var err error
			if p, _, err = r.read(b.reading, next, wholePage); err != nil {
				return err
			}
		}
		select {
		case batches <- batch{r.judge(p), p.Next}:
		case <-b.reading.Done():
			return nil
		}
		if p.Next == "" {
			return nil
		}
		if r.unitsReached() {
			b.reached(stoppedByUnits)
			return nil
		}
		next.start = p.Next
	}
}

// read reads a page with at most this number of records, or a whole one, or fewer where the budget says so.
func (r *run) read(ctx context.Context, at place, most int) (page, float64, error) {
	var p page
	units, err := r.attempt(ctx, ctx, r.reads,
		func() float64 {
			at.limit = r.costs.pageLimit(r.pageUnits(), r.mostRecords)
			if most != wholePage && (at.limit == wholePage || at.limit > most) {
				at.limit = most
			}
			return r.costs.page(at.limit)
		},
		func(u storage.Usage) float64 { return u.ReadUnits },
		func(ctx context.Context) (err error) {
			p, err = r.from.read(ctx, at, r.options.Now())
			return err
		})
	if err != nil {
		return page{}, 0, err
	}
	looked := at.limit
	if p.Next == "" || at.limit == wholePage || units > fullPageUnits {
		looked = p.size()
	}
	r.costs.read(looked, units)
	return p, units, nil
}

// pageUnits is how much a page may consume. A limit must leave room for more than reading a page, or a run would stop
// before it has done anything.
func (r *run) pageUnits() float64 {
	units := r.reads.current() * pageShare
	if r.options.Limits.Units > 0 {
		units = min(units, r.options.Limits.Units*pageShare)
	}
	return units
}

// fullPageUnits is what a page consumes that may have ended at the service's limit of 1 MB, and not at the one asked
// for.
const fullPageUnits = 120

// judge counts the records of a page and returns those that are to be deleted.
func (r *run) judge(p page) []candidate {
	now := r.options.Now()
	var candidates []candidate
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, record := range p.Records {
		if storage.Reserved(record.Key) && !roster.Is(record.Key) {
			continue
		}
		r.report.Scanned++
		rule := r.rules.judge(record, now)
		if rule == "" || roster.Is(record.Key) && rule != ruleExpired {
			continue
		}
		if rule == ruleExpired {
			r.expiredAtLocked(record.ExpiresAt)
		}
		candidates = append(candidates, candidate{record: record, rule: rule})
	}
	for _, unreadable := range p.Unreadable {
		if storage.Reserved(unreadable.Key) {
			continue
		}
		r.report.Scanned++
		r.report.Unreadable++
	}
	for _, entry := range p.entries {
		if storage.Reserved(entry.Key) && !roster.Is(entry.Key) {
			continue
		}
		r.report.Scanned++
		r.expiredAtLocked(entry.ExpiredBy)
		record := storage.Record{Key: entry.Key}
		candidates = append(candidates, candidate{record: record, rule: ruleExpired, cutoff: p.cutoff})
	}
	return candidates
}

// expiredAtLocked notes when something expired that is to be deleted.
func (r *run) expiredAtLocked(at time.Time) {
	if oldest := &r.report.OldestExpired; oldest.IsZero() || at.Before(*oldest) {
		*oldest = at
	}
}
