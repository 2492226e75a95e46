package webhistories_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/tests/webapp"
)

// made is a history that was made up: its operations come one after the other, if they do not last.
type made struct {
	h   history
	now time.Time
}

func (m *made) op(kind, id, sent string, change ...func(*operation)) {
	m.now = m.now.Add(time.Second)
	o := operation{ID: id, Kind: kind, Start: m.now, End: m.now.Add(time.Second / 2)}
	o.Sent, o.Status = sent, http.StatusOK
	if kind == "inc" {
		o.Counter = "a"
	}
	o.Reply.Ended = o.End.UnixNano()
	for _, c := range change {
		c(&o)
	}
	m.h.Ops = append(m.h.Ops, o)
}

func status(n int) func(*operation) {
	return func(o *operation) { o.Status, o.RetryAfter = n, "1" }
}

func unknown(o *operation) {
	o.Status, o.Body = http.StatusInternalServerError, "It is not known whether the session was saved."
}

func got(token, lineage string, ids ...string) func(*operation) {
	return func(o *operation) { o.Got, o.Reply.Lineage, o.Reply.IDs = token, lineage, ids }
}

// lasts lets an operation end late, and its handler with it.
func lasts(d time.Duration) func(*operation) {
	return func(o *operation) {
		o.End = o.Start.Add(d)
		o.Reply.Ended = o.End.UnixNano()
	}
}

func left(lineage string, a int, ids ...string) webapp.Reply {
	return webapp.Reply{Lineage: lineage, IDs: ids, Counts: map[string]int{"a": a}}
}

// TestHistory_Problems checks that each check sees what it is for, and accepts what may be.
func TestHistory_Problems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		make func(m *made)
		want []string // how the problems begin, sorted and once each
	}{
		{"all is well", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("inc", "2", "T", got("T", "1", "1", "2"))
			m.op("login", "3", "T", got("U", "1", "1", "2", "3"))
			m.op("get", "4", "U", got("", "1", "1", "2", "3"))
			m.h.Left["U"] = left("1", 2, "1", "2", "3")
		}, nil},
		{"an increment is lost", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("inc", "2", "T", got("T", "1", "1", "2"))
			m.h.Left["T"] = left("1", 1, "1")
		}, []string{"lost: 2"}},
		{"an increment is lost for a while", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("inc", "2", "T", got("T", "1", "1", "2"))
			m.op("get", "3", "T", got("", "1", "1"))
			m.h.Left["T"] = left("1", 2, "1", "2")
		}, []string{"lost: 2"}},
		{"an increment is not seen while it runs", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("inc", "2", "T", got("T", "1", "1", "2"), lasts(5*time.Second))
			m.op("get", "3", "T", got("", "1", "1"))
			m.h.Left["T"] = left("1", 2, "1", "2")
		}, nil},
		{"an increment counts twice", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.h.Left["T"] = left("1", 2, "1", "1")
		}, []string{"doubled: 1"}},
		{"a counter is too high", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.h.Left["T"] = left("1", 2, "1")
		}, []string{"counter: 1"}},
		{"what was refused is stored", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("inc", "2", "T", status(http.StatusConflict))
			m.op("inc", "3", "T", status(http.StatusServiceUnavailable))
			m.op("inc", "4", "T", status(http.StatusInternalServerError))
			m.h.Left["T"] = left("1", 4, "1", "2", "3", "4")
		}, []string{"refused: 2", "refused: 3", "refused: 4"}},
		{"what is not known is stored, or is not", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("inc", "2", "T", unknown)
			m.op("inc", "3", "T", unknown)
			m.h.Left["T"] = left("1", 2, "1", "3")
		}, nil},
		{"a logout is undone", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("logout", "2", "T", got("", "1", "1"))
			m.op("get", "3", "T", got("", "1", "1"))
			m.h.Left["T"] = left("1", 1, "1")
		}, []string{"logout: session 1", "logout: session 1"}},
		{"a logout is undone by a renewal", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("renew", "2", "T", got("U", "1", "1"), lasts(5*time.Second))
			m.op("logout", "3", "T", got("", "1", "1"))
			m.h.Left["U"] = left("1", 1, "1")
		}, []string{"logout: session 1"}},
		{"a logout that was refused", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("logout", "2", "T", status(http.StatusServiceUnavailable))
			m.h.Left["T"] = left("1", 1, "1")
		}, nil},
		{"a logout that was refused, and happened", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("logout", "2", "T", status(http.StatusServiceUnavailable))
		}, []string{"renewal: session 1 is lost"}},
		{"two renewals make two sessions", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("renew", "2", "T", got("U", "1", "1"), lasts(5*time.Second))
			m.op("renew", "3", "T", got("V", "1", "1"))
			m.h.Left["U"], m.h.Left["V"] = left("1", 1, "1"), left("1", 1, "1")
		}, []string{"renewal: of session 1 there are 2"}},
		{"a renewal loses the session", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("renew", "2", "T", status(http.StatusServiceUnavailable))
		}, []string{"renewal: session 1 is lost"}},
		{"a renewal is not known", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("renew", "2", "T", unknown)
		}, nil},
		{"a dead token is sent again", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("touch", "2", "T", got("T", "1", "1"), lasts(5*time.Second))
			m.op("login", "3", "T", got("U", "1", "1", "3"))
			m.h.Left["U"] = left("1", 1, "1", "3")
		}, []string{"cookie: 2 has sent"}},
		{"a new session takes the place of a login", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("login", "2", "T", got("U", "1", "1", "2"))
			m.op("inc", "3", "T", got("V", "3", "3"))
			m.h.Left["U"], m.h.Left["V"] = left("1", 1, "1", "2"), left("3", 1, "3")
		}, []string{"cookie: 3 came with"}},
		{"a new session after a logout", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("login", "2", "T", got("U", "1", "1", "2"))
			m.op("logout", "3", "U", got("", "1", "1", "2"))
			m.op("inc", "4", "T", got("V", "4", "4"))
			m.h.Left["V"] = left("4", 1, "4")
		}, nil},
		{"a reader is refused", func(m *made) {
			m.op("inc", "1", "", got("T", "1", "1"))
			m.op("touch", "2", "T", status(http.StatusConflict))
			m.h.Left["T"] = left("1", 1, "1")
		}, []string{"reader: 2"}},
		{"an error sets a cookie", func(m *made) {
			m.op("inc", "1", "", got("T", "", ""), status(http.StatusConflict))
		}, []string{"cookie: 1 was not done"}},
		{"no Retry-After, and another status", func(m *made) {
			m.op("inc", "1", "", func(o *operation) { o.Status = http.StatusServiceUnavailable })
			m.op("inc", "2", "", status(http.StatusBadGateway))
		}, []string{"status: 1", "status: 2"}},
		{"a token is told", func(m *made) {
			m.op("inc", "1", "", status(http.StatusConflict), func(o *operation) { o.Body = "no session secret-token" })
			m.h.Logs, m.h.Confidential = "find secret-token failed", []string{"secret-token"}
		}, []string{"leak: the answer", "leak: the log"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := &made{now: time.Now().Add(-time.Hour), h: history{Strategy: "merge", Left: map[string]webapp.Reply{}}}
			c.make(m)
			problems := m.h.problems()
			slices.Sort(problems)
			ok := len(problems) == len(c.want)
			for i := 0; ok && i < len(problems); i++ {
				ok = strings.HasPrefix(problems[i], c.want[i])
			}
			if !ok {
				t.Errorf("problems: %q; want %q", problems, c.want)
			}
		})
	}
}
