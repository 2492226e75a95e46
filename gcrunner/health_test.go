package gcrunner_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// What has gone wrong is found out when it is asked for: the process stays alive, and is not ready.
func TestRunnerHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		driver := &replica{between: newBetween()}
		driver.before = func(string, string) error {
			if broken.Load() {
				return errBroken
			}
			return nil
		}
		runner := newRunner(t, newCollector(t, driver), gcrunner.Schedule{Interval: time.Hour})
		healthy := func(when string, ready bool) {
			t.Helper()
			synctest.Wait()
			err := runner.Ready(t.Context())
			if (err == nil) != ready || err != nil && !unready(err) {
				t.Errorf("%s: ready: %v; want %v", when, err, ready)
			}
			if err := runner.Alive(); err != nil {
				t.Errorf("%s: alive: %v", when, err)
			}
		}
		healthy("before it has begun", false)
		end := goRun(t, runner)
		healthy("after the first run", true)

		time.Sleep(90 * time.Minute) // 90: the last success was at 60
		broken.Store(true)
		healthy("before a run has failed", true)
		time.Sleep(149*time.Minute + 30*time.Second) // 239.5
		healthy("half a minute less than three intervals after the last success", true)
		time.Sleep(time.Minute)
		healthy("three intervals and half a minute after it", false)
		if err := runner.Ready(t.Context()); !errors.Is(err, errBroken) {
			t.Errorf("it does not say why: %v", err)
		}
		broken.Store(false)
		time.Sleep(5 * time.Minute) // there is a new attempt within that
		healthy("after a success", true)

		driver.dead.Store(true)
		time.Sleep(6 * time.Second) // the answer before is that old by then
		healthy("without the table", false)
		driver.dead.Store(false)
		time.Sleep(6 * time.Second)
		healthy("with it", true)
		end()
		healthy("after its end", false)
	})
}

// A run that takes longer than ten intervals is ready as long as it comes further, and counts while it goes: within a
// page, and also the first one. One that does not come further is not ready, and alive.
func TestRunnerHealthDuringALongRun(t *testing.T) {
	t.Parallel()
	for name, failed := range map[string]bool{"the first run": false, "after a failure": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				driver := newBetween()
				driver.writeUnits = 1
				fill(t, driver, 3000, 1)
				stuck, broken := make(chan struct{}), failed
				var hang atomic.Bool
				driver.before = func(operation, _ string) error {
					if broken {
						broken = false
						return errBroken
					}
					if operation == "Delete" && hang.Load() {
						<-stuck
					}
					return nil
				}
				collector := newCollector(t, driver, gcrunner.CollectorOptions{Budget: gcrunner.Budget{WriteUnits: 1}})
				runner := newRunner(t, collector, gcrunner.Schedule{Interval: 2 * time.Second})
				defer goRun(t, runner)()
				defer close(stuck)
				time.Sleep(4 * time.Second)
				deleted := 0
				for range 100 {
					time.Sleep(3 * time.Second)
					synctest.Wait()
					if err := runner.Ready(t.Context()); err != nil {
						t.Fatalf("a run that goes on deleting is not ready: %v", err)
					}
					s := runner.Status()
					if n := s.Totals.Deleted.Expired; n < deleted+2 {
						t.Fatalf("3 seconds after %d, %d are deleted", deleted, n)
					}
					deleted = s.Totals.Deleted.Expired
					if s.Current == nil || s.Current.WriteUnits < float64(deleted) || s.LastProgress.IsZero() {
						t.Fatalf("the present run: %+v", s.Current)
					}
				}
				hang.Store(true)
				time.Sleep(time.Minute)
				if err := runner.Ready(t.Context()); !unready(err) {
					t.Errorf("a run that hangs is ready: %v", err)
				}
				if err := runner.Alive(); err != nil {
					t.Errorf("it is not alive: %v", err)
				}
			})
		})
	}
}

// Where nothing can be deleted, reading alone does not make a process ready, and neither does one page that had nothing
// to delete.
func TestRunnerNotReadyWithoutDeletes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		fill(t, driver, 100, 10)
		driver.before = func(operation, _ string) error {
			if operation == "Delete" {
				return errBroken
			}
			return nil
		}
		runner := newRunner(t, newCollector(t, driver, gcrunner.CollectorOptions{PageSize: 5}),
			gcrunner.Schedule{Interval: time.Second})
		defer goRun(t, runner)()
		for range 20 {
			time.Sleep(time.Second)
			synctest.Wait()
			if err := runner.Ready(t.Context()); !errors.Is(err, errBroken) {
				t.Fatalf("ready: %v", err)
			}
		}
	})
}

// A process that has never collected is not ready as soon as it has failed to, or a rollout would go on.
func TestRunnerNotReadyBeforeTheFirstSuccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		driver.before = func(string, string) error { return errBroken }
		runner := newRunner(t, newCollector(t, driver), gcrunner.Schedule{Interval: time.Hour})
		defer goRun(t, runner)()
		synctest.Wait()
		if err := runner.Ready(t.Context()); !errors.Is(err, errBroken) || !unready(err) {
			t.Errorf("ready: %v", err)
		}
	})
}

// Many who ask at once cause one call, and one that hangs does not make them wait for long.
func TestRunnerAsksTheTableSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := &slowReads{Driver: memory.New()}
		runner := newRunner(t, newCollector(t, driver), gcrunner.Schedule{Interval: time.Hour})
		defer goRun(t, runner)()
		synctest.Wait()
		answers := make(chan error)
		for range 100 {
			go func() { answers <- runner.Ready(t.Context()) }()
		}
		for range 100 {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		if n := driver.gets.Load(); n != 1 {
			t.Errorf("%d calls for 100 questions; want 1", n)
		}
		driver.hang.Store(true)
		time.Sleep(6 * time.Second)
		asked := time.Now()
		if err := runner.Ready(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ready: %v", err)
		}
		if took := time.Since(asked); took != 2*time.Second {
			t.Errorf("the answer took %v; want 2s", took)
		}
	})
}

// slowReads counts reads, which may hang.
type slowReads struct {
	*memory.Driver
	gets atomic.Int32
	hang atomic.Bool
}

func (d *slowReads) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	d.gets.Add(1)
	if d.hang.Load() {
		<-ctx.Done()
		return storage.Record{}, false, ctx.Err()
	}
	return d.Driver.Get(ctx, key, c)
}

// A run that goes on beyond its limit is stuck: the process should be started anew.
func TestRunnerNotAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		stuck := make(chan struct{})
		driver.before = func(string, string) error {
			<-stuck
			return nil
		}
		runner := newRunner(t, newCollector(t, driver,
			gcrunner.CollectorOptions{Limits: gcrunner.Limits{Duration: time.Minute}}),
			gcrunner.Schedule{Interval: time.Hour})
		defer goRun(t, runner)()
		defer close(stuck)
		time.Sleep(2 * time.Minute)
		if err := runner.Alive(); err != nil {
			t.Errorf("alive within the grace: %v", err)
		}
		time.Sleep(time.Minute)
		if err := runner.Alive(); err == nil || !strings.Contains(err.Error(), "not alive") {
			t.Errorf("alive: %v", err)
		}
	})
}

// One that cannot find out who is elected is not ready, asks again ever more slowly, and goes on by itself.
func TestRunnerWithoutAnAnswerToTheElection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newBetween(), 15*time.Second, time.Hour)
		r.dead.Store(true)
		defer goRun(t, r.runner)()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		s := r.runner.Status()
		// Pauses of half a second, doubling to half a minute, are the shortest.
		if s.Elected || s.Phase != "standby" || !errors.Is(s.Err, storage.ErrUnavailable) || s.Failures < 5 ||
			s.Failures > 7+20 {
			t.Errorf("after ten minutes: %s, elected: %v, %d failures, %v", s.Phase, s.Elected, s.Failures, s.Err)
		}
		if err := r.runner.Ready(t.Context()); !unready(err) {
			t.Errorf("ready: %v", err)
		}
		r.dead.Store(false)
		time.Sleep(12 * time.Minute) // the longest pause, and the jitter
		synctest.Wait()
		if s := r.runner.Status(); !s.Elected || s.Failures != 0 || s.LastSuccess.IsZero() {
			t.Errorf("then: %s, elected: %v, %d failures, last success %v", s.Phase, s.Elected, s.Failures, s.LastSuccess)
		}
	})
}

// One that has lost the right to be elected collects no more, and says so, although it can read the table. It asks
// again within a minute, however long that takes.
func TestRunnerThatCannotBeElectedAnyMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := &unelectable{between: newBetween()}
		election, err := gcrunner.NewElection(driver, 15*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		runner := newRunner(t, newCollector(t, driver, gcrunner.CollectorOptions{Election: election}),
			gcrunner.Schedule{Interval: time.Hour})
		defer goRun(t, runner)()
		synctest.Wait()
		if err := runner.Ready(t.Context()); err != nil || !runner.Status().Elected {
			t.Fatalf("with the right: ready: %v, elected: %v", err, runner.Status().Elected)
		}
		driver.denied.Store(true)
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		if err := runner.Ready(t.Context()); !unready(err) || !errors.Is(err, errBroken) {
			t.Errorf("without the right: ready: %v", err)
		}
		if err := runner.Alive(); err != nil {
			t.Errorf("without the right: alive: %v", err)
		}
		driver.denied.Store(false)
		time.Sleep(time.Minute + 15*time.Second) // it asks again, and then sees that nobody renews the lease of before
		synctest.Wait()
		if err := runner.Ready(t.Context()); err != nil || !runner.Status().Elected {
			t.Errorf("a minute after the right is back: ready: %v, elected: %v", err, runner.Status().Elected)
		}
	})
}

// unelectable is a driver that can deny leases.
type unelectable struct {
	*between
	denied atomic.Bool
}

func (d *unelectable) Update(ctx context.Context, key string, change storage.Change,
	condition storage.Condition,
) error {
	if d.denied.Load() {
		return errBroken
	}
	return d.between.Update(ctx, key, change, condition)
}

func (d *unelectable) Acquire(
	ctx context.Context, key string, lease storage.Lease, condition storage.Condition,
) (storage.Record, error) {
	if d.denied.Load() {
		return storage.Record{}, errBroken
	}
	return d.between.Acquire(ctx, key, lease, condition)
}
