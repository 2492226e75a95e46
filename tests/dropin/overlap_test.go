package dropin

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestT3_BurstOfRenewals sends requests that all renew the token, at once and with one cookie, as a page does whose
// every request renews. Whichever response the browser sees last, it is still logged in.
func TestT3_BurstOfRenewals(t *testing.T) {
	t.Parallel()
	for _, puts := range []bool{false, true} {
		t.Run(fmt.Sprintf("puts=%v", puts), func(t *testing.T) {
			t.Parallel()
			eachSite(t, all, func(t *testing.T, s *site) {
				t.Helper()
				const requests = 8
				var read sync.WaitGroup // until every request has read the session
				read.Add(requests)
				meet := !strings.Contains(t.Name(), "/lease/") // there, they come one after the other
				s.handle("POST /burst/{n}", func(_ http.ResponseWriter, r *http.Request) {
					if meet {
						read.Done()
						read.Wait()
					}
					s.renew(r)
					if puts {
						s.sessions.Put(r.Context(), "key"+r.PathValue("n"), true)
					}
				})
				cookie := s.ok("POST", "/login", "")
				answers := make([]reply, requests)
				var burst sync.WaitGroup
				for i := range answers {
					burst.Go(func() { answers[i] = s.send("POST", fmt.Sprint("/burst/", i), cookie) })
				}
				burst.Wait()

				succeeded, lasts := 0, map[string]bool{}
				for _, a := range answers {
					switch {
					case a.status == http.StatusOK:
						succeeded++
					case a.status != http.StatusConflict || a.sets:
						t.Errorf("%d %q, cookie %v; want 200, or 409 without a cookie", a.status, a.body, a.sets)
					}
					if a.sets { // in some order of the responses, it is the last one that the browser sees
						lasts[a.cookie] = true
					}
				}
				if succeeded == 0 {
					t.Error("no request succeeded")
				}
				if len(lasts) == 0 {
					lasts[cookie] = true
				}
				for last := range lasts {
					s.wantUser(last, "u", "after the burst")
				}
				if live := s.live("u"); live != 1 && !strings.Contains(t.Name(), "/none/") {
					t.Errorf("the user has %d sessions, want 1", live)
				}
			})
		})
	}
}

// TestT2_SlowReader has a request that only reads begin before the session moves or ends, and answer after that. Its
// response must not take the browser back.
func TestT2_SlowReader(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		path, before, after string // who the user is
	}{
		{"/login", "", "u"},
		{"/logout", "u", ""},
		{"/renew", "u", "u"},
	} {
		t.Run(strings.Trim(test.path, "/"), func(t *testing.T) {
			t.Parallel()
			eachSite(t, all, func(t *testing.T, s *site) {
				t.Helper()
				began, goOn := make(chan struct{}), make(chan struct{})
				s.handle("GET /slow", func(w http.ResponseWriter, r *http.Request) {
					_ = s.sessions.GetString(r.Context(), "user")
					close(began)
					<-goOn
					_, _ = fmt.Fprint(w, "read")
				})
				cookie := s.ok("POST", "/visit", "")
				if test.before != "" {
					cookie = s.ok("POST", "/login", cookie)
				}
				slow := make(chan reply)
				go func() { slow <- s.send("GET", "/slow", cookie) }()
				<-began
				now := s.ok("POST", test.path, cookie)
				close(goOn)
				a := <-slow
				if a.status != http.StatusOK || a.body != "read" {
					t.Errorf("the reader got %d %q; readers are in nobody's way", a.status, a.body)
				}
				s.wantUser(a.keep(now), test.after, "after the reader's answer")
				if now != cookie {
					s.wantUser(cookie, "", "with the old cookie")
				}
			})
		})
	}
}

// TestT3_PollDuringLogin has a request with the old cookie, which puts a value as the CSRF middlewares do, overlap a
// login, or come right after it. The session that it would begin must not take the place of the login's.
func TestT3_PollDuringLogin(t *testing.T) {
	t.Parallel()
	for _, during := range []bool{true, false} {
		t.Run(map[bool]string{true: "during", false: "after"}[during], func(t *testing.T) {
			t.Parallel()
			eachSite(t, protects, func(t *testing.T, s *site) {
				t.Helper()
				renewed, answerLogin := make(chan struct{}), make(chan struct{})
				loaded, goOn := make(chan struct{}), make(chan struct{})
				s.handle("POST /slow-login", func(w http.ResponseWriter, r *http.Request) {
					s.login(w, r)
					close(renewed)
					<-answerLogin
				})
				s.handle("GET /poll", func(_ http.ResponseWriter, r *http.Request) {
					close(loaded)
					<-goOn
					s.sessions.Put(r.Context(), "csrf", "token")
				})
				old := s.ok("POST", "/visit", "")
				login, poll := make(chan reply, 1), make(chan reply, 1)
				go func() { login <- s.send("POST", "/slow-login", old) }()
				<-renewed
				var in reply
				finish := func() {
					close(answerLogin)
					in = <-login
				}
				if !during {
					finish()
				}
				go func() { poll <- s.send("GET", "/poll", old) }()
				<-loaded
				if during {
					finish()
				}
				close(goOn)
				polled := <-poll

				if in.status != http.StatusOK || !in.sets {
					t.Fatalf("login: %d %q", in.status, in.body)
				}
				if polled.status != http.StatusConflict || polled.sets {
					t.Errorf("poll: %d %q, a cookie: %v; want 409 and no cookie", polled.status, polled.body, polled.sets)
				}
				s.wantUser(polled.keep(in.cookie), "u", "after the poll's answer")
			})
		})
	}
}
