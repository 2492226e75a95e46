package sessionstore_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// A cookie that scs's own middleware within ours has set for a session of which nothing was stored is removed, and
// nothing else.
func TestT2_CookieOfAMiddlewareWithin(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		outside, inside []string // cookies of others
		cacheControl    []string // what is left of it
	}{
		"alone":            {nil, nil, []string{"private"}},
		"with one inside":  {nil, []string{"theme=dark"}, []string{"private", `no-cache="Set-Cookie"`}},
		"with one outside": {[]string{"lang=en"}, nil, []string{"private", `no-cache="Set-Cookie"`}},
		"with both":        {[]string{"lang=en"}, []string{"theme=dark"}, []string{"private", `no-cache="Set-Cookie"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVisitor(t, newHooked())
			v.sessions.IdleTimeout = time.Hour
			token := v.begin(map[string]any{"cart": 1})
			handler := v.store.LoadAndSave(v.sessions)(v.sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter,
				_ *http.Request,
			) {
				w.Header().Add("Cache-Control", "private")
				for _, cookie := range test.inside {
					w.Header().Add("Set-Cookie", cookie)
				}
			})))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.AddCookie(&http.Cookie{Name: v.sessions.Cookie.Name, Value: token})
			w := httptest.NewRecorder()
			for _, cookie := range test.outside {
				w.Header().Add("Set-Cookie", cookie)
			}
			handler.ServeHTTP(w, r)
			header := w.Result().Header
			if got, want := header.Values("Set-Cookie"), slices.Concat(test.outside, test.inside); !slices.Equal(got, want) {
				t.Errorf("cookies %q; want %q", got, want)
			}
			if got := header.Values("Cache-Control"); !slices.Equal(got, test.cacheControl) {
				t.Errorf("Cache-Control %q; want %q", got, test.cacheControl)
			}
		})
	}
}

// A response without a cookie keeps what its handler has said of caching, also where the session's is not sent.
func TestT2_NoCookieLeavesTheCaching(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHooked())
	v.sessions.IdleTimeout = time.Hour
	token := v.begin(map[string]any{"cart": 1})
	handler := v.store.LoadAndSave(v.sessions)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Cache-Control", `no-cache="Set-Cookie"`)
	}))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: v.sessions.Cookie.Name, Value: token})
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	header := w.Result().Header
	if got := header.Values("Cache-Control"); !slices.Equal(got, []string{`no-cache="Set-Cookie"`}) ||
		len(header.Values("Set-Cookie")) > 0 {
		t.Errorf("Cache-Control %q, cookies %q; want the handler's, and none", got, header.Values("Set-Cookie"))
	}
}

// A cookie that comes too late is told of in the log, once; where the client has it already, it is not.
func TestLateCookieIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	v := newVisitor(t, newHooked(), sessionstore.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	late := func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		v.put("late")(w, r)
	}
	token := v.begin(map[string]any{"a": 1})
	v.own(token, late)
	if log.Len() > 0 {
		t.Errorf("logged %q although the client has the cookie", log.String())
	}
	v.own("", late)
	v.own("another", late)
	if n := strings.Count(log.String(), "cookie of a new session is not sent"); n != 1 {
		t.Errorf("told %d times; want once:\n%s", n, log.String())
	}
	for _, token := range []string{"", "another"} {
		log.Reset()
		v.store = newStore(t, nil, sessionstore.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		v.sessions.Store = v.store
		if v.own(token, late); log.Len() == 0 {
			t.Errorf("with the cookie %q, nothing was logged", token)
		}
	}
}

// A handler that has put what was there already, without an idle timeout, gets no cookie of a session that has ended
// meanwhile.
func TestT2_SameValueAfterTheEnd(t *testing.T) {
	t.Parallel()
	withoutLocks(t, func(t *testing.T, _ *hooked, v *visitor) {
		for what, test := range map[string]struct {
			meanwhile http.HandlerFunc
			cookie    bool
		}{"logged out": {v.logout, false}, "still there": {nothing, true}} {
			token := v.begin(map[string]any{"cart": true})
			answer := v.own(token, func(w http.ResponseWriter, r *http.Request) {
				v.put("cart")(w, r)
				v.visit(token, test.meanwhile)
			})
			if answer.status != http.StatusOK || (answer.token == token) != test.cookie {
				t.Errorf("%s: %+v", what, answer)
			}
		}
	})
}

// Within scs's own middleware, which has loaded the session, ours does what that does.
func TestWithinTheMiddlewareOfScs(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, _ *hooked, v *visitor) {
		token := v.begin(map[string]any{"a": 1})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.AddCookie(&http.Cookie{Name: v.sessions.Cookie.Name, Value: token})
		w := httptest.NewRecorder()
		v.sessions.LoadAndSave(v.store.LoadAndSave(v.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v.put("b")(w, r)
			w.WriteHeader(http.StatusTeapot)
		}))).ServeHTTP(w, r)
		if w.Code != http.StatusTeapot {
			t.Errorf("status %d; want the handler's", w.Code)
		}
		v.want("the session", token, "a b")
	})
}
