package scenarios_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/tests/faultproxy"
	"github.com/scsdynamo/scsdynamo/tests/webapp"
)

// TestI1_ValueThatDoesNotEqualItself checks that a value which nobody has touched is nobody's change, although it is
// NaN.
func TestI1_ValueThatDoesNotEqualItself(t *testing.T) {
	t.Parallel()
	each(t, []string{"merge"}, webapp.Config{}, func(s *site) {
		one, two := s.server(), s.server()
		b := newBrowser()
		two.set(b, "/put?k=price&v=NaN")
		slow := one.beginAt("slow", b, http.MethodPost, "/inc?k=a&")
		s.wantStatus("the price", two.post(b, "/put?k=price&v=5"), http.StatusOK)
		one.Gate("slow").Open()
		s.wantStatus("another value", slow.answer(), http.StatusOK)
		if got := two.get(b, "/get").Reply; got.Others["price"] != "5" || got.Counts["a"] != 1 {
			s.Errorf("the price was set to 5, and a counter to 1: %+v", got)
		}
	})
	each(t, []string{"optimistic"}, webapp.Config{IdleTimeout: time.Hour}, func(s *site) {
		one, two := s.server(), s.server()
		b := newBrowser()
		two.set(b, "/put?k=price&v=NaN")
		reader := one.beginAt("reading", b, http.MethodGet, "/visit?")
		s.wantStatus("a change", two.post(b, "/inc?k=a"), http.StatusOK)
		one.Gate("reading").Open()
		s.wantStatus("a reader", reader.answer(), http.StatusOK)
	})
}

// TestI1_EngineWithoutItem checks that an engine which does not tell what has failed a condition costs a read, and no
// truth.
func TestI1_EngineWithoutItem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, change string // what happens meanwhile
		lost         bool   // whether the first response of the commit is lost
		want         map[string]int
	}{
		{"changed meanwhile", "/inc?k=b", false, map[string]int{"optimistic": 409, "merge": 200}},
		{"ended meanwhile", "/logout", false, map[string]int{"optimistic": 409, "merge": 409, "lease": 409}},
		{"own commit", "", true, map[string]int{"optimistic": 200, "merge": 200, "lease": 200}},
	} {
		for strategy, want := range c.want {
			t.Run(c.name+"/"+strategy, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, webapp.Config{Strategy: strategy})
				one, two := s.server(), s.server()
				b := newBrowser()
				two.set(b, "/inc?k=a")
				slow := one.beginAt("slow", b, http.MethodPost, "/inc?k=a&")
				if c.change != "" {
					s.wantStatus("meanwhile", two.post(with(b.Token()), c.change), http.StatusOK)
				}
				if c.lost {
					one.proxy.On(faultproxy.Operation("PutItem"), 1, faultproxy.LoseResponse())
				}
				one.proxy.On(faultproxy.Writes, -1, faultproxy.WithoutItem())
				one.Gate("slow").Open()
				s.wantStatus("commit", slow.answer(), want)
				wantA := 1
				if want == http.StatusOK {
					wantA = 2
				}
				left := two.get(b, "/get").Reply
				if c.change == "/logout" {
					wantA = 0
				}
				if left.Counts["a"] != wantA {
					s.Errorf("a was told %d, and is %d", want, left.Counts["a"])
				}
			})
		}
	}
}

// TestT1_UnknownStaysUnknown checks that a commit of which nobody knows what became is not forgotten by what the same
// request does next: a change that was taken back may be stored all the same.
func TestT1_UnknownStaysUnknown(t *testing.T) {
	t.Parallel()
	each(t, webapp.Strict(), impatient, func(s *site) {
		one, two := s.server(), s.server()
		b := newBrowser()
		two.set(b, "/inc?k=a")
		request := one.begin(b, http.MethodPost, "/undo?k=a&strict=yes&first=first&second=second")
		s.must("the first commit", one.Gate("first").Await(s.ctx))
		heal := one.proxy.On(faultproxy.Operation("GetItem"), -1, faultproxy.LoseRequest())
		lost := one.proxy.On(faultproxy.Writes, -1, faultproxy.LoseResponse())
		one.Gate("first").Open()
		s.must("the second commit", one.Gate("second").Await(s.ctx))
		heal()
		lost()
		one.Gate("second").Open()
		answer := request.answer()
		left := two.get(b, "/get").Reply
		if answer.OK() && left.Counts["a"] != 1 {
			s.Errorf("all was taken back, and acknowledged, and the counter is %d", left.Counts["a"])
		}
		if !answer.OK() && !answer.Unknown() && left.Counts["a"] != 1 {
			s.Errorf("%d %s; and the counter is %d", answer.Status, answer.Body, left.Counts["a"])
		}
	})
}
