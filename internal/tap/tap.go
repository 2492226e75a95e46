// Package tap wraps a driver: to count its calls, to delay them, to make them fail.
package tap

import (
	"context"
	"errors"
	"slices"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Driver passes the calls that reach the storage on to another driver, each through Around. It has no index by expiry.
type Driver struct {
	storage.Driver

	// Around decides what becomes of a call. next makes it, at most once, and returns its error. What Around returns is
	// the error of the call; where it is one, the call returns nothing else.
	Around func(ctx context.Context, call Call, next func(context.Context) error) error
}

// Call is one call of a driver.
type Call struct {
	// Method is the name of the method.
	Method string
	// Key is that of the record, empty for DeleteBatch and Scan.
	Key string
	// Start is where a scan goes on.
	Start storage.Position
}

// Reads reports whether the call changes nothing.
func (c Call) Reads() bool { return c.Method == "Get" || c.Method == "Scan" }

// Get implements storage.Driver.
func (d *Driver) Get(ctx context.Context, key string,
	c storage.Consistency,
) (record storage.Record, found bool, err error) {
	err = d.Around(ctx, Call{Method: "Get", Key: key}, func(ctx context.Context) (err error) {
		record, found, err = d.Driver.Get(ctx, key, c)
		return err
	})
	if err != nil {
		return storage.Record{}, false, err
	}
	return record, found, nil
}

// Put implements storage.Driver.
func (d *Driver) Put(ctx context.Context, record storage.Record, condition storage.Condition) error {
	return d.Around(ctx, Call{Method: "Put", Key: record.Key}, func(ctx context.Context) error {
		return d.Driver.Put(ctx, record, condition)
	})
}

// Update implements storage.Driver.
func (d *Driver) Update(ctx context.Context, key string, change storage.Change, condition storage.Condition) error {
	return d.Around(ctx, Call{Method: "Update", Key: key}, func(ctx context.Context) error {
		return d.Driver.Update(ctx, key, change, condition)
	})
}

// Acquire implements storage.Driver.
func (d *Driver) Acquire(
	ctx context.Context, key string, lease storage.Lease, condition storage.Condition,
) (record storage.Record, err error) {
	err = d.Around(ctx, Call{Method: "Acquire", Key: key}, func(ctx context.Context) (err error) {
		record, err = d.Driver.Acquire(ctx, key, lease, condition)
		return err
	})
	if err != nil {
		return storage.Record{}, err
	}
	return record, nil
}

// Delete implements storage.Driver.
func (d *Driver) Delete(ctx context.Context, key string, condition storage.Condition) error {
	return d.Around(ctx, Call{Method: "Delete", Key: key}, func(ctx context.Context) error {
		return d.Driver.Delete(ctx, key, condition)
	})
}

// DeleteBatch implements storage.Driver.
func (d *Driver) DeleteBatch(ctx context.Context, keys []string) error {
	return d.Around(ctx, Call{Method: "DeleteBatch"},
		func(ctx context.Context) error { return d.Driver.DeleteBatch(ctx, keys) })
}

// Scan implements storage.Driver.
func (d *Driver) Scan(ctx context.Context, request storage.ScanRequest) (page storage.Page, err error) {
	err = d.Around(ctx, Call{Method: "Scan", Start: request.Start}, func(ctx context.Context) (err error) {
		page, err = d.Driver.Scan(ctx, request)
		return err
	})
	if err != nil {
		return storage.Page{}, err
	}
	return page, nil
}

// Without returns the driver as if it did not have these methods.
func Without(driver storage.Driver, methods ...string) *Driver {
	return &Driver{Driver: driver, Around: func(ctx context.Context, call Call, next func(context.Context) error) error {
		if slices.Contains(methods, call.Method) {
			return errors.ErrUnsupported
		}
		return next(ctx)
	}}
}
