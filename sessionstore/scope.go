package sessionstore

import (
	"context"
	"errors"
	"iter"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/roster"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// releaseTimeout bounds what is done for a request after its end.
const releaseTimeout = time.Second

// Begin opens a request scope by hand, for what is not an HTTP request or has a middleware of its own: load, change and
// commit the session with the returned context, then call end, which also cancels that context. Commits after end fail
// with [ErrScopeEnded]. A scope that is already open in ctx is used on, and its end is left to who opened it.
//
// The first session that is found in the scope is the one that the lock strategy may lock.
func (s *Store) Begin(ctx context.Context) (scoped context.Context, end func()) {
	scoped, _, end = s.openScope(ctx, nil)
	return scoped, end
}

// openScope is Begin for who needs the scope, too. sm is the session manager whose sessions they are, nil where that is
// not known.
func (s *Store) openScope(ctx context.Context, sm *scs.SessionManager) (context.Context, *layer, func()) {
	if outer := s.layerFrom(ctx); outer != nil {
		outer.allowLock() // for the session of another manager
		if sm == nil || sm == outer.manager {
			return ctx, outer, func() {}
		}
		l := &layer{scope: outer.scope, manager: sm}
		l.update(func() { l.layers = append(l.layers, l) })
		return context.WithValue(ctx, scopeKey{s}, l), l, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	readOnly := isReadOnly(ctx)
	l := &layer{
		scope: &scope{
			store: s, began: s.backend.Now(), moment: roster.Now(), cancel: cancel, readOnly: readOnly, mayLock: !readOnly,
		},
		manager: sm,
	}
	l.layers = []*layer{l}
	end := func() {
		s.endCondemned(ctx, l)
		l.end(ctx)
		cancel(context.Canceled)
	}
	return context.WithValue(ctx, scopeKey{s}, l), l, end
}

// scopeKey keys the scope by store: several managers, each with a store, may serve one request.
type scopeKey struct{ store *Store }

// layerFrom returns the innermost layer of this store's scope in ctx, or nil.
func (s *Store) layerFrom(ctx context.Context) *layer {
	l, _ := ctx.Value(scopeKey{s}).(*layer)
	return l
}

// layer is a scope as one session manager sees it: there may be several within one request.
type layer struct {
	*scope
	manager *scs.SessionManager // nil where it is not known
	// commits says that the middleware of this very manager commits.
	commits bool
	// endedOwn is a session that the request has ended before it renewed its token. The scope's mutex guards it.
	endedOwn *scopedSession
}

// codec is the session manager's, as it is now: handlers may change it.
func (l *layer) codec() scs.Codec {
	if l.manager == nil {
		return l.store.codec
	}
	return l.manager.Codec
}

// idle is the session manager's idle timeout.
func (l *layer) idle() time.Duration {
	if l.manager == nil {
		return 0
	}
	return l.manager.IdleTimeout
}

// scope is what one request holds: a session for each token it has read or drawn.
type scope struct {
	store    *Store
	began    time.Time
	moment   roster.Moment // of its begin
	request  *http.Request // nil where it is not known
	cancel   context.CancelCauseFunc
	readOnly bool

	mu       sync.Mutex // never held during a call
	mayLock  bool       // whether the next session that is found may be locked
	sessions []*scopedSession
	listed   map[string]*scopedSession // those that the request has iterated over
	hashed   map[string]string         // their tokens, by what scs may take for them
	renewed  []renewal
	away     []string // tokens that this request has renewed
	layers   []*layer
	handles  bool              // the handler is running: what is read from now on is no session that a cookie has named
	epochs   []string          // of the rosters whose sessions this request has ended
	expected map[string]string // the epochs of rosters, by their keys, that the login expects
	ended    bool
}

// scopedSession is one session within a scope. The scope's mutex guards it.
type scopedSession struct {
	token    string
	storedAs string              // the token under which it is stored
	manager  *scs.SessionManager // that has loaded or made it
	mark     string              // with which its next commit stores it
	owners   []owned             // whose it is with that
	// overtakes is the version of a record of other owners, in whose place that may be.
	overtakes string
	// session is nil while it is being read, and where it was iterated over until it is committed or deleted.
	session lockstrategy.Session
	// record is what was iterated over.
	record storage.Record
	// data is what is stored of the session as far as this request knows, nil where it has not read it.
	data []byte
	read bool // whether data was set
	// deadline is that of the data which is being committed, zero where it was not decoded.
	deadline time.Time
	// leaving says that scs has deleted the session in order to replace it, which is done with the next commit.
	leaving replacement
	// iterated says that it is leaving as one of those that Iterate shows.
	iterated bool
	// condemned says that the application has deleted the session, by the token that it is leaving. It ends with the
	// commit that replaces it, or else with the scope.
	condemned bool
	// renewing says that the session has its new token, and is stored under the old one still.
	renewing bool
	// unknown says that a commit of this request may have been applied although it failed.
	unknown bool
	// changed says that this request has stored or ended the session.
	changed bool
	// quiet says that the last commit of what was read has written nothing.
	quiet bool
	gone  bool // ended by another request, as far as this one knows
	ended bool // by this request
}

// renewal is a session for which a manager has asked, and that another request has renewed a moment ago.
type renewal struct {
	manager   *scs.SessionManager
	tombstone storage.Record
}

// allowLock lets the next session that is found be locked.
func (sc *scope) allowLock() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.mayLock, sc.handles = !sc.readOnly, false
}

// forbidLock is called when the handler begins: a session that it reads beside its own, as with MergeSession, is not
// locked. Two requests that each hold one session and wait for the other's would wait forever.
func (sc *scope) forbidLock() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.mayLock, sc.handles = false, true
}

// open begins to read the session of the token in this scope, unless it is there already. Who opens it calls opened.
func (l *layer) open(token string) (_ *scopedSession, opens, mayLock bool) {
	sc := l.scope
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if e := sc.get(token); e != nil || sc.ended {
		return e, false, false
	}
	e := &scopedSession{token: token, storedAs: token, manager: l.manager}
	sc.sessions = append(sc.sessions, e)
	return e, true, sc.mayLock
}

// opened keeps a session that was found. Without one, the token is forgotten. Where the scope has ended meanwhile, the
// session is released.
func (sc *scope) opened(ctx context.Context, e *scopedSession, session lockstrategy.Session) {
	sc.mu.Lock()
	if session == nil {
		sc.sessions = slices.DeleteFunc(sc.sessions, func(other *scopedSession) bool { return other == e })
	} else {
		e.session = session
		sc.mayLock = false
	}
	ended := sc.ended
	sc.mu.Unlock()
	if ended && session != nil {
		sc.release(ctx, session)
	}
}

// read notes the data of a session that was found, unless the request has it already. It makes a copy: the caller may
// change what it got.
func (sc *scope) read(token string, data []byte) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if e := sc.get(token); e != nil && !e.read {
		e.data, e.read = append([]byte{}, data...), true
	}
}

// wasRenewed notes that the manager has asked for a session that another request has renewed. What the handler looks at
// is not its own.
func (l *layer) wasRenewed(tombstone storage.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.handles {
		return
	}
	l.renewed = append(l.renewed, renewal{l.manager, tombstone})
}

// renewal returns the tombstone of a session that the manager has asked for and another request has renewed.
func (l *layer) renewal() (tombstone storage.Record, found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.renewed {
		if r.manager == l.manager {
			return r.tombstone, true
		}
	}
	return storage.Record{}, false
}

// list notes what the request has iterated over.
func (l *layer) list(token string, record storage.Record, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.get(token) // what the request holds is what it has read first
	if e == nil {
		e = &scopedSession{token: token, storedAs: token, manager: l.manager, record: record, data: data}
	}
	if l.listed == nil {
		l.listed = map[string]*scopedSession{}
	}
	l.listed[token] = e
	// scs takes what it is shown for the token, and hashes it once more
	if l.manager == nil || l.manager.HashTokenInStore {
		if l.hashed == nil {
			l.hashed = map[string]string{}
		}
		l.hashed[hashToken(token)] = token
	}
}

// enter returns the session that a commit of the token is about: the one that was read; the one that gets this token
// with its renewal; one that was iterated over; or a new one.
func (l *layer) enter(token string, newSession func(*scopedSession) lockstrategy.Session) (*scopedSession, error) {
	sc := l.scope
	sc.mu.Lock()
	defer sc.mu.Unlock()
	e := sc.get(token)
	switch {
	case sc.ended:
		return nil, ErrScopeEnded
	case e != nil && e.leaving != notReplaced || e != nil && e.ended:
		return nil, ErrSessionGone
	case e != nil && e.session != nil:
		return e, nil
	case e == nil && (l.endedOwn != nil || slices.Contains(sc.away, token)):
		return nil, ErrSessionGone // what is committed is what was ended, or renewed, in this request
	}
	if e == nil {
		var leaving *scopedSession
		var err error
		if slices.ContainsFunc(sc.sessions, func(e *scopedSession) bool { return e.leaving == renewed }) {
			leaving, err = l.renewingBy(callerOf())
		}
		switch {
		case err != nil:
			return nil, err
		case leaving != nil:
			e = leaving
			sc.away = append(sc.away, e.token)
			maps.DeleteFunc(sc.listed, func(_ string, listed *scopedSession) bool { return listed == e })
			e.token, e.leaving, e.renewing = token, notReplaced, true
			return e, nil
		}
		e = &scopedSession{token: token, storedAs: token, manager: l.manager}
		sc.sessions = append(sc.sessions, e)
	}
	e.session = newSession(e)
	return e, nil
}

// leave notes that scs has deleted a session in order to replace it. False where that is not to be put off, because the
// request has not read the session.
func (l *layer) leave(token string, by caller, newSession func(*scopedSession) lockstrategy.Session) bool {
	sc := l.scope
	sc.mu.Lock()
	defer sc.mu.Unlock()
	e := sc.get(token)
	if e != nil && e.session == nil && e.record.Key != "" && !e.ended { // which was iterated over
		e.session = newSession(e)
		sc.sessions = append(sc.sessions, e)
	}
	switch {
	case e == nil && by.replaces == renewed: // once more, where it has a token under which nothing is stored yet
		leaving, err := sc.renewing(l.manager, by)
		return leaving != nil || err != nil
	case e == nil || e.session == nil:
		return false
	case e.ended && by.replaces == renewed:
		l.endedOwn = e
		return true
	}
	if _, found := e.session.Record(); !found {
		return false
	}
	e.leaving, e.iterated = by.replaces, by.iterates
	return true
}

// errManyRenewed is what comes of renewals in one scope of which nobody can tell which session gets which token.
var errManyRenewed = errors.New("sessionstore: several sessions were renewed in one request scope before one of " +
	"them was " +
	"committed; commit each after its RenewToken, before the next one is renewed")

// renewingBy is renewing for a commit by whoever uses this layer: within nested middlewares of several managers, a
// handler has the innermost one for all of them.
func (l *layer) renewingBy(by caller) (*scopedSession, error) {
	e, err := l.renewing(l.manager, by)
	if e != nil || err != nil || l.commits {
		return e, err
	}
	for _, other := range l.layers {
		if sameManager(other.manager, l.manager) {
			continue
		}
		e, err := l.renewing(other.manager, by)
		if e != nil && !slices.ContainsFunc(l.sessions, func(own *scopedSession) bool { return own.manager == l.manager }) {
			return nil, errWhose // it may be the first session of this one
		}
		if e != nil || err != nil {
			return e, err
		}
	}
	return nil, nil //nolint:nilnil // There is none.
}

// errWhose is what comes of a commit by hand that may be of either of two managers.
var errWhose = errors.New("sessionstore: within the middlewares of several session managers, it cannot be told " +
	"whose session " +
	"is committed; leave the commit to the middleware, or give each manager a store of its own")

// of returns the layer of the manager whose session it is, if there is one.
func (l *layer) of(e *scopedSession) *layer {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, other := range l.layers {
		if e.manager == other.manager {
			return other
		}
	}
	return l
}

// renewing returns the session that the caller renews, nil where there is none: the request's own, or within Iterate
// one of those that it shows.
func (sc *scope) renewing(manager *scs.SessionManager, by caller) (*scopedSession, error) {
	all := slices.Collect(sc.leavingOf(manager, renewed))
	of := slices.DeleteFunc(slices.Clone(all), func(e *scopedSession) bool { return e.iterated != by.iterates })
	if len(of) == 0 { // it was renewed within Iterate, and is committed after, or the other way round
		of = all
	}
	switch len(of) {
	case 0:
		return nil, nil //nolint:nilnil // There is none, as the comment says.
	case 1:
		return of[0], nil
	default:
		return nil, errManyRenewed
	}
}

// leavingOf returns the sessions that the manager is replacing, or another one is where nothing is known of the
// manager.
func (sc *scope) leavingOf(manager *scs.SessionManager, how replacement) iter.Seq[*scopedSession] {
	return func(yield func(*scopedSession) bool) {
		for _, e := range sc.sessions {
			if e.leaving == how && sameManager(e.manager, manager) && !yield(e) {
				return
			}
		}
	}
}

// takeMerged returns the sessions that the manager has merged into its own, once.
func (l *layer) takeMerged() []*scopedSession {
	sc := l.scope
	sc.mu.Lock()
	defer sc.mu.Unlock()
	taken := slices.Collect(sc.leavingOf(l.manager, merged))
	for _, e := range taken {
		e.leaving, e.ended = notReplaced, true
	}
	return taken
}

// tokensOf returns the token under which a session is stored, and the one under which its next commit stores it.
func (sc *scope) tokensOf(e *scopedSession) (stored, next string) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if e.renewing {
		return e.storedAs, e.token
	}
	return e.storedAs, e.storedAs
}

// update changes what is known of a session.
func (sc *scope) update(change func()) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	change()
}

// isQuiet reports whether the session's cookie is not to be sent.
func (sc *scope) isQuiet(token string) bool {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	e := sc.get(token)
	return e != nil && (e.ended || e.gone || e.quiet && !e.changed)
}

// takeEnded reports whether this request has ended the session of the token, also if it has renewed that since, and
// returns what the session had. What the manager commits after that is another one.
func (l *layer) takeEnded(token string) (had []byte, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.endedOwn
	l.endedOwn = nil
	if e == nil {
		e = l.get(token)
	}
	if e == nil || !e.ended {
		return nil, false
	}
	return e.data, true
}

// storedUnder returns the session that this request has read or stored under a storage key, nil for none that it could
// end.
func (sc *scope) storedUnder(key string) *scopedSession {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	for _, e := range sc.sessions {
		if e.session == nil || e.ended {
			continue
		}
		if record, found := e.session.Record(); found && record.Key == key {
			return e
		}
	}
	return nil
}

// keys returns the storage keys of the sessions that this request has read or stored, those under which another request
// may be moving them included.
func (sc *scope) keys() (keys []string) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	for _, e := range sc.sessions {
		if e.session == nil || e.ended {
			continue
		}
		if record, found := e.session.Record(); found {
			keys = append(keys, record.Key)
			for i := range sc.store.vault.generations() {
				keys = append(keys, sc.store.vault.keyOf(i, e.storedAs))
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// knows notes the epoch of a roster whose sessions this request has ended.
func (sc *scope) knows(epoch string) { sc.update(func() { sc.epochs = append(sc.epochs, epoch) }) }

// expects notes the epoch that the roster under the key has before the login.
func (sc *scope) expects(key, epoch string) {
	sc.update(func() {
		if sc.expected == nil {
			sc.expected = map[string]string{}
		}
		sc.expected[key] = epoch
	})
}

// login returns what is known of this request as a login to the roster under the key. A nil scope is none.
func (sc *scope) login(key string) (login roster.Login) {
	if sc == nil {
		return login
	}
	sc.update(func() {
		login = roster.Login{Began: sc.began, Moment: sc.moment, Epochs: slices.Clone(sc.epochs)}
		var epoch string
		if epoch, login.Expects = sc.expected[key]; login.Expects {
			login.Epochs = append(login.Epochs, epoch)
		}
	})
	return login
}

// isStored reports whether a commit of this request has stored the session under the token.
func (sc *scope) isStored(token string) bool {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	e := sc.get(token)
	return e != nil && e.storedAs == token && e.changed && !e.ended && !e.gone
}

// isLeaving reports whether scs has deleted the session in order to replace it.
func (sc *scope) isLeaving(token string) bool {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	e := sc.get(token)
	return e != nil && e.leaving != notReplaced
}

// hasChanged reports whether the request has stored or ended a session.
func (sc *scope) hasChanged() bool {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	for e := range sc.all() {
		if e.changed {
			return true
		}
	}
	return false
}

// reopen lets a session be committed after the end of the scope, and reports whether that was over.
func (sc *scope) reopen() bool {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	ended := sc.ended
	sc.ended = false
	return ended
}

// releaseAll gives back what the sessions hold, although the request may be cancelled. They may still be committed.
func (sc *scope) releaseAll(ctx context.Context) {
	sc.mu.Lock()
	held := make([]lockstrategy.Session, 0, len(sc.sessions))
	for e := range sc.all() {
		if e.session != nil {
			held = append(held, e.session)
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

// condemned returns the sessions that the application has deleted, and that nothing has replaced.
func (sc *scope) condemned() []*scopedSession {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(sc.sessions), func(e *scopedSession) bool {
		return !e.condemned || e.leaving != renewed && !e.renewing || e.ended
	})
}

// release gives a session back. What fails is left to the end of the lease.
func (sc *scope) release(ctx context.Context, session lockstrategy.Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if sc.store.observe == nil {
		_ = session.Release(ctx)
		return
	}
	ctx, done := sc.store.begin(ctx, opRelease)
	done(outcomeOK, 0, session.Release(ctx))
}

func (sc *scope) get(token string) *scopedSession {
	for _, e := range sc.sessions {
		if e.token == token {
			return e
		}
	}
	if e := sc.listed[token]; e != nil {
		return e
	}
	return sc.listed[sc.hashed[token]]
}

// all returns all sessions of the scope.
func (sc *scope) all() iter.Seq[*scopedSession] {
	return func(yield func(*scopedSession) bool) {
		for _, e := range sc.sessions {
			if !yield(e) {
				return
			}
		}
		for _, e := range sc.listed {
			if !yield(e) {
				return
			}
		}
	}
}
