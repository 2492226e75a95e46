package scenarios_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/tests/faultproxy"
	"github.com/scsdynamo/scsdynamo/tests/webapp"
)

// impatient is a client that gives up an attempt soon.
var impatient = webapp.Config{
	AttemptTimeout: 200 * time.Millisecond, OperationTimeout: 20 * time.Second,
	Pause: time.Millisecond,
}

// TestI2_CreateThatArrivesLate checks that a session which was ended is not made once more by the write that was to
// make it, and that was held up on its way until then.
func TestI2_CreateThatArrivesLate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ create, end string }{
		"login, logout":              {"/login?user=u", "/logout"},
		"first change, logout":       {"/inc?k=a", "/logout"},
		"first change, then renewed": {"/inc?k=a", "/login?user=u"},
	} {
		for _, secrets := range [][]byte{nil, {1}, {2, 1}} {
			t.Run(name+" "+string('0'+byte(len(secrets))), func(t *testing.T) {
				t.Parallel()
				config := impatient
				config.Secrets = secrets
				each(t, webapp.Strict(), config, func(s *site) {
					one, two := s.server(), s.server()
					b := newBrowser()
					held := one.proxy.Hold(faultproxy.Operation("PutItem"), 1)
					s.wantStatus("create", one.post(b, c.create), http.StatusOK)
					token := b.Token()
					s.wantStatus("end", two.post(b, c.end), http.StatusOK)
					s.must("deliver", held.Release(s.ctx))
					if one.live(token) || two.live(token) {
						s.Error("a session that was ended is accepted again, as its first write has arrived late")
					}
				})
			})
		}
	}
}

// TestI2_CreateOfWrongClock checks the same where the clock of either process is wrong by an hour.
func TestI2_CreateOfWrongClock(t *testing.T) {
	t.Parallel()
	for _, skews := range [][2]time.Duration{
		{time.Hour, 0},
		{-time.Hour, 0},
		{0, time.Hour},
		{0, -time.Hour},
		{time.Hour, -time.Hour},
		{-time.Hour, time.Hour},
	} {
		for _, end := range []string{"/logout", "/login?user=u"} {
			t.Run(fmt.Sprintf("%v_%v_%s", skews[0], skews[1], end[1:7]), func(t *testing.T) {
				t.Parallel()
				config := impatient
				config.Lifetime = 24 * time.Hour
				each(t, webapp.Strict(), config, func(s *site) {
					one, two, right := s.server(), s.server(), s.server()
					one.SetSkew(skews[0])
					two.SetSkew(skews[1])
					b := newBrowser()
					held := one.proxy.Hold(faultproxy.Operation("PutItem"), 1)
					s.wantStatus("create", one.post(b, "/inc?k=a"), http.StatusOK)
					token := b.Token()
					s.wantStatus("end", two.post(b, end), http.StatusOK)
					s.must("deliver", held.Release(s.ctx))
					if one.live(token) || two.live(token) || right.live(token) {
						s.Error("a session that was ended is accepted again, as its first write has arrived late")
					}
				})
			})
		}
	}
}

// TestI2_RenewalThatArrivesLate checks the same of the write that makes the session under its new token.
func TestI2_RenewalThatArrivesLate(t *testing.T) {
	t.Parallel()
	each(t, webapp.Strict(), impatient, func(s *site) {
		one, two := s.server(), s.server()
		b := newBrowser()
		one.set(b, "/inc?k=a")
		held := one.proxy.Hold(faultproxy.Operation("PutItem"), 1)
		s.wantStatus("login", one.post(b, "/login?user=u"), http.StatusOK)
		token := b.Token()
		s.wantStatus("logout", two.post(b, "/logout"), http.StatusOK)
		s.must("deliver", held.Release(s.ctx))
		if one.live(token) || two.live(token) {
			s.Error("a session that was ended is accepted again, as its renewal has arrived late")
		}
	})
}

// TestT1_WriteThatArrivesLate checks that nobody is told that nothing was saved, or to try again, whose write is still
// on its way and is stored when it arrives.
func TestT1_WriteThatArrivesLate(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/inc?k=a", "/login?user=u"} {
		for _, existing := range []bool{true, false} {
			name := target[1:4] + " of a new session"
			if existing {
				name = target[1:4] + " of a session"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				config := impatient
				config.AttemptTimeout, config.OperationTimeout = 100*time.Millisecond, 300*time.Millisecond
				each(t, webapp.Strategies(), config, func(s *site) {
					one, two := s.server(), s.server()
					b := newBrowser()
					if existing {
						two.set(b, "/inc?k=before")
					}
					old := b.Token()
					held := one.proxy.Hold(faultproxy.Operation("PutItem"), -1)
					answer := one.post(b, target)
					s.must("deliver", held.Release(s.ctx))
					if answer.OK() && !two.live(b.Token()) {
						s.Error("acknowledged, and lost")
					}
					if answer.OK() || answer.Unknown() {
						return
					}
					if existing {
						left := two.get(with(old), "/get").Reply
						if left.Counts["before"] != 1 || left.Counts["a"] != 0 || left.User != "" {
							s.Errorf("%d %s; and then the session is %+v", answer.Status, answer.Body, left)
						}
						return
					}
					all, err := two.Store.AllCtx(s.ctx)
					s.must("list", err)
					if len(all) != 0 {
						s.Errorf("%d %s; and then there are %d sessions", answer.Status, answer.Body, len(all))
					}
				})
			})
		}
	}
}
