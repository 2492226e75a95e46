package dynamostore_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// fixture is a table with a driver and a store on it, whose client shows and does what the test wants.
type fixture struct {
	client   *dynamodb.Client
	plain    *dynamodb.Client // without faults, and not recorded
	faults   *dynamotest.Faults
	recorder *dynamotest.Recorder
	table    dynamostore.Table
	driver   *dynamostore.Driver
	store    *sessionstore.Store
}

func newFixture(t testing.TB, layout dynamostore.Table, options ...sessionstore.Option) *fixture {
	t.Helper()
	f := &fixture{
		plain:  dynamotest.Client(t),
		faults: new(dynamotest.Faults), recorder: new(dynamotest.Recorder),
	}
	f.client = appClient(t, f.recorder.Install, f.faults.Install)
	f.table = createWithoutTTL(t, f.plain, layout)
	var err error
	if f.driver, err = dynamostore.NewDriver(f.client, f.table); err != nil {
		t.Fatal(err)
	}
	if f.store, err = dynamostore.New(f.client, f.table, options...); err != nil {
		t.Fatal(err)
	}
	return f
}

// newRecord returns a record to store that lives for an hour.
func newRecord(key, data string) storage.Record {
	now := time.Now()
	return storage.Record{
		Key: key, Data: []byte(data), CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(time.Hour),
		Version: storage.NewVersion(),
	}
}

// past returns a driver on the same table that no fault strikes.
func (f *fixture) past(t testing.TB) *dynamostore.Driver {
	t.Helper()
	driver, err := dynamostore.NewDriver(f.plain, f.table)
	if err != nil {
		t.Fatal(err)
	}
	return driver
}

// mustPut stores a record past all faults.
func (f *fixture) mustPut(t testing.TB, record storage.Record) {
	t.Helper()
	if err := f.past(t).Put(t.Context(), record, storage.Always()); err != nil {
		t.Fatal(err)
	}
}

// stored returns what is stored, past all faults.
func (f *fixture) stored(t testing.TB, key string) (storage.Record, bool) {
	t.Helper()
	record, found, err := f.past(t).Get(context.WithoutCancel(t.Context()), key, storage.Strong)
	if err != nil {
		t.Fatal(err)
	}
	return record, found
}
