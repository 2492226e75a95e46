package dropin

import (
	"net/http"
	"testing"
)

// TestClientGone has the client go away while a handler works. What the handler has finished is stored, as with plain
// scs, and a logout happens.
func TestClientGone(t *testing.T) {
	t.Parallel()
	for name, work := range map[string]func(*site, *http.Request){
		"put":    func(s *site, r *http.Request) { s.sessions.Put(r.Context(), "paid", true) },
		"logout": func(s *site, r *http.Request) { _ = s.sessions.Destroy(r.Context()) },
		"renew":  func(s *site, r *http.Request) { _ = s.sessions.RenewToken(r.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachSite(t, all, func(t *testing.T, s *site) {
				t.Helper()
				began, finished := make(chan struct{}), make(chan struct{})
				s.handle("POST /work", func(_ http.ResponseWriter, r *http.Request) {
					close(began)
					<-r.Context().Done()
					work(s, r)
				})
				s.wrap(func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						next.ServeHTTP(w, r)
						if r.URL.Path == "/work" {
							close(finished)
						}
					})
				})
				cookie := s.ok("POST", "/login", "")
				browser := dial(t, &app{server: s.server})
				browser.send(withCookie(ask("POST", "/work", ""), "session="+cookie))
				<-began
				_ = browser.conn.Close()
				<-finished

				values := s.values("u")
				switch {
				case name == "logout" && values != nil:
					t.Errorf("the session is still there: %v", values)
				case name == "put" && values["paid"] != true:
					t.Errorf("stored is %v: the work of the handler is lost", values)
				case name == "renew" && values == nil:
					t.Error("the renewal has lost the session")
				}
			})
		})
	}
}
