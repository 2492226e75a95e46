package storage_test

import (
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// The conditions of a lease, by what is stored.
func TestConditionsOfALease(t *testing.T) {
	t.Parallel()
	now := time.Now()
	seen := storage.Lease{ID: "seen", ExpiresAt: now.Add(time.Minute)}
	renewed, other, over := seen, seen, seen
	renewed.ExpiresAt = seen.ExpiresAt.Add(1)
	other.ID = "other"
	over.ExpiresAt = now.Add(-time.Hour)
	with := func(lease storage.Lease, left time.Duration) *storage.Record {
		r := newRecord()
		r.Lease, r.UpdatedAt, r.ExpiresAt = lease, now.Add(-time.Hour), now.Add(left)
		return &r
	}
	ended := func(lease storage.Lease) *storage.Record {
		r := newRecord()
		r.Lease, r.UpdatedAt, r.ExpiresAt = lease, now.Add(time.Hour), now.Add(time.Hour)
		return &r
	}
	for name, test := range map[string]struct {
		current         *storage.Record
		free, unchanged bool
	}{
		"nothing":        {nil, false, false},
		"free":           {with(storage.Lease{}, 1), true, true},
		"free, expired":  {with(storage.Lease{}, 0), false, false},
		"seen":           {with(seen, 1), false, true},
		"seen, expired":  {with(seen, 0), false, false},
		"renewed":        {with(renewed, 1), false, false},
		"another":        {with(other, 1), false, false},
		"another's over": {with(over, 1), false, false},
		"ended":          {ended(storage.Lease{}), false, false},
		"ended, leased":  {ended(seen), false, false},
	} {
		if got := storage.IfFree(now).Holds(test.current); got != test.free {
			t.Errorf("%s: IfFree holds: %v", name, got)
		}
		if got := storage.IfFreeOrUnchanged(seen, now).Holds(test.current); got != test.unchanged {
			t.Errorf("%s: IfFreeOrUnchanged holds: %v", name, got)
		}
	}
	// An instant is the same in every zone.
	elsewhere := seen
	elsewhere.ExpiresAt = seen.ExpiresAt.In(time.FixedZone("elsewhere", 3600))
	if !storage.IfFreeOrUnchanged(elsewhere, now).Holds(with(seen, 1)) {
		t.Error("a lease seen in another zone is not the one that is stored")
	}
}

// What collection asks for, by what has happened since the record was read.
func TestConditionUnchanged(t *testing.T) {
	t.Parallel()
	free := newRecord()
	held := free
	held.Lease = storage.Lease{ID: "lease", Duration: time.Second, ExpiresAt: time.Now()}
	for name, change := range map[string]func(*storage.Record){
		"nothing":          nil,
		"committed":        func(r *storage.Record) { r.Version = storage.NewVersion() },
		"extended":         func(r *storage.Record) { r.ExpiresAt = r.ExpiresAt.Add(1) },
		"shortened":        func(r *storage.Record) { r.ExpiresAt = r.ExpiresAt.Add(-1) },
		"leased by others": func(r *storage.Record) { r.Lease.ID = "other" },
		"renewed":          func(r *storage.Record) { r.Lease.ID = "lease"; r.Lease.ExpiresAt = time.Now().Add(time.Minute) },
	} {
		for _, seen := range []storage.Record{free, held} {
			current := seen
			if change != nil {
				change(&current)
			}
			if got := storage.IfUnchanged(seen).Holds(&current); got != (change == nil) {
				t.Errorf("%s since it was read with the lease %q: the condition holds: %v", name, seen.Lease.ID, got)
			}
		}
	}
	released := held
	released.Lease = storage.Lease{}
	if storage.IfUnchanged(held).Holds(&released) || storage.IfUnchanged(free).Holds(&held) ||
		storage.IfUnchanged(free).Holds(nil) {
		t.Error("the condition holds although the lease was released or acquired, or the record is gone")
	}
	// What the end of a lease says that nobody has means nothing, and an instant is the same in every zone.
	free.Lease.ExpiresAt = time.Now()
	elsewhere := free
	elsewhere.Lease, elsewhere.ExpiresAt = storage.Lease{}, free.ExpiresAt.In(time.FixedZone("elsewhere", 3600))
	if !storage.IfUnchanged(free).Holds(&elsewhere) {
		t.Error("the condition does not hold although nothing has changed")
	}
}

// Each kind has a name of its own, and one beyond the last is refused.
func TestKindsOfConditions(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for kind := range storage.Kinds {
		c := storage.Condition{
			Kind: storage.ConditionKind(kind), Version: "version", LeaseID: "lease",
		}
		if err := c.Validate(); err != nil {
			t.Errorf("kind %d: %v", kind, err)
		}
		names[c.String()] = true
	}
	unknown := storage.Condition{Kind: storage.ConditionKind(storage.Kinds)}
	names[unknown.String()] = true
	if len(names) != storage.Kinds+1 {
		t.Errorf("the kinds and an unknown one have %d names; want %d", len(names), storage.Kinds+1)
	}
	r := newRecord()
	if unknown.Validate() == nil || unknown.Holds(&r) || unknown.Holds(nil) {
		t.Error("a condition of an unknown kind is accepted, or holds")
	}
}

func TestValidateLease(t *testing.T) {
	t.Parallel()
	if err := (storage.Lease{ID: "lease"}).Validate(); err != nil {
		t.Error(err)
	}
	if (storage.Lease{}).Validate() == nil {
		t.Error("an acquisition without an ID is accepted")
	}
	if storage.IfFreeOrUnchanged(storage.Lease{}, time.Now()).Validate() == nil {
		t.Error("a condition without the lease that it is about is accepted")
	}
}
