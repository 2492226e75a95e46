package webhistories_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/tests/faultproxy"
	"github.com/scsdynamo/scsdynamo/tests/webapp"
)

// operation is one request of a client, and what it was told.
type operation struct {
	Client, Browser, Process int
	ID, Kind, Counter        string
	Start, End               time.Time
	webapp.Response
	Err string // why there was no answer
}

// marks says that the request leaves its ID in the session, where it succeeds.
func (o operation) marks() bool { return o.Kind == "inc" || o.Kind == "login" }

// renews says that the session has another token after the request, where it succeeds.
func (o operation) renews() bool { return o.Kind == "login" || o.Kind == "renew" }

// reads says that the request changes nothing.
func (o operation) reads() bool { return o.Kind == "get" || o.Kind == "touch" }

// refused says that nothing was stored. An answer that is none, and one that says so, leave it open.
func (o operation) refused() bool { return o.Err == "" && !o.OK() && !o.Unknown() }

// history is what all clients were told, and what was there at the end.
type history struct {
	Seed     uint64
	Strategy string
	// Deploys are what each process was when.
	Deploys []deploy
	// Skew is how wrong the clock of the last process was.
	Skew time.Duration
	// Ops are in the order of their start.
	Ops []operation
	// Left is what each token opens at the end that any response has set.
	Left map[string]webapp.Reply
	// Calls are those to storage.
	Calls []call
	// Logs is what the processes have logged.
	Logs string
	// Confidential is what must not be told.
	Confidential []string

	names map[string]string
}

// deploy is a process that begins anew.
type deploy struct {
	At      time.Time
	Process int
	Secrets []byte
	Skew    time.Duration
}

// call is one call to storage, by one process.
type call struct {
	Process int
	faultproxy.Entry
}

// problems checks the history.
func (h *history) problems() (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for _, o := range h.Ops { // in the order in which people read of them
		h.name(o.Got)
	}
	h.checkAnswers(problem)
	h.checkRefused(problem)
	if h.Strategy == "none" {
		return problems // who loses updates and brings back what was ended says so
	}
	h.checkAcknowledged(problem)
	h.checkEnded(problem)
	h.checkTokens(problem)
	h.checkCookies(problem)
	h.checkReaders(problem)
	return problems
}

// checkAnswers checks what each answer says by itself.
func (h *history) checkAnswers(problem func(string, ...any)) {
	for _, o := range h.Ops {
		switch o.Status {
		case 0, http.StatusOK, http.StatusConflict, http.StatusInternalServerError, http.StatusServiceUnavailable:
		default:
			problem("status: %s was answered with %d %s", o.ID, o.Status, strings.TrimSpace(o.Body))
		}
		if o.Err == "" && !o.OK() && o.Got != "" && o.Got != o.Sent {
			problem("cookie: %s was not done, and its answer sets a cookie", o.ID)
		}
		if o.Status == http.StatusServiceUnavailable && o.RetryAfter == "" {
			problem("status: %s was answered with 503 without Retry-After", o.ID)
		}
		for _, secret := range h.Confidential {
			if !o.OK() && strings.Contains(o.Body, secret) {
				problem("leak: the answer to %s", o.ID)
			}
		}
	}
	for _, secret := range h.Confidential {
		if strings.Contains(h.Logs, secret) {
			problem("leak: the log has %d bytes that are confidential", len(secret))
		}
	}
}

// seen is a session as somebody saw it.
type seen struct {
	by    string
	start time.Time
	reply webapp.Reply
}

// views returns all that was seen of sessions, by requests that changed nothing and at the end.
func (h *history) views() (views []seen) {
	for _, o := range h.Ops {
		if o.OK() && o.Kind == "get" {
			views = append(views, seen{o.ID, o.Start, o.Reply})
		}
	}
	for token, reply := range h.Left {
		views = append(views, seen{"the look at " + h.name(token) + " at the end", time.Now(), reply})
	}
	return views
}

// checkRefused checks that nothing was stored of what was refused.
func (h *history) checkRefused(problem func(string, ...any)) {
	refused := map[string]int{}
	for _, o := range h.Ops {
		if o.refused() {
			refused[o.ID] = o.Status
		}
	}
	for _, view := range h.views() {
		for _, id := range view.reply.IDs {
			if status := refused[id]; status != 0 {
				problem("refused: %s was answered with %d, and is stored: %s saw it", id, status, view.by)
			}
		}
	}
}

// checkAcknowledged checks that what was acknowledged is there once, for whoever looks after that.
func (h *history) checkAcknowledged(problem func(string, ...any)) {
	for _, view := range h.views() {
		counts, times := map[string]int{}, map[string]int{}
		for _, id := range view.reply.IDs {
			if times[id]++; times[id] == 2 {
				problem("doubled: %s was stored twice: %s saw it", id, view.by)
			}
			if o := h.op(id); o != nil && o.Kind == "inc" {
				counts[o.Counter]++
			}
		}
		for counter, n := range view.reply.Counts {
			if n != counts[counter] {
				problem("counter: %d requests have made %s %d: %s saw it", counts[counter], counter, n, view.by)
			}
		}
		for _, o := range h.Ops {
			if o.marks() && o.OK() && o.Reply.Lineage == view.reply.Lineage && o.End.Before(view.start) && times[o.ID] == 0 {
				problem("lost: %s was acknowledged, and is lost: %s did not see it", o.ID, view.by)
			}
		}
	}
}

// checkEnded checks that no session is seen after its logout was acknowledged, under whatever token.
func (h *history) checkEnded(problem func(string, ...any)) {
	ended := map[string]operation{}
	for _, o := range h.Ops {
		if lineage := o.Reply.Lineage; o.Kind == "logout" && o.OK() && lineage != "" {
			if was, there := ended[lineage]; !there || o.End.Before(was.End) {
				ended[lineage] = o
			}
		}
	}
	for _, o := range h.Ops {
		if by, there := ended[o.Reply.Lineage]; there && o.OK() && o.ID != by.ID && o.Start.After(by.End) {
			problem("logout: session %s was ended by %s, and accepted for %s after that", o.Reply.Lineage, by.ID, o.ID)
		}
	}
	for token, reply := range h.Left {
		if by, there := ended[reply.Lineage]; there {
			problem("logout: session %s was ended by %s, and is there at the end, under %s", reply.Lineage, by.ID, h.name(token))
		}
	}
}

// checkReaders checks that who changes nothing is in nobody's way, nor anybody in his.
func (h *history) checkReaders(problem func(string, ...any)) {
	for _, o := range h.Ops {
		if o.reads() && o.Status == http.StatusConflict {
			problem("reader: %s changes nothing, and was answered with 409 %s", o.ID, strings.TrimSpace(o.Body))
		}
	}
}

// checkTokens checks that there is one token for each session, if it was not ended or left in doubt.
func (h *history) checkTokens(problem func(string, ...any)) {
	tokens := map[string][]string{}
	for token, reply := range h.Left {
		tokens[reply.Lineage] = append(tokens[reply.Lineage], token)
	}
	lineages, doubtful := h.lineages(), map[string]bool{}
	for _, o := range h.Ops {
		if !o.refused() && (o.Kind == "logout" || o.renews() && !o.OK()) {
			doubtful[lineages[o.Sent]] = true
			doubtful[o.Reply.Lineage] = true
		}
	}
	delete(doubtful, "")
	for _, lineage := range lineages {
		switch n := len(tokens[lineage]); {
		case n > 1:
			var names []string
			for _, token := range tokens[lineage] {
				names = append(names, h.name(token))
			}
			problem("renewal: of session %s there are %d now: %s", lineage, n, strings.Join(names, ", "))
			tokens[lineage] = tokens[lineage][:1] // once
		case n == 0 && !doubtful[lineage]:
			problem("renewal: session %s is lost, and nobody has ended it", lineage)
			doubtful[lineage] = true // once
		}
	}
}

// lineages returns the session of each token.
func (h *history) lineages() map[string]string {
	lineages := map[string]string{}
	for _, o := range h.Ops {
		if o.OK() && o.Got != "" {
			lineages[o.Got] = o.Reply.Lineage
		}
	}
	return lineages
}

// disagree reports whether the clocks of two processes do.
func (h *history) disagree(a, b int) bool {
	return h.Skew != 0 && (a == processes-1) != (b == processes-1)
}

// checkCookies checks that no answer takes from a browser what a renewal has given it.
func (h *history) checkCookies(problem func(string, ...any)) {
	renewed, left := map[string]operation{}, map[string]bool{}
	lineages := h.lineages()
	for _, o := range h.Ops {
		if was, there := renewed[o.Sent]; o.renews() && o.OK() && o.Sent != "" && lineages[o.Sent] == o.Reply.Lineage &&
			o.Got != o.Sent &&
			(!there || o.End.Before(was.End)) {
			renewed[o.Sent] = o
		}
		if o.Kind == "logout" && !o.refused() {
			left[lineages[o.Sent]] = true
		}
	}
	for _, o := range h.Ops {
		by, there := renewed[o.Sent]
		if !there || !o.OK() || o.Got == "" || by.ID == o.ID || o.Reply.Ended < by.End.UnixNano() {
			continue
		}
		switch {
		case o.Got == o.Sent:
			problem("cookie: %s has sent %s again, which %s had replaced before", o.ID, h.name(o.Sent), by.ID)
		case h.disagree(o.Process, by.Process): // the grace after a renewal goes by their clocks
		case o.Kind != "login" && o.Reply.Lineage != lineages[o.Sent] && !left[lineages[o.Sent]]:
			problem("cookie: %s came with %s, which %s had replaced, and its answer puts a new session in its place", o.ID,
				h.name(o.Sent), by.ID)
		}
	}
}

func (h *history) op(id string) *operation {
	for i := range h.Ops {
		if h.Ops[i].ID == id {
			return &h.Ops[i]
		}
	}
	return nil
}

// name returns a short name for a token.
func (h *history) name(token string) string {
	if token == "" {
		return "-"
	}
	if h.names == nil {
		h.names = map[string]string{}
	}
	if h.names[token] == "" {
		h.names[token] = fmt.Sprintf("T%d", len(h.names)+1)
	}
	return h.names[token]
}

// show tells the history to people.
func (h *history) show() string {
	type line struct {
		at   time.Time
		text string
	}
	var lines []line
	slices.SortStableFunc(h.Ops, func(a, b operation) int { return a.Start.Compare(b.Start) })
	first := h.Ops[0].Start
	for _, o := range h.Ops {
		var b strings.Builder
		fmt.Fprintf(&b, "%6d..%-6d µs client %d of user %d, process %d: %-6s %-8s sent %-4s: ",
			o.Start.Sub(first).Microseconds(),
			o.End.Sub(first).Microseconds(), o.Client, o.Browser, o.Process, o.ID, o.Kind+" "+o.Counter, h.name(o.Sent))
		switch {
		case o.Err != "":
			fmt.Fprintf(&b, "no answer: %s\n", o.Err)
		case !o.OK():
			fmt.Fprintf(&b, "%d %s\n", o.Status, strings.TrimSpace(o.Body))
		default:
			got := h.name(o.Got)
			if o.Dropped {
				got = "cookie dropped"
			}
			fmt.Fprintf(&b, "ok, got %-4s session %s %v\n", got, o.Reply.Lineage, o.Reply.IDs)
		}
		lines = append(lines, line{o.Start, b.String()})
	}
	for _, d := range h.Deploys {
		lines = append(lines,
			line{
				d.At,
				fmt.Sprintf("%6d..       µs          process %d: begins anew, with secrets %v and a clock that is wrong by %v\n",
					d.At.Sub(first).Microseconds(), d.Process, d.Secrets, d.Skew),
			})
	}
	for _, c := range h.Calls {
		if c.Fault != "" {
			late := ""
			if c.Late {
				late = ", delivered late"
			}
			lines = append(lines, line{c.At, fmt.Sprintf("%6d..       µs          process %d: %s met %q%s: %d\n",
				c.At.Sub(first).Microseconds(), c.Process, c.Operation, c.Fault, late, c.Status)})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line.text)
	}
	for token, reply := range h.Left {
		fmt.Fprintf(&b, "at the end %s opens session %s %v %v\n", h.name(token), reply.Lineage, reply.IDs, reply.Counts)
	}
	return b.String()
}
