package lockstrategy_test

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// sum adds up what both requests have added to a number.
func sum(_ string, base, ours, theirs lockstrategy.Value) (lockstrategy.Value, error) {
	number := func(v lockstrategy.Value) float64 { n, _ := v.Value.(float64); return n }
	return lockstrategy.Value{Value: number(ours) + number(theirs) - number(base), Present: true}, nil
}

func TestMergeByValue(t *testing.T) {
	t.Parallel()
	type values = map[string]any
	for name, test := range map[string]struct {
		sameKey                  lockstrategy.SameKey
		base, theirs, ours, want values
	}{
		"different keys": {
			nil,
			values{"a": 1.0},
			values{"a": 1.0, "b": 2.0},
			values{"a": 1.0, "c": 3.0},
			values{"a": 1.0, "b": 2.0, "c": 3.0},
		},
		"removed by one": {
			nil,
			values{"a": 1.0, "b": 1.0},
			values{"b": 1.0},
			values{"a": 1.0, "b": 2.0},
			values{"b": 2.0},
		},
		"removed by both":          {nil, values{"a": 1.0, "b": 1.0}, values{"b": 2.0}, values{"b": 1.0}, values{"b": 2.0}},
		"removed by the late one":  {nil, values{"a": 1.0}, values{"a": 1.0, "b": 1.0}, values{}, values{"b": 1.0}},
		"same key, ours":           {nil, values{"a": 1.0}, values{"a": 2.0}, values{"a": 3.0}, values{"a": 3.0}},
		"same key, ours removed":   {nil, values{"a": 1.0}, values{"a": 2.0}, values{}, values{}},
		"same key, theirs removed": {nil, values{"a": 1.0}, values{}, values{"a": 3.0}, values{"a": 3.0}},
		"same key, theirs": {
			lockstrategy.Theirs,
			values{"a": 1.0, "b": 1.0},
			values{"a": 2.0, "b": 1.0},
			values{"a": 3.0, "b": 2.0},
			values{"a": 2.0, "b": 2.0},
		},
		"same key, theirs, who removed it": {
			lockstrategy.Theirs,
			values{"a": 1.0},
			values{},
			values{"a": 3.0},
			values{},
		},
		"same key, added up": {
			sum,
			values{"n": 1.0},
			values{"n": 2.0},
			values{"n": 2.0},
			values{"n": 3.0},
		},
		"deep values": {
			nil,
			values{"a": []any{1.0}, "b": values{"x": 1.0}},
			values{"a": []any{1.0, 2.0}, "b": values{"x": 1.0}},
			values{"a": []any{1.0}, "b": values{"x": 2.0}},
			values{"a": []any{1.0, 2.0}, "b": values{"x": 2.0}},
		},
		"nothing at first": {nil, nil, values{"a": 1.0}, values{"b": 1.0}, values{"a": 1.0, "b": 1.0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, processes := range []int{1, 2} {
				driver := stocked(t, test.base)
				p := newProcess(t, driver, lockstrategy.Merge(test.sameKey))
				other := p
				if processes == 2 {
					other = newProcess(t, driver, lockstrategy.Merge(test.sameKey))
				}
				ours, theirs := p.mustOpen(), other.mustOpen()
				ours.values, theirs.values = maps.Clone(test.ours), maps.Clone(test.theirs)
				if err := errors.Join(theirs.commit(), ours.commit()); err != nil {
					t.Fatal(err)
				}
				ours.end()
				theirs.end()
				if _, values := stored(t, driver); fmt.Sprint(values) != fmt.Sprint(test.want) {
					t.Errorf("%d processes: stored %v; want %v", processes, values, test.want)
				}
				if n := len(p.noticed(lockstrategy.Merged)); n != 1 {
					t.Errorf("%d processes: %d notices of a merge", processes, n)
				}
			}
		})
	}
}

func TestMergeOfDeadlines(t *testing.T) {
	t.Parallel()
	const h = time.Hour
	for name, test := range map[string]struct {
		// in hours from now; base is what both have read
		baseDeadline, theirDeadline, ourDeadline, wantDeadline time.Duration
		baseExpiry, theirExpiry, ourExpiry, wantExpiry         time.Duration
	}{
		"nobody changed it":         {24 * h, 24 * h, 24 * h, 24 * h, 24 * h, 24 * h, 24 * h, 24 * h},
		"they moved it back":        {24 * h, 48 * h, 24 * h, 48 * h, 24 * h, 48 * h, 24 * h, 48 * h},
		"they moved it forward":     {24 * h, 12 * h, 24 * h, 12 * h, 24 * h, 12 * h, 24 * h, 12 * h},
		"we moved it":               {24 * h, 24 * h, 48 * h, 48 * h, 24 * h, 24 * h, 48 * h, 48 * h},
		"we moved it forward":       {24 * h, 24 * h, 2 * h, 2 * h, 24 * h, 24 * h, 2 * h, 2 * h},
		"both, ours is earlier":     {24 * h, 48 * h, 12 * h, 12 * h, 24 * h, 48 * h, 12 * h, 12 * h},
		"both, theirs is earlier":   {24 * h, 6 * h, 12 * h, 6 * h, 24 * h, 6 * h, 12 * h, 6 * h},
		"idle, we were later":       {24 * h, 24 * h, 24 * h, 24 * h, 1 * h, 2 * h, 3 * h, 3 * h},
		"idle, they were later":     {24 * h, 24 * h, 24 * h, 24 * h, 1 * h, 3 * h, 2 * h, 3 * h},
		"idle, they made it sooner": {24 * h, 24 * h, 24 * h, 24 * h, 3 * h, 1 * h, 4 * h, 1 * h},
		"idle, they cut the end":    {24 * h, 2 * h, 24 * h, 2 * h, 1 * h, 2 * h, 3 * h, 2 * h},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			driver := stocked(t, nil)
			p := newProcess(t, driver, lockstrategy.Merge(nil))
			now := time.Now().UTC()
			first := p.mustOpen()
			first.deadline, first.expiry = now.Add(test.baseDeadline), now.Add(test.baseExpiry)
			if err := first.commit(); err != nil {
				t.Fatal(err)
			}
			first.end()
			ours, theirs := p.mustOpen(), p.mustOpen()
			ours.deadline, ours.expiry = now.Add(test.ourDeadline), now.Add(test.ourExpiry)
			theirs.deadline, theirs.expiry = now.Add(test.theirDeadline), now.Add(test.theirExpiry)
			if err := errors.Join(theirs.commit(), ours.commit()); err != nil {
				t.Fatal(err)
			}
			r, _ := stored(t, driver)
			deadline, _, err := jsonPayload{}.Decode(r)
			if err != nil || deadline.Sub(now) != test.wantDeadline || r.ExpiresAt.Sub(now) != test.wantExpiry {
				t.Errorf("deadline in %v, ends in %v, %v; want %v and %v",
					deadline.Sub(now), r.ExpiresAt.Sub(now), err, test.wantDeadline, test.wantExpiry)
			}
			ours.end()
			theirs.end()
		})
	}
}

func TestMergeCalls(t *testing.T) {
	t.Parallel()
	for _, processes := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			driver := stocked(t, map[string]any{})
			both := make([]*process, processes)
			for i := range both {
				both[i] = newProcess(t, driver, lockstrategy.Merge(nil))
			}
			var done sync.WaitGroup
			for i := range 8 {
				p := both[i%processes]
				done.Go(func() {
					v := p.mustOpen()
					defer v.end()
					time.Sleep(200 * time.Millisecond)
					if err := v.set(fmt.Sprint(i), true); err != nil {
						t.Error(err)
					}
				})
			}
			done.Wait()
			if _, values := stored(t, driver); len(values) != 8 {
				t.Errorf("%d of 8 updates kept", len(values))
			}
			reads, writes, failed := 0, 0, 0
			for _, p := range both {
				failed += p.spy.failed
				calls := p.spy.take()
				reads, writes = reads+calls["get"], writes+calls["put"]
				if len(calls) != 2 {
					t.Errorf("calls: %v", calls)
				}
			}
			if reads != 8 || writes != 8+failed || processes == 1 && failed > 0 || failed > 8 {
				t.Errorf("%d processes: %d reads, %d writes, %d of them refused", processes, reads, writes, failed)
			}
		})
	}
}

// A request that commits again must not undo what its first commit was merged with.
func TestMergeGoesOn(t *testing.T) {
	t.Parallel()
	driver := stocked(t, map[string]any{})
	p, other := newProcess(t, driver, lockstrategy.Merge(nil)), newProcess(t, driver, lockstrategy.Merge(nil))
	v, theirs := p.mustOpen(), other.mustOpen()
	for i, step := range []struct {
		do   func() error
		want map[string]any
	}{
		{func() error { return theirs.set("theirs", 1.0) }, map[string]any{"theirs": 1.0}},
		{func() error { return v.set("ours", 1.0) }, map[string]any{"theirs": 1.0, "ours": 1.0}},
		{func() error { return v.set("ours", 2.0) }, map[string]any{"theirs": 1.0, "ours": 2.0}},
		{func() error { return theirs.set("theirs", 2.0) }, map[string]any{"theirs": 2.0, "ours": 2.0}},
		{func() error { return v.set("more", 1.0) }, map[string]any{"theirs": 2.0, "ours": 2.0, "more": 1.0}},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if _, values := stored(t, driver); !maps.Equal(values, step.want) {
			t.Errorf("step %d: stored %v; want %v", i, values, step.want)
		}
	}
	v.end()
	theirs.end()
}

func TestMergeRefuses(t *testing.T) {
	t.Parallel()
	errPolicy := errors.New("the policy refuses")
	for name, test := range map[string]struct {
		sameKey lockstrategy.SameKey
		prepare func(t *testing.T, driver *memory.Driver, v *visit)
		want    error
	}{
		"a session that was deleted": {nil, func(t *testing.T, driver *memory.Driver, _ *visit) {
			if err := driver.Delete(t.Context(), key, storage.Always()); err != nil {
				t.Error(err)
			}
		}, lockstrategy.ErrSessionGone},
		"a session that has expired": {nil, func(t *testing.T, driver *memory.Driver, _ *visit) {
			change := storage.Change{ExpiresAt: time.Now()}
			if err := driver.Update(t.Context(), key, change, storage.Always()); err != nil {
				t.Error(err)
			}
		}, lockstrategy.ErrSessionGone},
		"what does not decode": {nil, func(t *testing.T, driver *memory.Driver, _ *visit) {
			r := record(key, time.Now().Add(time.Hour))
			r.Data = []byte("no JSON")
			if err := driver.Put(t.Context(), r, storage.Always()); err != nil {
				t.Error(err)
			}
		}, storage.ErrConflict},
		"by its policy": {
			func(string, lockstrategy.Value, lockstrategy.Value, lockstrategy.Value) (lockstrategy.Value, error) {
				return lockstrategy.Value{}, errPolicy
			},
			func(t *testing.T, driver *memory.Driver, _ *visit) {
				v := newProcess(t, driver, lockstrategy.Merge(nil)).mustOpen()
				if err := v.set("ours", 1.0); err != nil {
					t.Error(err)
				}
				v.end()
			}, errPolicy,
		},
		"after others were faster 32 times": {nil, func(t *testing.T, driver *memory.Driver, v *visit) {
			v.p.spy.set(func(call string) error {
				if call == "put" {
					store(t, driver, map[string]any{"faster": 1})
				}
				return nil
			}, nil)
		}, storage.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				driver := stocked(t, map[string]any{})
				p := newProcess(t, driver, lockstrategy.Merge(test.sameKey))
				v := p.mustOpen()
				test.prepare(t, driver, v)
				if err := v.set("ours", 2.0); !errors.Is(err, test.want) {
					t.Errorf("%v; want %v", err, test.want)
				}
				v.end()
				if calls := p.spy.take(); calls["put"] > 32 || calls["get"] != 1 {
					t.Errorf("calls: %v; want at most 32 tries and no further read", calls)
				}
				if r, found, _ := driver.Get(t.Context(), key, storage.Strong); found {
					if _, values, err := (jsonPayload{}).Decode(r); err == nil && values["ours"] == 2.0 {
						t.Error("it was stored all the same")
					}
				}
			})
		})
	}
}

// A commit that may have been applied is not applied a second time.
func TestMergeOfAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		policy  lockstrategy.SameKey
		others  func(v *visit) error // what others did with what they read
		unknown bool
		want    map[string]any
	}{
		"another value": {
			lockstrategy.Ours, func(v *visit) error { return v.set("theirs", 1.0) }, false,
			map[string]any{"n": 2.0, "theirs": 1.0},
		},
		"a number that is the same": {
			sum, func(v *visit) error { return v.set("theirs", 1.0) }, true, // may be the sum already
			map[string]any{"n": 2.0, "theirs": 1.0},
		},
		"a value that was put back": {
			lockstrategy.Ours, func(v *visit) error { return v.set("n", 1.0) }, true,
			map[string]any{"n": 1.0},
		},
		"the same value": {
			lockstrategy.Ours, func(v *visit) error { return v.set("n", 3.0) }, true,
			map[string]any{"n": 3.0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			driver := stocked(t, map[string]any{"n": 1.0})
			p, other := newProcess(t, driver, lockstrategy.Merge(test.policy)), newProcess(t, driver, lockstrategy.Merge(nil))
			v := p.mustOpen()
			var once sync.Once
			p.spy.set(nil, func(call string, err error) error {
				if call != "put" {
					return err
				}
				once.Do(func() { // the write was applied, its response lost, and others were there before the next attempt
					theirs := other.mustOpen()
					if err := test.others(theirs); err != nil {
						t.Error(err)
					}
					theirs.end()
					r, _ := stored(t, driver)
					err = errors.Join(&storage.ConflictError{Current: &r}, storage.ErrOutcomeUnknown)
				})
				return err
			})
			err := v.set("n", 2.0)
			if test.unknown != errors.Is(err, storage.ErrOutcomeUnknown) || !test.unknown && err != nil {
				t.Errorf("%v; want unknown %v", err, test.unknown)
			}
			v.end()
			if _, values := stored(t, driver); !maps.Equal(values, test.want) {
				t.Errorf("stored %v; want %v", values, test.want)
			}
		})
	}
}

// Nor by the next commit of the same request. A commit that was refused for good is none of that.
func TestMergeAfterAFailedCommit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before func(string) error
		after  func(string, error) error
		failed error
	}{
		"applied, and the answer lost": {
			nil, func(string, error) error { return storage.ErrOutcomeUnknown },
			storage.ErrOutcomeUnknown,
		},
		"refused": {func(string) error { return storage.ErrThrottled }, nil, storage.ErrThrottled},
	} {
		driver := stocked(t, map[string]any{"n": 0.0})
		p := newProcess(t, driver, lockstrategy.Merge(sum))
		v := p.mustOpen()
		p.spy.set(test.before, test.after)
		if err := v.set("n", 1.0); !errors.Is(err, test.failed) {
			t.Fatalf("%s: %v", name, err)
		}
		p.spy.set(nil, nil)
		err := v.set("n", 1.0)
		unknown := errors.Is(test.failed, storage.ErrOutcomeUnknown)
		if unknown != errors.Is(err, storage.ErrOutcomeUnknown) || unknown != errors.Is(err, storage.ErrConflict) ||
			!unknown && err != nil {
			t.Errorf("%s: the next commit: %v", name, err)
		}
		v.end()
		if _, values := stored(t, driver); values["n"] != 1.0 {
			t.Errorf("%s: stored %v; want what was added once", name, values)
		}
	}
}

func TestMergeWithoutACodecIsOptimistic(t *testing.T) {
	t.Parallel()
	driver := stocked(t, map[string]any{})
	p := newProcess(t, driver, lockstrategy.Merge(nil))
	ctx, request := p.request(t.Context())
	request.Payload = nil
	v, err := p.load(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	theirs := p.mustOpen()
	if err := theirs.set("theirs", 1.0); err != nil {
		t.Fatal(err)
	}
	theirs.end()
	if err := v.set("ours", 1.0); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("%v; want a conflict", err)
	}
	v.end()
	if _, values := stored(t, driver); values["ours"] != nil {
		t.Error("it was stored all the same")
	}
}

// A commit that would be merged with a session of this process which has expired since is told so, without a call: its
// payload may not open any more.
func TestMergeWithAnExpiredSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, stocked(t, map[string]any{}), lockstrategy.Merge(nil))
		slow, other := p.mustOpen(), p.mustOpen()
		r, _ := other.session.Record()
		r.UpdatedAt, r.ExpiresAt, r.Version = time.Now(), time.Now().Add(time.Second), storage.NewVersion()
		if err := other.session.Commit(other.ctx, r); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		p.spy.take()
		if err := slow.set("n", 1); !errors.Is(err, lockstrategy.ErrSessionGone) {
			t.Errorf("%v; want ErrSessionGone", err)
		}
		if calls := p.spy.take(); len(calls) > 0 {
			t.Errorf("calls: %v; want none", calls)
		}
		slow.end()
		other.end()
	})
}
