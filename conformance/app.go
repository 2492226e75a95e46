package conformance

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
)

// app is a web application on the store of a case: a real session manager behind a TLS server. What a request does is
// written where it is sent, so that a case reads from top to bottom.
type app struct {
	c        *check
	sessions *scs.SessionManager
	calls    *counted
	server   *httptest.Server

	mu     sync.Mutex
	visits map[string]*visit // By path.
}

// visit is what one request does in the handler.
type visit struct {
	handle  func(ctx context.Context)
	arrived atomic.Bool   // Whether the request got to the server.
	done    chan struct{} // Closed after the middleware has returned.
	once    sync.Once
}

// reply is what the client got.
type reply struct {
	status int
	cookie *http.Cookie // The session cookie that the response sets, nil if it does not.
	err    error        // The request failed.
	// arrived is whether the request got to the server.
	arrived bool
}

const cookieName = "session"

// newApp starts an application, which ends with the case.
func (c *check) newApp(configure ...func(*scs.SessionManager)) *app {
	a := &app{c: c, calls: &counted{caller: c.store}, visits: map[string]*visit{}}
	c.onMachineClock()
	// Not scs.New, which starts a goroutine that cannot be stopped reliably.
	a.sessions = &scs.SessionManager{
		Lifetime: time.Hour,
		Store:    a.calls,
		Codec:    scs.GobCodec{},
		Cookie: scs.SessionCookie{
			Name: cookieName, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode, Persist: true,
		},
		ErrorFunc: func(w http.ResponseWriter, _ *http.Request, err error) {
			c.Note("ErrorFunc", err.Error())
			status := http.StatusInternalServerError
			if c.opts.isConflict(err) {
				status = http.StatusConflict
			}
			http.Error(w, http.StatusText(status), status)
		},
	}
	for _, f := range configure {
		f(a.sessions)
	}
	scope := c.opts.requestScope(c.store.store, a.sessions)
	a.server = httptest.NewUnstartedServer(a.serve(scope(http.HandlerFunc(a.handle))))
	a.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	a.server.StartTLS()
	c.AtEnd(a.server.Close)
	return a
}

// signIn starts an application, and a session in it whose name is "value".
func (c *check) signIn() (*app, *browser) {
	a := c.newApp()
	b := a.browser()
	b.put("name", "value")
	return a, b
}

func (a *app) visit(r *http.Request) *visit {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.visits[r.URL.Path]
}

// handle is the handler behind the middleware.
func (a *app) handle(w http.ResponseWriter, r *http.Request) {
	a.visit(r).handle(r.Context())
	_, _ = io.WriteString(w, "ok")
}

// errPanic is what handlers of cases panic with.
type errPanic struct{}

// serve tells the client's side that a request is over, and makes panics failures of the case.
func (a *app) serve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := a.visit(r)
		v.arrived.Store(true)
		defer v.once.Do(func() { close(v.done) }) // A client may send a request again.
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if _, meant := p.(errPanic); !meant {
				a.c.Failf("panic while serving a request: %s\n%s", trial.PanicText(p), debug.Stack())
			}
			panic(http.ErrAbortHandler)
		}()
		debug.SetPanicOnFault(true) // See guarded.
		next.ServeHTTP(w, r)
	})
}

// browser is a client of the application with cookies of its own.
type browser struct {
	app    *app
	client *http.Client
	cookie string // Sent as it is instead of those in the jar, if not empty.
}

// browser returns a client without cookies.
func (a *app) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		a.c.Fatalf("no cookie jar: %v", err)
	}
	return &browser{app: a, client: &http.Client{Transport: a.server.Client().Transport, Jar: jar}}
}

// holder returns a client that sends this session cookie whatever responses say.
func (a *app) holder(token string) *browser {
	b := a.browser()
	b.cookie = cookieName + "=" + token
	return b
}

// token returns the session token that the browser has, "" for none.
func (b *browser) token() string {
	at, err := url.Parse(b.app.server.URL)
	if err != nil {
		b.app.c.Fatalf("the address of the server: %v", err)
	}
	for _, cookie := range b.client.Jar.Cookies(at) {
		if cookie.Name == cookieName {
			return cookie.Value
		}
	}
	return ""
}

// send makes a request that does this in the handler. It returns after the middleware has, also where the client gives
// up before.
func (b *browser) send(ctx context.Context, method string, handle func(ctx context.Context)) reply {
	a := b.app
	v := &visit{handle: handle, done: make(chan struct{})}
	a.mu.Lock()
	path := "/" + strconv.Itoa(len(a.visits))
	a.visits[path] = v
	a.mu.Unlock()

	r, err := http.NewRequestWithContext(ctx, method, a.server.URL+path, nil)
	if err != nil {
		a.c.Fatalf("making a request failed: %v", err)
	}
	if b.cookie != "" {
		r.Header.Set("Cookie", b.cookie)
	}
	step := a.c.Begin("%s", method)
	got := b.exchange(r)
	if got.err == nil {
		a.c.End(step, "%d", got.status)
	} else {
		a.c.End(step, "%v", got.err)
	}
	got.arrived = v.arrived.Load()
	if got.arrived {
		select {
		case <-v.done:
		case <-a.c.ctx.Done():
		}
	}
	return got
}

func (b *browser) exchange(r *http.Request) (got reply) {
	response, err := b.client.Do(r)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = response.Body.Close() }()
	_, got.err = io.Copy(io.Discard, response.Body)
	got.status = response.StatusCode
	for _, cookie := range response.Cookies() {
		if cookie.Name == cookieName {
			got.cookie = cookie
		}
	}
	return got
}

// get sends a request that only reads, and expects success.
func (b *browser) get(handle func(ctx context.Context)) reply {
	return b.want(http.StatusOK, b.send(b.app.c.ctx, http.MethodGet, handle))
}

// post sends a request that changes something, and expects success.
func (b *browser) post(handle func(ctx context.Context)) reply {
	return b.want(http.StatusOK, b.send(b.app.c.ctx, http.MethodPost, handle))
}

func (b *browser) want(status int, got reply) reply {
	if got.err != nil {
		b.app.c.Fatalf("the request failed: %v", got.err)
	}
	if got.status != status {
		b.app.c.Fatalf("the response has status %d, want %d", got.status, status)
	}
	return got
}

// put stores a value in the session of the browser.
func (b *browser) put(key, value string) reply {
	return b.post(func(ctx context.Context) { b.app.sessions.Put(ctx, key, value) })
}

// read returns a value of the session of the browser, "" for none.
func (b *browser) read(key string) (value string) {
	b.get(func(ctx context.Context) { value = b.app.sessions.GetString(ctx, key) })
	return value
}

// wantValue expects a value in the session of the browser, "" for none.
func (b *browser) wantValue(key, want string) {
	if got := b.read(key); got != want {
		b.app.c.Fatalf("the session has %s under %q, want %s", shown(got), key, shown(want))
	}
}

// shown tells a value that the suite itself has put into a session.
func shown(value string) string {
	if value == "" {
		return "nothing"
	}
	return strconv.Quote(value)
}

// counted is the store as the session manager gets it. It has every method that scs looks for, calls the case's store
// as scs would, and counts.
type counted struct {
	*caller
	finds, commits, deletes atomic.Int64
}

var (
	_ scs.CtxStore         = (*counted)(nil)
	_ scs.IterableCtxStore = (*counted)(nil)
)

func (s *counted) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	s.finds.Add(1)
	return s.tryFind(ctx, token)
}

func (s *counted) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	s.commits.Add(1)
	return s.tryCommit(ctx, token, b, expiry)
}

func (s *counted) DeleteCtx(ctx context.Context, token string) error {
	s.deletes.Add(1)
	return s.tryDelete(ctx, token)
}

func (s *counted) AllCtx(ctx context.Context) (map[string][]byte, error) { return s.tryAll(ctx) }

// scs.Store demands the plain methods too; the manager does not call them where there are the others.

func (s *counted) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(s.c.ctx, token)
}

func (s *counted) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(s.c.ctx, token, b, expiry)
}

func (s *counted) Delete(token string) error { return s.DeleteCtx(s.c.ctx, token) }

// disconnectable returns a browser whose connection is its own, so that breaking it disturbs no other.
func (a *app) disconnectable() (b *browser, release func()) {
	b = a.browser()
	shared, ok := a.server.Client().Transport.(*http.Transport)
	if !ok {
		a.c.Fatalf("the server's client has no http.Transport")
	}
	own := shared.Clone()
	b.client.Transport = own
	return b, own.CloseIdleConnections
}
