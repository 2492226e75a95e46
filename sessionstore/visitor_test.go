package sessionstore_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
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

// hooked is a driver of which a test can refuse writes, or do something in between.
type hooked struct {
	*memory.Driver
	mu  sync.Mutex
	put func(record storage.Record, condition storage.Condition) error // nil lets all through
}

func newHooked() *hooked { return &hooked{Driver: memory.New()} }

func (d *hooked) onPut(put func(storage.Record, storage.Condition) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.put = put
}

// fail refuses all writes for a reason, none for nil.
func (d *hooked) fail(err error) {
	if err == nil {
		d.onPut(nil)
		return
	}
	d.onPut(func(storage.Record, storage.Condition) error { return fmt.Errorf("refused: %w", err) })
}

func (d *hooked) Put(ctx context.Context, record storage.Record, condition storage.Condition) error {
	d.mu.Lock()
	put := d.put
	d.mu.Unlock()
	if put != nil {
		if err := put(record, condition); err != nil {
			return err
		}
	}
	return d.Driver.Put(ctx, record, condition)
}

// live returns how many sessions there are.
func (d *hooked) live(t testing.TB) int {
	t.Helper()
	n := 0
	for _, record := range records(t, d.Driver) {
		if record.Live(time.Now()) {
			n++
		}
	}
	return n
}

// clear deletes all that is stored.
func (d *hooked) clear(t testing.TB) {
	t.Helper()
	for _, record := range records(t, d.Driver) {
		if err := d.Delete(t.Context(), record.Key, storage.Always()); err != nil {
			t.Fatal(err)
		}
	}
}

// strategies are those that keep the guarantees of package sessionstore.
var strategies = map[string]func() lockstrategy.Strategy{
	"optimistic": lockstrategy.Optimistic,
	"merge":      func() lockstrategy.Strategy { return lockstrategy.Merge(nil) },
	"lease":      func() lockstrategy.Strategy { return lockstrategy.Lease(lockstrategy.LeaseOptions{}) },
}

// everyStrategy runs a test with each of them. Requests of other paths than /own take no lock, so that a test may send
// them from within a handler.
func everyStrategy(t *testing.T, test func(t *testing.T, d *hooked, v *visitor)) {
	t.Helper()
	with(t, strategies, test)
}

// withoutLocks is everyStrategy for those with which one request can change a session while another has it.
func withoutLocks(t *testing.T, test func(t *testing.T, d *hooked, v *visitor)) {
	t.Helper()
	parallel := maps.Clone(strategies)
	delete(parallel, "lease")
	with(t, parallel, test)
}

func with(
	t *testing.T, strategies map[string]func() lockstrategy.Strategy, test func(t *testing.T, d *hooked, v *visitor),
) {
	t.Helper()
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newHooked()
			test(t, d, newVisitor(t, d, sessionstore.WithStrategy(strategy())))
		})
	}
}

// visitor sends requests to a session manager over a store.
type visitor struct {
	t        testing.TB
	store    *sessionstore.Store
	sessions *scs.SessionManager
}

func newVisitor(t testing.TB, driver storage.Driver, options ...sessionstore.Option) *visitor {
	t.Helper()
	options = append(options, sessionstore.WithReadOnly(func(r *http.Request) bool { return r.URL.Path != "/own" }))
	store := newStore(t, driver, options...)
	return &visitor{t: t, store: store, sessions: storetest.NewManager(store)}
}

// reply is what a request was answered with.
type reply struct {
	status int
	header http.Header
	body   string
	token  string // of the session's cookie, empty where there was none
	ended  bool   // whether the cookie was taken back
}

// own sends a request that may take a lock; visit sends one that takes none.
func (v *visitor) own(token string, handler http.HandlerFunc) reply {
	v.t.Helper()
	return v.send(context.Background(), "/own", token, handler)
}

func (v *visitor) visit(token string, handler http.HandlerFunc) reply {
	v.t.Helper()
	return v.send(context.Background(), "/", token, handler)
}

func (v *visitor) send(ctx context.Context, path, token string, handler http.HandlerFunc) reply {
	v.t.Helper()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, nil)
	if token != "" {
		r.AddCookie(&http.Cookie{Name: v.sessions.Cookie.Name, Value: token})
	}
	w := httptest.NewRecorder()
	v.store.LoadAndSave(v.sessions)(handler).ServeHTTP(w, r)
	result := w.Result()
	answer := reply{status: result.StatusCode, header: result.Header, body: w.Body.String()}
	for _, cookie := range result.Cookies() {
		if cookie.Name == v.sessions.Cookie.Name {
			answer.token, answer.ended = cookie.Value, cookie.MaxAge < 0
		}
	}
	return answer
}

// begin makes a session with some values and returns its token.
func (v *visitor) begin(values map[string]any) string {
	v.t.Helper()
	answer := v.own("", func(_ http.ResponseWriter, r *http.Request) {
		for key, value := range values {
			v.sessions.Put(r.Context(), key, value)
		}
	})
	if answer.token == "" {
		v.t.Fatalf("no session was made: %+v", answer)
	}
	return answer.token
}

// keys returns the keys of the session's values, sorted, or "none" where there is no session.
func (v *visitor) keys(token string) string {
	v.t.Helper()
	session, found, err := v.store.Lookup(context.Background(), token)
	if err != nil {
		v.t.Fatal(err)
	}
	if !found {
		return "none"
	}
	_, values, err := v.sessions.Codec.Decode(session.Data)
	if err != nil {
		v.t.Fatal(err)
	}
	return strings.Join(slices.Sorted(maps.Keys(values)), " ")
}

func (v *visitor) want(what, token, keys string) {
	v.t.Helper()
	if got := v.keys(token); got != keys {
		v.t.Errorf("%s has %q; want %q", what, got, keys)
	}
}

// put is a handler that changes the session.
func (v *visitor) put(key string) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) { v.sessions.Put(r.Context(), key, true) }
}

// renew is a handler that renews the token and does something before its answer.
func (v *visitor) renew(between func()) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		if err := v.sessions.RenewToken(r.Context()); err != nil {
			v.t.Errorf("RenewToken: %v", err)
		}
		v.sessions.Put(r.Context(), "user", true)
		if between != nil {
			between()
		}
	}
}

func (v *visitor) logout(_ http.ResponseWriter, r *http.Request) {
	if err := v.sessions.Destroy(r.Context()); err != nil {
		v.t.Errorf("Destroy: %v", err)
	}
}
