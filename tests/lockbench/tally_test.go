package lockbench_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// leasingDriver is what the strategies need of a driver.
type leasingDriver interface {
	storage.Driver
	storage.Leaser
}

// tally counts the calls to storage of one or more drivers.
type tally struct {
	mu sync.Mutex
	count
}

// count is how many calls were made.
type count struct {
	Calls   int // all of them
	Refused int // writes whose condition did not hold
}

func (t *tally) add(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Calls++
	if errors.Is(err, storage.ErrConflict) {
		t.Refused++
	}
}

func (t *tally) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count = count{}
}

func (t *tally) read() count {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// counted is a driver whose calls are counted, and take some time before they have their effect.
type counted struct {
	driver  leasingDriver
	tally   *tally
	latency time.Duration
}

var _ leasingDriver = counted{}

// Get implements storage.Driver.
func (d counted) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	d.wait(ctx)
	record, found, err := d.driver.Get(ctx, key, c)
	d.tally.add(err)
	return record, found, err
}

// Put implements storage.Driver.
func (d counted) Put(ctx context.Context, record storage.Record, condition storage.Condition) error {
	d.wait(ctx)
	err := d.driver.Put(ctx, record, condition)
	d.tally.add(err)
	return err
}

// Update implements storage.Driver.
func (d counted) Update(ctx context.Context, key string, change storage.Change, condition storage.Condition) error {
	d.wait(ctx)
	err := d.driver.Update(ctx, key, change, condition)
	d.tally.add(err)
	return err
}

// Delete implements storage.Driver.
func (d counted) Delete(ctx context.Context, key string, condition storage.Condition) error {
	d.wait(ctx)
	err := d.driver.Delete(ctx, key, condition)
	d.tally.add(err)
	return err
}

// Acquire implements storage.Leaser.
func (d counted) Acquire(
	ctx context.Context, key string, lease storage.Lease, condition storage.Condition,
) (storage.Record, error) {
	d.wait(ctx)
	record, err := d.driver.Acquire(ctx, key, lease, condition)
	d.tally.add(err)
	return record, err
}

func (d counted) wait(ctx context.Context) {
	if d.latency > 0 {
		_ = pause(ctx, d.latency) // the driver says that the context has ended
	}
}
