package sessionstore

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
)

// releaseTimeout bounds what is done for a request after its end.
const releaseTimeout = time.Second

// LoadAndSave returns the middleware to use in place of sm.LoadAndSave: it does the same, within a request scope. The
// scope remembers which version of a session the request read, so that its commit can tell whether another request was
// there in between, and it is closed when the request ends, however it ends. sm must have this store as its Store.
func (s *Store) LoadAndSave(sm *scs.SessionManager) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		inner := sm.LoadAndSave(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var codec scs.Codec
			if sm.IdleTimeout > 0 { // otherwise scs commits only what was changed, and decoding it would be for nothing
				codec = sm.Codec
			}
			ctx, end := s.openScope(r.Context(), codec)
			defer end()
			inner.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// Begin opens a request scope by hand, for what is not an HTTP request or has a middleware of its own: load, change and
// commit the session with the returned context, then call end. Commits after end fail with [ErrScopeEnded]. A scope that
// is already open in ctx is used on, and its end is left to who opened it.
func (s *Store) Begin(ctx context.Context) (scoped context.Context, end func()) {
	return s.openScope(ctx, nil)
}

// openScope is Begin with the codec that tells whether two encodings hold the same values.
func (s *Store) openScope(ctx context.Context, codec scs.Codec) (scoped context.Context, end func()) {
	if scopeFrom(ctx, s) != nil {
		return ctx, func() {}
	}
	sc := &scope{codec: codec}
	return context.WithValue(ctx, scopeKey{s}, sc), func() { sc.end(ctx) }
}

// scopeKey keys the scope by store: several managers, each with a store, may serve one request.
type scopeKey struct{ store *Store }

// scopeFrom returns the scope of this store in ctx, or nil.
func scopeFrom(ctx context.Context, s *Store) *scope {
	sc, _ := ctx.Value(scopeKey{s}).(*scope)
	return sc
}

// scope is what one request holds: a session for each token it has read or drawn. A nil scope holds nothing.
type scope struct {
	codec    scs.Codec  // the session manager's, nil where it is not known
	mu       sync.Mutex // never held during a call
	sessions []scopedSession
	ended    bool
}

type scopedSession struct {
	token   string
	session lockstrategy.Session
	// loaded is the data that this request read, nil where it did not, or has stored other data since.
	loaded []byte
}

// find returns the session of the token, or nil.
func (sc *scope) find(token string) lockstrategy.Session {
	if sc == nil {
		return nil
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	return sc.get(token)
}

// opens reports whether a read of the token opens a session in this scope.
func (sc *scope) opens(token string) bool {
	if sc == nil {
		return false
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	return !sc.ended && sc.get(token) == nil
}

// add keeps a session that was read. Where another goroutine was faster, or the scope has ended, it is released.
func (sc *scope) add(ctx context.Context, token string, session lockstrategy.Session) {
	sc.mu.Lock()
	keep := !sc.ended && sc.get(token) == nil
	if keep {
		sc.sessions = append(sc.sessions, scopedSession{token: token, session: session})
	}
	sc.mu.Unlock()
	if !keep {
		release(ctx, session)
	}
}

// session returns the session of the token, which is made where the request has not read it.
func (sc *scope) session(token string, make func() lockstrategy.Session) (lockstrategy.Session, error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.ended {
		return nil, ErrScopeEnded
	}
	session := sc.get(token)
	if session == nil {
		session = make()
		sc.sessions = append(sc.sessions, scopedSession{token: token, session: session})
	}
	return session, nil
}

// keepLoaded remembers what a session was when it was read. It copies the data: the caller may change what it got.
func (sc *scope) keepLoaded(token string, data []byte) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	for i := range sc.sessions {
		if s := &sc.sessions[i]; s.token == token {
			s.loaded = append([]byte{}, data...)
		}
	}
}

// forgetLoaded is for when other data has been stored.
func (sc *scope) forgetLoaded(token string) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	for i := range sc.sessions {
		if s := &sc.sessions[i]; s.token == token {
			s.loaded = nil
		}
	}
}

// unchanged reports whether data holds what was read of the session.
func (sc *scope) unchanged(token string, data []byte) bool {
	sc.mu.Lock()
	var loaded []byte
	for _, s := range sc.sessions {
		if s.token == token {
			loaded = s.loaded
		}
	}
	sc.mu.Unlock()
	return loaded != nil && sameValues(sc.codec, loaded, data)
}

// end closes the scope and releases its sessions.
func (sc *scope) end(ctx context.Context) {
	sc.mu.Lock()
	sessions := sc.sessions
	sc.sessions, sc.ended = nil, true
	sc.mu.Unlock()
	for _, s := range sessions {
		release(ctx, s.session)
	}
}

func (sc *scope) get(token string) lockstrategy.Session {
	for _, s := range sc.sessions {
		if s.token == token {
			return s.session
		}
	}
	return nil
}

// release gives a session back although its request may be cancelled. What fails is left to the end of the lease.
func release(ctx context.Context, session lockstrategy.Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_ = session.Release(ctx)
}
