package admin_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/admin"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

var (
	acceptJSON = []string{"Accept", "application/json"}
	alice      = url.Values{"index": {"user"}, "owner": {"alice"}}
)

// with returns a form with one value more.
func with(form url.Values, key, value string) url.Values {
	more := maps.Clone(form)
	more.Set(key, value)
	return more
}

func TestNewNeedsIndexesOfTheStore(t *testing.T) {
	t.Parallel()
	store, err := sessionstore.New(memory.New(), sessionstore.WithOwner("user", sessionstore.OwnerFrom("user")))
	if err != nil {
		t.Fatal(err)
	}
	for _, indexes := range [][]string{nil, {""}, {"tenant"}, {"user", "tenant"}} {
		if _, err := admin.New(store, indexes...); err == nil {
			t.Errorf("New takes the indexes %q", indexes)
		}
	}
	if _, err := admin.New(store, "tenant"); !errors.Is(err, sessionstore.ErrInvalidOwner) {
		t.Errorf("New reports %v; want ErrInvalidOwner", err)
	}
}

// What a person does: search, end one, end all; and what the pages say meanwhile.
func TestPage(t *testing.T) {
	t.Parallel()
	a := newApplication(t, "user", "tenant")
	a.logIn("phone-token", "alice", map[string]string{"device": "<telephone>", "place": "Rome"})
	a.logIn("laptop-token", "alice", nil)
	a.logIn("bob-token", "bob", nil)
	page := func(what, method, target string, form url.Values, code int, says ...string) string {
		t.Helper()
		got := a.ask(method, target, form)
		checkMarkup(t, got.body)
		if got.code != code {
			t.Errorf("%s: %s %s is %d; want %d", what, method, target, got.code, code)
		}
		for _, part := range says {
			if !strings.Contains(got.body, part) {
				t.Errorf("%s: the page does not say %q:\n%s", what, part, got.body)
			}
		}
		for _, secret := range []string{
			"phone-token", "laptop-token", "bob-token", "secret-data", "<telephone>", "ZgotmplZ",
		} {
			if strings.Contains(got.body, secret) {
				t.Errorf("%s: the page has %q", what, secret)
			}
		}
		return got.header.Get("Location")
	}
	first := page("first", http.MethodGet, "/", nil, 200, "Show sessions", "<option selected>user", "<option>tenant")
	if first != "" {
		t.Errorf("the first page leads to %q", first)
	}
	page("list", http.MethodGet, "/?"+alice.Encode(), nil, 200, "2 live sessions", "&lt;telephone&gt;", "Rome",
		"sha256:", "just now", "in 13 d 23 h", "End all sessions")
	page("of a tenant", http.MethodGet, "/?index=tenant&owner=shop", nil, 200, "3 live sessions")
	page("of nobody", http.MethodGet, "/?index=user&owner=Alice", nil, 200, "No live sessions", "capitals")

	var list struct {
		Sessions []struct{ ID string }
	}
	looseJSON(t, a.ask(http.MethodGet, "/?"+alice.Encode(), nil, acceptJSON...), &list)
	laptop := with(alice, "session", list.Sessions[0].ID)
	to := page("end one", http.MethodPost, "/end", laptop, 303)
	if a.lives("laptop-token") || !a.lives("phone-token") {
		t.Error("another session has ended than the one that was chosen")
	}
	page("after it", http.MethodGet, strings.TrimPrefix(to, "."), nil, 200, "1 session was ended.", "1 live session ")
	to = page("once more", http.MethodPost, "/end", laptop, 303)
	page("after that", http.MethodGet, strings.TrimPrefix(to, "."), nil, 200, "That session had ended already.")
	to = page("end another's", http.MethodPost, "/end", with(url.Values{"index": {"user"}, "owner": {"bob"}}, "session",
		list.Sessions[1].ID), 303)
	if page("after", http.MethodGet, strings.TrimPrefix(to, "."), nil, 200, "had ended already"); !a.lives("phone-token") {
		t.Error("a session has ended as one of somebody else's")
	}
	to = page("end all", http.MethodPost, "/end-all", alice, 303)
	if a.lives("phone-token") || !a.lives("bob-token") {
		t.Error("the end of alice's sessions has ended others, or not hers")
	}
	page("after the end", http.MethodGet, strings.TrimPrefix(to, "."), nil, 200, "1 session was ended.",
		"No live sessions")
	to = page("again", http.MethodPost, "/end-all", alice, 303)
	page("after that", http.MethodGet, strings.TrimPrefix(to, "."), nil, 200, "There was no session left to end.")
}

// What a program does.
func TestJSON(t *testing.T) {
	t.Parallel()
	a := newApplication(t, "user")
	before := time.Now().Add(-time.Second)
	a.logIn("phone-token", "alice", map[string]string{"device": "telephone"})
	a.logIn("laptop-token", "alice", nil)
	type session struct {
		ID        string
		CreatedAt time.Time `json:"created_at"`
		UpdatedAt time.Time `json:"updated_at"`
		ExpiresAt time.Time `json:"expires_at"`
		Details   map[string]string
		Current   bool
	}
	var list struct {
		Index, Owner, Next string
		Sessions           []session
	}
	a.ask(http.MethodGet, "/?owner=alice", nil, acceptJSON...).json(t, &list) // of the only index
	if list.Index != "user" || list.Owner != "alice" || list.Next != "" || len(list.Sessions) != 2 {
		t.Fatalf("the list is %+v", list)
	}
	if phone := list.Sessions[1]; !strings.HasPrefix(phone.ID, "sha256:") || phone.Details["device"] != "telephone" ||
		phone.CreatedAt.Before(before) || phone.UpdatedAt.Before(phone.CreatedAt) ||
		time.Until(phone.ExpiresAt) < 13*24*time.Hour {
		t.Errorf("a session is %+v", phone)
	}
	var ended struct{ Ended int }
	for _, want := range []int{1, 0} {
		a.ask(http.MethodPost, "/end", with(alice, "session", list.Sessions[1].ID), acceptJSON...).json(t, &ended)
		if ended.Ended != want || a.lives("phone-token") {
			t.Errorf("%d were ended; want %d", ended.Ended, want)
		}
	}
	for _, want := range []int{1, 0} {
		a.ask(http.MethodPost, "/end-all", alice, acceptJSON...).json(t, &ended)
		if ended.Ended != want || a.lives("laptop-token") {
			t.Errorf("%d were ended; want %d", ended.Ended, want)
		}
	}
	got := a.ask(http.MethodGet, "/?owner=alice", nil, acceptJSON...)
	if got.code != 200 || !strings.Contains(got.body, `"sessions":[]`) {
		t.Errorf("the list of nobody is %d %q", got.code, got.body)
	}
	var failed struct{ Error string }
	got = a.ask(http.MethodGet, "/", nil, acceptJSON...)
	if got.json(t, &failed); got.code != 400 || failed.Error == "" {
		t.Errorf("without an owner: %d %q", got.code, got.body)
	}
}

// A long list has pages, which have each session once.
func TestPages(t *testing.T) {
	t.Parallel()
	a := newApplication(t, "user")
	const n = 120
	for i := range n {
		a.logIn(fmt.Sprint("token-", i), "alice", nil)
	}
	seen, next, pages := map[string]bool{}, "", 0
	for {
		var list struct {
			Sessions []struct{ ID string }
			Next     string
		}
		looseJSON(t, a.ask(http.MethodGet, "/?"+with(alice, "after", next).Encode(), nil, acceptJSON...), &list)
		for _, session := range list.Sessions {
			if seen[session.ID] {
				t.Errorf("%s is listed twice", session.ID)
			}
			seen[session.ID] = true
		}
		pages++
		if next = list.Next; next == "" {
			break
		}
		body := a.ask(http.MethodGet, "/?"+with(alice, "after", next).Encode(), nil).body
		if !strings.Contains(body, "Earlier live sessions") || !strings.Contains(body, "Back to the latest") {
			t.Errorf("a further page does not say so:\n%s", body)
		}
	}
	if len(seen) != n || pages != 5 {
		t.Errorf("%d of %d sessions are on %d pages; want 5", len(seen), n, pages)
	}
	if body := a.ask(http.MethodGet, "/?"+alice.Encode(), nil).body; !strings.Contains(body, "The latest 25 live") ||
		strings.Contains(body, "Back to the latest") {
		t.Errorf("the first page does not say so:\n%s", body)
	}
	body := a.ask(http.MethodGet, "/?"+with(alice, "after", "sha256:0000000000000000").Encode(), nil).body
	if !strings.Contains(body, "There is nothing behind the last page") {
		t.Errorf("a page behind a session that is gone does not say so:\n%s", body)
	}
}

// What cannot be asked for is told, with what to do, and changes nothing.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	a := newApplication(t, "user", "tenant")
	a.logIn("token", "alice", nil)
	for name, test := range map[string]struct {
		path string
		form url.Values
		says string
	}{
		"no index":      {"/end-all", url.Values{"owner": {"alice"}}, "choose one of: user, tenant"},
		"unknown index": {"/end-all", url.Values{"index": {"other"}, "owner": {"alice"}}, "choose one of: user, tenant"},
		"no owner":      {"/end-all", url.Values{"index": {"user"}}, "enter whose sessions"},
		"too long": {
			"/end-all", url.Values{"index": {"user"}, "owner": {strings.Repeat("a", 513)}}, "at most 512 bytes",
		},
		"no UTF-8":         {"/end-all", url.Values{"index": {"user"}, "owner": {"\xff"}}, "valid UTF-8"},
		"NUL":              {"/end", with(with(alice, "owner", "a\x00"), "session", "sha256:0"), "without NUL"},
		"no session":       {"/end", alice, "choose the session"},
		"more than a form": {"/end-all", with(alice, "more", strings.Repeat("a", 1<<20)), "cannot be read"},
	} {
		for _, headers := range [][]string{nil, acceptJSON} {
			got := a.ask(http.MethodPost, test.path, test.form, headers...)
			if got.code != 400 || !strings.Contains(got.body, test.says) {
				t.Errorf("%s: answered with %d %q", name, got.code, got.body)
			}
			if headers == nil && !strings.Contains(got.body, `role="alert"`) {
				t.Errorf("%s: the page does not tell those who do not see it", name)
			}
		}
	}
	for method, path := range map[string]string{
		http.MethodGet: "/end-all", http.MethodPut: "/end-all", http.MethodDelete: "/",
	} {
		if got := a.ask(method, path+"?"+alice.Encode(), nil); got.code != 405 {
			t.Errorf("%s %s is %d; want 405", method, path, got.code)
		}
	}
	for _, path := range []string{"/page.html", "/handler.go", "/other"} {
		if got := a.ask(http.MethodGet, path, nil); got.code != 404 {
			t.Errorf("%s is %d; want 404", path, got.code)
		}
	}
	if !a.lives("token") {
		t.Error("a request that was refused has ended the session")
	}
}

// Other sites cannot make a browser end anything, put the page into a frame, or find it in a cache.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	a := newApplication(t, "user")
	a.logIn("token", "alice", nil)
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://elsewhere.example"},
		{"Origin", "null"},
	} {
		for _, path := range []string{"/end", "/end-all"} {
			got := a.ask(http.MethodPost, path, with(alice, "session", "sha256:0"), header...)
			if got.code != 403 || !strings.Contains(got.body, "another site") {
				t.Errorf("%v: %s is %d; want 403", header, path, got.code)
			}
		}
	}
	if !a.lives("token") {
		t.Error("another site has ended the session")
	}
	for _, target := range []string{"/", "/?" + alice.Encode(), "/other", "/style.css", "/?owner="} {
		header := a.ask(http.MethodGet, target, nil).header
		for name, want := range map[string]string{
			"X-Frame-Options": "DENY", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "same-origin", "Vary": "Accept",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s is %q; want %q", target, name, got, want)
			}
		}
		policy := header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") ||
			!strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: the policy is %q", target, policy)
		}
	}
	got := a.ask(http.MethodPost, "/end-all", alice, "Sec-Fetch-Site", "same-origin")
	if got.code != 303 || a.lives("token") {
		t.Errorf("the page's own button is answered with %d", got.code)
	}
}

// Where the storage fails, the page says so and what to do, and the log has the cause.
func TestStorageFails(t *testing.T) { //nolint:paralleltest // It looks at the log of the process.
	var log bytes.Buffer
	former := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(former)
	a := newApplication(t, "user")
	a.logIn("token", "alice", nil)
	cause := errors.New("the account 123456789012 is closed")
	for name, test := range map[string]struct {
		fault error
		code  int
		says  string
	}{
		"unavailable": {fmt.Errorf("%w: %w", sessionstore.ErrUnavailable, cause), 503, "Please try again."},
		"corrupt":     {fmt.Errorf("%w: %w", sessionstore.ErrCorrupt, cause), 500, "does not open"},
		"other":       {cause, 500, "The log of the application says why."},
	} {
		for method, path := range map[string]string{http.MethodGet: "/", http.MethodPost: "/end-all"} {
			for _, headers := range [][]string{nil, acceptJSON} {
				log.Reset()
				a.driver.fault.Store(&test.fault)
				target, form := path, alice
				if method == http.MethodGet {
					target, form = path+"?"+alice.Encode(), nil
				}
				got := a.ask(method, target, form, headers...)
				if got.code != test.code || !strings.Contains(got.body, test.says) || strings.Contains(got.body, "1234") {
					t.Errorf("%s: %s is answered with %d %q", name, path, got.code, got.body)
				}
				if (got.header.Get("Retry-After") != "") != (test.code == 503) {
					t.Errorf("%s: Retry-After is %q", name, got.header.Get("Retry-After"))
				}
				if !strings.Contains(log.String(), cause.Error()) || strings.Contains(log.String(), "alice") {
					t.Errorf("%s: logged is %q", name, log.String())
				}
			}
		}
	}
	a.driver.fault.Store(nil)
	if !a.lives("token") {
		t.Error("the session is gone")
	}
}

// Wherever it is served, its links lead to itself.
func TestUnderAPath(t *testing.T) {
	t.Parallel()
	a := newApplication(t, "user")
	a.logIn("token", "alice", nil)
	mux := http.NewServeMux()
	mux.Handle("/admin/sessions/", http.StripPrefix("/admin/sessions", a.page))
	server := httptest.NewServer(mux)
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/admin/sessions/end-all",
		strings.NewReader(alice.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	if got := response.Request.URL.Path; got != "/admin/sessions/" ||
		!strings.Contains(string(body), "1 session was ended") {
		t.Errorf("a POST leads to %s: %d\n%s", got, response.StatusCode, body)
	}
	for _, link := range []string{`"/`, `="http`, "//"} {
		if strings.Contains(string(body), link) {
			t.Errorf("the page has a link that is not relative: %q", link)
		}
	}
}

// The administrator's own session is marked, where the page is behind the store's middleware.
func TestOwnSession(t *testing.T) {
	t.Parallel()
	a := newApplication(t, "user")
	a.logIn("own-token", "alice", nil)
	a.logIn("other-token", "alice", nil)
	scoped, end := a.store.Begin(t.Context())
	defer end()
	if _, found, err := a.store.FindCtx(scoped, "own-token"); err != nil || !found {
		t.Fatal(found, err)
	}
	recorder := httptest.NewRecorder()
	a.page.ServeHTTP(recorder, httptest.NewRequestWithContext(scoped, http.MethodGet, "/?"+alice.Encode(), nil))
	if n := strings.Count(recorder.Body.String(), "this one"); n != 1 {
		t.Errorf("%d sessions are marked as the own one; want 1", n)
	}
}

// looseJSON decodes what a test needs of an answer.
func looseJSON(t *testing.T, got answer, value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(got.body), value); err != nil {
		t.Fatalf("%d %q: %v", got.code, got.body, err)
	}
}

// checkMarkup fails where elements are not closed, or scripts and styles are within the page.
func checkMarkup(t *testing.T, body string) {
	t.Helper()
	if body == "" {
		return
	}
	decoder := xml.NewDecoder(strings.NewReader(body))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		switch token, err := decoder.Token(); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			t.Fatalf("the markup is broken: %v\n%s", err, body)
		default:
			element, _ := token.(xml.StartElement)
			for _, attribute := range element.Attr {
				if name := attribute.Name.Local; name == "style" || strings.HasPrefix(name, "on") {
					t.Errorf("<%s %s> is refused by the policy of the page", element.Name.Local, name)
				}
			}
			if element.Name.Local == "script" || element.Name.Local == "style" {
				t.Errorf("<%s> is refused by the policy of the page", element.Name.Local)
			}
		}
	}
}
