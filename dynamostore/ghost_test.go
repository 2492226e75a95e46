package dynamostore_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

func text(s string) types.AttributeValue   { return &types.AttributeValueMemberS{Value: s} }
func number(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }

// putItem stores an item as another program would.
func (f *fixture) putItem(t *testing.T, attributes map[string]types.AttributeValue) {
	t.Helper()
	if _, err := f.plain.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table.Name, Item: attributes}); err != nil {
		t.Fatal(err)
	}
}

// items counts the items of the table, whatever they are.
func (f *fixture) items(t *testing.T) int {
	t.Helper()
	out, err := f.plain.Scan(t.Context(), &dynamodb.ScanInput{TableName: &f.table.Name})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Items)
}

// ghostItem is what is left where somebody puts a lease on a session that was deleted at that moment.
func ghostItem() (map[string]types.AttributeValue, storage.Lease) {
	lease := storage.Lease{ID: storage.NewVersion(), Duration: 5 * time.Second, ExpiresAt: time.Unix(1_700_000_000, 0).UTC()}
	return map[string]types.AttributeValue{
		"session_id": text("ghost"), "lease_id": text(lease.ID), "lease_duration": number("5"), "lease_expiry": number("1700000000"),
	}, lease
}

func TestGhost(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	attributes, lease := ghostItem()
	f.putItem(t, attributes)
	page, err := f.driver.Scan(t.Context(), storage.ScanRequest{Fields: storage.WithoutData})
	if err != nil || len(page.Unreadable) != 1 || page.Unreadable[0].Ghost == nil || *page.Unreadable[0].Ghost != lease {
		t.Fatalf("%+v, %v", page, err)
	}
	renewed := lease
	renewed.ExpiresAt = lease.ExpiresAt.Add(time.Second)
	other := lease
	other.ID = storage.NewVersion()
	for _, seen := range []storage.Lease{renewed, other} {
		if err := f.driver.DeleteGhost(t.Context(), "ghost", seen); !errors.Is(err, storage.ErrConflict) || f.items(t) != 1 {
			t.Errorf("with another lease: %v", err)
		}
	}
	f.faults.LoseResponse("DeleteItem", 1)
	for range 2 { // the second time there is nothing
		if err := f.driver.DeleteGhost(t.Context(), "ghost", lease); err != nil || f.items(t) != 0 {
			t.Errorf("%v, and %d items", err, f.items(t))
		}
	}
	if unused := f.faults.Unused(); len(unused) > 0 {
		t.Error(unused)
	}
	if err := f.driver.DeleteGhost(t.Context(), "", lease); err != nil {
		t.Errorf("a key that no item can have: %v", err)
	}
}

// What may be somebody else's is no ghost, and stays.
func TestNoGhost(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	for name, change := range map[string]func(map[string]types.AttributeValue){
		"a session without a version": func(i map[string]types.AttributeValue) { i["data"] = &types.AttributeValueMemberB{Value: []byte("x")} },
		"with an expiry":              func(i map[string]types.AttributeValue) { i["expiry"] = number("1700000000") },
		"with a foreign attribute":    func(i map[string]types.AttributeValue) { i["tenant"] = text("acme") },
		"a key alone":                 func(i map[string]types.AttributeValue) { delete(i, "lease_id") },
		"with half a lease":           func(i map[string]types.AttributeValue) { delete(i, "lease_duration") },
		"with a foreign lease":        func(i map[string]types.AttributeValue) { i["lease_id"] = text("flat 7") },
		"with a lease that is none":   func(i map[string]types.AttributeValue) { i["lease_expiry"] = text("tomorrow") },
	} {
		attributes, lease := ghostItem()
		attributes = maps.Clone(attributes)
		change(attributes)
		f.putItem(t, attributes)
		if err := f.driver.DeleteGhost(t.Context(), "ghost", lease); !errors.Is(err, storage.ErrConflict) || f.items(t) != 1 {
			t.Errorf("%s: %v, and %d items; want a conflict and the item", name, err, f.items(t))
		}
	}
	// A scan without the payload does not see all of it.
	record := newRecord("ghost", "data")
	record.Lease = storage.Lease{ID: storage.NewVersion(), Duration: time.Second, ExpiresAt: time.Now()}
	f.mustPut(t, record)
	page, err := f.driver.Scan(t.Context(), storage.ScanRequest{Fields: storage.WithoutData})
	if err != nil || len(page.Records) != 1 || len(page.Unreadable) != 0 {
		t.Errorf("a session with a lease: %+v, %v", page, err)
	}
	if err := f.driver.DeleteGhost(t.Context(), "ghost", record.Lease); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("a session with a lease: %v", err)
	}
}

// A session that is made at the moment when a ghost is deleted stays.
func TestGhostThatBecomesASession(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	attributes, lease := ghostItem()
	f.putItem(t, attributes)
	release := f.faults.Hold("DeleteItem")
	defer release()
	done := make(chan error)
	go func() { done <- f.driver.DeleteGhost(t.Context(), "ghost", lease) }()
	if err := f.faults.AwaitHeld(t.Context(), "DeleteItem", 1); err != nil {
		t.Fatal(err)
	}
	record := newRecord("ghost", "data")
	record.Lease = lease
	f.mustPut(t, record)
	release()
	if err := <-done; !errors.Is(err, storage.ErrConflict) {
		t.Error(err)
	}
	if _, found := f.stored(t, "ghost"); !found {
		t.Error("the session is gone")
	}
}

// The condition of collection, as DynamoDB judges it.
func TestDeleteIfUnchanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	free, held := newRecord("free", "data"), newRecord("held", "data")
	held.Lease = storage.Lease{ID: storage.NewVersion(), Duration: time.Second, ExpiresAt: time.Now()}
	for _, seen := range []storage.Record{free, held} {
		for i, change := range []func(*storage.Record){
			func(r *storage.Record) { r.Version = storage.NewVersion() },
			func(r *storage.Record) { r.ExpiresAt = r.ExpiresAt.Add(1) },
			func(r *storage.Record) { r.ExpiresAt = r.ExpiresAt.Add(-1) },
			func(r *storage.Record) { r.Lease = storage.Lease{ID: storage.NewVersion(), ExpiresAt: time.Now()} },
			func(r *storage.Record) { r.Lease.ID = held.Lease.ID; r.Lease.ExpiresAt = time.Now().Add(time.Hour) },
			nil,
		} {
			current := seen
			if change != nil {
				change(&current)
			}
			f.mustPut(t, current)
			err := f.driver.Delete(t.Context(), seen.Key, storage.IfUnchanged(seen))
			_, left := f.stored(t, seen.Key)
			if conflict := errors.Is(err, storage.ErrConflict); conflict != (change != nil) || left != conflict {
				t.Errorf("%s, change %d: %v, and it is there: %v", seen.Key, i, err, left)
			}
		}
	}
	released := held
	released.Lease = storage.Lease{}
	f.mustPut(t, released)
	if err := f.driver.Delete(t.Context(), held.Key, storage.IfUnchanged(held)); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("released: %v", err)
	}
}

// Attempts that DynamoDB has refused, and the SDK has repeated, are counted.
func TestUsageCountsThrottledAttempts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	record := newRecord("key", "data")
	for operation, call := range map[string]func(*storage.Meter) error{
		"PutItem": func(m *storage.Meter) error {
			return f.driver.Put(storage.WithMeter(t.Context(), m), record, storage.Always())
		},
		"GetItem": func(m *storage.Meter) error {
			_, _, err := f.driver.Get(storage.WithMeter(t.Context(), m), "key", storage.Strong)
			return err
		},
		"UpdateItem": func(m *storage.Meter) error {
			err := f.driver.Update(storage.WithMeter(t.Context(), m), "nobody", storage.Change{UpdatedAt: time.Now()}, storage.Always())
			if !errors.Is(err, storage.ErrConflict) {
				return fmt.Errorf("no conflict: %w", err)
			}
			m.Add(storage.Usage{Throttled: 2}) // of a request that has failed, nobody tells
			return nil
		},
		"DeleteItem": func(m *storage.Meter) error {
			return f.driver.Delete(storage.WithMeter(t.Context(), m), "other", storage.Always())
		},
		"Scan": func(m *storage.Meter) error {
			_, err := f.driver.Scan(storage.WithMeter(t.Context(), m), storage.ScanRequest{})
			return err
		},
		"BatchWriteItem": func(m *storage.Meter) error {
			return f.driver.DeleteBatch(storage.WithMeter(t.Context(), m), []string{"other"})
		},
	} {
		meter := &storage.Meter{}
		f.faults.Throttle(operation, 2)
		if err := call(meter); err != nil || meter.Usage().Throttled != 2 {
			t.Errorf("%s: %d attempts were throttled, %v; want 2", operation, meter.Usage().Throttled, err)
		}
		meter = &storage.Meter{}
		f.faults.DropRequest("GetItem", 1)
		if _, _, err := f.driver.Get(storage.WithMeter(t.Context(), meter), "key", storage.Strong); err != nil || meter.Usage().Throttled != 0 {
			t.Errorf("a connection that was reset counts: %d, %v", meter.Usage().Throttled, err)
		}
	}
	f.faults.Throttle("DeleteItem", 3)
	if err := f.driver.Delete(t.Context(), "other", storage.Always()); !errors.Is(err, storage.ErrThrottled) || !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("throttled for good: %v", err)
	}
}
