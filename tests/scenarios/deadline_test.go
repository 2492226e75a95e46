package scenarios_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/tests/webapp"
)

// TestI1_ReaderPastDeadline checks that a reader whose session's deadline has passed while it ran does not end what
// others have extended.
func TestI1_ReaderPastDeadline(t *testing.T) {
	t.Parallel()
	each(t, webapp.Strict(), webapp.Config{Lifetime: time.Hour, IdleTimeout: 5 * time.Hour}, func(s *site) {
		slow, other := s.server(), s.server()
		b := newBrowser()
		other.set(b, "/inc?k=a")
		reader := slow.beginAt("reading", b, http.MethodGet, "/visit?")
		s.wantStatus("the new deadline", other.post(b, "/deadline?in=10h"), http.StatusOK)
		slow.SetSkew(2 * time.Hour)
		slow.Gate("reading").Open()
		reader.answer()
		if left := other.get(b, "/get"); left.Reply.Counts["a"] != 1 {
			s.Errorf("a reader has ended a session that others had extended: %+v", left.Reply)
		}
	})
}

// TestI4_ChangePastDeadline checks that who changes a session that ends while the handler runs is told that it is gone.
func TestI4_ChangePastDeadline(t *testing.T) {
	t.Parallel()
	for _, idle := range []time.Duration{0, 30 * time.Minute} {
		t.Run(idle.String(), func(t *testing.T) {
			t.Parallel()
			each(t, webapp.Strict(), webapp.Config{Lifetime: time.Hour, IdleTimeout: idle}, func(s *site) {
				one := s.server()
				b := newBrowser()
				one.set(b, "/inc?k=a")
				change := one.beginAt("changing", b, http.MethodPost, "/inc?k=a&")
				one.SetSkew(2 * time.Hour)
				one.Gate("changing").Open()
				s.wantStatus("a change after the end of the session", change.answer(), http.StatusConflict)
				if change.response.Got != "" {
					s.Error("the answer sets the cookie of a session that has ended")
				}
			})
		})
	}
}

// TestI1_ChangePastDeadlineOfOthers checks that a change after the deadline that its request knows does not end what
// others have extended.
func TestI1_ChangePastDeadlineOfOthers(t *testing.T) {
	t.Parallel()
	each(t, []string{"optimistic", "merge"}, webapp.Config{Lifetime: time.Hour}, func(s *site) {
		slow, other := s.server(), s.server()
		b := newBrowser()
		other.set(b, "/inc?k=a")
		change := slow.beginAt("changing", b, http.MethodPost, "/inc?k=b&")
		s.wantStatus("the new deadline", other.post(b, "/deadline?in=10h"), http.StatusOK)
		slow.SetSkew(2 * time.Hour)
		slow.Gate("changing").Open()
		answer := change.answer()
		left := other.get(b, "/get").Reply
		if left.Counts["a"] != 1 {
			s.Errorf("a change has ended a session that others had extended: %+v", left)
		}
		if answer.OK() != (left.Counts["b"] == 1) {
			s.Errorf("the change was told %d, and the session is %+v", answer.Status, left)
		}
	})
}

// TestI2_DeadlineMovedThereAndBack checks that a request which has ended its session, by a deadline that has passed,
// does not bring it back by what it does next.
func TestI2_DeadlineMovedThereAndBack(t *testing.T) {
	t.Parallel()
	for _, then := range []string{"10h", "-1h"} {
		for _, idle := range []time.Duration{0, time.Hour} {
			t.Run(fmt.Sprintf("%s_%v", then, idle), func(t *testing.T) {
				t.Parallel()
				config := webapp.Config{Lifetime: 24 * time.Hour, IdleTimeout: idle, TouchAlways: true}
				each(t, webapp.Strategies(), config, func(s *site) {
					one, two := s.server(), s.server()
					b := newBrowser()
					one.set(b, "/put?k=v&v=w")
					token := b.Token()
					s.wantStatus("a change after the end", one.post(b, "/deadline?in=-1h&then="+then), http.StatusConflict)
					if two.live(token) { // which must not be an error, either
						s.Error("the session has ended, and is accepted")
					}
				})
			})
		}
	}
}
