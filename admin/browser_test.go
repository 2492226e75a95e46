package admin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/tests/browsertest"
)

// Real browsers lay the page out without overflow, with contrast, with nothing that axe finds, and without anything
// that its policy forbids: before a search and after it, with hostile names, long lists, and errors.
func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	a := newApplication(t, "user", "tenant")
	a.logIn("phone-token", "alice", map[string]string{
		"browser": "Safari on iPhone", "place": "Rome, Italy", "note": "\u202egnp.exe <b>\"'&",
	})
	a.logIn("laptop-token", "alice", map[string]string{"browser": "Firefox on Windows", "place": "Vienna, Austria"})
	a.logIn("tablet-token", "alice", nil)
	hostile := strings.Repeat("wide", 60) + "\u202e<script>alert(1)</script>"
	a.logIn("hostile-token", hostile, map[string]string{"x": strings.Repeat("m", 128), hostile[:60]: "v"})
	for i := range 60 {
		a.logIn(fmt.Sprint("many-", i), "many", map[string]string{"browser": "curl"})
	}
	mux := http.NewServeMux()
	mux.Handle("/admin/sessions/", http.StripPrefix("/admin/sessions", a.page))
	mux.Handle("/admin/fine/", http.StripPrefix("/admin/fine", http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { a.page.ServeHTTP(fine{w}, r) })))
	server := httptest.NewServer(mux)
	defer server.Close()
	of := func(owner string) string {
		return server.URL + "/admin/sessions/?" + url.Values{"index": {"user"}, "owner": {owner}}.Encode()
	}
	for _, test := range []struct {
		name, url string
		says      []string
	}{
		{"first", server.URL + "/admin/sessions/", []string{"Sessions", "Show sessions"}},
		{"list", of("alice"), []string{"Sessions of alice", "3 live sessions", "Safari on iPhone", "End all sessions …"}},
		{"hostile", of(hostile), []string{`wide\u202e<script>alert(1)</script>`}},
		{"many", of("many"), []string{"The latest 25 live sessions", "Earlier sessions"}},
		{"nobody", of("carol"), []string{"No live sessions", "capitals"}},
		{"gone", of("alice") + "&after=sha256:0", []string{"No more sessions", "Back to the latest"}},
	} {
		b.Open(test.url, 1200, "light")
		b.Check("admin-"+test.name, test.says...)
	}
	b.Open(of("alice"), 1200, "light")
	b.Eval(`(document.querySelector("details").open = true, "")`, nil)
	b.Check("admin-ask", "Later logins are not: to keep somebody out, lock the account first.")
	b.Follow(`document.querySelector("form[action=end] button").click()`)
	b.Check("admin-ended", "1 session was ended.", "2 live sessions")
	b.Open(server.URL+"/admin/fine/?index=user&owner="+strings.Repeat("long", 200), 1200, "light")
	b.Check("admin-wrong", "a name has at most 512 bytes", "Show sessions")
	if a.lives("tablet-token") || !a.lives("laptop-token") {
		t.Error("another session has ended than the first of the list")
	}
}

// fine answers with 200 in any case: browsers complain of pages that have another status.
type fine struct{ http.ResponseWriter }

func (w fine) WriteHeader(int) { w.ResponseWriter.WriteHeader(http.StatusOK) }

// All of it can be done by the keyboard alone.
func TestPageByTheKeyboard(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	a := newApplication(t, "user")
	a.logIn("phone-token", "alice", nil)
	a.logIn("laptop-token", "alice", nil)
	server := httptest.NewServer(a.page)
	defer server.Close()
	focused := func() (what string) {
		t.Helper()
		b.Eval(`JSON.stringify(document.activeElement.innerText || document.activeElement.id)`, &what)
		return what
	}
	tabTo := func(what string) {
		t.Helper()
		for range 10 {
			if b.Press("Tab"); focused() == what {
				return
			}
		}
		t.Fatalf("Tab does not lead to %q; the focus is on %q", what, focused())
	}
	b.Open(server.URL+"/?owner=alice", 1200, "light")
	tabTo("owner")
	tabTo("Show sessions")
	b.PressToFollow("Enter")
	tabTo("End all sessions …")
	tabTo("End")
	b.PressToFollow("Enter")
	if a.lives("laptop-token") || !a.lives("phone-token") {
		t.Error("another session has ended than the first of the list")
	}
	tabTo("End all sessions …")
	b.Press("Enter")
	tabTo("End all sessions")
	b.PressToFollow("Enter")
	if page := b.Look(); !strings.Contains(page.Text, "1 session was ended.") || len(page.Problems) > 0 ||
		a.lives("phone-token") {
		t.Errorf("after all that, the page says %q, with the problems %q", page.Text, page.Problems)
	}
}
