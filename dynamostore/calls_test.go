package dynamostore_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// overhead is about what an item holds besides the data, which is most where it is sealed.
const overhead = 275

// What each operation costs is a promise of docs/costs.md: calls, and capacity as DynamoDB counts it.
func TestCallsAndCapacity(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("t", 43)
	hour := time.Now().Add(time.Hour)
	type step struct {
		name          string
		do            func(ctx context.Context, s *sessionstore.Store) error
		calls         map[string]int
		reads, writes float64
		anew          bool // nothing is there, and no tombstone
	}
	find := func(ctx context.Context, s *sessionstore.Store) error { _, _, err := s.FindCtx(ctx, token); return err }
	commit := func(size int) func(context.Context, *sessionstore.Store) error {
		return func(ctx context.Context, s *sessionstore.Store) error {
			return s.CommitCtx(ctx, token, make([]byte, size), hour)
		}
	}
	remove := func(ctx context.Context, s *sessionstore.Store) error { return s.DeleteCtx(ctx, token) }
	request := func(operations ...func(context.Context, *sessionstore.Store) error) func(context.Context,
		*sessionstore.Store) error {
		return func(ctx context.Context, s *sessionstore.Store) error {
			ctx, end := s.Begin(ctx)
			defer end()
			for _, operation := range operations {
				if err := operation(ctx, s); err != nil {
					return err
				}
			}
			return nil
		}
	}
	get, update, put := map[string]int{"GetItem": 1}, map[string]int{"UpdateItem": 1}, map[string]int{"PutItem": 1}
	both := map[string]int{"GetItem": 1, "PutItem": 1}

	steps := []step{
		{"find nothing", find, get, 1, 0, true},
		{"commit up to 1 KB", commit(1024 - overhead), update, 0, 1, false},
		{"commit again", commit(1024 - overhead), update, 0, 1, false},
		{"find", find, get, 1, 0, false},
		{"commit over 1 KB", commit(1024), update, 0, 2, false},
		{"commit up to 4 KB", commit(4096 - overhead), update, 0, 4, false},
		{"find up to 4 KB", find, get, 1, 0, false},
		{"find over 4 KB", func(ctx context.Context, s *sessionstore.Store) error {
			if err := commit(4096)(ctx, s); err != nil {
				return err
			}
			return find(ctx, s)
		}, map[string]int{"UpdateItem": 1, "GetItem": 1}, 2, 5, false},
		{"delete", remove, both, 2, 5, false},
		{"delete what has ended", remove, get, 1, 0, false},
		{"delete nothing", remove, get, 1, 0, true},
		{"commit, expired", func(ctx context.Context, s *sessionstore.Store) error {
			return s.CommitCtx(ctx, token, []byte("data"), time.Now().Add(-time.Second))
		}, get, 1, 0, false},
		{"in a request: find nothing, commit", request(find, commit(100)), both, 1, 1, true},
		{"in a request: find, commit", request(find, commit(101)), both, 1, 1, false},
		{"in a request: find, delete", request(find, remove), both, 1, 1, false},
		{"in a request: new token", request(func(ctx context.Context, s *sessionstore.Store) error {
			return s.CommitCtx(ctx, "another"+token, make([]byte, 100), hour)
		}), put, 0, 1, false},
	}
	for name, options := range map[string][]sessionstore.Option{
		"plain": nil, "secret": {sessionstore.WithSecret(storetest.Secret(1))},
		"none": {sessionstore.WithStrategy(lockstrategy.None())},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var seen []sessionstore.Event
			observe := sessionstore.WithObserver(func(_ context.Context, e sessionstore.Event) {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, e)
			})
			f := newFixture(t, dynamostore.Table{}, append(options, observe)...)
			for _, step := range steps {
				if step.anew {
					must(t, f.driver.Delete(t.Context(), f.store.StorageKey(token), storage.Always()))
				}
				f.recorder.Reset()
				seen = nil
				if err := step.do(t.Context(), f.store); err != nil {
					t.Fatalf("%s: %v", step.name, err)
				}
				if got := f.recorder.Calls(); !maps.Equal(got, step.calls) {
					t.Errorf("%s: calls %v; want %v", step.name, got, step.calls)
				}
				var calls int
				var reads, writes float64
				for _, e := range seen {
					calls, reads, writes = calls+e.Usage.Calls, reads+e.Usage.ReadUnits, writes+e.Usage.WriteUnits
				}
				want := 0
				for _, n := range step.calls {
					want += n
				}
				if calls != want || reads != step.reads || writes != step.writes {
					t.Errorf("%s: observed %d calls, %v RCU, %v WCU; want %d, %v, %v",
						step.name, calls, reads, writes, want, step.reads, step.writes)
				}
			}
		})
	}
}

// A commit of what was read moves the expiry, and sends no data.
func TestCallOfAnUnchangedCommit(t *testing.T) {
	t.Parallel()
	for _, strategy := range []lockstrategy.Strategy{
		lockstrategy.Optimistic(), lockstrategy.Merge(nil),
		lockstrategy.None(),
	} {
		f := newFixture(t, dynamostore.Table{}, sessionstore.WithStrategy(strategy))
		f.mustPut(t, newRecord("token", "data"))
		before, _ := f.stored(t, "token")
		ctx, end := f.store.Begin(t.Context())
		data, _, err := f.store.FindCtx(ctx, "token")
		if err != nil {
			t.Fatal(err)
		}
		expiry := time.Now().Add(2 * time.Hour)
		if err := f.store.CommitCtx(ctx, "token", data, expiry); err != nil {
			t.Fatal(err)
		}
		end()
		if got, want := f.recorder.Calls(), (map[string]int{"GetItem": 1, "UpdateItem": 1}); !maps.Equal(got, want) {
			t.Errorf("calls %v; want %v", got, want)
		}
		after, _ := f.stored(t, "token")
		if !after.ExpiresAt.Equal(expiry) || after.Version != before.Version {
			t.Errorf("expires at %v, version kept: %v", after.ExpiresAt, after.Version == before.Version)
		}
	}
}

func TestReadsAndTheirCost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		reads     lockstrategy.Reads
		hit, miss float64
		missCalls int
	}{
		{lockstrategy.StrongReads, 1, 1, 1},
		{lockstrategy.EventualReads, 0.5, 0.5, 1},
		{lockstrategy.EventualThenStrongReads, 0.5, 1.5, 2},
	} {
		f := newFixture(t, dynamostore.Table{}, sessionstore.WithReads(test.reads))
		if err := f.store.CommitCtx(t.Context(), "token", []byte("data"), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		f.recorder.Reset()
		if _, found, err := f.store.FindCtx(t.Context(), "token"); err != nil || !found {
			t.Fatalf("reads %d: found %v, %v", test.reads, found, err)
		}
		if calls, units := f.recorder.Calls()["GetItem"], f.recorder.Units("GetItem"); calls != 1 || units != test.hit {
			t.Errorf("reads %d, hit: %d calls, %v RCU; want 1, %v", test.reads, calls, units, test.hit)
		}
		f.recorder.Reset()
		if _, found, err := f.store.FindCtx(t.Context(), "other"); err != nil || found {
			t.Fatalf("reads %d: found %v, %v", test.reads, found, err)
		}
		if calls, units := f.recorder.Calls()["GetItem"], f.recorder.Units("GetItem"); calls != test.missCalls ||
			units != test.miss {
			t.Errorf("reads %d, miss: %d calls, %v RCU; want %d, %v", test.reads, calls, units, test.missCalls, test.miss)
		}
	}
}

// TestI8 holds DESIGN's promise about cookies that anybody can send: a miss, no error, nothing written, and where the
// token cannot be a key not even a read.
func TestI8_HostileTokensWriteNothing(t *testing.T) {
	t.Parallel()
	for name, layout := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, layout)
			for name, test := range map[string]struct {
				token string
				gets  int
			}{
				"unknown":   {strings.Repeat("u", 43), 1},
				"empty":     {"", 0},
				"oversized": {strings.Repeat("o", 2049), 0},
				"100 KB":    {strings.Repeat("o", 100<<10), 0},
				"NUL":       {"a\x00b", 0},
				"not UTF-8": {"a\xff\xfeb", 0},
			} {
				f.recorder.Reset()
				if _, found, err := f.store.FindCtx(t.Context(), test.token); found || err != nil {
					t.Errorf("%s: found %v, %v; want a miss", name, found, err)
				}
				if got := f.recorder.Calls(); got["GetItem"] != test.gets || len(got) > 1 {
					t.Errorf("%s: find made calls %v; want %d reads", name, got, test.gets)
				}
				f.recorder.Reset()
				if err := f.store.DeleteCtx(t.Context(), test.token); err != nil {
					t.Errorf("%s: delete: %v", name, err)
				}
				if got := f.recorder.Calls(); got["GetItem"] != test.gets || len(got) > 1 {
					t.Errorf("%s: delete made calls %v; want %d reads", name, got, test.gets)
				}
			}
		})
	}
}

func TestCallsOfARequest(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	sessions := storetest.NewManager(f.store)
	mux := http.NewServeMux()
	mux.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) { _ = sessions.GetInt(r.Context(), "n") })
	mux.HandleFunc("/write", func(w http.ResponseWriter, r *http.Request) {
		sessions.Put(r.Context(), "n", sessions.GetInt(r.Context(), "n")+1)
	})
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.RenewToken(r.Context()); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Destroy(r.Context()); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewTLSServer(f.store.LoadAndSave(sessions)(mux))
	defer server.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := server.Client()
	browser.Jar = jar
	for _, step := range []struct {
		name, path string
		want       map[string]int
	}{
		{"no cookie, unmodified", "/read", map[string]int{}},
		{"destroy without a session", "/logout", map[string]int{}},
		{"first write", "/write", map[string]int{"PutItem": 1}},
		{"read", "/read", map[string]int{"GetItem": 1}},
		{"write", "/write", map[string]int{"GetItem": 1, "PutItem": 1}},
		{"renew the token", "/login", map[string]int{"GetItem": 1, "PutItem": 2}},
		{"destroy", "/logout", map[string]int{"GetItem": 1, "PutItem": 1}},
	} {
		f.recorder.Reset()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+step.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := browser.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if got := f.recorder.Calls(); response.StatusCode != http.StatusOK || !maps.Equal(got, step.want) {
			t.Errorf("%s: status %d, calls %v; want 200, %v", step.name, response.StatusCode, got, step.want)
		}
	}
}
