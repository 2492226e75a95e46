package lockstrategy_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// Storage that does not answer costs each commit its own patience, and not that of those before it.
func TestMergeWithHungStorage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const patience = 5 * time.Second // of the driver
		p := newProcess(t, stocked(t, map[string]any{}), lockstrategy.Merge(nil))
		p.spy.set(func(call string) error {
			if call != "put" {
				return nil
			}
			time.Sleep(patience)
			return storage.ErrOutcomeUnknown
		}, nil)
		began := time.Now()
		var done sync.WaitGroup
		for i := range 6 {
			done.Go(func() {
				v := p.mustOpen()
				if err := v.set(fmt.Sprint(i), 1); !errors.Is(err, storage.ErrOutcomeUnknown) {
					t.Error(err)
				}
				if took := time.Since(began); took > patience+2*time.Second {
					t.Errorf("a commit took %v; want at most %v and the wait for the turn", took, patience)
				}
				v.end()
			})
		}
		done.Wait()
	})
}

// A commit that is written without its turn has none to pass on.
func TestMergeWithoutItsTurnGivesNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, stocked(t, map[string]any{}), lockstrategy.Merge(nil))
		first, second, third := p.mustOpen(), p.mustOpen(), p.mustOpen()
		p.spy.set(func(call string) error {
			p.spy.set(nil, nil)
			time.Sleep(time.Minute) // only the first one
			return storage.ErrUnavailable
		}, nil)
		var done sync.WaitGroup
		done.Go(func() {
			if err := first.set("first", 1); !errors.Is(err, storage.ErrUnavailable) {
				t.Error(err)
			}
		})
		synctest.Wait()
		for name, v := range map[string]*visit{"second": second, "third": third} {
			began := time.Now()
			if err := v.set(name, 1); err != nil || time.Since(began) != 2*time.Second {
				t.Errorf("the %s, after %v: %v; want it to wait for its turn", name, time.Since(began), err)
			}
		}
		done.Wait()
		for _, v := range []*visit{first, second, third} {
			v.end()
		}
	})
}

// Commits that are written without their turn keep what the others have stored all the same.
func TestMergeWithoutItsTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const commits = 8
		driver := stocked(t, map[string]any{"n": 0.0})
		p := newProcess(t, driver, lockstrategy.MergeWithTurnWait(lockstrategy.Sum, 100*time.Millisecond))
		p.spy.set(func(call string) error {
			if call == "put" {
				time.Sleep(time.Second)
			}
			return nil
		}, nil)
		var done sync.WaitGroup
		var counted, refused atomic.Int32
		for range commits {
			done.Go(func() {
				v := p.mustOpen()
				n, _ := v.values["n"].(float64)
				switch err := v.set("n", n+1); {
				case err == nil:
					counted.Add(1)
				case errors.Is(err, storage.ErrConflict): // each write takes a second
					refused.Add(1)
				default:
					t.Error(err)
				}
				v.end()
			})
		}
		done.Wait()
		if _, values := stored(t, driver); values["n"] != float64(counted.Load()) || counted.Load() < 5 {
			t.Errorf("stored %v, %d were acknowledged and %d refused", values, counted.Load(), refused.Load())
		}
	})
}

// A commit that others overtake again and again is refused in the end: by the number of its tries, or by the time.
func TestMergeGivesUp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		write       time.Duration // how long one takes
		least, most int           // tries
		within      time.Duration
	}{
		"many":  {0, 32, 32, 5 * time.Second},
		"hours": {time.Second, 4, 6, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				driver := stocked(t, map[string]any{})
				p := newProcess(t, driver, lockstrategy.Merge(nil))
				v := p.mustOpen()
				p.spy.set(func(call string) error {
					if call == "put" {
						time.Sleep(test.write)
						store(t, driver, map[string]any{"faster": 1})
					}
					return nil
				}, nil)
				began := time.Now()
				if err := v.set("ours", 1.0); !errors.Is(err, storage.ErrConflict) {
					t.Errorf("%v; want ErrConflict", err)
				}
				took, tries := time.Since(began), p.spy.take()["put"]
				if took > test.within || tries < test.least || tries > test.most {
					t.Errorf("%d tries in %v; want %d to %d, within %v", tries, took, test.least, test.most, test.within)
				}
				v.end()
			})
		})
	}
}

// A commit that was overtaken twice, as by one other process, is tried again at once; behind a crowd it pauses.
func TestMergePausesBehindACrowd(t *testing.T) {
	t.Parallel()
	for overtaken, longest := range map[int]time.Duration{
		1: 0, 2: 0, 3: 10 * time.Millisecond, 4: 30 * time.Millisecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			driver := stocked(t, map[string]any{})
			p := newProcess(t, driver, lockstrategy.Merge(nil))
			v := p.mustOpen()
			tries := 0
			p.spy.set(func(call string) error {
				if tries++; call == "put" && tries <= overtaken {
					store(t, driver, map[string]any{"faster": 1})
				}
				return nil
			}, nil)
			began := time.Now()
			if err := v.set("ours", 1.0); err != nil {
				t.Error(err)
			}
			took := time.Since(began)
			if tries != overtaken+1 || took > longest || longest > 0 && took == 0 {
				t.Errorf("overtaken %d times: %d tries in %v; want pauses of up to %v in all", overtaken, tries, took, longest)
			}
			v.end()
		})
	}
}

// A policy that panics holds nobody up.
func TestMergeWithAPolicyThatPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		panics := true
		p := newProcess(t, stocked(t, map[string]any{}), lockstrategy.Merge(
			func(_ string, _, ours, _ lockstrategy.Value) (lockstrategy.Value, error) {
				if panics {
					panic("the policy")
				}
				return ours, nil
			}))
		one, two, three := p.mustOpen(), p.mustOpen(), p.mustOpen()
		began := time.Now()
		if err := one.set("n", 1.0); err != nil {
			t.Error(err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = two.set("n", 2.0)
		}()
		panics = false
		if err := three.set("n", 3.0); err != nil || time.Since(began) > 0 {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		for _, v := range []*visit{one, two, three} {
			v.end()
		}
	})
}

// Cookies that somebody has invented leave nothing behind.
func TestMissesAreNotRemembered(t *testing.T) {
	t.Parallel()
	for name, strategy := range strategies() {
		p := newProcess(t, memory.New(), strategy)
		for i := range 100 {
			v := p.mustOpenAt(fmt.Sprint("invented ", i))
			if n := lockstrategy.Remembered(strategy); n != 0 {
				t.Fatalf("%s: %d sessions are remembered while a request is running that has found none", name, n)
			}
			v.end()
		}
	}
}

// A value that does not equal itself, and that nobody has touched, is unchanged.
func TestMergeOfNaN(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	payload := inMemory{}
	driver := memory.New()
	first := record(key, inAnHour())
	var err error
	if first.Data, err = payload.Encode(key, inAnHour(), map[string]any{
		"price": nan, "prices": []float64{nan}, "by price": map[float64]int{nan: 1}, "other": 0,
	}); err != nil {
		t.Fatal(err)
	}
	if err := driver.Put(t.Context(), first, storage.Always()); err != nil {
		t.Fatal(err)
	}
	strategy := lockstrategy.Merge(nil)
	p := newProcess(t, driver, strategy)
	load := func() lockstrategy.Session {
		ctx, request := p.request(t.Context())
		request.Payload = payload
		s, err := strategy.Load(ctx, request, key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	commit := func(s lockstrategy.Session, change map[string]any) {
		read, _ := s.Record()
		deadline, values, err := payload.Decode(read)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(values, change)
		next := record(key, inAnHour())
		if next.Data, err = payload.Encode(key, deadline, values); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(t.Context(), next); err != nil {
			t.Fatal(err)
		}
	}
	ours, theirs := load(), load()
	commit(theirs, map[string]any{"price": 5.0, "prices": []float64{5}, "by price": map[float64]int{5: 1}})
	commit(ours, map[string]any{"other": 1})
	r, _, err := driver.Get(t.Context(), key, storage.Strong)
	if err != nil {
		t.Fatal(err)
	}
	_, values, err := payload.Decode(r)
	if err != nil || fmt.Sprint(values) != "map[by price:map[5:1] other:1 price:5 prices:[5]]" {
		t.Errorf("stored %v, %v", values, err)
	}
	for _, s := range []lockstrategy.Session{ours, theirs} {
		if err := s.Release(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// Requests that wait for their turn while another one renews the session do not move it back to its old token.
func TestMergeAfterARenewal(t *testing.T) {
	t.Parallel()
	for _, processes := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			driver := stocked(t, map[string]any{"a": 1.0})
			p := newProcess(t, driver, lockstrategy.Merge(nil))
			other := p
			if processes == 2 {
				other = newProcess(t, driver, lockstrategy.Merge(nil))
			}
			v, late, later, last := p.mustOpen(), other.mustOpen(), other.mustOpen(), other.mustOpen()
			var done sync.WaitGroup
			p.spy.set(func(call string) error {
				if call == "put" {
					p.spy.set(nil, nil)
					done.Go(func() { // while the renewal is on its way
						if err := late.set("late", 1.0); err != nil && !errors.Is(err, lockstrategy.ErrSessionGone) {
							t.Error(err)
						}
					})
					synctest.Wait()
				}
				return nil
			}, nil)
			if err := v.renew("the next token"); err != nil {
				t.Fatal(err)
			}
			done.Wait()
			if err := later.set("later", 1.0); !errors.Is(err, lockstrategy.ErrSessionGone) {
				t.Errorf("%d processes: a commit after the renewal: %v; want ErrSessionGone", processes, err)
			}
			if err := v.set("b", 1.0); err != nil {
				t.Error(err)
			}
			if err := last.set("last", 1.0); !errors.Is(err, lockstrategy.ErrSessionGone) {
				t.Errorf("%d processes: a commit after a commit of the renewed session: %v; want ErrSessionGone", processes, err)
			}
			for _, v := range []*visit{v, late, later, last} {
				v.end()
			}
			old, values := stored(t, driver)
			if values != nil || ended.Successor(old) != "the next token" {
				t.Errorf("%d processes: under the old token: %v, successor %q", processes, values, ended.Successor(old))
			}
			next := p.mustOpenAt("the next token")
			if next.values["a"] != 1.0 || next.values["b"] != 1.0 {
				t.Errorf("%d processes: under the new token: %v", processes, next.values)
			}
			next.end()
		})
	}
}

// A change that is taken back after a commit of unknown outcome is not said to be so while the change is stored.
func TestChangeTakenBackAfterAnUnknownCommit(t *testing.T) {
	t.Parallel()
	for name, strategy := range map[string]lockstrategy.Strategy{
		"optimistic": lockstrategy.Optimistic(), "merge": lockstrategy.Merge(nil),
		"lease": lockstrategy.Lease(lockstrategy.LeaseOptions{}), "none": lockstrategy.None(),
	} {
		driver := stocked(t, map[string]any{"n": 0.0})
		p := newProcess(t, driver, strategy)
		v := p.mustOpen()
		p.spy.set(nil, func(string, error) error { return storage.ErrOutcomeUnknown }) // it was applied all the same
		if err := v.set("n", 1.0); !errors.Is(err, storage.ErrOutcomeUnknown) {
			t.Fatalf("%s: %v", name, err)
		}
		p.spy.set(nil, nil)
		change := storage.Change{ExpiresAt: v.expiry.Add(time.Hour), UpdatedAt: time.Now()}
		if err := v.session.Touch(v.ctx, change); !errors.Is(err, storage.ErrOutcomeUnknown) {
			t.Errorf("%s: a touch: %v; want ErrOutcomeUnknown", name, err)
		}
		p.spy.set(func(string) error { return storage.ErrThrottled }, nil)
		if err := v.session.Touch(v.ctx, change); !errors.Is(err, storage.ErrOutcomeUnknown) {
			t.Errorf("%s: a touch that is refused: %v; want ErrOutcomeUnknown", name, err)
		}
		p.spy.set(nil, nil)
		err := v.set("n", 0.0)
		if _, values := stored(t, driver); err == nil && values["n"] != 0.0 ||
			err != nil && !errors.Is(err, storage.ErrOutcomeUnknown) {
			t.Errorf("%s: the commit that takes it back: %v, stored %v", name, err, values)
		}
		p.spy.set(func(string) error { return storage.ErrThrottled }, nil)
		known := err == nil // what was unknown stays so
		if err := v.set("n", 2.0); errors.Is(err, storage.ErrOutcomeUnknown) == known ||
			!errors.Is(err, storage.ErrThrottled) && !known && name != "lease" {
			t.Errorf("%s: a commit that is refused: %v", name, err)
		}
		p.spy.set(nil, nil)
		v.end()
	}
}

// inMemory is a payload that keeps the values themselves: as with gob, and not as with JSON, they may be anything.
type inMemory struct{}

var (
	inMemoryMu     sync.Mutex
	inMemoryValues = map[string]map[string]any{}
)

func (inMemory) Decode(record storage.Record) (time.Time, map[string]any, error) {
	inMemoryMu.Lock()
	defer inMemoryMu.Unlock()
	return record.ExpiresAt, maps.Clone(inMemoryValues[string(record.Data)]), nil
}

func (inMemory) Encode(_ string, _ time.Time, values map[string]any) ([]byte, error) {
	inMemoryMu.Lock()
	defer inMemoryMu.Unlock()
	name := fmt.Sprint(len(inMemoryValues))
	inMemoryValues[name] = maps.Clone(values)
	return []byte(name), nil
}
