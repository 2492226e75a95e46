// Package backoff says how long to wait before asking again.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff returns pauses at random below a bound that doubles each time, so that those who wait for the same thing do
// not ask at the same time. See Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. It is not
// safe for concurrent use.
type Backoff struct {
	// First is the first bound, Limit the last.
	First, Limit time.Duration
	// Even makes each pause at least half its bound ("equal jitter" in place of "full jitter"). Where nobody competes
	// and each question costs money, that asks less often, and bounds how often.
	Even  bool
	bound time.Duration
}

// Next returns how long to wait now.
func (b *Backoff) Next() time.Duration {
	b.bound = min(max(2*b.bound, b.First), b.Limit)
	least := time.Duration(1)
	if b.Even {
		least = b.bound / 2
	}
	return least + rand.N(b.bound-least+1) //nolint:gosec // Jitter need not be hard to guess.
}

// Wait waits that long, or returns ctx's error.
func (b *Backoff) Wait(ctx context.Context) error { return Sleep(ctx, b.Next()) }

// Sleep waits for d, or returns ctx's error.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}
