package drivertest_test

import (
	"context"
	"errors"
	"sync"

	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// leasing acquires as the function says. Everything else it does right.
type leasing struct {
	*memory.Driver
	acquire func(ctx context.Context, m *memory.Driver, key string, lease storage.Lease,
		c storage.Condition) (storage.Record, error)
}

func (d leasing) Acquire(
	ctx context.Context, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	if lease.Validate() != nil || c.Validate() != nil || ctx.Err() != nil {
		return d.Driver.Acquire(ctx, key, lease, c)
	}
	return d.acquire(ctx, d.Driver, key, lease, c)
}

// acquires returns drivers that acquire as the function says.
func acquires(
	acquire func(ctx context.Context, m *memory.Driver, key string, lease storage.Lease,
		c storage.Condition) (storage.Record, error),
) func(*memory.Driver) storage.Driver {
	return func(m *memory.Driver) storage.Driver { return leasing{m, acquire} }
}

// acquiresInSteps judges the condition, and sets the lease later.
func acquiresInSteps(
	ctx context.Context, m *memory.Driver, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	r, found, err := m.Get(ctx, key, storage.Strong)
	if err != nil || !found || !c.Holds(&r) {
		return m.Acquire(ctx, key, lease, c)
	}
	dawdle()
	return m.Acquire(ctx, key, lease, storage.Always())
}

// acquiresByPut reads the record, and writes it back with the lease.
func acquiresByPut(
	ctx context.Context, m *memory.Driver, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	r, found, err := m.Get(ctx, key, storage.Strong)
	if err != nil || !found || !c.Holds(&r) {
		return m.Acquire(ctx, key, lease, c)
	}
	dawdle()
	r.Lease = lease
	return r, m.Put(ctx, r, storage.Always())
}

// readsThenAcquires returns the record as it was before.
func readsThenAcquires(
	ctx context.Context, m *memory.Driver, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	before, _, err := m.Get(ctx, key, storage.Strong)
	if err != nil {
		return storage.Record{}, err
	}
	dawdle()
	if _, err = m.Acquire(ctx, key, lease, c); err != nil {
		return storage.Record{}, err
	}
	before.Lease = lease
	return before, nil
}

// acquiresOnce takes its own lease for somebody else's.
func acquiresOnce(
	ctx context.Context, m *memory.Driver, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	r, found, err := m.Get(ctx, key, storage.Strong)
	if err == nil && found && r.Lease.ID == lease.ID && !c.Holds(&r) {
		return storage.Record{}, &storage.ConflictError{Current: &r}
	}
	return m.Acquire(ctx, key, lease, c)
}

// acquiresAnything makes a record where there is none.
func acquiresAnything(
	ctx context.Context, m *memory.Driver, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	r, err := m.Acquire(ctx, key, lease, c)
	var conflict *storage.ConflictError
	if errors.As(err, &conflict) && conflict.Current == nil && storage.ValidKey(key, 2048) {
		r = storage.Record{Key: key, Version: storage.NewVersion(), Lease: lease}
		return r, m.Put(ctx, r, storage.Always())
	}
	return r, err
}

// acquiresNoOddKeys calls a key invalid that is only not there.
func acquiresNoOddKeys(
	ctx context.Context, m *memory.Driver, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	if !storage.ValidKey(key, 2048) {
		return storage.Record{}, storage.ErrInvalidKey
	}
	return m.Acquire(ctx, key, lease, c)
}

// honoursEnd lets a lease go when it should have ended by its holder's clock.
func honoursEnd(
	ctx context.Context, m *memory.Driver, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	r, found, err := m.Get(ctx, key, storage.Strong)
	if err == nil && found && c.Kind == storage.KindFree && r.Lease.ExpiresAt.Before(c.At) {
		c = storage.IfLive(c.At)
	}
	return m.Acquire(ctx, key, lease, c)
}

// lending keeps the payloads that it gave away with acquisitions.
type lending struct {
	*memory.Driver
	mu   sync.Mutex
	data map[string][]byte // by version
}

func (d *lending) Acquire(
	ctx context.Context, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	r, err := d.Driver.Acquire(ctx, key, lease, c)
	d.mu.Lock()
	defer d.mu.Unlock()
	if data, ok := d.data[r.Version]; ok && err == nil {
		r.Data = data
	} else if err == nil {
		d.data[r.Version] = r.Data
	}
	return r, err
}

// renames draws an ID for an acquisition that has none.
type renames struct{ *memory.Driver }

func (d renames) Acquire(
	ctx context.Context, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	if lease.Free() {
		lease.ID = storage.NewVersion()
	}
	return d.Driver.Acquire(ctx, key, lease, c)
}

// releasesAny releases whoever has the lease.
type releasesAny struct{ *memory.Driver }

func (d releasesAny) Update(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	if c.Kind == storage.KindLease && change.Lease != nil && change.Lease.Free() {
		if r, found, err := d.Get(ctx, key, storage.Strong); err == nil && found && !r.Lease.Free() {
			c = storage.IfLive(r.UpdatedAt)
		}
	}
	return d.Driver.Update(ctx, key, change, c)
}
