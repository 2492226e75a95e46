package model_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// operation is one call of the store, from its beginning to its end.
type operation struct {
	request *request
	session *session
	name    string
	began   time.Time
	from    int  // the state in which the session was when it began
	readAt  int  // the state in which the request has read it, the first one that it can have been
	readTo  int  // and the last one
	locks   bool // it is a find that may wait for a lock

	// Of a commit.

	values, base values // what is committed, and what the request has seen before it changed that
	expiry       time.Time
	creates      bool // the request has not found the session
	vain         bool // it is a new session that was to end before the request began: nothing is stored
	// renews is the session that takes the place of this one, where it is a renewal.
	renews *session

	visit *visit // what else there is to a visit

	// These are guarded by place.mu.

	applied int  // how often it has changed the session
	ends    int  // how often it has ended the session
	at      int  // the state in which it has left it
	faulted bool // a fault has struck one of its calls
	refused bool // it has ended with an error that says that nothing was written
	ended   time.Time
	to      int // the state in which the session was when it ended
	err     error
	data    []byte // of a find
	found   bool
}

func (op *operation) String() string {
	return fmt.Sprintf("%v: %s of %v", op.request, op.name, op.session)
}

type operationKey struct{}

func operationFrom(ctx context.Context) *operation {
	op, _ := ctx.Value(operationKey{}).(*operation)
	return op
}

// start runs an operation in a goroutine of its own. The request has it until it is reaped.
func (r *request) start(op *operation, run func(context.Context, *sessionstore.Store) error) {
	w := r.world
	op.request, op.began = r, time.Now()
	r.op = op
	w.place.mu.Lock()
	op.from, op.readAt, op.readTo = len(op.session.states)-1, r.readAt, r.readTo
	w.place.notef("%v begins", op)
	w.place.mu.Unlock()
	go func() {
		err := run(context.WithValue(r.ctx, operationKey{}, op), r.client.store)
		w.place.mu.Lock()
		defer w.place.mu.Unlock()
		op.err, op.ended, op.to = err, time.Now(), len(op.session.states)-1
		w.ended = append(w.ended, op)
		op.refused = refused(err)
		mayApply := op.renews != nil || op.visit != nil && op.visit.failed
		if op.refused && (op.applied > 0 && !mayApply || op.ends > 0) {
			w.place.violatedf("T1: %v was applied, and refused: %v", op, err)
		}
		w.place.notef("%v ends: %s", op, outcome(err))
	}()
}

// refused reports whether an error says that nothing was written.
func refused(err error) bool {
	if err == nil || errors.Is(err, storage.ErrOutcomeUnknown) {
		return false
	}
	for _, refusal := range []error{
		storage.ErrConflict, storage.ErrUnavailable, sessionstore.ErrSessionGone, sessionstore.ErrLockTimeout,
		sessionstore.ErrScopeEnded, errDenied,
	} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// reap judges the operations that have ended, in that order, and lets their requests go on.
func (w *world) reap() {
	w.place.mu.Lock()
	defer w.place.mu.Unlock()
	ended := w.ended
	w.ended = nil
	for _, op := range ended {
		r := op.request
		if !r.client.alive() {
			continue
		}
		r.op = nil
		if op.err != nil {
			w.leaks.text(op.err)
		}
		if op.visit != nil {
			r.readAt, r.readTo = op.readAt, op.readTo
		}
		w.judgeError(r, op)
		switch op.name {
		case "visit":
			w.judgeVisit(op)
		case "find", "read":
			w.judgeFind(r, op)
		case "commit":
			w.judgeCommit(r, op)
		case "renewal":
			w.judgeRenewal(r, op)
		case "delete":
			w.judgeDelete(r, op)
		}
	}
}

// judgeError checks that an operation fails only where there is a reason. place.mu is held.
func (w *world) judgeError(r *request, op *operation) {
	p := w.place
	switch err := op.err; {
	case err == nil:
	case op.faulted || r.canceled || r.ctx.Err() != nil:
	case errors.Is(err, sessionstore.ErrLockTimeout):
		if !op.locks && (!op.commits() || w.kind.strategy != "lease") {
			p.violatedf("%v has waited for a lock that it does not need", op)
		}
	case errors.Is(err, sessionstore.ErrScopeEnded):
		p.violatedf("%v: its scope has not ended", op)
	case !op.commits():
		p.violatedf("%v failed for no reason: %v", op, err)
	case errors.Is(err, storage.ErrOutcomeUnknown) && r.unknown: // which is not forgotten
	case errors.Is(err, sessionstore.ErrTokenRenewed) && op.creates: // it has asked for a token that was renewed
	case errors.Is(err, sessionstore.ErrSessionGone) && op.vain:
		p.violatedf("%v is refused, and there was nothing to store", op)
	case errors.Is(err, sessionstore.ErrSessionGone):
		if w.kind.strategy == "none" && !r.deleted && op.expiry.After(op.began) {
			p.violatedf("%v: the last commit does not win", op)
		}
		if !r.mayBeGone(op) && op.expiry.After(op.began) {
			p.violatedf("%v: %v is there", op, op.session)
		}
	case errors.Is(err, sessionstore.ErrLockLost):
		if p.calm && r.client.timing.renews && time.Since(r.began) < time.Minute { // the longest that it may hold it
			p.violatedf("I6: %v has lost a lock that was renewed in time", op)
		}
	case errors.Is(err, storage.ErrConflict):
		if !w.mayConflict(r, op) {
			p.violatedf("%v conflicts with nobody", op)
		}
	default:
		p.violatedf("%v failed for no reason: %v", op, err)
	}
}

// mayBeGone reports whether the session may have ended since the request has read it.
func (r *request) mayBeGone(op *operation) bool {
	for _, st := range op.session.states[r.readAt : op.to+1] {
		if !st.live(op.ended) {
			return true
		}
	}
	return r.deleted
}

// mayConflict reports whether somebody has changed the session since the request has read it, as far as the strategy
// minds.
func (w *world) mayConflict(r *request, op *operation) bool {
	changes := 0
	for i := r.readAt + 1; i <= op.to; i++ {
		if op.session.states[i].version != op.session.states[i-1].version {
			changes++
		}
	}
	if w.kind.strategy == "merge" {
		// maybe to another secret, which a renewal does not follow
		moved := op.renews != nil && len(w.secrets) > 1 && changes > 0
		return changes >= 9 || r.disturbed || moved // else they are merged, unless it is a crowd
	}
	return changes > 0
}

// judgeFind checks that a find has returned one of the states that the session was in meanwhile. place.mu is held.
func (w *world) judgeFind(r *request, op *operation) {
	p := w.place
	switch waited := op.ended.Sub(op.began); {
	case !op.faulted && !op.locks && waited > 0:
		p.violatedf("%v has waited for %v, and needs no lock", op, waited)
	case p.calm && op.locks && waited > r.client.timing.maxWait:
		p.violatedf("%v has waited for %v; it may for %v", op, waited, r.client.timing.maxWait)
	}
	if op.err != nil {
		return
	}
	var seen values
	if op.found {
		seen = decode(op.data)
	}
	at, to := -1, -1
	for i := op.from; i <= op.to; i++ {
		st := op.session.states[i]
		if op.found && st.live(op.began) && maps.Equal(st.values, seen) || !op.found && !st.live(op.ended) {
			to = i
			if at < 0 {
				at = i
			}
		}
	}
	if at < 0 && !op.found && r.scope && w.kind.strategy == "none" {
		return // the request has ended it, and another one has brought it back
	}
	if at < 0 {
		p.violatedf("I4: %v returned found=%v %s\n\tmeanwhile it was:%s", op, op.found, show(seen), history(op))
		return
	}
	if !op.found {
		return
	}
	r.loaded = r.loaded || !r.scoped[op.session]
	r.scoped[op.session] = true
	if op.name == "read" {
		r.merged(op.session, seen)
		return
	}
	r.found, r.readAt, r.readTo, r.view, r.values = true, at, to, seen, maps.Clone(seen)
	if op.locks {
		w.judgeTurn(r)
		r.holds = true
	}
}

func history(op *operation) (text string) {
	for _, st := range op.session.states[op.from : op.to+1] {
		text += fmt.Sprintf("\n\tlive=%v %s", st.live(op.ended), show(st.values))
	}
	return text
}

// judgeTurn checks that no other request has the lease. That is sure only as long as nothing is wrong with storage.
func (w *world) judgeTurn(r *request) {
	for _, other := range w.requests {
		if other != r && other.session == r.session && other.holds && other.client.alive() &&
			!other.canceled && // a lease is not renewed for whoever has gone away
			w.place.calm && other.client.timing.renews {
			w.place.violatedf("I6: %v got the lease of %v, which %v has", r, r.session, other)
		}
	}
}

// judgeCommit checks that what was acknowledged was applied. place.mu is held.
func (w *world) judgeCommit(r *request, op *operation) {
	touches := op.vain || op.base != nil && maps.Equal(op.base, op.values) || w.kind.strategy == "none" &&
		!op.expiry.After(op.began)
	switch {
	case op.err == nil && !touches && op.applied+op.ends == 0:
		w.place.violatedf("I4: %v was acknowledged, but not applied", op)
	case op.err == nil && op.applied > 0:
		r.found, r.view, r.readAt, r.readTo, r.session.known = true, op.values, op.at, op.at, true
	case op.err != nil && !op.refused:
		r.disturbed = true
	case op.err != nil && r.unknown:
		w.place.violatedf("T1: %v forgets that an earlier commit may have been applied: %v", op, op.err)
	}
	switch {
	case op.err != nil && op.mayApply() && !touches:
		r.unknown = true
	case op.err == nil && op.applied+op.ends > 0:
		r.unknown, r.disturbed = false, false
	}
	r.changed = r.changed || op.mayApply() && !op.vain
	if op.err == nil && op.ends > 0 { // its expiry had passed
		r.deleted, r.view = true, op.values
	}
}

// mayWrite reports whether the operation is about the session: it has read it, makes it, or ends what it was renewed
// to.
func (op *operation) mayWrite(s *session, record storage.Record) bool {
	return s == op.session || s == op.renews || record.Ended() && op.logsOut() && op.session.became(s)
}

// mayApply reports whether the operation has done something, by what its request was told.
func (op *operation) mayApply() bool {
	return op.err == nil || errors.Is(op.err, storage.ErrOutcomeUnknown)
}

// logsOut reports whether the operation ends the session, whatever others do with it.
func (op *operation) logsOut() bool {
	return op.name == "delete" || op.visit != nil && op.visit.does == destroys
}

// commits reports whether the operation stores the session.
func (op *operation) commits() bool {
	return op.name == "commit" || op.name == "renewal" || op.name == "visit"
}

// judgeRenewal checks that there is the old session or the new one. place.mu is held.
func (w *world) judgeRenewal(r *request, op *operation) {
	if op.err != nil {
		r.found, r.creates = false, false // the handler has nothing more that it could commit
		return
	}
	if op.ends == 0 && w.kind.strategy != "none" || op.applied == 0 {
		w.place.violatedf("T3: %v was acknowledged, but not applied", op)
		return
	}
	at := len(op.renews.states) - 1
	r.session, r.found, r.creates, r.view, r.readAt, r.readTo = op.renews, true, false, op.values, at, at
	r.unknown, r.disturbed = false, false
	r.scoped[r.session], r.session.known = true, true
}

// judgeSuccessors checks that a request which has read a session, and ended it, has ended what it was renewed to
// meanwhile.
func (w *world) judgeSuccessors(op *operation) {
	for next := op.session.successor(); next != nil && w.kind.strategy != "none"; next = next.successor() {
		if next.now().live(op.ended) {
			w.place.violatedf("I3: %v was acknowledged, but %v is there, which has taken its place", op, next)
		}
	}
}

// judgeDelete checks that the session has ended. place.mu is held.
func (w *world) judgeDelete(r *request, op *operation) {
	if waited := op.ended.Sub(op.began); !op.faulted && !r.canceled && waited > 0 {
		w.place.violatedf("I3: %v took %v", op, waited)
	}
	again := op.session == r.session && r.deleted
	if op.session == r.session {
		r.deleted = true // it may be half done: there is a key for each secret
		r.changed = r.changed || op.mayApply() && r.scoped[r.session]
		r.unknown = r.scoped[r.session] && op.mayApply() && op.err != nil || r.unknown && op.err != nil
	}
	if op.err != nil {
		r.renews = nil
		return
	}
	gone := false
	for _, st := range op.session.states[op.from : op.to+1] {
		gone = gone || !st.live(op.ended)
	}
	if !gone && (!again || w.kind.strategy != "none") { // with None, it may have been brought back in between
		w.place.violatedf("I3: %v was acknowledged, but the session is there", op)
	}
	if op.session == r.session && r.found && r.scope {
		w.judgeSuccessors(op)
	}
	if r.renews != nil {
		r.renewed()
	}
}
