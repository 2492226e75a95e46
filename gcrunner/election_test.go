package gcrunner_test

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

const lease = 10 * time.Second

func newElection(t testing.TB, driver storage.Driver) *gcrunner.Election {
	t.Helper()
	election, err := gcrunner.NewElection(driver, lease)
	if err != nil {
		t.Fatal(err)
	}
	return election
}

// cut is a driver whose connection can be cut, as if the process had died, or its network.
type cut struct {
	*memory.Driver
	off   atomic.Bool
	delay time.Duration // of the answer to an update
}

var errCut = errors.New("no connection")

func (d *cut) check() error {
	if d.off.Load() {
		return errCut
	}
	return nil
}

func (d *cut) Update(ctx context.Context, key string, change storage.Change, condition storage.Condition) error {
	if err := d.check(); err != nil {
		return err
	}
	err := d.Driver.Update(ctx, key, change, condition)
	<-time.After(d.delay)
	return err
}

func (d *cut) Acquire(ctx context.Context, key string, l storage.Lease, c storage.Condition) (storage.Record, error) {
	if err := d.check(); err != nil {
		return storage.Record{}, err
	}
	return d.Driver.Acquire(ctx, key, l, c)
}

// Of many that stand for election all the time, one works at a time, and all get their turn.
func TestElectionElectsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		var working, most, terms atomic.Int32
		done := make(chan int)
		for range 5 {
			go func() {
				mine := 0
				election := newElection(t, driver)
				for mine < 3 {
					err := election.Lead(t.Context(), func(context.Context) error {
						if n := working.Add(1); n > most.Load() {
							most.Store(n)
						}
						<-time.After(3 * lease)
						working.Add(-1)
						terms.Add(1)
						mine++
						return nil
					})
					if err != nil && !errors.Is(err, gcrunner.ErrNotElected) {
						t.Error(err)
						break
					}
					<-time.After(time.Minute)
				}
				done <- mine
			}()
		}
		for range 5 {
			if mine := <-done; mine != 3 {
				t.Errorf("one worked %d times; want 3", mine)
			}
		}
		if most.Load() != 1 || terms.Load() != 15 {
			t.Errorf("%d worked at the same time, in %d terms", most.Load(), terms.Load())
		}
	})
}

// Who stands for election while another one works is told so, and finds nothing changed.
func TestNotElected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		put(t, driver, expired("a"))
		release, elected := make(chan struct{}), make(chan struct{})
		first := make(chan error)
		go func() {
			first <- newElection(t, driver).Lead(t.Context(), func(context.Context) error {
				close(elected)
				<-release
				return nil
			})
		}()
		<-elected
		began := time.Now()
		collector := newCollector(t, driver, gcrunner.CollectorOptions{Election: newElection(t, driver)})
		report, err := collector.Run(t.Context())
		if !errors.Is(err, gcrunner.ErrNotElected) || report.Stopped != "not elected" || !stored(t, driver, "a") ||
			driver.called("Scan") > 0 {
			t.Errorf("%v, %+v", err, report)
		}
		if took := time.Since(began); took > lease+lease/10+2*time.Second {
			t.Errorf("it took %v to find out", took)
		}
		close(release)
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		began = time.Now()
		report = run(t, collector)
		deletes(t, report, gcrunner.Deleted{Expired: 1})
		if took := time.Since(began); took > time.Second {
			t.Errorf("the lease was given back, and it took %v to be elected", took)
		}
	})
}

// When the elected process dies, another one takes over within the lease and one interval.
func TestElectionFollowsTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = time.Minute
		driver := memory.New()
		connection := &cut{Driver: driver}
		elected := make(chan struct{})
		var died time.Time
		dead := make(chan error)
		go func() {
			dead <- newElection(t, connection).Lead(t.Context(), func(ctx context.Context) error {
				close(elected)
				<-time.After(10*time.Minute + 3*time.Second)
				connection.off.Store(true)
				died = time.Now()
				<-ctx.Done()
				return context.Cause(ctx)
			})
		}()
		<-elected
		follower := newElection(t, driver)
		var tookOver time.Time
		for {
			err := follower.Lead(t.Context(), func(context.Context) error { tookOver = time.Now(); return nil })
			if err == nil {
				break
			}
			if !errors.Is(err, gcrunner.ErrNotElected) {
				t.Fatal(err)
			}
			<-time.After(interval)
		}
		// The lease was renewed up to a third of it before.
		took := tookOver.Sub(died)
		if died.IsZero() || took < lease/2 || took > lease+interval {
			t.Errorf("another one took over after %v; want at most the lease and an interval, %v", took, lease+interval)
		}
		if err := <-dead; !errors.Is(err, gcrunner.ErrElectionLost) {
			t.Errorf("the one without a connection was told %v", err)
		}
		t.Logf("took over after %v", took)
	})
}

// An elected process that cannot renew its lease stops before another one can be elected.
func TestElectionIsLostInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		for round := range 20 {
			// It is cut off before the first renewal, or after some that took their time to be answered.
			connection, works := &cut{Driver: driver, delay: 1900 * time.Millisecond}, time.Duration(round%2)*lease
			var stopped time.Time
			lost := make(chan error)
			go func() {
				lost <- newElection(t, connection).Lead(t.Context(), func(ctx context.Context) error {
					<-time.After(works)
					connection.off.Store(true)
					<-ctx.Done()
					stopped = time.Now()
					return context.Cause(ctx)
				})
			}()
			<-time.After(time.Second) // it is elected by now
			follower := newElection(t, driver)
			for {
				err := follower.Lead(t.Context(), func(context.Context) error {
					if stopped.IsZero() {
						t.Error("two are elected at the same time")
					}
					return nil
				})
				if err == nil {
					break
				}
			}
			if err := <-lost; !errors.Is(err, gcrunner.ErrElectionLost) {
				t.Error(err)
			}
		}
	})
}

// A run stops at once where its election is lost: it neither finishes its page nor saves its position, save the one
// that it began at.
func TestLosingTheElectionStopsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		fill(t, driver, 200, 1)
		n := 0
		driver.before = func(op, _ string) error {
			if op != "Delete" {
				return nil
			}
			<-time.After(100 * time.Millisecond)
			if n++; n == 33 { // another one takes the lease, as after a pause of this process
				all := keys(t, driver.Driver)
				key := storage.ReservedPrefix + "collector"
				if all[key].Lease.Free() {
					t.Error("nobody has a lease while a run is going on")
				}
				other := storage.Lease{ID: storage.NewVersion(), Duration: lease, ExpiresAt: time.Now().Add(lease)}
				return driver.Update(context.Background(), key, storage.Change{Lease: &other}, storage.Always())
			}
			return nil
		}
		saved := 0
		collector := newCollector(t, driver, gcrunner.CollectorOptions{
			Election: newElection(t, driver), Concurrency: 1,
			Checkpoint: counting{&saved},
		})
		report, err := collector.Run(t.Context())
		if !errors.Is(err, gcrunner.ErrElectionLost) || report.Stopped != "lost" {
			t.Errorf("%v, %+v", err, report)
		}
		// It is noticed with the next renewal.
		if most := 33 + int(lease/3/(100*time.Millisecond)) + 1; report.Total() > most || saved > 1 {
			t.Errorf("%d were deleted, most %d, and the position was saved %d times", report.Total(), most, saved)
		}
		if lease := keys(t, driver.Driver)[storage.ReservedPrefix+"collector"].Lease; lease.Free() {
			t.Error("the lease of the other one was released")
		}
	})
}

// counting counts the positions that are saved.
type counting struct{ saved *int }

func (counting) Load(context.Context) (gcrunner.Position, error) { return gcrunner.Position{}, nil }

func (c counting) Save(context.Context, gcrunner.Position) error { *c.saved++; return nil }

// However work ends, the lease is given back.
func TestElectionIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		election := newElection(t, driver)
		errWork := errors.New("work failed")
		ctx, cancel := context.WithCancel(t.Context())
		for _, work := range []func(context.Context) error{
			func(context.Context) error { return nil },
			func(context.Context) error { return errWork },
			func(ctx context.Context) error { cancel(); return ctx.Err() },
		} {
			if err := election.Lead(ctx, work); err != nil && !errors.Is(err, errWork) && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if l := keys(t, driver)[storage.ReservedPrefix+"collector"].Lease; !l.Free() {
				t.Error("the lease was not given back")
			}
		}
		if err := election.Lead(ctx, func(context.Context) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
	})
}

func TestElectionsThatAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := gcrunner.NewElection(nil, 0); err == nil {
		t.Error("no driver is accepted")
	}
	for _, short := range []time.Duration{-1, defaults.MinLeaseDuration - 1} {
		if _, err := gcrunner.NewElection(memory.New(), short); err == nil {
			t.Errorf("a lease of %v is accepted", short)
		}
	}
	if _, err := gcrunner.NewElection(memory.New(), time.Hour+1); err == nil {
		t.Error("a lease of more than an hour is accepted")
	}
	if _, err := gcrunner.NewElection(memory.New(), 0); err != nil {
		t.Error(err)
	}
}

// A call that is cut off because the election was lost is not what the run has failed with.
func TestLosingTheElectionCutsOffACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		put(t, driver, expired("a"))
		collector := newCollector(t, driver,
			gcrunner.CollectorOptions{Election: newElection(t, driver), Checkpoint: hanging{driver}})
		report, err := collector.Run(t.Context())
		if !errors.Is(err, gcrunner.ErrElectionLost) || report.Stopped != "lost" || !stored(t, driver, "a") {
			t.Errorf("%v, %+v", err, report)
		}
	})
}

// hanging is a checkpoint that is loaded for ever. Meanwhile another process takes the lease.
type hanging struct{ driver *between }

func (h hanging) Load(ctx context.Context) (gcrunner.Position, error) {
	other := storage.Lease{ID: storage.NewVersion(), Duration: lease, ExpiresAt: time.Now().Add(lease)}
	key := storage.ReservedPrefix + "collector"
	if err := h.driver.Update(ctx, key, storage.Change{Lease: &other}, storage.Always()); err != nil {
		return gcrunner.Position{}, err
	}
	<-ctx.Done()
	return gcrunner.Position{}, ctx.Err()
}

func (hanging) Save(context.Context, gcrunner.Position) error { return nil }

// calling counts the calls of an election, and refuses what is put, if that is said.
type calling struct {
	*memory.Driver
	calls   int
	refuses bool
}

func (d *calling) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	d.calls++
	return d.Driver.Get(ctx, key, c)
}

func (d *calling) Put(ctx context.Context, record storage.Record, c storage.Condition) error {
	d.calls++
	if d.refuses {
		return &storage.ConflictError{}
	}
	return d.Driver.Put(ctx, record, c)
}

func (d *calling) Acquire(ctx context.Context, key string, l storage.Lease,
	c storage.Condition,
) (storage.Record, error) {
	d.calls++
	return d.Driver.Acquire(ctx, key, l, c)
}

// Whatever somebody has put in the place of the election, there is one, after a few calls.
func TestElectionOverWhatIsThere(t *testing.T) {
	record := func(change func(*storage.Record)) storage.Record {
		r := session(storage.ReservedPrefix+"collector", time.Minute, time.Minute, 100*365*24*time.Hour)
		change(&r)
		return r
	}
	held := func(duration, left time.Duration) storage.Record {
		return record(func(r *storage.Record) {
			r.Lease = storage.Lease{ID: storage.NewVersion(), Duration: duration, ExpiresAt: time.Now().Add(left)}
		})
	}
	for name, test := range map[string]func() storage.Record{
		"a session": func() storage.Record { return record(func(*storage.Record) {}) },
		"an expired session": func() storage.Record {
			return record(func(r *storage.Record) { r.ExpiresAt = time.Now().Add(-time.Second) })
		},
		"an expired tombstone": func() storage.Record {
			return record(func(r *storage.Record) { r.UpdatedAt = time.Now().Add(-time.Minute); r.ExpiresAt = r.UpdatedAt })
		},
		"a tombstone": func() storage.Record {
			return record(func(r *storage.Record) { r.UpdatedAt = time.Now().Add(time.Hour); r.ExpiresAt = r.UpdatedAt })
		},
		"a tombstone for ever": func() storage.Record {
			return record(func(r *storage.Record) { r.UpdatedAt = r.ExpiresAt })
		},
		"a session from the future": func() storage.Record {
			return record(func(r *storage.Record) { r.UpdatedAt = r.ExpiresAt.Add(time.Hour) })
		},
		"a tombstone under a lease": func() storage.Record {
			r := held(100*365*24*time.Hour, 100*365*24*time.Hour)
			r.UpdatedAt = r.ExpiresAt
			return r
		},
		"a lease for ever":         func() storage.Record { return held(100*365*24*time.Hour, 200*365*24*time.Hour) },
		"the longest lease":        func() storage.Record { return held(math.MaxInt64, 0) },
		"a lease of a day":         func() storage.Record { return held(24*time.Hour, time.Hour) },
		"a lease that ends before": func() storage.Record { return held(-time.Hour, time.Hour) },
		"a lease as long as ours":  func() storage.Record { return held(lease*8/10, lease) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				driver := &calling{Driver: memory.New()}
				put(t, driver, test())
				elected := false
				err := newElection(t, driver).Lead(t.Context(), func(context.Context) error { elected = true; return nil })
				if err != nil || !elected || driver.calls > 30 { // as it looks about ten times in a lease
					t.Errorf("%v, after %d calls", err, driver.calls)
				}
			})
		})
	}
}

// A lease that another process may well have is respected, although it is longer than ours.
func TestElectionBelievesALongerLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		first, err := gcrunner.NewElection(driver, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			ended <- first.Lead(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
		}()
		synctest.Wait()
		second := newElection(t, driver)
		for range 30 {
			if err := second.Lead(t.Context(),
				func(context.Context) error { return nil }); !errors.Is(err, gcrunner.ErrNotElected) {
				t.Errorf("%v while another process is elected", err)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Where the record of the election can never be made, an error says so, after some tries and pauses.
func TestElectionGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := &calling{Driver: memory.New(), refuses: true}
		began := time.Now()
		err := newElection(t, driver).Lead(t.Context(), func(context.Context) error { return nil })
		took := time.Since(began)
		if !errors.Is(err, storage.ErrConflict) || errors.Is(err, gcrunner.ErrNotElected) || driver.calls > 20 ||
			took < time.Second || took > lease {
			t.Errorf("%v after %v and %d calls", err, took, driver.calls)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := newElection(t, driver).Lead(ctx,
			func(context.Context) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("whose context ends meanwhile: %v", err)
		}
	})
}
