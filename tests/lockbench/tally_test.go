package lockbench_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/tap"
	"github.com/scsdynamo/scsdynamo/storage"
)

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
func counted(driver storage.Driver, tally *tally, latency time.Duration) storage.Driver {
	return &tap.Driver{Driver: driver, Around: func(ctx context.Context, _ tap.Call,
		next func(context.Context) error,
	) error {
		if latency > 0 {
			_ = pause(ctx, latency) // the driver says that the context has ended
		}
		err := next(ctx)
		tally.add(err)
		return err
	}}
}
