package strategytest

import (
	"context"
	"sync"

	"github.com/scsdynamo/scsdynamo/internal/tap"
	"github.com/scsdynamo/scsdynamo/storage"
)

// link is how one process reaches a driver. It counts calls, can be cut, and can lose responses.
type link struct {
	driver storage.Driver

	mu     sync.Mutex
	cut    bool
	loses  bool // The response of the next Put.
	calls  int
	writes int // That were applied.
}

// wrap returns the driver as the process sees it.
func (l *link) wrap() storage.Driver { return &tap.Driver{Driver: l.driver, Around: l.around} }

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

func (l *link) around(ctx context.Context, call tap.Call, next func(context.Context) error) error {
	cut := false
	l.set(func() { l.calls++; cut = l.cut })
	if cut {
		return storage.ErrUnavailable
	}
	err := next(ctx)
	if err != nil || call.Reads() {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes++
	if l.loses && call.Method == "Put" {
		l.loses = false
		return storage.ErrOutcomeUnknown
	}
	return nil
}
