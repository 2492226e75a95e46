// Package frameworks shows that store.LoadAndSave(sessions) stands in for sessions.LoadAndSave where a framework writes
// the answers. Each application is run twice over HTTP, with plain scs and with ours; what the browser gets, what is
// stored and what the server logs must be the same. It is a module of its own: see go.mod.
package frameworks

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// app is an application in one of the two worlds.
type app struct {
	t        testing.TB
	sessions *scs.SessionManager
	save     func(http.Handler) http.Handler // the middleware: scs's, or ours

	changes atomic.Int64

	mu     sync.Mutex
	seen   []string
	logged bytes.Buffer
}

func newApp(t testing.TB, ours bool, idle time.Duration) *app {
	t.Helper()
	a := &app{t: t, sessions: scs.New()}
	a.sessions.Store.(*memstore.MemStore).StopCleanup()
	a.sessions.IdleTimeout = idle
	a.sessions.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, _ error) {
		a.see("error page")
		http.Error(w, "the session was not saved", http.StatusServiceUnavailable)
	}
	if !ours {
		a.sessions.Store = memstore.NewWithCleanupInterval(0)
		a.save = a.sessions.LoadAndSave
		return a
	}
	// Every request moves the expiry, as with plain scs.
	store, err := sessionstore.New(memory.New(), sessionstore.WithTouchInterval(0))
	if err != nil {
		t.Fatal(err)
	}
	a.sessions.Store = store
	a.save = store.LoadAndSave(a.sessions)
	return a
}

// put and user are what handlers do with the session.
func (a *app) put(r *http.Request) {
	a.sessions.Put(r.Context(), "x", int(a.changes.Add(1))) // another value each time
}

func (a *app) user(r *http.Request) string { return a.sessions.GetString(r.Context(), "user") }

// see notes what a handler saw.
func (a *app) see(what ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen, fmt.Sprintln(what...))
}

// Write takes the server's log.
func (a *app) Write(line []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.logged.Write(line)
}

// login is the handler that every application has at /login.
func (a *app) login(w http.ResponseWriter, r *http.Request) {
	if err := a.sessions.RenewToken(r.Context()); err != nil {
		a.see("RenewToken", err)
	}
	a.sessions.Put(r.Context(), "user", "u")
	_, _ = io.WriteString(w, "welcome")
}

// application makes the root handler.
type application struct {
	name string
	root func(*app) http.Handler
	// requests are "METHOD /path" and headers, one on each line. They come from a browser that has logged in, and from
	// one that never was there.
	requests []string
}

// compare runs each application in both worlds.
func compare(t *testing.T, applications []application) {
	t.Helper()
	t.Parallel()
	for _, application := range applications {
		for _, idle := range []time.Duration{0, 20 * time.Minute} {
			for _, visitor := range []bool{false, true} {
				name := fmt.Sprintf("%s/idle=%v/visitor=%v", application.name, idle > 0, visitor)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					want := application.play(t, false, idle, visitor)
					got := application.play(t, true, idle, visitor)
					if got != want {
						t.Errorf("ours:\n%s\nscs:\n%s", got, want)
					}
				})
			}
		}
	}
}

// play sends the requests one after the other and returns all that came out.
func (application application) play(t *testing.T, ours bool, idle time.Duration, visitor bool) string {
	t.Helper()
	a := newApp(t, ours, idle)
	server := httptest.NewUnstartedServer(application.root(a))
	server.Config.ErrorLog = log.New(a, "", 0)
	server.Start()
	defer server.Close()

	var all strings.Builder
	cookies := map[string]string{}
	exchange := func(request string) {
		all.WriteString("> " + request + "\n" + a.roundTrip(server.Listener.Addr().String(), request, cookies) + "\n")
	}
	if visitor {
		exchange("POST /login")
	}
	for _, request := range application.requests {
		exchange(request)
	}
	server.Close()
	all.WriteString(strings.Join(a.seen, "") + a.stored() + maskLog(a.logged.String()))
	return all.String()
}

// roundTrip sends one request and returns what came over the connection until the server has closed it.
func (a *app) roundTrip(address, request string, cookies map[string]string) string {
	conn, err := new(net.Dialer).DialContext(a.t.Context(), "tcp", address)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	line, headers, _ := strings.Cut(request, "\n")
	text := line + " HTTP/1.1\r\nHost: app\r\nConnection: close\r\n"
	if headers != "" {
		text += strings.ReplaceAll(headers, "\n", "\r\n") + "\r\n"
	}
	if token := cookies["session"]; token != "" {
		text += "Cookie: session=" + token + "\r\n"
	}
	_, _ = io.WriteString(conn, text+"\r\n")
	response, err := io.ReadAll(conn)
	if err != nil {
		a.t.Errorf("%s: %v; so far:\n%s", line, err, response)
	}
	wire := string(response)
	for _, set := range tokens.FindAllStringSubmatch(wire, -1) {
		cookies["session"] = set[1]
	}
	return once(mask(wire))
}

// once leaves out a session cookie that is sent again with the same value, and the Cache-Control that comes with it:
// scs commits twice where somebody writes after its middleware has returned, and the second commit of ours stores
// nothing.
func once(response string) string {
	const cacheControl = "Cache-Control: no-cache=\"Set-Cookie\"\r\n"
	sent := map[string]bool{}
	for _, cookie := range setCookies.FindAllString(response, -1) {
		if sent[cookie] {
			response = strings.Replace(strings.Replace(response, cookie, "", 1), cacheControl, "", 1)
		}
		sent[cookie] = true
	}
	return response
}

// stored returns the sessions that are left.
func (a *app) stored() string {
	all, err := a.sessions.Store.(scs.IterableStore).All()
	if err != nil {
		a.t.Fatal(err)
	}
	var sessions []string
	for _, data := range all {
		_, values, err := a.sessions.Codec.Decode(data)
		if err != nil {
			a.t.Fatal(err)
		}
		sessions = append(sessions, fmt.Sprintln("stored:", values))
	}
	slices.Sort(sessions)
	return strings.Join(sessions, "")
}

var (
	dates      = regexp.MustCompile(`(?m)^Date: [^\r]*`)
	tokens     = regexp.MustCompile(`session=([A-Za-z0-9_-]{43})`)
	setCookies = regexp.MustCompile(`(?m)^Set-Cookie: session=.*\r\n`)
	expiries   = regexp.MustCompile(`Expires=[^;\r]*; Max-Age=[0-9]{2,}`)
	callers    = regexp.MustCompile(`(call|connection) from .*`)
	clients    = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
)

func mask(wire string) string {
	wire = dates.ReplaceAllString(wire, "Date: MASKED")
	wire = tokens.ReplaceAllString(wire, "session=TOKEN")
	return expiries.ReplaceAllString(wire, "Max-Age=MASKED")
}

func maskLog(text string) string {
	var kept []string
	for line := range strings.Lines(callers.ReplaceAllString(clients.ReplaceAllString(text, "CLIENT"), "$1")) {
		if strings.HasPrefix(line, "http") {
			kept = append(kept, "logged: "+line)
		}
	}
	return strings.Join(kept, "")
}
