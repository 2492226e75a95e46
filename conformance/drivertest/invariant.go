package drivertest

import (
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// invariantCases prove a driver's part in the guarantees of the whole: each is named by the invariant it upholds.
func invariantCases() []testCase {
	return []testCase{
		{
			id: "I1", name: "CommitOverSeenVersionOnly",
			rule: "No commit succeeds over a version other than the one its request read.",
			run: func(p *probe) {
				seen := p.leased()
				current := p.next(seen)
				p.put(current, storage.IfVersion(seen.Version, p.now))
				for _, c := range []storage.Condition{
					storage.IfVersion(seen.Version, p.now),
					storage.IfVersionAndLease(seen.Version, seen.Lease.ID, p.now),
				} {
					p.conflict(p.tryPut(p.ctx, p.next(seen), c), &current)
					p.conflict(p.tryUpdate(p.ctx, seen.Key, storage.Change{ExpiresAt: p.later()}, c), &current)
					p.holds(current)
				}
			},
		},
		{
			id: "I2", name: "NoRevivalAfterDelete",
			rule: "A session that was deleted is not created anew by a late commit, nor by a commit to what took its place.",
			run: func(p *probe) {
				late := func(seen storage.Record, current *storage.Record) {
					for _, c := range []storage.Condition{
						storage.IfVersion(seen.Version, p.now),
						storage.IfVersionAndLease(seen.Version, seen.Lease.ID, p.now),
						storage.IfLease(seen.Lease.ID),
					} {
						p.conflict(p.tryPut(p.ctx, p.next(seen), c), current)
						p.conflict(p.tryUpdate(p.ctx, seen.Key, storage.Change{ExpiresAt: p.later()}, c), current)
					}
				}
				seen := p.leased()
				p.delete(seen.Key, storage.Always())
				late(seen, nil)
				p.conflict(p.tryPut(p.ctx, p.next(seen), storage.IfLive(p.now)), nil)
				p.absent(seen.Key)
				// Made anew by somebody else: a version that counts writes would be the same again.
				anew := p.record(seen.Key)
				p.put(anew, storage.IfAbsent(p.now))
				late(seen, &anew)
				p.holds(anew)
			},
		},
		{
			id: "I2", name: "NoRevivalAfterExpiry",
			rule: "A session that ended while a request was running does not come back with that request's commit or touch.",
			run: func(p *probe) {
				seen := p.leased()
				for _, c := range []storage.Condition{
					storage.IfVersion(seen.Version, p.later()),
					storage.IfVersionAndLease(seen.Version, seen.Lease.ID, p.later()),
					storage.IfLive(p.later()),
				} {
					next := p.next(seen)
					next.ExpiresAt = p.later().Add(lifetime)
					p.conflict(p.tryPut(p.ctx, next, c), &seen)
					p.conflict(p.tryUpdate(p.ctx, seen.Key, storage.Change{ExpiresAt: next.ExpiresAt}, c), &seen)
				}
				p.holds(seen)
			},
		},
		{
			id: "I3", name: "DeleteWinsOverLease",
			rule: "Delete always wins, at once, whoever holds a lease; what the holder does later changes nothing.",
			run: func(p *probe) {
				held := p.leased()
				p.delete(held.Key, storage.Always())
				p.absent(held.Key)
				p.conflict(p.tryPut(p.ctx, p.next(held), storage.IfVersionAndLease(held.Version, held.Lease.ID, p.now)), nil)
				p.conflict(p.tryUpdate(p.ctx, held.Key, storage.Change{Lease: &storage.Lease{}},
					storage.IfLease(held.Lease.ID)), nil)
				p.absent(held.Key)
			},
		},
		{
			id: "I3", name: "DeleteWinsOverAcquisition", needs: needsLeaser,
			rule: "Delete always wins, at once, also over an acquisition: what is deleted is not acquired, and not brought " +
				"back by being acquired.",
			run: func(p *probe) {
				for range rounds {
					r := p.stored()
					p.together(writers, func(i int) {
						if i == 0 {
							p.delete(r.Key, storage.Always())
							return
						}
						if _, err := p.tryAcquire(p.ctx, r.Key, p.lease(), storage.IfFree(p.now)); err != nil {
							p.anyConflict(err)
						}
					})
					p.absent(r.Key)
					for _, c := range conditionsOf(p, r) {
						_, err := p.tryAcquire(p.ctx, r.Key, p.lease(), c)
						p.conflict(err, nil)
					}
					p.absent(r.Key)
				}
			},
		},
		{
			id: "I4", name: "AcknowledgedWriteIsRead",
			rule: "A write that returned nil is seen by every strongly consistent read that starts afterwards.",
			run: func(p *probe) {
				r := p.stored()
				seenByAll := func(check func()) { p.together(4, func(int) { check() }) }
				for range rounds {
					r = p.next(r)
					p.put(r, storage.Always())
					seenByAll(func() { p.holds(r) })
					r.ExpiresAt, r.Lease = r.ExpiresAt.Add(time.Second), p.lease()
					p.update(r.Key, storage.Change{ExpiresAt: r.ExpiresAt, Lease: &r.Lease}, storage.Always())
					seenByAll(func() { p.holds(r) })
					p.delete(r.Key, storage.Always())
					seenByAll(func() { p.absent(r.Key) })
				}
			},
		},
		{
			id: "I6", name: "LateReleaseSparesNextLease",
			rule: "Releasing or renewing a lease never touches a later acquisition.",
			run: func(p *probe) {
				r := p.leased()
				old := r.Lease
				r.Lease = p.lease()
				p.update(r.Key, storage.Change{Lease: &r.Lease}, storage.IfLease(old.ID))
				renewed := old
				renewed.ExpiresAt = renewed.ExpiresAt.Add(time.Minute)
				p.conflict(p.tryUpdate(p.ctx, r.Key, storage.Change{Lease: &storage.Lease{}}, storage.IfLease(old.ID)), &r)
				p.conflict(p.tryUpdate(p.ctx, r.Key, storage.Change{Lease: &renewed}, storage.IfLease(old.ID)), &r)
				p.conflict(p.tryPut(p.ctx, p.next(r), storage.IfVersionAndLease(r.Version, old.ID, p.now)), &r)
				p.holds(r)
				// Freed, it is nobody's: the old holder's release does not match a free lease either.
				p.update(r.Key, storage.Change{Lease: &storage.Lease{}}, storage.IfLease(r.Lease.ID))
				r.Lease = storage.Lease{}
				p.conflict(p.tryUpdate(p.ctx, r.Key, storage.Change{Lease: &renewed}, storage.IfLease(old.ID)), &r)
				p.holds(r)
			},
		},
		{
			id: "I6", name: "FormerHolderSparesAcquisition", needs: needsLeaser,
			rule: "What a former holder does never touches a later acquisition, also when both happen at the same time.",
			run: func(p *probe) {
				r := p.stored()
				former := p.acquire(r.Key, storage.IfFree(p.now))
				r = p.acquire(r.Key, storage.IfFreeOrUnchanged(former.Lease, p.now))
				renewed := former.Lease
				renewed.ExpiresAt = renewed.ExpiresAt.Add(time.Minute)
				p.conflict(p.tryUpdate(p.ctx, r.Key, storage.Change{Lease: &storage.Lease{}}, storage.IfLease(former.Lease.ID)), &r)
				p.conflict(p.tryUpdate(p.ctx, r.Key, storage.Change{Lease: &renewed}, storage.IfLease(former.Lease.ID)), &r)
				p.conflict(p.tryPut(p.ctx, p.next(former), storage.IfVersionAndLease(former.Version, former.Lease.ID, p.now)), &r)
				p.holds(r)
				for range rounds {
					former = r
					p.together(2, func(i int) {
						if i == 0 { // Free by then, or unchanged: it is taken over in any case.
							r = p.acquire(former.Key, storage.IfFreeOrUnchanged(former.Lease, p.now))
							return
						}
						err := p.tryUpdate(p.ctx, former.Key, storage.Change{Lease: &storage.Lease{}}, storage.IfLease(former.Lease.ID))
						if err != nil {
							p.anyConflict(err)
						}
					})
					p.holds(r)
				}
			},
		},
		{
			id: "I7", name: "CollectionSparesRenewed",
			rule: "Collection never removes a session that was renewed or committed after the collector read it, and removes " +
				"one that was not.",
			run: func(p *probe) {
				cutoff := p.later()
				for _, condition := range []func(storage.Record) storage.Condition{
					storage.IfUnchanged,
					func(storage.Record) storage.Condition { return storage.IfExpiredAndFree(cutoff) },
				} {
					collect := func(seen storage.Record) error { return p.tryDelete(p.ctx, seen.Key, condition(seen)) }
					renewed := p.stored() // A renewal keeps the version: only the expiry tells.
					seen := renewed
					renewed.ExpiresAt = cutoff.Add(1)
					p.update(renewed.Key, storage.Change{ExpiresAt: renewed.ExpiresAt}, storage.IfVersion(renewed.Version, p.now))
					p.conflict(collect(seen), &renewed)
					p.holds(renewed)

					seen = p.stored()
					committed := p.next(seen)
					committed.ExpiresAt = cutoff.Add(1)
					p.put(committed, storage.IfVersion(seen.Version, p.now))
					p.conflict(collect(seen), &committed)
					p.holds(committed)

					held := p.stored() // A request has it by now.
					seen = held
					held.Lease = p.lease()
					p.update(seen.Key, storage.Change{Lease: &held.Lease}, storage.IfFree(p.now))
					p.conflict(collect(seen), &held)
					p.holds(held)

					seen = p.stored()
					p.noError("Delete", collect(seen))
					p.absent(seen.Key)
				}
				seen := p.stored() // A commit changes the version, here with an expiry that is over just as well.
				committed := p.next(seen)
				p.put(committed, storage.IfVersion(seen.Version, p.now))
				p.conflict(p.tryDelete(p.ctx, seen.Key, storage.IfUnchanged(seen)), &committed)
				p.holds(committed)
			},
		},
		{
			id: "I7", name: "CollectionAgainstRenewal",
			rule: "Of a collection and a renewal at the same time, exactly one succeeds.",
			run: func(p *probe) {
				cutoff := p.later()
				for round := range 2 * rounds {
					r := p.stored()
					condition := storage.IfUnchanged(r)
					if round%2 == 0 {
						condition = storage.IfExpiredAndFree(cutoff)
					}
					later := cutoff.Add(1)
					var collected, renewed error
					p.together(2, func(i int) {
						if i == 0 {
							collected = p.tryDelete(p.ctx, r.Key, condition)
						} else {
							renewed = p.tryUpdate(p.ctx, r.Key, storage.Change{ExpiresAt: later}, storage.IfVersion(r.Version, p.now))
						}
					})
					switch {
					case collected == nil && errors.Is(renewed, storage.ErrConflict):
						p.conflict(renewed, nil)
						p.absent(r.Key)
					case renewed == nil && errors.Is(collected, storage.ErrConflict):
						r.ExpiresAt = later
						p.conflict(collected, &r)
						p.holds(r)
					default:
						p.Fatalf("the collection resulted in %v, the renewal in %v", collected, renewed)
					}
				}
			},
		},
	}
}
