package readme_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/admin"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// The code of docs/owners.md, and what it says of costs and rights.

func _(client dynamostore.Client, table dynamostore.Table, secret []byte) error {
	store, err := dynamostore.New(client, table,
		sessionstore.WithSecret(secret),
		sessionstore.WithOwner("user", sessionstore.OwnerFrom("userID")),
		sessionstore.WithOwnerDetails(func(r *http.Request, _ map[string]any) map[string]string {
			if r == nil { // a commit outside of store.LoadAndSave
				return nil
			}
			return map[string]string{"browser": r.UserAgent()}
		}))
	if err != nil {
		return err
	}
	return store.Close()
}

func _(client dynamostore.Client, table dynamostore.Table) error {
	store, err := dynamostore.New(client, table,
		sessionstore.WithOwner("user", sessionstore.OwnerFrom("userID")), // the value that your login puts into the session
		sessionstore.WithOwnerLimit("user", 3, sessionstore.EndOldest))
	if err != nil {
		return err
	}
	return store.Close()
}

func _(ctx context.Context, store *sessionstore.Store, id string) (int, error) {
	ended, err := store.Owner("user", id).EndAll(ctx) // or EndOthers, End, Sessions, Erase
	return ended, err
}

func devices(mux *http.ServeMux, store *sessionstore.Store, sessions *scs.SessionManager) {
	mux.HandleFunc("GET /devices", func(w http.ResponseWriter, r *http.Request) {
		me := store.Owner("user", sessions.GetString(r.Context(), "userID"))
		for device, err := range me.Sessions(r.Context()) { // the latest login first
			if err != nil {
				sessionstore.HandleError(w, r, err)
				return
			}
			_, _ = fmt.Fprintln(w, device.ID, device.Details["browser"], device.CreatedAt, device.UpdatedAt, device.Current)
		}
	})
	mux.HandleFunc("POST /devices/end", func(w http.ResponseWriter, r *http.Request) {
		me := store.Owner("user", sessions.GetString(r.Context(), "userID"))
		if _, err := me.End(r.Context(), r.PostFormValue("device")); err != nil { // an ID, of this owner's alone
			sessionstore.HandleError(w, r, err)
		}
	})
	mux.HandleFunc("POST /devices/others", func(w http.ResponseWriter, r *http.Request) {
		me := store.Owner("user", sessions.GetString(r.Context(), "userID"))
		if _, err := me.EndOthers(r.Context()); err != nil {
			sessionstore.HandleError(w, r, err)
		}
	})
}

func changePassword(
	ctx context.Context, store *sessionstore.Store, sessions *scs.SessionManager, id string,
) error {
	if err := sessions.RenewToken(ctx); err != nil {
		return err
	}
	_, err := store.Owner("user", id).EndOthers(ctx)
	return err
}

func lockOut(ctx context.Context, store *sessionstore.Store, id string) (int, error) {
	ended, err := store.Owner("user", id).EndAll(ctx)
	return ended, err
}

var errWrongPassword = errors.New("wrong password")

func logIn(
	ctx context.Context, store *sessionstore.Store, sessions *scs.SessionManager, id, password string,
	mayLogIn func(ctx context.Context, id, password string) bool,
) error {
	if err := store.Owner("user", id).Expect(ctx); err != nil {
		return err
	}
	if !mayLogIn(ctx, id, password) { // reads password and lock
		return errWrongPassword
	}
	if err := sessions.RenewToken(ctx); err != nil {
		return err
	}
	sessions.Put(ctx, "userID", id)
	return nil
}

func _(mux *http.ServeMux, store *sessionstore.Store, onlyAdmins func(http.Handler) http.Handler) error {
	page, err := admin.New(store, "user")
	if err != nil {
		return err
	}
	mux.Handle("/admin/sessions/", onlyAdmins(http.StripPrefix("/admin/sessions", page)))
	return nil
}

func recipes() []sessionstore.Option {
	return []sessionstore.Option{
		sessionstore.WithOwner("user", sessionstore.OwnerFrom("userID")),
		sessionstore.WithOwnerLimit("user", 1, sessionstore.EndOldest),
		sessionstore.WithOwner("sid", sessionstore.OwnerFrom("sid")),
		sessionstore.WithOwner("device", sessionstore.OwnerFrom("device")),
		sessionstore.WithOwnerLimit("device", 1, sessionstore.EndOldest),
	}
}

func backChannel(
	mux *http.ServeMux, store *sessionstore.Store, verifyLogoutToken func(*http.Request) (string, error),
) {
	mux.HandleFunc("POST /backchannel-logout", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		sid, err := verifyLogoutToken(r) // signature, issuer, audience, events, and that there is no nonce
		if err != nil {
			http.Error(w, "the logout token is not valid", http.StatusBadRequest)
			return
		}
		if _, err := store.Owner("sid", sid).EndAll(r.Context()); err != nil {
			sessionstore.HandleError(w, r, err)
		}
	})
}

func erase(ctx context.Context, store *sessionstore.Store, id string) ([]string, error) {
	erased, err := store.Owner("user", id).Erase(ctx)
	return erased.Sessions, err
}

// counter is a driver that counts calls, and may not delete in batches.
type counter struct {
	*memory.Driver
	mu    sync.Mutex
	calls map[string]int
}

func (d *counter) count(call, key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if storage.Reserved(key) {
		call = "roster " + call
	}
	d.calls[call]++
}

func (d *counter) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	d.count("read", key)
	return d.Driver.Get(ctx, key, c)
}

func (d *counter) Put(ctx context.Context, record storage.Record, c storage.Condition) error {
	d.count("write", record.Key)
	return d.Driver.Put(ctx, record, c)
}

func (d *counter) Update(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	d.count("write", key)
	return d.Driver.Update(ctx, key, change, c)
}

func (d *counter) Delete(ctx context.Context, key string, c storage.Condition) error {
	d.count("write", key)
	return d.Driver.Delete(ctx, key, c)
}

func (d *counter) DeleteBatch(context.Context, []string) error { return dynamostore.ErrAccessDenied }

// text says what was called.
func (d *counter) text(kind string) string {
	var parts []string
	for _, call := range []string{"read", "write"} {
		switch n := d.calls[kind+call]; n {
		case 0:
		case 1:
			parts = append(parts, "1 "+call)
		default:
			parts = append(parts, fmt.Sprint(n, " ", call, "s"))
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// site is an application with owners.
type site struct {
	t        *testing.T
	driver   *counter
	store    *sessionstore.Store
	sessions *scs.SessionManager
}

func newSite(t *testing.T, options ...sessionstore.Option) *site {
	t.Helper()
	driver := &counter{Driver: memory.New(), calls: map[string]int{}}
	if options == nil {
		options = []sessionstore.Option{sessionstore.WithOwner("user", sessionstore.OwnerFrom("userID"))}
	}
	store, err := sessionstore.New(driver, options...)
	if err != nil {
		t.Fatal(err)
	}
	sessions := scs.New()
	sessions.Store = store
	sessions.ErrorFunc = sessionstore.HandleError
	return &site{t, driver, store, sessions}
}

// request sends one with the token, and returns the token afterwards.
func (s *site) request(
	middleware func(http.Handler) http.Handler, token string, handler func(ctx context.Context) error,
) (string, int) {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, "/", nil)
	if token != "" {
		r.AddCookie(&http.Cookie{Name: s.sessions.Cookie.Name, Value: token})
	}
	w := httptest.NewRecorder()
	middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := handler(r.Context()); err != nil {
			sessionstore.HandleError(w, r, err)
		}
	})).ServeHTTP(w, r)
	for _, cookie := range w.Result().Cookies() {
		token = cookie.Value
	}
	return token, w.Code
}

func (s *site) scoped(token string, handler func(ctx context.Context) error) string {
	s.t.Helper()
	token, code := s.request(s.store.LoadAndSave(s.sessions), token, handler)
	if code != http.StatusOK {
		s.t.Fatalf("answered with %d", code)
	}
	return token
}

func (s *site) logIn(token, id string) string {
	s.t.Helper()
	return s.scoped(token, func(ctx context.Context) error {
		if err := s.sessions.RenewToken(ctx); err != nil {
			return err
		}
		s.sessions.Put(ctx, "userID", id)
		return nil
	})
}

func (s *site) devices(index, id string) (n int) {
	s.t.Helper()
	for _, err := range s.store.Owner(index, id).Sessions(s.t.Context()) {
		if err != nil {
			s.t.Fatal(err)
		}
		n++
	}
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// costsOf returns a function that does something, and looks for the row of a table that says what that costs.
func costsOf(t *testing.T, s *site, document string, rows map[string]bool) func(what string, do func()) {
	t.Helper()
	return func(what string, do func()) {
		t.Helper()
		clear(s.driver.calls)
		do()
		rows[what] = true
		row := fmt.Sprintf("| %s | %s | %s |\n", what, s.driver.text("roster "), s.driver.text(""))
		if !strings.Contains(document, row) {
			t.Errorf("docs/owners.md has no row: %s", row)
		}
	}
}

// The table of costs has what is called.
func TestOwnersCostWhatIsSaid(t *testing.T) {
	t.Parallel()
	document, rows := read(t, "docs/owners.md"), map[string]bool{}
	s := newSite(t)
	costs := costsOf(t, s, document, rows)
	put := func(token, key, value string) string {
		return s.scoped(token, func(ctx context.Context) error { s.sessions.Put(ctx, key, value); return nil })
	}
	alice, token := s.store.Owner("user", "alice"), ""
	costs("`EndAll` where there is no roster", func() { _, err := alice.EndAll(t.Context()); must(t, err) })
	costs("a session that nobody owns begins", func() { token = put("", "cart", "1") })
	for range 2 {
		costs("a login, or another renewal, with `RenewToken`", func() { token = s.logIn(token, "alice") })
	}
	costs("a request that reads", func() { s.scoped(token, func(context.Context) error { return nil }) })
	costs("`Expect`, in a request that reads", func() { s.scoped(token, alice.Expect) })
	costs("a request that changes the session", func() { put(token, "cart", "2") })
	costs("the owner changes", func() { put(token, "userID", "bob") })
	costs("a logout, with `Destroy`", func() { s.scoped(token, s.sessions.Destroy) })
	carol := s.store.Owner("user", "carol")
	for range 5 {
		token = s.logIn("", "carol")
	}
	var first string
	costs("`Sessions` of 5", func() {
		for session, err := range carol.Sessions(t.Context()) {
			must(t, err)
			first = session.ID
		}
	})
	costs("`EndAll` of 5", func() {
		if n, err := carol.EndAll(t.Context()); n != 5 || err != nil {
			t.Errorf("EndAll has ended %d, %v", n, err)
		}
	})
	token = s.logIn("", "carol")
	for session, err := range carol.Sessions(t.Context()) {
		must(t, err)
		first = session.ID
	}
	costs("`End` of one", func() {
		if was, err := carol.End(t.Context(), first); !was || err != nil {
			t.Errorf("End has ended %v, %v", was, err)
		}
	})
	token = s.logIn("", "carol")
	costs("a change, without a scope", func() {
		_, code := s.request(s.sessions.LoadAndSave, token, func(ctx context.Context) error {
			s.sessions.Put(ctx, "cart", "3")
			return nil
		})
		if code != http.StatusOK {
			t.Errorf("answered with %d", code)
		}
	})
	s = newSite(t, sessionstore.WithOwner("user", sessionstore.OwnerFrom("userID")),
		sessionstore.WithOwnerLimit("user", 2, sessionstore.EndOldest))
	costs = costsOf(t, s, document, rows)
	s.logIn("", "alice")
	costs("a login in a new session, below a limit", func() { s.logIn("", "alice") })
	costs("a login in a new session that ends the older of 2, by a limit", func() { s.logIn("", "alice") })
	_, table, _ := strings.Cut(document, "## What it costs")
	table, _, _ = strings.Cut(table, "\nReads are")
	if got := strings.Count(table, "\n| ") - 1; got != len(rows) {
		t.Errorf("the table has %d rows, of which %d are known", got, len(rows))
	}
}

// What it says of owners of many sessions; and none of it needs to delete in batches.
func TestOwnersOfManySessionsCostWhatIsSaid(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const n = 1000
	for range n {
		s.logIn("", "alice")
	}
	reads, writes := float64(s.driver.calls["roster read"]+s.driver.calls["read"])/n,
		float64(s.driver.calls["roster write"]+s.driver.calls["write"])/n
	if reads > 7 || writes > 2.5 {
		t.Errorf("a login costs %.1f reads and %.1f writes", reads, writes)
	}
	clear(s.driver.calls)
	if got := s.devices("user", "alice"); got != n || s.driver.calls["roster read"] > n/8 {
		t.Errorf("%d of %d sessions are listed, with %v", got, n, s.driver.calls)
	}
	token := s.scoped("", func(ctx context.Context) error { s.sessions.Put(ctx, "cart", 1); return nil })
	s.scoped(token, func(ctx context.Context) error {
		ended, err := s.store.Owner("user", "alice").EndOthers(ctx)
		if ended != n {
			t.Errorf("EndOthers has ended %d; want %d", ended, n)
		}
		return err
	})
	s.logIn("", "alice")
	if _, err := erase(t.Context(), s.store, "alice"); err != nil || s.devices("user", "alice") != 0 {
		t.Errorf("without the right to delete in batches, Erase reports %v", err)
	}
}

// The recipes do what they say.
func TestOwnersRecipes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other, token := s.logIn("", "alice"), s.logIn("", "alice")
	token = s.scoped(token, func(ctx context.Context) error { return changePassword(ctx, s.store, s.sessions, "alice") })
	if s.devices("user", "alice") != 1 {
		t.Error("after a change of the password, there is more than one session, or none")
	}
	lost := s.logIn("", "alice")
	token = s.scoped(token, func(ctx context.Context) error { // the other way round
		if _, err := s.store.Owner("user", "alice").EndOthers(ctx); err != nil {
			return err
		}
		return s.sessions.RenewToken(ctx)
	})
	for have, want := range map[string]string{token: "alice", other: "", lost: ""} {
		s.scoped(have, func(ctx context.Context) error {
			if got := s.sessions.GetString(ctx, "userID"); got != want {
				t.Errorf("after a change of the password, %q is logged in; want %q", got, want)
			}
			return nil
		})
	}
	locked := false
	login := func(during func()) int {
		_, code := s.request(s.store.LoadAndSave(s.sessions), "", func(ctx context.Context) error {
			return logIn(ctx, s.store, s.sessions, "alice", "secret", func(context.Context, string, string) bool {
				may := !locked
				during()
				return may
			})
		})
		return code
	}
	code := login(func() {
		locked = true
		if ended, err := lockOut(t.Context(), s.store, "alice"); ended != 1 || err != nil {
			t.Errorf("%d were ended, %v", ended, err)
		}
	})
	if code != http.StatusConflict || s.devices("user", "alice") != 0 {
		t.Errorf("a login whose password was checked before the account was locked is answered with %d", code)
	}
	if code := login(func() {}); code == http.StatusOK {
		t.Error("a locked account logs in")
	}

	s = newSite(t, recipes()...)
	mux := http.NewServeMux()
	backChannel(mux, s.store, func(r *http.Request) (string, error) { return r.PostFormValue("sid"), nil })
	devices(mux, s.store, s.sessions)
	begin := func(values map[string]string) {
		s.scoped("", func(ctx context.Context) error {
			for key, value := range values {
				s.sessions.Put(ctx, key, value)
			}
			return nil
		})
	}
	begin(map[string]string{"userID": "alice", "sid": "1", "device": "phone"})
	begin(map[string]string{"userID": "bob", "sid": "2", "device": "laptop"})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/backchannel-logout", strings.NewReader("sid=1"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	if w.Code != http.StatusOK || s.devices("user", "alice") != 0 || s.devices("user", "bob") != 1 {
		t.Errorf("a logout by the provider is answered with %d", w.Code)
	}
	begin(map[string]string{"userID": "bob", "sid": "3"})
	if s.devices("user", "bob") != 1 || s.devices("sid", "2") != 0 {
		t.Error("a new login does not end the one before")
	}
	begin(map[string]string{"userID": "carol", "device": "tablet"})
	begin(map[string]string{"userID": "dave", "device": "tablet"})
	if s.devices("user", "carol") != 0 || s.devices("device", "tablet") != 1 {
		t.Error("a device has two sessions")
	}
	ids, err := erase(t.Context(), s.store, "dave")
	if err != nil || len(ids) != 1 || s.devices("device", "tablet") != 0 {
		t.Errorf("erased are %q, %v", ids, err)
	}
}

// Without a scope, sessions are listed and ended, a login under way is let in, and EndOthers has nothing to leave.
func TestOwnersWithoutAScope(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := func(between func(ctx context.Context)) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			between(ctx)
			s.sessions.Put(ctx, "userID", "alice")
			return nil
		}
	}
	alice := s.store.Owner("user", "alice")
	token, code := s.request(s.sessions.LoadAndSave, "", login(func(context.Context) {}))
	if code != http.StatusOK || s.devices("user", "alice") != 1 {
		t.Fatalf("a login is answered with %d", code)
	}
	if n, err := alice.EndAll(t.Context()); n != 1 || err != nil {
		t.Errorf("EndAll has ended %d, %v", n, err)
	}
	_, code = s.request(s.sessions.LoadAndSave, "", login(func(ctx context.Context) {
		_, err := alice.EndAll(ctx)
		must(t, err)
	}))
	if code != http.StatusOK || s.devices("user", "alice") != 1 {
		t.Errorf("a login under way is answered with %d; docs/owners.md says that it is let in, on the list", code)
	}
	token, _ = s.request(s.sessions.LoadAndSave, token, login(func(context.Context) {}))
	s.request(s.sessions.LoadAndSave, token, func(ctx context.Context) error {
		_, err := alice.EndOthers(ctx)
		return err
	})
	if n := s.devices("user", "alice"); n != 0 {
		t.Errorf("EndOthers has left %d sessions; docs/owners.md says that it ends all", n)
	}
}

// While only some processes have the option, the others take sessions off the list; with the next commit they are back.
func TestOwnersWhereSomeProcessesHaveTheOption(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	former, err := sessionstore.New(s.driver)
	must(t, err)
	put := func(store *sessionstore.Store, token, key string) string {
		t.Helper()
		s.sessions.Store = store
		token, code := s.request(store.LoadAndSave(s.sessions), token, func(ctx context.Context) error {
			s.sessions.Put(ctx, key, "alice")
			return nil
		})
		if code != http.StatusOK {
			t.Fatalf("answered with %d", code)
		}
		return token
	}
	token := put(former, "", "userID")
	for i, step := range []struct {
		store *sessionstore.Store
		want  int
	}{{s.store, 1}, {former, 0}, {s.store, 1}} {
		put(step.store, token, fmt.Sprint("step ", i))
		if got := s.devices("user", "alice"); got != step.want {
			t.Errorf("after commit %d, %d sessions are listed; want %d", i, got, step.want)
		}
	}
}
