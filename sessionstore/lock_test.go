package sessionstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// app is a session manager over a store.
type app struct {
	t        *testing.T
	store    *sessionstore.Store
	sessions *scs.SessionManager
	events   *events
}

func newApp(t *testing.T, driver storage.Driver, options ...sessionstore.Option) *app {
	seen := &events{}
	store := newStore(t, driver, append(options, sessionstore.WithObserver(seen.add))...)
	return &app{t: t, store: store, sessions: storetest.NewManager(store), events: seen}
}

// start stores a session with some values.
func (a *app) start(token string, values map[string]any) {
	a.t.Helper()
	data, err := a.sessions.Codec.Encode(inAnHour(), values)
	if err != nil {
		a.t.Fatal(err)
	}
	commit(a.t, a.store, token, string(data))
}

// send sends a request with the token as its cookie, and returns the status.
func (a *app) send(method, token string, handler http.HandlerFunc) int {
	r := httptest.NewRequestWithContext(context.WithoutCancel(a.t.Context()), method, "/", nil)
	r.AddCookie(&http.Cookie{Name: a.sessions.Cookie.Name, Value: token})
	w := httptest.NewRecorder()
	a.store.LoadAndSave(a.sessions)(handler).ServeHTTP(w, r)
	return w.Code
}

// values returns what is stored.
func (a *app) values(token string) map[string]any {
	a.t.Helper()
	data, found, err := a.store.FindCtx(context.WithoutCancel(a.t.Context()), token)
	if err != nil {
		a.t.Fatal(err)
	}
	if !found {
		return nil
	}
	_, values, err := a.sessions.Codec.Decode(data)
	if err != nil {
		a.t.Fatal(err)
	}
	return values
}

// events remembers what an observer was told.
type events struct {
	mu  sync.Mutex
	all []sessionstore.Event
}

func (e *events) add(_ context.Context, event sessionstore.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

// take returns the calls of the operations since the last take.
func (e *events) take() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	calls := map[string]int{}
	for _, event := range e.all {
		calls[event.Operation] += event.Usage.Calls
	}
	e.all = nil
	return calls
}

func put(sessions *scs.SessionManager, key string) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) { sessions.Put(r.Context(), key, true) }
}

func nothing(http.ResponseWriter, *http.Request) {}

type calls = map[string]int

const (
	find    = "find"
	save    = "commit"
	release = "release"
)

// What a request alone costs, with each strategy.
func TestCallsOfARequest(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		strategy                                  lockstrategy.Strategy
		modified, same, unmodified, read, touched calls
	}{
		"none": {
			lockstrategy.None(),
			calls{find: 1, save: 1},
			calls{find: 1, save: 1},
			calls{find: 1},
			calls{find: 1},
			calls{find: 1, save: 0},
		},
		"optimistic": {
			lockstrategy.Optimistic(),
			calls{find: 1, save: 1},
			calls{find: 1, save: 1},
			calls{find: 1},
			calls{find: 1},
			calls{find: 1, save: 0},
		},
		"merge": {
			lockstrategy.Merge(nil),
			calls{find: 1, save: 1},
			calls{find: 1, save: 1},
			calls{find: 1},
			calls{find: 1},
			calls{find: 1, save: 0},
		},
		"lease": {
			lockstrategy.Lease(lockstrategy.LeaseOptions{}),
			calls{find: 1, save: 1},
			calls{find: 1, save: 1, release: 1},
			calls{find: 1, release: 1},
			calls{find: 1},
			calls{find: 1, save: 0, release: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, nil, sessionstore.WithStrategy(test.strategy), sessionstore.WithReadOnly(sessionstore.SafeMethods))
			a.start("token", map[string]any{"n": 1})
			check := func(what, method string, handler http.HandlerFunc, want calls) {
				t.Helper()
				a.events.take()
				if status := a.send(method, "token", handler); status != http.StatusOK {
					t.Errorf("%s: status %d", what, status)
				}
				if got := a.events.take(); !maps.Equal(got, want) {
					t.Errorf("%s: calls %v; want %v", what, got, want)
				}
			}
			first := maps.Clone(test.unmodified)
			if name == "lease" { // it looks whether there is such a session, which this process does not know
				first[find]++
			}
			check("the first", http.MethodPost, nothing, first)
			check("modified", http.MethodPost, put(a.sessions, "a"), test.modified)
			check("put the same", http.MethodPost, put(a.sessions, "a"), test.same)
			check("unmodified", http.MethodPost, nothing, test.unmodified)
			check("read-only", http.MethodGet, nothing, test.read)
			a.sessions.IdleTimeout = 2 * time.Hour // longer than the session has left: the expiry stays
			check("idle timeout", http.MethodPost, nothing, test.touched)
		})
	}
}

func TestTouchInterval(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options []sessionstore.Option
		idle    time.Duration
		// written is by how long after the last time the expiry is written again, saved by how long not.
		written, saved time.Duration
	}{
		"a tenth of the idle timeout": {nil, 5 * time.Minute, 30 * time.Second, 30*time.Second - 1},
		"at most a minute":            {nil, time.Hour, time.Minute, time.Minute - 1},
		"given": {
			[]sessionstore.Option{sessionstore.WithTouchInterval(10 * time.Minute)},
			time.Hour, 10 * time.Minute,
			10*time.Minute - 1,
		},
		"none": {[]sessionstore.Option{sessionstore.WithTouchInterval(0)}, time.Hour, 1, 0},
	} {
		for strategyName, strategy := range map[string]lockstrategy.Strategy{
			"optimistic": lockstrategy.Optimistic(), "merge": lockstrategy.Merge(nil),
			"lease": lockstrategy.Lease(lockstrategy.LeaseOptions{}),
		} {
			t.Run(name+"/"+strategyName, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					driver := memory.New()
					a := newApp(t, driver, append(test.options, sessionstore.WithStrategy(strategy))...)
					a.sessions.IdleTimeout = test.idle
					a.sessions.Lifetime = 24 * time.Hour
					data, err := a.sessions.Codec.Encode(time.Now().Add(24*time.Hour), map[string]any{"n": 1})
					if err != nil {
						t.Fatal(err)
					}
					if err := a.store.CommitCtx(t.Context(), "token", data, time.Now().Add(test.idle)); err != nil {
						t.Fatal(err)
					}
					visit := func() time.Time {
						a.send(http.MethodPost, "token", nothing)
						return records(t, driver)[0].ExpiresAt
					}
					before := records(t, driver)[0].ExpiresAt
					time.Sleep(test.saved)
					if after := visit(); !after.Equal(before) {
						t.Errorf("after %v the expiry moved by %v", test.saved, after.Sub(before))
					}
					time.Sleep(test.written - test.saved)
					if after := visit(); after.Sub(before) != test.written {
						t.Errorf("after %v the expiry moved by %v", test.written, after.Sub(before))
					}
				})
			})
		}
	}
	if _, err := sessionstore.New(memory.New(), sessionstore.WithTouchInterval(-1)); err == nil {
		t.Error("a negative interval was accepted")
	}
}

func TestReadOnlyRequestsDoNotWait(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(a *app, handler http.HandlerFunc) int{
		"by predicate": func(a *app, handler http.HandlerFunc) int { return a.send(http.MethodGet, "token", handler) },
		"by context": func(a *app, handler http.HandlerFunc) int {
			r := httptest.NewRequestWithContext(sessionstore.ReadOnly(a.t.Context()), http.MethodPost, "/", nil)
			r.AddCookie(&http.Cookie{Name: a.sessions.Cookie.Name, Value: "token"})
			w := httptest.NewRecorder()
			a.store.LoadAndSave(a.sessions)(handler).ServeHTTP(w, r)
			return w.Code
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, nil, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{})),
				sessionstore.WithReadOnly(sessionstore.SafeMethods))
			a.start("token", map[string]any{})
			status := a.send(http.MethodPost, "token", func(w http.ResponseWriter, r *http.Request) {
				if status := send(a, nothing); status != http.StatusOK { // while this one has the session
					t.Errorf("the request that only reads: status %d", status)
				}
				put(a.sessions, "holder")(w, r)
			})
			if status != http.StatusOK {
				t.Errorf("the holder: status %d", status)
			}
			// It may commit all the same, but not over what it has not seen.
			if status := send(a, put(a.sessions, "reader")); status != http.StatusOK {
				t.Errorf("a commit of a reader: status %d", status)
			}
			status = send(a, func(w http.ResponseWriter, r *http.Request) {
				a.send(http.MethodPost, "token", put(a.sessions, "faster"))
				put(a.sessions, "late")(w, r)
			})
			want := map[string]any{"holder": true, "reader": true, "faster": true}
			if values := a.values("token"); status != http.StatusConflict || !maps.Equal(values, want) {
				t.Errorf("a late commit of a reader: status %d, values %v", status, values)
			}
		})
	}
	if _, err := sessionstore.New(memory.New(), sessionstore.WithReadOnly(nil)); err == nil {
		t.Error("a missing predicate was accepted")
	}
}

// Two requests that merge each other's sessions must not wait for each other. That there is another manager around the
// handler, whose session is not there, changes nothing.
func TestMergedSessionIsNotLocked(t *testing.T) {
	t.Parallel()
	second := newManager("second")
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t, nil, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{})))
		second.Store = a.store
		a.start("one", map[string]any{"one": 1})
		a.start("two", map[string]any{"two": 2})
		began := time.Now()
		var both, done sync.WaitGroup
		both.Add(2)
		merge := func(token, other string) {
			handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				both.Done()
				both.Wait()
				if err := a.sessions.MergeSession(r.Context(), other); err != nil {
					t.Error(err)
				}
			})
			a.send(http.MethodPost, token, a.store.LoadAndSave(second)(handler).ServeHTTP)
		}
		done.Go(func() { merge("one", "two") })
		done.Go(func() { merge("two", "one") })
		done.Wait()
		if waited := time.Since(began); waited > 0 {
			t.Errorf("they waited %v for each other", waited)
		}
	})
}

// In a scope that is opened by hand, the first session is locked.
func TestFirstSessionOfAScopeIsLocked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t, nil, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: time.Second})))
		a.start("one", map[string]any{})
		a.start("two", map[string]any{})
		r := begin(t, a.store, "one")
		if _, _, err := a.store.FindCtx(r.ctx, "two"); err != nil {
			t.Fatal(err)
		}
		for token, want := range map[string]int{"one": http.StatusServiceUnavailable, "two": http.StatusOK} {
			if status := a.send(http.MethodPost, token, nothing); status != want {
				t.Errorf("session %s: status %d; want %d", token, status, want)
			}
		}
		r.end()
		if status := a.send(http.MethodPost, "one", nothing); status != http.StatusOK {
			t.Errorf("after the scope: status %d", status)
		}
	})
}

// newManager returns a session manager with a context key of its own; those of storetest share one. It must be called
// outside of a bubble, for scs.New starts a goroutine.
func newManager(cookie string) *scs.SessionManager {
	sessions := scs.New()
	sessions.Cookie.Name, sessions.ErrorFunc = cookie, sessionstore.HandleError
	return sessions
}

// Each manager's session is locked, also where they share a store.
func TestManagersThatShareAStore(t *testing.T) {
	t.Parallel()
	second := newManager("second")
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t, nil, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{})),
			sessionstore.WithReadOnly(sessionstore.SafeMethods))
		second.Store = a.store
		send := func(method, token string, handler http.HandlerFunc) {
			r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
			r.AddCookie(&http.Cookie{Name: a.sessions.Cookie.Name, Value: token})
			r.AddCookie(&http.Cookie{Name: second.Cookie.Name, Value: "shared"})
			w := httptest.NewRecorder()
			a.store.LoadAndSave(a.sessions)(a.store.LoadAndSave(second)(handler)).ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				t.Errorf("status %d", w.Code)
			}
		}
		a.start("shared", map[string]any{})
		var done sync.WaitGroup
		for i := range 4 {
			token := fmt.Sprint("own ", i)
			a.start(token, map[string]any{})
			done.Go(func() {
				send(http.MethodPost, token, func(_ http.ResponseWriter, r *http.Request) {
					time.Sleep(time.Millisecond)
					a.sessions.Put(r.Context(), fmt.Sprint(i), true)
					second.Put(r.Context(), fmt.Sprint(i), true)
				})
			})
		}
		done.Wait()
		if own, shared := a.values("own 3"), a.values("shared"); len(own) != 1 || len(shared) != 4 {
			t.Errorf("%d of 1 and %d of 4 updates kept", len(own), len(shared))
		}
		a.events.take()
		send(http.MethodGet, "own 0", nothing)
		if got := a.events.take(); !maps.Equal(got, calls{find: 2}) {
			t.Errorf("a request that only reads: calls %v", got)
		}
	})
}

// A request that waits for a session while it moves to a new secret finds it there.
func TestWaitingForASessionThatMoves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		old := newApp(t, driver, sessionstore.WithSecret(storetest.Secret(1)))
		old.start("token", map[string]any{})
		a := newApp(t, driver, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{})),
			sessionstore.WithSecret(storetest.Secret(2), storetest.Secret(1)))
		began := time.Now()
		var done sync.WaitGroup
		for i := range 4 {
			done.Go(func() {
				a.send(http.MethodPost, "token", func(_ http.ResponseWriter, r *http.Request) {
					time.Sleep(time.Millisecond)
					a.sessions.Put(r.Context(), fmt.Sprint(i), true)
				})
			})
		}
		done.Wait()
		if values := a.values("token"); len(values) != 4 || time.Since(began) > 4*time.Millisecond {
			t.Errorf("kept %v of 4 updates, after %v", values, time.Since(began))
		}
		if all := sessionsOf(t, driver); len(all) != 1 || !all[0].Lease.Free() {
			t.Errorf("%d sessions; want one, and it free", len(all))
		}
	})
}

// A request that has lost its lock, and whose context was cancelled for that, can still end the session.
func TestI3_DeleteAfterTheLockWasLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		a := newApp(t, driver, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{})))
		a.start("token", map[string]any{})
		status := a.send(http.MethodPost, "token", func(_ http.ResponseWriter, r *http.Request) {
			taken := records(t, driver)[0]
			taken.Lease = storage.Lease{ID: "somebody's", Duration: time.Hour, ExpiresAt: inAnHour()}
			if err := driver.Put(r.Context(), taken, storage.Always()); err != nil {
				t.Error(err)
			}
			<-r.Context().Done()
			if err := a.sessions.Destroy(r.Context()); err != nil {
				t.Errorf("%v; a delete always wins", err)
			}
		})
		if all := records(t, driver); status != http.StatusOK || len(all) != 1 || !all[0].Ended() {
			t.Errorf("status %d, records %v; want 200, and a tombstone", status, all)
		}
	})
}

func TestCommitWithoutAScopeIsLoggedOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		strategy lockstrategy.Strategy
		want     int
	}{{lockstrategy.Merge(nil), 1}, {lockstrategy.None(), 0}} {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		store := newStore(t, nil, sessionstore.WithLogger(logger), sessionstore.WithStrategy(test.strategy))
		for range 3 {
			commit(t, store, "token", "data")
		}
		if n := strings.Count(log.String(), "outside of a request scope"); n != test.want {
			t.Errorf("%T: logged %d times; want %d", test.strategy, n, test.want)
		}
	}
}

// recovering says of each write that its response was lost.
type recovering struct{ *memory.Driver }

func (d recovering) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	storage.MeterFrom(ctx).Add(storage.Usage{Recovered: 1})
	return d.Driver.Put(ctx, r, c)
}

func TestObserverSeesWhatHappensBetweenRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outcomes := func(a *app, op string) (found []string) {
			a.events.mu.Lock()
			defer a.events.mu.Unlock()
			for _, e := range a.events.all {
				if e.Operation == op {
					found = append(found, e.Outcome)
				}
			}
			return found
		}
		want := func(a *app, op string, want ...string) {
			t.Helper()
			if got := outcomes(a, op); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v; want %v", op, got, want)
			}
		}

		merging := newApp(t, recovering{memory.New()})
		merging.start("token", map[string]any{})
		merging.send(http.MethodPost, "token", func(w http.ResponseWriter, r *http.Request) {
			merging.send(http.MethodPost, "token", put(merging.sessions, "a"))
			put(merging.sessions, "b")(w, r)
		})
		want(merging, "merge", "ok")
		want(merging, "recover", "ok", "ok", "ok")

		driver := memory.New()
		lease := func(options lockstrategy.LeaseOptions) *app {
			return newApp(t, driver, sessionstore.WithStrategy(lockstrategy.Lease(options)))
		}
		frozen := lease(lockstrategy.LeaseOptions{Renewal: -1})
		frozen.start("token", map[string]any{})
		hasty := lease(lockstrategy.LeaseOptions{MaxWait: time.Second})
		patient := lease(lockstrategy.LeaseOptions{})
		status := frozen.send(http.MethodPost, "token", func(w http.ResponseWriter, r *http.Request) {
			if status := hasty.send(http.MethodPost, "token", nothing); status != http.StatusServiceUnavailable {
				t.Errorf("after waiting in vain: status %d", status)
			}
			if status := patient.send(http.MethodPost, "token", func(http.ResponseWriter, *http.Request) {
				time.Sleep(4 * time.Second)
			}); status != http.StatusOK {
				t.Errorf("after the take-over: status %d", status)
			}
			put(frozen.sessions, "frozen")(w, r)
		})
		if status != http.StatusConflict {
			t.Errorf("without its lease: status %d", status)
		}
		want(hasty, "wait", "timeout")
		want(patient, "wait", "ok")
		want(patient, "takeover", "ok")
		want(patient, "renew", "ok", "ok")
		want(patient, "release", "ok")
		want(frozen, "lost", "lost")
		want(frozen, "release")
	})
}

func TestStrategyOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := sessionstore.New(memory.New(),
		sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{Renewal: time.Hour, MaxWait: -1})),
		sessionstore.WithPageSize(0), sessionstore.WithCodec(nil))
	for _, problem := range []string{"LeaseOptions.Renewal", "LeaseOptions.MaxWait", "WithPageSize", "WithCodec"} {
		if err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%v; want a word about %s", err, problem)
		}
	}
}

// A scope that is opened by hand merges with scs's codec, or the one that is given.
func TestBeginMerges(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	a.start("token", map[string]any{})
	one, two := begin(t, a.store, "token"), begin(t, a.store, "token")
	for i, r := range []request{one, two} {
		data, err := a.sessions.Codec.Encode(inAnHour(), map[string]any{fmt.Sprint(i): true})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.commit("token", string(data)); err != nil {
			t.Error(err)
		}
		r.end()
	}
	if values := a.values("token"); len(values) != 2 {
		t.Errorf("kept %v of 2 updates", values)
	}
	if _, _, err := a.store.FindCtx(one.ctx, "token"); !errors.Is(err, context.Canceled) {
		t.Errorf("a read after the end: %v; want context.Canceled", err)
	}
}
