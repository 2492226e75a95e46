package lockstrategy

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff says how long to wait before asking again: at random below a bound that doubles each time, so that those who wait
// for the same thing do not ask at the same time. See Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture
// Blog, 2015.
type backoff struct {
	// first is the first bound, limit the last.
	first, limit time.Duration
	// even makes each pause at least half its bound ("equal jitter" in place of "full jitter"). Where nobody competes and
	// each question costs money, that asks less often, and bounds how often.
	even  bool
	bound time.Duration
}

// next returns how long to wait now.
func (b *backoff) next() time.Duration {
	b.bound = min(max(2*b.bound, b.first), b.limit)
	least := time.Duration(1)
	if b.even {
		least = b.bound / 2
	}
	return least + rand.N(b.bound-least+1) //nolint:gosec // Jitter need not be hard to guess.
}

// wait waits that long.
func (b *backoff) wait(ctx context.Context) error { return sleep(ctx, b.next()) }

// sleep waits for d, or returns ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
