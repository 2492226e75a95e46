package lockstrategy_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/mark"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// An arrival counts by its own departure alone: that of a session which has gone the same way before, and has ended
// since, does not bring it back.
func TestI2_ArrivalOfAnotherDeparture(t *testing.T) {
	t.Parallel()
	now := time.Now()
	next := record("new", now.Add(time.Hour))
	next.CreatedAt, next.Data = now, []byte("data")
	arrival := ended.Arrival(next, "old")
	for name, test := range map[string]struct {
		old  storage.Record
		live bool
	}{
		"its own":          {ended.Departure("old", arrival, now), true},
		"another one's":    {ended.Departure("old", ended.Arrival(next, "old"), now), false},
		"to another key":   {ended.Departure("old", storage.Record{Key: "third", Version: arrival.Version}, now), false},
		"still there":      {record("old", now.Add(time.Hour)), false},
		"ended":            {ended.Tombstone(storage.Record{Key: "old"}, "", now), false},
		"renewed":          {ended.Tombstone(storage.Record{Key: "old"}, "new", now), false},
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

// An arrival whose session is still under its old key is in the way of a write, and is not made a session by it.
func TestI2_WriteMeetsAnArrivalAlone(t *testing.T) {
	t.Parallel()
	now := time.Now()
	next := record("new", now.Add(time.Hour))
	next.CreatedAt, next.UpdatedAt = now, now
	for name, old := range map[string]storage.Record{
		"the session is there":  record("old", now.Add(time.Hour)),
		"the session has ended": ended.Tombstone(storage.Record{Key: "old"}, "", now),
	} {
		driver := memory.New()
		arrival := ended.Arrival(next, "old")
		for _, r := range []storage.Record{old, arrival} {
			if err := driver.Put(t.Context(), r, storage.Always()); err != nil {
				t.Fatal(err)
			}
		}
		spy := newSpy(driver)
		backend := &lockstrategy.Backend{Driver: spy, Now: func() time.Time { return now }}
		for _, condition := range []storage.Condition{storage.IfVersion(next.Version, now), storage.IfAbsent(now)} {
			write := record("new", now.Add(time.Hour))
			_, err := backend.Write(t.Context(), "new", write, condition)
			if !errors.Is(err, lockstrategy.ErrSessionGone) {
				t.Errorf("%s: %v; want ErrSessionGone", name, err)
			}
		}
		if n := spy.take()["put"]; n != 2 {
			t.Errorf("%s: %d writes; want the two that were refused", name, n)
		}
		if r, _, _ := driver.Get(t.Context(), "new", storage.Strong); r.Version != arrival.Version || !ended.Arriving(r) {
			t.Errorf("%s: there is %+v; want the arrival as it was", name, r)
		}
	}
}

// vanishing is a driver from which what is under a key goes with the first read of another.
type vanishing struct {
	*memory.Driver
	read, gone string
	left       *storage.Record // in its place
}

func (d *vanishing) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	if key == d.read {
		if err := d.Delete(ctx, d.gone, storage.Always()); err != nil {
			return storage.Record{}, false, err
		}
		if d.left != nil {
			if err := d.Put(ctx, *d.left, storage.Always()); err != nil {
				return storage.Record{}, false, err
			}
		}
	}
	return d.Driver.Get(ctx, key, c)
}

// What becomes of an arrival while its old key is looked at is what counts.
func TestArrivalThatChangesMeanwhile(t *testing.T) {
	t.Parallel()
	now := time.Now()
	next := record("new", now.Add(time.Hour))
	next.CreatedAt, next.UpdatedAt = now, now
	other := record("new", now.Add(time.Hour))
	expired := record("new", now)
	expired.UpdatedAt = now.Add(-time.Hour)
	tombstone := ended.Tombstone(storage.Record{Key: "new"}, "", now)
	for name, test := range map[string]struct {
		left *storage.Record
		live bool
	}{
		"is gone":             {nil, false},
		"is the session":      {&next, true},
		"is another session":  {&other, true},
		"is one that is over": {&expired, false},
		"has ended":           {&tombstone, false},
	} {
		driver := &vanishing{memory.New(), "old", "new", test.left}
		if err := driver.Put(t.Context(), ended.Arrival(next, "old"), storage.Always()); err != nil {
			t.Fatal(err)
		}
		backend := &lockstrategy.Backend{Driver: driver, Now: func() time.Time { return now }}
		seen, found, err := backend.Read(t.Context(), "new")
		if err != nil || found != test.live || found && seen.Version != test.left.Version {
			t.Errorf("%s: found %v, %+v, %v; want %v", name, found, seen, err, test.live)
		}
	}
}

// A read that fails at any of its calls finds nothing.
func TestArrivalThatCannotBeRead(t *testing.T) {
	t.Parallel()
	now := time.Now()
	next := record("new", now.Add(time.Hour))
	next.CreatedAt, next.UpdatedAt = now, now
	for fails := 1; fails <= 3; fails++ {
		driver := memory.New()
		if err := driver.Put(t.Context(), ended.Arrival(next, "old"), storage.Always()); err != nil {
			t.Fatal(err)
		}
		spy, reads := newSpy(driver), 0
		spy.set(func(string) error {
			if reads++; reads == fails {
				return storage.ErrUnavailable
			}
			return nil
		}, nil)
		backend := &lockstrategy.Backend{Driver: spy, Now: func() time.Time { return now }}
		seen, found, err := backend.Read(t.Context(), "new")
		if !errors.Is(err, storage.ErrUnavailable) || found || seen.Key != "" {
			t.Errorf("read %d fails: found %v, %+v, %v; want the error alone", fails, found, seen, err)
		}
	}
}

// restless is a driver on which a session is announced anew with each read.
type restless struct {
	*memory.Driver
	next  storage.Record
	reads int
}

func (d *restless) Get(_ context.Context, key string, _ storage.Consistency) (storage.Record, bool, error) {
	if d.reads++; key != d.next.Key {
		return storage.Record{}, false, nil
	}
	return ended.Arrival(d.next, "old"), true, nil
}

// A session that never arrives is not followed for ever, and one that would be over is not followed at all.
func TestArrivalThatNeverArrives(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, lifetime := range map[string]time.Duration{"live": time.Hour, "over": 0} {
		next := record("new", now.Add(lifetime))
		next.CreatedAt, next.UpdatedAt = now.Add(-time.Hour), now.Add(-time.Hour)
		driver := &restless{Driver: memory.New(), next: next}
		backend := &lockstrategy.Backend{Driver: driver, Now: func() time.Time { return now }}
		seen, found, err := backend.Read(t.Context(), "new")
		if err != nil || found || seen.Key != "" || driver.reads > 20 || lifetime == 0 && driver.reads != 1 {
			t.Errorf("%s: found %v, %+v, %v after %d reads; want nothing", name, found, seen, err, driver.reads)
		}
	}
}

// passing is a driver on which time passes with each first write of a key.
type passing struct {
	*memory.Driver
	pass func()
}

func (d *passing) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	if c.Kind == storage.KindAbsent {
		d.pass()
	}
	return d.Driver.Put(ctx, r, c)
}

// A session that expires while the first of several writes is on its way is not brought back by those that follow.
func TestI2_ExpiryWithinAWrite(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*lockstrategy.Backend, context.Context, string, storage.Record,
		storage.Condition) (*storage.Record, error){
		"move": (*lockstrategy.Backend).Write, "renewal": (*lockstrategy.Backend).Renew,
	} {
		now := time.Now()
		driver := &passing{memory.New(), func() { now = now.Add(time.Minute) }}
		backend := &lockstrategy.Backend{Driver: driver, Now: func() time.Time { return now }}
		old := record("old", now.Add(time.Second))
		if err := driver.Driver.Put(t.Context(), old, storage.Always()); err != nil {
			t.Fatal(err)
		}
		next := record("new", now.Add(time.Hour))
		next.UpdatedAt, next.CreatedAt = now, now
		if _, err := write(backend, t.Context(), "old",
			next, storage.IfVersion(old.Version, now)); !errors.Is(err, lockstrategy.ErrSessionGone) {
			t.Errorf("%s: %v; want ErrSessionGone", name, err)
		}
		for _, key := range []string{"old", "new"} {
			if _, found, err := backend.Read(t.Context(), key); found || err != nil {
				t.Errorf("%s: %s: found %v, %v", name, key, found, err)
			}
		}
	}
}

// denying is a driver that refuses departures.
type denying struct{ *memory.Driver }

var errDenied = errors.New("denied")

func (d denying) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	if ended.Destination(r) != "" {
		return errDenied
	}
	return d.Driver.Put(ctx, r, c)
}

// A session that is stored once more under its old key, because another move of it may be on its way, keeps its mark,
// to which its data may be bound.
func TestMoveThatMeetsAnotherKeepsTheMark(t *testing.T) {
	t.Parallel()
	now := time.Now()
	driver := denying{memory.New()}
	backend := &lockstrategy.Backend{Driver: driver, Now: func() time.Time { return now }}
	old, next := record("old", now.Add(time.Hour)), record("new", now.Add(time.Hour))
	old.Version, next.CreatedAt, next.UpdatedAt = mark.NewVersion("mark"), now, now
	for _, r := range []storage.Record{old, ended.Arrival(next, "old")} {
		if err := driver.Driver.Put(t.Context(), r, storage.Always()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := backend.Write(t.Context(), "old", next, storage.IfVersion(old.Version, now)); !errors.Is(err, errDenied) {
		t.Fatal(err)
	}
	seen, found, err := backend.Read(t.Context(), "old")
	if err != nil || !found || seen.Version == old.Version || mark.Of(seen) != "mark" {
		t.Errorf("found %v, version %q of old, mark %q, %v; want another version, and the mark", found, seen.Version,
			mark.Of(seen), err)
	}
}

// What takes the place of a departure descends from it: a process that has lost the response to it knows by that that
// its session has moved, wherever others have moved it since.
func TestI4_WhatFollowsADepartureDescendsFromIt(t *testing.T) {
	t.Parallel()
	now := time.Now()
	driver := memory.New()
	backend := &lockstrategy.Backend{Driver: driver, Now: func() time.Time { return now }}
	seen := record("one", now.Add(time.Hour))
	seen.CreatedAt, seen.UpdatedAt = now, now
	if err := driver.Put(t.Context(), seen, storage.Always()); err != nil {
		t.Fatal(err)
	}
	var departure storage.Record
	for _, key := range []string{"two", "one"} {
		from := seen.Key
		next := record(key, now.Add(time.Hour))
		next.CreatedAt, next.UpdatedAt = now, now
		next.Succeed(seen)
		if _, err := backend.Write(t.Context(), from, next, storage.IfVersion(seen.Version, now)); err != nil {
			t.Fatal(err)
		}
		if key == "two" {
			departure, _, _ = driver.Get(t.Context(), from, storage.Strong)
		}
		seen, _, _ = backend.Read(t.Context(), key)
	}
	if ended.Destination(departure) != "two" || !seen.Descends(departure.Version) {
		t.Errorf("%+v does not descend from the departure %+v", seen, departure)
	}
}
