package drivertest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// altered is a driver whose calls or results are changed on their way by the functions that are set.
type altered struct {
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

func altersPut(alter func(*storage.Record)) func(*memory.Driver) storage.Driver {
	return func(m *memory.Driver) storage.Driver {
		return altered{Driver: m, put: func(r storage.Record, c storage.Condition) (storage.Record, storage.Condition) {
			alter(&r)
			return r, c
		}}
	}
}

func altersCondition(alter func(storage.Condition) storage.Condition) func(*memory.Driver) storage.Driver {
	return func(m *memory.Driver) storage.Driver { return altered{Driver: m, condition: alter} }
}

func altersConflict(alter func(*storage.ConflictError)) func(*memory.Driver) storage.Driver {
	return func(m *memory.Driver) storage.Driver { return altered{Driver: m, conflict: alter} }
}

func altersScan(alter func(storage.ScanRequest, *storage.Page)) func(*memory.Driver) storage.Driver {
	return func(m *memory.Driver) storage.Driver { return altered{Driver: m, page: alter} }
}

func (a altered) judged(c storage.Condition) storage.Condition {
	if a.condition != nil {
		return a.condition(c)
	}
	return c
}

func (a altered) result(err error) error {
	var conflict *storage.ConflictError
	if a.conflict != nil && errors.As(err, &conflict) {
		a.conflict(conflict)
	}
	return err
}

func (a altered) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	r, found, err := a.Driver.Get(ctx, key, c)
	if a.get != nil && err == nil {
		r, found = a.get(r, found)
	}
	return r, found, err
}

func (a altered) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	if a.put != nil && ctx.Err() == nil {
		r, c = a.put(r, c)
	}
	return a.result(a.Driver.Put(ctx, r, a.judged(c)))
}

func (a altered) Update(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	if a.update != nil {
		change, c = a.update(change, c)
	}
	return a.result(a.Driver.Update(ctx, key, change, a.judged(c)))
}

func (a altered) Acquire(
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

func (a altered) Delete(ctx context.Context, key string, c storage.Condition) error {
	if a.delete != nil {
		c = a.delete(c)
	}
	return a.result(a.Driver.Delete(ctx, key, a.judged(c)))
}

func (a altered) Scan(ctx context.Context, r storage.ScanRequest) (storage.Page, error) {
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

// counting numbers the versions of each key, from 1 again after a delete.
type counting struct {
	*memory.Driver
	mu     sync.Mutex
	counts map[string]int
}

func (d *counting) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	r.Version = fmt.Sprint(d.counts[r.Key] + 1)
	err := d.Driver.Put(ctx, r, c)
	if err == nil {
		d.counts[r.Key]++
	}
	return err
}

func (d *counting) Delete(ctx context.Context, key string, c storage.Condition) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.counts, key)
	return d.Driver.Delete(ctx, key, c)
}

// sharing keeps payloads in memory that others hold: of who puts, gets, or meets a conflict.
type sharing struct {
	*memory.Driver
	put, get, conflict bool
	mu                 sync.Mutex
	data               map[string][]byte // by version
}

func (d *sharing) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	err := d.Driver.Put(ctx, r, c)
	if err == nil && d.put {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.data[r.Version] = r.Data
	}
	return err
}

func (d *sharing) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
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

func (d *sharing) Delete(ctx context.Context, key string, c storage.Condition) error {
	err := d.Driver.Delete(ctx, key, c)
	var conflict *storage.ConflictError
	if d.conflict && errors.As(err, &conflict) && conflict.Current != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.data[conflict.Current.Version] = conflict.Current.Data
	}
	return err
}

// rekeyed keeps records under other keys than it is told.
type rekeyed struct {
	*memory.Driver
	rekey func(string) string
}

func (d rekeyed) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	r, found, err := d.Driver.Get(ctx, d.rekey(key), c)
	if found {
		r.Key = key
	}
	return r, found, err
}

func (d rekeyed) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	r.Key = d.rekey(r.Key)
	return d.Driver.Put(ctx, r, c)
}

func (d rekeyed) Update(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	return d.Driver.Update(ctx, d.rekey(key), change, c)
}

func (d rekeyed) Delete(ctx context.Context, key string, c storage.Condition) error {
	return d.Driver.Delete(ctx, d.rekey(key), c)
}

// eventual answers eventual reads by what answer makes of the first record it saw under the key and of the current
// one.
type eventual struct {
	*memory.Driver
	answer func(first, current storage.Record) (storage.Record, bool)
	mu     sync.Mutex
	first  map[string]storage.Record
}

func (d *eventual) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.first[r.Key]; !ok {
		d.first[r.Key] = r
	}
	return d.Driver.Put(ctx, r, c)
}

func (d *eventual) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	r, found, err := d.Driver.Get(ctx, key, c)
	if c == storage.Eventual && err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		r, found = d.answer(d.first[key], r)
	}
	return r, found, err
}

// neighbourly deletes with a record the one that was put before it.
type neighbourly struct {
	*memory.Driver
	mu   sync.Mutex
	last string
	prev map[string]string
}

func (d *neighbourly) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != r.Key {
		d.prev[r.Key], d.last = d.last, r.Key
	}
	return d.Driver.Put(ctx, r, c)
}

func (d *neighbourly) Delete(ctx context.Context, key string, c storage.Condition) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.Driver.Delete(ctx, d.prev[key], storage.Always()); err != nil {
		return err
	}
	return d.Driver.Delete(ctx, key, c)
}

// borrowing keeps the caller's lease, and writes it once more with the next read.
type borrowing struct {
	*memory.Driver
	mu     sync.Mutex
	leases map[string]*storage.Lease
}

func (d *borrowing) Update(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	err := d.Driver.Update(ctx, key, change, c)
	if err == nil && change.Lease != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.leases[key] = change.Lease
	}
	return err
}

func (d *borrowing) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	r, found, err := d.Driver.Get(ctx, key, c)
	d.mu.Lock()
	defer d.mu.Unlock()
	if lease, ok := d.leases[key]; ok {
		r.Lease = *lease
	}
	return r, found, err
}

// piecemeal reads the payload after everything else.
type piecemeal struct{ *memory.Driver }

func (d piecemeal) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	r, found, err := d.Driver.Get(ctx, key, c)
	dawdle()
	again, _, _ := d.Driver.Get(ctx, key, c)
	r.Data = again.Data
	return r, found, err
}

// buffered passes all payloads through one buffer.
type buffered struct {
	*memory.Driver
	mu     sync.Mutex
	buffer []byte
}

func (d *buffered) swap(data []byte) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.buffer
	d.buffer = data
	return before
}

func (d *buffered) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	d.swap(r.Data)
	dawdle()
	r.Data = d.swap(nil)
	return d.Driver.Put(ctx, r, c)
}

// haunted scans what was deleted.
type haunted struct {
	*memory.Driver
	mu   sync.Mutex
	dead []storage.Record
}

func (d *haunted) Delete(ctx context.Context, key string, c storage.Condition) error {
	r, found, _ := d.Get(ctx, key, storage.Strong)
	err := d.Driver.Delete(ctx, key, c)
	if err == nil && found {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.dead = append(d.dead, r)
	}
	return err
}

func (d *haunted) Scan(ctx context.Context, r storage.ScanRequest) (storage.Page, error) {
	page, err := d.Driver.Scan(ctx, r)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil && page.Next == "" && r.Segment == 0 {
		page.Records = append(page.Records, d.dead...)
	}
	return page, err
}

// upserting stores a record where an update finds none.
type upserting struct{ *memory.Driver }

func (d upserting) Update(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	err := d.Driver.Update(ctx, key, change, c)
	var conflict *storage.ConflictError
	if errors.As(err, &conflict) && conflict.Current == nil && key != "" {
		return d.Put(ctx, change.Apply(storage.Record{Key: key, Version: storage.NewVersion()}), storage.Always())
	}
	return err
}

// dawdle gives other goroutines time to come in between.
func dawdle() {
	for range 50 {
		runtime.Gosched()
	}
}

// rereading updates by reading, changing and writing everything back.
type rereading struct{ *memory.Driver }

func (d rereading) Update(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	r, found, err := d.Get(ctx, key, storage.Strong)
	if err != nil || !found || !c.Holds(&r) {
		return d.Driver.Update(ctx, key, change, c)
	}
	dawdle()
	return d.Put(ctx, change.Apply(r), storage.Always())
}

// leaseFirst refuses to delete what is under a lease.
type leaseFirst struct{ *memory.Driver }

func (d leaseFirst) Delete(ctx context.Context, key string, c storage.Condition) error {
	if r, found, err := d.Get(ctx, key, storage.Strong); err == nil && found && !r.Lease.Free() {
		return &storage.ConflictError{Current: &r}
	}
	return d.Driver.Delete(ctx, key, c)
}

// strictDelete makes a conflict of deleting nothing.
type strictDelete struct{ *memory.Driver }

func (d strictDelete) Delete(ctx context.Context, key string, c storage.Condition) error {
	if _, found, err := d.Get(ctx, key, storage.Strong); err == nil && !found && !c.Holds(nil) {
		return &storage.ConflictError{}
	}
	return d.Driver.Delete(ctx, key, c)
}

// racing judges the condition of a Put and then writes, in two steps.
type racing struct{ *memory.Driver }

func (d racing) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	current, found, err := d.Get(ctx, r.Key, storage.Strong)
	if err != nil || c.Validate() != nil || (found && !c.Holds(&current)) || (!found && !c.Holds(nil)) {
		return d.Driver.Put(ctx, r, c)
	}
	dawdle()
	return d.Driver.Put(ctx, r, storage.Always())
}

// patient goes on although the context has ended.
type patient struct{ *memory.Driver }

func (d patient) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	return d.Driver.Get(context.WithoutCancel(ctx), key, c)
}

func (d patient) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	return d.Driver.Put(context.WithoutCancel(ctx), r, c)
}

func (d patient) Scan(ctx context.Context, r storage.ScanRequest) (storage.Page, error) {
	return d.Driver.Scan(context.WithoutCancel(ctx), r)
}

// doubtful says of every Put that failed that it may have been applied.
type doubtful struct{ *memory.Driver }

func (d doubtful) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	err := error(&storage.TooLargeError{Size: len(r.Data), Limit: limit})
	if len(r.Data) <= limit {
		err = d.Driver.Put(ctx, r, c)
	}
	if err != nil {
		return errors.Join(err, storage.ErrOutcomeUnknown)
	}
	return nil
}

// late looks at the context after it has written, too.
type late struct{ *memory.Driver }

func (d late) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	if err := d.Driver.Put(ctx, r, c); err != nil {
		return err
	}
	dawdle()
	return ctx.Err()
}

// silent takes an ended context for a missing record.
type silent struct{ *memory.Driver }

func (d silent) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	if ctx.Err() != nil {
		return storage.Record{}, false, nil //nolint:nilerr // That is its fault.
	}
	return d.Driver.Get(ctx, key, c)
}

// talkative names the key in its errors.
type talkative struct{ *memory.Driver }

func (d talkative) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	if err := d.Driver.Put(ctx, r, c); err != nil {
		return fmt.Errorf("put %s: %w", r.Key, err)
	}
	return nil
}

// unmetered reports to no meter.
type unmetered struct{ *memory.Driver }

func (d unmetered) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	return d.Driver.Get(storage.WithMeter(ctx, nil), key, c)
}

// limit is the most that the drivers below store.
const limit = 350_000

// limited refuses what is too large, as it should.
type limited struct{ *memory.Driver }

func (d limited) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	if len(r.Data) > limit {
		return &storage.TooLargeError{Size: len(r.Data), Limit: limit}
	}
	return d.Driver.Put(ctx, r, c)
}

func (d limited) DeleteBatch(ctx context.Context, keys []string) error {
	return batching{d.Driver, nil}.DeleteBatch(ctx, keys)
}

// batching deletes one by one, of each batch what edit leaves.
type batching struct {
	*memory.Driver
	edit func(keys []string) []string
}

func (d batching) DeleteBatch(ctx context.Context, keys []string) error {
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

// impatient deletes in batches without a look at the context.
type impatient struct{ batching }

func (d impatient) DeleteBatch(ctx context.Context, keys []string) error {
	return d.batching.DeleteBatch(context.WithoutCancel(ctx), keys)
}

// dropping deletes what it cannot replace.
type dropping struct{ *memory.Driver }

func (d dropping) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	if len(r.Data) > limit {
		_ = d.Delete(ctx, r.Key, storage.Always())
		return &storage.TooLargeError{Size: len(r.Data), Limit: limit}
	}
	return d.Driver.Put(ctx, r, c)
}
