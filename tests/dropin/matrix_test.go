package dropin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alexedwards/scs/v2"
)

// behaviour is one thing that applications do.
type behaviour struct {
	name    string
	serve   func(*app) http.Handler   // the application, middleware included
	set     func(*scs.SessionManager) // how the application sets its managers up
	request string                    // default: GET /; {token} and {other} stand for those of the sessions
	talk    func(*client, string)     // what the browser does with the request; default: (*client).talk
	own     bool                      // the handler does with the session what the behaviour is about, and nothing else
	early   bool                      // the response begins before the session is used: no error page can replace it
	reads   bool                      // the handler reads the body to its end
	skip    []use                     // what makes no sense of this behaviour
	fails   bool                      // its commit is refused, whatever the store says
	slow    bool                      // net/http waits before it closes the connection: not with an idle timeout, too
}

// behaviours are all of them, at least 80.
var behaviours = slices.Concat(
	responses, bodies, streams, upgrades, endings, middlewares, requests, doubles, options, values, lifecycles, iterations,
)

// outcome is what comes out of one cell.
type outcome struct {
	wire   string   // the bytes that the browser got
	seen   []string // by the handlers
	logged string   // by the server
	stored []string
	idle   bool            // there was an idle timeout
	wrote  map[string]bool // which sessions were stored, by the names of their tokens
}

// run plays one cell.
func run(t *testing.T, c cell) outcome {
	t.Helper()
	a := start(t, c)
	if c.http2 {
		a.server.EnableHTTP2 = true
		a.server.StartTLS()
	} else {
		a.server.Start()
	}
	request := c.behaviour.request
	if request == "" {
		request = get("/")
	}
	cookie := "session=" + a.token
	request = strings.NewReplacer("{token}", a.token, "{other}", a.other).Replace(request)
	if strings.Contains(request, "\r\nCookie: ") || c.use == untouched || c.use == created || c.use == refusedNew {
		cookie = ""
	}
	var wire string
	if request = withCookie(request, cookie); c.http2 {
		wire = a.exchange2(t, request)
	} else {
		browser := dial(t, a)
		talk := c.behaviour.talk
		if talk == nil {
			talk = (*client).talk
		}
		talk(browser, request)
		wire = browser.all()
	}
	a.server.Close()
	a.late.Wait()
	a.panics.Wait()
	stored := a.stored(t, a.backend, a.sessions.Codec)
	if a.secondBackend != nil {
		stored = append(append(stored, "second store:"), a.stored(t, a.secondBackend, a.second.Codec)...)
	}
	return outcome{
		wire: a.mask(wire), seen: a.seen, logged: maskLog(a.log.String()), stored: stored, idle: a.sessions.IdleTimeout > 0,
		wrote: a.wrote(),
	}
}

// get is a request.
func get(path string, headers ...string) string { return ask("GET", path, "", headers...) }

// ask is a request with a body.
func ask(method, path, body string, headers ...string) string {
	if body != "" {
		headers = append(headers, fmt.Sprint("Content-Length: ", len(body)))
	}
	return method + " " + path + " HTTP/1.1\r\nHost: app\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n" + body
}

// TestMatrix compares each behaviour in each of our worlds with plain scs.
func TestMatrix(t *testing.T) {
	t.Parallel()
	if len(behaviours) < 80 {
		t.Errorf("%d behaviours; want 80 or more", len(behaviours))
	}
	names := map[string]bool{}
	for _, b := range behaviours {
		if names[b.name] {
			t.Errorf("two behaviours are named %q", b.name)
		}
		names[b.name] = true
	}
	var found found
	t.Cleanup(func() { found.check(t) })
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			for _, idle := range []idle{noIdle, idleNow, idleAlways} {
				for _, use := range b.uses(idle) {
					compare(t, cell{behaviour: b, use: use, idle: idle}, &found)
				}
			}
		})
	}
}

// uses returns what is to be done with the session: with an idle timeout, what that makes another matter.
func (b behaviour) uses(setting idle) []use {
	uses := map[idle][]use{
		noIdle:     {untouched, created, refusedNew, read, changed, refused, endedRead, ended},
		idleNow:    {read, changed, refused, endedRead, ended},
		idleAlways: {read, endedRead},
	}[setting]
	switch {
	case b.slow && setting != noIdle:
		return nil
	case b.own:
		uses = []use{untouched, changed}
	}
	return slices.DeleteFunc(uses, func(u use) bool { return slices.Contains(b.skip, u) })
}

// compare plays a cell in the plain world and in all of ours.
func compare(t *testing.T, c cell, found *found) {
	t.Helper()
	var playing sync.WaitGroup
	play := func(c cell, world world) *outcome {
		c.world = world
		result := new(outcome)
		playing.Go(func() { *result = run(t, c) })
		return result
	}
	want := play(c, plain)
	refusal, silent := new(outcome), new(outcome)
	if c.refuses() {
		refusing := c
		if c.use == ended || c.behaviour.fails {
			refusing.use = refused // which is how plain scs shows an error page
		}
		refusal = play(refusing, plain)
		refusing.silent = true
		silent = play(refusing, plain)
	}
	ours := ours
	if !c.behaviour.own && (c.idle == idleAlways || c.use == untouched || c.use == created || c.use == refusedNew) {
		ours = ours[:1] // the strategy has no say
	}
	results := make([]*outcome, len(ours))
	for i, world := range ours {
		results[i] = play(c, world)
	}
	playing.Wait()
	for i, world := range ours {
		c.world = world
		t.Run(c.name(), func(t *testing.T) {
			problems := c.judge(*want, *refusal, *silent, *results[i])
			if why, ok := found.note(c, len(problems) > 0); ok {
				t.Logf("differs: %s\n%s", why, strings.Join(problems, "\n"))
				return
			}
			for _, problem := range problems {
				t.Error(problem)
			}
		})
	}
}

func (c cell) name() string {
	return strings.Join([]string{string(c.use), string(c.idle), c.world.name}, "/")
}

// found notes which of the known differences were met.
type found struct {
	mu  sync.Mutex
	met map[string]bool
}

// differs returns the entry of the differences that is about the cell.
func (c cell) differs() (pattern string, known bool) {
	for _, pattern = range []string{
		c.behaviour.name, c.behaviour.name + "/" + string(c.use), c.behaviour.name + "/" + string(c.use) +
			"/" + string(c.idle),
		c.behaviour.name + "/" + c.name(),
	} {
		if _, known = differences[pattern]; known {
			return pattern, true
		}
	}
	return "", false
}

// note returns why the cell differs, where it does and may.
func (f *found) note(c cell, differs bool) (why string, may bool) {
	pattern, known := c.differs()
	if !known {
		return "", false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.met == nil {
		f.met = map[string]bool{}
	}
	f.met[pattern] = f.met[pattern] || differs
	return differences[pattern], differs
}

// check fails the test where a difference is listed that is none. Where only some cells are run, there is nothing to
// say.
func (f *found) check(t *testing.T) {
	t.Helper()
	for pattern := range differences {
		if differs, played := f.met[pattern]; played && !differs {
			t.Errorf("%q is listed as a difference, but is like plain scs", pattern)
		}
	}
}
