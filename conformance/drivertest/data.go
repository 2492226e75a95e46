package drivertest

import (
	"bytes"
	"crypto/rand"

	"github.com/scsdynamo/scsdynamo/storage"
)

// dataCases are about payloads, and about whose memory they are.
func dataCases() []testCase {
	return []testCase{
		{
			id: "D-DATA-01", name: "EmptyPayload",
			rule: "A record with an empty payload is found; empty is not the same as absent.",
			run: func(p *probe) {
				for _, data := range [][]byte{{}, nil} {
					r := p.record(p.key())
					r.Data = data
					p.put(r, storage.Always())
					p.holds(r)
				}
				r := p.stored()
				r.Data = nil
				r.Version = storage.NewVersion()
				p.put(r, storage.Always())
				p.holds(r)
			},
		},
		{
			id: "D-DATA-02", name: "EveryByte",
			rule: "A payload is bytes: each of the 256 values is kept, wherever it stands.",
			run: func(p *probe) {
				r := p.record(p.key())
				r.Data = nil
				for i := range 256 {
					r.Data = append(r.Data, byte(i))
				}
				for i := range 256 {
					r.Data = append(r.Data, byte(255-i))
				}
				p.put(r, storage.Always())
				p.holds(r)
			},
		},
		{
			id: "D-DATA-03", name: "LargePayload",
			rule: "A payload of 300 KB is kept whole, and gives way to a small one.",
			run: func(p *probe) {
				r := p.record(p.key())
				r.Data = payload(300_000)
				p.put(r, storage.Always())
				p.holds(r)
				p.update(r.Key, storage.Change{UpdatedAt: r.UpdatedAt}, storage.IfVersion(r.Version, p.now))
				p.holds(r)
				small := p.next(r)
				p.put(small, storage.IfVersion(r.Version, p.now))
				p.holds(small)
			},
		},
		{
			id: "D-DATA-04", name: "TooLargePayload", needs: needsTooLarge,
			rule: "A record that exceeds what the driver can store is a *TooLargeError, and what was stored before is intact.",
			run: func(p *probe) {
				old := p.leased()
				r := p.next(old)
				r.Data = payload(p.options.TooLarge)
				for _, condition := range []storage.Condition{storage.Always(), storage.IfVersion(old.Version, p.now)} {
					if err := p.tryPut(p.ctx, r, condition); !refusal(err) {
						p.Fatalf("a *storage.TooLargeError whose size exceeds its limit was due, and the result was: %v", err)
					}
					p.holds(old)
				}
				r.Key = p.key()
				if err := p.tryPut(p.ctx, r, storage.IfAbsent(p.now)); !refusal(err) {
					p.Fatalf("a *storage.TooLargeError whose size exceeds its limit was due, and the result was: %v", err)
				}
				p.absent(r.Key)
			},
		},
		{
			id: "D-MEM-01", name: "PutKeepsNoMemory",
			rule: "The caller may change the payload it handed to Put as soon as Put has returned.",
			run: func(p *probe) {
				r := p.record(p.key())
				handed := r
				handed.Data = bytes.Clone(r.Data)
				p.put(handed, storage.Always())
				clear(handed.Data)
				p.holds(r)
			},
		},
		{
			id: "D-MEM-02", name: "GetGivesMemoryAway",
			rule: "The caller may change a payload that Get returned; nobody else sees it.",
			run: func(p *probe) {
				for _, r := range p.ofAllSizes() {
					kept, _ := p.get(r.Key)
					seen, _ := p.get(r.Key)
					clear(seen.Data)
					p.same("a record read earlier", r, kept)
					p.holds(r)
					p.put(p.next(r), storage.Always())
					p.delete(r.Key, storage.Always())
					p.same("a record read before it was overwritten and deleted", r, kept)
				}
			},
		},
		{
			id: "D-MEM-03", name: "ConflictGivesMemoryAway",
			rule: "The record that a conflict carries is the caller's to keep and to change.",
			run: func(p *probe) {
				wrong := storage.IfVersion(storage.NewVersion(), p.now)
				for _, r := range p.ofAllSizes() {
					carried := []*storage.Record{
						p.conflict(p.tryPut(p.ctx, p.next(r), wrong), &r),
						p.conflict(p.tryUpdate(p.ctx, r.Key, storage.Change{ExpiresAt: p.later()}, wrong), &r),
						p.conflict(p.tryDelete(p.ctx, r.Key, wrong), &r),
					}
					for _, c := range carried {
						clear(c.Data)
						c.Version, c.Lease = "", storage.Lease{}
					}
					p.holds(r)
					kept := p.conflict(p.tryDelete(p.ctx, r.Key, wrong), &r)
					p.put(p.next(r), storage.Always())
					p.same("the record that a conflict carried, after another write", r, *kept)
				}
			},
		},
		{
			id: "D-MEM-04", name: "UpdateKeepsNoMemory",
			rule: "The caller may change the lease it handed to Update as soon as Update has returned.",
			run: func(p *probe) {
				r := p.stored()
				r.Lease = p.lease()
				handed := r.Lease
				p.update(r.Key, storage.Change{Lease: &handed}, storage.Always())
				handed.ID = "changed"
				p.holds(r)
			},
		},
		{
			id: "D-MEM-07", name: "AcquireGivesMemoryAway", needs: needsLeaser,
			rule: "The caller may change a payload that Acquire returned, and keep it: nobody else sees it, and no later " +
				"write changes it.",
			run: func(p *probe) {
				for _, r := range p.ofAllSizes() {
					first := p.lease()
					kept, err := p.tryAcquire(p.ctx, r.Key, first, storage.Always())
					p.noError("Acquire", err)
					seen := p.acquire(r.Key, storage.Always())
					r.Lease = seen.Lease
					clear(seen.Data)
					p.holds(r)
					p.put(p.next(r), storage.Always())
					p.delete(r.Key, storage.Always())
					r.Lease = first
					p.same("a record acquired before it was overwritten and deleted", r, kept)
				}
			},
		},
		{
			id: "D-MEM-05", name: "ScanGivesMemoryAway", needs: needsScanner,
			rule: "The caller may change a payload that Scan returned.",
			run: func(p *probe) {
				records := p.ofAllSizes()
				for _, seen := range p.scanOwn(storage.ScanRequest{}, records...) {
					clear(seen.Data)
				}
				for _, r := range records {
					p.holds(r)
				}
			},
		},
	}
}

// ofAllSizes puts a small record and a larger one: engines keep them in different places.
func (p *probe) ofAllSizes() []storage.Record {
	small, large := p.leased(), p.record(p.key())
	large.Data = payload(20_000)
	p.put(large, storage.Always())
	return []storage.Record{small, large}
}

// bytes returns n bytes that no compression makes smaller.
func payload(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.Read(data) // It never fails.
	return data
}
