package backoff_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
)

func TestNextStaysBelowBoundsThatDouble(t *testing.T) {
	const first, limit = 10 * time.Millisecond, 50 * time.Millisecond
	for range 1000 {
		full := backoff.Backoff{First: first, Limit: limit}
		even := backoff.Backoff{First: first, Limit: limit, Even: true}
		for _, bound := range []time.Duration{first, 2 * first, 4 * first, limit, limit} {
			if got := full.Next(); got <= 0 || got > bound {
				t.Fatalf("full jitter: a pause of %v where the bound is %v", got, bound)
			}
			if got := even.Next(); got < bound/2 || got > bound {
				t.Fatalf("equal jitter: a pause of %v where the bound is %v", got, bound)
			}
		}
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		if err := backoff.Sleep(t.Context(), time.Minute); err != nil || time.Since(started) != time.Minute {
			t.Errorf("slept %v and returned %v, want a minute and no error", time.Since(started), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		started = time.Now()
		if err := backoff.Sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) ||
			time.Since(started) != time.Second {
			t.Errorf("slept %v and returned %v, want a second and the context's error", time.Since(started), err)
		}
	})
}
