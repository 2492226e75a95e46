package model_test

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// request is one request of one user: a scope, and what its handler does in it.
type request struct {
	world    *world
	name     string
	client   *client
	session  *session
	readOnly bool
	scope    bool
	began    time.Time
	ctx      context.Context // of the scope
	cancel   context.CancelFunc
	end      func()

	op *operation // that is running, if any

	loaded  bool              // it has read a session, its own or another
	scoped  map[*session]bool // that it has read, or made
	found   bool              // there is a session to commit: it was found, or committed
	creates bool              // the session is new
	readAt  int               // the state of the session that the request knows of, the first one that it can have been
	readTo  int               // and the last one
	view    values            // as it was read, or last acknowledged
	values  values            // as the handler has it now

	renews    *session // to which it changes once the old one is deleted
	holds     bool     // it has got the lease, and done nothing since that gives it back
	canceled  bool     // the user has gone away
	deleted   bool     // it has ended the session, or tried to
	changed   bool     // it has stored or ended the session, or may have
	unknown   bool     // one of its commits or deletes may have been applied although it failed
	disturbed bool     // what became of one of its commits is not known
	ended     bool
}

func (r *request) String() string {
	if r == nil {
		return "nobody"
	}
	return r.name
}

// newRequest begins a request. Without a scope, it is what a program does that is no web server.
func (w *world) newRequest(c *client, s *session, readOnly, scoped bool) *request {
	r := &request{
		world: w, name: w.nameOf("request"), client: c, session: s, readOnly: readOnly, scope: scoped,
		began: time.Now(), scoped: map[*session]bool{},
	}
	ctx, cancel := context.WithCancel(w.ctx)
	r.ctx, r.cancel, r.end = ctx, cancel, func() {}
	if readOnly {
		r.ctx = sessionstore.ReadOnly(r.ctx)
	}
	if scoped {
		r.ctx, r.end = c.store.Begin(r.ctx)
	}
	w.requests = append(w.requests, r)
	w.note("%v of %v begins at %v, read-only %v, scope %v", r, s, c, readOnly, scoped)
	return r
}

// find loads the request's session.
func (r *request) find() {
	op := &operation{name: "find", session: r.session, locks: r.locks(r.session)}
	r.start(op, op.find)
}

// read loads another session, as MergeSession does.
func (r *request) read(other *session) {
	op := &operation{name: "read", session: other, locks: r.locks(other)}
	r.start(op, op.find)
}

// locks reports whether a session is locked if it is found now: the first one that is read is.
func (r *request) locks(s *session) bool {
	return r.world.kind.strategy == "lease" && !r.readOnly && !r.loaded && !r.scoped[s]
}

func (op *operation) find(ctx context.Context, store *sessionstore.Store) (err error) {
	op.data, op.found, err = store.FindCtx(ctx, op.session.token)
	return err
}

// merged takes over the values of another session, but for those that two requests must not both add.
func (r *request) merged(other *session, seen values) {
	if other == r.session {
		return
	}
	taken := maps.Clone(seen)
	delete(taken, additive)
	maps.Copy(r.values, taken)
}

func addWord(to values, word string) {
	text, _ := to[additive].(string)
	to[additive] = strings.TrimSpace(text + " " + word)
}

// commit stores the values as the handler has them.
func (r *request) commit() {
	op := &operation{
		name: "commit", session: r.session, values: maps.Clone(r.values), base: r.view, creates: r.creates && !r.found,
		expiry: r.world.newExpiry(),
	}
	if !r.world.skewed && rapid.IntRange(0, 15).Draw(r.world.rt, "deadline has passed") == 0 {
		op.expiry = time.Now().Add(-time.Millisecond)
	}
	op.vain = op.creates && op.expiry.Before(r.began) && !r.changed
	r.holds, r.scoped[r.session] = false, true
	r.start(op, func(ctx context.Context, store *sessionstore.Store) error {
		return store.CommitCtx(ctx, op.session.token, encode(op.values), op.expiry)
	})
}

// renew stores the values under a new token, as RenewToken and a commit do.
func (r *request) renew() {
	w := r.world
	op := &operation{
		name: "renewal", session: r.session, values: maps.Clone(r.values), base: r.view, expiry: w.newExpiry(),
		renews: newSession(w.nameOf("session"), ""),
	}
	w.sessions = append(w.sessions, op.renews)
	r.holds = false
	r.start(op, func(ctx context.Context, store *sessionstore.Store) error {
		manager := &scs.SessionManager{Store: loaded{store, encode(op.base)}, Codec: scs.GobCodec{}, Lifetime: time.Hour}
		ctx, err := manager.Load(ctx, op.session.token)
		if err == nil {
			err = manager.RenewToken(ctx)
		}
		if err != nil {
			return err
		}
		w.place.mu.Lock()
		op.renews.token = manager.Token(ctx)
		w.register(op.renews)
		w.place.mu.Unlock()
		return store.CommitCtx(ctx, op.renews.token, encode(op.values), op.expiry)
	})
}

// loaded is a store for a manager whose session is loaded already.
type loaded struct {
	*sessionstore.Store
	data []byte
}

// FindCtx implements scs.CtxStore.
func (l loaded) FindCtx(context.Context, string) ([]byte, bool, error) { return l.data, true, nil }

// delete ends a session, which need not be the request's.
func (r *request) delete(s *session) {
	r.holds = false
	op := &operation{name: "delete", session: s}
	r.start(op, func(ctx context.Context, store *sessionstore.Store) error {
		return store.DeleteCtx(ctx, s.token)
	})
}

// finish ends the request.
func (r *request) finish() {
	r.holds, r.ended = false, true
	r.start(&operation{name: "end", session: r.session}, func(context.Context, *sessionstore.Store) error {
		r.end()
		return nil
	})
}

// renewed goes on with the session of a new token, as after RenewToken.
func (r *request) renewed() {
	r.session, r.renews = r.renews, nil
	r.found, r.creates, r.deleted, r.changed, r.unknown, r.disturbed = false, true, false, false, false, false
	r.readAt, r.readTo, r.view = 0, 0, nil
}
