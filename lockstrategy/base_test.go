package lockstrategy_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// Operations of one session wait for each other, and one that waits ends with its context, without a call.
func TestOperationsOfOneSessionTakeTurns(t *testing.T) {
	t.Parallel()
	for name := range strategies() {
		for operation, do := range map[string]func(v *visit, ctx context.Context) error{
			"commit": func(v *visit, ctx context.Context) error {
				return v.write(func(_ context.Context, r storage.Record) error { return v.session.Commit(ctx, r) })
			},
			"renew": func(v *visit, ctx context.Context) error {
				other := *v
				other.key = "renewed"
				return other.write(func(_ context.Context, r storage.Record) error { return v.session.Renew(ctx, r) })
			},
			"touch": func(v *visit, ctx context.Context) error {
				return v.session.Touch(ctx, storage.Change{ExpiresAt: inAnHour(), UpdatedAt: v.p.backend.Now()})
			},
			"delete": func(v *visit, ctx context.Context) error { return v.session.Delete(ctx) },
		} {
			t.Run(name+"/"+operation, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p := newProcess(t, stocked(t, map[string]any{}), strategies()[name])
					v := p.mustOpen()
					defer v.end()
					p.spy.take()
					storageAnswers := make(chan struct{})
					p.spy.set(func(string) error { <-storageAnswers; return nil }, nil)
					first, second := make(chan error, 1), make(chan error, 1)
					go func() { first <- v.commit() }()
					synctest.Wait()
					ctx, cancel := context.WithCancel(v.ctx)
					go func() { second <- do(v, ctx) }()
					synctest.Wait()
					if calls := p.spy.take(); len(calls) != 1 || calls["put"] != 1 {
						t.Errorf("calls while the first operation runs: %v; want the put of that one", calls)
					}
					cancel()
					synctest.Wait()
					select {
					case err := <-second:
						if !errors.Is(err, context.Canceled) {
							t.Errorf("%v; want the end of the context", err)
						}
					default:
						t.Error("it goes on waiting after the end of its context")
					}
					close(storageAnswers)
					if err := <-first; err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// A lease that is released between a refused acquisition and its answer is acquired with the next one.
func TestAcquisitionMeetsARelease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := stocked(t, map[string]any{"a": 1})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		p.visited()
		free, _ := stored(t, driver)
		refusals := 2
		p.spy.set(func(call string) error {
			if call == "acquire" && refusals > 0 {
				refusals--
				return &storage.ConflictError{Current: &free}
			}
			return nil
		}, nil)
		v := p.mustOpen()
		defer v.end()
		if calls := p.spy.take(); v.values["a"] == nil || calls["acquire"] != 3 || len(calls) != 1 {
			t.Errorf("values %v with the calls %v; want the session, with the third acquisition", v.values, calls)
		}
	})
}

// The session of a request without the lease may meanwhile be under the key of another secret: then its commit there is
// a conflict. Where it is nowhere, it has ended.
func TestCommitWithoutTheLeaseAfterAMove(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		moved bool
		want  error
	}{"moved": {true, storage.ErrConflict}, "ended": {false, lockstrategy.ErrSessionGone}} {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		v, err := p.readOnly()
		if err != nil {
			t.Fatal(err)
		}
		other := p.mustOpen()
		if test.moved {
			other.key = "moved"
			err = other.commit()
		} else {
			err = other.session.Delete(other.ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		other.end()
		v.key = "moved"
		if err := v.commit(); !errors.Is(err, test.want) || errors.Is(err, lockstrategy.ErrSessionGone) == test.moved {
			t.Errorf("%s: %v; want %v", name, err, test.want)
		}
		v.end()
	}
}

// What ends a wait that has begun to pause is told as such, also where the lease was free when last seen.
func TestPatienceEndsBetweenAcquisitions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		free := store(t, driver, map[string]any{})
		p := newProcess(t, driver, lockstrategy.Lease(lockstrategy.LeaseOptions{}))
		p.visited()
		p.spy.set(func(call string) error {
			if call == "acquire" {
				return &storage.ConflictError{Current: &free}
			}
			return nil
		}, nil)
		if _, err := p.open(); !errors.Is(err, lockstrategy.ErrLockTimeout) {
			t.Errorf("%v; want ErrLockTimeout", err)
		}
		p.spy.set(nil, nil)
	})
}

// The strategy alone says what becomes of the lease: whatever lease a record comes with, no commit stores that.
func TestCommitStoresNoLeaseOfItsCaller(t *testing.T) {
	t.Parallel()
	for name, strategy := range strategies() {
		for operation, newKey := range map[string]string{"create": key, "commit": key, "move": "moved", "renew": "renewed"} {
			driver := memory.New()
			p := newProcess(t, driver, strategy)
			v := p.draw()
			if operation != "create" {
				store(t, driver, map[string]any{})
				v = p.mustOpen()
			}
			write := v.session.Commit
			if operation == "renew" {
				write = v.session.Renew
			}
			v.key = newKey
			err := v.write(func(ctx context.Context, r storage.Record) error {
				r.Lease = storage.Lease{ID: "of the caller", Duration: time.Hour, ExpiresAt: inAnHour()}
				return write(ctx, r)
			})
			v.end()
			r, found, getErr := driver.Get(t.Context(), newKey, storage.Strong)
			if err := errors.Join(err, getErr); err != nil || !found || !r.Lease.Free() {
				t.Errorf("%s: %s: %v; stored with the lease %+v", name, operation, err, r.Lease)
			}
		}
	}
}

// A delete that finds another version again and again asks no more in the end. That this has failed is told.
func TestDeleteThatFailsInTheEnd(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	read := store(t, driver, map[string]any{})
	spy := newSpy(driver)
	spy.set(nil, func(call string, err error) error {
		if call != "put" {
			return err
		}
		if err == nil { // the last one, without a condition
			return storage.ErrThrottled
		}
		return err
	})
	backend := &lockstrategy.Backend{Driver: overtaking{spy, driver}, Now: time.Now}
	if err := backend.Delete(t.Context(), read); !errors.Is(err, storage.ErrThrottled) {
		t.Errorf("%v; want ErrThrottled", err)
	}
}

// overtaking changes a session before each write to it that has a condition.
type overtaking struct {
	*spy
	driver *memory.Driver
}

func (o overtaking) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	if c.Kind != storage.KindAlways {
		if err := o.driver.Put(ctx, record(r.Key, inAnHour()), storage.Always()); err != nil {
			return err
		}
	}
	return o.spy.Put(ctx, r, c)
}

// A lease that a commit has stored anew lasts from then on, so that the next request here gets it without a call.
func TestCommitExtendsTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, stocked(t, map[string]any{}), lockstrategy.Lease(lockstrategy.LeaseOptions{Renewal: -1}))
		p.visited()
		v := p.mustOpen()
		heir := make(chan *visit)
		go func() { heir <- p.mustOpen() }()
		time.Sleep(3 * time.Second) // less than half of its 5 s is left
		if err := v.set("a", 1); err != nil {
			t.Error(err)
		}
		next := <-heir
		if calls := p.spy.take(); calls["acquire"] != 1 || calls["put"] != 1 || len(calls) != 2 {
			t.Errorf("calls: %v; want one acquisition and one commit", calls)
		}
		v.end()
		next.end()
	})
}

// The retries of a renewal that fails begin anew after one that did not.
func TestRetriesOfRenewalsBeginAnew(t *testing.T) {
	t.Parallel()
	const duration = 20 * time.Second
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, stocked(t, map[string]any{}), lockstrategy.Lease(lockstrategy.LeaseOptions{
			Duration: duration, Renewal: duration / 4,
		}))
		v := p.mustOpen()
		began := time.Now()
		var tries []time.Duration
		down := func(at time.Duration) bool { return at < 9*time.Second || at > 12*time.Second && at < 16*time.Second }
		p.spy.set(func(call string) error {
			if call != "update" {
				return nil
			}
			at := time.Since(began)
			tries = append(tries, at)
			if down(at) {
				return storage.ErrUnavailable
			}
			return nil
		}, nil)
		time.Sleep(18 * time.Second)
		p.spy.set(nil, nil)
		if err := v.commit(); err != nil {
			t.Error(err)
		}
		v.end()
		for i := 1; i < len(tries); i++ {
			if !down(tries[i-1]) || i > 1 && down(tries[i-2]) {
				continue
			}
			if pause := tries[i] - tries[i-1]; pause > duration/20 {
				t.Errorf("the first retry comes %v after the failure; want %v at most", pause, duration/20)
			}
		}
	})
}

// A session that has expired, and was not ended, is no session, and nothing of it is returned.
func TestReadReturnsNothingOfAnExpiredSession(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	expired := record(key, time.Now().Add(-time.Minute))
	expired.UpdatedAt = time.Now().Add(-time.Hour)
	expired.Data = []byte("data")
	if err := driver.Put(t.Context(), expired, storage.Always()); err != nil {
		t.Fatal(err)
	}
	backend := &lockstrategy.Backend{Driver: driver, Now: time.Now}
	if r, found, err := backend.Read(t.Context(), key); found || err != nil || r.Key != "" || r.Data != nil {
		t.Errorf("found %v, %+v, %v; want nothing", found, r, err)
	}
}

// Who waits for another process asks at intervals of 25 to 50 ms at first, and of 100 to 200 ms in the end; a quarter
// of the lease bounds them, too.
func TestPausesOfWhoWaits(t *testing.T) {
	t.Parallel()
	for bound, options := range map[time.Duration]lockstrategy.LeaseOptions{
		200 * time.Millisecond: {MaxHold: -1, MaxWait: time.Hour},
		300 * time.Millisecond: {MaxHold: -1, MaxWait: time.Hour, Poll: 300 * time.Millisecond},
		100 * time.Millisecond: {MaxHold: -1, MaxWait: time.Hour, Duration: 400 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			driver := stocked(t, map[string]any{})
			holder := newProcess(t, driver, lockstrategy.Lease(options)).mustOpen()
			p := newProcess(t, driver, lockstrategy.Lease(options))
			var asked []time.Time
			p.spy.set(func(call string) error {
				if call == "poll" || call == "get" {
					asked = append(asked, time.Now())
				}
				return nil
			}, nil)
			const long = 5 * time.Minute
			go func() {
				time.Sleep(long)
				holder.end()
			}()
			p.mustOpen().end()
			longest := time.Duration(0)
			for i := 1; i < len(asked); i++ {
				most := min(bound, 50*time.Millisecond<<min(i-1, 10))
				pause := asked[i].Sub(asked[i-1])
				if pause < most/2 || pause > most {
					t.Errorf("pause %d: %v; want %v to %v", i, pause, most/2, most)
				}
				longest = max(longest, pause)
			}
			if len(asked) < int(long/bound) || longest < bound*9/10 {
				t.Errorf("asked %d times in %v, with pauses of up to %v; want up to %v", len(asked), long, longest, bound)
			}
		})
	}
}

// A load that fails leaves nothing that a process remembers; newProcess looks.
func TestFailedLoadIsNotRemembered(t *testing.T) {
	t.Parallel()
	for name, strategy := range strategies() {
		p := newProcess(t, stocked(t, map[string]any{}), strategy)
		p.spy.set(func(string) error { return storage.ErrUnavailable }, nil)
		if _, err := p.open(); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%s: %v; want ErrUnavailable", name, err)
		}
	}
}

// A session that is not there knows its key.
func TestLoadBaseOfNothing(t *testing.T) {
	t.Parallel()
	backend := &lockstrategy.Backend{Driver: memory.New(), Now: time.Now}
	base, err := lockstrategy.LoadBase(t.Context(), &lockstrategy.Request{Backend: backend}, "the key", nil)
	if err != nil {
		t.Fatal(err)
	}
	if record, found := base.Record(); found || record.Key != "the key" {
		t.Errorf("found %v, key %q", found, record.Key)
	}
}
