package webapp

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// The values of a session.
const (
	lineageKey  = "lineage"
	userKey     = "user"
	idsKey      = "ids"
	counterKeys = "n "
)

// App is the application. It is an http.Handler, and safe for concurrent use.
//
//	GET  /get                  the session
//	GET  /visit, /touch        the user, and nothing changed
//	POST /inc?k=KEY            adds 1 to a counter, with renew=yes under a new token
//	POST /undo?k=KEY           adds 1 to a counter, commits, takes it back, and commits
//	POST /put?k=KEY&v=VALUE    sets a value; NaN is the number that is none, and with size=N it has so many bytes
//	POST /login?user=NAME      renews the token and puts the user
//	POST /renew                renews the token
//	POST /logout               destroys the session
//	POST /deadline?in=1h       sets the deadline of the session; with then=2h, commits, and sets another one
//
// Each takes id=ID, which names the request; work=10ms, how long the handler takes; timeout=1s, the request's own
// deadline; and gate=NAME and after=NAME, where the handler waits before and after what it does. Each answers with a
// [Reply].
type App struct {
	Store    *sessionstore.Store
	Sessions *scs.SessionManager

	handler http.Handler
	skew    atomic.Int64

	mu       sync.Mutex
	gates    map[string]*Gate
	requests int
	changed  chan struct{} // closed, and replaced, when requests changes
}

// Reply is what a handler has seen and done.
type Reply struct {
	Lineage string            `json:",omitempty"`
	User    string            `json:",omitempty"`
	IDs     []string          `json:",omitempty"`
	Counts  map[string]int    `json:",omitempty"`
	Others  map[string]string `json:",omitempty"`
	// Ended is when the handler was done, in Unix nanoseconds: what the store does for it comes later.
	Ended int64
}

// New makes the application. The logger gets what the store tells.
func New(c Config, logger *slog.Logger) (*App, error) {
	a := &App{gates: map[string]*Gate{}, changed: make(chan struct{})}
	a.SetSkew(c.Skew)
	store, err := c.newStore(logger, func() time.Time { return time.Now().Add(time.Duration(a.skew.Load())) })
	if err != nil {
		return nil, err
	}
	a.Store, a.Sessions = store, storetest.NewManager(store)
	a.Sessions.Cookie.Secure = false // there is no TLS between the servers and the browsers
	a.Sessions.IdleTimeout = c.IdleTimeout
	if c.Lifetime > 0 {
		a.Sessions.Lifetime = c.Lifetime
	}
	mux := http.NewServeMux()
	for pattern, do := range map[string]func(context.Context, *http.Request) error{
		"GET /get":       func(context.Context, *http.Request) error { return nil },
		"GET /visit":     func(context.Context, *http.Request) error { return nil },
		"GET /touch":     func(context.Context, *http.Request) error { return nil },
		"POST /inc":      a.inc,
		"POST /undo":     a.undo,
		"POST /put":      a.put,
		"POST /login":    a.login,
		"POST /renew":    a.renew,
		"POST /logout":   func(ctx context.Context, _ *http.Request) error { return a.Sessions.Destroy(ctx) },
		"POST /deadline": a.deadline,
	} {
		mux.Handle(pattern, a.route(do))
	}
	a.handler = a.outermost(sessionstore.LoadAndSave(a.Sessions)(mux))
	return a, nil
}

// ServeHTTP implements http.Handler.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// SetSkew sets by how much the store's clock is wrong.
func (a *App) SetSkew(d time.Duration) { a.skew.Store(int64(d)) }

// outermost makes the application known to [From], and gives requests a deadline of their own, as middlewares do.
func (a *App) outermost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.count(1)
		defer a.count(-1)
		ctx := context.WithValue(r.Context(), appKey{}, a)
		if d, err := time.ParseDuration(r.URL.Query().Get("timeout")); err == nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, d)
			defer cancel()
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (a *App) count(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests += n
	close(a.changed)
	a.changed = make(chan struct{})
}

// Idle returns when no request is under way, or with the context's error.
func (a *App) Idle(ctx context.Context) error {
	for {
		a.mu.Lock()
		idle, changed := a.requests == 0, a.changed
		a.mu.Unlock()
		if idle {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

type appKey struct{}

// From returns the application whose request the context is of, or nil.
func From(ctx context.Context) *App {
	a, _ := ctx.Value(appKey{}).(*App)
	return a
}

// route is what all routes have in common. What the handler saw is the session as it was before it was ended.
func (a *App) route(do func(context.Context, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, query := r.Context(), r.URL.Query()
		a.gate(query.Get("gate")).pass(ctx)
		if work, err := time.ParseDuration(query.Get("work")); err == nil {
			timer := time.NewTimer(work)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		before := a.reply(ctx)
		if err := do(ctx, r); err != nil {
			sessionstore.HandleError(w, r, err)
			return
		}
		a.gate(query.Get("after")).pass(ctx)
		reply := a.reply(ctx)
		if reply.Lineage == "" {
			reply = before
		}
		reply.Ended = time.Now().UnixNano()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(reply) // who does not read it has gone
	})
}

func (a *App) reply(ctx context.Context) Reply {
	s := a.Sessions
	reply := Reply{Lineage: s.GetString(ctx, lineageKey), User: s.GetString(ctx, userKey), IDs: a.ids(ctx)}
	reply.Counts, reply.Others = map[string]int{}, map[string]string{}
	for _, key := range s.Keys(ctx) {
		name, counter := strings.CutPrefix(key, counterKeys)
		switch value := s.Get(ctx, key).(type) {
		case int:
			if counter {
				reply.Counts[name] = value
			}
		case string:
			reply.Others[key] = value
		case float64:
			reply.Others[key] = "a number"
		}
	}
	maps.DeleteFunc(reply.Others, func(key, _ string) bool { return key == lineageKey || key == userKey })
	return reply
}

func (a *App) ids(ctx context.Context) []string {
	ids, _ := a.Sessions.Get(ctx, idsKey).([]string)
	return ids
}

// mark gives a new session its lineage, and leaves the request's ID in it.
func (a *App) mark(ctx context.Context, r *http.Request) {
	id := r.URL.Query().Get("id")
	if a.Sessions.GetString(ctx, lineageKey) == "" {
		a.Sessions.Put(ctx, lineageKey, id)
	}
	a.Sessions.Put(ctx, idsKey, append(slices.Clone(a.ids(ctx)), id))
}

func (a *App) inc(ctx context.Context, r *http.Request) error {
	if r.URL.Query().Has("renew") {
		if err := a.Sessions.RenewToken(ctx); err != nil {
			return err
		}
	}
	a.mark(ctx, r)
	key := counterKeys + r.URL.Query().Get("k")
	a.Sessions.Put(ctx, key, a.Sessions.GetInt(ctx, key)+1)
	return nil
}

func (a *App) undo(ctx context.Context, r *http.Request) error {
	ids, key := a.ids(ctx), counterKeys+r.URL.Query().Get("k")
	n := a.Sessions.GetInt(ctx, key)
	if err := a.inc(ctx, r); err != nil {
		return err
	}
	a.gate(r.URL.Query().Get("first")).pass(ctx)
	_, _, first := a.Sessions.Commit(ctx) // whatever it says, the handler goes on
	a.gate(r.URL.Query().Get("second")).pass(ctx)
	a.Sessions.Put(ctx, idsKey, ids)
	a.Sessions.Put(ctx, key, n)
	if first == nil && r.URL.Query().Has("strict") {
		return errors.New("webapp: the first commit was to fail")
	}
	return nil
}

func (a *App) put(ctx context.Context, r *http.Request) error {
	a.mark(ctx, r)
	var value any = r.URL.Query().Get("v")
	if value == "NaN" {
		value = math.NaN()
	}
	if size, err := strconv.Atoi(r.URL.Query().Get("size")); err == nil {
		value = strings.Repeat("x", size)
	}
	a.Sessions.Put(ctx, r.URL.Query().Get("k"), value)
	return nil
}

func (a *App) renew(ctx context.Context, r *http.Request) error {
	if err := a.Sessions.RenewToken(ctx); err != nil {
		return err
	}
	if a.Sessions.GetString(ctx, lineageKey) == "" { // a new session
		a.mark(ctx, r)
	}
	return nil
}

func (a *App) login(ctx context.Context, r *http.Request) error {
	if err := a.Sessions.RenewToken(ctx); err != nil {
		return err
	}
	a.mark(ctx, r)
	a.Sessions.Put(ctx, userKey, r.URL.Query().Get("user"))
	return nil
}

func (a *App) deadline(ctx context.Context, r *http.Request) error {
	in, err := time.ParseDuration(r.URL.Query().Get("in"))
	if err != nil {
		return err
	}
	a.mark(ctx, r)
	a.Sessions.SetDeadline(ctx, time.Now().Add(in).UTC())
	if then, err := time.ParseDuration(r.URL.Query().Get("then")); err == nil {
		_, _, err = a.Sessions.Commit(ctx)
		a.Sessions.SetDeadline(ctx, time.Now().Add(then).UTC())
		return err
	}
	return nil
}

// Gate is where a handler waits.
type Gate struct {
	arrived, open chan struct{}
	once, opens   sync.Once
}

// Gate returns the gate of that name, which each handler passes at most once.
func (a *App) Gate(name string) *Gate { return a.gate(name) }

func (a *App) gate(name string) *Gate {
	if name == "" {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.gates[name]
	if g == nil {
		g = &Gate{arrived: make(chan struct{}), open: make(chan struct{})}
		a.gates[name] = g
	}
	return g
}

func (g *Gate) pass(ctx context.Context) {
	if g == nil {
		return
	}
	g.once.Do(func() { close(g.arrived) })
	select {
	case <-g.open:
	case <-ctx.Done():
	}
}

// Await returns when a handler has arrived at the gate, or with the context's error.
func (g *Gate) Await(ctx context.Context) error {
	select {
	case <-g.arrived:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Open lets handlers pass, now and later.
func (g *Gate) Open() { g.opens.Do(func() { close(g.open) }) }
