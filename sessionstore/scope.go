package sessionstore

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
)

// releaseTimeout bounds what is done for a request after its end.
const releaseTimeout = time.Second

// Begin opens a request scope by hand, for what is not an HTTP request or has a middleware of its own: load, change and
// commit the session with the returned context, then call end, which also cancels that context. Commits after end fail with
// [ErrScopeEnded]. A scope that is already open in ctx is used on, and its end is left to who opened it.
//
// The first session that is found in the scope is the one that the lock strategy may lock.
func (s *Store) Begin(ctx context.Context) (scoped context.Context, end func()) {
	scoped, _, end = s.openScope(ctx, nil)
	return scoped, end
}

// openScope is Begin for who needs the scope, too. sm is the session manager whose sessions they are, nil where that is not
// known.
func (s *Store) openScope(ctx context.Context, sm *scs.SessionManager) (context.Context, *scope, func()) {
	if sc := scopeFrom(ctx, s); sc != nil {
		sc.allowLock() // for the session of another manager
		return ctx, sc, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	readOnly := isReadOnly(ctx)
	sc := &scope{store: s, codec: s.codec, cancel: cancel, readOnly: readOnly, mayLock: !readOnly}
	if sm != nil {
		sc.codec, sc.idle = sm.Codec, sm.IdleTimeout
	}
	end := func() {
		sc.end(ctx)
		cancel(context.Canceled)
	}
	return context.WithValue(ctx, scopeKey{s}, sc), sc, end
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
	store    *Store
	codec    scs.Codec
	idle     time.Duration // the session manager's idle timeout
	cancel   context.CancelCauseFunc
	readOnly bool

	mu       sync.Mutex // never held during a call
	mayLock  bool       // whether the next session that is found may be locked
	sessions []scopedSession
	ended    bool
}

type scopedSession struct {
	token string
	// session is nil while it is being read.
	session lockstrategy.Session
	// loaded is the data that this request read, nil where it did not, or has stored other data since.
	loaded []byte
}

// allowLock lets the next session that is found be locked.
func (sc *scope) allowLock() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.mayLock = !sc.readOnly
}

// forbidLock is called when the handler begins: a session that it reads beside its own, as with MergeSession, is not
// locked. Two requests that each hold one session and wait for the other's would wait forever.
func (sc *scope) forbidLock() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.mayLock = false
}

// find returns the session of the token, or nil.
func (sc *scope) find(token string) lockstrategy.Session {
	if sc == nil {
		return nil
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if s := sc.get(token); s != nil {
		return s.session
	}
	return nil
}

// open reports whether a read of the token opens a session in this scope, and whether that may be locked. Who opens it
// calls opened.
func (sc *scope) open(token string) (opens, mayLock bool) {
	if sc == nil {
		return false, false
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.ended || sc.get(token) != nil {
		return false, false
	}
	sc.sessions = append(sc.sessions, scopedSession{token: token})
	return true, sc.mayLock
}

// opened keeps a session that was found and its data, of which it makes a copy: the caller may change what it got. Without
// a session, the token is forgotten. Where the scope has ended meanwhile, the session is released.
func (sc *scope) opened(ctx context.Context, token string, session lockstrategy.Session, data []byte) {
	sc.mu.Lock()
	if session == nil {
		sc.sessions = slices.DeleteFunc(sc.sessions, func(s scopedSession) bool { return s.token == token })
	} else if s := sc.get(token); s != nil {
		s.session = session
		if data != nil {
			s.loaded = append([]byte{}, data...)
		}
		sc.mayLock = false
	}
	ended := sc.ended
	sc.mu.Unlock()
	if ended && session != nil {
		sc.release(ctx, session)
	}
}

// session returns the session of the token, which is made where the request has not read it.
func (sc *scope) session(token string, make func() lockstrategy.Session) (lockstrategy.Session, error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.ended {
		return nil, ErrScopeEnded
	}
	s := sc.get(token)
	if s == nil {
		sc.sessions = append(sc.sessions, scopedSession{token: token})
		s = &sc.sessions[len(sc.sessions)-1]
	}
	if s.session == nil {
		s.session = make()
	}
	return s.session, nil
}

// forgetLoaded is for when other data has been stored.
func (sc *scope) forgetLoaded(token string) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if s := sc.get(token); s != nil {
		s.loaded = nil
	}
}

// unchanged reports whether data holds what was read of the session.
func (sc *scope) unchanged(token string, data []byte) bool {
	sc.mu.Lock()
	var loaded []byte
	if s := sc.get(token); s != nil {
		loaded = s.loaded
	}
	sc.mu.Unlock()
	if loaded == nil {
		return false
	}
	// Without an idle timeout scs commits only what was changed; then it is not worth to decode what differs in length.
	return (sc.idle > 0 || len(loaded) == len(data)) && sameValues(sc.codec, loaded, data)
}

// releaseAll gives back what the sessions hold, although the request may be cancelled. They may still be committed.
func (sc *scope) releaseAll(ctx context.Context) {
	sc.mu.Lock()
	held := make([]lockstrategy.Session, 0, len(sc.sessions))
	for _, s := range sc.sessions {
		if s.session != nil {
			held = append(held, s.session)
		}
	}
	sc.mu.Unlock()
	for _, session := range held {
		sc.release(ctx, session)
	}
}

// end closes the scope and releases its sessions.
func (sc *scope) end(ctx context.Context) {
	sc.mu.Lock()
	sc.ended = true
	sc.mu.Unlock()
	sc.releaseAll(ctx)
}

// release gives a session back. What fails is left to the end of the lease.
func (sc *scope) release(ctx context.Context, session lockstrategy.Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if sc.store.observe == nil {
		_ = session.Release(ctx)
		return
	}
	ctx, done := sc.store.begin(ctx, OpRelease)
	done(OutcomeOK, 0, session.Release(ctx))
}

func (sc *scope) get(token string) *scopedSession {
	for i := range sc.sessions {
		if sc.sessions[i].token == token {
			return &sc.sessions[i]
		}
	}
	return nil
}
