package scenarios_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/tests/faultproxy"
	"github.com/scsdynamo/scsdynamo/tests/webapp"
)

// TestI8_InventedToken checks what a cookie costs that names no session: reads alone, whoever asks.
func TestI8_InventedToken(t *testing.T) {
	t.Parallel()
	for _, secrets := range [][]byte{nil, {1}, {2, 1}} {
		t.Run(string('0'+byte(len(secrets))), func(t *testing.T) {
			t.Parallel()
			each(t, webapp.Strategies(), webapp.Config{Secrets: secrets}, func(s *site) {
				one := s.server()
				for _, target := range []string{"/get", "/visit"} {
					s.wantStatus(target, one.get(with("invented"), target), http.StatusOK)
				}
				s.wantStatus("renewal", one.post(with("invented"), "/deadline?in=x"), http.StatusInternalServerError)
				for _, operation := range []string{"PutItem", "UpdateItem", "DeleteItem"} {
					if n := one.proxy.Count(operation); n > 0 {
						s.Errorf("an invented cookie costs %d of %s", n, operation)
					}
				}
			})
		})
	}
}

// TestI9_QuotedRequest checks that the log has no token although a gateway quotes the request that it refuses.
func TestI9_QuotedRequest(t *testing.T) {
	t.Parallel()
	each(t, webapp.Strategies(), webapp.Config{}, func(s *site) {
		one, two := s.server(), s.server()
		b := newBrowser()
		two.set(b, "/put?k=v&v=confidential")
		for _, match := range []faultproxy.Match{faultproxy.Reads, faultproxy.Writes} {
			heal := one.proxy.On(match, -1, faultproxy.RefuseWith(http.StatusBadRequest, "ValidationException",
				"cannot parse $BODY"))
			for _, answer := range []webapp.Response{one.get(b, "/get"), one.post(b, "/inc?k=a"), one.post(b, "/logout")} {
				if strings.Contains(answer.Body, b.Token()) && !answer.OK() {
					s.Error("an answer has the token")
				}
			}
			heal()
		}
		if strings.Contains(one.log.String(), b.Token()) || strings.Contains(answers.String(), b.Token()) {
			s.Error("the log has the token")
		}
	})
}
