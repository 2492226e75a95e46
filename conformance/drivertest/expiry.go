package drivertest

import (
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// expiryCases are about instants.
func expiryCases() []testCase {
	return []testCase{
		{
			id: "D-EXP-01", name: "ExactInstant",
			rule: "The expiry is kept to the nanosecond, up to the year 9999.",
			run: func(p *probe) {
				for _, expiry := range futureInstants(p) {
					r := p.record(p.key())
					r.ExpiresAt = expiry
					p.put(r, storage.Always())
					p.holds(r)
				}
			},
		},
		{
			id: "D-EXP-02", name: "TimeZoneDoesNotMatter",
			rule: "An expiry is an instant: the zone it is written in changes nothing.",
			run: func(p *probe) {
				instant := p.now.Add(lifetime + 1)
				for _, hours := range []int{-12, -3, 0, 5, 14} {
					zone := time.FixedZone("zone", hours*3600+1800)
					r := p.record(p.key())
					r.CreatedAt, r.UpdatedAt, r.ExpiresAt = r.CreatedAt.In(zone), r.UpdatedAt.In(zone), instant.In(zone)
					p.put(r, storage.Always())
					p.holds(r)
					p.conflict(p.tryUpdate(p.ctx, r.Key, storage.Change{},
						storage.IfLive(instant.In(time.FixedZone("other", -7200)))), &r)
					p.update(r.Key, storage.Change{}, storage.IfLive(instant.Add(-1).In(time.FixedZone("other", -7200))))
				}
			},
		},
		{
			id: "D-EXP-03", name: "PastInstant",
			rule: "An expiry in the past, down to the year 1, is stored like any other: the record is there, exact to the " +
				"nanosecond, or was removed since.",
			run: func(p *probe) {
				for _, expiry := range []time.Time{
					p.now.Add(-1),
					p.now.Add(-lifetime),
					time.Unix(1, 999_999_999),
					time.Unix(0, 0),
					time.Unix(-1, 1),
					time.Date(1969, time.July, 20, 20, 17, 40, 5, time.UTC),
					time.Date(1677, time.January, 1, 0, 0, 0, 999_999_999, time.UTC), // Before what int64 nanoseconds hold.
					time.Date(1, time.January, 1, 0, 0, 0, 1, time.UTC),
				} {
					r := p.record(p.key())
					r.ExpiresAt = expiry
					p.put(r, storage.Always())
					if seen, found := p.get(r.Key); found {
						p.same("the expired record", r, seen)
					}
					p.conflictOrGone(p.tryUpdate(p.ctx, r.Key, storage.Change{ExpiresAt: p.later()}, storage.IfLive(p.now)), r)
					p.conflictOrGone(p.tryPut(p.ctx, p.next(r), storage.IfVersion(r.Version, p.now)), r)
					fresh := p.next(r)
					fresh.ExpiresAt = p.now.Add(lifetime)
					p.put(fresh, storage.IfAbsent(p.now))
					p.holds(fresh)
				}
			},
		},
		{
			id: "D-EXP-04", name: "DeadAtItsInstant",
			rule: "A record is live one nanosecond before its expiry and expired at it, not after it, in every condition.",
			run: func(p *probe) {
				for _, expiry := range futureInstants(p) {
					r := p.record(p.key())
					r.ExpiresAt = expiry
					r.Lease = p.lease()
					p.put(r, storage.Always())
					before, after := expiry.Add(-1), expiry.Add(1)
					for _, c := range []struct {
						holds, fails storage.Condition
					}{
						{storage.IfLive(before), storage.IfLive(expiry)},
						{storage.IfAbsent(expiry), storage.IfAbsent(before)},
						{storage.IfVersion(r.Version, before), storage.IfVersion(r.Version, expiry)},
						{
							storage.IfVersionAndLease(r.Version, r.Lease.ID, before),
							storage.IfVersionAndLease(r.Version, r.Lease.ID, expiry),
						},
						{storage.IfFreeOrUnchanged(r.Lease, before), storage.IfFreeOrUnchanged(r.Lease, expiry)},
					} {
						p.update(r.Key, storage.Change{}, c.holds)
						p.conflict(p.tryUpdate(p.ctx, r.Key, storage.Change{}, c.fails), &r)
					}
					for _, other := range []time.Time{before, after} {
						seen := r
						seen.ExpiresAt = other
						p.conflict(p.tryUpdate(p.ctx, r.Key, storage.Change{}, storage.IfUnchanged(seen)), &r)
					}
					p.update(r.Key, storage.Change{}, storage.IfUnchanged(r))
					r = p.release(r)
					p.update(r.Key, storage.Change{}, storage.IfFree(before))
					p.conflict(p.tryUpdate(p.ctx, r.Key, storage.Change{}, storage.IfFree(expiry)), &r)
					p.update(r.Key, storage.Change{}, storage.IfExpiredAndFree(expiry))
					p.conflict(p.tryUpdate(p.ctx, r.Key, storage.Change{}, storage.IfExpiredAndFree(before)), &r)
				}
			},
		},
		{
			id: "D-EXP-05", name: "UpdatedInstant",
			rule: "Update keeps the expiry as exactly as Put does, and conditions judge the new one.",
			run: func(p *probe) {
				r := p.stored()
				for _, expiry := range futureInstants(p) {
					p.update(r.Key, storage.Change{ExpiresAt: expiry}, storage.Always())
					r.ExpiresAt = expiry
					p.holds(r)
					p.update(r.Key, storage.Change{}, storage.IfVersion(r.Version, expiry.Add(-1)))
					p.conflict(p.tryUpdate(p.ctx, r.Key, storage.Change{}, storage.IfVersion(r.Version, expiry)), &r)
				}
			},
		},
	}
}

// futureInstants are expiries that no backend acts on while the case runs.
func futureInstants(p *probe) []time.Time {
	base := p.now.Add(lifetime)
	return []time.Time{
		base,
		base.Add(1),
		base.Add(999_999_999),
		base.Add(500 * time.Millisecond),
		base.Add(123_456 * time.Microsecond),
		base.AddDate(50, 0, 0).Add(7),
		time.Unix(1<<32, 1), // Beyond 32 bits of seconds, signed or not.
		time.Date(2262, time.April, 12, 0, 0, 0, 1, time.UTC), // Beyond 64 bits of nanoseconds.
		time.Date(9999, time.December, 31, 23, 59, 59, 999_999_999, time.UTC),
	}
}

// conflictOrGone fails unless err is a conflict with the record that is expired, or without one because it was removed.
func (p *probe) conflictOrGone(err error, expired storage.Record) {
	if carried := p.anyConflict(err); carried != nil {
		p.same("the record that the conflict carries", expired, *carried)
	}
}
