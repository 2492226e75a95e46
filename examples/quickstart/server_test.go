package main_test

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	quickstart "github.com/scsdynamo/scsdynamo/examples/quickstart"
)

func TestOnlyThePageCountsVisits(t *testing.T) {
	t.Parallel()
	address := serve(t)
	b := newBrowser(t)
	b.expect(address, 0, "")
	b.visit(address)
	b.expect(address, 1, "")
	b.visit(address)
	for _, path := range []string{
		"/style.css", "/demo.css", "/icon.svg", "/demo", "/api/session",
		"/favicon.ico", "/nothing",
	} {
		b.do(http.MethodGet, address+path, nil, nil)
	}
	b.do(http.MethodHead, address+"/", nil, nil)
	b.do(http.MethodPost, address+"/", nil, nil)
	b.expect(address, 2, "")

	other := newBrowser(t)
	other.visit(address)
	other.expect(address, 1, "")
	b.expect(address, 2, "")
}

func TestPageShowsWhatIsStored(t *testing.T) {
	t.Parallel()
	address := serve(t, "-lifetime", "36h")
	b := newBrowser(t)
	before := time.Now()
	body := b.visit(address) // Without a cookie: the session is new.
	stored := b.session(address)
	expires := stored.Expires
	if expires == nil || expires.Before(before.Add(36*time.Hour)) || expires.After(time.Now().Add(36*time.Hour)) {
		t.Fatalf("the session expires at %v; want in 36 hours", expires)
	}
	token := b.token(address)
	for _, want := range []string{
		stored.Storage,
		expires.Format(time.RFC3339),
		"in 1 d 11 h",
		token[:6] + "…",
		"<td>1</td><td><code>int</code></td>",
		"See it survive.",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page of a first visit does not show %q", want)
		}
	}
	if strings.Contains(body, token) {
		t.Error("the page shows the whole token")
	}
	if !strings.Contains(stored.Storage, "bbolt file") {
		t.Errorf("storage = %q; want it to name the bbolt file", stored.Storage)
	}
}

func TestLoginAndLogout(t *testing.T) {
	t.Parallel()
	address := serve(t)
	b := newBrowser(t)
	b.visit(address)
	planted := b.token(address)

	b.post(address, "/login", url.Values{"name": {"  <Ada> "}})
	b.expect(address, 1, "<Ada>")
	loggedIn := b.token(address)
	if loggedIn == planted {
		t.Error("the token is the same after the login as before")
	}
	body := b.visit(address)
	if !strings.Contains(body, "&lt;Ada&gt;") || strings.Contains(body, "<Ada>") {
		t.Error("the page does not show the name as text")
	}
	expectNoSession(t, address, planted, "from before the login")

	b.post(address, "/logout", nil)
	if got := b.token(address); got != "" {
		t.Error("the browser still has a cookie after the logout")
	}
	expectNoSession(t, address, loggedIn, "from before the logout")
	b.visit(address)
	b.expect(address, 1, "")
}

// Of visits at the same time, all are counted.
func TestVisitsAtTheSameTime(t *testing.T) {
	t.Parallel()
	address := serve(t)
	b := newBrowser(t)
	b.visit(address)
	var visits sync.WaitGroup
	for range 8 {
		visits.Go(func() {
			response, body, err := b.try(http.MethodGet, address+"/", nil, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if response.StatusCode != http.StatusOK || !strings.HasPrefix(body, "<!doctype html>") {
				t.Errorf("%s; want 200 with a page", response.Status)
			}
		})
	}
	visits.Wait()
	b.expect(address, 1+8, "")
}

// expectNoSession uses a token of the past.
func expectNoSession(t *testing.T, address, token, which string) {
	t.Helper()
	cookie := http.Header{"Cookie": {"session=" + token}}
	_, body := newBrowser(t).do(http.MethodGet, address+"/api/session", nil, cookie)
	if !strings.Contains(body, `"visits":0,"user":"","expires":null`) {
		t.Errorf("the token %s still has a session", which)
	}
}

func TestLoginRefusesBadNames(t *testing.T) {
	t.Parallel()
	address := serve(t)
	b := newBrowser(t)
	b.visit(address)
	for what, form := range map[string]url.Values{
		"no name":     {},
		"only spaces": {"name": {"   "}},
		"too long":    {"name": {strings.Repeat("é", 41)}},
		"not UTF-8":   {"name": {"\xff"}},
		"NUL":         {"name": {"a\x00b"}},
		"a huge body": {"name": {"Eve"}, "rest": {strings.Repeat("x", 1<<20)}},
	} {
		if response, _ := b.do(http.MethodPost, address+"/login", form, nil); response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s; want 400", what, response.Status)
		}
	}
	b.expect(address, 1, "")
	b.post(address, "/login", url.Values{"name": {strings.Repeat("é", 40)}})
	b.expect(address, 1, strings.Repeat("é", 40))
}

func TestForeignPagesCannotPost(t *testing.T) {
	t.Parallel()
	address := serve(t)
	b := newBrowser(t)
	b.visit(address)
	for what, header := range map[string]http.Header{
		"another site":   {"Sec-Fetch-Site": {"cross-site"}},
		"another origin": {"Origin": {"http://127.0.0.1:1"}},
	} {
		for _, path := range []string{"/login", "/logout", "/demo", "/devices/end", "/devices/others"} {
			response, _ := b.do(http.MethodPost, address+path, url.Values{"name": {"Eve"}}, header)
			if response.StatusCode != http.StatusForbidden {
				t.Errorf("POST %s from %s: %s; want 403", path, what, response.Status)
			}
		}
	}
	b.expect(address, 1, "")
}

func TestCookieAndHeaders(t *testing.T) {
	t.Parallel()
	address := serve(t)
	response, body := newBrowser(t).do(http.MethodGet, address+"/", nil, nil)
	cookies := response.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies; want 1", len(cookies))
	}
	if c := cookies[0]; !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Error("the cookie is not HttpOnly, SameSite=Lax and for this host only")
	}
	policy := response.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
		t.Errorf("Content-Security-Policy = %q; want one that allows nothing by default", policy)
	}
	if got := response.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q; want no-store", got)
	}
	if strings.Contains(body, "<script") || strings.Contains(body, " style=") || strings.Contains(body, "//") {
		t.Error("the page has scripts, inline styles, or loads something from elsewhere")
	}
}

func TestSessionEndsAtItsExpiry(t *testing.T) {
	t.Parallel()
	const lifetime = time.Second
	address := serve(t, "-lifetime", lifetime.String())
	b := newBrowser(t)
	b.visit(address)
	cookie := http.Header{"Cookie": {"session=" + b.token(address)}}
	expires := b.session(address).Expires
	if expires == nil || time.Until(*expires) > lifetime {
		t.Fatalf("the session expires at %v; want within %v", expires, lifetime)
	}
	<-time.After(time.Until(*expires))
	_, body := newBrowser(t).do(http.MethodGet, address+"/api/session", nil, cookie)
	if !strings.Contains(body, `"visits":0`) {
		t.Error("the session is still there at its expiry")
	}
}

func TestStoppingClosesTheFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "q.db")
	b := newBrowser(t)
	for visits := 1; visits <= 2; visits++ {
		// Within one process, too, the file can be opened again only after it was closed.
		address, stop := start(t, "-db", file)
		b.visit(address)
		b.expect(address, visits, "")
		stop()
	}
}

func TestRelative(t *testing.T) {
	t.Parallel()
	for duration, want := range map[time.Duration]string{
		0:                                   "just now",
		-999 * time.Millisecond:             "just now",
		time.Second:                         "in 1 s",
		-time.Minute - 999*time.Millisecond: "1 min 0 s ago",
		24*time.Hour - time.Nanosecond:      "in 23 h 59 min",
		24 * time.Hour:                      "in 1 d 0 h",
		-(30*24 + 5) * time.Hour:            "30 d 5 h ago",
	} {
		if got := quickstart.Relative(duration); got != want {
			t.Errorf("relative(%v) = %q; want %q", duration, got, want)
		}
	}
}
