package drivertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// conditionCases try every condition on every state a record can be in. What is right comes from Condition.Holds.
func conditionCases() []testCase {
	return []testCase{
		{
			id: "D-COND-01", name: "Put",
			rule: "Put is applied exactly if its condition holds; else nothing is written, and the conflict carries the " +
				"whole stored record, or nil where there is none.",
			run: func(p *probe) {
				p.everyCondition(func(current *storage.Record, key string, c storage.Condition) {
					r := p.record(key)
					r.Lease = p.lease()
					err := p.tryPut(p.ctx, r, c)
					p.outcome(err, c.Holds(current), current, key, &r)
				})
			},
		},
		{
			id: "D-COND-02", name: "Update",
			rule: "Update is applied exactly if there is a record and its condition holds; else nothing is written, and the " +
				"conflict carries the whole stored record, or nil where there is none.",
			run: func(p *probe) {
				p.everyCondition(func(current *storage.Record, key string, c storage.Condition) {
					lease := p.lease()
					change := storage.Change{ExpiresAt: p.later().Add(1), UpdatedAt: p.later(), Lease: &lease}
					var after *storage.Record
					if current != nil {
						changed := change.Apply(*current)
						after = &changed
					}
					err := p.tryUpdate(p.ctx, key, change, c)
					p.outcome(err, current != nil && c.Holds(current), current, key, after)
				})
			},
		},
		{
			id: "D-COND-03", name: "Delete",
			rule: "Delete is applied exactly if its condition holds, and is success where there is no record; else the " +
				"record stays, and the conflict carries it whole.",
			run: func(p *probe) {
				p.everyCondition(func(current *storage.Record, key string, c storage.Condition) {
					err := p.tryDelete(p.ctx, key, c)
					p.outcome(err, current == nil || c.Holds(current), current, key, nil)
				})
			},
		},
		{
			id: "D-COND-06", name: "Acquire", needs: needsLeaser,
			rule: "Acquire is applied exactly if there is a record and its condition holds; else nothing is written, and the " +
				"conflict carries the whole stored record, or nil where there is none.",
			run: func(p *probe) {
				p.everyCondition(func(current *storage.Record, key string, c storage.Condition) {
					lease := p.lease()
					var after *storage.Record
					if current != nil {
						changed := *current
						changed.Lease = lease
						after = &changed
					}
					seen, err := p.tryAcquire(p.ctx, key, lease, c)
					p.outcome(err, current != nil && c.Holds(current), current, key, after)
					if err == nil {
						p.same("the record that was acquired", *after, seen)
					}
				})
			},
		},
		{
			id: "D-COND-05", name: "InvalidCondition",
			rule: "A condition that no function of package storage makes is an error, not a conflict, and nothing is " +
				"written: that is known.",
			run: func(p *probe) {
				for _, c := range []storage.Condition{
					{Kind: storage.KindVersion, At: p.now},
					{Kind: storage.KindVersionAndLease, At: p.now, LeaseID: "lease"},
					{Kind: storage.KindVersionAndLease, At: p.now, Version: "version"},
					{Kind: storage.KindLease, Version: "version"},
					{Kind: storage.KindFreeOrUnchanged, At: p.now},
					{Kind: storage.KindUnchanged, At: p.now},
					{Kind: storage.ConditionKind(storage.Kinds)},
					{Kind: 255},
				} {
					p.refusesEveryWrite(func(ctx context.Context, write func(context.Context, storage.Condition) error) {
						if err := write(ctx, c); err == nil || errors.Is(err, storage.ErrConflict) {
							p.Fatalf("the result of an invalid condition of kind %d was: %v", c.Kind, err)
						}
					})
				}
			},
		},
	}
}

// everyCondition calls try for each condition on a record in each state, or on none, always under a new key.
func (p *probe) everyCondition(try func(current *storage.Record, key string, c storage.Condition)) {
	states := []func() *storage.Record{
		func() *storage.Record { return nil },
		func() *storage.Record { r := p.stored(); return &r },
		func() *storage.Record { r := p.leased(); return &r },
	}
	for _, state := range states {
		for i := range len(p.conditionsFor(p.record("any"))) {
			current := state()
			r := p.record(p.key())
			if current != nil {
				r = *current
			}
			try(current, r.Key, p.conditionsFor(r)[i])
		}
	}
}

// conditionsFor returns the conditions of every kind that can be told apart on r: each part matching and not, with r
// live, in the instant it expires, and expired.
func (p *probe) conditionsFor(r storage.Record) []storage.Condition {
	conditions := []storage.Condition{storage.Always()}
	held := r.Lease
	if held.Free() {
		held = storage.Lease{ID: "lease that nobody has", ExpiresAt: p.now}
	}
	renewed, foreign := held, held
	renewed.ExpiresAt = held.ExpiresAt.Add(time.Second)
	foreign.ID = "lease of somebody else"
	for _, leaseID := range []string{held.ID, foreign.ID} {
		conditions = append(conditions, storage.IfLease(leaseID))
	}
	for _, at := range []time.Time{p.now, r.ExpiresAt, p.later()} {
		conditions = append(conditions, storage.IfLive(at), storage.IfAbsent(at), storage.IfFree(at),
			storage.IfExpiredAndFree(at))
		for _, seen := range []storage.Lease{held, renewed, foreign} {
			conditions = append(conditions, storage.IfFreeOrUnchanged(seen, at))
		}
		for _, version := range []string{r.Version, storage.NewVersion()} {
			conditions = append(conditions, storage.IfVersion(version, at))
			for _, leaseID := range []string{held.ID, foreign.ID} {
				conditions = append(conditions, storage.IfVersionAndLease(version, leaseID, at))
			}
			for _, seen := range []storage.Lease{{}, held, renewed, foreign} {
				conditions = append(conditions, storage.IfUnchanged(storage.Record{Version: version, ExpiresAt: at, Lease: seen}))
			}
		}
	}
	return conditions
}

// outcome fails unless a write that held, or not, on current left behind what it should under key: after where it held,
// current where not; nil stands for no record.
func (p *probe) outcome(err error, held bool, current *storage.Record, key string, after *storage.Record) {
	left := current
	if held {
		p.noError("a write whose condition holds", err)
		left = after
	} else {
		p.conflict(err, current)
		p.known(err)
	}
	if left == nil {
		p.absent(key)
	} else {
		p.holds(*left)
	}
}

// refusesEveryWrite hands each kind of write to refused, on a record and on none, and fails if anything was written.
// What the write must return is for refused to say.
func (p *probe) refusesEveryWrite(refused func(context.Context, func(context.Context, storage.Condition) error)) {
	current := p.leased()
	fresh := p.record(p.key())
	writes := map[string]func(context.Context, storage.Condition) error{
		"Put over a record": func(ctx context.Context, c storage.Condition) error {
			return p.tryPut(ctx, p.next(current), c)
		},
		"Put": func(ctx context.Context, c storage.Condition) error {
			return p.tryPut(ctx, fresh, c)
		},
		"Update": func(ctx context.Context, c storage.Condition) error {
			return p.tryUpdate(ctx, current.Key, storage.Change{ExpiresAt: p.later(), Lease: &storage.Lease{}}, c)
		},
		"Delete": func(ctx context.Context, c storage.Condition) error {
			return p.tryDelete(ctx, current.Key, c)
		},
	}
	if leases(p.ctx, p.driver) {
		writes["Acquire"] = func(ctx context.Context, c storage.Condition) error {
			_, err := p.tryAcquire(ctx, current.Key, p.lease(), c)
			return err
		}
	}
	for name, write := range writes {
		refused(p.ctx, func(ctx context.Context, c storage.Condition) error {
			err := write(ctx, c)
			p.known(err)
			return err
		})
		if seen, found := p.get(current.Key); !found {
			p.Fatalf("%s removed the record all the same", name)
		} else {
			p.same(fmt.Sprintf("the record after %s was refused", name), current, seen)
		}
		p.absent(fresh.Key)
	}
}
