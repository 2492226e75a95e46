package sessionstore_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// request is one request that has read the session.
type request struct {
	ctx   context.Context
	end   func()
	store *sessionstore.Store
}

func begin(t *testing.T, store *sessionstore.Store, token string) request {
	t.Helper()
	ctx, end := store.Begin(t.Context())
	if _, _, err := store.FindCtx(ctx, token); err != nil {
		t.Fatal(err)
	}
	return request{ctx, end, store}
}

func (r request) commit(token, data string) error {
	return r.store.CommitCtx(r.ctx, token, []byte(data), inAnHour())
}

func TestI1_CommitOverAnotherVersionIsRefused(t *testing.T) {
	t.Parallel()
	store := newStore(t, nil)
	commit(t, store, "token", "0")
	a, b := begin(t, store, "token"), begin(t, store, "token")
	defer a.end()
	defer b.end()
	if err := a.commit("token", "a"); err != nil {
		t.Fatal(err)
	}
	if err := a.commit("token", "a again"); err != nil {
		t.Errorf("a second commit of the same request: %v", err)
	}
	if err := b.commit("token", "b"); !errors.Is(err, storage.ErrConflict) || errors.Is(err, sessionstore.ErrSessionGone) {
		t.Errorf("a commit over another version: %v; want ErrConflict", err)
	}
	wantData(t, store, "token", "a again")
	// A request that reads again keeps what it read first: that is what it changes.
	if _, _, err := store.FindCtx(b.ctx, "token"); err != nil {
		t.Fatal(err)
	}
	if err := b.commit("token", "b"); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("after another read in the same request: %v; want ErrConflict", err)
	}
}

func TestI2_EndedSessionsStayEnded(t *testing.T) {
	t.Parallel()
	now := time.Now()
	clock := func() time.Time { return now }
	for name, finish := range map[string]func(store *sessionstore.Store, r request) error{
		"deleted elsewhere": func(store *sessionstore.Store,
			_ request,
		) error {
			return store.DeleteCtx(t.Context(), "token")
		},
		"deleted by the request itself": func(store *sessionstore.Store, r request) error {
			return store.DeleteCtx(r.ctx, "token")
		},
		"expired": func(*sessionstore.Store, request) error { now = now.Add(time.Hour); return nil },
		"deleted, and created anew by somebody": func(store *sessionstore.Store, _ request) error {
			if err := store.DeleteCtx(t.Context(), "token"); err != nil {
				return err
			}
			return store.CommitCtx(t.Context(), "token", []byte("somebody's"), now.Add(time.Hour))
		},
	} {
		driver := memory.New()
		store := newStore(t, driver, sessionstore.WithClock(clock))
		if err := store.CommitCtx(t.Context(), "token", []byte("0"), now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		r := begin(t, store, "token")
		if err := finish(store, r); err != nil {
			t.Fatal(err)
		}
		before := records(t, driver)
		err := store.CommitCtx(r.ctx, "token", []byte("late"), now.Add(time.Hour))
		if !errors.Is(err, sessionstore.ErrSessionGone) && !errors.Is(err, storage.ErrConflict) {
			t.Errorf("%s: a late commit returned %v", name, err)
		}
		if after := records(t, driver); len(after) != len(before) ||
			len(after) == 1 && after[0].Version != before[0].Version {
			t.Errorf("%s: a late commit wrote", name)
		}
		r.end()
	}
}

// With an idle timeout scs commits in every request, also in those that only read. They must not get into each other's
// way, nor bring anything back.
func TestRequestsThatOnlyRead(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	store := newStore(t, driver, sessionstore.WithTouchInterval(0))
	sessions := storetest.NewManager(store)
	sessions.IdleTimeout = 30 * time.Minute
	deadline := inAnHour()
	encode := func(deadline time.Time, last int) string {
		t.Helper()
		values := map[string]any{"a": 1, "b": "two", "c": []byte("three"), "d": 4.0, "e": last}
		data, err := sessions.Codec.Encode(deadline, values)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	send := func(handler http.HandlerFunc) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: sessions.Cookie.Name, Value: "token"})
		w := httptest.NewRecorder()
		store.LoadAndSave(sessions)(handler).ServeHTTP(w, r)
		return w.Code
	}
	commit(t, store, "token", encode(deadline, 5))
	before := records(t, driver)[0]

	// In the middle of each of these requests, another one comes and goes.
	for range 20 { // gob writes the map in another order each time
		status := send(func(http.ResponseWriter, *http.Request) {
			if status := send(func(http.ResponseWriter, *http.Request) {}); status != http.StatusOK {
				t.Errorf("the inner request: status %d", status)
			}
		})
		if status != http.StatusOK {
			t.Fatalf("a request that only read: status %d", status)
		}
	}
	after := records(t, driver)[0]
	if after.Version != before.Version || string(after.Data) != string(before.Data) {
		t.Error("a request that only read wrote data")
	}
	if idle := time.Until(after.ExpiresAt); idle > 30*time.Minute || idle < 25*time.Minute ||
		!after.UpdatedAt.After(before.UpdatedAt) {
		t.Errorf("the session ends in %v; want the idle timeout", idle)
	}

	// One that changes the session meanwhile wins, and keeps what it says about the end.
	status := send(func(http.ResponseWriter, *http.Request) {
		soon := time.Now().Add(time.Minute)
		if err := store.CommitCtx(t.Context(), "token", []byte(encode(soon, 6)), soon); err != nil {
			t.Error(err)
		}
	})
	if changed := records(t, driver)[0]; status != http.StatusOK || time.Until(changed.ExpiresAt) > time.Minute {
		t.Errorf("status %d, and the session ends in %v; want it to end as it was changed to", status,
			time.Until(changed.ExpiresAt))
	}

	// A new deadline is a change, although the values are the same.
	status = send(func(_ http.ResponseWriter, r *http.Request) { sessions.SetDeadline(r.Context(), deadline) })
	stored, _, err := sessions.Codec.Decode(records(t, driver)[0].Data)
	if status != http.StatusOK || err != nil || !stored.Equal(deadline) {
		t.Errorf("status %d, deadline %v, %v; want %v", status, stored, err, deadline)
	}

	// And what was ended stays ended, without an error for who has only read.
	status = send(func(http.ResponseWriter, *http.Request) {
		if err := store.DeleteCtx(t.Context(), "token"); err != nil {
			t.Error(err)
		}
	})
	if all := records(t, driver); status != http.StatusOK || len(all) != 1 || !all[0].Ended() {
		t.Errorf("status %d, %d records; want 200 and a tombstone", status, len(all))
	}
}

// What a request has stored itself is what its next commit is compared with, not what it once read.
func TestGoingBackIsAChange(t *testing.T) {
	t.Parallel()
	store := newStore(t, nil)
	commit(t, store, "token", "first")
	r := begin(t, store, "token")
	defer r.end()
	for _, data := range []string{"second", "first", "first"} {
		if err := r.commit("token", data); err != nil {
			t.Fatal(err)
		}
		wantData(t, store, "token", data)
	}
}

func TestI3_DeleteWins(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	store := newStore(t, driver)
	commit(t, store, "token", "0")
	leased := records(t, driver)[0]
	leased.Lease = storage.Lease{ID: "somebody's", Duration: time.Hour, ExpiresAt: inAnHour()}
	if err := driver.Put(t.Context(), leased, storage.Always()); err != nil {
		t.Fatal(err)
	}
	if err := store.DeleteCtx(t.Context(), "token"); err != nil {
		t.Fatal(err)
	}
	wantMiss(t, store, "token")
}

// None behaves as scs does with its own stores, documented faults included.
func TestNoneIsLastWriterWins(t *testing.T) {
	t.Parallel()
	store := newStore(t, nil, sessionstore.WithStrategy(lockstrategy.None()))
	commit(t, store, "token", "0")
	a, b := begin(t, store, "token"), begin(t, store, "token")
	defer a.end()
	defer b.end()
	if err := errors.Join(a.commit("token", "a"), b.commit("token", "b")); err != nil {
		t.Fatal(err)
	}
	wantData(t, store, "token", "b")
	if err := store.DeleteCtx(t.Context(), "token"); err != nil {
		t.Fatal(err)
	}
	if err := a.commit("token", "revived"); err != nil {
		t.Fatal(err)
	}
	wantData(t, store, "token", "revived")
}

func TestCommitAfterTheRequestIsRefused(t *testing.T) {
	t.Parallel()
	store := newStore(t, nil)
	commit(t, store, "token", "0")
	r := begin(t, store, "token")
	r.end()
	if err := r.commit("token", "late"); !errors.Is(err, sessionstore.ErrScopeEnded) {
		t.Errorf("a commit after the end: %v; want ErrScopeEnded", err)
	}
	if err := r.commit("new token", "late"); !errors.Is(err, sessionstore.ErrScopeEnded) {
		t.Errorf("a commit of a new token after the end: %v; want ErrScopeEnded", err)
	}
	wantData(t, store, "token", "0")
	if r.ctx.Err() == nil {
		t.Error("the context of the request goes on after its end")
	}
	if err := store.DeleteCtx(context.WithoutCancel(r.ctx), "token"); err != nil {
		t.Errorf("a delete after the end: %v; deletes always win", err)
	}
	wantMiss(t, store, "token")
}

func TestScopesNest(t *testing.T) {
	t.Parallel()
	store, other := newStore(t, nil), newStore(t, nil)
	commit(t, store, "token", "0")
	outer := begin(t, store, "token")
	inner, end := store.Begin(outer.ctx)
	if inner != outer.ctx {
		t.Error("a scope within a scope of the same store is a new one")
	}
	end()
	if err := outer.commit("token", "1"); err != nil {
		t.Errorf("the end of the inner scope ended the outer: %v", err)
	}
	second, endSecond := other.Begin(outer.ctx)
	if err := other.CommitCtx(second, "token", []byte("other"), inAnHour()); err != nil {
		t.Errorf("a second store in the same request: %v", err)
	}
	endSecond()
	outer.end()
}

// releases is a strategy that counts what is loaded and released.
type releases struct {
	mu               sync.Mutex
	loaded, released int
}

func (r *releases) count(n *int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*n++
}

type countedSession struct {
	lockstrategy.Session
	counts *releases
	t      *testing.T
	once   *sync.Once
}

func (r *releases) strategy(t *testing.T) lockstrategy.Strategy { return countedStrategy{r, t} }

type countedStrategy struct {
	counts *releases
	t      *testing.T
}

func (s countedStrategy) Load(ctx context.Context, r *lockstrategy.Request, key string) (lockstrategy.Session, error) {
	session, err := lockstrategy.Optimistic().Load(ctx, r, key)
	if err == nil {
		if _, found := session.Record(); found {
			s.counts.count(&s.counts.loaded)
		}
	}
	return countedSession{session, s.counts, s.t, &sync.Once{}}, err
}

func (s countedStrategy) New(r *lockstrategy.Request, record storage.Record) lockstrategy.Session {
	s.counts.count(&s.counts.loaded)
	return countedSession{lockstrategy.Optimistic().New(r, record), s.counts, s.t, &sync.Once{}}
}

func (s countedSession) Release(ctx context.Context) error {
	s.once.Do(func() { s.counts.count(&s.counts.released) })
	if err := ctx.Err(); err != nil {
		s.t.Errorf("released with a context that has ended: %v", err)
	}
	return s.Session.Release(ctx)
}

// A token that two requests draw at the same time, or that one of them did not read, is stored by the first.
func TestFirstCommitDoesNotOverwrite(t *testing.T) {
	t.Parallel()
	store := newStore(t, nil)
	a, b := begin(t, store, "other"), begin(t, store, "other")
	defer a.end()
	defer b.end()
	if err := a.commit("token", "a"); err != nil {
		t.Fatal(err)
	}
	if err := b.commit("token", "b"); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("a first commit over another: %v; want ErrConflict", err)
	}
	wantData(t, store, "token", "a")
}

func TestExpiredRecordsAreNotFound(t *testing.T) {
	t.Parallel()
	now := time.Now()
	driver := memory.New()
	store := newStore(t, driver, sessionstore.WithClock(func() time.Time { return now }))
	if err := store.CommitCtx(t.Context(), "token", []byte("data"), now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour - 1)
	wantData(t, store, "token", "data")
	now = now.Add(1) // dead at its expiry, not after it
	wantMiss(t, store, "token")
	if _, found, err := store.Lookup(t.Context(), "token"); found || err != nil {
		t.Errorf("looked up: found %v, %v; want a miss", found, err)
	}
	if all, err := store.AllCtx(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("All: %d sessions, %v; want none", len(all), err)
	}
	if len(records(t, driver)) != 1 {
		t.Error("the driver removed the record by itself")
	}
}

// A request holds a session once, however often and from however many goroutines it reads it, and nothing after its
// end.
func TestScopeHoldsASessionOnce(t *testing.T) {
	t.Parallel()
	counts := &releases{}
	store := newStore(t, nil, sessionstore.WithStrategy(counts.strategy(t)))
	commit(t, store, "token", "0")
	r := begin(t, store, "token")
	if _, _, err := store.FindCtx(r.ctx, "token"); err != nil {
		t.Fatal(err)
	}
	if counts.loaded != 1 {
		t.Errorf("read twice, held %d times", counts.loaded)
	}
	r.end()
	late := context.WithoutCancel(r.ctx)
	if _, found, err := store.FindCtx(late, "token"); err != nil || !found {
		t.Errorf("a read after the end: found %v, %v; want the session", found, err)
	}
	r.end()
	if counts.loaded != 1 || counts.released != 1 {
		t.Errorf("held %d times, released %d times; want once", counts.loaded, counts.released)
	}

	// Another goroutine that reads while the session is being opened does not open it a second time: with a strategy
	// that locks, it would wait for its own request.
	held := &releases{}
	opening, read := make(chan struct{}), make(chan struct{})
	together := newStore(t, nil, sessionstore.WithStrategy(slowStrategy{held.strategy(t), opening, read}))
	commit(t, together, "token", "0")
	ctx, end := together.Begin(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if _, _, err := together.FindCtx(ctx, "token"); err != nil {
			t.Error(err)
		}
	})
	<-opening
	if _, found, err := together.FindCtx(ctx, "token"); err != nil || !found {
		t.Errorf("a second read: found %v, %v; want the session", found, err)
	}
	close(read)
	done.Wait()
	end()
	if held.loaded != 1 || held.released != 1 {
		t.Errorf("held %d times, released %d times; want once", held.loaded, held.released)
	}
}

// A session that was opened when its request had ended is given back at once.
func TestScopeThatEndsMeanwhile(t *testing.T) {
	t.Parallel()
	held := &releases{}
	opening, read := make(chan struct{}), make(chan struct{})
	store := newStore(t, nil, sessionstore.WithStrategy(slowStrategy{held.strategy(t), opening, read}))
	commit(t, store, "token", "0")
	ctx, end := store.Begin(context.WithoutCancel(t.Context()))
	var done sync.WaitGroup
	done.Go(func() { _, _, _ = store.FindCtx(context.WithoutCancel(ctx), "token") })
	<-opening
	end()
	close(read)
	done.Wait()
	if held.loaded != 1 || held.released != 1 {
		t.Errorf("held %d times, released %d times; want once", held.loaded, held.released)
	}
}

// slowStrategy says when a read begins, and goes on when it may.
type slowStrategy struct {
	lockstrategy.Strategy
	opening, read chan struct{}
}

func (s slowStrategy) Load(ctx context.Context, r *lockstrategy.Request, key string) (lockstrategy.Session, error) {
	close(s.opening)
	<-s.read
	return s.Strategy.Load(ctx, r, key)
}

// However a request ends, what it held is released, once.
func TestScopeIsReleased(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(sessions *scs.SessionManager) http.HandlerFunc{
		"unmodified": func(*scs.SessionManager) http.HandlerFunc { return func(http.ResponseWriter, *http.Request) {} },
		"committed": func(sessions *scs.SessionManager) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { sessions.Put(r.Context(), "n", 1) }
		},
		"destroyed": func(sessions *scs.SessionManager) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { _ = sessions.Destroy(r.Context()) }
		},
		"renewed": func(sessions *scs.SessionManager) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { _ = sessions.RenewToken(r.Context()) }
		},
		"panic": func(*scs.SessionManager) http.HandlerFunc {
			return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			counts := &releases{}
			store := newStore(t, nil, sessionstore.WithStrategy(counts.strategy(t)))
			sessions := storetest.NewManager(store)
			data, err := sessions.Codec.Encode(inAnHour(), map[string]any{"n": 0})
			if err != nil {
				t.Fatal(err)
			}
			commit(t, store, "token", string(data))
			ctx, cancel := context.WithCancel(t.Context())
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
			r.AddCookie(&http.Cookie{Name: sessions.Cookie.Name, Value: "token"})
			func() {
				defer func() { _ = recover() }()
				store.LoadAndSave(sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer cancel() // the client goes away
					handler(sessions)(w, r)
				})).ServeHTTP(httptest.NewRecorder(), r)
			}()
			if counts.loaded == 0 || counts.loaded != counts.released {
				t.Errorf("%d sessions held, %d released", counts.loaded, counts.released)
			}
		})
	}
}
