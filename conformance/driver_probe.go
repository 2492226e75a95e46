package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// driverProbe is a case's hold on its driver: it calls the operations, keeps a log of them for the failure message, and
// checks what is true of every call. Its methods may be called by many goroutines at once.
type driverProbe struct {
	ctx     context.Context //nolint:containedctx // A probe lives as long as one case.
	driver  storage.Driver
	options driverOptions
	// now is the instant that the case calls now. Records it makes live for an hour after it.
	now time.Time

	mu  sync.Mutex
	log []string
}

func newDriverProbe(ctx context.Context, driver storage.Driver, options driverOptions) *driverProbe {
	return &driverProbe{ctx: ctx, driver: driver, options: options, now: time.Now().UTC().Truncate(time.Second)}
}

// driverLifetime is how long the records of a case live, by the clock of the case and of reality.
const driverLifetime = time.Hour

// later is after the expiry of the case's records. Conditions judged at it find them expired, while no backend removes
// them: in reality they are live.
func (p *driverProbe) later() time.Time { return p.now.Add(2 * driverLifetime) }

// record returns a new record under key that lives for an hour. Its instants, save the expiry, are whole seconds: more than
// that is asked of the expiry only.
func (p *driverProbe) record(key string) storage.Record {
	return storage.Record{
		Key:       key,
		Data:      []byte("payload " + rand.Text()),
		CreatedAt: p.now.Add(-time.Hour),
		UpdatedAt: p.now,
		ExpiresAt: p.now.Add(driverLifetime + 123_456_789*time.Nanosecond),
		Version:   storage.NewVersion(),
	}
}

// next returns a record that is made from r and takes its place: of another payload, version and expiry.
func (p *driverProbe) next(r storage.Record) storage.Record {
	seen := r
	r.Data = []byte("next payload " + rand.Text())
	r.Version = storage.NewVersion()
	r.UpdatedAt = r.UpdatedAt.Add(time.Second)
	r.ExpiresAt = r.ExpiresAt.Add(time.Minute + time.Nanosecond)
	r.Succeed(seen)
	return r
}

func (p *driverProbe) lease() storage.Lease {
	return storage.Lease{ID: rand.Text(), Duration: 10 * time.Second, ExpiresAt: p.now.Add(10 * time.Second)}
}

// key returns a key that nobody else uses.
func (p *driverProbe) key() string { return rand.Text() }

// stored puts a new record and returns it.
func (p *driverProbe) stored() storage.Record {
	r := p.record(p.key())
	p.put(r, storage.Always())
	return r
}

// leased puts a new record that has all that a record can have, a lease and an ancestry among it, and returns it.
func (p *driverProbe) leased() storage.Record {
	r := p.record(p.key())
	r.Succeed(p.record(r.Key))
	r.Lease = p.lease()
	p.put(r, storage.Always())
	return r
}

// The operations: each logs the call and what came of it. The ones named try return the error; the others fail on it.

func (p *driverProbe) tryGet(ctx context.Context, key string, consistency storage.Consistency) (storage.Record, bool, error) {
	r, found, err := p.driver.Get(ctx, key, consistency)
	p.did("Get", fmt.Sprintf("found %v, %v", found, err), err, key)
	return r, found, err
}

func (p *driverProbe) get(key string) (storage.Record, bool) {
	r, found, err := p.tryGet(p.ctx, key, storage.Strong)
	p.noError("Get", err)
	if found && r.Key != key {
		p.failf("Get returned a record under another key than it was asked for")
	}
	return r, found
}

func (p *driverProbe) tryPut(ctx context.Context, r storage.Record, c storage.Condition) error {
	err := p.driver.Put(ctx, r, c)
	p.did(fmt.Sprintf("Put %d bytes if %s", len(r.Data), c), fmt.Sprint(err), err, r.Key, string(r.Data))
	return err
}

func (p *driverProbe) put(r storage.Record, c storage.Condition) {
	p.noError("Put", p.tryPut(p.ctx, r, c))
}

func (p *driverProbe) tryUpdate(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	err := p.driver.Update(ctx, key, change, c)
	p.did(fmt.Sprintf("Update if %s", c), fmt.Sprint(err), err, key)
	return err
}

func (p *driverProbe) update(key string, change storage.Change, c storage.Condition) {
	p.noError("Update", p.tryUpdate(p.ctx, key, change, c))
}

func (p *driverProbe) tryAcquire(
	ctx context.Context, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	r, err := p.driver.(storage.Leaser).Acquire(ctx, key, lease, c) //nolint:forcetypeassert // The case says that it needs it.
	p.did(fmt.Sprintf("Acquire if %s", c), fmt.Sprint(err), err, key, lease.ID)
	return r, err
}

// acquire puts a new lease on the record under key and returns the record.
func (p *driverProbe) acquire(key string, c storage.Condition) storage.Record {
	r, err := p.tryAcquire(p.ctx, key, p.lease(), c)
	p.noError("Acquire", err)
	return r
}

// release frees the lease of r and returns r without it.
func (p *driverProbe) release(r storage.Record) storage.Record {
	p.update(r.Key, storage.Change{Lease: &storage.Lease{}}, storage.IfLease(r.Lease.ID))
	r.Lease = storage.Lease{}
	return r
}

func (p *driverProbe) tryDelete(ctx context.Context, key string, c storage.Condition) error {
	err := p.driver.Delete(ctx, key, c)
	p.did(fmt.Sprintf("Delete if %s", c), fmt.Sprint(err), err, key)
	return err
}

func (p *driverProbe) delete(key string, c storage.Condition) {
	p.noError("Delete", p.tryDelete(p.ctx, key, c))
}

func (p *driverProbe) tryScan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	page, err := p.driver.(storage.Scanner).Scan(ctx, request) //nolint:forcetypeassert // The case says that it needs it.
	p.did(fmt.Sprintf("Scan part %d of %d, limit %d", request.Segment, request.Segments, request.Limit),
		fmt.Sprintf("%d records, %v", len(page.Records), err), err)
	return page, err
}

func (p *driverProbe) tryDeleteBatch(ctx context.Context, keys []string) error {
	err := p.driver.(storage.BatchDeleter).DeleteBatch(ctx, keys) //nolint:forcetypeassert // The case says that it needs it.
	p.did(fmt.Sprintf("DeleteBatch of %d keys", len(keys)), fmt.Sprint(err), err, keys...)
	return err
}

// did logs a call, and checks that its error tells no secrets.
func (p *driverProbe) did(call, result string, err error, secrets ...string) {
	p.mu.Lock()
	p.log = append(p.log, call+": "+result)
	p.mu.Unlock()
	if err == nil {
		return
	}
	for _, secret := range secrets {
		// Anything shorter could stand in an error by chance.
		if len(secret) >= 8 && strings.Contains(err.Error(), secret) {
			p.failf("an error of %s contains the key or the payload; they must not reach a log", call)
		}
	}
}

// The expectations.

func (p *driverProbe) noError(call string, err error) {
	if err != nil {
		p.failf("%s returned an error: %v", call, err)
	}
}

// holds fails unless want, whole, is what is stored under its key.
func (p *driverProbe) holds(want storage.Record) {
	seen, found := p.get(want.Key)
	if !found {
		p.failf("the record is not there")
	}
	p.same("the stored record", want, seen)
}

// absent fails if there is a record under key.
func (p *driverProbe) absent(key string) {
	if _, found := p.get(key); found {
		p.failf("there is a record where none should be")
	}
}

// same fails unless the two records are the same. It names what differs, not the payloads.
func (p *driverProbe) same(what string, want, seen storage.Record) {
	if differs := driverDifference(want, seen); differs != "" {
		p.failf("%s is not what it should be: %s", what, differs)
	}
}

// driverDifference says what differs between two records, nothing where they are the same.
func driverDifference(want, seen storage.Record) string {
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
		note(want.Equal(seen), "%s (wanted %s, saw %s)", name, want.UTC().Format(time.RFC3339Nano), seen.UTC().Format(time.RFC3339Nano))
	}
	instants("created at", want.CreatedAt, seen.CreatedAt)
	instants("updated at", want.UpdatedAt, seen.UpdatedAt)
	instants("expires at", want.ExpiresAt, seen.ExpiresAt)
	note(want.Lease.ID == seen.Lease.ID, "another lease")
	note(want.Lease.Duration == seen.Lease.Duration, "lease duration (wanted %v, saw %v)", want.Lease.Duration, seen.Lease.Duration)
	instants("lease ends at", want.Lease.ExpiresAt, seen.Lease.ExpiresAt)
	return strings.Join(differs, "; ")
}

// conflict fails unless err is a conflict with current, nil for a conflict without a record. It returns the record that
// the error carries.
func (p *driverProbe) conflict(err error, current *storage.Record) *storage.Record {
	carried := p.anyConflict(err)
	switch {
	case current == nil && carried != nil:
		p.failf("the conflict carries a record although there is none")
	case current != nil && carried == nil:
		p.failf("the conflict does not carry the record that is stored")
	case current != nil:
		p.same("the record that the conflict carries", *current, *carried)
	}
	return carried
}

// anyConflict fails unless err is a conflict, and returns the record that it carries.
func (p *driverProbe) anyConflict(err error) *storage.Record {
	var conflict *storage.ConflictError
	if !errors.As(err, &conflict) || !errors.Is(err, storage.ErrConflict) {
		p.failf("a *storage.ConflictError was due, and the result was: %v", err)
	}
	return conflict.Current
}

// known fails if err says that it is not known whether something was written, which is for what got no answer.
func (p *driverProbe) known(err error) {
	if errors.Is(err, storage.ErrOutcomeUnknown) {
		p.failf("a write that was refused matches ErrOutcomeUnknown: %v", err)
	}
}

// failf ends the case.
func (p *driverProbe) failf(format string, values ...any) {
	panic(driverFailure{seen: fmt.Sprintf(format, values...)})
}

// report says what was done and what was seen.
func (p *driverProbe) report(seen string) string {
	const last = 12
	p.mu.Lock()
	defer p.mu.Unlock()
	done := p.log
	if len(done) > last {
		done = append([]string{fmt.Sprintf("(%d calls before)", len(done)-last)}, done[len(done)-last:]...)
	}
	return fmt.Sprintf("done: %s\nseen: %s", strings.Join(done, "\n      "), seen)
}

// together runs f n times at once. Where several fail, the case ends with the failure of one of them.
func (p *driverProbe) together(n int, f func(i int)) {
	var group sync.WaitGroup
	failures := make(chan any, n)
	start := make(chan struct{})
	// In random order: the last one to wait is often the first to run, which would give the same race the same winner.
	for _, i := range mathrand.Perm(n) {
		group.Go(func() {
			defer func() {
				if failure := recover(); failure != nil {
					failures <- failure
				}
			}()
			<-start
			f(i)
		})
	}
	close(start)
	group.Wait()
	close(failures)
	if failure, failed := <-failures; failed {
		panic(failure)
	}
}
