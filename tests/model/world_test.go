package model_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// world is one run: processes, sessions and requests.
type world struct {
	kind  kind
	rt    *rapid.T
	ctx   context.Context
	place *place
	leaks *leaks

	// How this run is.

	secrets [][]byte
	faulty  bool // the wires fail
	skewed  bool // clocks are wrong by up to an hour; then sessions live for long
	adds    bool // values are merged by the policy add

	clients  []*client // that are alive
	sessions []*session
	requests []*request
	ended    []*operation     // and not yet judged; guarded by place.mu
	seen     []storage.Record // by the collector
	cutoff   time.Time        // when it has read them, by its clock
	names    map[string]int
}

// newWorld draws how a run is.
func newWorld(rt *rapid.T, k kind) *world {
	w := &world{kind: k, rt: rt, ctx: rt.Context(), leaks: &leaks{}, names: map[string]int{}}
	w.skewed = rapid.Bool().Draw(rt, "skewed")
	w.faulty = rapid.IntRange(0, 3).Draw(rt, "faulty") > 0
	w.adds = k.strategy != "merge" || rapid.Bool().Draw(rt, "adds")
	generations := rapid.IntRange(0, 2).Draw(rt, "secrets")
	for i := range generations {
		w.secrets = append(w.secrets, storetest.Secret(byte(100*i+1)))
		w.leaks.keep(string(w.secrets[i]))
	}
	w.place = newPlace(k, func(driver *memory.Driver) *sessionstore.Store { return w.plainStore(driver, w.secrets) })
	w.place.moves = generations > 1
	for range rapid.IntRange(2, 4).Draw(rt, "processes") {
		w.startClient()
	}
	for range rapid.IntRange(1, 3).Draw(rt, "sessions") {
		w.seed(w.newSession())
	}
	w.leaks.keep(confidential)
	return w
}

// confidential is in all values.
const confidential = "confidential"

// plainStore returns a store that does what it is told, past all wires.
func (w *world) plainStore(driver storage.Driver, secrets [][]byte) *sessionstore.Store {
	store, err := sessionstore.New(driver,
		append(secretOptions(secrets), sessionstore.WithStrategy(lockstrategy.None()))...)
	if err != nil {
		w.rt.Fatal(err)
	}
	return store
}

// startClient starts a process.
func (w *world) startClient() {
	t := timing{
		duration: milliseconds(w.rt, "lease", 100, 300, 1000, 5000),
		maxWait:  milliseconds(w.rt, "wait", 20, 500, 3000, 10_000),
		renews:   rapid.IntRange(0, 3).Draw(w.rt, "renews") > 0,
	}
	var skew time.Duration
	if w.skewed {
		skew = time.Duration(rapid.IntRange(-3600, 3600).Draw(w.rt, "skew")) * time.Second
	}
	c := newClient(w.nameOf("process"), w.place, w.secrets, t, skew, w.adds, w.leaks)
	w.note("%v: %v, clock off by %v", c, t, skew)
	w.clients = append(w.clients, c)
}

// newSession makes up a session that is not stored yet.
func (w *world) newSession() *session {
	s := newSession(w.nameOf("session"), "token-"+storage.NewVersion())
	w.sessions = append(w.sessions, s)
	w.place.mu.Lock()
	defer w.place.mu.Unlock()
	w.register(s)
	return s
}

// register makes the keys of a session known. place.mu is held.
func (w *world) register(s *session) {
	w.leaks.keep(s.token)
	for i := range max(len(w.secrets), 1) {
		var generation [][]byte
		if len(w.secrets) > 0 {
			generation = w.secrets[i : i+1]
		}
		w.place.sessions[w.plainStore(w.place.driver, generation).StorageKey(s.token)] = s
	}
}

// seed stores a session, under the oldest secret.
func (w *world) seed(s *session) {
	oldest := w.secrets
	if len(oldest) > 0 {
		oldest = oldest[len(oldest)-1:]
	}
	store := w.plainStore(w.place.driver, oldest)
	st := state{exists: true, values: values{"seed": confidential}, expiresAt: w.newExpiry()}
	if err := store.Commit(s.token, encode(st.values), st.expiresAt); err != nil {
		w.rt.Fatal(err)
	}
	record, _, err := w.place.get(store.StorageKey(s.token))
	if err != nil {
		w.rt.Fatal(err)
	}
	st.version = record.Version
	s.known = true
	s.enter(st)
	s.asked = append(s.asked, st.expiresAt)
}

// newExpiry draws when a session ends that is committed now.
func (w *world) newExpiry() time.Time {
	if w.skewed {
		return time.Now().Add(72*time.Hour + time.Duration(w.count("expiry"))*time.Millisecond)
	}
	lifetime := milliseconds(w.rt, "lifetime", 500, 20_000, 600_000, 3_600_000)
	return time.Now().Add(lifetime + time.Duration(w.count("expiry"))) // no two at the same instant
}

// milliseconds draws one of so many.
func milliseconds(rt *rapid.T, what string, of ...int) time.Duration {
	return time.Duration(rapid.SampledFrom(of).Draw(rt, what)) * time.Millisecond
}

func (w *world) count(what string) int {
	w.names[what]++
	return w.names[what]
}

func (w *world) nameOf(what string) string { return fmt.Sprintf("%s %d", what, w.count(what)) }

func (w *world) note(format string, args ...any) {
	w.place.mu.Lock()
	defer w.place.mu.Unlock()
	w.place.notef(format, args...)
}

// check lets everything happen that needs no time, and then looks whether all is as it should be.
func (w *world) check(rt *rapid.T) {
	w.rt = rt
	synctest.Wait()
	w.reap()
	w.compare()
	w.fail()
}

// compare looks at what is stored.
func (w *world) compare() {
	p := w.place
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range w.sessions {
		want := s.now()
		got, found := p.observe(s)
		if found != want.live(time.Now()) || found && !maps.Equal(got, want.values) {
			p.violatedf("I4: %v: found=%v %s\n\tit should be found=%v %s", s, found, show(got), want.live(time.Now()),
				show(want.values))
		}
	}
	for _, r := range w.requests {
		//nolint:errorlint // The cause itself.
		if r.client.alive() && p.calm && r.client.timing.renews && time.Since(r.began) < time.Minute &&
			context.Cause(r.ctx) == lockstrategy.ErrLockLost {
			p.violatedf("I6: %v has lost a lock that was renewed in time", r)
		}
	}
	for _, leak := range w.leaks.found() {
		p.violatedf("I9: something was told that must not be: %s", leak)
	}
}

// fail ends the run if something is wrong.
func (w *world) fail() {
	p := w.place
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.violations) > 0 {
		w.rt.Fatalf("%s\n\nwhat happened, with %d secrets, clocks wrong %v, policy add %v:\n%s",
			strings.Join(p.violations, "\n"), len(w.secrets), w.skewed, w.adds, strings.Join(p.trace, "\n"))
	}
}

// crash lets a process die.
func (w *world) crash(c *client) {
	w.note("%v dies", c)
	close(c.wire.dead)
	w.clients = without(w.clients, c)
}

func without(clients []*client, gone *client) (left []*client) {
	for _, c := range clients {
		if c != gone {
			left = append(left, c)
		}
	}
	return left
}

// tearDown ends everything, so that no goroutine is left.
func (w *world) tearDown() {
	for _, c := range w.clients {
		w.crash(c)
	}
	for _, r := range w.requests {
		r.cancel()
	}
	synctest.Wait()
	for _, r := range w.requests {
		r.end()
	}
	time.Sleep(time.Minute) // for what goes on after the end of a request, such as giving back its lease
	synctest.Wait()
}
