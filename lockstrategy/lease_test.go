package lockstrategy_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/tap"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

func TestLeaseLetsOneInAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		p.visited()
		began := time.Now()
		var inside, most int
		var mu sync.Mutex
		var done sync.WaitGroup
		for i := range 8 {
			done.Go(func() {
				v := p.mustOpen()
				defer v.end()
				mu.Lock()
				inside++
				most = max(most, inside)
				mu.Unlock()
				time.Sleep(200 * time.Millisecond)
				mu.Lock()
				inside--
				mu.Unlock()
				if err := v.set(fmt.Sprint(i), true); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
		if took := time.Since(began); most != 1 || took != 8*200*time.Millisecond {
			t.Errorf("%d inside at once, after %v; want 1 and no pause between them", most, took)
		}
		r, values := stored(t, driver)
		if len(values) != 8 || !r.Lease.Free() {
			t.Errorf("%d of 8 updates kept, lease %+v; want all of them and it free", len(values), r.Lease)
		}
		want := map[string]int{"acquire": 1, "put": 8}
		if calls := p.spy.take(); !maps.Equal(calls, want) {
			t.Errorf("calls: %v; want %v", calls, want)
		}
		if waits := p.noticed(lockstrategy.Waited); len(waits) != 7 || waits[6].Duration != 7*200*time.Millisecond {
			t.Errorf("waits: %+v; want 7, up to 1.4 s", waits)
		}
	})
}

func TestLeaseCallsWhenAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request func(t *testing.T, p *process)
		want    map[string]int
	}{
		"modified": {func(t *testing.T, p *process) {
			v := p.mustOpen()
			if err := v.set("a", 1); err != nil {
				t.Error(err)
			}
			v.end()
		}, map[string]int{"acquire": 1, "put": 1}},
		"unmodified": {func(_ *testing.T, p *process) { p.mustOpen().end() }, map[string]int{"acquire": 1, "update": 1}},
		"touched": {func(t *testing.T, p *process) {
			v := p.mustOpen()
			change := storage.Change{ExpiresAt: v.expiry.Add(time.Minute), UpdatedAt: time.Now()}
			if err := v.session.Touch(v.ctx, change); err != nil {
				t.Error(err)
			}
			v.end()
		}, map[string]int{"acquire": 1, "update": 1}},
		"read-only": {func(t *testing.T, p *process) {
			v, err := p.readOnly()
			if err != nil || v.values == nil {
				t.Errorf("values %v, %v", v.values, err)
			}
			v.end()
		}, map[string]int{"get": 1}},
		"destroyed": {func(t *testing.T, p *process) {
			v := p.mustOpen()
			if err := v.session.Delete(v.ctx); err != nil {
				t.Error(err)
			}
			if err := v.commit(); !errors.Is(err, lockstrategy.ErrSessionGone) {
				t.Errorf("a commit after the delete: %v; want ErrSessionGone", err)
			}
			v.end()
		}, map[string]int{"acquire": 1, "put": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			driver := stocked(t, map[string]any{})
			p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
			p.visited()
			test.request(t, p)
			if calls := p.spy.take(); !maps.Equal(calls, test.want) {
				t.Errorf("calls: %v; want %v", calls, test.want)
			}
			if r, _ := stored(t, driver); !r.Lease.Free() {
				t.Error("the lease is still held")
			}
		})
	}
}

// A process that does not know whether there is such a session looks first: anybody can invent a cookie, and a refused
// write is billed like a write.
func TestI8_LeaseOnNothingWritesNothing(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
	miss := func(when string, want map[string]int) {
		t.Helper()
		v := p.mustOpen()
		if _, found := v.session.Record(); found {
			t.Errorf("%s: found a session", when)
		}
		v.end()
		if calls := p.spy.take(); !maps.Equal(calls, want) {
			t.Errorf("%s: calls: %v; want %v", when, calls, want)
		}
	}
	read := map[string]int{"get": 1}
	miss("nothing stored", read)
	if r, _ := stored(t, driver); r.Key != "" {
		t.Error("a record was made")
	}
	if err := driver.Put(t.Context(), ended.Tombstone(storage.Record{Key: key}, "", time.Now()),
		storage.Always()); err != nil {
		t.Fatal(err)
	}
	miss("a tombstone", read)
	expired := record(key, time.Now())
	expired.UpdatedAt = expired.ExpiresAt.Add(-time.Hour)
	if err := driver.Put(t.Context(), expired, storage.Always()); err != nil {
		t.Fatal(err)
	}
	miss("an expired session", read)

	// One that it knows is acquired without a read, until it is found to be gone.
	store(t, driver, map[string]any{})
	p.mustOpen().end()
	if calls := p.spy.take(); !maps.Equal(calls, map[string]int{"get": 1, "acquire": 1, "update": 1}) {
		t.Errorf("the first request: calls: %v", calls)
	}
	p.mustOpen().end()
	if calls := p.spy.take(); !maps.Equal(calls, map[string]int{"acquire": 1, "update": 1}) {
		t.Errorf("the second request: calls: %v", calls)
	}
	if err := driver.Delete(t.Context(), key, storage.Always()); err != nil {
		t.Fatal(err)
	}
	miss("deleted by another process", map[string]int{"acquire": 1})
	miss("the same once more", read)
}

// Sessions that this process has made or renewed it need not look for.
func TestLeaseKnowsItsOwnSessions(t *testing.T) {
	t.Parallel()
	p := newProcess(t, memory.New(), lockstrategy.Lease(lockstrategy.LeaseOptions{}))
	v := p.draw()
	if err := v.commit(); err != nil {
		t.Fatal(err)
	}
	v.end()
	p.spy.take()
	v = p.mustOpen()
	if calls := p.spy.take(); !maps.Equal(calls, map[string]int{"acquire": 1}) {
		t.Errorf("one that was made: calls: %v", calls)
	}
	if err := v.renew("renewed"); err != nil {
		t.Fatal(err)
	}
	v.end()
	p.spy.take()
	v = p.mustOpenAt("renewed")
	if calls := p.spy.take(); !maps.Equal(calls, map[string]int{"acquire": 1}) {
		t.Errorf("one that was renewed: calls: %v", calls)
	}
	v.end()
	p.spy.take()
	if v = p.mustOpen(); v.values != nil {
		t.Error("the old one is there")
	}
	if calls := p.spy.take(); !maps.Equal(calls, map[string]int{"get": 1}) {
		t.Errorf("the old one: calls: %v; want a read", calls)
	}
}

// crashed returns a process that has the session and is never heard of again.
func crashed(t *testing.T, driver *memory.Driver, clock time.Duration) *visit {
	p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{Renewal: -1}))
	p.clock = clock
	p.abandoned = 1
	v := p.mustOpen()
	v.crashed = true
	return v
}

func TestI5_NextRequestGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	for _, clock := range []time.Duration{0, time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			driver := stocked(t, map[string]any{})
			crashed(t, driver, clock)
			p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
			began := time.Now()
			v := p.mustOpen()
			if waited := time.Since(began); waited != 5500*time.Millisecond {
				t.Errorf("holder's clock %v wrong: waited %v; want lease and allowance", clock, waited)
			}
			if err := v.set("a", 1); err != nil {
				t.Error(err)
			}
			v.end()
			if n := len(p.noticed(lockstrategy.TookOver)); n != 1 {
				t.Errorf("%d notices of a take-over", n)
			}
		})
	}
}

// Without an allowance, a lease is taken over as soon as its duration has passed.
func TestTakeOverWithoutAnAllowance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		crashed(t, driver, 0)
		began := time.Now()
		newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{ClockAllowance: -1})).mustOpen().end()
		if waited := time.Since(began); waited != 5*time.Second {
			t.Errorf("waited %v; want the lease", waited)
		}
	})
}

// Requests that each wait for less than a lease lasts still get the session in the end, because their process
// remembers.
func TestI5_ShortWaitsAddUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		crashed(t, driver, 0)
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: time.Second}))
		began := time.Now()
		var err error
		for range 6 {
			var v *visit
			if v, err = p.open(); err == nil {
				v.end()
				break
			}
			if !errors.Is(err, lockstrategy.ErrLockTimeout) {
				t.Fatal(err)
			}
		}
		if waited := time.Since(began); err != nil || waited != 5500*time.Millisecond {
			t.Errorf("after %v: %v; want the session after 5.5 s", waited, err)
		}
	})
}

// A live holder is not taken for a dead one, however wrong its clock is and however long it takes.
func TestLeaseIsRenewed(t *testing.T) {
	t.Parallel()
	for _, clock := range []time.Duration{0, time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			driver := stocked(t, map[string]any{})
			holder := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxHold: -1}))
			holder.clock = clock
			v := holder.mustOpen()
			var done sync.WaitGroup
			done.Go(func() {
				time.Sleep(60 * time.Second)
				if err := v.set("holder", 1); err != nil {
					t.Error(err)
				}
				v.end()
			})
			p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: time.Hour}))
			began := time.Now()
			next := p.mustOpen()
			if waited := time.Since(began); waited < 60*time.Second || waited > 61*time.Second {
				t.Errorf("waited %v for a request of one minute", waited)
			}
			if next.values["holder"] == nil {
				t.Error("the waiting request does not see what the holder has stored")
			}
			next.end()
			done.Wait()
			if n := len(holder.noticed(lockstrategy.Renewed)); n != 35 && n != 36 {
				t.Errorf("%d renewals in a minute; want one every 5/3 s", n)
			}
			if calls := p.spy.take(); calls["acquire"] != 1 || calls["get"] != 1 { // refused writes are billed like writes
				t.Errorf("calls of the one that waited: %v; want no refused acquisition, and eventual reads", calls)
			}
		})
	}
}

func TestLeaseThatIsOverRefusesTheCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		slow := crashed(t, driver, 0) // and comes back
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		next := p.mustOpen()
		err := slow.set("slow", 1)
		if !errors.Is(err, lockstrategy.ErrLockLost) || !errors.Is(err, storage.ErrConflict) {
			t.Errorf("a commit without the lease: %v; want ErrLockLost", err)
		}
		slow.end()
		if r, _ := stored(t, driver); r.Lease.Free() {
			t.Error("I6: the release of the slow one freed the lease of the next one")
		}
		if err := next.set("next", 1); err != nil {
			t.Error(err)
		}
		next.end()
		if _, values := stored(t, driver); len(values) != 1 || values["next"] == nil {
			t.Errorf("stored: %v", values)
		}
	})
}

// Nobody wants the session: then a lease that is over costs nothing.
func TestLeaseThatNobodyTookStillCommits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		slow := crashed(t, driver, 0)
		time.Sleep(time.Minute - 1)
		if err := slow.set("slow", 1); err != nil {
			t.Error(err)
		}
		slow.end()
	})
}

// A holder that renews learns that it has lost the lease while it is working.
func TestLostLeaseCancelsTheRequest(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lose func(t *testing.T, driver *memory.Driver)
		want error
	}{
		"taken over": {func(t *testing.T, driver *memory.Driver) {
			newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{})).mustOpen().end()
		}, lockstrategy.ErrLockLost},
		"deleted": {func(t *testing.T, driver *memory.Driver) {
			if err := driver.Delete(t.Context(), key, storage.Always()); err != nil {
				t.Error(err)
			}
		}, lockstrategy.ErrSessionGone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				driver := stocked(t, map[string]any{})
				holder := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
				v := holder.mustOpen()
				holder.spy.set(func(string) error { return storage.ErrUnavailable }, nil) // cut off from storage
				test.lose(t, driver)
				holder.spy.set(nil, nil)
				<-v.ctx.Done()
				if cause := context.Cause(v.ctx); !errors.Is(cause, test.want) {
					t.Errorf("the request was cancelled because of %v; want %v", cause, test.want)
				}
				holder.spy.take()
				if err := v.set("a", 1); !errors.Is(err, test.want) {
					t.Errorf("the commit: %v; want %v", err, test.want)
				}
				v.end()
				if calls := holder.spy.take(); len(calls) != 0 {
					t.Errorf("calls after the loss was known: %v", calls)
				}
				if n := len(holder.noticed(lockstrategy.Lost)); n != 1 {
					t.Errorf("%d notices of the loss", n)
				}
				for _, n := range holder.noticed(lockstrategy.Renewed) {
					if conflict := (*storage.ConflictError)(nil); errors.As(n.Err, &conflict) {
						t.Error("I9: a notice carries the record")
					}
				}
			})
		})
	}
}

// A process that has more requests than others does not keep the session to itself, and loses no call over it.
func TestOtherProcessesGetTheirTurn(t *testing.T) {
	t.Parallel()
	for _, modify := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			driver := stocked(t, map[string]any{})
			const requests = 200
			busy := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{
				MaxWait:    time.Hour,
				MaxWaiting: requests,
			}))
			var done sync.WaitGroup
			for i := range requests {
				done.Go(func() {
					v := busy.mustOpen()
					defer v.end()
					time.Sleep(100 * time.Millisecond)
					if !modify {
						return
					}
					if err := v.set(fmt.Sprint(i), 1); err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
			other := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: time.Hour}))
			began := time.Now()
			v := other.mustOpen()
			if waited := time.Since(began); waited > 6*time.Second {
				t.Errorf("the other process waited %v; want about one lease", waited)
			}
			v.end()
			done.Wait()
			_, values := stored(t, driver)
			calls, renewals := busy.spy.take(), len(busy.noticed(lockstrategy.Renewed))
			if modify && (len(values) != requests || calls["update"] != renewals || calls["put"] != requests) {
				t.Errorf("%d of %d updates kept; calls %v, %d renewals", len(values), requests, calls, renewals)
			}
		})
	}
}

// Without renewal a lease is not handed on that is about to end.
func TestHandedOnLeaseIsNotOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: time.Hour, Renewal: -1}))
		var done sync.WaitGroup
		for range 20 {
			done.Go(func() {
				v := p.mustOpen()
				time.Sleep(time.Second)
				if r, _ := stored(t, driver); !r.Lease.ExpiresAt.After(time.Now()) {
					t.Error("the lease has ended although a request has it")
				}
				v.end()
			})
		}
		done.Wait()
	})
}

// A miss is the answer for who came before it was asked, not for who came after a session was stored.
func TestMissIsNotStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		var done sync.WaitGroup
		p.spy.set(nil, func(_ string, err error) error {
			p.spy.set(nil, nil)
			time.Sleep(time.Millisecond) // the answer is on its way
			store(t, driver, map[string]any{"a": 1})
			p.spy.take()
			done.Go(func() {
				v := p.mustOpen()
				if v.values == nil {
					t.Error("a session that was stored before the request came was not found")
				}
				v.end()
			})
			synctest.Wait()
			return err
		})
		p.mustOpen().end()
		done.Wait()
	})
}

// Who waits for an answer that is a miss need not ask again.
func TestMissIsForAllWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, memory.New(), lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		p.spy.set(func(string) error { // the question is on its way
			p.spy.set(nil, nil)
			time.Sleep(time.Millisecond)
			return nil
		}, nil)
		var done sync.WaitGroup
		for range 4 {
			done.Go(func() { p.mustOpen().end() })
		}
		done.Wait()
		// One asks, and the second, who came after that question was sent, asks for the two behind it.
		if calls := p.spy.take(); calls["get"] > 2 || len(calls) != 1 {
			t.Errorf("calls: %v", calls)
		}
	})
}

// A session that expires while somebody waits for it is a miss then, whoever has its lease.
func TestSessionExpiresWhileWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		crashed(t, driver, 0)
		end := storage.Change{ExpiresAt: time.Now().Add(2 * time.Second)}
		if err := driver.Update(t.Context(), key, end, storage.Always()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		v := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{})).mustOpen()
		if waited := time.Since(began); v.values != nil || waited > 3*time.Second {
			t.Errorf("after %v: %v; want a miss after 2 s", waited, v.values)
		}
		v.end()
	})
}

// A request that is cancelled while it acquires the lease leaves it to nobody.
func TestCancelledAcquisitionLeavesNoLease(t *testing.T) {
	t.Parallel()
	driver := stocked(t, map[string]any{})
	p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
	ctx, cancel := context.WithCancel(t.Context())
	ctx, request := p.request(ctx)
	p.spy.set(nil, func(call string, err error) error {
		if call != "acquire" {
			return err
		}
		cancel() // when it has been applied
		return errors.Join(context.Canceled, storage.ErrOutcomeUnknown)
	})
	if _, err := p.strategy.Load(ctx, request, key); !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want context.Canceled", err)
	}
	if r, _ := stored(t, driver); !r.Lease.Free() {
		t.Error("the lease is held by nobody")
	}
}

func TestHandedOnSessionThatHasExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		r := store(t, driver, map[string]any{})
		end := storage.Change{ExpiresAt: time.Now().Add(500 * time.Millisecond)}
		if err := driver.Update(t.Context(), r.Key, end, storage.Always()); err != nil {
			t.Fatal(err)
		}
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		v := p.mustOpen()
		var done sync.WaitGroup
		var found atomic.Int32
		for range 3 {
			done.Go(func() {
				next := p.mustOpen()
				if next.values != nil {
					found.Add(1)
					time.Sleep(600 * time.Millisecond)
				}
				next.end()
			})
		}
		time.Sleep(10 * time.Millisecond)
		v.end()
		done.Wait()
		if found.Load() != 1 {
			t.Errorf("%d requests found the session; want the one that got it in time", found.Load())
		}
	})
}

// Who gets the session from within its process and cannot read it must not keep it from the others.
func TestHandedOnSessionThatCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		v := p.mustOpen()
		var done sync.WaitGroup
		var failed atomic.Int32
		for range 2 {
			done.Go(func() {
				next, err := p.open()
				if err != nil {
					failed.Add(1)
					return
				}
				next.end()
			})
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		p.spy.set(func(call string) error {
			if call == "get" {
				p.spy.set(nil, nil)
				return storage.ErrUnavailable
			}
			return nil
		}, nil)
		began := time.Now()
		v.end()
		done.Wait()
		if waited := time.Since(began); failed.Load() != 1 || waited > 0 {
			t.Errorf("%d failed, after %v; want one, at once", failed.Load(), waited)
		}
	})
}

// A commit without a scope overwrites the lease, too. The next request of the process must notice.
func TestHandedOnLeaseThatWasOverwritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		v := p.mustOpen()
		time.Sleep(time.Millisecond)
		var done sync.WaitGroup
		done.Go(func() {
			next := p.mustOpen()
			if next.values["overwritten"] == nil {
				t.Errorf("read %v", next.values)
			}
			if err := next.set("next", 1); err != nil {
				t.Error(err)
			}
			next.end()
		})
		synctest.Wait()
		store(t, driver, map[string]any{"overwritten": 1})
		v.end()
		done.Wait()
	})
}

// Who holds a lease is not the only one who can have written: an earlier commit of the same lease may arrive late.
func TestI1_LeaseAloneIsNotEnough(t *testing.T) {
	t.Parallel()
	driver := stocked(t, map[string]any{})
	p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
	v := p.mustOpen()
	late, _ := stored(t, driver)
	late.Version = storage.NewVersion()
	if err := driver.Put(t.Context(), late, storage.IfLease(late.Lease.ID)); err != nil {
		t.Fatal(err)
	}
	if err := v.set("a", 1); !errors.Is(err, storage.ErrConflict) || errors.Is(err, lockstrategy.ErrLockLost) {
		t.Errorf("%v; want a conflict", err)
	}
	v.end()
	if r, values := stored(t, driver); len(values) > 0 || !r.Lease.Free() {
		t.Errorf("stored %v, lease %+v", values, r.Lease)
	}
}

// What a commit of unknown outcome has left is read before it is handed on.
func TestHandedOnAfterAnUnknownCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		first := p.mustOpen()
		var done sync.WaitGroup
		done.Go(func() {
			unlucky := p.mustOpen()
			p.spy.set(nil, func(string, error) error { return storage.ErrOutcomeUnknown }) // it was applied all the same
			if err := unlucky.set("unknown", 1); !errors.Is(err, storage.ErrOutcomeUnknown) {
				t.Error(err)
			}
			p.spy.set(nil, nil)
			unlucky.end()
		})
		synctest.Wait()
		done.Go(func() {
			next := p.mustOpen()
			if next.values["unknown"] == nil {
				t.Errorf("read %v", next.values)
			}
			if err := next.set("next", 1); err != nil {
				t.Error(err)
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

// An acquisition that met another lease after one of its attempts had no answer has met another lease.
func TestUnknownAcquisitionThatMeetsALease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		v := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{})).mustOpen()
		time.AfterFunc(time.Second, v.end)
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		p.spy.set(nil, func(call string, err error) error {
			if call == "acquire" && err != nil {
				err = errors.Join(err, storage.ErrOutcomeUnknown)
			}
			return err
		})
		p.mustOpen().end()
	})
}

// The one to whom a commit has handed on the lease learns of its loss like any other.
func TestLossOfAHandedOnLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		v := p.mustOpen()
		next := make(chan *visit)
		go func() { next <- p.mustOpen() }()
		synctest.Wait()
		if err := v.set("a", 1); err != nil {
			t.Error(err)
		}
		v.end()
		heir := <-next
		if err := driver.Delete(t.Context(), key, storage.Always()); err != nil {
			t.Error(err)
		}
		<-heir.ctx.Done()
		if cause := context.Cause(heir.ctx); !errors.Is(cause, lockstrategy.ErrSessionGone) || v.ctx.Err() != nil {
			t.Errorf("the heir was cancelled because of %v, the one before: %v", cause, v.ctx.Err())
		}
		heir.end()
	})
}

// Requests that wait while the session is destroyed need not ask for it.
func TestDestroyTellsWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		v := p.mustOpen()
		var done sync.WaitGroup
		for range 3 {
			done.Go(func() {
				next := p.mustOpen()
				if next.values != nil {
					t.Error("found a session that was destroyed")
				}
				next.end()
			})
		}
		time.Sleep(time.Millisecond)
		if err := v.session.Delete(v.ctx); err != nil {
			t.Error(err)
		}
		done.Wait()
		v.end()
		want := map[string]int{"get": 2, "acquire": 1, "put": 1} // one of them reads what has become of it
		if calls := p.spy.take(); !maps.Equal(calls, want) {
			t.Errorf("calls: %v; want %v", calls, want)
		}
	})
}

func TestReleaseOfACancelledRequest(t *testing.T) {
	t.Parallel()
	driver := stocked(t, map[string]any{})
	p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
	v := p.mustOpen()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.session.Release(ctx); err != nil {
		t.Error(err)
	}
	if r, _ := stored(t, driver); !r.Lease.Free() {
		t.Error("the lease is still held")
	}
}

// A renewal that finds the lease freed by its own holder's commit, whose answer is still on its way, has lost nothing.
func TestRenewalDuringACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		v := p.mustOpen()
		p.spy.set(nil, func(call string, err error) error {
			if call == "put" {
				time.Sleep(3 * time.Second)
			}
			return err
		})
		if err := v.set("a", 1); err != nil {
			t.Error(err)
		}
		v.end()
		if err := context.Cause(v.ctx); err != nil || len(p.noticed(lockstrategy.Lost)) > 0 {
			t.Errorf("the request was cancelled: %v", err)
		}
		if n := len(p.noticed(lockstrategy.Renewed)); n == 0 {
			t.Error("there was no renewal meanwhile")
		}
	})
}

// A renewal whose answer comes after the commit has freed the lease is about nothing any more.
func TestRenewalAfterTheCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{Duration: 3 * time.Second}))
		v := p.mustOpen()
		p.spy.set(func(call string) error {
			if call == "update" {
				time.Sleep(time.Second)
			}
			return nil
		}, nil)
		time.Sleep(1500 * time.Millisecond) // the renewal is on its way
		if err := v.set("a", 1); err != nil {
			t.Error(err)
		}
		v.end()
		time.Sleep(10 * time.Second)
		if cause := context.Cause(v.ctx); cause != nil || len(p.noticed(lockstrategy.Lost)) > 0 {
			t.Errorf("the request was cancelled: %v", cause)
		}
		if n := p.spy.take()["update"]; n != 1 {
			t.Errorf("%d renewals; want the one that was on its way", n)
		}
		if r, _ := stored(t, driver); !r.Lease.Free() {
			t.Error("the lease is held")
		}
	})
}

func TestI6_LateReleaseFreesNobodysLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		slow := crashed(t, driver, 0)
		next := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{})).mustOpen()
		slow.end()
		if r, _ := stored(t, driver); r.Lease.Free() {
			t.Error("the release of the one who had lost the lease freed that of the next one")
		}
		next.end()
	})
}

// A holder that is heard of at the last moment keeps its lease, and of two that wait only one takes it over.
func TestI6_TakeOverMeetsARenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		crashed(t, driver, 0)
		began := time.Now()
		var done sync.WaitGroup
		var inside, most, taken atomic.Int32
		for range 2 {
			done.Go(func() {
				p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: time.Minute}))
				p.spy.set(func(call string) error {
					if call != "acquire" || time.Since(began) != 5500*time.Millisecond {
						return nil
					}
					r, _ := stored(t, driver)
					r.Lease.ExpiresAt = r.Lease.ExpiresAt.Add(time.Second)
					return driver.Update(t.Context(), key, storage.Change{Lease: &r.Lease}, storage.IfLease(r.Lease.ID))
				}, nil)
				v := p.mustOpen()
				most.Store(max(most.Load(), inside.Add(1)))
				time.Sleep(time.Second)
				inside.Add(-1)
				if err := v.commit(); err != nil {
					t.Error(err)
				}
				v.end()
				taken.Add(int32(len(p.noticed(lockstrategy.TookOver))))
			})
		}
		done.Wait()
		if waited := time.Since(began); waited < 2*5500*time.Millisecond || most.Load() != 1 || taken.Load() != 1 {
			t.Errorf("after %v: %d inside at once, %d take-overs; want another 5.5 s from the renewal, and 1", waited,
				most.Load(), taken.Load())
		}
	})
}

// A request that has got its session, and must wait for it once more, has all its patience again.
func TestSecondWaitIsAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		others := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: 10 * time.Second}))
		for _, again := range []bool{false, true} {
			holder := others.mustOpen()
			time.AfterFunc(8*time.Second, holder.end)
			v := p.mustOpen()
			v.end()
			if again {
				holder = others.mustOpen()
				time.AfterFunc(8*time.Second, holder.end)
			}
			if err := v.set("a", again); err != nil {
				t.Errorf("waits again %v: %v", again, err)
			}
			v.end()
		}
	})
}

// A request that waits for one key after the other, as with two secrets, waits no longer than it may.
func TestWaitIsOneForAllKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		other := record("another key", inAnHour())
		other.Lease = storage.Lease{ID: "somebody's", Duration: time.Hour, ExpiresAt: inAnHour()}
		if err := driver.Put(t.Context(), other, storage.Always()); err != nil {
			t.Fatal(err)
		}
		v := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{})).mustOpen()
		time.AfterFunc(2*time.Second, func() {
			if err := v.session.Delete(v.ctx); err != nil {
				t.Error(err)
			}
		})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: 3 * time.Second}))
		ctx, request := p.request(t.Context())
		began := time.Now()
		if first, err := p.load(ctx, request); err != nil || first.values != nil {
			t.Fatalf("%v; want a miss", err)
		}
		_, err := p.strategy.Load(ctx, request, other.Key)
		if waited := time.Since(began); !errors.Is(err, lockstrategy.ErrLockTimeout) || waited != 3*time.Second {
			t.Errorf("after %v: %v; want ErrLockTimeout after 3 s", waited, err)
		}
	})
}

func TestWaitsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: 2 * time.Second}))
		other := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: 2 * time.Second}))
		v := p.mustOpen()
		var done sync.WaitGroup
		for _, waiting := range []*process{p, other, p} {
			done.Go(func() {
				began := time.Now()
				_, err := waiting.open()
				if waited := time.Since(began); !errors.Is(err, lockstrategy.ErrLockTimeout) || waited != 2*time.Second {
					t.Errorf("after %v: %v; want ErrLockTimeout after 2 s", waited, err)
				}
			})
			done.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				ctx, request := waiting.request(ctx)
				_, err := waiting.strategy.Load(ctx, request, key)
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, lockstrategy.ErrLockTimeout) {
					t.Errorf("the request's context ended: %v", err)
				}
			})
		}
		done.Wait()
		// Who gave up has left nothing behind.
		v.end()
		for _, next := range []*process{p, other} {
			next.spy.take()
			next.mustOpen().end()
			if calls := next.spy.take(); !maps.Equal(calls, map[string]int{"acquire": 1, "update": 1}) {
				t.Errorf("calls: %v", calls)
			}
		}
	})
}

// A turn that comes at the very moment at which a request gives up is not lost.
func TestTurnAtTheLastMoment(t *testing.T) {
	t.Parallel()
	for range 50 { // which of the two is first is chance
		synctest.Test(t, func(t *testing.T) {
			driver := stocked(t, map[string]any{})
			p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: time.Second}))
			v := p.mustOpen()
			var done sync.WaitGroup
			done.Go(func() {
				next, err := p.open()
				if err == nil {
					next.end()
				} else if !errors.Is(err, lockstrategy.ErrLockTimeout) {
					t.Error(err)
				}
			})
			time.Sleep(time.Second)
			v.end()
			done.Wait()
			began := time.Now()
			p.mustOpen().end()
			if waited := time.Since(began); waited > 0 {
				t.Errorf("the next request waited %v", waited)
			}
		})
	}
}

func TestI3_DeleteWinsOverALease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		v := p.mustOpen()
		var missed atomic.Int32
		var done sync.WaitGroup
		wait := func() {
			next, err := p.open()
			if err != nil {
				t.Error(err)
				return
			}
			if next.values == nil {
				missed.Add(1)
			}
			next.end()
		}
		done.Go(wait)
		synctest.Wait()
		if err := driver.Delete(t.Context(), key, storage.Always()); err != nil {
			t.Error(err)
		}
		done.Go(wait)
		synctest.Wait()
		if err := v.set("a", 1); !errors.Is(err, lockstrategy.ErrSessionGone) {
			t.Errorf("the holder's commit: %v; want ErrSessionGone", err)
		}
		v.end()
		done.Wait()
		if r, _ := stored(t, driver); missed.Load() != 2 || r.Key != "" {
			t.Errorf("%d of 2 waiting requests found no session, stored %q", missed.Load(), r.Key)
		}
	})
}

// A request that came after a delete must not see the session, although this process still has its lease.
func TestI3_HandedOnSessionIsNotStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{"a": 1})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		v := p.mustOpen()
		time.Sleep(time.Millisecond)
		if err := driver.Delete(t.Context(), key, storage.Always()); err != nil {
			t.Error(err)
		}
		var done sync.WaitGroup
		done.Go(func() {
			next := p.mustOpen()
			if next.values != nil {
				t.Errorf("found %v after the delete", next.values)
			}
			next.end()
		})
		synctest.Wait()
		p.spy.take()
		v.end() // unmodified: handed on without a call
		done.Wait()
		if calls := p.spy.take(); !maps.Equal(calls, map[string]int{"get": 1}) {
			t.Errorf("calls: %v; want one read that finds nothing", calls)
		}
	})
}

func TestUnmodifiedSessionIsHandedOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{"a": 1})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		p.visited()
		v := p.mustOpen()
		var done sync.WaitGroup
		for range 3 {
			done.Go(func() {
				next := p.mustOpen()
				if next.values["a"] == nil {
					t.Error("the session was handed on without its values")
				}
				next.end()
			})
		}
		synctest.Wait()
		time.Sleep(time.Millisecond)
		v.end()
		done.Wait()
		want := map[string]int{"acquire": 1, "get": 1, "update": 1} // the read is later than all of them
		if calls := p.spy.take(); !maps.Equal(calls, want) {
			t.Errorf("calls: %v; want %v", calls, want)
		}
	})
}

// After its release a session may still be committed, as by a handler that commits by hand after its first byte, and by
// one that was thought to only read.
func TestCommitWithoutTheLeaseTakesItAgain(t *testing.T) {
	t.Parallel()
	for name, load := range map[string]func(p *process) *visit{
		"released": func(p *process) *visit {
			v := p.mustOpen()
			v.end()
			return v
		},
		"committed": func(p *process) *visit {
			v := p.mustOpen()
			if err := v.set("first", 1); err != nil {
				p.t.Error(err)
			}
			return v
		},
		"read-only": func(p *process) *visit {
			v, err := p.readOnly()
			if err != nil {
				p.t.Fatal(err)
			}
			return v
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			driver := stocked(t, map[string]any{})
			p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
			p.visited()
			v := load(p)
			p.spy.take()
			if err := v.set("again", 1); err != nil {
				t.Error(err)
			}
			if calls := p.spy.take(); !maps.Equal(calls, map[string]int{"acquire": 1, "put": 1}) {
				t.Errorf("calls: %v", calls)
			}
			v.end()

			// And not over what somebody else has stored.
			v = load(p)
			other := p.mustOpen()
			if err := other.set("other", 1); err != nil {
				t.Error(err)
			}
			other.end()
			if err := v.set("late", 1); !errors.Is(err, storage.ErrConflict) {
				t.Errorf("a commit over another version: %v; want a conflict", err)
			}
			v.end()
			r, values := stored(t, driver)
			if values["late"] != nil || values["other"] == nil || !r.Lease.Free() {
				t.Errorf("stored %v, lease %+v", values, r.Lease)
			}
		})
	}
}

// What the SDK could not find out must not make anybody wait for the end of a lease.
func TestUnknownOutcomesLeaveNoLease(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{"acquire", "put", "update"} {
		t.Run(lost, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				driver := stocked(t, map[string]any{})
				p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
				var told atomic.Bool
				p.spy.set(nil, func(call string, err error) error {
					if call == lost && told.CompareAndSwap(false, true) {
						return storage.ErrOutcomeUnknown // it was applied all the same
					}
					return err
				})
				v, err := p.open()
				if err == nil {
					if lost == "put" {
						err = v.set("a", 1)
					}
					v.end()
				}
				if (lost == "put") != errors.Is(err, storage.ErrOutcomeUnknown) || (lost == "update") != (err == nil) {
					t.Errorf("the request: %v", err)
				}
				began := time.Now()
				newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{})).mustOpen().end()
				if waited := time.Since(began); waited > 0 {
					t.Errorf("the next request waited %v", waited)
				}
			})
		})
	}
}

// A commit that fails leaves the session as it was, and gives the lease back at the end of the request.
func TestFailedCommitReleases(t *testing.T) {
	t.Parallel()
	driver := stocked(t, map[string]any{"a": 1.0})
	p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
	v := p.mustOpen()
	p.spy.set(func(call string) error {
		if call == "put" {
			return &storage.TooLargeError{Size: 2, Limit: 1}
		}
		return nil
	}, nil)
	if err := v.set("b", 1); !errors.Is(err, storage.ErrTooLarge) {
		t.Errorf("%v; want ErrTooLarge", err)
	}
	v.end()
	if r, values := stored(t, driver); !r.Lease.Free() || !maps.Equal(values, map[string]any{"a": 1.0}) {
		t.Errorf("lease %+v, values %v", r.Lease, values)
	}
}

func TestReleaseIsTriedThreeTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		v := p.mustOpen()
		p.spy.set(func(string) error { return storage.ErrUnavailable }, nil)
		if err := v.session.Release(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%v; want ErrUnavailable", err)
		}
		if calls := p.spy.take(); calls["update"] != 3 {
			t.Errorf("%d tries; want 3", calls["update"])
		}
		// The turn was passed on all the same: the next request of this process waits for the lease, as any other.
		p.spy.set(nil, nil)
		p.mustOpen().end()
	})
}

// A touch under the lease releases it, and one that has lost it leaves the session to who has it.
func TestTouchUnderALease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{})
		slow := crashed(t, driver, 0)
		next := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{})).mustOpen()
		later := next.expiry.Add(time.Hour)
		touch := func(v *visit) error {
			return v.session.Touch(v.ctx, storage.Change{ExpiresAt: later, UpdatedAt: time.Now()})
		}
		if err := touch(slow); err != nil {
			t.Errorf("a touch without the lease: %v; want nothing", err)
		}
		if r, _ := stored(t, driver); r.ExpiresAt.Equal(later) || r.Lease.Free() {
			t.Error("a touch without the lease changed the session")
		}
		if err := touch(next); err != nil {
			t.Error(err)
		}
		if r, _ := stored(t, driver); !r.ExpiresAt.Equal(later) || !r.Lease.Free() {
			t.Errorf("a touch with the lease: ends %v, lease %+v", r.ExpiresAt, r.Lease)
		}
		slow.end()
		next.end()
	})
}

func TestLeaseOptionsAreChecked(t *testing.T) {
	t.Parallel()
	backend := &lockstrategy.Backend{Driver: memory.New()}
	validate := func(backend *lockstrategy.Backend, options lockstrategy.LeaseOptions) error {
		return lockstrategy.Lease(options).(lockstrategy.Validator).Validate(backend)
	}
	for name, options := range map[string]lockstrategy.LeaseOptions{
		"the defaults":             {},
		"no renewal, no allowance": {Duration: time.Second, Renewal: -1, ClockAllowance: -1},
		"a long lease":             {Duration: time.Hour},
		"no limit of one request":  {MaxHold: -1},
		"the least of all": {
			Duration: 100 * time.Millisecond, MaxWait: 20 * time.Millisecond, MaxWaiting: 1,
			MaxHold: 100 * time.Millisecond, Poll: 50 * time.Millisecond,
		},
	} {
		if err := validate(backend, options); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, test := range map[string]struct {
		options lockstrategy.LeaseOptions
		names   []string
	}{
		"hold too short":      {lockstrategy.LeaseOptions{MaxHold: time.Second}, []string{"MaxHold"}},
		"nobody may wait":     {lockstrategy.LeaseOptions{MaxWaiting: -1}, []string{"MaxWaiting"}},
		"renewal too late":    {lockstrategy.LeaseOptions{Renewal: 5 * time.Second}, []string{"Renewal"}},
		"allowance too large": {lockstrategy.LeaseOptions{ClockAllowance: 5 * time.Second}, []string{"ClockAllowance"}},
		"no pause":            {lockstrategy.LeaseOptions{Poll: time.Millisecond}, []string{"Poll"}},
		"negative pause":      {lockstrategy.LeaseOptions{Poll: -1}, []string{"Poll"}},
		"no wait":             {lockstrategy.LeaseOptions{MaxWait: time.Millisecond}, []string{"MaxWait"}},
		"a duration that allows no others": {
			lockstrategy.LeaseOptions{Duration: 1, Renewal: -1, ClockAllowance: -1},
			[]string{"Duration"},
		},
		"all at once": {
			lockstrategy.LeaseOptions{Duration: -1, MaxWait: -1, Renewal: 1, ClockAllowance: 1},
			[]string{"Duration", "MaxWait", "Renewal", "ClockAllowance"},
		},
	} {
		err := validate(backend, test.options)
		if all, ok := err.(interface{ Unwrap() []error }); !ok || len(all.Unwrap()) != len(test.names) {
			t.Errorf("%s: %v; want %d problems", name, err, len(test.names))
		}
		for _, option := range test.names {
			if err == nil || !strings.Contains(err.Error(), "LeaseOptions."+option+":") {
				t.Errorf("%s: %v; want a word about %s", name, err, option)
			}
		}
	}
}

// A driver without leases is named, and what to do.
func TestLeaseOverADriverWithoutLeases(t *testing.T) {
	t.Parallel()
	driver := tap.Without(memory.New(), "Acquire")
	now := time.Now()
	record := storage.Record{Key: "key", Version: storage.NewVersion(), UpdatedAt: now, ExpiresAt: now.Add(time.Hour)}
	if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
		t.Fatal(err)
	}
	_, err := lockstrategy.Lease(lockstrategy.LeaseOptions{}).Load(t.Context(), &lockstrategy.Request{
		Backend: &lockstrategy.Backend{Driver: driver, Now: time.Now}, Lock: true,
	}, "key")
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "use Merge") {
		t.Errorf("got %v", err)
	}
}
