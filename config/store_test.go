package config_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// watched is a driver that remembers what it was asked.
type watched struct {
	*memory.Driver
	mu    sync.Mutex
	calls []string
}

func newWatched() *watched { return &watched{Driver: memory.New()} }

func (w *watched) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, fmt.Sprintf(format, args...))
}

// take returns the calls since it was called last.
func (w *watched) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = nil
	return calls
}

func (w *watched) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	w.note("get %d", c)
	return w.Driver.Get(ctx, key, c)
}

func (w *watched) Update(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	switch {
	case change.Lease == nil:
		w.note("touch")
	case !change.Lease.Free():
		w.note("renew")
	}
	return w.Driver.Update(ctx, key, change, c)
}

func (w *watched) Acquire(ctx context.Context, key string, l storage.Lease,
	c storage.Condition,
) (storage.Record, error) {
	w.note("acquire for %v", l.Duration)
	return w.Driver.Acquire(ctx, key, l, c)
}

func (w *watched) Scan(ctx context.Context, r storage.ScanRequest) (storage.Page, error) {
	w.note("scan %d", r.Limit)
	return w.Driver.Scan(ctx, r)
}

// storeOver returns the store of a configuration over a driver.
func storeOver(t *testing.T, driver storage.Driver, options ...config.Option) *sessionstore.Store {
	t.Helper()
	store, err := mustLoad(t, options...).Store(driver)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// commit stores a session.
func commit(t *testing.T, store *sessionstore.Store, token string) {
	t.Helper()
	ctx, end := store.Begin(t.Context())
	defer end()
	if err := store.CommitCtx(ctx, token, []byte("data"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

// meet has two requests change one session, and says what became of it: the one changes "a" and "both", the other "b"
// and "both", and commits first.
func meet(t *testing.T, store *sessionstore.Store) string {
	t.Helper()
	codec, expiry := scs.GobCodec{}, time.Now().Add(time.Hour).UTC()
	encode := func(values map[string]any) []byte {
		data, err := codec.Encode(expiry, values)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	in := func(changed ...string) (load func() error, commit func() error) {
		ctx, end := store.Begin(t.Context())
		t.Cleanup(end)
		values := map[string]any{}
		load = func() error {
			data, _, err := store.FindCtx(ctx, "token")
			if err != nil {
				return err
			}
			if len(data) > 0 {
				_, values, err = codec.Decode(data)
			}
			return err
		}
		return load, func() error {
			for _, name := range changed {
				values[name] = changed[0]
			}
			return store.CommitCtx(ctx, "token", encode(values), expiry)
		}
	}
	first, commitFirst := in("first")
	if err := errors.Join(first(), commitFirst()); err != nil {
		t.Fatal(err)
	}
	one, commitOne := in("a", "both")
	other, commitOther := in("b", "both")
	if err := one(); err != nil {
		t.Fatal(err)
	}
	if err := other(); errors.Is(err, sessionstore.ErrLockTimeout) {
		return "the other waits"
	} else if err != nil {
		t.Fatal(err)
	}
	if err := commitOther(); err != nil {
		t.Fatal(err)
	}
	if err := commitOne(); errors.Is(err, storage.ErrConflict) {
		return "conflict"
	} else if err != nil {
		t.Fatal(err)
	}
	data, _, err := store.FindCtx(t.Context(), "token")
	if err != nil {
		t.Fatal(err)
	}
	_, values, err := codec.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(values)
}

func TestStrategy(t *testing.T) {
	t.Parallel()
	plain, err := sessionstore.New(memory.New())
	if err != nil {
		t.Fatal(err)
	}
	const merged = "map[a:a b:b both:a first:first]"
	if got := meet(t, plain); got != merged {
		t.Fatalf("a store without options: %s", got)
	}
	for name, c := range map[string]struct {
		options []config.Option
		want    string
	}{
		"default":      {nil, merged},
		"none":         {[]config.Option{config.With("strategy", "none")}, "map[a:a both:a first:first]"},
		"optimistic":   {[]config.Option{config.With("strategy", "optimistic")}, "conflict"},
		"merge":        {[]config.Option{config.With("strategy", "merge")}, merged},
		"merge theirs": {[]config.Option{config.With("merge.same_key", "theirs")}, "map[a:a b:b both:b first:first]"},
		"lease": {
			[]config.Option{config.With("strategy", "lease"), config.With("lease.max_wait", "20ms")}, "the other waits",
		},
	} {
		if got := meet(t, storeOver(t, memory.New(), c.options...)); got != c.want {
			t.Errorf("%s: %s; want %s", name, got, c.want)
		}
	}
}

// The settings of a lease, by what they do in the time of a bubble. One request keeps others out for so long, and so
// many may wait for it.
func TestLeaseIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := newWatched()
		store := storeOver(t, driver, withFile(t,
			"strategy: lease\nlease: {duration: 3s, max_hold: 5s, max_waiting: 1, max_wait: 20s}\n"))
		commit(t, store, "token")
		type request struct {
			after time.Duration
			err   error
		}
		find := func() (context.Context, request) {
			began := time.Now()
			ctx, end := store.Begin(t.Context())
			t.Cleanup(end)
			_, _, err := store.FindCtx(ctx, "token")
			return ctx, request{time.Since(began), err}
		}
		holder, _ := find()
		waiter := make(chan request)
		go func() {
			_, r := find()
			waiter <- r
		}()
		synctest.Wait()
		if _, r := find(); r.after > 0 || !errors.Is(r.err, lockstrategy.ErrTooManyWaiting) {
			t.Errorf("the second to wait: %+v; want ErrTooManyWaiting at once", r)
		}
		if r := <-waiter; r.err != nil || r.after < 5*time.Second || r.after > 6*time.Second {
			t.Errorf("the first to wait: %+v; want the session after 5s", r)
		}
		if err := store.CommitCtx(holder, "token", []byte("late"),
			time.Now().Add(time.Hour)); !errors.Is(err, sessionstore.ErrLockLost) {
			t.Errorf("the commit of who had it too long: %v; want ErrLockLost", err)
		}
	})
}

func TestLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := newWatched()
		settings := func(more string) config.Option {
			return withFile(t, "strategy: lease\nlease:\n  duration: 3s\n  clock_allowance: 2s\n"+more)
		}
		// Two stores are two processes. The one holds the session; the other waits.
		process := func(more string) (*sessionstore.Store, context.Context) {
			store := storeOver(t, driver, settings(more))
			ctx, end := store.Begin(t.Context())
			t.Cleanup(end)
			return store, ctx
		}
		made, ctx := process("")
		commit(t, made, "token")
		waiting := func(store *sessionstore.Store, ctx context.Context) (time.Duration, error) {
			began := time.Now()
			_, _, err := store.FindCtx(ctx, "token")
			return time.Since(began), err
		}
		if waited, err := waiting(made, ctx); waited > 0 || err != nil {
			t.Fatalf("a free session after %v, %v", waited, err)
		}
		driver.take()
		<-time.After(3500 * time.Millisecond)
		if got := len(driver.take()); got != 3 {
			t.Errorf("renewed %d times within 3.5 s; want 3, every third of the duration", got)
		}
		impatient, ctx2 := process("  max_wait: 700ms\n")
		if waited, err := waiting(impatient, ctx2); waited < 700*time.Millisecond || waited > time.Second ||
			!errors.Is(err, sessionstore.ErrLockTimeout) {
			t.Errorf("waited for %v, %v; want ErrLockTimeout after 700ms", waited, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		driver := newWatched()
		// Who never renews is taken for dead after its duration and the allowance.
		dead := storeOver(t, driver, withFile(t, "strategy: lease\nlease: {duration: 3s, renewal: 0s}\n"))
		commit(t, dead, "token")
		ctx, end := dead.Begin(t.Context())
		defer end()
		if _, _, err := dead.FindCtx(ctx, "token"); err != nil {
			t.Fatal(err)
		}
		next := storeOver(t, driver, withFile(t, "strategy: lease\nlease: {clock_allowance: 2s, max_wait: 20s}\n"))
		ctx2, end2 := next.Begin(t.Context())
		defer end2()
		began := time.Now()
		if _, _, err := next.FindCtx(ctx2, "token"); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited < 5*time.Second || waited > 5500*time.Millisecond {
			t.Errorf("waited for %v; want 3s and 2s, and the pause to the next question", waited)
		}
	})
}

func TestReads(t *testing.T) {
	t.Parallel()
	plain := newWatched()
	store, err := sessionstore.New(plain)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Find("token"); err != nil {
		t.Fatal(err)
	}
	strong, eventual := fmt.Sprintf("get %d", storage.Strong), fmt.Sprintf("get %d", storage.Eventual)
	for reads, want := range map[string][]string{
		"": plain.take(), "strong": {strong}, "eventual": {eventual}, "eventual-then-strong": {eventual, strong},
	} {
		var options []config.Option
		if reads != "" {
			options = append(options, config.With("sessions.reads", reads))
		}
		driver := newWatched()
		if _, _, err := storeOver(t, driver, options...).Find("token"); err != nil {
			t.Fatal(err)
		}
		if got := driver.take(); !slices.Equal(got, want) {
			t.Errorf("%q reads %v; want %v", reads, got, want)
		}
	}
}

func TestTouchInterval(t *testing.T) {
	t.Parallel()
	for interval, want := range map[string]bool{"": true, "0s": true, "1h": false} {
		var options []config.Option
		if interval != "" {
			options = append(options, config.With("sessions.touch_interval", interval))
		}
		driver := newWatched()
		store := storeOver(t, driver, options...)
		codec, deadline := scs.GobCodec{}, time.Now().Add(time.Hour)
		for i := range 2 {
			ctx, end := store.Begin(t.Context())
			expiry := deadline.Add(time.Duration(i-2) * time.Minute)
			data, err := codec.Encode(deadline, map[string]any{"a": 1})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := store.FindCtx(ctx, "token"); err != nil {
				t.Fatal(err)
			}
			if err := store.CommitCtx(ctx, "token", data, expiry); err != nil {
				t.Fatal(err)
			}
			end()
		}
		if got := slices.Contains(driver.take(), "touch"); got != want {
			t.Errorf("with the interval %q, an expiry that moved by a minute was written: %v; want %v", interval, got, want)
		}
	}
}

func TestReadOnlyMethods(t *testing.T) {
	t.Parallel()
	driver := newWatched()
	store := storeOver(t, driver, config.With("strategy", "lease"), config.With("lease.duration", "7s"),
		config.With("sessions.read_only_methods", "GET,HEAD"))
	sessions := scs.New()
	sessions.Store = store
	handler := store.LoadAndSave(sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			sessions.Put(r.Context(), "a", 1)
		}
	}))
	serve := func(method string, cookies []*http.Cookie) []*http.Cookie {
		r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Result().Cookies()
	}
	cookies := serve(http.MethodPut, nil)
	for method, want := range map[string]bool{"GET": false, "HEAD": false, "POST": true, "OPTIONS": true} {
		driver.take()
		serve(method, cookies)
		if got := slices.Contains(driver.take(), "acquire for 7s"); got != want {
			t.Errorf("%s took a lease of 7s: %v; want %v", method, got, want)
		}
	}
}

func TestUnreadableAsMiss(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	writer := storeOver(t, driver, config.With("secret.current", secretA))
	commit(t, writer, "token")
	key := writer.StorageKey("token")
	record, _, err := driver.Get(t.Context(), key, storage.Strong)
	if err != nil {
		t.Fatal(err)
	}
	record.Data[len(record.Data)-1]++
	if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
		t.Fatal(err)
	}
	for _, miss := range []bool{false, true} {
		store := storeOver(t, driver, config.With("secret.current", secretA),
			config.With("sessions.unreadable_as_miss", miss))
		if _, found, err := store.Find("token"); found || errors.Is(err, storage.ErrCorrupt) == miss {
			t.Errorf("unreadable as a miss: %v; got %v, %v", miss, found, err)
		}
	}
}

func TestPageSize(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]string{0: "scan 0", 7: "scan 7"} {
		var options []config.Option
		if size > 0 {
			options = append(options, config.With("sessions.page_size", size))
		}
		driver := newWatched()
		if _, err := storeOver(t, driver, options...).All(); err != nil {
			t.Fatal(err)
		}
		if got := driver.take(); !slices.Equal(got, []string{want}) {
			t.Errorf("page size %d: %v; want %s", size, got, want)
		}
	}
}

// Sessions of a previous secret are found, wherever it is given.
func TestPreviousSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, older, current := newSecret(), newSecret(), newSecret()
	driver := memory.New()
	for _, secret := range []string{old, older} {
		commit(t, storeOver(t, driver, config.With("secret.current", secret)), "token of "+secret)
	}
	store := storeOver(t, driver, config.WithDir(dir),
		config.WithFile(write(t, dir, "sessions.yaml",
			"secret: {current_file: current, previous: ["+old+"], previous_files: [older]}\n")),
		config.With("secret.current_file", write(t, dir, "current", current+"\n")),
		config.With("secret.previous_files", []string{write(t, dir, "older", older)}))
	for _, secret := range []string{old, older} {
		if _, found, err := store.Find("token of " + secret); !found || err != nil {
			t.Errorf("a session of a previous secret: %v, %v", found, err)
		}
	}
	if _, found, err := store.Find("token of " + current); found || err != nil {
		t.Errorf("a session that nobody made: %v, %v", found, err)
	}
}

func TestCollection(t *testing.T) {
	t.Parallel()
	if got, want := mustLoad(t).Rules(), (gcrunner.Rules{Expired: true}); got != want {
		t.Errorf("the default rules are %+v; want %+v", got, want)
	}
	if got, want := mustLoad(t).Schedule(), (gcrunner.Schedule{}); got != want {
		t.Errorf("the default schedule is %+v; want one run", got)
	}
	cfg := mustLoad(t, withFile(t, `
collection:
  grace: 1h
  max_age: 30d
  max_stale: 7d
  read_units: 50
  write_units: 12.5
  segments: 3
  limits: {items: 10, units: 20.5, duration: 1m}
  dry_run: true
  checkpoint: table
  interval: 1h
  elect: false
`))
	want := gcrunner.Rules{Expired: true, Grace: time.Hour, MaxAge: 30 * 24 * time.Hour, MaxStale: 7 * 24 * time.Hour}
	if got := cfg.Rules(); got != want {
		t.Errorf("the rules are %+v; want %+v", got, want)
	}
	if got, want := cfg.Schedule(), (gcrunner.Schedule{Interval: time.Hour, Jitter: 6 * time.Minute}); got != want {
		t.Errorf("the schedule is %+v; want %+v", got, want)
	}
	driver := memory.New()
	if _, err := cfg.Collector(driver); err != nil {
		t.Error(err)
	}
	if election, err := cfg.Election(driver); election != nil || err != nil {
		t.Errorf("an election %v, %v; want none", election, err)
	}
	if election, err := mustLoad(t).Election(driver); election == nil || err != nil {
		t.Errorf("an election %v, %v; want one by default", election, err)
	}
	none := mustLoad(t, config.With("collection.expired", false))
	if _, err := none.Collector(driver); !errors.Is(err, gcrunner.ErrNoRule) ||
		!strings.Contains(err.Error(), "collection.max_age") {
		t.Errorf("%v; want ErrNoRule, and what to set", err)
	}
	if _, err := cfg.Collector(nil); err == nil {
		t.Error("a collector without a driver")
	}
}
