package dynamostore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// writes are the conditional writes, each on a session that is stored under a lease, and whether it is there
// afterwards. meets is how often a repetition fails its condition because of what the first attempt wrote.
var writes = []struct {
	name, operation string
	meets           int
	do              func(ctx context.Context, d *dynamostore.Driver, stored storage.Record) error
	applied         func(stored, now storage.Record, found bool) bool
}{
	{
		"put", "PutItem", 1,
		func(ctx context.Context, d *dynamostore.Driver, stored storage.Record) error {
			next := newRecord(stored.Key, "next")
			return d.Put(ctx, next, storage.IfVersion(stored.Version, time.Now()))
		},
		func(_, now storage.Record, found bool) bool { return found && string(now.Data) == "next" },
	},
	{
		"put of unknown creation", "UpdateItem", 1,
		func(ctx context.Context, d *dynamostore.Driver, stored storage.Record) error {
			next := newRecord(stored.Key, "next")
			next.CreatedAt = time.Time{}
			return d.Put(ctx, next, storage.IfVersion(stored.Version, time.Now()))
		},
		func(stored, now storage.Record, found bool) bool {
			return found && string(now.Data) == "next" && now.CreatedAt.Equal(stored.CreatedAt)
		},
	},
	{
		"touch and release", "UpdateItem", 1,
		func(ctx context.Context, d *dynamostore.Driver, stored storage.Record) error {
			now := time.Now()
			change := storage.Change{UpdatedAt: now, ExpiresAt: stored.ExpiresAt.Add(time.Hour), Lease: &storage.Lease{}}
			return d.Update(ctx, stored.Key, change, storage.IfVersionAndLease(stored.Version, stored.Lease.ID, now))
		},
		func(stored, now storage.Record, found bool) bool {
			return found && now.Lease.Free() && now.ExpiresAt.After(stored.ExpiresAt)
		},
	},
	{
		"touch and change of the lease", "UpdateItem", 1,
		func(ctx context.Context, d *dynamostore.Driver, stored storage.Record) error {
			now, lease := time.Now(), newLease("mine")
			change := storage.Change{UpdatedAt: now, Lease: &lease}
			return d.Update(ctx, stored.Key, change, storage.IfVersionAndLease(stored.Version, stored.Lease.ID, now))
		},
		func(_, now storage.Record, found bool) bool { return found && now.Lease.ID == "mine" },
	},
	{
		"acquire", "UpdateItem", 1,
		func(ctx context.Context, d *dynamostore.Driver, stored storage.Record) error {
			want := stored
			want.Lease = newLease("mine")
			seen, err := d.Acquire(ctx, stored.Key, want.Lease, storage.IfFreeOrUnchanged(stored.Lease, time.Now()))
			if err == nil && !sameRecord(want, seen) {
				return errors.New("the record that was acquired is not the one that is stored")
			}
			return err
		},
		func(_, now storage.Record, found bool) bool { return found && now.Lease.ID == "mine" },
	},
	{
		"renew", "UpdateItem", 0, // it meets the condition again
		func(ctx context.Context, d *dynamostore.Driver, stored storage.Record) error {
			lease := newLease(stored.Lease.ID)
			return d.Update(ctx, stored.Key, storage.Change{Lease: &lease}, storage.IfLease(stored.Lease.ID))
		},
		func(stored, now storage.Record, found bool) bool {
			return found && now.Lease.ID == stored.Lease.ID && now.Lease.ExpiresAt.After(stored.Lease.ExpiresAt)
		},
	},
	{
		"release", "UpdateItem", 1,
		func(ctx context.Context, d *dynamostore.Driver, stored storage.Record) error {
			return d.Update(ctx, stored.Key, storage.Change{Lease: &storage.Lease{}}, storage.IfLease(stored.Lease.ID))
		},
		func(_, now storage.Record, found bool) bool { return found && now.Lease.Free() },
	},
	{
		"delete", "DeleteItem", 1,
		func(ctx context.Context, d *dynamostore.Driver, stored storage.Record) error {
			return d.Delete(ctx, stored.Key, storage.IfVersion(stored.Version, time.Now()))
		},
		func(_, _ storage.Record, found bool) bool { return !found },
	},
}

func newLease(id string) storage.Lease {
	return storage.Lease{ID: id, Duration: time.Minute, ExpiresAt: time.Now().Add(time.Minute)}
}

// newLeased returns a record to store on which somebody else has a lease.
func newLeased(key string) storage.Record {
	r := newRecord(key, "first")
	r.Succeed(newRecord(key, ""))
	r.Lease = storage.Lease{ID: "theirs", Duration: time.Second, ExpiresAt: time.Now()}
	return r
}

// recovered returns the context of a call and what tells how many writes it found applied whose response was lost.
func recovered(ctx context.Context) (context.Context, func() int) {
	meter := &storage.Meter{}
	return storage.WithMeter(ctx, meter), func() int { return meter.Usage().Recovered }
}

// A response that is lost is repeated by the SDK, whose second attempt meets what the first one wrote.
func TestLostResponseIsSuccess(t *testing.T) {
	t.Parallel()
	for _, write := range writes {
		for name, lose := range map[string]func(*dynamotest.Faults, string, int){
			"response lost":      (*dynamotest.Faults).LoseResponse,
			"timed out":          (*dynamotest.Faults).TimeOut,
			"500 after applying": (*dynamotest.Faults).Fail500AfterApplying,
		} {
			t.Run(write.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, dynamostore.Table{})
				stored := newLeased(t.Name())
				f.mustPut(t, stored)
				f.meetItem(t, stored.Key)
				lose(f.faults, write.operation, 1)
				ctx, count := recovered(t.Context())
				if err := write.do(ctx, f.driver, stored); err != nil {
					t.Fatalf("the write was applied, but returned %v", err)
				}
				if got := count(); got != write.meets {
					t.Errorf("%d writes were recovered; want %d", got, write.meets)
				}
				if got := f.recorder.Calls(); got[write.operation] != 1 || len(got) > 1 {
					t.Errorf("calls %v; want one", got)
				}
				if now, found := f.stored(t, stored.Key); !write.applied(stored, now, found) {
					t.Fatalf("the write returned nil, but is not there: found %v, version %q", found, now.Version)
				}
			})
		}
	}
}

// meetItem lets the driver see that the engine sends the item that a condition fails on.
func (f *fixture) meetItem(t *testing.T, key string) {
	t.Helper()
	if err := f.driver.Put(t.Context(), newRecord(key, "other"),
		storage.IfAbsent(time.Now())); !errors.Is(err, storage.ErrConflict) {
		t.Fatalf("%v; want a conflict", err)
	}
	f.recorder.Reset()
}

// When every response is lost, one consistent read decides.
func TestReadDecidesOutcome(t *testing.T) {
	t.Parallel()
	const attempts = 3 // of the test client
	for _, write := range writes {
		t.Run(write.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, dynamostore.Table{})
			stored := newLeased("applied")
			f.mustPut(t, stored)
			f.faults.LoseResponse(write.operation, 1)
			f.faults.DropRequest(write.operation, attempts-1)
			ctx, count := recovered(t.Context())
			if err := write.do(ctx, f.driver, stored); err != nil {
				t.Errorf("applied, all responses lost: %v; want nil", err)
			}
			if got := count(); got != 1 {
				t.Errorf("%d writes were recovered; want 1", got)
			}
			if got := f.recorder.Calls()["GetItem"]; got != 1 {
				t.Errorf("%d reads to decide; want 1", got)
			}

			stored = newLeased("not applied")
			f.mustPut(t, stored)
			f.faults.Fail500(write.operation, attempts)
			ctx, count = recovered(t.Context())
			err := write.do(ctx, f.driver, stored)
			if got := count(); got != 0 {
				t.Errorf("%d writes were recovered of one that was not applied", got)
			}
			if !errors.Is(err, dynamostore.ErrServiceFailed) || errors.Is(err, storage.ErrOutcomeUnknown) {
				t.Errorf("not applied, all requests failed: %v; want ErrServiceFailed and a known outcome", err)
			}

			stored = newLeased("perhaps on its way")
			f.mustPut(t, stored)
			f.faults.DropRequest(write.operation, attempts)
			err = write.do(t.Context(), f.driver, stored)
			if !errors.Is(err, storage.ErrOutcomeUnknown) || !errors.Is(err, dynamostore.ErrUnreachable) {
				t.Errorf("not applied, all requests lost: %v; want ErrOutcomeUnknown and ErrUnreachable", err)
			}

			stored = newLeased("not known")
			f.mustPut(t, stored)
			f.faults.LoseResponse(write.operation, 1)
			f.faults.DropRequest(write.operation, attempts-1)
			f.faults.Throttle("GetItem", attempts)
			err = write.do(t.Context(), f.driver, stored)
			if !errors.Is(err, storage.ErrOutcomeUnknown) {
				t.Errorf("neither response nor read: %v; want ErrOutcomeUnknown", err)
			}
		})
	}
}

// An attempt that surely did not reach the table leaves nothing open, and costs no read.
func TestCertainFailureCostsNoRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	for _, write := range writes {
		stored := newLeased(write.name)
		f.mustPut(t, stored)
		f.faults.Throttle(write.operation, 3)
		err := write.do(t.Context(), f.driver, stored)
		if !errors.Is(err, storage.ErrThrottled) || !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%s: %v; want ErrThrottled", write.name, err)
		}
		if now, found := f.stored(t, stored.Key); !found || !sameRecord(now, stored) {
			t.Errorf("%s: a throttled write changed the session", write.name)
		}
	}
	f.faults.Down()
	stored := newRecord("down", "first")
	if err := writes[0].do(t.Context(), f.driver, stored); !errors.Is(err, dynamostore.ErrUnreachable) {
		t.Errorf("endpoint down: %v; want ErrUnreachable", err)
	}
	if got := f.recorder.Calls()["GetItem"]; got != 0 {
		t.Errorf("%d reads; want none", got)
	}
}

// A caller that goes away while its write is on the way gets success if the write arrived, and its own error if not.
func TestCancelledWrite(t *testing.T) {
	t.Parallel()
	for _, write := range writes {
		t.Run(write.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, dynamostore.Table{})
			stored := newLeased("key")
			during := func(hold func(string) func()) error {
				f.mustPut(t, stored)
				release := hold(write.operation)
				defer release()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				result := make(chan error, 1)
				go func() { result <- write.do(ctx, f.driver, stored) }()
				if err := f.faults.AwaitHeld(t.Context(), write.operation, 1); err != nil {
					t.Fatal(err)
				}
				cancel()
				return <-result
			}
			if err := during(f.faults.HoldResponse); err != nil {
				t.Errorf("cancelled after the write arrived: %v; want nil", err)
			}
			if now, found := f.stored(t, stored.Key); !write.applied(stored, now, found) {
				t.Error("success was reported for a write that is not there")
			}
			if err := during(f.faults.Hold); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled before the write arrived: %v; want context.Canceled", err)
			}
			if now, found := f.stored(t, stored.Key); !found || !sameRecord(now, stored) {
				t.Error("the write was applied although it returned an error")
			}
		})
	}
}

// A conflict with a third party, after a lost response of our own, is both: a conflict, and perhaps applied before.
func TestConflictAfterLostResponse(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	stored := newRecord("key", "first")
	f.mustPut(t, stored)
	f.faults.LoseResponse("PutItem", 1)
	release := f.faults.Hold("PutItem") // the second attempt
	result := make(chan error, 1)
	go func() {
		result <- f.driver.Put(t.Context(), newRecord("key", "ours"), storage.IfVersion(stored.Version, time.Now()))
	}()
	if err := f.faults.AwaitHeld(t.Context(), "PutItem", 1); err != nil {
		t.Fatal(err)
	}
	f.mustPut(t, newRecord("key", "theirs"))
	release()
	err := <-result
	var conflict *storage.ConflictError
	if !errors.As(err, &conflict) || !errors.Is(err, storage.ErrOutcomeUnknown) {
		t.Fatalf("%v; want a conflict and ErrOutcomeUnknown", err)
	}
	if string(conflict.Current.Data) != "theirs" {
		t.Errorf("the conflict carries %q; want what is stored", conflict.Current.Data)
	}
}

func TestUnprocessedItemsAreSentAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	var keys []string
	for i := range 60 {
		key := string(rune('A'+i%26)) + storage.NewVersion()
		f.mustPut(t, newRecord(key, "data"))
		keys = append(keys, key)
	}
	keys = append(keys, keys[0], "", "\xff", "missing")
	f.faults.Unprocessed("BatchWriteItem", 3, 20)
	if err := f.driver.DeleteBatch(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	if got := f.recorder.Calls()["BatchWriteItem"]; got != 3+3 {
		t.Errorf("%d calls; want 3 batches and 3 repetitions", got)
	}
	for _, key := range keys[:60] {
		if _, found := f.stored(t, key); found {
			t.Fatal("a session was left behind as unprocessed")
		}
	}
	f.mustPut(t, newRecord("last", "data"))
	f.faults.Unprocessed("BatchWriteItem", 100, 1)
	if err := f.driver.DeleteBatch(t.Context(), []string{"last"}); !errors.Is(err, storage.ErrThrottled) {
		t.Errorf("never processed: %v; want ErrThrottled", err)
	}
}
