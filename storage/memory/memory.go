// Package memory is the reference driver: the contract of package storage in a map. It is meant for tests, and to be
// read by authors of drivers. Sessions end with the process, and expired ones stay until they are deleted.
package memory

import (
	"bytes"
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"sync"

	"github.com/scsdynamo/scsdynamo/storage"
)

// maxKey is DynamoDB's limit, kept so that tests on memory find what DynamoDB would refuse.
const maxKey = 2048

// defaultPage is how many records a scan looks at when the caller sets no limit.
const defaultPage = 256

// Driver keeps records in memory.
type Driver struct {
	shards int // of the expiry index

	mu      sync.Mutex
	records map[string]storage.Record
}

var (
	_ storage.Driver        = (*Driver)(nil)
	_ storage.ExpiryScanner = (*Driver)(nil)
)

// Option is a setting of a driver.
type Option func(*Driver)

// WithExpiryIndex makes the driver a storage.ExpiryScanner of so many shards, at least 1. Default: it has no index.
func WithExpiryIndex(shards int) Option { return func(d *Driver) { d.shards = max(shards, 1) } }

// New returns an empty driver.
func New(options ...Option) *Driver {
	d := &Driver{records: map[string]storage.Record{}}
	for _, option := range options {
		option(d)
	}
	return d
}

// Get implements storage.Driver.
func (d *Driver) Get(ctx context.Context, key string, _ storage.Consistency) (storage.Record, bool, error) {
	if err := begin(ctx, storage.Always()); err != nil {
		return storage.Record{}, false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	record, found := d.records[key]
	return clone(record), found, nil
}

// Put implements storage.Driver.
func (d *Driver) Put(ctx context.Context, record storage.Record, condition storage.Condition) error {
	if err := record.Validate(maxKey); err != nil {
		return err
	}
	if err := begin(ctx, condition); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check(record.Key, condition); err != nil {
		return err
	}
	d.store(record, condition)
	return nil
}

// Update implements storage.Driver.
func (d *Driver) Update(ctx context.Context, key string, change storage.Change, condition storage.Condition) error {
	if err := begin(ctx, condition); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	current, found := d.records[key]
	if !found {
		return &storage.ConflictError{}
	}
	if err := d.check(key, condition); err != nil {
		return err
	}
	d.records[key] = change.Apply(current)
	return nil
}

// Acquire implements storage.Driver.
func (d *Driver) Acquire(
	ctx context.Context, key string, lease storage.Lease, condition storage.Condition,
) (storage.Record, error) {
	if err := lease.Validate(); err != nil {
		return storage.Record{}, err
	}
	if err := begin(ctx, condition); err != nil {
		return storage.Record{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	current, found := d.records[key]
	if !found {
		return storage.Record{}, &storage.ConflictError{}
	}
	if current.Lease.ID != lease.ID {
		if err := d.check(key, condition); err != nil {
			return storage.Record{}, err
		}
		current.Lease = lease
		d.records[key] = current
	}
	return clone(current), nil
}

// Namespace implements storage.Driver. It is empty.
func (*Driver) Namespace() string { return "" }

// Delete implements storage.Driver.
func (d *Driver) Delete(ctx context.Context, key string, condition storage.Condition) error {
	if err := begin(ctx, condition); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, found := d.records[key]; !found {
		return nil
	}
	if err := d.check(key, condition); err != nil {
		return err
	}
	delete(d.records, key)
	return nil
}

// DeleteBatch implements storage.Driver.
func (d *Driver) DeleteBatch(ctx context.Context, keys []string) error {
	if err := begin(ctx, storage.Always()); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range keys {
		delete(d.records, key)
	}
	return nil
}

// Scan implements storage.Driver.
func (d *Driver) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	if err := request.Validate(); err != nil {
		return storage.Page{}, err
	}
	if err := begin(ctx, storage.Always()); err != nil {
		return storage.Page{}, err
	}
	limit := request.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var page storage.Page
	for _, key := range slices.Sorted(maps.Keys(d.records)) {
		if key <= string(request.Start) || segmentOf(key, request.Segments) != request.Segment {
			continue
		}
		if len(page.Records) == limit {
			page.Next = storage.Position(page.Records[limit-1].Key)
			break
		}
		record := d.records[key]
		if request.WithoutData {
			record.Data = nil
		}
		page.Records = append(page.Records, clone(record))
	}
	return page, nil
}

// begin is what every operation does first.
func begin(ctx context.Context, condition storage.Condition) error {
	if err := condition.Validate(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	storage.MeterFrom(ctx).Add(storage.Usage{Calls: 1})
	return nil
}

// check returns the conflict where the condition does not hold for the record under key.
func (d *Driver) check(key string, condition storage.Condition) error {
	record, found := d.records[key]
	if !found {
		if !condition.Holds(nil) {
			return &storage.ConflictError{}
		}
		return nil
	}
	if !condition.Holds(&record) {
		record = clone(record)
		return &storage.ConflictError{Current: &record}
	}
	return nil
}

// store keeps the record, with the creation that Put promises.
func (d *Driver) store(record storage.Record, condition storage.Condition) {
	if current, found := d.records[record.Key]; record.CreatedAt.IsZero() && found &&
		condition.Kind != storage.KindAbsent {
		record.CreatedAt = current.CreatedAt
	}
	if record.CreatedAt.IsZero() {
		record.CreatedAt = record.UpdatedAt
	}
	d.records[record.Key] = clone(record)
}

// clone gives the payload its own memory.
func clone(record storage.Record) storage.Record {
	record.Data = bytes.Clone(record.Data)
	return record
}

// segmentOf assigns each key to one of so many segments.
func segmentOf(key string, segments int) int {
	if segments <= 1 {
		return 0
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(key))
	return int(hash.Sum32() % uint32(segments)) //nolint:gosec // The interface bounds segments to a million.
}
