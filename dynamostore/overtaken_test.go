package dynamostore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// lostWays are how it comes to be asked what became of a write whose response was lost. In each, others write between
// the write and the question.
var lostWays = map[string]func(t *testing.T, f *fixture, operation string, do func(context.Context) error,
	others func()) error{
	"repeated": func(t *testing.T, f *fixture, operation string, do func(context.Context) error, others func()) error {
		t.Helper()
		f.faults.LoseResponse(operation, 1)
		return f.meanwhile(t, operation, do, others)
	},
	"given up": func(t *testing.T, f *fixture, operation string, do func(context.Context) error, others func()) error {
		t.Helper()
		release := f.faults.HoldResponse(operation)
		defer release()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		result := make(chan error, 1)
		go func() { result <- do(ctx) }()
		if err := f.faults.AwaitHeld(t.Context(), operation, 1); err != nil {
			t.Fatal(err)
		}
		others()
		cancel()
		return <-result
	},
}

// meanwhile lets others write before the next attempt of the operation that no fault strikes.
func (f *fixture) meanwhile(t *testing.T, operation string, do func(context.Context) error, others func()) error {
	t.Helper()
	release := f.faults.Hold(operation)
	defer release()
	result := make(chan error, 1)
	go func() { result <- do(t.Context()) }()
	if err := f.faults.AwaitHeld(t.Context(), operation, 1); err != nil {
		t.Fatal(err)
	}
	others()
	release()
	return <-result
}

// succeed writes over what is stored, n times, as others do who have read it.
func (f *fixture) succeed(t *testing.T, key string, n int) {
	t.Helper()
	for i := range n {
		seen, _ := f.stored(t, key)
		next := newRecord(key, fmt.Sprintf("successor %d", i+1))
		next.Succeed(seen)
		f.mustPut(t, next)
	}
}

// lease puts a lease on what is stored, past all faults, as somebody else does.
func (f *fixture) lease(t *testing.T, key, id string) {
	t.Helper()
	r, _ := f.stored(t, key)
	r.Lease = newLease(id)
	f.mustPut(t, r)
}

// A write that was applied and then written over is recognised by the ancestry of what is stored now, as far as it
// reaches. Beyond that it is not known, and said to be so.
func TestOvertakenWriteIsRecognised(t *testing.T) {
	t.Parallel()
	for _, write := range writes {
		key, ok := map[string]string{"put": "key", "put of unknown creation": "key", "move": "key-moved"}[write.name]
		if !ok {
			continue
		}
		for way, ask := range lostWays {
			for _, n := range []int{1, 2, 4, 5} {
				t.Run(fmt.Sprintf("%s/%s/%d", write.name, way, n), func(t *testing.T) {
					t.Parallel()
					f := newFixture(t, layouts["plain"])
					stored := newLeased("key")
					f.mustPut(t, stored)
					var count func() int
					err := ask(t, f, write.operation, func(ctx context.Context) error {
						ctx, count = recovered(ctx)
						return write.do(ctx, f.driver, stored)
					}, func() { f.succeed(t, key, n) })
					switch {
					case way == "repeated" && write.meets == 0:
						if err != nil {
							t.Errorf("%v; want nil", err)
						}
					case n <= 4:
						if err != nil || count() != 1 {
							t.Errorf("%v, %d writes recovered; want nil and 1", err, count())
						}
					default:
						if !errors.Is(err, storage.ErrOutcomeUnknown) || count() != 0 {
							t.Errorf("%v, %d writes recovered; want ErrOutcomeUnknown and none", err, count())
						}
					}
				})
			}
		}
	}
}

// A write of which one attempt never arrived, and that others were faster than, is a conflict and nothing else: what is
// stored descends from the version that the write is made over, and not by way of the write.
func TestOvertakenWriteThatNeverArrived(t *testing.T) {
	t.Parallel()
	for _, write := range writes {
		if write.name != "put" && write.name != "put of unknown creation" && write.name != "move" {
			continue
		}
		for _, n := range []int{1, 4, 5} {
			t.Run(fmt.Sprintf("%s/%d", write.name, n), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, layouts["plain"])
				stored := newLeased("key")
				f.mustPut(t, stored)
				f.faults.DropRequest(write.operation, 1)
				err := f.meanwhile(t, write.operation, func(ctx context.Context) error {
					return write.do(ctx, f.driver, stored)
				}, func() { f.succeed(t, "key", n) })
				if unknown := n > 4; !errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrOutcomeUnknown) != unknown {
					t.Errorf("%v; want a conflict, of unknown outcome: %v", err, unknown)
				}
			})
		}
	}
}

// What became of a lease is told by what is stored now, and never by somebody else's.
func TestOvertakenLease(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		write  string
		others func(t *testing.T, f *fixture)
		want   error
	}{
		// Others leave the instant of the change as it is.
		{"touch and release", func(t *testing.T, f *fixture) { t.Helper(); f.lease(t, "key", "next") }, nil},
		{
			"touch and release", func(t *testing.T, f *fixture) { t.Helper(); f.succeed(t, "key", 1) },
			storage.ErrOutcomeUnknown,
		},
		{
			"touch and change of the lease", func(t *testing.T, f *fixture) { t.Helper(); f.lease(t, "key", "next") },
			storage.ErrOutcomeUnknown,
		},
		// It was committed to under the lease that was freed, and is free again.
		{"release", func(t *testing.T, f *fixture) { t.Helper(); f.succeed(t, "key", 1) }, nil},
		{"release", func(t *testing.T, f *fixture) { t.Helper(); f.lease(t, "key", "next") }, storage.ErrOutcomeUnknown},
		{"renew", func(t *testing.T, f *fixture) { t.Helper(); f.lease(t, "key", "next") }, storage.ErrOutcomeUnknown},
		{"acquire", func(t *testing.T, f *fixture) { t.Helper(); f.lease(t, "key", "next") }, storage.ErrOutcomeUnknown},
		{"acquire", func(t *testing.T, f *fixture) {
			t.Helper()
			if err := f.past(t).Delete(t.Context(), "key", storage.Always()); err != nil {
				t.Fatal(err)
			}
		}, storage.ErrOutcomeUnknown},
	} {
		for way, ask := range lostWays {
			for _, write := range writes {
				if write.name != test.write {
					continue
				}
				f := newFixture(t, layouts["plain"])
				stored := newLeased("key")
				f.mustPut(t, stored)
				var count func() int
				err := ask(t, f, write.operation, func(ctx context.Context) error {
					ctx, count = recovered(ctx)
					return write.do(ctx, f.driver, stored)
				}, func() { test.others(t, f) })
				if !errors.Is(err, test.want) || (err == nil) != (count() == 1) {
					t.Errorf("%s, %s: %v, %d writes recovered; want %v", write.name, way, err, count(), test.want)
				}
			}
		}
	}
}

// Without an attempt that may have been applied, what a change wants is the work of others, and a conflict all the
// same.
func TestConflictIsNotMistakenForSuccess(t *testing.T) {
	t.Parallel()
	f := newFixture(t, layouts["plain"])
	now := time.Now()
	r := newRecord("key", "data")
	f.mustPut(t, r)
	for name, change := range map[string]storage.Change{
		"release": {Lease: &storage.Lease{}},
		"touch":   {UpdatedAt: r.UpdatedAt, ExpiresAt: r.ExpiresAt},
	} {
		f.faults.Throttle("UpdateItem", 1)
		ctx, count := recovered(t.Context())
		err := f.driver.Update(ctx, "key", change, storage.IfVersionAndLease(r.Version, "mine", now))
		if !errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrOutcomeUnknown) || count() != 0 {
			t.Errorf("%s: %v, %d writes recovered; want a conflict and nothing else", name, err, count())
		}
	}
}
