package storetest

import (
	"context"
	"sync"
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance"
	"github.com/scsdynamo/scsdynamo/internal/tap"
	"github.com/scsdynamo/scsdynamo/storage"
)

// faults are what a driver's storage is made to do.
type faults struct {
	mu       sync.Mutex
	fault    conformance.Fault
	repaired chan struct{} // closed by repair
}

func (f *faults) inject(_ *testing.T, fault conformance.Fault) (repair func()) {
	if fault == conformance.FaultThrottle || fault == conformance.FaultLostResponse {
		return nil // nothing below the store tries again
	}
	repaired := make(chan struct{})
	f.mu.Lock()
	f.fault, f.repaired = fault, repaired
	f.mu.Unlock()
	return func() {
		f.mu.Lock()
		f.fault = 0
		f.mu.Unlock()
		close(repaired)
	}
}

// around fails or delays a call.
func (f *faults) around(ctx context.Context, call tap.Call, next func(context.Context) error) error {
	f.mu.Lock()
	fault, repaired := f.fault, f.repaired
	f.mu.Unlock()
	switch {
	case fault == conformance.FaultDown, fault == conformance.FaultScan && call.Start != "":
		return storage.ErrUnavailable
	case fault == conformance.FaultHang:
		select {
		case <-repaired:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return next(ctx)
}
