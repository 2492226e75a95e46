package model_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/alexedwards/scs/v2"
	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// What the handler of a visit does with its session.
const (
	reads    = "reads"
	changes  = "changes"
	renews   = "renews"
	destroys = "destroys"
)

// idleTimeout is that of visits. The touch interval is a minute. Where clocks are wrong by an hour, a short one ends
// sessions.
func (w *world) idleTimeout() time.Duration {
	if w.skewed {
		return 100 * time.Hour
	}
	return time.Hour
}

// visit is a whole request of a browser: the middleware, a handler, and the cookie of the answer.
type visit struct {
	does    string
	mark    string
	cookies []*http.Cookie
	failed  bool // the handler has answered with an error; the expiry of its session may move all the same
	// These are guarded by place.mu.
	found   bool
	touched int
	there   bool // when its expiry was to move, which another request may have prevented by changing it
}

func (w *world) doVisit(rt *rapid.T) {
	w.tooMany(rt)
	c, s := anyOf(rt, "process", w.clients), w.target(rt)
	v := &visit{
		does: rapid.SampledFrom([]string{reads, reads, changes, changes, renews, destroys}).Draw(rt, "visit"),
		mark: fmt.Sprintf("own %d", w.count("change")),
	}
	r := w.newRequest(c, s, false, false)
	r.ended = true // it does nothing more
	op := &operation{name: "visit", session: s, visit: v, locks: w.kind.strategy == "lease", expiry: w.newExpiry()}
	if v.does == renews {
		op.renews = newSession(w.nameOf("session"), "")
		w.sessions = append(w.sessions, op.renews)
	}
	r.start(op, func(ctx context.Context, store *sessionstore.Store) error { return w.serve(ctx, store, op) })
}

// serve is one request, from the cookie that it comes with to that of the answer.
func (w *world) serve(ctx context.Context, store *sessionstore.Store, op *operation) (failed error) {
	manager := storetest.NewManager(store)
	manager.IdleTimeout, manager.Lifetime = w.idleTimeout(), w.idleTimeout()
	manager.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) {
		failed = errors.Join(failed, err) // the handler's, and that of the commit
		w.WriteHeader(http.StatusInternalServerError)
	}
	handler := http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		if err := w.handle(request.Context(), manager, op); err != nil {
			op.visit.failed = true
			manager.ErrorFunc(answer, request, err)
		}
	})
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", http.NoBody)
	request.AddCookie(&http.Cookie{Name: manager.Cookie.Name, Value: op.session.token})
	recorder := httptest.NewRecorder()
	sessionstore.LoadAndSave(manager)(handler).ServeHTTP(recorder, request)
	response := recorder.Result()
	_ = response.Body.Close()
	op.visit.cookies = response.Cookies()
	return failed
}

func (w *world) handle(ctx context.Context, manager *scs.SessionManager, op *operation) error {
	if manager.Token(ctx) == "" {
		return nil // there is no such session
	}
	seen := values{}
	for _, key := range manager.Keys(ctx) {
		seen[key] = manager.Get(ctx, key)
	}
	op.saw(w, seen)
	defer func() { op.asks(w, manager.Deadline(ctx)) }()
	v := op.visit
	switch v.does {
	case changes:
		manager.Put(ctx, v.mark, confidential)
		manager.SetDeadline(ctx, op.expiry)
		return nil
	case renews:
		if err := manager.RenewToken(ctx); err != nil {
			return err
		}
		w.place.mu.Lock()
		defer w.place.mu.Unlock()
		op.renews.token = manager.Token(ctx)
		w.register(op.renews)
		return nil
	case destroys:
		return manager.Destroy(ctx)
	default:
		return nil
	}
}

// saw notes which states of the session the request can have read, and what it is about to make of it.
func (op *operation) saw(w *world, seen values) {
	p := w.place
	p.mu.Lock()
	defer p.mu.Unlock()
	op.visit.found = true
	op.base, op.values = seen, maps.Clone(seen)
	at := -1
	for i := op.from; i < len(op.session.states); i++ {
		if st := op.session.states[i]; st.live(op.began) && maps.Equal(st.values, seen) {
			if op.readTo = i; at < 0 {
				at = i
			}
		}
	}
	if at < 0 {
		p.violatedf("I4: %v read %s, which %v was not", op, show(seen), op.session)
		at = op.from
	}
	op.readAt = at
	if op.visit.does == changes {
		op.values[op.visit.mark] = confidential
	}
}

// asks notes when the session is to end, as the session manager will say after the handler.
func (op *operation) asks(w *world, deadline time.Time) {
	w.place.mu.Lock()
	defer w.place.mu.Unlock()
	op.expiry = earlier(deadline, time.Now().Add(w.idleTimeout()))
	op.session.asked = append(op.session.asked, deadline)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// judgeVisit checks that the answer sets the cookie of a session only where this request has stored it, and takes it
// away only where it has ended it. place.mu is held.
func (w *world) judgeVisit(op *operation) {
	v, p := op.visit, w.place
	stored := op.applied+v.touched > 0
	there := stored || v.there
	set := false
	for _, cookie := range v.cookies {
		switch {
		case op.err != nil && (cookie.Value != op.session.token || !there): // a handler may answer, and touch the session
			p.violatedf("T2: %v failed, and its answer has a cookie", op)
		case op.err != nil:
		case cookie.Value == "":
			if v.does != destroys {
				p.violatedf("T2: %v takes the cookie away, and %s", op, v.does)
			}
		case op.renews != nil && cookie.Value == op.renews.token:
			set = true
			if op.applied == 0 || op.ends == 0 && w.kind.strategy != "none" {
				p.violatedf("T2: %v sets the cookie of %v, which is not in the place of %v", op, op.renews, op.session)
			}
			op.renews.known = true
		case cookie.Value == op.session.token && op.renews == nil && cookie.MaxAge <= 0 && op.ends > 0:
			stored, set = true, true // its deadline has passed
		case cookie.Value == op.session.token && op.renews == nil:
			set = true
			if !there {
				p.violatedf("T2: %v sets a cookie, and has stored nothing", op)
			}
		default:
			p.violatedf("T2: %v sets the cookie of another session", op)
		}
	}
	if op.err != nil || !v.found {
		return
	}
	switch v.does {
	case changes, renews:
		if !stored || !set {
			p.violatedf("I4: %v was acknowledged: stored %v, cookie %v", op, stored, set)
		}
	case destroys:
		if op.session.now().live(op.ended) && w.kind.strategy != "none" {
			p.violatedf("I3: %v was acknowledged, but %v is there", op, op.session)
		}
		w.judgeSuccessors(op)
	}
}
