package sessionstore_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/tap"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// failingDriver fails every call with an error that a driver should never make: one with the key in it.
type failingDriver struct{ storage.Driver }

var errBackend = errors.New("the backend failed")

func (failingDriver) Get(context.Context, string, storage.Consistency) (storage.Record, bool, error) {
	return storage.Record{}, false, errBackend
}

func TestObserverSeesEachOperation(t *testing.T) {
	t.Parallel()
	var events []sessionstore.Event
	observe := sessionstore.WithObserver(func(_ context.Context, e sessionstore.Event) { events = append(events, e) })
	store := newStore(t, nil, observe, sessionstore.WithStrategy(lockstrategy.Optimistic()))
	ctx := t.Context()
	commit(t, store, "token", "12345")
	wantData(t, store, "token", "12345")
	wantMiss(t, store, "other")
	wantMiss(t, store, "")
	a, b := begin(t, store, "token"), begin(t, store, "token")
	_ = a.commit("token", "123")
	_ = b.commit("token", "1234")
	_ = store.DeleteCtx(ctx, "token")
	_ = a.commit("token", "1")
	_ = store.CommitCtx(ctx, "", nil, inAnHour())
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, _, _ = store.FindCtx(cancelled, "token")
	_, _ = store.AllCtx(ctx)
	a.end()
	b.end()
	type row struct {
		operation string
		outcome   string
		calls     int
		bytes     int
	}
	want := []row{
		{"commit", "ok", 1, 5},
		{"find", "ok", 1, 5},
		{"find", "miss", 1, 0},
		{"find", "miss", 0, 0},
		{"find", "ok", 1, 5},
		{"find", "ok", 1, 5},
		{"commit", "ok", 1, 3},
		{"commit", "conflict", 1, 4},
		{"delete", "ok", 2, 0},
		{"commit", "gone", 1, 1},
		{"commit", "refused", 0, 0},
		{"find", "canceled", 0, 0},
		{"list", "ok", 1, 0},
	}
	if len(events) != len(want) {
		t.Fatalf("%d events; want %d", len(events), len(want))
	}
	for i, e := range events {
		got := row{e.Operation, e.Outcome, e.Usage.Calls, e.Bytes}
		if got != want[i] || e.Duration < 0 || (e.Err != nil) != (e.Outcome != "ok" && e.Outcome != "miss") {
			t.Errorf("event %d is %+v, error %v; want %+v", i, got, e.Err, want[i])
		}
	}
}

// TestI9 logs everything there is and looks for what must not be there.
func TestI9_LogsTellNoSecrets(t *testing.T) {
	t.Parallel()
	const token, data = "the-token-of-the-user", "the-data-of-the-user"
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, driver := range []storage.Driver{memory.New(), failingDriver{memory.New()}} {
		store := newStore(t, driver, sessionstore.WithLogger(logger))
		_ = store.CommitCtx(t.Context(), token, []byte(data), inAnHour())
		a, _ := store.Begin(t.Context())
		_, _, _ = store.FindCtx(a, token)
		_ = store.CommitCtx(t.Context(), token, []byte(data), inAnHour())
		_ = store.CommitCtx(a, token, []byte(data), inAnHour())
		_ = store.DeleteCtx(a, token)
		_ = store.CommitCtx(a, token, []byte(data), inAnHour())
		_ = store.CommitCtx(a, token+"\x00", []byte(data), inAnHour())
		_, _, _ = store.Lookup(t.Context(), token)
		_, _ = store.AllCtx(t.Context())
	}
	for _, level := range []string{"DEBUG", "INFO", "WARN", "ERROR"} {
		if !strings.Contains(log.String(), `"level":"`+level+`"`) {
			t.Errorf("nothing was logged at %s", level)
		}
	}
	if strings.Contains(log.String(), token) || strings.Contains(log.String(), data) {
		t.Errorf("the log tells the token or the data:\n%s", log.String())
	}
}

func TestHandleError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		status int
		retry  string
	}{
		"conflict":    {&storage.ConflictError{}, http.StatusConflict, ""},
		"gone":        {sessionstore.ErrSessionGone, http.StatusConflict, ""},
		"unavailable": {storage.ErrUnavailable, http.StatusServiceUnavailable, "1"},
		"else":        {errBackend, http.StatusInternalServerError, ""},
	} {
		w := httptest.NewRecorder()
		sessionstore.HandleError(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), test.err)
		if w.Code != test.status || w.Header().Get("Retry-After") != test.retry {
			t.Errorf("%s: status %d, Retry-After %q; want %d, %q", name, w.Code, w.Header().Get("Retry-After"),
				test.status, test.retry)
		}
		if strings.Contains(w.Body.String(), test.err.Error()) {
			t.Errorf("%s: the client is told the error itself", name)
		}
	}
}

func TestOptionsReportAllProblems(t *testing.T) {
	t.Parallel()
	_, err := sessionstore.New(nil,
		sessionstore.WithStrategy(nil), sessionstore.WithReads(9), sessionstore.WithSecret([]byte("short")),
		sessionstore.WithObserver(nil), sessionstore.WithLogger(nil), sessionstore.WithPageSize(0),
		sessionstore.WithClock(nil))
	for _, want := range []string{
		"driver", "WithStrategy", "WithReads", "WithSecret", "WithObserver", "WithLogger",
		"WithPageSize", "WithClock",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not reported in: %v", want, err)
		}
	}
}

func TestExpiredCommitEndsTheSession(t *testing.T) {
	t.Parallel()
	for name, expiry := range map[string]time.Time{
		"zero": {}, "1969": time.Unix(-1, 0), "just now": time.Now(), "an hour ago": time.Now().Add(-time.Hour),
	} {
		driver := memory.New()
		store := newStore(t, driver)
		commit(t, store, "token", "live")
		if err := store.CommitCtx(t.Context(), "token", []byte("dead"), expiry); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wantMiss(t, store, "token")
		if all := records(t, driver); len(all) != 1 || !all[0].Ended() {
			t.Errorf("%s: %d records are left for a session that has ended; want a tombstone", name, len(all))
		}
	}
}

func TestSessionsGoOnBehindUnreadableOnes(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	secret := sessionstore.WithSecret(storetest.Secret(1))
	store := newStore(t, driver, secret, sessionstore.WithPageSize(2))
	for _, token := range []string{"a", "b", "c", "d"} {
		commit(t, store, token, "data of "+token)
	}
	damaged := records(t, driver)[1]
	damaged.Data = []byte("damaged")
	if err := driver.Put(t.Context(), damaged, storage.Always()); err != nil {
		t.Fatal(err)
	}
	count := func(store *sessionstore.Store) (good, bad int) {
		for session, err := range store.Sessions(t.Context()) {
			switch {
			case errors.Is(err, storage.ErrCorrupt):
				bad++
			case err == nil && string(session.Data) == "data of "+session.Token:
				good++
			default:
				t.Errorf("%+v, %v", session, err)
			}
		}
		return good, bad
	}
	if good, bad := count(store); good != 3 || bad != 1 {
		t.Errorf("%d good, %d bad; want 3 and 1", good, bad)
	}
	if good, bad := count(newStore(t, driver, secret, sessionstore.WithUnreadableAsMiss())); good != 3 || bad != 0 {
		t.Errorf("as misses: %d good, %d bad; want 3 and none", good, bad)
	}
	for _, err := range store.Sessions(t.Context()) {
		if err != nil {
			continue
		}
		break // a loop may end early
	}
	if n, err := store.DeleteAll(t.Context()); !errors.Is(err, sessionstore.ErrSessionsLeft) || n != 3 ||
		len(records(t, driver)) != 1 {
		t.Errorf("DeleteAll: %d, %v; want 3, and that one was left", n, err)
	}
	notIterable := newStore(t, tap.Without(driver, "Scan"))
	if _, err := notIterable.All(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("All over a driver without a scan: %v; want ErrUnsupported", err)
	}
	if _, err := notIterable.DeleteAll(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("DeleteAll over a driver without a scan: %v; want ErrUnsupported", err)
	}
}
