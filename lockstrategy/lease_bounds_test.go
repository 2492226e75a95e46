package lockstrategy_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// A request that hangs has the session for so long, and no longer; what it does after that is refused.
func TestMaxHold(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]lockstrategy.LeaseOptions{
		"renewed":         {MaxHold: 30 * time.Second, MaxWait: time.Hour},
		"without renewal": {MaxHold: 30 * time.Second, MaxWait: time.Hour, Renewal: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				driver := stocked(t, map[string]any{})
				p := newProcess(t, driver, lockstrategy.Lease(options))
				v := p.mustOpen()
				began := time.Now()
				next := p.mustOpen()
				if waited := time.Since(began); waited != 30*time.Second {
					t.Errorf("the next request waited %v; want 30 s", waited)
				}
				if cause := context.Cause(v.ctx); !errors.Is(cause, lockstrategy.ErrLockLost) ||
					len(p.noticed(lockstrategy.Lost)) != 1 {
					t.Errorf("the one that hangs was cancelled because of %v; want ErrLockLost", cause)
				}
				if err := v.set("late", 1); !errors.Is(err, lockstrategy.ErrLockLost) {
					t.Errorf("its commit: %v; want ErrLockLost", err)
				}
				v.end()
				time.Sleep(29 * time.Second) // each has as much
				if err := next.set("next", 1); err != nil {
					t.Error(err)
				}
				next.end()
				if _, values := stored(t, driver); values["late"] != nil || values["next"] == nil {
					t.Errorf("stored %v", values)
				}
			})
		})
	}
}

// Each request that a lease is handed on to has as much time.
func TestMaxHoldIsForEachRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, stocked(t, map[string]any{}), lockstrategy.Lease(lockstrategy.LeaseOptions{
			Duration: 10 * time.Second, MaxHold: 10 * time.Second,
		}))
		v := p.mustOpen()
		var done sync.WaitGroup
		done.Go(func() {
			next := p.mustOpen()
			time.Sleep(9 * time.Second)
			if err := next.set("next", 1); err != nil {
				t.Error(err)
			}
			next.end()
		})
		time.Sleep(4 * time.Second)
		v.end()
		done.Wait()
	})
}

// What a request does that has lost its lease gives nobody the turn, which another one has by now.
func TestEndAfterTheLoss(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end   func(v *visit) error
		calls map[string]int
	}{
		"release": {func(v *visit) error { return v.session.Release(v.p.t.Context()) }, map[string]int{}},
		"delete":  {func(v *visit) error { return v.session.Delete(v.p.t.Context()) }, map[string]int{"put": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProcess(t, stocked(t, map[string]any{}), lockstrategy.Lease(lockstrategy.LeaseOptions{
					MaxHold: 5 * time.Second, MaxWait: time.Hour,
				}))
				lost := p.mustOpen()
				next := p.mustOpen()
				var done sync.WaitGroup
				var waited atomic.Bool
				done.Go(func() {
					p.mustOpen().end()
					waited.Store(true)
				})
				synctest.Wait()
				p.spy.take()
				if err := test.end(lost); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if calls := p.spy.take(); waited.Load() || !maps.Equal(calls, test.calls) {
					t.Errorf("the one that waits has got a turn: %v; calls %v, want %v", waited.Load(), calls, test.calls)
				}
				next.end()
				done.Wait()
			})
		})
	}
}

// Other processes need not wait for the end of a lease that was given up.
func TestMaxHoldFreesTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		v := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxHold: 20 * time.Second})).mustOpen()
		began := time.Now()
		next := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: time.Hour})).mustOpen()
		if waited := time.Since(began); waited < 20*time.Second || waited > 20*time.Second+200*time.Millisecond {
			t.Errorf("waited %v; want 20 s and a pause", waited)
		}
		next.end()
		v.end()
	})
}

// A commit that is on its way when the time is up is not refused for that.
func TestMaxHoldDuringACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxHold: 10 * time.Second}))
		v := p.mustOpen()
		p.spy.set(func(call string) error {
			if call == "put" {
				time.Sleep(4 * time.Second)
			}
			return nil
		}, nil)
		time.Sleep(8 * time.Second)
		if err := v.set("a", 1); err != nil || v.ctx.Err() != nil {
			t.Errorf("%v; the context: %v", err, context.Cause(v.ctx))
		}
		v.end()
	})
}

// A lease is not kept up for a client that has gone: its handler has the rest of the lease to come to an end.
func TestLeaseOfARequestThatNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]lockstrategy.LeaseOptions{
		"renewed": {}, "without renewal": {Renewal: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				driver := stocked(t, map[string]any{})
				p := newProcess(t, driver, lockstrategy.Lease(options))
				open := func() (*visit, chan struct{}) {
					gone := make(chan struct{})
					ctx, request := p.request(t.Context())
					request.Done = gone
					v, err := p.load(ctx, request)
					if err != nil {
						t.Fatal(err)
					}
					return v, gone
				}
				stuck, gone := open()
				time.Sleep(20 * time.Second) // as long as the client waits, so does the lease
				if stuck.ctx.Err() != nil {
					t.Error("the lease was given up although the client is there")
				}
				close(gone)
				began := time.Now()
				quick, gone := open()
				if waited := time.Since(began); waited > 5*time.Second {
					t.Errorf("the next request waited %v; want one lease at most", waited)
				}
				if err := stuck.set("stuck", 1); !errors.Is(err, lockstrategy.ErrLockLost) {
					t.Errorf("the commit of the one that was stuck: %v; want ErrLockLost", err)
				}
				stuck.end()

				close(gone) // this one is about to end
				time.Sleep(time.Second)
				if err := quick.set("quick", 1); err != nil {
					t.Errorf("a commit within the lease: %v", err)
				}
				quick.end()
			})
		})
	}
}

// A renewal that fails is tried again while there is time.
func TestFailedRenewalIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		holder := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		v := holder.mustOpen()
		began := time.Now()
		var tries atomic.Int32
		holder.spy.set(func(call string) error {
			if call == "update" {
				tries.Add(1)
			}
			switch after := time.Since(began); { // an outage, with a gap that the usual renewals miss
			case after < 3500*time.Millisecond, after > 4500*time.Millisecond && after < 6*time.Second:
				return storage.ErrUnavailable
			default:
				return nil
			}
		}, nil)
		other := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: 8 * time.Second}))
		if _, err := other.open(); !errors.Is(err, lockstrategy.ErrLockTimeout) {
			t.Errorf("another process: %v; want ErrLockTimeout, as the lease was renewed", err)
		}
		if n := tries.Load(); n < 4 || n > 15 { // with the shortest pauses that jitter makes
			t.Errorf("%d tries in 8 s", n)
		}
		if err := v.set("a", 1); err != nil {
			t.Error(err)
		}
		v.end()
	})
}

// A client that comes again and again lets other processes in, although nobody of its own process waits; nor does it
// make further calls.
func TestLoneClientLetsOthersIn(t *testing.T) {
	t.Parallel()
	for _, pause := range []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			driver := stocked(t, map[string]any{})
			busy := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
			busy.visited()
			stop, done := make(chan struct{}), make(chan struct{})
			var requests atomic.Int32
			go func() {
				defer close(done)
				for {
					select {
					case <-stop:
						return
					default:
					}
					v := busy.mustOpen()
					time.Sleep(200 * time.Millisecond)
					v.end()
					time.Sleep(pause)
					requests.Add(1)
				}
			}()
			var longest time.Duration
			for range 20 {
				began := time.Now()
				newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: time.Hour})).mustOpen().end()
				longest = max(longest, time.Since(began))
			}
			if longest > 6*time.Second {
				t.Errorf("pause %v: another process waited %v; want about one lease", pause, longest)
			}
			time.Sleep(10 * time.Second) // in which it gets the session back from the last of them
			busy.spy.take()
			requests.Store(0)
			time.Sleep(time.Minute)
			alone := int(requests.Load())
			calls := busy.spy.take()
			if calls["acquire"] > alone+1 || calls["update"] > alone+1 || calls["poll"]+calls["get"] > 0 {
				t.Errorf("pause %v: %d requests without a rival, calls %v", pause, alone, calls)
			}
			if waits := len(busy.noticed(lockstrategy.Waited)); waits == 0 {
				t.Errorf("pause %v: no wait was told", pause)
			}
			close(stop)
			<-done
		})
	}
}

// One that has less patience than that pause takes gets the session all the same.
func TestLoneClientWithoutPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, stocked(t, map[string]any{}),
			lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: 50 * time.Millisecond}))
		for range 100 {
			v := p.mustOpen()
			time.Sleep(200 * time.Millisecond)
			v.end()
		}
	})
}

// One that leaves others the time to come in is never held up.
func TestUnhurriedClientIsNotHeldUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, stocked(t, map[string]any{}), lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		for range 50 {
			began := time.Now()
			v := p.mustOpen()
			if waited := time.Since(began); waited > 0 {
				t.Fatalf("waited %v", waited)
			}
			time.Sleep(200 * time.Millisecond)
			v.end()
			time.Sleep(200 * time.Millisecond)
		}
	})
}

func TestMaxWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWaiting: 3}))
		v := p.mustOpen()
		var done sync.WaitGroup
		var refused atomic.Int32
		for range 10 {
			done.Go(func() {
				began := time.Now()
				next, err := p.open()
				switch {
				case err == nil:
					next.end()
				case errors.Is(err, lockstrategy.ErrTooManyWaiting) && errors.Is(err, lockstrategy.ErrLockTimeout) &&
					time.Since(began) == 0:
					refused.Add(1)
				default:
					t.Errorf("after %v: %v", time.Since(began), err)
				}
			})
		}
		synctest.Wait()
		v.end()
		done.Wait()
		if n := refused.Load(); n != 7 {
			t.Errorf("%d of 10 were refused at once; want 7", n)
		}
	})
}

// Requests that wait while a session is renewed, or ended, are told what has replaced it.
func TestWaitersSeeTheTombstone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end       func(v *visit) error
		successor string
	}{
		"renewed": {func(v *visit) error { return v.renew("the next token") }, "the next token"},
		"deleted": {func(v *visit) error { return v.session.Delete(v.ctx) }, ""},
		"ended by a commit": {func(v *visit) error {
			v.expiry = time.Now().Add(-time.Second)
			return v.commit()
		}, ""},
		"buried elsewhere": {func(v *visit) error {
			return v.p.spy.Driver.Put(v.ctx, ended.Tombstone(storage.Record{Key: key}, "elsewhere", time.Now()),
				storage.Always())
		}, "elsewhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				driver := stocked(t, map[string]any{})
				p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
				v := p.mustOpen()
				time.Sleep(time.Millisecond)
				var done sync.WaitGroup
				for range 4 {
					done.Go(func() {
						next := p.mustOpen()
						record, found := next.session.Record()
						if found || !record.Ended() || ended.Successor(record) != test.successor {
							t.Errorf("found %v, ended %v, successor %q; want the tombstone", found, record.Ended(), ended.Successor(record))
						}
						next.end()
					})
				}
				synctest.Wait()
				time.Sleep(time.Millisecond)
				p.spy.take()
				if err := test.end(v); err != nil {
					t.Error(err)
				}
				v.end()
				done.Wait()
				if calls := p.spy.take(); calls["get"] != 1 || calls["acquire"] != 0 {
					t.Errorf("calls: %v; want one read for all who wait", calls)
				}
				if r, _, err := driver.Get(t.Context(), test.successor, storage.Strong); err != nil || !r.Lease.Free() {
					t.Errorf("the successor has a lease that nobody has: %+v, %v", r.Lease, err)
				}
			})
		})
	}
}

// A process that does not know of the end of a session is told of it when it acquires the lease, and puts none on the
// tombstone.
func TestAcquiredTombstone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p, other := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{})),
			newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		p.visited()
		other.visited()
		tombstone := ended.Tombstone(storage.Record{Key: key}, "the next token", time.Now())
		if err := driver.Put(t.Context(), tombstone, storage.Always()); err != nil {
			t.Fatal(err)
		}
		for _, asks := range []*process{p, p, other, other} {
			began := time.Now()
			v := asks.mustOpen()
			if record, found := v.session.Record(); found || ended.Successor(record) != "the next token" ||
				time.Since(began) > 0 {
				t.Errorf("found %v, %+v after %v; want the tombstone at once", found, record, time.Since(began))
			}
			v.end()
		}
		if r, _ := stored(t, driver); !r.Lease.Free() {
			t.Error("there is a lease on the tombstone")
		}
	})
}

// An acquisition that arrives after its request has given it up is in nobody's way in this process.
func TestLateAcquisition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		late := lateLeaser{spy: newSpy(driver)}
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		p.visited()
		p.backend.Driver = &late
		if _, err := p.open(); !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrOutcomeUnknown) {
			t.Fatalf("%v; want ErrUnavailable: nothing of the session was written", err)
		}
		if err := late.arrive(); err != nil {
			t.Fatal(err)
		}
		if r, _ := stored(t, driver); r.Lease.Free() {
			t.Fatal("the acquisition has not arrived")
		}
		began := time.Now()
		p.mustOpen().end()
		if waited := time.Since(began); waited > 200*time.Millisecond {
			t.Errorf("the next request waited %v", waited)
		}
	})
}

// lateLeaser holds the first acquisition up on its way.
type lateLeaser struct {
	*spy
	arrive func() error
}

func (d *lateLeaser) Acquire(
	ctx context.Context, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	if d.arrive != nil {
		return d.spy.Acquire(ctx, key, lease, c)
	}
	d.arrive = func() error {
		_, err := d.spy.Acquire(context.WithoutCancel(ctx), key, lease, c)
		return err
	}
	return storage.Record{}, storage.ErrOutcomeUnknown
}

// A session that moves on to another key is not said to be gone on the evidence of that key.
func TestMoveThatMeetsATombstone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		tombstone := ended.Tombstone(storage.Record{Key: "the new key"}, "", time.Now())
		if err := driver.Put(t.Context(), tombstone, storage.Always()); err != nil {
			t.Fatal(err)
		}
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: time.Minute}))
		v := p.mustOpen()
		time.Sleep(time.Millisecond)
		var done sync.WaitGroup
		for range 3 {
			done.Go(func() {
				next := p.mustOpen()
				if next.values == nil {
					t.Error("a session that is there was said to be gone")
				}
				next.end()
			})
		}
		synctest.Wait()
		time.Sleep(time.Millisecond)
		v.key = "the new key"
		if err := v.set("a", 1); !errors.Is(err, lockstrategy.ErrSessionGone) {
			t.Errorf("the move: %v; want ErrSessionGone", err)
		}
		v.end()
		done.Wait()
	})
}

// What a touch of unknown outcome has left is read before it is handed on.
func TestHandedOnAfterAnUnknownTouch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		first := p.mustOpen()
		later := first.expiry.Add(time.Hour)
		var done sync.WaitGroup
		done.Go(func() {
			unlucky := p.mustOpen()
			p.spy.set(nil, func(string, error) error { return storage.ErrOutcomeUnknown }) // it was applied all the same
			change := storage.Change{ExpiresAt: later, UpdatedAt: time.Now()}
			if err := unlucky.session.Touch(unlucky.ctx, change); !errors.Is(err, storage.ErrOutcomeUnknown) {
				t.Error(err)
			}
			p.spy.set(nil, nil)
			unlucky.end()
		})
		synctest.Wait()
		done.Go(func() {
			next := p.mustOpen()
			if record, _ := next.session.Record(); !record.ExpiresAt.Equal(later) {
				t.Errorf("the session ends %v; want what is stored, %v", record.ExpiresAt, later)
			}
			next.end()
		})
		time.Sleep(time.Second)
		if err := first.set("first", 1); err != nil { // later than both came
			t.Error(err)
		}
		first.end()
		done.Wait()
	})
}

// A commit that was refused because of another version under its own lease hands on what is stored.
func TestHandedOnAfterAConflict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		first := p.mustOpen()
		var done sync.WaitGroup
		done.Go(func() {
			unlucky := p.mustOpen()
			late, values := stored(t, driver) // an earlier commit of the same lease arrives
			values["late"] = 1.0
			var err error
			if late.Data, err = (jsonPayload{}).Encode(key, unlucky.deadline, values); err != nil {
				t.Error(err)
			}
			late.Version = storage.NewVersion()
			if err := driver.Put(t.Context(), late, storage.IfLease(late.Lease.ID)); err != nil {
				t.Error(err)
			}
			if err := unlucky.set("unlucky", 1); !errors.Is(err, storage.ErrConflict) {
				t.Error(err)
			}
			unlucky.end()
		})
		synctest.Wait()
		done.Go(func() {
			next := p.mustOpen()
			if next.values["late"] == nil {
				t.Errorf("read %v", next.values)
			}
			next.end()
		})
		time.Sleep(time.Second)
		if err := first.set("first", 1); err != nil { // later than both came
			t.Error(err)
		}
		first.end()
		done.Wait()
	})
}

// A touch that finds another version under its own lease leaves the session alone, and the lease to the end of the
// request.
func TestTouchMeetsAnotherVersion(t *testing.T) {
	t.Parallel()
	driver := stocked(t, map[string]any{})
	p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
	v := p.mustOpen()
	late, _ := stored(t, driver) // an earlier commit of the same lease arrives
	late.Version = storage.NewVersion()
	if err := driver.Put(t.Context(), late, storage.IfLease(late.Lease.ID)); err != nil {
		t.Fatal(err)
	}
	change := storage.Change{ExpiresAt: v.expiry.Add(time.Hour), UpdatedAt: time.Now()}
	if err := v.session.Touch(v.ctx, change); err != nil {
		t.Error(err)
	}
	v.end()
	if r, _ := stored(t, driver); !r.ExpiresAt.Equal(late.ExpiresAt) || !r.Lease.Free() ||
		len(p.noticed(lockstrategy.Lost)) > 0 {
		t.Errorf("ends %v, lease %+v; want it as it was, and free", r.ExpiresAt, r.Lease)
	}
}

// What a process remembers of sessions is bounded, and nothing of it is about cookies that anybody has invented.
func TestLeaseRemembersLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		strategy := lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: defaults.MinLeaseMaxWait})
		p := newProcess(t, driver, strategy)
		for i := range 100 {
			p.mustOpenAt(fmt.Sprint("invented ", i)).end()
		}
		if n := lockstrategy.Known(strategy); n != 0 {
			t.Errorf("%d invented sessions are known", n)
		}
		const held = lockstrategy.MaxObservations + 10
		for i := range held {
			r := record(fmt.Sprint("held ", i), inAnHour())
			r.Lease = storage.Lease{ID: "somebody's", Duration: time.Hour, ExpiresAt: inAnHour()}
			if err := driver.Put(t.Context(), r, storage.Always()); err != nil {
				t.Fatal(err)
			}
			ctx, request := p.request(t.Context())
			if _, err := p.loadAt(ctx, request, r.Key); !errors.Is(err, lockstrategy.ErrLockTimeout) {
				t.Fatal(err)
			}
		}
		if n := lockstrategy.Observed(strategy); n != lockstrategy.MaxObservations {
			t.Errorf("%d leases are remembered; want at most %d", n, lockstrategy.MaxObservations)
		}
	})
}

func TestKnownSessionsAreBounded(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	strategy := lockstrategy.Lease(lockstrategy.LeaseOptions{})
	p := newProcess(t, driver, strategy)
	const sessions = 3*lockstrategy.KnownSessions + 10
	for i := range sessions {
		lockstrategy.Know(strategy, p.backend, fmt.Sprint(i))
	}
	if n := lockstrategy.Known(strategy); n <= lockstrategy.KnownSessions || n > 2*lockstrategy.KnownSessions {
		t.Errorf("%d sessions are known; want more than %d and at most twice as many", n, lockstrategy.KnownSessions)
	}
	for key, want := range map[string]string{
		fmt.Sprint(sessions - 1):  "acquire",
		fmt.Sprint(sessions - 20): "acquire", "0": "get",
	} {
		p.spy.take()
		p.mustOpenAt(key).end()
		if calls := p.spy.take(); !maps.Equal(calls, map[string]int{want: 1}) {
			t.Errorf("%s: calls: %v; want %s", key, calls, want)
		}
	}
}

// A lease that was acquired is not one to be watched any more.
func TestAcquiredLeaseIsNotObserved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		v := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{})).mustOpen()
		time.AfterFunc(time.Second, v.end)
		strategy := lockstrategy.Lease(lockstrategy.LeaseOptions{})
		newProcess(t, driver, strategy).mustOpen().end()
		if n := lockstrategy.Observed(strategy); n != 0 {
			t.Errorf("%d leases are remembered", n)
		}
	})
}
