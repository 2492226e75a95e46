package lockstrategy_test

import (
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// An arrival counts by its own departure alone: that of a session which has gone the same way before, and has ended since, does
// not bring it back.
func TestI2_ArrivalOfAnotherDeparture(t *testing.T) {
	t.Parallel()
	now := time.Now()
	next := record("new", now.Add(time.Hour))
	next.CreatedAt, next.Data = now, []byte("data")
	arrival := storage.Arrival(next, "old")
	for name, test := range map[string]struct {
		old  storage.Record
		live bool
	}{
		"its own":          {storage.Departure("old", arrival, now), true},
		"another one's":    {storage.Departure("old", storage.Arrival(next, "old"), now), false},
		"to another key":   {storage.Departure("old", storage.Record{Key: "third", Version: arrival.Version}, now), false},
		"still there":      {record("old", now.Add(time.Hour)), false},
		"ended":            {storage.Tombstone(storage.Record{Key: "old"}, "", now), false},
		"renewed":          {storage.Tombstone(storage.Record{Key: "old"}, "new", now), false},
		"never been there": {record("any", now.Add(time.Hour)), false},
	} {
		driver := memory.New()
		for _, r := range []storage.Record{test.old, arrival} {
			if err := driver.Put(t.Context(), r, storage.Always()); err != nil {
				t.Fatal(err)
			}
		}
		for _, reads := range []lockstrategy.Reads{lockstrategy.StrongReads, lockstrategy.EventualReads} {
			backend := &lockstrategy.Backend{Driver: driver, Reads: reads, Now: func() time.Time { return now }}
			seen, found, err := backend.Read(t.Context(), "new")
			if err != nil || found != test.live || found && (seen.Version != next.Version || string(seen.Data) != "data") {
				t.Errorf("%s: found %v, %+v, %v; want %v", name, found, seen, err, test.live)
			}
		}
		if seen, _, _ := driver.Get(t.Context(), "new", storage.Strong); seen.Version != arrival.Version {
			t.Errorf("%s: a read has written", name)
		}
	}
}
