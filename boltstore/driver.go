package boltstore

import (
	"bytes"
	"context"
	"io"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/scsdynamo/scsdynamo/storage"
)

// maxKey is DynamoDB's limit, kept so that a program finds here what DynamoDB would refuse.
const maxKey = 2048

// Driver keeps records in one bbolt file. All its methods may be called by many goroutines at once. [OpenDriver] makes
// it.
type Driver struct {
	db     *bolt.DB
	writes *committer
}

var (
	_ storage.Driver = (*Driver)(nil)
	_ io.Closer      = (*Driver)(nil)
	_ io.WriterTo    = (*Driver)(nil)
)

// Get implements storage.Driver. Both consistencies read strongly.
func (d *Driver) Get(ctx context.Context, key string, _ storage.Consistency) (storage.Record, bool, error) {
	if err := begin(ctx, storage.Always()); err != nil {
		return storage.Record{}, false, err
	}
	var record *storage.Record
	err := d.view(func(t *tables) (err error) {
		if record, err = t.get(key); record != nil {
			record.Data = bytes.Clone(record.Data)
		}
		return err
	})
	if err != nil || record == nil {
		return storage.Record{}, false, err
	}
	return *record, true, nil
}

// Put implements storage.Driver. A record that takes more than 16 MiB is a *storage.TooLargeError.
func (d *Driver) Put(ctx context.Context, record storage.Record, condition storage.Condition) error {
	if err := record.Validate(maxKey); err != nil {
		return err
	}
	if err := begin(ctx, condition); err != nil {
		return err
	}
	return d.writes.do(ctx, len(record.Data), func(t *tables) error {
		current, err := t.check(record.Key, condition)
		if err != nil {
			return err
		}
		return t.put(created(record, current, condition), current)
	})
}

// Update implements storage.Driver.
func (d *Driver) Update(ctx context.Context, key string, change storage.Change, condition storage.Condition) error {
	if err := begin(ctx, condition); err != nil {
		return err
	}
	return d.writes.do(ctx, 0, func(t *tables) error {
		current, err := t.get(key)
		switch {
		case err != nil:
			return err
		case current == nil || !condition.Holds(current):
			return conflict(current)
		}
		return t.put(change.Apply(*current), current)
	})
}

// Acquire implements storage.Driver, in one transaction.
func (d *Driver) Acquire(
	ctx context.Context, key string, lease storage.Lease, condition storage.Condition,
) (storage.Record, error) {
	if err := lease.Validate(); err != nil {
		return storage.Record{}, err
	}
	if err := begin(ctx, condition); err != nil {
		return storage.Record{}, err
	}
	var acquired storage.Record
	err := d.writes.do(ctx, 0, func(t *tables) error {
		current, err := t.get(key)
		if err != nil {
			return err
		}
		if current == nil || current.Lease.ID != lease.ID && !condition.Holds(current) {
			return conflict(current)
		}
		acquired = *current
		acquired.Data = bytes.Clone(current.Data)
		if current.Lease.ID == lease.ID {
			return nil
		}
		acquired.Lease = lease
		return t.put(acquired, current)
	})
	if err != nil {
		return storage.Record{}, err
	}
	return acquired, nil
}

// Namespace implements storage.Driver. It is empty: a file is not shared.
func (*Driver) Namespace() string { return "" }

// Delete implements storage.Driver.
func (d *Driver) Delete(ctx context.Context, key string, condition storage.Condition) error {
	if err := begin(ctx, condition); err != nil {
		return err
	}
	return d.writes.do(ctx, 0, func(t *tables) error { return t.delete(key, condition) })
}

// DeleteBatch implements storage.Driver. Each 256 keys share one transaction.
func (d *Driver) DeleteBatch(ctx context.Context, keys []string) error {
	for batch := range slices.Chunk(keys, maxBatch) {
		if err := begin(ctx, storage.Always()); err != nil {
			return err
		}
		err := d.writes.do(ctx, 0, func(t *tables) error {
			for _, key := range batch {
				if err := t.delete(key, storage.Always()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// WriteTo writes a consistent copy of the whole file to w, while the driver is in use: a backup that OpenDriver opens.
// It returns the number of bytes written. While it runs, the file cannot reuse pages and may grow; a write that needs a
// larger file waits until it has finished, so w should be fast, such as a local file.
func (d *Driver) WriteTo(w io.Writer) (int64, error) {
	tx, err := d.db.Begin(false)
	if err != nil {
		return 0, engineError(d.db.Path(), err)
	}
	defer func() { _ = tx.Rollback() }()
	return tx.WriteTo(w)
}

// Close waits for the operations that are running and closes the file. Operations after it return an error that matches
// [ErrClosed]. Closing twice is harmless.
func (d *Driver) Close() error {
	if err := d.db.Close(); err != nil {
		return engineError(d.db.Path(), err)
	}
	return nil
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

// view runs read in a transaction of its own.
func (d *Driver) view(read func(*tables) error) error {
	tx, err := d.db.Begin(false)
	if err != nil {
		return engineError(d.db.Path(), err)
	}
	defer func() { _ = tx.Rollback() }()
	return read(openTables(tx))
}

// created returns the record with the creation that Put promises, given the one it overwrites.
func created(record storage.Record, current *storage.Record, condition storage.Condition) storage.Record {
	switch {
	case !record.CreatedAt.IsZero():
	case current != nil && condition.Kind != storage.KindAbsent:
		record.CreatedAt = current.CreatedAt
	default:
		record.CreatedAt = record.UpdatedAt
	}
	return record
}
