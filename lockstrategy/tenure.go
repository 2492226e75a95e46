package lockstrategy

import (
	"context"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// tenure is a lease of this process together with the turn: one request after the other has both. Whoever ends a tenure
// passes the turn on, and nobody else does.
type tenure struct {
	*heldLease
	strategy *lease
	line     *line[turn]
	began    time.Time // from when on this process has had the session, one request right after the other

	// These belong to the request that has the turn.

	record storage.Record // as it is stored
	// verified is when the call began that has found the record to be so, the zero time if that is not known.
	verified time.Time
}

// turn is what a request gets when it is its turn, or when there is nothing to wait for any more.
type turn struct {
	// tenure is this process's lease on the session, nil where storage must be asked for it.
	tenure *tenure
	// missing is what was found in the place of the session: its tombstone, or a record that has nothing but the key.
	// It comes without the turn.
	missing *storage.Record
}

// newTenure begins a tenure with a lease that was acquired by a call which began at sent.
func (l *lease) newTenure(request *Request, line *line[turn], record storage.Record, began, sent time.Time) *tenure {
	t := &tenure{strategy: l, line: line, began: began, record: record, verified: sent}
	t.heldLease = &heldLease{place: line.at, id: record.Lease.ID, terms: l.terms, over: t.pass}
	t.start(request, sent)
	return t
}

// mayStay reports whether the tenure may go on with another request of this process: others must get their turn.
func (t *tenure) mayStay() bool { return time.Since(t.began) < t.terms.duration }

// takeOn makes the request the holder, with a record that is not older than the request. missing is what is there
// instead of the session. Without an error, and with neither, the tenure has ended, and hasTurn is whether the request
// still has the turn.
func (t *tenure) takeOn(
	ctx context.Context, request *Request, since time.Time,
) (usable bool, missing *storage.Record, hasTurn bool, err error) {
	backend := t.place.backend
	if !t.hold(request) {
		return false, nil, false, nil
	}
	if since.Before(t.verified) && t.record.Live(backend.Now()) {
		return true, nil, true, nil
	}
	sent := time.Now()
	record, found, err := backend.get(ctx, t.place.key, storage.Strong)
	switch {
	case err != nil:
		_ = t.handOn(ctx) // what fails here ends with the lease
		return false, nil, false, err
	case found && record.Lease.ID == t.id:
		t.record, t.verified = record, sent
		return true, nil, true, nil
	case !t.end(errReleased): // there is nothing to release
		return false, nil, false, nil
	case found:
		return false, nil, true, nil
	default:
		return false, t.strategy.missed(t.line, record, sent), true, nil
	}
}

// heir reports whether the lease is to stay for another request of this process that waits for it.
func (t *tenure) heir() bool { return t.mayStay() && t.line.awaited() }

// handOn gives the tenure to the next request of this process, or releases the lease.
func (t *tenure) handOn(ctx context.Context) error {
	if t.tryHandOn() {
		return nil
	}
	defer t.pass(errReleased)
	return t.free(ctx)
}

// tryHandOn reports whether nothing is left to do. Otherwise the lease has ended, and is to be freed.
func (t *tenure) tryHandOn() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.why != nil {
		return true
	}
	t.holder = nil
	fresh := time.Until(t.until) >= t.terms.duration/2 // the next one must have something of it
	if fresh && t.mayStay() && t.line.tryGive(turn{tenure: t}) {
		return true
	}
	t.endLocked(errReleased)
	return false
}

// written hands on the tenure after a write that began at sent and has left record, with the lease or without it.
func (t *tenure) written(ctx context.Context, record storage.Record, sent time.Time) {
	switch {
	case record.Key != t.place.key || record.Ended(): // there is no such session any more where others wait for it
		t.lose(ErrSessionGone)
	case record.Lease.Free():
		t.lose(errReleased)
	default:
		t.record, t.verified = record, sent
		t.extended(sent)
		t.endWrite()
		_ = t.handOn(ctx) // what fails here ends with the lease
	}
}

// lose ends the tenure without a call, if it has not ended.
func (t *tenure) lose(why error) {
	if t.end(why) {
		t.pass(why)
	}
}

// pass gives the turn to the next request, which must ask storage. why is why the lease has ended.
func (t *tenure) pass(why error) {
	switch {
	case errors.Is(why, ErrSessionGone):
		t.strategy.known.forget(t.place)
	case errors.Is(why, errReleased):
		t.strategy.known.had(t.place, stay{t.began, time.Now()})
	default: // somebody else has it now
		t.strategy.known.had(t.place, stay{})
	}
	t.line.give(turn{})
}
