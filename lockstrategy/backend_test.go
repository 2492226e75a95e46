package lockstrategy_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// staleDriver answers eventual reads with what was there before.
type staleDriver struct {
	*memory.Driver
	before map[string]storage.Record
	reads  []storage.Consistency
}

func (d *staleDriver) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	d.reads = append(d.reads, c)
	if c == storage.Eventual {
		record, found := d.before[key]
		return record, found, nil
	}
	return d.Driver.Get(ctx, key, c)
}

func record(key string, expiresAt time.Time) storage.Record {
	return storage.Record{Key: key, ExpiresAt: expiresAt, UpdatedAt: time.Now(), Version: storage.NewVersion()}
}

func TestReadModes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	// Each session lives; an eventual read has not heard of "new" yet, and thinks that "extended" has expired.
	stale := map[string]storage.Record{"extended": record("extended", now), "old": record("old", now.Add(time.Hour))}
	for _, test := range []struct {
		name  string
		reads lockstrategy.Reads
		found map[string]bool
		calls []storage.Consistency
	}{
		{
			"strong", lockstrategy.StrongReads,
			map[string]bool{"new": true, "extended": true, "old": true},
			[]storage.Consistency{storage.Strong, storage.Strong, storage.Strong},
		},
		{
			"eventual", lockstrategy.EventualReads,
			map[string]bool{"old": true},
			[]storage.Consistency{storage.Eventual, storage.Eventual, storage.Eventual},
		},
		{
			"eventual, then strong", lockstrategy.EventualThenStrongReads,
			map[string]bool{"new": true, "extended": true, "old": true},
			[]storage.Consistency{storage.Eventual, storage.Strong, storage.Eventual, storage.Strong, storage.Eventual},
		},
	} {
		driver := &staleDriver{Driver: memory.New(), before: stale}
		backend := &lockstrategy.Backend{Driver: driver, Reads: test.reads, Now: func() time.Time { return now }}
		for _, key := range []string{"new", "extended", "old"} {
			if err := driver.Put(t.Context(), record(key, now.Add(time.Hour)), storage.Always()); err != nil {
				t.Fatal(err)
			}
			if _, found, err := backend.Read(t.Context(), key); err != nil || found != test.found[key] {
				t.Errorf("%s: %s: found %v, %v; want %v", test.name, key, found, err, test.found[key])
			}
		}
		if len(driver.reads) != len(test.calls) {
			t.Fatalf("%s: reads %v; want %v", test.name, driver.reads, test.calls)
		}
		for i := range test.calls {
			if driver.reads[i] != test.calls[i] {
				t.Errorf("%s: reads %v; want %v", test.name, driver.reads, test.calls)
			}
		}
	}
}

// A conflict says who won only as far as the caller may know it: errors travel to logs.
func TestWriteErrors(t *testing.T) {
	t.Parallel()
	now := time.Now()
	driver := memory.New()
	backend := &lockstrategy.Backend{Driver: driver, Now: func() time.Time { return now }}
	put := func(r storage.Record) {
		t.Helper()
		if err := driver.Put(t.Context(), r, storage.Always()); err != nil {
			t.Fatal(err)
		}
	}
	put(record("changed", now.Add(time.Hour)))
	put(record("expired", now))
	put(record("moved", now.Add(time.Hour)))
	seen := storage.IfVersion("seen", now)
	for name, test := range map[string]struct {
		from, key string
		want      error
	}{
		"changed":              {"changed", "changed", storage.ErrConflict},
		"expired":              {"expired", "expired", lockstrategy.ErrSessionGone},
		"deleted":              {"deleted", "deleted", lockstrategy.ErrSessionGone},
		"moved by another":     {"deleted", "moved", storage.ErrConflict},
		"deleted, not moved":   {"deleted", "nowhere", lockstrategy.ErrSessionGone},
		"changed, to be moved": {"changed", "elsewhere", storage.ErrConflict},
	} {
		_, err := backend.Write(t.Context(), test.from, record(test.key, now.Add(time.Hour)), seen)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v; want %v", name, err, test.want)
		}
		if conflict := (*storage.ConflictError)(nil); errors.As(err, &conflict) {
			t.Errorf("%s: the error carries the record", name)
		}
	}
}

// A move that finds the session gone looks, strongly, whether another request has moved it, and does not forget that
// its own outcome is not known.
func TestMoveThatFindsTheSessionGone(t *testing.T) {
	t.Parallel()
	now := time.Now()
	moved := record("moved", now.Add(time.Hour))
	for name, test := range map[string]struct {
		key     string
		unknown bool
		want    error
		inWay   bool
	}{
		"moved by another":     {"moved", false, storage.ErrConflict, true},
		"ended":                {"nowhere", false, lockstrategy.ErrSessionGone, false},
		"ended, it is unknown": {"nowhere", true, lockstrategy.ErrSessionGone, false},
	} {
		driver := &moveDriver{staleDriver: staleDriver{Driver: memory.New()}, unknown: test.unknown}
		if err := driver.Put(t.Context(), moved, storage.Always()); err != nil {
			t.Fatal(err)
		}
		backend := &lockstrategy.Backend{
			Driver: driver, Reads: lockstrategy.EventualReads,
			Now: func() time.Time { return now },
		}
		inTheWay, err := backend.Write(t.Context(), "gone", record(test.key, now.Add(time.Hour)),
			storage.IfVersion("seen", now))
		if !errors.Is(err, test.want) || errors.Is(err, storage.ErrOutcomeUnknown) != test.unknown ||
			(inTheWay != nil) != test.inWay {
			t.Errorf("%s: %v, %+v", name, err, inTheWay)
		}
	}
}

// moveDriver has lost the answer to an earlier attempt of a departure, where it is unknown. Eventual reads find
// nothing.
type moveDriver struct {
	staleDriver
	unknown bool
}

func (d *moveDriver) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	err := d.staleDriver.Put(ctx, r, c)
	if d.unknown && ended.Destination(r) != "" {
		err = errors.Join(err, storage.ErrOutcomeUnknown)
	}
	return err
}

// A renewal whose first write is in doubt has not touched the old session, and leaves no new one; one whose second
// write is in doubt is in doubt.
func TestRenewalInDoubt(t *testing.T) {
	t.Parallel()
	for lost, test := range map[int]struct {
		want, not error
		new       bool // there is a new session afterwards
	}{
		1: {storage.ErrUnavailable, storage.ErrOutcomeUnknown, false},
		2: {storage.ErrOutcomeUnknown, storage.ErrConflict, true},
	} {
		driver := memory.New()
		old := store(t, driver, map[string]any{})
		spy := newSpy(driver)
		puts := 0
		spy.set(nil, func(call string, err error) error {
			if call == "put" {
				if puts++; puts == lost {
					return storage.ErrOutcomeUnknown // it was applied all the same
				}
			}
			return err
		})
		backend := &lockstrategy.Backend{Driver: spy, Now: time.Now}
		next := record("next", inAnHour())
		_, err := backend.Renew(t.Context(), key, next, storage.IfVersion(old.Version, time.Now()))
		if !errors.Is(err, test.want) || errors.Is(err, test.not) {
			t.Errorf("write %d is lost: %v; want %v", lost, err, test.want)
		}
		if _, found, _ := driver.Get(t.Context(), "next", storage.Strong); found != test.new {
			t.Errorf("write %d is lost: there is a new session: %v", lost, found)
		}
		if _, values := stored(t, driver); (values == nil) != test.new {
			t.Errorf("write %d is lost: the old session: %v", lost, values)
		}
	}
}

// A new token that is taken, which does not happen, is a conflict without the record.
func TestRenewalToATakenKey(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	old := store(t, driver, map[string]any{})
	if err := driver.Put(t.Context(), record("taken", inAnHour()), storage.Always()); err != nil {
		t.Fatal(err)
	}
	backend := &lockstrategy.Backend{Driver: driver, Now: time.Now}
	_, err := backend.Renew(t.Context(), key, record("taken", inAnHour()), storage.IfVersion(old.Version, time.Now()))
	if conflict := (*storage.ConflictError)(nil); !errors.Is(err, storage.ErrConflict) || errors.As(err, &conflict) {
		t.Errorf("%v; want ErrConflict", err)
	}
	if _, values := stored(t, driver); values == nil {
		t.Error("the old session has ended")
	}
}

// A delete ends what the session has become meanwhile, wherever that is, and leaves a tombstone where there is nothing.
// What it meets tells it the condition of its next write.
func TestDeleteFollows(t *testing.T) {
	t.Parallel()
	now := time.Now()
	read := record("key", now.Add(time.Hour))
	changed, next, expired := read, record("next", now.Add(time.Hour)), read
	changed.Version = storage.NewVersion()
	renewed := ended.Tombstone(read, "next", now)
	next.CreatedAt = now // as a session that moves has
	arrival := ended.Arrival(next, "key")
	departure := ended.Departure("key", arrival, now)
	expired.ExpiresAt, expired.UpdatedAt = now, now.Add(-time.Hour)
	arrivalExpired := next
	arrivalExpired.ExpiresAt, arrivalExpired.CreatedAt = now, now.Add(-time.Hour)
	arrivalExpired = ended.Arrival(arrivalExpired, "key")
	for name, test := range map[string]struct {
		ends   storage.Record
		stored []storage.Record
		writes int
	}{
		"as it was read":            {read, []storage.Record{read}, 1},
		"changed":                   {read, []storage.Record{changed}, 2},
		"expired":                   {read, []storage.Record{expired}, 2},
		"renewed":                   {read, []storage.Record{renewed, next}, 2},
		"renewed, and expired":      {read, []storage.Record{renewed}, 1},
		"a tombstone":               {renewed, []storage.Record{renewed, next}, 1},
		"moved away":                {read, nil, 2},
		"moved":                     {read, []storage.Record{departure, next}, 2},
		"moved, and not complete":   {read, []storage.Record{departure, arrival}, 2},
		"announced, and expired":    {renewed, []storage.Record{renewed, arrivalExpired}, 2},
		"another key":               {storage.Record{Key: "key"}, nil, 1},
		"another key, moved here":   {storage.Record{Key: "key"}, []storage.Record{changed}, 2},
		"another key, and renewed":  {storage.Record{Key: "key"}, []storage.Record{renewed, next}, 2},
		"another key, and departed": {storage.Record{Key: "key"}, []storage.Record{departure, next}, 2},
	} {
		driver := memory.New()
		for _, r := range test.stored {
			if err := driver.Put(t.Context(), r, storage.Always()); err != nil {
				t.Fatal(err)
			}
		}
		spy := newSpy(driver)
		backend := &lockstrategy.Backend{Driver: spy, Now: func() time.Time { return now }}
		if err := backend.Delete(t.Context(), test.ends); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := spy.take()["put"]; n != test.writes {
			t.Errorf("%s: %d writes; want %d", name, n, test.writes)
		}
		for _, k := range []string{"key", "next"} {
			r, found, _ := driver.Get(t.Context(), k, storage.Strong)
			if k == "key" && !found || found && (!r.Ended() || ended.Arriving(r)) {
				t.Errorf("%s: under %q: found %v, ended %v; want a tombstone", name, k, found, r.Ended())
			}
		}
	}
}

// A session that ends in place of moving ends under the key that it has. Only without a condition it ends under both:
// then nobody knows under which it is.
func TestEndInPlaceOfAMove(t *testing.T) {
	t.Parallel()
	now := time.Now()
	read := record("old", now.Add(time.Hour))
	for name, test := range map[string]struct {
		condition storage.Condition
		fails     bool
		writes    int
		ends      []string
	}{
		"as it was read":           {storage.IfVersion(read.Version, now), false, 1, []string{"old"}},
		"whatever is there":        {storage.Always(), false, 2, []string{"old", "new"}},
		"as it was read, fails":    {storage.IfVersion(read.Version, now), true, 1, nil},
		"whatever is there, fails": {storage.Always(), true, 1, nil},
	} {
		driver := memory.New()
		if err := driver.Put(t.Context(), read, storage.Always()); err != nil {
			t.Fatal(err)
		}
		spy := newSpy(driver)
		if test.fails {
			spy.set(func(call string) error {
				if call == "put" {
					return storage.ErrUnavailable
				}
				return nil
			}, nil)
		}
		backend := &lockstrategy.Backend{Driver: spy, Now: func() time.Time { return now }}
		next := record("new", now)
		next.UpdatedAt, next.CreatedAt = now, now
		_, err := backend.Write(t.Context(), "old", next, test.condition)
		if test.fails != errors.Is(err, storage.ErrUnavailable) || !test.fails && err != nil ||
			errors.Is(err, storage.ErrOutcomeUnknown) {
			t.Errorf("%s: %v", name, err)
		}
		if n := spy.take()["put"]; n != test.writes {
			t.Errorf("%s: %d writes; want %d", name, n, test.writes)
		}
		for _, key := range []string{"old", "new"} {
			r, found, _ := driver.Get(t.Context(), key, storage.Strong)
			if ends := slices.Contains(test.ends, key); ends != (found && r.Ended()) {
				t.Errorf("%s: under %q: found %v, ended %v; want a tombstone: %v", name, key, found, r.Ended(), ends)
			}
		}
	}
}

// A delete of which a first write may have been applied does not say that nothing was written.
func TestDeleteInDoubt(t *testing.T) {
	t.Parallel()
	for _, follow := range []string{"get", "put"} {
		driver := memory.New()
		read := store(t, driver, map[string]any{})
		now := ended.Tombstone(read, "next", time.Now())
		if follow == "put" {
			now = record(key, inAnHour())
		}
		if err := driver.Put(t.Context(), now, storage.Always()); err != nil {
			t.Fatal(err)
		}
		spy := newSpy(driver)
		puts := 0
		spy.set(nil, func(call string, err error) error {
			if call == "put" {
				puts++
			}
			switch {
			case call == "put" && puts == 1: // another write has come between its first try and its second
				return errors.Join(err, storage.ErrOutcomeUnknown)
			case call == follow:
				return storage.ErrUnavailable
			}
			return err
		})
		backend := &lockstrategy.Backend{Driver: spy, Now: time.Now}
		if err := backend.Delete(t.Context(), read); !errors.Is(err, storage.ErrUnavailable) ||
			!errors.Is(err, storage.ErrOutcomeUnknown) {
			t.Errorf("%s: %v; want ErrUnavailable and ErrOutcomeUnknown", follow, err)
		}
	}
}
