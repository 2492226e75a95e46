package storage_test

import (
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

func newRecord() storage.Record {
	now := time.Now()
	return storage.Record{Key: "key", UpdatedAt: now, ExpiresAt: now.Add(time.Hour), Version: storage.NewVersion()}
}

// successors returns a record and those that were made from it, each from the one before.
func successors(n int) []storage.Record {
	records := []storage.Record{newRecord()}
	for range n {
		next := newRecord()
		next.Succeed(records[len(records)-1])
		records = append(records, next)
	}
	return records
}

func TestRecordDescendsFromTheLastFour(t *testing.T) {
	t.Parallel()
	records := successors(20)
	for i, r := range records {
		for j, before := range records {
			if got, want := r.Descends(before.Version), j <= i && i-j <= 4; got != want {
				t.Errorf("record %d descends from record %d: %v; want %v", i, j, got, want)
			}
		}
		if r.Descends(storage.NewVersion()) {
			t.Errorf("record %d descends from a version that nobody wrote", i)
		}
		if len(r.Ancestry) > 40 {
			t.Errorf("the ancestry of record %d has %d bytes; it must not grow for ever", i, len(r.Ancestry))
		}
	}
}

// Two that were made from the same record are not each other's.
func TestRecordDoesNotDescendFromItsSibling(t *testing.T) {
	t.Parallel()
	parent, one, two := newRecord(), newRecord(), newRecord()
	one.Succeed(parent)
	two.Succeed(parent)
	if one.Descends(two.Version) || two.Descends(one.Version) {
		t.Error("a record descends from its sibling")
	}
}

// A record takes the ancestry of what it was made from, not that of what it was before.
func TestSucceedReplacesAncestry(t *testing.T) {
	t.Parallel()
	records := successors(3)
	last := records[3]
	fresh := newRecord()
	last.Succeed(fresh)
	if last.Descends(records[2].Version) || !last.Descends(fresh.Version) {
		t.Error("the record descends from what it was not made from")
	}
}

// Ancestries that this package did not write do no harm.
func TestDescendsOfOddText(t *testing.T) {
	t.Parallel()
	version := storage.NewVersion()
	for _, short := range []string{"", "v", strings.Repeat("v", 9)} {
		r := newRecord()
		r.Succeed(storage.Record{Version: short, Ancestry: version})
		if r.Ancestry != "" {
			t.Errorf("a version of %d bytes became an ancestry of %d", len(short), len(r.Ancestry))
		}
		if r.Descends(short) {
			t.Errorf("a record descends from a version of %d bytes", len(short))
		}
	}
	for _, ancestry := range []string{"", "x", version[:9], "x" + version, strings.Repeat("é", 15)} {
		if (storage.Record{Version: "own", Ancestry: ancestry}).Descends(version) {
			t.Errorf("an ancestry of %d bytes that names no version names this one", len(ancestry))
		}
	}
	if !(storage.Record{Version: "own"}).Descends("own") {
		t.Error("a record is not of its own version")
	}
}

func TestChangeKeepsTheRest(t *testing.T) {
	t.Parallel()
	r := successors(2)[2]
	r.Data, r.Lease = []byte("data"), storage.Lease{ID: "lease"}
	later := r.ExpiresAt.Add(time.Hour)
	for name, test := range map[string]struct {
		change storage.Change
		want   func(*storage.Record)
	}{
		"nothing": {storage.Change{}, func(*storage.Record) {}},
		"expiry":  {storage.Change{ExpiresAt: later}, func(r *storage.Record) { r.ExpiresAt = later }},
		"instant": {storage.Change{UpdatedAt: later}, func(r *storage.Record) { r.UpdatedAt = later }},
		"lease":   {storage.Change{Lease: &storage.Lease{ID: "other"}}, func(r *storage.Record) { r.Lease.ID = "other" }},
		"release": {storage.Change{Lease: &storage.Lease{}}, func(r *storage.Record) { r.Lease = storage.Lease{} }},
	} {
		want := r
		test.want(&want)
		got := test.change.Apply(r)
		if got.Version != want.Version || got.Ancestry != want.Ancestry || string(got.Data) != string(want.Data) ||
			!got.ExpiresAt.Equal(want.ExpiresAt) || !got.UpdatedAt.Equal(want.UpdatedAt) || got.Lease != want.Lease {
			t.Errorf("%s: another record than it should be", name)
		}
	}
}
