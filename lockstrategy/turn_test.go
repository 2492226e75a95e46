package lockstrategy_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
)

func TestTurnsAreFirstComeFirstServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := lockstrategy.NewTurns(0)
		first, got, waited, err := turns.Take(t.Context(), key)
		if got != "" || waited || err != nil {
			t.Fatalf("the first: %q, waited %v, %v", got, waited, err)
		}
		var order []int
		var done sync.WaitGroup
		for i := range 5 {
			done.Go(func() {
				turn, got, waited, err := turns.Take(t.Context(), key)
				if want := fmt.Sprint("from ", i-1); got != want || !waited || err != nil {
					t.Errorf("%d got %q, waited %v, %v; want %q", i, got, waited, err, want)
				}
				order = append(order, i) // one at a time
				turn.Give(fmt.Sprint("from ", i))
			})
			synctest.Wait()
		}
		first.Give("from -1")
		done.Wait()
		if fmt.Sprint(order) != "[0 1 2 3 4]" || turns.Size() != 0 {
			t.Errorf("the order is %v, and %d lines are left", order, turns.Size())
		}
	})
}

// Each session has a turn of its own, and a lock of its own.
func TestTurnsOfOtherSessions(t *testing.T) {
	t.Parallel()
	turns := lockstrategy.NewTurns(1)
	one, _, _, err := turns.Take(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	one.Locked(func() { // as by a crowd at that session
		other, _, waited, err := turns.Take(t.Context(), "other")
		if waited || err != nil {
			t.Errorf("waited %v, %v", waited, err)
		}
		other.Give("")
	})
	one.Give("")
	if n := turns.Size(); n != 0 {
		t.Errorf("%d lines are left", n)
	}
}

func TestTurnsAreLimited(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			turns := lockstrategy.NewTurns(limit)
			holder, _, _, _ := turns.Take(t.Context(), key)
			ctx, cancel := context.WithCancel(t.Context())
			var done sync.WaitGroup
			for range limit {
				done.Go(func() {
					if _, _, _, err := turns.Take(ctx, key); !errors.Is(err, context.Canceled) {
						t.Errorf("a request that has given up: %v", err)
					}
				})
			}
			synctest.Wait()
			if _, _, waited, err := turns.Take(ctx, key); !errors.Is(err, lockstrategy.ErrTooMany) || waited {
				t.Errorf("one more than %d: waited %v, %v", limit, waited, err)
			}
			cancel()
			done.Wait()
			done.Go(func() { // there is room again
				turn, _, _, err := turns.Take(t.Context(), key)
				if err != nil {
					t.Error(err)
				}
				turn.Give("")
			})
			synctest.Wait()
			holder.Give("")
			done.Wait()
			if n := turns.Size(); n != 0 {
				t.Errorf("%d lines are left", n)
			}
		})
	}
}

// A request that gives up while it gets the turn keeps it, so that none is lost.
func TestTurnAtTheMomentOfGivingUp(t *testing.T) {
	t.Parallel()
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			turns := lockstrategy.NewTurns(0)
			holder, _, _, _ := turns.Take(t.Context(), key)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var done sync.WaitGroup
			done.Go(func() {
				if turn, _, _, err := turns.Take(ctx, key); err == nil {
					turn.Give("")
				}
			})
			time.Sleep(time.Second)
			holder.Give("")
			done.Wait()
			if n := turns.Size(); n != 0 {
				t.Errorf("%d lines are left: the turn is lost", n)
			}
		})
	}
}

// A free turn is there also for a request whose context has ended: what it does with it fails by itself.
func TestFreeTurnOfACancelledRequest(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		turn, _, _, err := lockstrategy.NewTurns(0).Take(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		turn.Give("")
	}
}

// What is left to nobody is there for the next one, as long as somebody keeps the line.
func TestTurnLeavesSomething(t *testing.T) {
	t.Parallel()
	turns := lockstrategy.NewTurns(0)
	kept := turns.Join(key)
	if kept.TryGive("nobody waits") {
		t.Error("the turn was given to nobody")
	}
	for _, want := range []string{"", "something", ""} {
		got, waited, err := kept.Take(t.Context())
		if got != want || waited || err != nil {
			t.Errorf("got %q, waited %v, %v; want %q", got, waited, err, want)
		}
		leave := ""
		if want == "" {
			leave = "something"
		}
		kept.Give(leave)
	}
	kept.Part()
	if n := turns.Size(); n != 0 {
		t.Errorf("%d lines are left", n)
	}
	turn, got, _, _ := turns.Take(t.Context(), key)
	if got != "" {
		t.Errorf("got %q from a line that had ended", got)
	}
	turn.Give("")
}

// Those who have come before an instant are answered; the others still wait.
func TestDismiss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := lockstrategy.NewTurns(0)
		holder, _, _, _ := turns.Take(t.Context(), key)
		var done sync.WaitGroup
		var answers [3]string
		var instants [3]time.Time
		for i := range 3 {
			time.Sleep(time.Second)
			instants[i] = time.Now()
			done.Go(func() {
				turn, got, _, err := turns.Take(t.Context(), key)
				if err != nil {
					t.Error(err)
				}
				answers[i] = got
				if got == "the turn" {
					turn.Give("the turn")
				}
			})
			synctest.Wait()
		}
		holder.Dismiss(instants[1], "dismissed") // not the one who came at that moment
		synctest.Wait()
		if n := holder.Waiting(); n != 2 {
			t.Errorf("%d wait after a dismissal; want 2", n)
		}
		holder.Give("the turn")
		done.Wait()
		if want := [3]string{"dismissed", "the turn", "the turn"}; answers != want {
			t.Errorf("answers: %q; want %q", answers, want)
		}
	})
}

// Lines come and go while others look for them: one request has the turn, and none is forgotten.
func TestTurnsUnderLoad(t *testing.T) {
	t.Parallel()
	turns := lockstrategy.NewTurns(0)
	var done sync.WaitGroup
	var inside [3]atomic.Int32
	var served atomic.Int32
	for i := range 8 {
		done.Go(func() {
			for n := range 500 {
				ctx, cancel := context.WithCancel(t.Context())
				if n%3 == 0 {
					cancel()
				}
				which := (i + n) % len(inside)
				turn, _, _, err := turns.Take(ctx, fmt.Sprint(which))
				cancel()
				if err != nil {
					continue
				}
				if inside[which].Add(1) != 1 {
					t.Error("two have the turn")
				}
				served.Add(1)
				inside[which].Add(-1)
				turn.Give("")
			}
		})
	}
	done.Wait()
	if n := turns.Size(); n != 0 || served.Load() < 8*300 {
		t.Errorf("%d lines are left, %d were served", n, served.Load())
	}
}

// A crowd that leaves one session is in no other's way.
func TestCrowdLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const crowd = 30_000
		turns := lockstrategy.NewTurns(crowd)
		holder, _, _, _ := turns.Take(t.Context(), "attacked")
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		for range crowd {
			done.Go(func() {
				if _, _, _, err := turns.Take(ctx, "attacked"); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if _, _, _, err := turns.Take(t.Context(), "attacked"); !errors.Is(err, lockstrategy.ErrTooMany) {
			t.Errorf("one more: %v", err)
		}
		cancel()
		for leaving := true; leaving; {
			turn, _, waited, err := turns.Take(t.Context(), "other")
			if waited || err != nil {
				t.Fatalf("another session: waited %v, %v", waited, err)
			}
			leaving = holder.Waiting() > 0
			turn.Give("")
		}
		done.Wait()
		holder.Give("")
		if n := turns.Size(); n != 0 {
			t.Errorf("%d lines are left", n)
		}
	})
}
