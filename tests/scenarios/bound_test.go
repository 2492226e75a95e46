package scenarios_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/tests/faultproxy"
	"github.com/scsdynamo/scsdynamo/tests/webapp"
)

// TestT5_HungStorage checks that requests of one session do not add up their waits where storage does not answer: each
// one sends its write within a bound of its own, although none of those before it is over.
func TestT5_HungStorage(t *testing.T) {
	t.Parallel()
	const requests = 6
	each(t, []string{"none", "optimistic", "merge"}, webapp.Config{AttemptTimeout: tooLong, OperationTimeout: tooLong},
		func(s *site) {
			one, two := s.server(), s.server()
			b := newBrowser()
			two.set(b, "/inc?k=a")
			held := one.proxy.Hold(faultproxy.Operation("PutItem"), -1)
			var all []*pending
			for i := range requests {
				all = append(all, one.begin(b, http.MethodPost, fmt.Sprintf("/inc?k=k%d", i)))
			}
			s.must("the write of each request", held.Await(s.ctx, requests))
			s.must("release", held.Release(s.ctx))
			acknowledged := 0
			for _, p := range all {
				if p.answer().OK() {
					acknowledged++
				}
			}
			if n := len(two.get(b, "/get").Reply.Counts) - 1; s.config.Strategy != "none" && n != acknowledged {
				s.Errorf("of %d acknowledged increments there are %d", acknowledged, n)
			}
		})
}

// TestT5_LoneClientLetsOthersIn checks that a client which comes again and again to one process does not keep the
// session from another process for much longer than a lease.
func TestT5_LoneClientLetsOthersIn(t *testing.T) {
	t.Parallel()
	const (
		patience = 24 // requests of the lone client, of which 4 fill a lease
		rounds   = 3
	)
	each(t, []string{"lease"}, webapp.Config{Lease: 600 * time.Millisecond, MaxWait: tooLong}, func(s *site) {
		one, two := s.server(), s.server()
		b := newBrowser()
		one.set(b, "/inc?k=a")
		for range rounds {
			other := two.begin(b, http.MethodPost, "/inc?k=b")
			for n := 0; !other.answered(); n++ {
				if n == patience {
					s.Fatalf("%d requests of one client came before one of another process", n)
				}
				s.wantStatus("the lone client", one.post(b, "/inc?k=a&work=150ms"), http.StatusOK)
			}
			s.wantStatus("the other process", other.answer(), http.StatusOK)
		}
	})
}

// TestI5_AcquisitionThatArrivesLate checks that a lease which nobody has, as its request was given up before it
// arrived, keeps others waiting for the lease and the allowance at most.
func TestI5_AcquisitionThatArrivesLate(t *testing.T) {
	t.Parallel()
	config := webapp.Config{
		Lease: 300 * time.Millisecond, MaxWait: tooLong, AttemptTimeout: 100 * time.Millisecond,
		OperationTimeout: 200 * time.Millisecond,
	}
	each(t, []string{"lease"}, config, func(s *site) {
		one, two := s.server(), s.server()
		b := newBrowser()
		two.set(b, "/inc?k=a")
		held := one.proxy.Hold(faultproxy.Operation("UpdateItem"), -1)
		if answer := one.post(b, "/inc?k=a"); answer.OK() {
			s.Error("a request went on without its lease")
		}
		s.must("deliver", held.Release(s.ctx))
		s.wantStatus("the next request", two.post(b, "/inc?k=a"), http.StatusOK)
		if got := two.get(b, "/get").Reply.Counts["a"]; got != 2 {
			s.Errorf("after one increment, one that failed, and one more: %d", got)
		}
	})
}
