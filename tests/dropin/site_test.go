package dropin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// site is an application to which browsers send requests that overlap.
type site struct {
	t        *testing.T
	sessions *scs.SessionManager
	store    *sessionstore.Store
	mux      *http.ServeMux
	root     http.Handler
	server   *httptest.Server
}

// strategies are those under which requests overlap.
var strategies = map[string]func() lockstrategy.Strategy{
	"none":       lockstrategy.None,
	"merge":      func() lockstrategy.Strategy { return lockstrategy.Merge(nil) },
	"optimistic": lockstrategy.Optimistic,
	"lease":      func() lockstrategy.Strategy { return lockstrategy.Lease(lockstrategy.LeaseOptions{}) },
}

// all are the strategies by name; those that protect are all but none, which is as plain scs.
var (
	all      = []string{"none", "merge", "optimistic", "lease"}
	protects = all[1:]
)

// eachSite runs a test under each strategy, with an idle timeout and without.
func eachSite(t *testing.T, names []string, test func(*testing.T, *site)) {
	t.Helper()
	for _, name := range names {
		strategy := strategies[name]
		for _, idle := range []idle{noIdle, idleNow, idleAlways} {
			t.Run(name+"/"+string(idle), func(t *testing.T) {
				t.Parallel()
				options := []sessionstore.Option{
					sessionstore.WithStrategy(strategy()), sessionstore.WithReadOnly(sessionstore.SafeMethods),
				}
				if idle == idleAlways {
					options = append(options, sessionstore.WithTouchInterval(0))
				}
				store, err := sessionstore.New(memory.New(), options...)
				if err != nil {
					t.Fatal(err)
				}
				s := &site{t: t, sessions: newManager(store), store: store, mux: http.NewServeMux()}
				s.sessions.ErrorFunc = sessionstore.HandleError
				if idle != noIdle {
					s.sessions.IdleTimeout = idleTimeout
				}
				s.handle("POST /visit", func(_ http.ResponseWriter, r *http.Request) { s.sessions.Put(r.Context(), "lang", "en") })
				s.handle("POST /login", s.login)
				s.handle("POST /renew", func(_ http.ResponseWriter, r *http.Request) { s.renew(r) })
				s.handle("POST /logout", func(_ http.ResponseWriter, r *http.Request) {
					if err := s.sessions.Destroy(r.Context()); err != nil {
						t.Error(err)
					}
				})
				s.handle("GET /who", func(w http.ResponseWriter, r *http.Request) {
					_, _ = fmt.Fprint(w, s.sessions.GetString(r.Context(), "user"))
				})
				s.root = store.LoadAndSave(s.sessions)(s.mux)
				s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					s.root.ServeHTTP(w, r)
				}))
				t.Cleanup(s.server.Close)
				test(t, s)
			})
		}
	}
}

func (s *site) handle(pattern string, handle http.HandlerFunc) { s.mux.HandleFunc(pattern, handle) }

// wrap puts a middleware around everything, before the first request.
func (s *site) wrap(middleware func(http.Handler) http.Handler) { s.root = middleware(s.root) }

func (s *site) login(_ http.ResponseWriter, r *http.Request) {
	s.renew(r)
	s.sessions.Put(r.Context(), "user", "u")
}

func (s *site) renew(r *http.Request) {
	if err := s.sessions.RenewToken(r.Context()); err != nil {
		s.t.Error(err)
	}
}

// reply is what a browser makes of a response.
type reply struct {
	status int
	header http.Header
	body   string
	sets   bool   // it sets the cookie
	cookie string // to what; empty where it deletes it
}

// send sends a request with a cookie and no other.
func (s *site) send(method, path, cookie string) reply {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, s.server.URL+path, nil)
	if err != nil {
		s.t.Error(err)
		return reply{}
	}
	if cookie != "" {
		request.AddCookie(&http.Cookie{Name: "session", Value: cookie})
	}
	response, err := s.server.Client().Do(request)
	if err != nil {
		s.t.Errorf("%s %s: %v", method, path, err)
		return reply{}
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	a := reply{status: response.StatusCode, header: response.Header, body: string(body)}
	for _, c := range response.Cookies() {
		if c.Name == "session" {
			a.sets, a.cookie = true, c.Value
			if c.MaxAge < 0 {
				a.cookie = ""
			}
		}
	}
	return a
}

// ok sends a request that must succeed, and returns the browser's cookie after it.
func (s *site) ok(method, path, cookie string) string {
	s.t.Helper()
	a := s.send(method, path, cookie)
	if a.status != http.StatusOK {
		s.t.Fatalf("%s %s: %d %q", method, path, a.status, a.body)
	}
	return a.keep(cookie)
}

// keep returns the browser's cookie after the answer.
func (a reply) keep(cookie string) string {
	if a.sets {
		return a.cookie
	}
	return cookie
}

// wantUser fails the test unless the cookie is that of a user, "" for nobody.
func (s *site) wantUser(cookie, want, when string) {
	s.t.Helper()
	if a := s.send("GET", "/who", cookie); a.body != want {
		s.t.Errorf("%s: the browser is user %q, want %q (%d)", when, a.body, want, a.status)
	}
}

// live returns how many sessions a user has.
func (s *site) live(user string) int {
	s.t.Helper()
	return len(s.sessionsOf(user))
}

// values returns what is stored in the one session of a user, nil where there is none.
func (s *site) values(user string) map[string]any {
	s.t.Helper()
	all := s.sessionsOf(user)
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

func (s *site) sessionsOf(user string) (all []map[string]any) {
	s.t.Helper()
	for session, err := range s.store.Sessions(context.Background()) {
		if err != nil {
			s.t.Fatal(err)
		}
		if _, values, err := s.sessions.Codec.Decode(session.Data); err == nil && values["user"] == user {
			all = append(all, values)
		}
	}
	return all
}
