package conformance_test

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// clock is one that tests set. It stands still, or goes on from where it was set.
type clock struct {
	stands bool

	mu    sync.Mutex
	at    time.Time
	since time.Time
	sets  []time.Time
	ahead int // How often it was set to what the machine's did not show yet.
}

func newClock(stands bool) *clock {
	now := time.Now()
	return &clock{stands: stands, at: now.Round(0), since: now}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stands {
		return c.at
	}
	return c.at.Add(time.Since(c.since))
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.since = at, time.Now()
	c.sets = append(c.sets, at)
	if at.After(time.Now()) {
		c.ahead++
	}
}

// clockedStore is a store whose expiries are judged by a clock of its own.
type clockedStore struct {
	scs.CtxStore
	clock *clock
	late  time.Duration // By how much a broken one lets sessions live on.
}

func newClockedStore(t *testing.T, stands bool, late time.Duration) scs.Store {
	t.Helper()
	c := newClock(stands)
	store, err := sessionstore.New(memory.New(), sessionstore.WithClock(func() time.Time { return c.now().Add(-late) }),
		sessionstore.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	return &clockedStore{store, c, late}
}

func setClock(_ *testing.T, store scs.Store, now time.Time) { store.(*clockedStore).clock.set(now) }

// expiryIDs are the cases that wait for an expiry.
var expiryIDs = []string{"E01", "E03", "E07", "E08", "E09", "E15", "E18", "E20", "E21"}

// TestClock shows that a store with a clock of its own passes, whether that goes on or stands still.
func TestClock(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for _, stands := range []bool{false, true} {
		for _, id := range append([]string{"E02", "S03", "S04"}, expiryIDs...) {
			wg.Go(func() {
				var store *clockedStore
				failures, skipped := conformance.Examine(t, id, func(t *testing.T) scs.Store {
					store = newClockedStore(t, stands, 0).(*clockedStore)
					return store
				}, conformance.WithClock(setClock))
				if id[0] == 'S' && store.clock.ahead > 0 {
					t.Errorf("%s sets the clock ahead of the one by which scs sets expiries", id)
				}
				if len(failures) > 0 || skipped != "" && id != "S03" { // S03 is left out on a slow machine.
					t.Errorf("%s, the clock stands: %t: skipped: %q, failures: %q", id, stands, skipped, failures)
				}
			})
		}
	}
	wg.Wait()
}

// TestClockSavesWaiting shows that no time needs to pass for an expiry: the store is asked after it, with a clock that
// is ahead of the machine's.
func TestClockSavesWaiting(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"E01", "E07", "E08"} {
		var store *clockedStore
		failures, _ := conformance.Examine(t, id, func(t *testing.T) scs.Store {
			store = newClockedStore(t, true, 0).(*clockedStore)
			return store
		}, conformance.WithClock(setClock), conformance.WithExpiryResolution(2*time.Second))
		if len(failures) > 0 {
			t.Errorf("%s: failures: %q", id, failures)
		}
		if len(store.clock.sets) == 0 || !store.clock.now().After(time.Now()) {
			t.Errorf("%s waited for what setting the clock would have done", id)
		}
	}
}

// TestClockThatIsAhead shows that a session is not expected to live by the machine's clock where the store's is ahead
// of it.
func TestClockThatIsAhead(t *testing.T) {
	t.Parallel()
	now := time.Now()
	if !conformance.MustLive(now, now.Add(time.Minute)) || conformance.MustLive(now.Add(time.Hour), now.Add(time.Minute)) {
		t.Error("a session must live that has expired by the store's clock, or one that has not need not")
	}
}

// TestClockFindsLateExpiry shows that moving the clock does not hide a session that lives on.
func TestClockFindsLateExpiry(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"E01", "E03", "E08", "E21"} {
		failures, _ := conformance.Examine(t, id,
			func(t *testing.T) scs.Store { return newClockedStore(t, true, time.Minute) },
			conformance.WithClock(setClock))
		if len(failures) == 0 {
			t.Errorf("%s does not see a session that lives a minute too long", id)
		}
	}
}

// TestClockFindsEarlyExpiry shows that a store which ends sessions early is seen as well.
func TestClockFindsEarlyExpiry(t *testing.T) {
	t.Parallel()
	failures, _ := conformance.Examine(t, "E02",
		func(t *testing.T) scs.Store { return newClockedStore(t, false, -500*time.Millisecond) },
		conformance.WithClock(setClock))
	if len(failures) == 0 {
		t.Error("E02 does not see a session that ends half a second too soon")
	}
}
