package storetest

import (
	"context"
	"sync"
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance"
	"github.com/scsdynamo/scsdynamo/storage"
)

// faultyDriver is a driver whose place can be made to fail.
type faultyDriver struct {
	inner storage.Driver

	mu       sync.Mutex
	fault    conformance.Fault
	repaired chan struct{} // closed by repair
}

// Acquire implements storage.Leaser.
func (d *faultyDriver) Acquire(
	ctx context.Context, key string, lease storage.Lease, condition storage.Condition,
) (storage.Record, error) {
	if err := d.begin(ctx); err != nil {
		return storage.Record{}, err
	}
	return d.inner.(storage.Leaser).Acquire(ctx, key, lease, condition)
}

func (d *faultyDriver) inject(_ *testing.T, fault conformance.Fault) (repair func()) {
	if fault == conformance.FaultThrottle || fault == conformance.FaultLostResponse {
		return nil // nothing below the store tries again
	}
	repaired := make(chan struct{})
	d.mu.Lock()
	d.fault, d.repaired = fault, repaired
	d.mu.Unlock()
	return func() {
		d.mu.Lock()
		d.fault = 0
		d.mu.Unlock()
		close(repaired)
	}
}

// begin fails or delays a call.
func (d *faultyDriver) begin(ctx context.Context) error {
	d.mu.Lock()
	fault, repaired := d.fault, d.repaired
	d.mu.Unlock()
	switch fault {
	case conformance.FaultDown:
		return storage.ErrUnavailable
	case conformance.FaultHang:
		select {
		case <-repaired:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (d *faultyDriver) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	if err := d.begin(ctx); err != nil {
		return storage.Record{}, false, err
	}
	return d.inner.Get(ctx, key, c)
}

func (d *faultyDriver) Put(ctx context.Context, record storage.Record, condition storage.Condition) error {
	if err := d.begin(ctx); err != nil {
		return err
	}
	return d.inner.Put(ctx, record, condition)
}

func (d *faultyDriver) Update(ctx context.Context, key string, change storage.Change, condition storage.Condition) error {
	if err := d.begin(ctx); err != nil {
		return err
	}
	return d.inner.Update(ctx, key, change, condition)
}

func (d *faultyDriver) Delete(ctx context.Context, key string, condition storage.Condition) error {
	if err := d.begin(ctx); err != nil {
		return err
	}
	return d.inner.Delete(ctx, key, condition)
}

func (d *faultyDriver) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	if err := d.begin(ctx); err != nil {
		return storage.Page{}, err
	}
	d.mu.Lock()
	broken := d.fault == conformance.FaultScan
	d.mu.Unlock()
	if broken && request.Start != "" {
		return storage.Page{}, storage.ErrUnavailable
	}
	return d.inner.(storage.Scanner).Scan(ctx, request)
}
