package inspect_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

var (
	current  = storetest.Secret(1)
	previous = storetest.Secret(2)
)

// open opens a file of the test's own, which keeps what has expired.
func open(t *testing.T) *boltstore.Driver {
	t.Helper()
	driver, err := boltstore.OpenDriver(filepath.Join(t.TempDir(), "sessions.db"), boltstore.WithGrace(9000*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := driver.Close(); err != nil {
			t.Error(err)
		}
	})
	return driver
}

// storeFunc makes stores with the options.
func storeFunc(options ...sessionstore.Option) inspect.StoreFunc {
	return func(driver storage.Driver, more ...sessionstore.Option) (*sessionstore.Store, error) {
		return sessionstore.New(driver, slices.Concat(options, more)...)
	}
}

// sessionsOf returns the sessions of a store with the options.
func sessionsOf(t *testing.T, driver storage.Driver, sealed bool, options ...sessionstore.Option) *inspect.Sessions {
	t.Helper()
	sessions, err := inspect.New(driver, storeFunc(options...), sealed)
	if err != nil {
		t.Fatal(err)
	}
	return sessions
}

// commit stores a session by a store with the options and returns its storage key.
func commit(t *testing.T, driver storage.Driver, token string, left time.Duration,
	options ...sessionstore.Option,
) string {
	t.Helper()
	at := time.Now().Add(-100 * 24 * time.Hour) // Then, none of them has expired.
	store, err := sessionstore.New(driver, append(options, sessionstore.WithClock(func() time.Time { return at }),
		sessionstore.WithLogger(slog.New(slog.DiscardHandler)))...)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.CommitCtx(t.Context(), token, []byte("data of "+token), time.Now().Add(left)); err != nil {
		t.Fatal(err)
	}
	return store.StorageKey(token)
}

func hashed(token string) string {
	hash := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

func TestFind(t *testing.T) {
	t.Parallel()
	both := sessionstore.WithSecret(current, previous)
	for name, test := range map[string]struct {
		committed []sessionstore.Option // those of the store that has stored the sessions
		options   []sessionstore.Option
	}{
		"plain":    {nil, nil},
		"sealed":   {[]sessionstore.Option{sessionstore.WithSecret(current)}, []sessionstore.Option{both}},
		"previous": {[]sessionstore.Option{sessionstore.WithSecret(previous)}, []sessionstore.Option{both}},
		"as miss":  {nil, []sessionstore.Option{sessionstore.WithUnreadableAsMiss()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			driver := open(t)
			live := commit(t, driver, "live", time.Hour, test.committed...)
			expired := commit(t, driver, "expired", -time.Hour, test.committed...)
			cookie := commit(t, driver, hashed("cookie"), time.Hour, test.committed...)
			sessions := sessionsOf(t, driver, name == "sealed" || name == "previous", test.options...)
			for called, want := range map[string]struct{ key, token string }{
				"live":                            {live, "live"},
				live:                              {live, "live"},
				fingerprint.Of(live):              {live, "live"},
				fingerprint.Of(live)[:12]:         {live, "live"},
				"expired":                         {expired, "expired"},
				fingerprint.Of(expired):           {expired, "expired"},
				"cookie":                          {cookie, hashed("cookie")},
				nameOf(t, driver, sessions, live): {live, "live"},
				fingerprint.Of(cookie)[:7+8+1]:    {cookie, hashed("cookie")},
			} {
				all, err := sessions.Find(t.Context(), called)
				if err != nil {
					t.Errorf("%q: %v", called, err)
					continue
				}
				found := all[0]
				if found.Err != nil || found.Record.Key != want.key || found.Token != want.token ||
					string(found.Data) != "data of "+want.token || found.Record.Version == "" {
					t.Errorf("%q: found %q under %q with %q, %v", called, found.Token, found.Record.Key, found.Data, found.Err)
				}
			}
		})
	}
}

func TestFindNot(t *testing.T) {
	t.Parallel()
	driver := open(t)
	commit(t, driver, "token", time.Hour)
	reserved := storage.ReservedPrefix + "of-a-test"
	record := storage.Record{
		Key: reserved, UpdatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
		Version: storage.NewVersion(),
	}
	if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
		t.Fatal(err)
	}
	for _, sealed := range []bool{false, true} {
		sessions := sessionsOf(t, driver, sealed)
		for called, want := range map[string]error{
			"unknown":                  inspect.ErrNotFound,
			"":                         inspect.ErrNotFound,
			reserved:                   inspect.ErrNotFound,
			fingerprint.Of(reserved):   inspect.ErrNotFound,
			fingerprint.Of("none"):     inspect.ErrNotFound,
			"sha256:":                  inspect.ErrFingerprint,
			"sha256:abc":               inspect.ErrFingerprint,
			"sha256:ABCD":              inspect.ErrFingerprint,
			"sha256:0123456789abcdef0": inspect.ErrFingerprint,
		} {
			if _, err := sessions.Find(t.Context(), called); !errors.Is(err, want) {
				t.Errorf("sealed %v, %q: %v; want %v", sealed, called, err, want)
			}
		}
		count, err := sessions.Count(t.Context(), time.Now(), nil)
		if err != nil || count.Total() != 1 {
			t.Errorf("counted are %d; want 1, without the one that is reserved; %v", count.Total(), err)
		}
	}
}

func TestFindAmbiguous(t *testing.T) {
	t.Parallel()
	driver := open(t)
	seen := map[string]string{}
	const digits = len("sha256:") + 4
	for i := 0; ; i++ {
		token := fmt.Sprint("token-", i)
		beginning := fingerprint.Of(token)[:digits]
		other, twice := seen[beginning]
		seen[beginning] = token
		if !twice {
			continue
		}
		commit(t, driver, token, time.Hour)
		commit(t, driver, other, time.Hour)
		sessions := sessionsOf(t, driver, false)
		if _, err := sessions.Find(t.Context(), beginning); !errors.Is(err, inspect.ErrAmbiguous) {
			t.Errorf("a fingerprint of two sessions: %v; want ErrAmbiguous", err)
		}
		if all, err := sessions.Find(t.Context(), fingerprint.Of(token)); err != nil || all[0].Token != token {
			t.Errorf("the whole fingerprint: %v", err)
		}
		return
	}
}

// What does not open is found all the same, and can be deleted.
func TestFindSealedByAnother(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]sessionstore.Option{
		"error": {sessionstore.WithSecret(current)},
		"miss":  {sessionstore.WithSecret(current), sessionstore.WithUnreadableAsMiss()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			driver := open(t)
			key := commit(t, driver, "token", time.Hour, sessionstore.WithSecret(previous))
			// As if somebody had moved it to where its token leads.
			record, _, err := driver.Get(t.Context(), key, storage.Strong)
			if err != nil {
				t.Fatal(err)
			}
			store, err := sessionstore.New(driver, options...)
			if err != nil {
				t.Fatal(err)
			}
			record.Key = store.StorageKey("token")
			if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
				t.Fatal(err)
			}
			sessions := sessionsOf(t, driver, true, options...)
			for _, called := range []string{key, "token"} {
				all, err := sessions.Find(t.Context(), called)
				if err != nil {
					t.Fatal(err)
				}
				found := all[0]
				if !errors.Is(found.Err, storage.ErrCorrupt) || found.Token != "" || found.Data != nil {
					t.Fatalf("%q: found %q, %v; want a session that does not open", called, found.Token, found.Err)
				}
				if err := sessions.Delete(t.Context(), found); err != nil {
					t.Fatal(err)
				}
			}
			if count, err := sessions.Count(t.Context(), time.Now(), nil); err != nil || count.Total() != 0 {
				t.Errorf("%d are left; %v", count.Total(), err)
			}
		})
	}
}

// A session is deleted under the keys of all secrets.
func TestDelete(t *testing.T) {
	t.Parallel()
	driver := open(t)
	commit(t, driver, "token", time.Hour, sessionstore.WithSecret(previous))
	sessions := sessionsOf(t, driver, true, sessionstore.WithSecret(current, previous))
	all, err := sessions.Find(t.Context(), "token")
	if err != nil {
		t.Fatal(err)
	}
	found := all[0]
	commit(t, driver, "token", time.Hour, sessionstore.WithSecret(current)) // As if a request had moved it meanwhile.
	if err := sessions.Delete(t.Context(), found); err != nil {
		t.Fatal(err)
	}
	if err := sessions.Delete(t.Context(), found); err != nil {
		t.Errorf("deleting it again: %v", err)
	}
	if count, err := sessions.Count(t.Context(), time.Now(), nil); err != nil || count.Total() != 0 {
		t.Errorf("%d are left; %v", count.Total(), err)
	}
}

func TestDeleteAll(t *testing.T) {
	t.Parallel()
	driver := open(t)
	for i := range 10 {
		commit(t, driver, fmt.Sprint("token-", i), time.Duration(i-5)*time.Hour)
	}
	var told []int
	sessions := sessionsOf(t, driver, false, sessionstore.WithPageSize(4))
	n, err := sessions.DeleteAll(t.Context(), func(deleted int) { told = append(told, deleted) })
	if err != nil || n != 10 || !slices.Equal(told, []int{4, 8, 10}) {
		t.Errorf("deleted %d, told %v, %v; want 10, [4 8 10]", n, told, err)
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	driver := open(t)
	key := commit(t, driver, "live", time.Hour)
	commit(t, driver, "live-too", time.Hour)
	commit(t, driver, "expired", -time.Hour)
	commit(t, driver, "long-expired", -50*time.Hour)
	lease := storage.Change{Lease: &storage.Lease{ID: "lease", ExpiresAt: time.Now()}}
	if err := driver.Update(t.Context(), key, lease, storage.Always()); err != nil {
		t.Fatal(err)
	}
	count, err := sessionsOf(t, driver, false).Count(t.Context(), time.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	oldest := time.Since(count.OldestExpired).Round(time.Hour)
	count.OldestExpired = time.Time{}
	if want := (inspect.Count{
		Live: 2, Expired: 2, Leased: 1, LiveBytes: 28,
		ExpiredBytes: 35, Largest: 20,
	}); count != want {
		t.Errorf("counted %+v; want %+v", count, want)
	}
	if oldest != 50*time.Hour {
		t.Errorf("the oldest expired one ended %v ago; want 50h", oldest)
	}
}

// endless is a driver with more sessions than memory should hold.
type endless struct {
	storage.Driver
	pages int
}

const perPage = 500

func (d *endless) Scan(ctx context.Context, _ storage.ScanRequest) (storage.Page, error) {
	page := storage.Page{Next: "more"}
	for i := range perPage {
		page.Records = append(page.Records,
			storage.Record{Key: fmt.Sprint(d.pages, i), Data: make([]byte, 1000), ExpiresAt: time.Now().Add(time.Hour)})
	}
	if d.pages--; d.pages == 0 {
		page.Next = ""
	}
	return page, ctx.Err()
}

// Counting 500 MB of sessions holds a page of them.
func TestCountHoldsAPage(t *testing.T) {
	t.Parallel()
	const pages, limit = 1000, 48 << 20
	sessions := sessionsOf(t, &endless{open(t), pages}, false)
	var most uint64
	var memory runtime.MemStats
	count, err := sessions.Count(t.Context(), time.Now(), func(c inspect.Count) {
		if c.Total()%(100*perPage) == 0 {
			runtime.GC()
			runtime.ReadMemStats(&memory)
			most = max(most, memory.HeapAlloc)
		}
	})
	if err != nil || count.Total() != pages*perPage {
		t.Fatalf("counted %d; %v", count.Total(), err)
	}
	if most > limit {
		t.Errorf("%d bytes are held; want at most %d", most, limit)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	deadline := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	data, err := scs.GobCodec{}.Encode(deadline, map[string]any{
		"name": "value", "at": deadline, "map": map[string]string{"a": "b"}, "list": []string{"x"}, "bytes": []byte("y"),
	})
	if err != nil {
		t.Fatal(err)
	}
	values, err := inspect.Decode(data)
	if err != nil || !values.Deadline.Equal(deadline) || len(values.Values) != 5 || values.Values["name"] != "value" {
		t.Errorf("decoded %+v, %v", values, err)
	}
	for name, data := range map[string][]byte{"nothing": nil, "rubbish": []byte("no gob"), "cut": data[:len(data)/2]} {
		if _, err := inspect.Decode(data); !errors.Is(err, inspect.ErrValues) {
			t.Errorf("%s: %v; want ErrValues", name, err)
		}
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	if got, want := fingerprint.Of("token"), "sha256:3c469e9d6c5875d3"; got != want {
		t.Errorf("the fingerprint is %q; want %q, in all versions", got, want)
	}
}

// nameOf returns what the session under a storage key is called.
func nameOf(t *testing.T, driver storage.Driver, sessions *inspect.Sessions, key string) string {
	t.Helper()
	record, found, err := driver.Get(t.Context(), key, storage.Strong)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	return sessions.Name(sessions.Open(t.Context(), record))
}

// What a session is called never logs in: whether a key is a token is the record's matter, not the configuration's.
func TestI9_NamesAreNoTokens(t *testing.T) {
	t.Parallel()
	with := func(secrets ...[]byte) []sessionstore.Option {
		if len(secrets) == 0 {
			return nil
		}
		return []sessionstore.Option{sessionstore.WithSecret(secrets[0], secrets[1:]...)}
	}
	for name, test := range map[string]struct {
		stored, configured []sessionstore.Option
		byKey              bool
	}{
		"plain":                      {nil, nil, false},
		"sealed":                     {with(current), with(current), true},
		"sealed by the previous":     {with(previous), with(current, previous), true},
		"stored before the secret":   {nil, with(current), false},
		"sealed by a foreign secret": {with(previous), with(current), false},
		"the secret is missing":      {with(current), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			driver := open(t)
			const token = "a-token-that-lets-in"
			key := commit(t, driver, token, time.Hour, test.stored...)
			sessions := sessionsOf(t, driver, test.configured != nil, test.configured...)
			want := fingerprint.Of(key)
			if test.byKey {
				want = key
			}
			if got := nameOf(t, driver, sessions, key); got != want {
				t.Errorf("it is called %q; want %q", got, want)
			}
			opens := test.byKey || test.stored == nil && test.configured == nil
			count, err := sessions.Count(t.Context(), time.Now(), nil)
			if err != nil || (count.Live == 1) != opens || (count.Unopened == 1) == opens {
				t.Errorf("counted %+v, %v", count, err)
			}
		})
	}
}

// Several are found at once, and the one that cannot be is told of by its place.
func TestFindSeveral(t *testing.T) {
	t.Parallel()
	driver := &scans{Driver: open(t)}
	var names []string
	for i := range 5 {
		names = append(names, fingerprint.Of(commit(t, driver, fmt.Sprint("token-", i), time.Hour)))
	}
	sessions := sessionsOf(t, driver, false)
	all, err := sessions.Find(t.Context(), append(names, "token-2")...)
	if err != nil || len(all) != 6 || all[5].Token != "token-2" || driver.n != 1 {
		t.Fatalf("found %d by %d scans; %v", len(all), driver.n, err)
	}
	for i, found := range all[:5] {
		if found.Token != fmt.Sprint("token-", i) {
			t.Errorf("number %d is %q", i, found.Token)
		}
	}
	for _, unknown := range []string{"unknown", "sha256:0000", "sha256:x"} {
		wrong := (*inspect.NameError)(nil)
		if _, err := sessions.Find(t.Context(), names[0], unknown); !errors.As(err, &wrong) || wrong.Index != 1 {
			t.Errorf("%q: %v; want the second name", unknown, err)
		}
	}
}

// scans counts them.
type scans struct {
	storage.Driver
	n int
}

func (d *scans) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	d.n++
	return d.Driver.Scan(ctx, request)
}

// The tombstone of a session that has ended is no session, by whatever it is called; its successor's key is told to
// nobody.
func TestTombstonesAreNoSessions(t *testing.T) {
	t.Parallel()
	driver := open(t)
	tombstone := ended.Tombstone(storage.Record{Key: "ended"}, "the-token-that-lives", time.Now())
	if err := driver.Put(t.Context(), tombstone, storage.Always()); err != nil {
		t.Fatal(err)
	}
	for _, options := range [][]sessionstore.Option{nil, {sessionstore.WithSecret(current)}} {
		sessions := sessionsOf(t, driver, options != nil, options...)
		for _, name := range []string{"ended", fingerprint.Of("ended")} {
			if found, err := sessions.Find(t.Context(), name); !errors.Is(err, inspect.ErrNotFound) {
				t.Errorf("%q: found %+v, %v", name, found, err)
			}
		}
		if count, err := sessions.Count(t.Context(), time.Now(), nil); err != nil || count.Total() != 0 {
			t.Errorf("counted %+v, %v", count, err)
		}
	}
}
