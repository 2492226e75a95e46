package scenarios_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/tests/faultproxy"
	"github.com/scsdynamo/scsdynamo/tests/webapp"
)

// broken are answers that no service means: those of a connection that broke off, and of what stands before the
// service.
var broken = map[string]faultproxy.Fault{
	"cut": faultproxy.Cut(), "HTML 408": faultproxy.HTML(http.StatusRequestTimeout),
	"HTML 429": faultproxy.HTML(http.StatusTooManyRequests), "HTML 502": faultproxy.HTML(http.StatusBadGateway),
	"HTML 503": faultproxy.HTML(http.StatusServiceUnavailable), "lost": faultproxy.LoseResponse(),
}

// TestT1_BrokenAnswerOnce checks that one broken answer is nothing that users get to know.
func TestT1_BrokenAnswerOnce(t *testing.T) {
	t.Parallel()
	for name, fault := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, webapp.Strategies(), webapp.Config{IdleTimeout: time.Hour, Table: newTable(t)}, func(s *site) {
				one := s.server()
				b := newBrowser()
				for n, target := range []string{"/inc?k=a", "/get", "/inc?k=a", "/login?user=u", "/inc?k=a"} {
					method := http.MethodPost
					if target == "/get" {
						method = http.MethodGet
					}
					for operation := range map[string]bool{"GetItem": true, "PutItem": true, "UpdateItem": true, "DeleteItem": true} {
						one.proxy.On(faultproxy.Operation(operation), 1, fault)
					}
					s.wantStatus(target, one.send(b, method, target), http.StatusOK)
					one.proxy.Reset()
					if n == 4 {
						if got := one.get(b, "/get").Reply; got.Counts["a"] != 3 || len(got.IDs) != 4 {
							s.Errorf("3 increments and a login left %+v", got)
						}
					}
				}
			})
		})
	}
}

// TestT1_BrokenAnswers checks what users are told where all answers are broken: to try again, where nothing can have
// been saved.
func TestT1_BrokenAnswers(t *testing.T) {
	t.Parallel()
	for name, fault := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := webapp.Config{Pause: time.Millisecond, Table: newTable(t)}
			each(t, webapp.Strategies(), config, func(s *site) {
				one, two := s.server(), s.server()
				b := newBrowser()
				two.set(b, "/inc?k=a")
				heal := one.proxy.On(faultproxy.Reads, -1, fault)
				answer := one.get(b, "/get")
				s.wantStatus("read", answer, http.StatusServiceUnavailable)
				if answer.RetryAfter == "" {
					s.Error("read: no Retry-After")
				}
				heal()
				heal = one.proxy.On(faultproxy.Operation("PutItem"), -1, fault)
				answer = one.post(b, "/inc?k=a")
				heal()
				n := two.get(b, "/get").Reply.Counts["a"]
				switch {
				case answer.OK() && n != 2:
					s.Errorf("acknowledged, and lost: %d", n)
				case answer.Status == http.StatusServiceUnavailable && n != 1:
					s.Errorf("told to try again, and saved: %d", n)
				case answer.Status == http.StatusServiceUnavailable && answer.RetryAfter == "":
					s.Error("write: no Retry-After")
				case !answer.OK() && answer.Status < http.StatusInternalServerError:
					s.Errorf("write: %d %s", answer.Status, answer.Body)
				}
				if fault.Applies() && !answer.OK() {
					s.Errorf("the write was applied, which a read would have told: %d %s", answer.Status, answer.Body)
				}
			})
		})
	}
}
