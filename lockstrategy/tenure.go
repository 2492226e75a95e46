package lockstrategy

import (
	"context"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// tenure is a lease of this process together with the turn, and decides who goes on with them: the next request of this
// process, or another process. One request after the other has both.
//
//	what happens                                         to the lease              to the turn
//	a request releases it, or has written and kept it    goes to the next waiter   goes with it
//	the same, but nobody waits, or others must have it   is freed                  passes alone
//	a request has written, and freed it with that        has ended                 passes alone
//	the lease is lost, or the session has ended          has ended                 passes alone
//
// Whoever ends a tenure passes the turn, and nobody else does.
type tenure struct {
	*heldLease
	memory *memory
	line   *line[turn]
	began  time.Time // from when on this process has had the session, one request right after the other

	// These belong to the request that has the turn.

	record storage.Record // as it is stored
	// verified is when the call began that has found the record to be so, the zero time if that is not known.
	verified time.Time
}

// turn is what a request gets when its wait in line ends. It may be
//
//	tenure, missing   the request has the turn, and
//	set     nil       gets this process's lease, too, unless that has ended meanwhile
//	nil     nil       must ask storage for the lease
//
// or, without the turn,
//
//	nil     set       the answer: what is there in place of the session
type turn struct {
	tenure *tenure
	// missing is the tombstone of the session, or a record that has nothing but the key.
	missing *storage.Record
}

// adoption says how a request goes on that was given a tenure.
type adoption uint8

const (
	adopted    adoption = iota // it has the turn and the lease
	queueAgain                 // it has neither: the lease has ended, and the turn was passed
	askStorage                 // it has the turn alone
	isMissing                  // it has neither, and knows that there is no session
)

// adopt makes the request the holder, with a record that is not older than the request. Where it fails, the tenure has
// gone to the next request.
func (t *tenure) adopt(
	ctx context.Context, request *Request, since time.Time,
) (_ adoption, missing *storage.Record, err error) {
	backend := t.at.backend
	if !t.hold(request) {
		return queueAgain, nil, nil
	}
	if since.Before(t.verified) && t.record.Live(backend.Now()) {
		return adopted, nil, nil
	}
	sent := time.Now()
	record, found, err := backend.get(ctx, t.at.key, storage.Strong)
	switch {
	case err != nil:
		_ = t.transfer(ctx) // what fails here ends with the lease
		return queueAgain, nil, err
	case found && record.Lease.ID == t.id:
		t.record, t.verified = record, sent
		return adopted, nil, nil
	case !t.end(errReleased): // there is nothing to release
		return queueAgain, nil, nil
	case found:
		return askStorage, nil, nil
	default:
		missing = t.memory.missed(t.line, record, sent)
		t.line.give(turn{})
		return isMissing, missing, nil
	}
}

// missed notes that a call which began at sent has found no session, and tells the requests that have waited for it
// since before that. One that has come later must ask. It returns what a request is told that misses the session.
func (m *memory) missed(line *line[turn], found storage.Record, sent time.Time) *storage.Record {
	missing := &storage.Record{Key: line.at.key}
	if found.Ended() {
		missing = &found
	}
	m.observed.forget(line.at)
	m.known.forget(line.at)
	line.dismiss(sent, turn{missing: missing})
	return missing
}

// mayStay reports whether this process may keep the session for another request: other processes must get their turn.
func (t *tenure) mayStay() bool { return time.Since(t.began) < t.terms.Duration }

// heir reports whether the lease is to stay for another request of this process that waits for it.
func (t *tenure) heir() bool { return t.mayStay() && t.line.awaited() }

// transfer gives the tenure to the next request of this process, or frees the lease and passes the turn alone.
func (t *tenure) transfer(ctx context.Context) error {
	if t.tryTransfer() {
		return nil
	}
	defer t.passTurn(errReleased)
	return t.free(ctx)
}

// tryTransfer reports whether nothing is left to do. Otherwise the lease has ended, and is to be freed.
func (t *tenure) tryTransfer() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.why != nil {
		return true
	}
	t.holder = nil
	fresh := time.Until(t.until) >= t.terms.Duration/2 // enough for the next request to begin with
	if fresh && t.mayStay() && t.line.tryGive(turn{tenure: t}) {
		return true
	}
	t.endLocked(errReleased)
	return false
}

// written transfers the tenure after a write that began at sent and has left record, with the lease or without it.
func (t *tenure) written(ctx context.Context, record storage.Record, sent time.Time) {
	switch {
	case record.Key != t.at.key || record.Ended(): // there is no session any more under the key for which others wait
		t.lose(ErrSessionGone)
	case record.Lease.Free():
		t.lose(errReleased)
	default:
		t.record, t.verified = record, sent
		t.extended(sent)
		t.endWrite()
		_ = t.transfer(ctx) // what fails here ends with the lease
	}
}

// lose ends the tenure without a call, if it has not ended.
func (t *tenure) lose(why error) {
	if t.end(why) {
		t.passTurn(why)
	}
}

// passTurn gives the turn to the next request, which must ask storage. why is why the lease has ended.
func (t *tenure) passTurn(why error) {
	switch {
	case errors.Is(why, ErrSessionGone):
		t.memory.known.forget(t.at)
	case errors.Is(why, errReleased):
		t.memory.known.had(t.at, stay{t.began, time.Now()})
	default: // another process has it now
		t.memory.known.had(t.at, stay{})
	}
	t.line.give(turn{})
}
