package dropin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// use is what a request does with its session, beside what its handler does with the response.
type use string

const (
	untouched  use = "untouched"   // there is no cookie, and the handler leaves the session alone
	created    use = "created"     // there is no cookie, and the handler puts a value
	refusedNew use = "refused-new" // the same, and storage refuses the commit
	read       use = "read"        // the handler reads a value
	changed    use = "changed"     // the handler puts a value
	refused    use = "refused"     // the same, and storage refuses the commit
	endedRead  use = "ended-read"  // the handler reads a value, and another request ends the session meanwhile
	ended      use = "ended"       // the handler puts a value, and another request ends the session meanwhile
)

// idle is how the application has set its idle timeout.
type idle string

const (
	noIdle      idle = "no-idle"
	idleNow     idle = "idle"        // within the touch interval, and so is not written
	idleAlways  idle = "idle-always" // a touch interval of 0: each request moves the expiry
	idleTimeout      = 20 * time.Minute
)

// cell is one square of the matrix.
type cell struct {
	behaviour behaviour
	use       use
	idle      idle
	world     world
	http2     bool
	silent    bool // the handlers use the session, and write nothing
}

// app is one application under test. Its fields are what handlers need.
type app struct {
	cell
	*backend
	t        testing.TB
	sessions *scs.SessionManager
	token    string // the visitor's, who is user "u"
	other    string // another session's, of user "v"
	server   *httptest.Server

	second        *scs.SessionManager // nil where there is one
	secondBackend *backend            // nil where it shares the store

	changes  atomic.Int64
	deadline chan struct{}  // closed by a handler, when its deadline passes
	answered chan struct{}  // closed when the application has answered
	late     sync.WaitGroup // for what goes on after the answer
	panics   sync.WaitGroup // for those that the server is to log

	mu   sync.Mutex
	seen []string // what the handlers saw
	log  bytes.Buffer
}

// start makes the application of a cell, with two sessions in its store, and serves it.
func start(t *testing.T, c cell) *app {
	t.Helper()
	touch := time.Duration(-1)
	if c.idle == idleAlways {
		touch = 0
	}
	a := &app{
		cell: c, backend: c.world.newBackend(t, touch), t: t, deadline: make(chan struct{}), answered: make(chan struct{}),
	}
	a.sessions = a.manager()
	a.token = a.visitor(t, "u")
	a.other = a.visitor(t, "v")
	a.stores = map[string]int{}
	root := c.behaviour.serve(a)
	answered := sync.OnceFunc(func() { close(a.answered) })
	a.server = newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/next" {
			_, _ = w.Write([]byte("next"))
			return
		}
		if r.Host != "app" {
			http.NotFound(w, r) // another program looks for what it had on this port
			return
		}
		a.late.Add(1)
		defer a.late.Done()
		defer answered()
		defer func() {
			if cause := recover(); cause != nil {
				if cause != any(http.ErrAbortHandler) {
					a.panics.Add(1) // over HTTP/2, it is logged after the connection's end
				}
				panic(cause)
			}
		}()
		root.ServeHTTP(w, r)
	}))
	a.server.Config.ErrorLog = log.New(a, "", 0)
	return a
}

// servers counts those that were made.
var servers atomic.Uint32

// newServer is httptest.NewUnstartedServer on an address of its own, where there are many: of one address, the ports
// that thousands of servers have used are not free for a minute, and looking for a free one takes half of the time.
func newServer(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	n := servers.Add(1)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.77.%d.%d:0", n>>8&0xff, n&0xff))
	if err != nil { // only Linux has all of 127.0.0.0/8
		return httptest.NewUnstartedServer(handler)
	}
	return &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}}
}

// manager returns a session manager as the application has it.
func (a *app) manager() *scs.SessionManager {
	sessions := newManager(a.store)
	if a.idle != noIdle {
		sessions.IdleTimeout = idleTimeout
	}
	sessions.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, _ error) {
		http.Error(w, "the session was not saved", http.StatusServiceUnavailable)
	}
	if a.behaviour.set != nil {
		a.behaviour.set(sessions)
	}
	page := sessions.ErrorFunc
	sessions.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		a.see("error page")
		page(w, r, err)
	}
	return sessions
}

// visitor stores a session and returns its token.
func (a *app) visitor(t testing.TB, user string) string {
	t.Helper()
	ctx := t.Context()
	if store, ok := a.store.(*sessionstore.Store); ok {
		scoped, end := store.Begin(ctx)
		defer end()
		ctx = scoped
	}
	ctx, err := a.sessions.Load(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	a.sessions.Put(ctx, "user", user)
	token, _, err := a.sessions.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// in is an application with one handler in the middleware.
func in(handle func(*app, http.ResponseWriter, *http.Request)) func(*app) http.Handler {
	return func(a *app) http.Handler { return a.saved(a.handler(handle)) }
}

// saved puts the middleware around a handler.
func (a *app) saved(next http.Handler) http.Handler {
	return middleware(a.store, a.sessions)(a.unlessSilent(next))
}

// unlessSilent returns the handler, or one that uses the session and writes nothing.
func (a *app) unlessSilent(next http.Handler) http.Handler {
	if !a.silent {
		return next
	}
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if a.behaviour.reads {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		a.use(r)
	})
}

// handler returns a handler of the application.
func (a *app) handler(handle func(*app, http.ResponseWriter, *http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(a, w, r) })
}

// use does with the session what the cell says.
func (a *app) use(r *http.Request) {
	ctx := r.Context()
	switch a.cell.use {
	case untouched:
		return
	case refused, refusedNew:
		a.refuse.Store(true)
	case ended, endedRead:
		a.end(a.token)
	}
	switch a.cell.use {
	case read, endedRead:
		a.see("user", a.sessions.GetString(ctx, "user"))
	default:
		a.sessions.Put(ctx, "x", int(a.changes.Add(1))) // another value each time
	}
}

// end ends a session as another request would.
func (a *app) end(token string) {
	if a.sessions.HashTokenInStore {
		token = hash(token)
	}
	if err := a.store.Delete(token); err != nil {
		a.see("end", err)
	}
}

// hash is what scs stores in place of a token with HashTokenInStore.
func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// see notes what a handler saw.
func (a *app) see(what string, values ...any) {
	for _, value := range values {
		if err, ok := value.(error); ok {
			value = kind(err)
		}
		what += fmt.Sprint(" ", value)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen, what)
}

// kind names an error as far as an application can tell it from others.
func kind(err error) string {
	for _, known := range []error{
		http.ErrBodyNotAllowed, http.ErrContentLength, http.ErrHijacked, http.ErrHandlerTimeout, http.ErrNotSupported,
		http.ErrAbortHandler, http.ErrBodyReadAfterClose, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return fmt.Sprintf("%T", err)
}

// Write takes what the server logs.
func (a *app) Write(line []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if bytes.Contains(line, []byte(": panic serving ")) {
		defer a.panics.Done()
	}
	return a.log.Write(line)
}

// stored returns the sessions in a store: their tokens by name, their values and how long they live.
func (a *app) stored(t testing.TB, b *backend, codec scs.Codec) []string {
	t.Helper()
	all, err := b.store.(scs.IterableStore).All()
	if err != nil {
		t.Fatal(err)
	}
	var sessions []string
	for token, data := range all {
		deadline, values, err := codec.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, fmt.Sprint(a.name(token), values, " for ", time.Until(deadline).Round(10*time.Minute)))
	}
	slices.Sort(sessions)
	return sessions
}

// wrote returns the names of the tokens whose sessions the application has stored.
func (a *app) wrote() map[string]bool {
	names := map[string]string{}
	for _, token := range []string{a.token, a.other} {
		stored := token
		if a.sessions.HashTokenInStore {
			stored = hash(token)
		}
		if store, ok := a.store.(*sessionstore.Store); ok {
			stored = store.StorageKey(stored)
		}
		names[stored] = a.name(token)
	}
	a.counting.Lock()
	defer a.counting.Unlock()
	wrote := map[string]bool{}
	for key := range a.stores {
		name, known := names[key]
		if !known {
			name = "NEW"
		}
		wrote[name] = true
	}
	return wrote
}

// name says which token it is, in either world.
func (a *app) name(token string) string {
	switch token {
	case a.token, hash(a.token):
		return "VISITOR"
	case a.other, hash(a.other):
		return "OTHER"
	}
	return "NEW"
}
