package drivertest

import (
	"errors"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/storage"
)

// leaseCases are about Acquire, and about who has a lease when several want it.
func leaseCases() []testCase {
	return []testCase{
		{
			id: "D-LEASE-01", name: "ReturnsWholeRecord", needs: needsLeaser,
			rule: "Acquire sets the lease, changes nothing else, and returns the whole record as it is then.",
			run: func(p *probe) {
				for _, r := range p.ofAllSizes() {
					for range 2 { // over a lease or none, and over one again
						lease := p.lease()
						seen, err := p.tryAcquire(p.ctx, r.Key, lease, storage.Always())
						p.noError("Acquire", err)
						r.Lease = lease
						p.same("the record that was acquired", r, seen)
						p.holds(r)
					}
				}
			},
		},
		{
			id: "D-LEASE-02", name: "NeverCreates", needs: needsLeaser,
			rule: "Acquire never creates a record: where there is none, it is a conflict without a record, whatever the " +
				"condition.",
			run: func(p *probe) {
				for _, condition := range conditionsOf(p, p.leased()) {
					key := p.key()
					_, err := p.tryAcquire(p.ctx, key, p.lease(), condition)
					p.conflict(err, nil)
					p.absent(key)
				}
			},
		},
		{
			id: "D-LEASE-03", name: "ExpiredIsNotAcquired", needs: needsLeaser,
			rule: "What is expired is neither acquired nor taken over: it is a conflict that carries the record.",
			run: func(p *probe) {
				for _, r := range []storage.Record{p.stored(), p.leased()} {
					seen := r.Lease
					if seen.Free() {
						seen = p.lease()
					}
					for _, c := range []storage.Condition{
						storage.IfFree(r.ExpiresAt), storage.IfFree(p.later()),
						storage.IfFreeOrUnchanged(seen, r.ExpiresAt), storage.IfFreeOrUnchanged(seen, p.later()),
					} {
						_, err := p.tryAcquire(p.ctx, r.Key, p.lease(), c)
						p.conflict(err, &r)
						p.holds(r)
					}
				}
			},
		},
		{
			id: "D-LEASE-04", name: "HeldIsNotAcquired", needs: needsLeaser,
			rule: "While somebody has the lease, also one that should have ended, an acquisition under IfFree is a conflict " +
				"that carries it; once released, it succeeds.",
			run: func(p *probe) {
				r := p.stored()
				for range 3 {
					lease := p.lease()
					lease.ExpiresAt = p.now.Add(-lifetime) // by the holder's clock, on which nothing rests
					held, err := p.tryAcquire(p.ctx, r.Key, lease, storage.IfFree(p.now))
					p.noError("Acquire", err)
					_, err = p.tryAcquire(p.ctx, r.Key, p.lease(), storage.IfFree(p.now))
					p.conflict(err, &held)
					p.holds(held)
					p.release(held)
				}
			},
		},
		{
			id: "D-LEASE-05", name: "TakenOverIfUnchanged", needs: needsLeaser,
			rule: "A lease is taken over under IfFreeOrUnchanged exactly if it is free or still the one seen: not if it was " +
				"renewed since, or is another acquisition's.",
			run: func(p *probe) {
				refused := func(seen storage.Lease, r storage.Record) {
					_, err := p.tryAcquire(p.ctx, r.Key, p.lease(), storage.IfFreeOrUnchanged(seen, p.now))
					p.conflict(err, &r)
					p.holds(r)
				}
				seen := p.leased()
				r := p.acquire(seen.Key, storage.IfFreeOrUnchanged(seen.Lease, p.now))
				p.holds(r)
				refused(seen.Lease, r)

				seen = r
				r.Lease.ExpiresAt = r.Lease.ExpiresAt.Add(lifetime)
				p.update(r.Key, storage.Change{Lease: &r.Lease}, storage.IfLease(seen.Lease.ID))
				refused(seen.Lease, r)

				seen = r
				p.release(r)
				r = p.acquire(r.Key, storage.IfFree(p.now))
				refused(seen.Lease, r)

				seen = r
				p.release(r)
				p.holds(p.acquire(r.Key, storage.IfFreeOrUnchanged(seen.Lease, p.now)))
			},
		},
		{
			id: "D-LEASE-06", name: "OwnLeaseIsSuccess", needs: needsLeaser,
			rule: "A record that already has the very lease is acquired, whatever the condition: an earlier attempt may have " +
				"done it.",
			run: func(p *probe) {
				r := p.stored()
				r.Lease = p.lease()
				for _, c := range append(conditionsOf(p, r), storage.IfFree(p.now), storage.IfFree(p.later()),
					storage.IfVersion(storage.NewVersion(), p.now)) {
					p.update(r.Key, storage.Change{Lease: &r.Lease}, storage.Always())
					seen, err := p.tryAcquire(p.ctx, r.Key, r.Lease, c)
					p.noError("Acquire by who has the lease", err)
					p.same("the record that was acquired", r, seen)
					p.holds(r)
				}
			},
		},
		{
			id: "D-LEASE-07", name: "OneAcquirer", needs: needsLeaser,
			rule: "Of the acquisitions of one free record at the same time, exactly one succeeds; the others are conflicts " +
				"with the lease that won.",
			run: func(p *probe) {
				r := p.stored()
				for range rounds {
					r = p.onlyOneWins(func(int) (storage.Record, error) {
						return p.tryAcquire(p.ctx, r.Key, p.lease(), storage.IfFree(p.now))
					})
					r = p.release(r)
				}
			},
		},
		{
			id: "D-LEASE-08", name: "OneTakeover", needs: needsLeaser,
			rule: "Of those that take over one lease at the same time, exactly one succeeds; the others are conflicts with " +
				"the lease that won.",
			run: func(p *probe) {
				r := p.leased()
				for range rounds {
					seen := r.Lease
					r = p.onlyOneWins(func(int) (storage.Record, error) {
						return p.tryAcquire(p.ctx, r.Key, p.lease(), storage.IfFreeOrUnchanged(seen, p.now))
					})
				}
			},
		},
		{
			id: "D-LEASE-09", name: "TakeoverAgainstRenewal", needs: needsLeaser,
			rule: "Of a renewal and a takeover of one lease at the same time, exactly one succeeds, and the other meets its " +
				"lease.",
			run: func(p *probe) {
				for range rounds {
					r := p.leased()
					renewed, taken := r, r
					renewed.Lease.ExpiresAt = r.Lease.ExpiresAt.Add(lifetime)
					var errs [2]error
					p.together(2, func(i int) {
						if i == 0 {
							errs[i] = p.tryUpdate(p.ctx, r.Key, storage.Change{Lease: &renewed.Lease}, storage.IfLease(r.Lease.ID))
							return
						}
						taken, errs[i] = p.tryAcquire(p.ctx, r.Key, p.lease(), storage.IfFreeOrUnchanged(r.Lease, p.now))
					})
					switch {
					case errs[0] == nil && errs[1] != nil:
						p.conflict(errs[1], &renewed)
						p.holds(renewed)
					case errs[0] != nil && errs[1] == nil:
						p.conflict(errs[0], &taken)
						p.holds(taken)
					default:
						p.Fatalf("the renewal resulted in %v, the takeover in %v", errs[0], errs[1])
					}
				}
			},
		},
		{
			id: "D-LEASE-10", name: "ReturnsWhatItLeased", needs: needsLeaser,
			rule: "An acquisition that meets a commit which frees the lease returns what was committed: it reads in the same " +
				"step in which it acquires, not before it.",
			run: func(p *probe) {
				for range 2 * rounds {
					held := p.leased()
					next := p.next(held)
					next.Lease = storage.Lease{}
					p.together(5, func(i int) {
						if i == 0 {
							p.put(next, storage.IfVersionAndLease(held.Version, held.Lease.ID, p.now))
							return
						}
						lease := p.lease()
						seen, err := p.tryAcquire(p.ctx, next.Key, lease, storage.IfFree(p.now))
						if err != nil {
							if carried := p.anyConflict(err); carried == nil || carried.Lease.Free() {
								p.Fatalf("an acquisition was refused although nobody has the lease, by the record that the conflict carries")
							}
							return
						}
						want := next
						want.Lease = lease
						p.same("the record that was acquired", want, seen)
					})
				}
			},
		},
		{
			id: "D-LEASE-11", name: "NeedsAnID", needs: needsLeaser,
			rule: "An acquisition without an ID is an error, not a conflict, and changes nothing.",
			run: func(p *probe) {
				for _, r := range []storage.Record{p.stored(), p.leased()} {
					lease := p.lease()
					lease.ID = ""
					for _, c := range conditionsOf(p, r) {
						if _, err := p.tryAcquire(p.ctx, r.Key, lease, c); err == nil || errors.Is(err, storage.ErrConflict) {
							p.Fatalf("the result of an acquisition without an ID was: %v", err)
						}
						p.holds(r)
					}
				}
			},
		},
		{
			id: "D-LEASE-12", name: "TombstoneIsNotAcquired", needs: needsLeaser,
			rule: "A tombstone is neither acquired nor taken over: it is a conflict that carries it.",
			run: func(p *probe) {
				for _, lease := range []storage.Lease{{}, p.lease()} {
					r := ended.Tombstone(storage.Record{Key: p.key()}, "successor", p.now)
					r.Lease = lease
					p.put(r, storage.Always())
					seen := lease
					if seen.Free() {
						seen = p.lease()
					}
					for _, c := range []storage.Condition{storage.IfFree(p.now), storage.IfFreeOrUnchanged(seen, p.now)} {
						_, err := p.tryAcquire(p.ctx, r.Key, p.lease(), c)
						p.conflict(err, &r)
						p.holds(r)
					}
				}
			},
		},
	}
}
