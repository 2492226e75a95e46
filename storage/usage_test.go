package storage_test

import (
	"testing"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Whoever meters what he calls learns all of it, also what is metered again further down.
func TestMetersWithinMeters(t *testing.T) {
	t.Parallel()
	var outer, middle, inner storage.Meter
	all := storage.WithMeter(t.Context(), &outer)
	some := storage.WithMeter(all, &middle)
	few := storage.WithMeter(some, &inner)
	storage.MeterFrom(all).Add(storage.Usage{Calls: 1})
	storage.MeterFrom(some).Add(storage.Usage{Calls: 10, ReadUnits: 0.5})
	storage.MeterFrom(few).Add(storage.Usage{Calls: 100, Recovered: 1, Throttled: 2, WriteUnits: 3})
	storage.MeterFrom(storage.WithMeter(all, &outer)).Add(storage.Usage{Calls: 1000}) // which is no other
	for name, c := range map[string]struct {
		meter *storage.Meter
		want  storage.Usage
	}{
		"outer":  {&outer, storage.Usage{Calls: 1111, Recovered: 1, Throttled: 2, ReadUnits: 0.5, WriteUnits: 3}},
		"middle": {&middle, storage.Usage{Calls: 110, Recovered: 1, Throttled: 2, ReadUnits: 0.5, WriteUnits: 3}},
		"inner":  {&inner, storage.Usage{Calls: 100, Recovered: 1, Throttled: 2, WriteUnits: 3}},
	} {
		if got := c.meter.Usage(); got != c.want {
			t.Errorf("the %s meter has %+v; want %+v", name, got, c.want)
		}
	}
	if storage.MeterFrom(storage.WithMeter(few, nil)) != nil {
		t.Error("a nil meter does not take away the others")
	}
}
