package sessionstore_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/mark"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// another returns a visitor of a second manager over the same store.
func (v *visitor) another(cookie string) *visitor {
	v.t.Helper()
	sessions := scs.New() // which gives each manager a place of its own in a context
	sessions.Store, sessions.ErrorFunc, sessions.Cookie.Name = v.store, sessionstore.HandleError, cookie
	return &visitor{t: v.t, store: v.store, sessions: sessions}
}

// everySecret is everyStrategy, without a secret and with one.
func everySecret(t *testing.T, test func(t *testing.T, d *hooked, v *visitor)) {
	t.Helper()
	for name, strategy := range strategies {
		for _, secret := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				options := []sessionstore.Option{sessionstore.WithStrategy(strategy())}
				if secret {
					options = append(options, sessionstore.WithSecret(storetest.Secret(1)))
				}
				d := newHooked()
				test(t, d, newVisitor(t, d, options...))
			})
		}
	}
}

// Of two session managers over one store, neither takes the other's token for its own, whatever has been done to the
// session.
func TestManagersKeepApart(t *testing.T) {
	t.Parallel()
	everySecret(t, func(t *testing.T, d *hooked, v *visitor) {
		admin := v.another("admin")
		token := v.begin(map[string]any{"user": "eve"})
		attack := func(what string) {
			t.Helper()
			for _, idle := range []time.Duration{0, time.Hour} {
				admin.sessions.IdleTimeout = idle
				answer := admin.own(token, func(w http.ResponseWriter, r *http.Request) {
					if user := admin.sessions.GetString(r.Context(), "user"); user != "" || admin.sessions.Token(r.Context()) != "" {
						t.Errorf("%s: the admin's manager has let in %q", what, user)
					}
					if err := admin.sessions.Iterate(r.Context(), admin.sessions.Destroy); err != nil {
						t.Errorf("%s: Iterate: %v", what, err)
					}
					admin.sessions.Put(r.Context(), "role", "admin")
				})
				if answer.status != http.StatusOK || answer.token == token || answer.token == "" {
					t.Errorf("%s: %+v; want a session of its own", what, answer)
				}
				if err := v.store.Delete(answer.token); err != nil {
					t.Error(err)
				}
				admin.own(token, admin.logout)
				if err := errorOf(admin, token, admin.sessions.RenewToken); err != nil {
					t.Errorf("%s: RenewToken: %v", what, err)
				}
				_ = errorOf(admin, "", func(ctx context.Context) error { return admin.sessions.MergeSession(ctx, token) })
			}
			if v.keys(token) == "none" {
				t.Errorf("%s: the user's session has ended", what)
			}
		}
		attack("as it began")
		v.own(token, v.put("more"))
		attack("changed")
		v.visit(token, func(_ http.ResponseWriter, r *http.Request) { // merged, where that is what the strategy does
			v.visit(token, v.put("inner"))
			v.sessions.Put(r.Context(), "outer", true)
		})
		attack("overtaken")
		token = v.own(token, v.renew(nil)).token
		attack("renewed")
		scoped, end := v.store.Begin(t.Context())
		data, _, err := v.store.FindCtx(scoped, token)
		if err == nil {
			err = v.store.CommitCtx(scoped, token, append(data, 0), time.Now().Add(time.Hour))
		}
		end()
		if err != nil {
			t.Fatal(err)
		}
		attack("committed by hand")
	})
}

// errorOf returns what a call within a request has returned.
func errorOf(v *visitor, token string, call func(context.Context) error) (err error) {
	v.own(token, func(_ http.ResponseWriter, r *http.Request) { err = call(r.Context()) })
	return err
}

// Managers with one cookie name share their sessions, and sessions of before the marks are everybody's.
func TestManagersShare(t *testing.T) {
	t.Parallel()
	everySecret(t, func(t *testing.T, _ *hooked, v *visitor) {
		token := v.begin(map[string]any{"user": "eve"})
		router := v.another(v.sessions.Cookie.Name)
		see := func(who *visitor, token, want string) {
			t.Helper()
			who.own(token, func(_ http.ResponseWriter, r *http.Request) {
				if user := who.sessions.GetString(r.Context(), "user"); user != want {
					t.Errorf("the manager sees %q; want %q", user, want)
				}
			})
		}
		see(router, token, "eve")
		data, _, err := v.store.Find(token)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.store.Commit(token, data, time.Now().Add(time.Hour)); err != nil { // knows no manager
			t.Fatal(err)
		}
		admin := v.another("admin")
		see(admin, token, "eve")
		v.own(token, v.put("more"))
		see(admin, token, "")
	})
}

// Two nested managers both have their session, also where the visitor sends one token as both cookies.
func TestNestedManagersKeepApart(t *testing.T) {
	t.Parallel()
	everySecret(t, func(t *testing.T, _ *hooked, v *visitor) {
		admin := v.another("admin")
		token := v.begin(map[string]any{"user": "eve"})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/own", nil)
		r.AddCookie(&http.Cookie{Name: v.sessions.Cookie.Name, Value: token})
		r.AddCookie(&http.Cookie{Name: "admin", Value: token})
		w := httptest.NewRecorder()
		v.store.LoadAndSave(v.sessions)(v.store.LoadAndSave(admin.sessions)(http.HandlerFunc(func(_ http.ResponseWriter,
			r *http.Request,
		) {
			if user := admin.sessions.GetString(r.Context(), "user"); user != "" {
				t.Errorf("the admin's manager has let in %q", user)
			}
			admin.sessions.Put(r.Context(), "role", "admin")
			v.sessions.Put(r.Context(), "more", true)
		}))).ServeHTTP(w, r)
		if w.Code != http.StatusOK || len(w.Result().Cookies()) != 2 {
			t.Errorf("status %d, cookies %v; want one of each manager", w.Code, w.Result().Cookies())
		}
		v.want("the visitor's session", token, "more user")
	})
}

// What Iterate shows with HashTokenInStore ends and changes in a scope; without one, scs says that it cannot.
func TestIterateWithHashedTokens(t *testing.T) {
	t.Parallel()
	everySecret(t, func(t *testing.T, d *hooked, v *visitor) {
		v.sessions.HashTokenInStore = true
		v.begin(map[string]any{"user": 1})
		v.begin(map[string]any{"user": 2})
		commit := func(ctx context.Context) error {
			v.sessions.Put(ctx, "banner", "hello")
			_, _, err := v.sessions.Commit(ctx)
			return err
		}
		for name, act := range map[string]func(context.Context) error{"Destroy": v.sessions.Destroy, "Commit": commit} {
			if err := v.sessions.Iterate(t.Context(), act); !errors.Is(err, sessionstore.ErrNotShown) {
				t.Errorf("%s without a scope: %v; want ErrNotShown", name, err)
			}
			if n := len(records(t, d.Driver)); n != 2 {
				t.Errorf("%d records after %s; want the 2 sessions", n, name)
			}
		}
		scoped, end := v.store.Begin(t.Context())
		if err := v.sessions.Iterate(scoped, commit); err != nil {
			t.Errorf("Commit in a scope: %v", err)
		}
		end()
		changed := 0
		for session, err := range v.store.Sessions(t.Context()) {
			_, values, decodeErr := v.sessions.Codec.Decode(session.Data)
			if err != nil || decodeErr != nil {
				t.Fatal(err, decodeErr)
			}
			if values["banner"] == "hello" {
				changed++
			}
		}
		if changed != 2 || d.live(t) != 2 {
			t.Errorf("%d of %d sessions were changed; want 2 of 2", changed, d.live(t))
		}
		scoped, end = v.store.Begin(t.Context())
		if err := v.sessions.Iterate(scoped, v.sessions.Destroy); err != nil {
			t.Errorf("Destroy in a scope: %v", err)
		}
		end()
		if n := d.live(t); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}

// Without HashTokenInStore, Iterate ends and changes without a scope as well, and a session that has ended meanwhile is
// no error.
func TestIterateWithoutScope(t *testing.T) {
	t.Parallel()
	everySecret(t, func(t *testing.T, d *hooked, v *visitor) {
		token := v.begin(map[string]any{"user": 1})
		if err := v.sessions.Iterate(t.Context(), func(ctx context.Context) error {
			v.own(token, v.logout)
			return v.sessions.Destroy(ctx)
		}); err != nil || d.live(t) != 0 {
			t.Errorf("%v, %d sessions are left", err, d.live(t))
		}
		v.begin(map[string]any{"user": 1})
		if err := v.sessions.Iterate(t.Context(), v.sessions.Destroy); err != nil || d.live(t) != 0 {
			t.Errorf("%v, %d sessions are left", err, d.live(t))
		}
	})
}

// DeleteAll deletes what is the store's own, damaged or not, and leaves what may be another's: nothing is lost by a
// wrong secret.
func TestDeleteAllLeavesOthers(t *testing.T) {
	t.Parallel()
	one, two := sessionstore.WithSecret(storetest.Secret(1)), sessionstore.WithSecret(storetest.Secret(2))
	shop, admin := sessionstore.WithSecretContext("shop"), sessionstore.WithSecretContext("admin")
	for name, c := range map[string]struct {
		stored, deletes []sessionstore.Option
		deleted         int
		err             error
	}{
		"its own":          {[]sessionstore.Option{one}, []sessionstore.Option{one}, 2, nil},
		"without a secret": {nil, nil, 2, nil},
		"another secret":   {[]sessionstore.Option{one}, []sessionstore.Option{two}, 0, sessionstore.ErrSessionsLeft},
		"a previous secret": {
			[]sessionstore.Option{one},
			[]sessionstore.Option{sessionstore.WithSecret(storetest.Secret(2), storetest.Secret(1))},
			2, nil,
		},
		"no secret":               {[]sessionstore.Option{one}, nil, 0, sessionstore.ErrSessionsLeft},
		"the first secret":        {nil, []sessionstore.Option{one}, 0, sessionstore.ErrSessionsLeft},
		"another application":     {[]sessionstore.Option{one, shop}, []sessionstore.Option{one, admin}, 0, nil},
		"one that names no other": {[]sessionstore.Option{one, shop}, []sessionstore.Option{one}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			driver := memory.New()
			stored := newStore(t, driver, c.stored...)
			for _, token := range []string{"token", "damaged"} {
				if err := stored.Commit(token, []byte("data"), time.Now().Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
			damaged, _, err := driver.Get(t.Context(), stored.StorageKey("damaged"), storage.Strong)
			if err != nil {
				t.Fatal(err)
			}
			damaged.Data[len(damaged.Data)-1] ^= 1
			if err := driver.Put(t.Context(), damaged, storage.Always()); err != nil {
				t.Fatal(err)
			}
			n, err := newStore(t, driver, c.deletes...).DeleteAll(t.Context())
			if n != c.deleted || !errors.Is(err, c.err) || c.err == nil && err != nil {
				t.Errorf("%d, %v; want %d, %v", n, err, c.deleted, c.err)
			}
			if left := len(records(t, driver)); left != 2-c.deleted {
				t.Errorf("%d records are left; want %d", left, 2-c.deleted)
			}
		})
	}
}

// Whoever can write to the table makes no manager's session another's: the mark is bound to the seal.
func TestMarksAreSealed(t *testing.T) {
	t.Parallel()
	driver := newHooked()
	v := newVisitor(t, driver, sessionstore.WithSecret(storetest.Secret(1)))
	admin := v.another("admin")
	token := v.begin(map[string]any{"user": "eve"})
	theirs := admin.begin(map[string]any{"role": "admin"})
	stored, _, err := driver.Get(t.Context(), v.store.StorageKey(token), storage.Strong)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := driver.Get(t.Context(), v.store.StorageKey(theirs), storage.Strong)
	if err != nil || mark.Of(stored) == "" || mark.Of(stored) == mark.Of(other) {
		t.Fatalf("%v; the marks are %q and %q", err, mark.Of(stored), mark.Of(other))
	}
	own := stored
	for _, foreign := range []string{mark.Of(other), "", "+", mark.Of(other)[1:]} {
		stored.Version = mark.NewVersion(foreign)
		if err := driver.Driver.Put(t.Context(), stored, storage.Always()); err != nil {
			t.Fatal(err)
		}
		answer := admin.own(token, func(_ http.ResponseWriter, r *http.Request) {
			t.Errorf("the admin's manager has let in %q, by the mark %q", admin.sessions.GetString(r.Context(), "user"), foreign)
		})
		if answer.status == http.StatusOK {
			t.Errorf("the mark %q: status %d", foreign, answer.status)
		}
	}
	if err := driver.Driver.Put(t.Context(), own, storage.Always()); err != nil {
		t.Fatal(err)
	}
	v.want("the session as it was", token, "user")
}

// A mark is settled: with another one, all sessions that are stored would be another manager's.
func TestMarksAreSettled(t *testing.T) {
	t.Parallel()
	for want, options := range map[string][]sessionstore.Option{
		"osx5Sg": nil, "+osx5Sg": {sessionstore.WithSecret(storetest.Secret(1))},
	} {
		driver := newHooked()
		newVisitor(t, driver, options...).begin(map[string]any{"user": "eve"})
		if got := mark.Of(records(t, driver.Driver)[0]); got != want {
			t.Errorf("the mark of the cookie \"session\" is %q; want %q", got, want)
		}
	}
}

// A commit that is merged with one of another process keeps the mark.
func TestMarkOutlivesMerge(t *testing.T) {
	t.Parallel()
	for _, options := range [][]sessionstore.Option{nil, {sessionstore.WithSecret(storetest.Secret(1))}} {
		driver := newHooked()
		v, peer := newVisitor(t, driver, options...), newVisitor(t, driver, options...)
		token := v.begin(map[string]any{"user": "eve"})
		before := mark.Of(records(t, driver.Driver)[0])
		v.visit(token, func(_ http.ResponseWriter, r *http.Request) {
			peer.visit(token, peer.put("theirs"))
			v.sessions.Put(r.Context(), "ours", true)
			if _, _, err := v.sessions.Commit(r.Context()); err != nil {
				t.Error(err)
			}
			v.sessions.Put(r.Context(), "again", true) // which is merged with what was merged
		})
		v.want("the session", token, "again ours theirs user")
		if got := mark.Of(records(t, driver.Driver)[0]); got != before || before == "" {
			t.Errorf("the mark is %q; it was %q", got, before)
		}
	}
}
