package drivertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
	"github.com/scsdynamo/scsdynamo/storage"
)

// probe is a case's hold on its driver: it calls the operations, and checks what is true of every call. Its methods may
// be called by many goroutines at once.
type probe struct {
	*trial.Trial

	ctx     context.Context //nolint:containedctx // A probe lives as long as one case.
	driver  storage.Driver
	options Options
	// now is the instant that the case calls now. Records it makes live for an hour after it.
	now time.Time
}

func newProbe(c *trial.Trial, driver storage.Driver, o Options) *probe {
	p := &probe{Trial: c, driver: driver, options: o, now: time.Now().UTC().Truncate(time.Second)}
	if c != nil {
		p.ctx = c.Context()
	}
	return p
}

// lifetime is how long the records of a case live, by the clock of the case and of reality.
const lifetime = time.Hour

// later is after the expiry of the case's records. Conditions judged at it find them expired, while no backend removes
// them: in reality they are live.
func (p *probe) later() time.Time { return p.now.Add(2 * lifetime) }

// record returns a new record under key that lives for an hour. Its instants, save the expiry, are whole seconds: more
// than that is asked of the expiry only.
func (p *probe) record(key string) storage.Record {
	return storage.Record{
		Key:       key,
		Data:      []byte("payload " + rand.Text()),
		CreatedAt: p.now.Add(-time.Hour),
		UpdatedAt: p.now,
		ExpiresAt: p.now.Add(lifetime + 123_456_789*time.Nanosecond),
		Version:   storage.NewVersion(),
	}
}

// next returns a record that is made from r and takes its place: of another payload, version and expiry.
func (p *probe) next(r storage.Record) storage.Record {
	seen := r
	r.Data = []byte("next payload " + rand.Text())
	r.Version = storage.NewVersion()
	r.UpdatedAt = r.UpdatedAt.Add(time.Second)
	r.ExpiresAt = r.ExpiresAt.Add(time.Minute + time.Nanosecond)
	r.Succeed(seen)
	return r
}

func (p *probe) lease() storage.Lease {
	return storage.Lease{ID: rand.Text(), Duration: 10 * time.Second, ExpiresAt: p.now.Add(10 * time.Second)}
}

// key returns a key that nobody else uses.
func (p *probe) key() string { return rand.Text() }

// stored puts a new record and returns it.
func (p *probe) stored() storage.Record {
	r := p.record(p.key())
	p.put(r, storage.Always())
	return r
}

// leased puts a new record that has all that a record can have, a lease and an ancestry among it, and returns it.
func (p *probe) leased() storage.Record {
	r := p.record(p.key())
	r.Succeed(p.record(r.Key))
	r.Lease = p.lease()
	p.put(r, storage.Always())
	return r
}

// The operations: each logs the call and what came of it. The ones named try return the error; the others fail on it.

func (p *probe) tryGet(ctx context.Context, key string, consistency storage.Consistency) (storage.Record, bool, error) {
	step := p.Begin("Get()")
	r, found, err := p.driver.Get(ctx, key, consistency)
	p.done(step, err, []string{key}, "found %v, %v", found, err)
	return r, found, err
}

func (p *probe) get(key string) (storage.Record, bool) {
	r, found, err := p.tryGet(p.ctx, key, storage.Strong)
	p.noError("Get", err)
	if found && r.Key != key {
		p.Fatalf("Get returned a record under another key than it was asked for")
	}
	return r, found
}

func (p *probe) tryPut(ctx context.Context, r storage.Record, c storage.Condition) error {
	step := p.Begin("Put(%d bytes, if %s)", len(r.Data), c)
	err := p.driver.Put(ctx, r, c)
	p.done(step, err, []string{r.Key, string(r.Data)}, "%v", err)
	return err
}

func (p *probe) put(r storage.Record, c storage.Condition) {
	p.noError("Put", p.tryPut(p.ctx, r, c))
}

func (p *probe) tryUpdate(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	step := p.Begin("Update(if %s)", c)
	err := p.driver.Update(ctx, key, change, c)
	p.done(step, err, []string{key}, "%v", err)
	return err
}

func (p *probe) update(key string, change storage.Change, c storage.Condition) {
	p.noError("Update", p.tryUpdate(p.ctx, key, change, c))
}

func (p *probe) tryAcquire(
	ctx context.Context, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	step := p.Begin("Acquire(if %s)", c)
	r, err := p.driver.Acquire(ctx, key, lease, c)
	p.done(step, err, []string{key, lease.ID}, "%v", err)
	return r, err
}

// acquire puts a new lease on the record under key and returns the record.
func (p *probe) acquire(key string, c storage.Condition) storage.Record {
	r, err := p.tryAcquire(p.ctx, key, p.lease(), c)
	p.noError("Acquire", err)
	return r
}

// release frees the lease of r and returns r without it.
func (p *probe) release(r storage.Record) storage.Record {
	p.update(r.Key, storage.Change{Lease: &storage.Lease{}}, storage.IfLease(r.Lease.ID))
	r.Lease = storage.Lease{}
	return r
}

func (p *probe) tryDelete(ctx context.Context, key string, c storage.Condition) error {
	step := p.Begin("Delete(if %s)", c)
	err := p.driver.Delete(ctx, key, c)
	p.done(step, err, []string{key}, "%v", err)
	return err
}

func (p *probe) delete(key string, c storage.Condition) {
	p.noError("Delete", p.tryDelete(p.ctx, key, c))
}

func (p *probe) tryScan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	step := p.Begin("Scan(part %d of %d, limit %d)", request.Segment, request.Segments, request.Limit)
	page, err := p.driver.Scan(ctx, request)
	p.done(step, err, nil, "%d records, %v", len(page.Records), err)
	return page, err
}

func (p *probe) tryDeleteBatch(ctx context.Context, keys []string) error {
	step := p.Begin("DeleteBatch(%d keys)", len(keys))
	err := p.driver.DeleteBatch(ctx, keys)
	p.done(step, err, keys, "%v", err)
	return err
}

// done logs what a call returned, and checks that its error tells no secrets.
func (p *probe) done(step *trial.Step, err error, secrets []string, format string, args ...any) {
	p.End(step, format, args...)
	if err == nil {
		return
	}
	for _, secret := range secrets {
		// Anything shorter could stand in an error by chance.
		if len(secret) >= 8 && strings.Contains(err.Error(), secret) {
			p.Fatalf("an error of %s contains the key or the payload; they must not reach a log", step)
		}
	}
}

// The expectations.

func (p *probe) noError(call string, err error) {
	if err != nil {
		p.Fatalf("%s returned an error: %v", call, err)
	}
}

// holds fails unless want, whole, is what is stored under its key.
func (p *probe) holds(want storage.Record) {
	seen, found := p.get(want.Key)
	if !found {
		p.Fatalf("the record is not there")
	}
	p.same("the stored record", want, seen)
}

// absent fails if there is a record under key.
func (p *probe) absent(key string) {
	if _, found := p.get(key); found {
		p.Fatalf("there is a record where none should be")
	}
}

// same fails unless the two records are the same. It names what differs, not the payloads.
func (p *probe) same(what string, want, seen storage.Record) {
	if differs := difference(want, seen); differs != "" {
		p.Fatalf("%s is not what it should be: %s", what, differs)
	}
}

// difference says what differs between two records, nothing where they are the same.
func difference(want, seen storage.Record) string {
	var differs []string
	note := func(same bool, format string, values ...any) {
		if !same {
			differs = append(differs, fmt.Sprintf(format, values...))
		}
	}
	note(want.Key == seen.Key, "another key")
	note(want.Version == seen.Version, "another version")
	note(want.Ancestry == seen.Ancestry, "another ancestry")
	note(bytes.Equal(want.Data, seen.Data), "another payload (wanted %d bytes, saw %d)", len(want.Data), len(seen.Data))
	instants := func(name string, want, seen time.Time) {
		note(want.Equal(seen), "%s (wanted %s, saw %s)", name, want.UTC().Format(time.RFC3339Nano),
			seen.UTC().Format(time.RFC3339Nano))
	}
	instants("created at", want.CreatedAt, seen.CreatedAt)
	instants("updated at", want.UpdatedAt, seen.UpdatedAt)
	instants("expires at", want.ExpiresAt, seen.ExpiresAt)
	note(want.Lease.ID == seen.Lease.ID, "another lease")
	note(want.Lease.Duration == seen.Lease.Duration, "lease duration (wanted %v, saw %v)", want.Lease.Duration,
		seen.Lease.Duration)
	instants("lease ends at", want.Lease.ExpiresAt, seen.Lease.ExpiresAt)
	return strings.Join(differs, "; ")
}

// conflict fails unless err is a conflict with current, nil for a conflict without a record. It returns the record that
// the error carries.
func (p *probe) conflict(err error, current *storage.Record) *storage.Record {
	carried := p.anyConflict(err)
	switch {
	case current == nil && carried != nil:
		p.Fatalf("the conflict carries a record although there is none")
	case current != nil && carried == nil:
		p.Fatalf("the conflict does not carry the record that is stored")
	case current != nil:
		p.same("the record that the conflict carries", *current, *carried)
	}
	return carried
}

// anyConflict fails unless err is a conflict, and returns the record that it carries.
func (p *probe) anyConflict(err error) *storage.Record {
	var conflict *storage.ConflictError
	if !errors.As(err, &conflict) || !errors.Is(err, storage.ErrConflict) {
		p.Fatalf("a *storage.ConflictError was due, and the result was: %v", err)
	}
	return conflict.Current
}

// known fails if err says that it is not known whether something was written, which is for what got no answer.
func (p *probe) known(err error) {
	if errors.Is(err, storage.ErrOutcomeUnknown) {
		p.Fatalf("a write that was refused matches ErrOutcomeUnknown: %v", err)
	}
}

// together runs f n times at once.
func (p *probe) together(n int, f func(i int)) {
	fs := make([]func(), n)
	for i := range fs {
		fs[i] = func() { f(i) }
	}
	p.Together(fs...)
}
