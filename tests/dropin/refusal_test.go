package dropin

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// TestEndedMeanwhile has another request end the session while a handler changes it: the handler's writer says so, and
// the client gets 409, no cookie, and the headers that middlewares inside of ours have set for every answer.
func TestEndedMeanwhile(t *testing.T) {
	t.Parallel()
	eachSite(t, protects, func(t *testing.T, s *site) {
		t.Helper()
		cors := func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Access-Control-Allow-Origin", "https://a.example")
				next.ServeHTTP(w, r)
			})
		}
		s.mux.Handle("GET /change", cors(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := s.store.Delete(s.sessions.Token(r.Context())); err != nil {
				t.Error(err)
			}
			s.sessions.Put(r.Context(), "x", 1)
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("ETag", `"1"`)
			_, err := w.Write([]byte("{}"))
			if !errors.Is(err, sessionstore.ErrSessionGone) {
				t.Errorf("Write: %v; want ErrSessionGone", err)
			}
		})))
		a := s.send("GET", "/change", s.ok("POST", "/login", ""))
		if a.status != http.StatusConflict || a.sets || strings.Contains(a.body, "{}") {
			t.Errorf("%d %q, a cookie: %v; want 409, the error page alone and no cookie", a.status, a.body, a.sets)
		}
		if got := a.header.Get("Access-Control-Allow-Origin"); got != "https://a.example" {
			t.Errorf("the error page has Access-Control-Allow-Origin %q: a browser hides it from the page that asked", got)
		}
		if got := a.header.Get("Content-Type"); got != "text/plain; charset=utf-8" || a.header.Get("ETag") != "" {
			t.Errorf("the error page has Content-Type %q and ETag %q of another body", got, a.header.Get("ETag"))
		}
		if live := s.live("u"); live != 0 {
			t.Error("the session was brought back")
		}
	})
}
