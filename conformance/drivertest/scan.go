package drivertest

import (
	"sync/atomic"

	"github.com/scsdynamo/scsdynamo/storage"
)

// scanCases are about Scan. Other records may be in the same backend; the cases look at their own only.
func scanCases() []testCase {
	return []testCase{
		{
			id: "D-SCAN-01", name: "Ends", needs: needsScanner,
			rule: "A scan ends, also where it finds nothing, and finds no record that was deleted.",
			run: func(p *probe) {
				r := p.stored()
				p.delete(r.Key, storage.Always())
				for _, seen := range p.scan(storage.ScanRequest{}) {
					if seen.Key == r.Key {
						p.Fatalf("the scan returned a record that was deleted before it began")
					}
				}
			},
		},
		{
			id: "D-SCAN-02", name: "WholeRecords", needs: needsScanner,
			rule: "A scan returns each record exactly once, whole, whatever the pages.",
			run: func(p *probe) {
				records := p.population(25)
				for _, limit := range []int{0, 1, 7, 1000} {
					p.scanOwn(storage.ScanRequest{Limit: limit}, records...)
				}
			},
		},
		{
			id: "D-SCAN-03", name: "LimitBoundsPage", needs: needsScanner,
			rule: "A page has no more records than the limit.",
			run: func(p *probe) {
				p.population(10)
				for _, limit := range []int{1, 3} {
					p.pages(storage.ScanRequest{Limit: limit}, func(page storage.Page) {
						if n := len(page.Records) + len(page.Unreadable); n > limit {
							p.Fatalf("a page with a limit of %d has %d records", limit, n)
						}
					})
				}
			},
		},
		{
			id: "D-SCAN-04", name: "PositionResumes", needs: needsScanner,
			rule: "A position is where the scan goes on, whenever it is used, as often as it is used, and with another limit.",
			run: func(p *probe) {
				records := p.population(12)
				own := byKey(records)
				seen := map[string]int{}
				var positions []storage.Position
				var first int
				p.pages(storage.ScanRequest{Limit: 4}, func(page storage.Page) {
					for _, r := range page.Records {
						if _, ok := own[r.Key]; ok {
							seen[r.Key] = len(positions)
						}
					}
					first += len(page.Records)
					if page.Next != "" {
						positions = append(positions, page.Next)
					}
				})
				if len(positions) == 0 {
					p.Fatalf("a scan of 12 records with a limit of 4 had a single page, of %d records", first)
				}
				middle := len(positions) / 2
				for range 2 {
					rest := map[string]bool{}
					p.pages(storage.ScanRequest{Limit: 3, Start: positions[middle]}, func(page storage.Page) {
						for _, r := range page.Records {
							rest[r.Key] = true
						}
					})
					for key, page := range seen {
						if after := page > middle; after != rest[key] {
							p.Fatalf("a record of page %d: returned %v by a scan that goes on after page %d", page, rest[key], middle)
						}
					}
				}
			},
		},
		{
			id: "D-SCAN-05", name: "Segments", needs: needsScanner,
			rule: "Segments are disjoint, and together they are everything.",
			run: func(p *probe) {
				records := p.population(25)
				for _, segments := range []int{1, 2, 5} {
					var all []storage.Record
					for segment := range segments {
						all = append(all, p.scan(storage.ScanRequest{Segments: segments, Segment: segment, Limit: 4})...)
					}
					p.sameOwn(records, all)
				}
			},
		},
		{
			id: "D-SCAN-06", name: "WithoutData", needs: needsScanner,
			rule: "A scan without data leaves the payload out, and nothing else.",
			run: func(p *probe) {
				var want []storage.Record
				for _, r := range p.population(5) {
					r.Data = nil
					want = append(want, r)
				}
				seen := p.scan(storage.ScanRequest{WithoutData: true})
				p.sameOwn(want, seen)
				for _, r := range seen {
					if r.Data != nil {
						p.Fatalf("a record has a payload")
					}
				}
			},
		},
		{
			id: "D-SCAN-07", name: "ManyBytes", needs: needsScanner,
			rule: "A scan of more bytes than fit into a page is complete.",
			run: func(p *probe) {
				records := make([]storage.Record, 24)
				for i := range records {
					records[i] = p.record(p.key())
					records[i].Data = payload(100_000)
					p.put(records[i], storage.Always())
				}
				p.scanOwn(storage.ScanRequest{}, records...)
				p.scanOwn(storage.ScanRequest{Limit: 1000}, records...)
			},
		},
		{
			id: "D-SCAN-08", name: "ExpiredRecordIsNotHidden", needs: needsScanner,
			rule: "A scan returns expired records as they are; it does not hide what Get still finds.",
			run: func(p *probe) {
				r := p.record(p.key())
				r.ExpiresAt = p.now.Add(-lifetime)
				p.put(r, storage.Always())
				for _, seen := range p.scan(storage.ScanRequest{Consistency: storage.Strong}) {
					if seen.Key == r.Key {
						p.same("the scanned record", r, seen)
						return
					}
				}
				p.absent(r.Key)
			},
		},
		{
			id: "D-SCAN-09", name: "DuringWrites", needs: needsScanner,
			rule: "While others are written and deleted, a record that is there unchanged during the whole scan is returned " +
				"exactly once, and no record twice.",
			run: func(p *probe) {
				records := p.population(40)
				var scanned atomic.Bool
				p.together(3, func(i int) {
					if i == 0 {
						defer scanned.Store(true)
						for range 3 {
							p.scanOwn(storage.ScanRequest{Limit: 5}, records...)
						}
						return
					}
					for !scanned.Load() && p.ctx.Err() == nil {
						r := p.stored()
						p.put(p.next(r), storage.Always())
						p.delete(r.Key, storage.Always())
					}
				})
			},
		},
		{
			id: "D-SCAN-10", name: "InvalidRequest", needs: needsScanner,
			rule: "A request that no driver can serve is an error.",
			run: func(p *probe) {
				for _, request := range []storage.ScanRequest{
					{Segments: -1},
					{Segments: storage.MaxSegments + 1},
					{Segment: 1},
					{Segments: 1, Segment: 1},
					{Segments: 3, Segment: 3},
					{Segments: 3, Segment: -1},
					{Limit: -1},
				} {
					if _, err := p.tryScan(p.ctx, request); err == nil {
						p.Fatalf("the scan of part %d of %d with limit %d was no error", request.Segment, request.Segments, request.Limit)
					}
				}
			},
		},
	}
}

// population puts n records of different kinds.
func (p *probe) population(n int) []storage.Record {
	records := make([]storage.Record, n)
	for i := range records {
		records[i] = p.record(p.key())
		switch i % 3 {
		case 1:
			records[i].Lease = p.lease()
			records[i].Succeed(p.record(""))
		case 2:
			records[i].Data = nil
		}
		p.put(records[i], storage.Always())
	}
	return records
}

// pages calls f with each page of a strongly consistent scan.
func (p *probe) pages(request storage.ScanRequest, f func(storage.Page)) {
	request.Consistency = storage.Strong
	before := map[storage.Position]bool{}
	for {
		page, err := p.tryScan(p.ctx, request)
		p.noError("Scan", err)
		f(page)
		if page.Next == "" {
			return
		}
		if before[page.Next] {
			p.Fatalf("the scan comes back to a position where it was before")
		}
		before[page.Next] = true
		request.Start = page.Next
	}
}

// scan returns the records of all pages.
func (p *probe) scan(request storage.ScanRequest) []storage.Record {
	var all []storage.Record
	p.pages(request, func(page storage.Page) { all = append(all, page.Records...) })
	return all
}

// scanOwn returns what a scan finds of the records, and fails unless it finds each of them exactly once and whole, and
// no record twice.
func (p *probe) scanOwn(request storage.ScanRequest, records ...storage.Record) []storage.Record {
	return p.sameOwn(records, p.scan(request))
}

// sameOwn returns those records of all that are under the keys of want, and fails unless each of want is there once and
// whole, and none of all is there twice.
func (p *probe) sameOwn(want, all []storage.Record) []storage.Record {
	wanted := byKey(want)
	seen := map[string]bool{}
	var own []storage.Record
	for _, r := range all {
		if seen[r.Key] {
			p.Fatalf("the scan returned a record twice")
		}
		seen[r.Key] = true
		if w, ok := wanted[r.Key]; ok {
			p.same("a scanned record", w, r)
			own = append(own, r)
		}
	}
	if len(own) != len(want) {
		p.Fatalf("the scan returned %d of %d records", len(own), len(want))
	}
	return own
}

func byKey(records []storage.Record) map[string]storage.Record {
	byKey := make(map[string]storage.Record, len(records))
	for _, r := range records {
		byKey[r.Key] = r
	}
	return byKey
}
