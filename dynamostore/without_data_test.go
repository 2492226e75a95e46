package dynamostore_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// A driver that never asks for the data of sessions gives the same answers as one that does, lost responses included.
func TestWithoutData(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(t *testing.T, f *fixture, seen storage.Record) // after it was read
		fault  func(*dynamotest.Faults)
		left   bool
	}{
		"as it was":             {},
		"as it was, lost":       {fault: func(f *dynamotest.Faults) { f.LoseResponse("DeleteItem", 1) }},
		"as it was, never sent": {fault: func(f *dynamotest.Faults) { f.DropRequest("DeleteItem", 9) }, left: true},
		"renewed":               {change: rewrite, left: true},
		"renewed, never sent": {
			change: rewrite, fault: func(f *dynamotest.Faults) { f.DropRequest("DeleteItem", 1) },
			left: true,
		},
		"renewed, after a fault": {
			change: rewrite, fault: func(f *dynamotest.Faults) { f.Fail500("DeleteItem", 1) },
			left: true,
		},
		"leased": {change: func(t *testing.T, f *fixture, seen storage.Record) {
			t.Helper()
			if _, err := f.past(t).Acquire(t.Context(), seen.Key, newLease("lease"), storage.IfFree(time.Now())); err != nil {
				t.Fatal(err)
			}
		}, left: true},
		"gone": {change: func(t *testing.T, f *fixture, seen storage.Record) {
			t.Helper()
			if err := f.past(t).Delete(t.Context(), seen.Key, storage.Always()); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var answers [2]error
			for i := range answers {
				f := newFixture(t, dynamostore.Table{SortKey: dynamostore.Key{Name: "sk"}})
				seen := newRecord("key", "secret data")
				f.mustPut(t, seen)
				if test.change != nil {
					test.change(t, f, seen)
				}
				driver := f.driver
				if i == 1 {
					driver = driver.WithoutData()
				}
				if test.fault != nil {
					test.fault(f.faults)
				}
				answers[i] = driver.Delete(t.Context(), seen.Key, storage.IfUnchanged(seen))
				if _, found := f.stored(t, seen.Key); found != test.left {
					t.Errorf("without data: %v; after %v it is still there: %v", i == 1, answers[i], found)
				}
			}
			for _, kind := range []error{
				storage.ErrConflict, storage.ErrOutcomeUnknown, storage.ErrUnavailable,
				storage.ErrCorrupt,
			} {
				if errors.Is(answers[0], kind) != errors.Is(answers[1], kind) {
					t.Errorf("with data %v, without %v", answers[0], answers[1])
				}
			}
			with, without := (*storage.ConflictError)(nil), (*storage.ConflictError)(nil)
			if errors.As(answers[0], &with) && errors.As(answers[1], &without) {
				if (with.Current == nil) != (without.Current == nil) || with.Current != nil &&
					(without.Current.Lease.Free() != with.Current.Lease.Free() || len(without.Current.Data) > 0 ||
						without.Current.Version == "") {
					t.Errorf("in the way is %+v, or without data %+v", with.Current, without.Current)
				}
			}
		})
	}
}

func rewrite(t *testing.T, f *fixture, seen storage.Record) {
	t.Helper()
	seen.Version = storage.NewVersion()
	f.mustPut(t, seen)
}

// It reads records without their data, but for those that are not sessions.
func TestWithoutDataReads(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	driver := f.driver.WithoutData()
	own := storage.ReservedPrefix + "position"
	for _, key := range []string{"key", own} {
		f.mustPut(t, newRecord(key, "secret data"))
		record, found, err := driver.Get(t.Context(), key, storage.Strong)
		if err != nil || !found || (string(record.Data) == "secret data") != (key == own) || record.Version == "" ||
			record.ExpiresAt.IsZero() {
			t.Errorf("%s: %v, %v, %+v", key, found, err, record)
		}
	}
	if _, found, err := driver.Get(t.Context(), "nothing", storage.Strong); found || err != nil {
		t.Errorf("what is not there: %v, %v", found, err)
	}
	if got := f.recorder.Operations(); !slices.Equal(got, []string{"GetItem"}) {
		t.Errorf("it called %v", got)
	}
}
