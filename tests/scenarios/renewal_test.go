package scenarios_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/tests/faultproxy"
	"github.com/scsdynamo/scsdynamo/tests/webapp"
)

// TestI2I3_LogoutWhileRenewing checks that a renewal brings back no session that was ended while its handler ran.
func TestI2I3_LogoutWhileRenewing(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/renew?", "/login?user=u&"} {
		t.Run(target[1:6], func(t *testing.T) {
			t.Parallel()
			each(t, webapp.Strict(), webapp.Config{}, func(s *site) {
				one, two := s.server(), s.server()
				b := newBrowser()
				one.set(b, "/inc?k=a")
				old := b.Token()
				renewal := one.beginAt("renewing", b, http.MethodPost, target)
				s.wantStatus("logout", two.post(with(old), "/logout"), http.StatusOK)
				one.Gate("renewing").Open()
				s.wantStatus("the renewal of a session that was ended", renewal.answer(), http.StatusConflict)
				for _, token := range []string{old, renewal.response.Got} {
					if token != "" && two.live(token) {
						s.Error("a session that was ended is accepted again")
					}
				}
			})
		})
	}
}

// TestI3_RenewalWhileLoggingOut checks that a logout which has seen the session ends it, although it has got another
// token meanwhile; or that it says that it did not.
func TestI3_RenewalWhileLoggingOut(t *testing.T) {
	t.Parallel()
	each(t, webapp.Strict(), webapp.Config{}, func(s *site) {
		one, two := s.server(), s.server()
		b := newBrowser()
		one.set(b, "/inc?k=a")
		old := b.Token()
		logout := one.beginAt("leaving", b, http.MethodPost, "/logout?")
		renewal := two.post(with(old), "/renew")
		s.wantStatus("renewal", renewal, http.StatusOK)
		one.Gate("leaving").Open()
		answer := logout.answer()
		if two.live(old) {
			s.Error("the old token is accepted")
		}
		if answer.OK() && two.live(renewal.Got) {
			s.Error("the logout was acknowledged, and the session that it has seen lives on")
		}
	})
}

// TestT3_TwoRenewalsAtOnce checks that two renewals of one session leave one.
func TestT3_TwoRenewalsAtOnce(t *testing.T) {
	t.Parallel()
	each(t, []string{"optimistic", "merge"}, webapp.Config{}, func(s *site) { // under Lease the second one waits
		one, two := s.server(), s.server()
		b := newBrowser()
		one.set(b, "/inc?k=a")
		old := b.Token()
		first := one.beginAt("first", b, http.MethodPost, "/login?user=u&")
		second := two.beginAt("second", b, http.MethodPost, "/login?user=u&")
		one.Gate("first").Open()
		s.wantStatus("the first renewal", first.answer(), http.StatusOK)
		two.Gate("second").Open()
		if second.answer().Status == http.StatusInternalServerError {
			s.Errorf("the second renewal: %s", second.response.Body)
		}
		live := map[string]bool{}
		for _, token := range []string{old, first.response.Got, second.response.Got} {
			if token != "" && one.live(token) {
				live[token] = true
			}
		}
		if len(live) != 1 {
			s.Errorf("of one session there are %d now", len(live))
		}
		if token := second.response.Got; token != "" && !live[token] {
			s.Error("the second renewal has set the cookie of a session that is not there")
		}
	})
}

// TestT3_FailedRenewal checks that whoever could not renew the token has the session still, with all that is in it,
// whichever of the writes of the renewal has failed; or that it is not known.
func TestT3_FailedRenewal(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for name, fault := range map[string]faultproxy.Fault{
		"throttled": faultproxy.Throttle(), "denied": faultproxy.Refuse(http.StatusBadRequest, "AccessDeniedException"),
		"lost requests": faultproxy.LoseRequest(), "lost responses": faultproxy.LoseResponse(), "cut": faultproxy.Cut(),
	} {
		for passes := range 3 {
			for _, healed := range []bool{true, false} { // whether what comes after the writes works again
				match := faultproxy.Match(faultproxy.Any)
				if healed {
					match = faultproxy.Operation("PutItem")
				}
				t.Run(fmt.Sprintf("%s_%d_%v", name, passes, healed), func(t *testing.T) {
					t.Parallel()
					each(t, webapp.Strict(), webapp.Config{Pause: time.Millisecond, Table: table}, func(s *site) {
						one, two := s.server(), s.server()
						b := newBrowser()
						one.set(b, "/inc?k=a")
						old := b.Token()
						renewal := one.beginAt("renewing", b, http.MethodPost, "/login?user=u&")
						one.proxy.On(match, passes, faultproxy.Pass())
						heal := one.proxy.On(match, -1, fault)
						one.Gate("renewing").Open()
						answer := renewal.answer()
						heal()
						left := two.get(with(old), "/get").Reply
						switch {
						case answer.OK():
							if !two.live(answer.Got) || left.Lineage != "" {
								s.Errorf("the renewal was acknowledged, and the old session is %+v", left)
							}
						case answer.Unknown():
						case left.Counts["a"] != 1 || left.User != "":
							s.Errorf("%d %s; and the old session is %+v", answer.Status, answer.Body, left)
						}
						if !answer.OK() && (answer.Got != "" || answer.Dropped) {
							s.Error("the answer changes the cookie, although nothing was renewed")
						}
					})
				})
			}
		}
	}
}

// TestT3_BurstOfRenewals checks that a page whose requests all renew the token, at once, logs nobody out.
func TestT3_BurstOfRenewals(t *testing.T) {
	t.Parallel()
	const requests = 8
	each(t, webapp.Strict(), webapp.Config{}, func(s *site) {
		one, two := s.server(), s.server()
		b := newBrowser()
		one.set(b, "/login?user=u")
		var all []*pending
		for i := range requests {
			all = append(all, []*server{one, two}[i%2].begin(b, http.MethodPost, fmt.Sprintf("/inc?k=k%d&renew=yes", i)))
		}
		renewed := 0
		for _, p := range all {
			if answer := p.answer(); answer.Got != "" { // as a browser keeps it, whichever comes last
				b.SetToken(answer.Got)
				renewed++
			}
			if p.response.Status >= http.StatusInternalServerError {
				s.Errorf("%d %s", p.response.Status, p.response.Body)
			}
		}
		if left := two.get(b, "/get").Reply; renewed == 0 || left.User != "u" {
			s.Errorf("after %d renewals the browser has %+v", renewed, left)
		}
	})
}

// TestT2_OldTokenAfterRenewal checks that a request which still has the old token, as it was sent before the answer of
// the renewal came, does not put a new session in the place of the one that the browser has now.
func TestT2_OldTokenAfterRenewal(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/inc?k=a", "/renew"} {
		t.Run(target[1:4], func(t *testing.T) {
			t.Parallel()
			each(t, webapp.Strict(), webapp.Config{}, func(s *site) {
				one, two := s.server(), s.server()
				b := newBrowser()
				one.set(b, "/inc?k=a")
				old := b.Token()
				s.wantStatus("login", one.post(b, "/login?user=u"), http.StatusOK)
				late := two.post(with(old), target)
				if late.Got != "" {
					b.SetToken(late.Got)
				}
				if left := two.get(b, "/get").Reply; left.User != "u" {
					s.Errorf("a request with the old token has put a new session in the place of the login's: %d, %+v",
						late.Status, left)
				}
			})
		})
	}
}

// TestT2_ReaderOfOldToken checks that a reader which was there before a renewal does not send the old token again.
func TestT2_ReaderOfOldToken(t *testing.T) {
	t.Parallel()
	for _, touch := range []bool{true, false} {
		t.Run(map[bool]string{true: "touch", false: "within the touch interval"}[touch], func(t *testing.T) {
			t.Parallel()
			config := webapp.Config{IdleTimeout: time.Hour, Lifetime: 24 * time.Hour, TouchAlways: touch}
			each(t, webapp.Strict(), config, func(s *site) {
				one, two := s.server(), s.server()
				b := newBrowser()
				one.set(b, "/inc?k=a")
				reader := one.beginAt("reading", b, http.MethodGet, "/visit?")
				s.wantStatus("login", two.post(b, "/login?user=u"), http.StatusOK)
				one.Gate("reading").Open()
				s.wantStatus("reader", reader.answer(), http.StatusOK)
				if got := reader.response.Got; got != "" && !two.live(got) {
					s.Error("the reader has sent the old token again")
				}
			})
		})
	}
}
