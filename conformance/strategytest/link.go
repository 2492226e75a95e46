package strategytest

import (
	"context"
	"sync"

	"github.com/scsdynamo/scsdynamo/storage"
)

// link is how one process reaches a driver. It counts writes, can be cut, and can lose responses.
type link struct {
	driver storage.Driver

	mu     sync.Mutex
	cut    bool
	loses  bool // The response of the next Put.
	calls  int
	writes int // That were applied.
}

// wrap returns a driver with the optional interfaces that strategies look for, as far as the driver has them.
func (l *link) wrap() storage.Driver {
	if _, leases := l.driver.(storage.Leaser); leases {
		return struct {
			*link
			leasing
		}{l, leasing{l}}
	}
	return l
}

// sever lets no call through any more.
func (l *link) sever() { l.set(func() { l.cut = true }) }

func (l *link) heal() { l.set(func() { l.cut = false }) }

// loseNext has the next Put applied, and its response lost.
func (l *link) loseNext() { l.set(func() { l.loses = true }) }

func (l *link) set(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func (l *link) isCut() (cut bool) { l.set(func() { cut = l.cut }); return cut }

// counts returns the calls and the applied writes so far.
func (l *link) counts() (calls, writes int) {
	l.set(func() { calls, writes = l.calls, l.writes })
	return calls, writes
}

func (l *link) begin() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	if l.cut {
		return storage.ErrUnavailable
	}
	return nil
}

// write makes a call that writes.
func (l *link) write(call func() error, payload bool) error {
	if err := l.begin(); err != nil {
		return err
	}
	err := call()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		return err
	}
	l.writes++
	if payload && l.loses {
		l.loses = false
		return storage.ErrOutcomeUnknown
	}
	return nil
}

func (l *link) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	if err := l.begin(); err != nil {
		return storage.Record{}, false, err
	}
	return l.driver.Get(ctx, key, c)
}

func (l *link) Put(ctx context.Context, record storage.Record, condition storage.Condition) error {
	return l.write(func() error { return l.driver.Put(ctx, record, condition) }, true)
}

func (l *link) Update(ctx context.Context, key string, change storage.Change, condition storage.Condition) error {
	return l.write(func() error { return l.driver.Update(ctx, key, change, condition) }, false)
}

func (l *link) Delete(ctx context.Context, key string, condition storage.Condition) error {
	return l.write(func() error { return l.driver.Delete(ctx, key, condition) }, false)
}

type leasing struct{ l *link }

func (d leasing) Acquire(
	ctx context.Context, key string, lease storage.Lease, condition storage.Condition,
) (record storage.Record, err error) {
	err = d.l.write(func() error {
		record, err = d.l.driver.(storage.Leaser).Acquire(ctx, key, lease, condition)
		return err
	}, false)
	return record, err
}
