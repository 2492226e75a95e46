package dynamostore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// itemless is a client of an engine that does not return the item that a condition failed on.
type itemless struct{ *dynamodb.Client }

func (c itemless) PutItem(ctx context.Context, in *dynamodb.PutItemInput,
	o ...func(*dynamodb.Options),
) (*dynamodb.PutItemOutput, error) {
	in.ReturnValuesOnConditionCheckFailure = ""
	return c.Client.PutItem(ctx, in, o...)
}

func (c itemless) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput,
	o ...func(*dynamodb.Options),
) (*dynamodb.UpdateItemOutput, error) {
	in.ReturnValuesOnConditionCheckFailure = ""
	return c.Client.UpdateItem(ctx, in, o...)
}

func (c itemless) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput,
	o ...func(*dynamodb.Options),
) (*dynamodb.DeleteItemOutput, error) {
	in.ReturnValuesOnConditionCheckFailure = ""
	return c.Client.DeleteItem(ctx, in, o...)
}

// Where the engine sends no item with a failed condition, one read tells what is in the way: it is not taken for
// nothing.
func TestEngineWithoutItems(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	driver, err := dynamostore.NewDriver(itemless{f.client}, f.table)
	if err != nil {
		t.Fatal(err)
	}
	for _, write := range writes {
		if write.name == "renew" || write.name == "release" || write.name == "acquire" {
			continue // The write that was overtaken is below: these do not look at versions.
		}
		stored := newLeased(write.name)
		f.mustPut(t, stored)
		f.succeed(t, stored.Key, 1)
		current, _ := f.stored(t, stored.Key)
		f.recorder.Reset()
		meter := &storage.Meter{}
		err := write.do(storage.WithMeter(t.Context(), meter), driver, stored)
		var conflict *storage.ConflictError
		if !errors.As(err, &conflict) || conflict.Current == nil || !sameRecord(*conflict.Current, current) {
			t.Errorf("%s: %v; want a conflict with what is stored", write.name, err)
		}
		if got := f.recorder.Calls(); got["GetItem"] != 1 {
			t.Errorf("%s: %d reads; want 1", write.name, got["GetItem"])
		}
		if got := meter.Usage(); got.Calls != 2 || got.ReadUnits != 1 {
			t.Errorf("%s: consumed %+v; want 2 calls and 1 read unit", write.name, got)
		}
		if now, _ := f.stored(t, stored.Key); !sameRecord(now, current) {
			t.Errorf("%s: what was refused is stored", write.name)
		}
		f.faults.Throttle("GetItem", 3)
		err = write.do(t.Context(), driver, stored)
		if !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrConflict) ||
			errors.Is(err, storage.ErrOutcomeUnknown) {
			t.Errorf("%s: without an answer to the read: %v; want ErrUnavailable alone", write.name, err)
		}
		f.faults.Cancel()
	}
	stored := newLeased("leased")
	f.mustPut(t, stored)
	var conflict *storage.ConflictError
	if _, err := driver.Acquire(t.Context(), "leased", newLease("mine"),
		storage.IfFree(time.Now())); !errors.As(err, &conflict) ||
		conflict.Current == nil || conflict.Current.Lease.ID != "theirs" {
		t.Errorf("acquire what is held: %v; want a conflict with the lease", err)
	}
	if err := driver.Put(t.Context(), newRecord("leased", "other"),
		storage.IfAbsent(time.Now())); !errors.As(err, &conflict) || conflict.Current == nil {
		t.Errorf("create what is there: %v; want a conflict with it", err)
	}
	if err := driver.Delete(t.Context(), "none", storage.IfVersion("version", time.Now())); err != nil {
		t.Errorf("delete what is not there: %v; want nil", err)
	}
	f.recorder.Reset()
	if err := driver.Update(t.Context(), "none", storage.Change{UpdatedAt: time.Now()},
		storage.Always()); !errors.As(err, &conflict) || conflict.Current != nil {
		t.Errorf("update what is not there: %v; want a conflict with nothing", err)
	}
	if got := f.recorder.Calls()["GetItem"]; got != 0 {
		t.Errorf("%d reads to learn that there is nothing to update whatever it is; want none", got)
	}
}

// Once the engine has sent an item, that there is none tells that there is none, and costs nothing to believe.
func TestEngineWithItemsIsBelieved(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	f.mustPut(t, newRecord("key", "data"))
	f.meetItem(t, "key")
	if _, err := f.driver.Acquire(t.Context(), "none", newLease("mine"),
		storage.IfFree(time.Now())); !errors.Is(err, storage.ErrConflict) {
		t.Fatal(err)
	}
	if got := f.recorder.Calls()["GetItem"]; got != 0 {
		t.Errorf("%d reads; want none", got)
	}
}

// DynamoDB bills a write that is refused, by the size of what is there, and does not report it.
func TestRefusedWritesAreCounted(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	f.mustPut(t, newRecord("small", "data"))
	f.mustPut(t, newRecord("large", strings.Repeat("d", 3000)))
	f.meetItem(t, "small")
	stale := storage.IfVersion("stale", time.Now())
	for _, test := range []struct {
		name string
		do   func(context.Context) error
		want float64
	}{
		{"put", func(ctx context.Context) error { return f.driver.Put(ctx, newRecord("small", "next"), stale) }, 1},
		{"put over 3 KB", func(ctx context.Context) error { return f.driver.Put(ctx, newRecord("large", "next"), stale) }, 4},
		{
			"put over nothing",
			func(ctx context.Context) error { return f.driver.Put(ctx, newRecord("none", "next"), stale) }, 1,
		},
		{"update", func(ctx context.Context) error {
			return f.driver.Update(ctx, "large", storage.Change{UpdatedAt: time.Now()}, stale)
		}, 4},
		{"delete", func(ctx context.Context) error { return f.driver.Delete(ctx, "large", stale) }, 4},
	} {
		meter := &storage.Meter{}
		if err := test.do(storage.WithMeter(t.Context(), meter)); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("%s: %v; want a conflict", test.name, err)
		}
		if got := meter.Usage().WriteUnits; got != test.want {
			t.Errorf("%s: %v write units; want %v", test.name, got, test.want)
		}
	}
}
