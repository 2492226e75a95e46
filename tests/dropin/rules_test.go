package dropin

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// judge says in what a cell differs from plain scs, beyond what is documented for all handlers:
//
//   - A refused commit sends the error page alone, and no cookie. A session that another request has ended meanwhile is
//     not brought back, which is such a refusal; with lockstrategy.None it is as in plain scs.
//   - With an idle timeout, a request that has stored nothing sends no cookie: within the touch interval, and where the
//     session was ended meanwhile.
//   - A session that was ended while a request read it stays ended.
//   - A cookie is sent once. Where somebody writes after its middleware has returned, scs commits again and sends it
//     again; the second commit of ours stores nothing.
//
// refusal is what plain scs answers to a refused commit, and silent the same where the handler writes nothing.
func (c cell) judge(scs, refusal, silent, got outcome) []string {
	var problems []string
	differ := func(what string, want, got any) {
		if fmt.Sprint(want) != fmt.Sprint(got) {
			problems = append(problems, fmt.Sprintf("%s\n\tgot  %q\n\twant %q", what, got, want))
		}
	}
	none := c.world.name == "none"
	switch {
	case c.refuses() && (!none || c.use != ended):
		scs = refusal
		if c.use == ended {
			scs.stored = withoutVisitor(scs.stored)
		}
		if !slices.Contains(refusal.seen, "error page") { // there was no commit
			break
		}
		differ("stored", scs.stored, got.stored)
		switch problem := errorPageAlone(scs.wire, silent.wire, got.wire); {
		case problem == "":
		case got.wire == scs.wire && (scs.wire == "" || c.behaviour.early): // the handler broke it off, or has answered
		case c.behaviour.early && errorPageWithin(scs.wire, silent.wire, got.wire):
		default:
			problems = append(problems, problem)
		}
		return problems
	case c.use == endedRead:
		scs.stored = withoutVisitor(scs.stored)
	}
	if got.idle {
		scs.wire = withoutCookie(scs.wire, got.wrote)
	}
	differ("on the wire", once(scs.wire), once(got.wire))
	differ("seen by the handler", scs.seen, got.seen)
	differ("logged", scs.logged, got.logged)
	differ("stored", scs.stored, got.stored)
	return problems
}

// refuses reports whether a commit of the cell is refused.
func (c cell) refuses() bool {
	return c.use == refused || c.use == refusedNew || c.use == ended || c.behaviour.fails
}

func withoutVisitor(stored []string) []string {
	return slices.DeleteFunc(slices.Clone(stored), isVisitor)
}

func isVisitor(session string) bool { return strings.HasPrefix(session, "VISITOR") }

// sessionCookie is one with a token, that does more than to tell the browser that it has expired.
var sessionCookie = regexp.MustCompile("(?m)^Set-Cookie: session=([A-Z]+)(?:; [^E\r][^;\r]*)*\r\n")

const cacheControl = "Cache-Control: no-cache=\"Set-Cookie\"\r\n"

// withoutCookie returns the responses without what scs sends with the token of a session that was not stored.
func withoutCookie(wire string, wrote map[string]bool) string {
	for _, cookie := range sessionCookie.FindAllStringSubmatch(wire, -1) {
		if !wrote[cookie[1]] {
			wire = strings.Replace(strings.Replace(wire, cookie[0], "", 1), cacheControl, "", 1)
		}
	}
	return wire
}

// once leaves out what a response repeats of its session cookies.
func once(wire string) string {
	responses := strings.SplitAfter(wire, "HTTP/1.1 ")
	for i, response := range responses {
		sent := map[string]bool{}
		for _, cookie := range sessionCookie.FindAllString(response, -1) {
			if sent[cookie] {
				responses[i] = strings.Replace(strings.Replace(responses[i], cookie, "", 1), cacheControl, "", 1)
			}
			sent[cookie] = true
		}
	}
	return strings.Join(responses, "")
}

// errorPageAlone says what is wrong with a response in place of which the client should get the error page and nothing
// else. Whether headers that the handler has set are on it is not said: it has those that were there before the handler
// began.
func errorPageAlone(scs, silent, got string) string {
	gotHead, gotBody, gotRest := parse(got)
	wantHead, wantBody, wantRest := parse(silent)
	scsHead, _, _ := parse(scs)
	wrong := func(what string) string {
		return fmt.Sprintf("%s\n\tgot  %q\n\twant the error page alone: %q\n\tscs sends %q", what, got, silent, scs)
	}
	switch {
	case gotHead == nil || wantHead == nil:
		if got != silent {
			return wrong("no response")
		}
	case gotHead.Status != wantHead.Status:
		return wrong("another status")
	case gotBody != wantBody:
		return wrong("another body")
	case gotRest != wantRest:
		return wrong("the connection is left in another state")
	case sessionCookie.MatchString(got):
		return wrong("a session cookie")
	default:
		for key, values := range wantHead.Header {
			if !framing[key] && !slices.Equal(values, gotHead.Header[key]) {
				return wrong("the header " + key)
			}
		}
		for key := range gotHead.Header {
			if framing[key] || wantHead.Header[key] != nil || scsHead != nil && scsHead.Header[key] != nil {
				continue
			}
			return wrong("the header " + key)
		}
	}
	return ""
}

// errorPageWithin reports whether the error page is all of the body of a response that had begun before.
func errorPageWithin(scs, silent, got string) bool {
	scsHead, _, scsRest := parse(scs)
	_, page, _ := parse(silent)
	head, body, rest := parse(got)
	return head != nil && scsHead != nil && head.Status == scsHead.Status && body == page && rest == scsRest
}

// framing are the headers that belong to how a body is sent.
var framing = map[string]bool{"Content-Length": true, "Transfer-Encoding": true, "Connection": true, "Trailer": true}

// parse returns the first final response of what came over a connection, its body, and what came after it.
func parse(wire string) (response *http.Response, body, rest string) {
	read := bufio.NewReader(strings.NewReader(wire))
	for {
		response, err := http.ReadResponse(read, nil)
		if err != nil {
			return nil, "", ""
		}
		content, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode >= 200 {
			after, _ := io.ReadAll(read)
			return response, string(content), string(after)
		}
	}
}
