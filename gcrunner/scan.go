package gcrunner

import (
	"context"
	"math"
	"sync"

	"github.com/scsdynamo/scsdynamo/storage"
)

const (
	// manySegments is into how many segments a table is divided that has more than a page.
	manySegments = 4
	// oneSegmentUnits is what one segment can consume in a second: with a budget below it, more of them gain nothing.
	oneSegmentUnits = 1000
	// probeLimit is how many records the first page holds at most that is looked at to choose the number of segments.
	probeLimit = 100
)

// batch is what a page has to be deleted.
type batch struct {
	candidates []candidate
	next       storage.Position
}

// scan walks over all segments, several at a time.
func (r *run) scan(reading, deleting context.Context, b brake) {
	first, err := r.divide(reading)
	if err != nil {
		b.fail(err)
		return
	}
	work := make(chan int)
	var workers sync.WaitGroup
	for range min(len(r.position.segments), r.concurrency) {
		workers.Go(func() {
			for at := range work {
				r.walk(reading, deleting, b, at, first)
			}
		})
	}
	for at, segment := range r.position.clone().segments {
		if segment.Done || reading.Err() != nil {
			continue
		}
		work <- at
	}
	close(work)
	workers.Wait()
}

// divide decides on the segments. It may return the first page of the only one.
func (r *run) divide(ctx context.Context) (*storage.Page, error) {
	if !r.position.IsZero() {
		return nil, nil
	}
	n := r.segments
	var first *storage.Page
	if n == 0 {
		n = 1
		page, units, err := r.read(ctx, storage.ScanRequest{}, probeLimit)
		if err != nil {
			if ctx.Err() != nil {
				err = nil // the run was stopped, which says more
			}
			return nil, err
		}
		if page.Next != "" && units > 0 && r.budget.ReadUnits >= oneSegmentUnits {
			n = manySegments
		} else {
			first = &page
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.position.segments = make([]segment, n)
	return first, nil
}

// walk reads the pages of one segment, and deletes what has to be, a page behind.
func (r *run) walk(
	reading, deleting context.Context, b brake, at int, first *storage.Page,
) {
	batches := make(chan batch)
	reader := sync.WaitGroup{}
	reader.Go(func() {
		defer close(batches)
		if err := r.readAll(reading, b, batches, at, first); err != nil && reading.Err() == nil {
			b.fail(err)
		}
	})
	for page := range batches {
		if reading.Err() != nil || !r.collect(deleting, b, page.candidates) {
			break
		}
		r.advance(deleting, at, page.next)
	}
	for range batches { // what was read and not begun is left to the next run
	}
	reader.Wait()
}

// readAll reads the pages of a segment. first is the first one, where it was read before.
func (r *run) readAll(ctx context.Context, b brake, batches chan<- batch, at int, first *storage.Page) error {
	r.mu.Lock()
	request := storage.ScanRequest{
		Segments: len(r.position.segments), Segment: at, Start: r.position.segments[at].Next,
	}
	r.mu.Unlock()
	for {
		var page storage.Page
		if first != nil {
			page, first = *first, nil
		} else {
			var err error
			if page, _, err = r.read(ctx, request, math.MaxInt); err != nil {
				return err
			}
		}
		select {
		case batches <- batch{r.judge(page), page.Next}:
		case <-ctx.Done():
			return nil
		}
		if page.Next == "" {
			return nil
		}
		if r.unitsReached() {
			b.reached(StoppedByUnits)
			return nil
		}
		request.Start = page.Next
	}
}

// read reads a page of at most so many records, or fewer where the budget says so.
func (r *run) read(ctx context.Context, request storage.ScanRequest, most int) (storage.Page, float64, error) {
	// Reads are eventually consistent, for half the price: what they miss, the condition of the delete sees.
	request.Fields, request.Consistency = storage.WithoutData, storage.Eventual
	var page storage.Page
	units, err := r.attempt(ctx, r.reads,
		func() float64 {
			request.Limit = min(r.costs.pageLimit(r.pageUnits(), r.pageSize), most)
			return r.costs.page(request.Limit)
		},
		func(u storage.Usage) float64 { return u.ReadUnits },
		func(ctx context.Context) (err error) {
			page, err = r.source.Scan(ctx, request)
			return err
		})
	if err != nil {
		return storage.Page{}, 0, err
	}
	looked := request.Limit
	if page.Next == "" || units > fullPageUnits {
		looked = len(page.Records) + len(page.Unreadable)
	}
	r.costs.read(looked, units)
	return page, units, nil
}

// pageUnits is how much a page may consume. A limit must leave room for more than reading a page, or a run would stop
// before it has done anything.
func (r *run) pageUnits() float64 {
	units := r.reads.current() * pageShare
	if r.limits.Units > 0 {
		units = min(units, r.limits.Units*pageShare)
	}
	return units
}

// fullPageUnits is what a page consumes that may have ended at the service's limit of 1 MB, and not at the one asked for.
const fullPageUnits = 120

// judge counts the records of a page and returns those that are to be deleted.
func (r *run) judge(page storage.Page) []candidate {
	now := r.now()
	var candidates []candidate
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, record := range page.Records {
		if storage.Reserved(record.Key) {
			continue
		}
		r.report.Scanned++
		rule := r.rules.judge(record, now)
		if rule == "" {
			continue
		}
		if oldest := &r.report.OldestExpired; rule == RuleExpired && (oldest.IsZero() || record.ExpiresAt.Before(*oldest)) {
			*oldest = record.ExpiresAt
		}
		candidates = append(candidates, candidate{record: record, rule: rule})
	}
	for _, unreadable := range page.Unreadable {
		if storage.Reserved(unreadable.Key) {
			continue
		}
		r.report.Scanned++
		if unreadable.Ghost == nil || r.ghosts == nil {
			r.report.Unreadable++
			continue
		}
		candidates = append(candidates, candidate{
			record: storage.Record{Key: unreadable.Key, Lease: *unreadable.Ghost}, rule: RuleGhost,
		})
	}
	return candidates
}
