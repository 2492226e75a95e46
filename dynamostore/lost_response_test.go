package dynamostore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// Each call of a request under a lease, with its response lost: the request does not fail, and the next one does not
// wait for the end of a lease.
func TestLostResponsesUnderALease(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		operation string
		pass      int // attempts of the operation before the one whose response is lost
		modify    bool
		slow      bool // until a renewal
	}{
		"acquire": {operation: "UpdateItem", modify: true},
		"commit":  {operation: "PutItem", modify: true},
		"release": {operation: "UpdateItem", pass: 1},
		"renew":   {operation: "UpdateItem", pass: 1, modify: true, slow: true},
	} {
		for fault, lose := range map[string]func(*dynamotest.Faults, string, int){
			"response lost": (*dynamotest.Faults).LoseResponse,
			"timed out":     (*dynamotest.Faults).TimeOut,
		} {
			t.Run(name+"/"+fault, func(t *testing.T) {
				t.Parallel()
				events := make(chan sessionstore.Event, 100)
				// So long a lease that waiting for its end would be waiting in vain; its renewal comes soon all the
				// same.
				lease := lockstrategy.Lease(lockstrategy.LeaseOptions{
					Duration: time.Hour, Renewal: 50 * time.Millisecond,
					MaxWait: 10 * time.Second,
				})
				f := newFixture(t, dynamostore.Table{}, sessionstore.WithStrategy(lease), sessionstore.WithObserver(
					func(_ context.Context, e sessionstore.Event) { events <- e },
				))
				request := func(store *sessionstore.Store, key string, slow bool) error {
					ctx, end := store.Begin(t.Context())
					defer end()
					data, found, err := store.FindCtx(ctx, "token")
					if err != nil || !found {
						return errors.Join(err, fmt.Errorf("found %v", found))
					}
					deadline, values, err := scs.GobCodec{}.Decode(data)
					if err != nil || key == "" {
						return err
					}
					for slow {
						slow = (<-events).Operation != "renew"
					}
					values[key] = true
					if data, err = (scs.GobCodec{}).Encode(deadline, values); err != nil {
						return err
					}
					return store.CommitCtx(ctx, "token", data, deadline)
				}
				deadline := time.Now().Add(time.Hour)
				empty, err := scs.GobCodec{}.Encode(deadline, map[string]any{})
				if err != nil {
					t.Fatal(err)
				}
				if err := f.store.CommitCtx(t.Context(), "token", empty, deadline); err != nil {
					t.Fatal(err)
				}

				if test.pass > 0 {
					f.faults.Pass(test.operation, test.pass)
				}
				lose(f.faults, test.operation, 1)
				key := ""
				if test.modify {
					key = "first"
				}
				if err := request(f.store, key, test.slow); err != nil {
					t.Errorf("the request: %v", err)
				}
				if left := f.faults.Unused(); len(left) > 0 {
					t.Errorf("the response was not lost: %v", left)
				}
				other := f.another(t, f.plain, lease)
				if err := request(other, "second", false); err != nil {
					t.Errorf("the next request: %v", err)
				}
				record, _ := f.stored(t, "token")
				_, values, err := scs.GobCodec{}.Decode(record.Data)
				if err != nil || values["second"] == nil || test.modify != (values["first"] != nil) || !record.Lease.Free() {
					t.Errorf("stored %v, %v; free %v", values, err, record.Lease.Free())
				}
			})
		}
	}
}

// another returns a store on the same table that is in another process as far as locks go.
func (f *fixture) another(t testing.TB, client *dynamodb.Client, strategy lockstrategy.Strategy) *sessionstore.Store {
	t.Helper()
	store, err := dynamostore.New(client, f.table, sessionstore.WithStrategy(strategy))
	if err != nil {
		t.Fatal(err)
	}
	return store
}
