package drivertest

import (
	"bytes"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/storage"
)

// basicCases are about Get, Put and Delete on their own.
func basicCases() []testCase {
	return []testCase{
		{
			id: "D-GET-01", name: "UnknownKey",
			rule: "Get of a key that was never stored finds nothing and is no error, however fresh the read must be.",
			run: func(p *probe) {
				p.absent(p.key())
				_, found, err := p.tryGet(p.ctx, p.key(), storage.Eventual)
				p.noError("Get", err)
				if found {
					p.Fatalf("an eventual read found a record that never was")
				}
			},
		},
		{
			id: "D-GET-02", name: "WholeRecord",
			rule: "Get returns the record as it was put: key, payload, version, ancestry, instants and lease.",
			run: func(p *probe) {
				p.holds(p.stored())
				r := p.leased()
				p.holds(r)
				for range 5 { // until the ancestry is as long as it becomes
					r = p.next(r)
					p.put(r, storage.Always())
					p.holds(r)
				}
			},
		},
		{
			id: "D-GET-05", name: "WhatIsNoSessionStaysSo",
			rule: "A tombstone, an arrival and a departure are what they were when they are read: UpdatedAt is kept as " +
				"exactly as ExpiresAt.",
			run: func(p *probe) {
				session := p.record(p.key())
				session.ExpiresAt = p.now.Add(time.Hour + 123456789*time.Nanosecond)
				from := p.key()
				arrival := ended.Arrival(session, from)
				departure := ended.Departure(from, arrival, p.now.Add(987654321*time.Nanosecond))
				tombstone := ended.Tombstone(storage.Record{Key: p.key()}, "successor", p.now.Add(1))
				for _, r := range []storage.Record{arrival, departure, tombstone} {
					p.put(r, storage.IfAbsent(p.now))
				}
				if seen, _ := p.get(tombstone.Key); !seen.Ended() || ended.Successor(seen) != "successor" {
					p.Fatalf("a tombstone is none any more")
				}
				seen, _ := p.get(arrival.Key)
				arrived, origin, ok := ended.Arrived(seen)
				if !ok || origin != from || arrived.Version != session.Version || !bytes.Equal(arrived.Data, session.Data) {
					p.Fatalf("an arrival does not announce its session any more")
				}
				if left, _ := p.get(from); !ended.Departed(left, seen) {
					p.Fatalf("a departure is not that of its arrival any more")
				}
			},
		},
		{
			id: "D-GET-03", name: "EventualReadIsSomeState",
			rule: "An eventual read returns a state that the record was in, or nothing, never a mixture.",
			run: func(p *probe) {
				first := p.stored()
				second := p.next(first)
				p.put(second, storage.Always())
				seen, found, err := p.tryGet(p.ctx, first.Key, storage.Eventual)
				p.noError("Get", err)
				if found && difference(first, seen) != "" && difference(second, seen) != "" {
					p.Fatalf("the record is neither the one before the last write nor the one after it")
				}
			},
		},
		{
			id: "D-GET-04", name: "ExpiredRecordIsNotHidden",
			rule: "A driver returns expired records as they are; it may remove them, but not hide what it still has.",
			run: func(p *probe) {
				r := p.record(p.key())
				r.ExpiresAt = p.now.Add(-time.Minute)
				p.put(r, storage.Always())
				seen, found := p.get(r.Key)
				if found {
					p.same("the expired record", r, seen)
					return
				}
				// Only a record that is there can be updated.
				p.conflict(p.tryUpdate(p.ctx, r.Key, storage.Change{UpdatedAt: p.now}, storage.Always()), nil)
			},
		},
		{
			id: "D-PUT-01", name: "ReplacesWholeRecord",
			rule: "Put stores the whole record in place of the one under its key: a shorter payload leaves no tail, and no " +
				"field of the old record survives.",
			run: func(p *probe) {
				old := p.leased()
				r := p.next(old)
				r.Data = []byte("short")
				r.CreatedAt = old.CreatedAt.Add(time.Minute)
				r.Lease, r.Ancestry = storage.Lease{}, ""
				p.put(r, storage.Always())
				p.holds(r)
			},
		},
		{
			id: "D-PUT-02", name: "TouchesOnlyItsKey",
			rule: "A write leaves the records under other keys as they are.",
			run: func(p *probe) {
				bystander, r := p.stored(), p.stored()
				p.put(p.next(r), storage.Always())
				p.update(r.Key, storage.Change{ExpiresAt: p.later()}, storage.Always())
				p.delete(r.Key, storage.Always())
				p.holds(bystander)
			},
		},
		{
			id: "D-PUT-03", name: "CreationOfFirstPut",
			rule: "A record put without its creation, where there is none, was created when it was updated.",
			run: func(p *probe) {
				for _, condition := range []storage.Condition{storage.Always(), storage.IfAbsent(p.now)} {
					r := p.record(p.key())
					r.CreatedAt = time.Time{}
					p.put(r, condition)
					r.CreatedAt = r.UpdatedAt
					p.holds(r)
				}
			},
		},
		{
			id: "D-PUT-04", name: "CreationSurvivesOverwrite",
			rule: "A record put without its creation keeps that of the record it overwrites.",
			run: func(p *probe) {
				old := p.leased()
				for _, condition := range []func(storage.Record) storage.Condition{
					func(storage.Record) storage.Condition { return storage.Always() },
					func(storage.Record) storage.Condition { return storage.IfLive(p.now) },
					func(r storage.Record) storage.Condition { return storage.IfVersion(r.Version, p.now) },
					func(r storage.Record) storage.Condition {
						return storage.IfVersionAndLease(r.Version, r.Lease.ID, p.now)
					},
					func(r storage.Record) storage.Condition { return storage.IfLease(r.Lease.ID) },
					func(r storage.Record) storage.Condition { return storage.IfFreeOrUnchanged(r.Lease, p.now) },
					storage.IfUnchanged,
				} {
					r := p.next(old)
					r.CreatedAt = time.Time{}
					p.put(r, condition(old))
					r.CreatedAt = old.CreatedAt
					p.holds(r)
					old = r
				}
				r := p.next(old)
				r.Lease = storage.Lease{}
				p.put(r, storage.Always())
				next := p.next(r)
				next.CreatedAt = time.Time{}
				p.put(next, storage.IfFree(p.now))
				next.CreatedAt = r.CreatedAt
				p.holds(next)
			},
		},
		{
			id: "D-PUT-05", name: "NothingSurvivesExpiredRecord",
			rule: "What is expired is overwritten under IfAbsent as if it had never been: its creation, its ancestry and its " +
				"lease do not survive.",
			run: func(p *probe) {
				old := p.leased()
				r := p.record(old.Key)
				r.UpdatedAt, r.ExpiresAt = p.later(), p.later().Add(lifetime)
				r.CreatedAt = time.Time{}
				p.put(r, storage.IfAbsent(p.later()))
				r.CreatedAt = r.UpdatedAt
				p.holds(r)
			},
		},
		{
			id: "D-PUT-06", name: "ReplacesLease",
			rule: "Put replaces the lease with that of the record, and frees it where the record has none.",
			run: func(p *probe) {
				r := p.leased()
				for _, lease := range []storage.Lease{p.lease(), {}, p.lease()} {
					r = p.next(r)
					r.Lease = lease
					p.put(r, storage.Always())
					p.holds(r)
				}
			},
		},
		{
			id: "D-PUT-07", name: "ReplacesAncestry",
			rule: "Put replaces the ancestry with that of the record, and drops it where the record has none, whether its " +
				"creation is known or not.",
			run: func(p *probe) {
				for _, known := range []bool{true, false} {
					r := p.leased()
					created := r.CreatedAt
					for _, descends := range []bool{true, false, true} {
						r = p.next(r)
						if !descends {
							r.Ancestry = ""
						}
						if !known {
							r.CreatedAt = time.Time{}
						}
						p.put(r, storage.Always())
						r.CreatedAt = created
						p.holds(r)
					}
				}
			},
		},
		{
			id: "D-DEL-01", name: "Removes",
			rule: "Delete removes the record; a later Get finds nothing, and a later Put starts anew.",
			run: func(p *probe) {
				old := p.leased()
				p.delete(old.Key, storage.Always())
				p.absent(old.Key)
				r := p.record(old.Key)
				r.CreatedAt = time.Time{}
				p.put(r, storage.IfAbsent(p.now))
				r.CreatedAt = r.UpdatedAt
				p.holds(r)
			},
		},
		{
			id: "D-DEL-02", name: "MissingIsSuccess",
			rule: "That there is no record to delete is success, whatever the condition.",
			run: func(p *probe) {
				r := p.stored()
				p.delete(r.Key, storage.Always())
				for _, condition := range conditionsOf(p, r) {
					p.delete(r.Key, condition)
				}
				p.absent(r.Key)
			},
		},
		{
			id: "D-USE-01", name: "Meter",
			rule: "Drivers report each request to the meter of the context.",
			run: func(p *probe) {
				r := p.record(p.key())
				type call struct {
					name string
					run  func(q *probe)
				}
				calls := []call{
					{"Put", func(q *probe) { q.put(r, storage.Always()) }},
					{"Get", func(q *probe) { q.get(r.Key) }},
					{"Update", func(q *probe) { q.update(r.Key, storage.Change{UpdatedAt: p.now}, storage.Always()) }},
				}
				if leases(p.ctx, p.driver) {
					calls = append(calls, call{"Acquire", func(q *probe) { q.acquire(r.Key, storage.IfFree(p.now)) }})
				}
				calls = append(calls, call{"Delete", func(q *probe) { q.delete(r.Key, storage.Always()) }})
				for _, call := range calls {
					var meter storage.Meter
					q := *p
					q.ctx = storage.WithMeter(p.ctx, &meter)
					call.run(&q)
					if meter.Usage().Calls < 1 {
						p.Fatalf("%s reported no call", call.name)
					}
				}
			},
		},
	}
}

// updateCases are about Update on its own.
func updateCases() []testCase {
	return []testCase{
		{
			id: "D-UPD-01", name: "NeverCreates",
			rule: "Update never creates a record: where there is none, it is a conflict without a record, whatever the " +
				"condition.",
			run: func(p *probe) {
				lease := p.lease()
				for _, condition := range conditionsOf(p, p.leased()) {
					key := p.key()
					change := storage.Change{ExpiresAt: p.later(), UpdatedAt: p.now, Lease: &lease}
					p.conflict(p.tryUpdate(p.ctx, key, change, condition), nil)
					p.absent(key)
				}
			},
		},
		{
			id: "D-UPD-02", name: "MovesExpiry",
			rule: "Update moves the expiry, to the nanosecond, and notes when; payload, version, ancestry, creation and " +
				"lease stay.",
			run: func(p *probe) {
				r := p.leased()
				r.ExpiresAt, r.UpdatedAt = p.later().Add(987_654_321), p.now.Add(time.Minute)
				p.update(r.Key, storage.Change{ExpiresAt: r.ExpiresAt, UpdatedAt: r.UpdatedAt}, storage.IfVersion(r.Version, p.now))
				p.holds(r)
			},
		},
		{
			id: "D-UPD-03", name: "ReplacesLease",
			rule: "Update sets the lease, replaces it, and frees it where it is a pointer to the zero Lease; everything else " +
				"stays.",
			run: func(p *probe) {
				r := p.stored()
				for _, lease := range []storage.Lease{p.lease(), p.lease(), {}} {
					r.Lease = lease
					p.update(r.Key, storage.Change{Lease: &lease}, storage.IfLive(p.now))
					p.holds(r)
				}
			},
		},
		{
			id: "D-UPD-04", name: "ZeroChange",
			rule: "The zero fields of a change change nothing, and a change of nothing is still subject to its condition.",
			run: func(p *probe) {
				r := p.leased()
				p.update(r.Key, storage.Change{}, storage.IfVersion(r.Version, p.now))
				p.holds(r)
				p.conflict(p.tryUpdate(p.ctx, r.Key, storage.Change{}, storage.IfVersion(storage.NewVersion(), p.now)), &r)
				p.holds(r)
			},
		},
		{
			id: "D-UPD-05", name: "AllAtOnce",
			rule: "Update applies expiry, lease and time of the change together.",
			run: func(p *probe) {
				r := p.leased()
				held := r.Lease.ID
				r.ExpiresAt, r.UpdatedAt, r.Lease = p.later(), p.now.Add(time.Second), p.lease()
				change := storage.Change{ExpiresAt: r.ExpiresAt, UpdatedAt: r.UpdatedAt, Lease: &r.Lease}
				p.update(r.Key, change, storage.IfLease(held))
				p.holds(r)
			},
		},
	}
}

// conditionsOf returns one condition of each kind. All hold for the live record r, save IfFree and
// IfExpiredAndFree where it has a lease.
func conditionsOf(p *probe, r storage.Record) []storage.Condition {
	lease := r.Lease
	if lease.Free() {
		lease = p.lease()
	}
	return []storage.Condition{
		storage.Always(),
		storage.IfLive(p.now),
		storage.IfAbsent(p.later()),
		storage.IfVersion(r.Version, p.now),
		storage.IfVersionAndLease(r.Version, lease.ID, p.now),
		storage.IfLease(lease.ID),
		storage.IfExpiredAndFree(p.later()),
		storage.IfFree(p.now),
		storage.IfFreeOrUnchanged(lease, p.now),
		storage.IfUnchanged(r),
	}
}

// refusal reports whether err is the refusal of a record that is too large, with figures that say so.
func refusal(err error) bool {
	var tooLarge *storage.TooLargeError
	return errors.As(err, &tooLarge) && errors.Is(err, storage.ErrTooLarge) && tooLarge.Size > tooLarge.Limit &&
		!errors.Is(err, storage.ErrOutcomeUnknown)
}
