package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// driverAltered is a driver whose calls or results are changed on their way by the functions that are set.
type driverAltered struct {
	*memory.Driver
	get       func(storage.Record, bool) (storage.Record, bool)
	put       func(storage.Record, storage.Condition) (storage.Record, storage.Condition)
	update    func(storage.Change, storage.Condition) (storage.Change, storage.Condition)
	acquire   func(storage.Lease, storage.Condition) (storage.Lease, storage.Condition)
	acquired  func(*storage.Record)
	delete    func(storage.Condition) storage.Condition
	condition func(storage.Condition) storage.Condition
	conflict  func(*storage.ConflictError)
	request   func(storage.ScanRequest) storage.ScanRequest
	page      func(storage.ScanRequest, *storage.Page)
}

func driverAltersPut(alter func(*storage.Record)) func(*memory.Driver) storage.Driver {
	return func(m *memory.Driver) storage.Driver {
		return driverAltered{Driver: m, put: func(r storage.Record, c storage.Condition) (storage.Record, storage.Condition) {
			alter(&r)
			return r, c
		}}
	}
}

func driverAltersCondition(alter func(storage.Condition) storage.Condition) func(*memory.Driver) storage.Driver {
	return func(m *memory.Driver) storage.Driver { return driverAltered{Driver: m, condition: alter} }
}

func driverAltersConflict(alter func(*storage.ConflictError)) func(*memory.Driver) storage.Driver {
	return func(m *memory.Driver) storage.Driver { return driverAltered{Driver: m, conflict: alter} }
}

func driverAltersScan(alter func(storage.ScanRequest, *storage.Page)) func(*memory.Driver) storage.Driver {
	return func(m *memory.Driver) storage.Driver { return driverAltered{Driver: m, page: alter} }
}

func (a driverAltered) judged(c storage.Condition) storage.Condition {
	if a.condition != nil {
		return a.condition(c)
	}
	return c
}

func (a driverAltered) result(err error) error {
	var conflict *storage.ConflictError
	if a.conflict != nil && errors.As(err, &conflict) {
		a.conflict(conflict)
	}
	return err
}

func (a driverAltered) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	r, found, err := a.Driver.Get(ctx, key, c)
	if a.get != nil && err == nil {
		r, found = a.get(r, found)
	}
	return r, found, err
}

func (a driverAltered) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	if a.put != nil && ctx.Err() == nil {
		r, c = a.put(r, c)
	}
	return a.result(a.Driver.Put(ctx, r, a.judged(c)))
}

func (a driverAltered) Update(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	if a.update != nil {
		change, c = a.update(change, c)
	}
	return a.result(a.Driver.Update(ctx, key, change, a.judged(c)))
}

func (a driverAltered) Acquire(
	ctx context.Context, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	if a.acquire != nil {
		lease, c = a.acquire(lease, c)
	}
	r, err := a.Driver.Acquire(ctx, key, lease, a.judged(c))
	if a.acquired != nil && err == nil {
		a.acquired(&r)
	}
	return r, a.result(err)
}

func (a driverAltered) Delete(ctx context.Context, key string, c storage.Condition) error {
	if a.delete != nil {
		c = a.delete(c)
	}
	return a.result(a.Driver.Delete(ctx, key, a.judged(c)))
}

func (a driverAltered) Scan(ctx context.Context, r storage.ScanRequest) (storage.Page, error) {
	asked := r
	if a.request != nil {
		r = a.request(r)
	}
	page, err := a.Driver.Scan(ctx, r)
	if a.page != nil && err == nil {
		a.page(asked, &page)
	}
	return page, err
}

// driverCounting numbers the versions of each key, from 1 again after a delete.
type driverCounting struct {
	*memory.Driver
	mu     sync.Mutex
	counts map[string]int
}

func (d *driverCounting) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	r.Version = fmt.Sprint(d.counts[r.Key] + 1)
	err := d.Driver.Put(ctx, r, c)
	if err == nil {
		d.counts[r.Key]++
	}
	return err
}

func (d *driverCounting) Delete(ctx context.Context, key string, c storage.Condition) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.counts, key)
	return d.Driver.Delete(ctx, key, c)
}

// driverSharing keeps payloads in memory that others hold: of who puts, gets, or meets a conflict.
type driverSharing struct {
	*memory.Driver
	put, get, conflict bool
	mu                 sync.Mutex
	data               map[string][]byte // by version
}

func (d *driverSharing) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	err := d.Driver.Put(ctx, r, c)
	if err == nil && d.put {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.data[r.Version] = r.Data
	}
	return err
}

func (d *driverSharing) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	r, found, err := d.Driver.Get(ctx, key, c)
	d.mu.Lock()
	defer d.mu.Unlock()
	if data, ok := d.data[r.Version]; ok && found {
		r.Data = data
	} else if found && d.get {
		d.data[r.Version] = r.Data
	}
	return r, found, err
}

func (d *driverSharing) Delete(ctx context.Context, key string, c storage.Condition) error {
	err := d.Driver.Delete(ctx, key, c)
	var conflict *storage.ConflictError
	if d.conflict && errors.As(err, &conflict) && conflict.Current != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.data[conflict.Current.Version] = conflict.Current.Data
	}
	return err
}

// driverRekeyed keeps records under other keys than it is told.
type driverRekeyed struct {
	*memory.Driver
	rekey func(string) string
}

func (d driverRekeyed) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	r, found, err := d.Driver.Get(ctx, d.rekey(key), c)
	if found {
		r.Key = key
	}
	return r, found, err
}

func (d driverRekeyed) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	r.Key = d.rekey(r.Key)
	return d.Driver.Put(ctx, r, c)
}

func (d driverRekeyed) Update(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	return d.Driver.Update(ctx, d.rekey(key), change, c)
}

func (d driverRekeyed) Delete(ctx context.Context, key string, c storage.Condition) error {
	return d.Driver.Delete(ctx, d.rekey(key), c)
}

// driverEventual answers eventual reads by what answer makes of the first record it saw under the key and of the current
// one.
type driverEventual struct {
	*memory.Driver
	answer func(first, current storage.Record) (storage.Record, bool)
	mu     sync.Mutex
	first  map[string]storage.Record
}

func (d *driverEventual) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.first[r.Key]; !ok {
		d.first[r.Key] = r
	}
	return d.Driver.Put(ctx, r, c)
}

func (d *driverEventual) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	r, found, err := d.Driver.Get(ctx, key, c)
	if c == storage.Eventual && err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		r, found = d.answer(d.first[key], r)
	}
	return r, found, err
}

// driverNeighbourly deletes with a record the one that was put before it.
type driverNeighbourly struct {
	*memory.Driver
	mu   sync.Mutex
	last string
	prev map[string]string
}

func (d *driverNeighbourly) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != r.Key {
		d.prev[r.Key], d.last = d.last, r.Key
	}
	return d.Driver.Put(ctx, r, c)
}

func (d *driverNeighbourly) Delete(ctx context.Context, key string, c storage.Condition) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.Driver.Delete(ctx, d.prev[key], storage.Always()); err != nil {
		return err
	}
	return d.Driver.Delete(ctx, key, c)
}

// driverBorrowing keeps the caller's lease, and writes it once more with the next read.
type driverBorrowing struct {
	*memory.Driver
	mu     sync.Mutex
	leases map[string]*storage.Lease
}

func (d *driverBorrowing) Update(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	err := d.Driver.Update(ctx, key, change, c)
	if err == nil && change.Lease != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.leases[key] = change.Lease
	}
	return err
}

func (d *driverBorrowing) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	r, found, err := d.Driver.Get(ctx, key, c)
	d.mu.Lock()
	defer d.mu.Unlock()
	if lease, ok := d.leases[key]; ok {
		r.Lease = *lease
	}
	return r, found, err
}

// driverPiecemeal reads the payload after everything else.
type driverPiecemeal struct{ *memory.Driver }

func (d driverPiecemeal) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	r, found, err := d.Driver.Get(ctx, key, c)
	driverDawdle()
	again, _, _ := d.Driver.Get(ctx, key, c)
	r.Data = again.Data
	return r, found, err
}

// driverBuffered passes all payloads through one buffer.
type driverBuffered struct {
	*memory.Driver
	mu     sync.Mutex
	buffer []byte
}

func (d *driverBuffered) swap(data []byte) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.buffer
	d.buffer = data
	return before
}

func (d *driverBuffered) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	d.swap(r.Data)
	driverDawdle()
	r.Data = d.swap(nil)
	return d.Driver.Put(ctx, r, c)
}

// driverHaunted scans what was deleted.
type driverHaunted struct {
	*memory.Driver
	mu   sync.Mutex
	dead []storage.Record
}

func (d *driverHaunted) Delete(ctx context.Context, key string, c storage.Condition) error {
	r, found, _ := d.Get(ctx, key, storage.Strong)
	err := d.Driver.Delete(ctx, key, c)
	if err == nil && found {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.dead = append(d.dead, r)
	}
	return err
}

func (d *driverHaunted) Scan(ctx context.Context, r storage.ScanRequest) (storage.Page, error) {
	page, err := d.Driver.Scan(ctx, r)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil && page.Next == "" && r.Segment == 0 {
		page.Records = append(page.Records, d.dead...)
	}
	return page, err
}

// driverUpserting stores a record where an update finds none.
type driverUpserting struct{ *memory.Driver }

func (d driverUpserting) Update(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	err := d.Driver.Update(ctx, key, change, c)
	var conflict *storage.ConflictError
	if errors.As(err, &conflict) && conflict.Current == nil && key != "" {
		return d.Put(ctx, change.Apply(storage.Record{Key: key, Version: storage.NewVersion()}), storage.Always())
	}
	return err
}

// driverDawdle gives other goroutines time to come in between.
func driverDawdle() {
	for range 50 {
		runtime.Gosched()
	}
}

// driverRereading updates by reading, changing and writing everything back.
type driverRereading struct{ *memory.Driver }

func (d driverRereading) Update(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	r, found, err := d.Get(ctx, key, storage.Strong)
	if err != nil || !found || !c.Holds(&r) {
		return d.Driver.Update(ctx, key, change, c)
	}
	driverDawdle()
	return d.Put(ctx, change.Apply(r), storage.Always())
}

// driverLeaseFirst refuses to delete what is under a lease.
type driverLeaseFirst struct{ *memory.Driver }

func (d driverLeaseFirst) Delete(ctx context.Context, key string, c storage.Condition) error {
	if r, found, err := d.Get(ctx, key, storage.Strong); err == nil && found && !r.Lease.Free() {
		return &storage.ConflictError{Current: &r}
	}
	return d.Driver.Delete(ctx, key, c)
}

// driverStrictDelete makes a conflict of deleting nothing.
type driverStrictDelete struct{ *memory.Driver }

func (d driverStrictDelete) Delete(ctx context.Context, key string, c storage.Condition) error {
	if _, found, err := d.Get(ctx, key, storage.Strong); err == nil && !found && !c.Holds(nil) {
		return &storage.ConflictError{}
	}
	return d.Driver.Delete(ctx, key, c)
}

// driverRacing judges the condition of a Put and then writes, in two steps.
type driverRacing struct{ *memory.Driver }

func (d driverRacing) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	current, found, err := d.Get(ctx, r.Key, storage.Strong)
	if err != nil || c.Validate() != nil || (found && !c.Holds(&current)) || (!found && !c.Holds(nil)) {
		return d.Driver.Put(ctx, r, c)
	}
	driverDawdle()
	return d.Driver.Put(ctx, r, storage.Always())
}

// driverPatient goes on although the context has ended.
type driverPatient struct{ *memory.Driver }

func (d driverPatient) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	return d.Driver.Get(context.WithoutCancel(ctx), key, c)
}

func (d driverPatient) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	return d.Driver.Put(context.WithoutCancel(ctx), r, c)
}

func (d driverPatient) Scan(ctx context.Context, r storage.ScanRequest) (storage.Page, error) {
	return d.Driver.Scan(context.WithoutCancel(ctx), r)
}

// driverDoubtful says of every Put that failed that it may have been applied.
type driverDoubtful struct{ *memory.Driver }

func (d driverDoubtful) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	err := error(&storage.TooLargeError{Size: len(r.Data), Limit: driverLimit})
	if len(r.Data) <= driverLimit {
		err = d.Driver.Put(ctx, r, c)
	}
	if err != nil {
		return errors.Join(err, storage.ErrOutcomeUnknown)
	}
	return nil
}

// driverLate looks at the context after it has written, too.
type driverLate struct{ *memory.Driver }

func (d driverLate) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	if err := d.Driver.Put(ctx, r, c); err != nil {
		return err
	}
	driverDawdle()
	return ctx.Err()
}

// driverSilent takes an ended context for a missing record.
type driverSilent struct{ *memory.Driver }

func (d driverSilent) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	if ctx.Err() != nil {
		return storage.Record{}, false, nil //nolint:nilerr // That is its fault.
	}
	return d.Driver.Get(ctx, key, c)
}

// driverTalkative names the key in its errors.
type driverTalkative struct{ *memory.Driver }

func (d driverTalkative) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	if err := d.Driver.Put(ctx, r, c); err != nil {
		return fmt.Errorf("put %s: %w", r.Key, err)
	}
	return nil
}

// driverUnmetered reports to no meter.
type driverUnmetered struct{ *memory.Driver }

func (d driverUnmetered) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	return d.Driver.Get(storage.WithMeter(ctx, nil), key, c)
}

// driverLimit is the most that the drivers below store.
const driverLimit = 350_000

// driverLimited refuses what is too large, as it should.
type driverLimited struct{ *memory.Driver }

func (d driverLimited) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	if len(r.Data) > driverLimit {
		return &storage.TooLargeError{Size: len(r.Data), Limit: driverLimit}
	}
	return d.Driver.Put(ctx, r, c)
}

func (d driverLimited) DeleteBatch(ctx context.Context, keys []string) error {
	return driverBatching{d.Driver, nil}.DeleteBatch(ctx, keys)
}

// driverBatching deletes one by one, of each batch what edit leaves.
type driverBatching struct {
	*memory.Driver
	edit func(keys []string) []string
}

func (d driverBatching) DeleteBatch(ctx context.Context, keys []string) error {
	if d.edit != nil {
		keys = d.edit(keys)
	}
	for _, key := range keys {
		if err := d.Delete(ctx, key, storage.Always()); err != nil {
			return err
		}
	}
	return nil
}

// driverImpatient deletes in batches without a look at the context.
type driverImpatient struct{ driverBatching }

func (d driverImpatient) DeleteBatch(ctx context.Context, keys []string) error {
	return d.driverBatching.DeleteBatch(context.WithoutCancel(ctx), keys)
}

// driverDropping deletes what it cannot replace.
type driverDropping struct{ *memory.Driver }

func (d driverDropping) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	if len(r.Data) > driverLimit {
		_ = d.Delete(ctx, r.Key, storage.Always())
		return &storage.TooLargeError{Size: len(r.Data), Limit: driverLimit}
	}
	return d.Driver.Put(ctx, r, c)
}
