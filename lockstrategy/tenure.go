package lockstrategy

import (
	"context"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
	"github.com/scsdynamo/scsdynamo/storage"
)

// tenure is this process's lease on a session, from its acquisition to its release. One request after the other has it,
// and with it the turn: who ends a tenure that is not over passes the turn on, and nobody else does.
type tenure struct {
	strategy *lease
	place    place
	id       string
	began    time.Time // when it was acquired

	// These belong to who has the turn.

	record storage.Record // as it is stored
	// verified is when the call began that has found the record to be so, the zero time if that is not known.
	verified time.Time

	// These are guarded by strategy.mu.

	until   time.Time // how long it lasts at least
	request *Request  // who has it
	writing bool      // a write is on its way that settles what becomes of the lease
	over    error     // why it is over: errReleased where this process has ended it
	timer   *time.Timer
}

// errReleased is why a tenure is over that nobody has lost.
var errReleased = errors.New("lockstrategy: the lease was released")

const (
	renewTimeout   = 2 * time.Second // of one renewal
	releaseTimeout = time.Second     // of all tries of a release
	releaseTries   = 3
)

// newTenure begins a tenure with a lease that was acquired by a call which began at sent.
func (l *lease) newTenure(request *Request, at place, record storage.Record, sent time.Time) *tenure {
	t := &tenure{
		strategy: l, place: at, id: record.Lease.ID, began: sent, record: record, verified: sent,
		until: sent.Add(l.duration), request: request,
	}
	if l.renewal > 0 {
		l.mu.Lock() // the timer may be faster than its assignment
		defer l.mu.Unlock()
		t.timer = time.AfterFunc(l.renewal, t.renew)
	}
	return t
}

// takeOn makes the request the one that has the tenure, with a record that is not older than the request. usable is false
// where the tenure has turned out to be over; hasTurn is whether the request still has the turn then.
func (t *tenure) takeOn(ctx context.Context, request *Request, since time.Time) (usable, hasTurn bool, err error) {
	backend := t.place.backend
	if !t.setRequest(request) {
		return false, false, nil
	}
	if since.Before(t.verified) && t.record.Live(backend.Now()) {
		return true, true, nil
	}
	sent := time.Now()
	record, found, err := backend.Driver.Get(ctx, t.place.key, storage.Strong)
	switch {
	case err != nil:
		_ = t.handOn(ctx) // what fails here ends with the lease
		return false, false, err
	case found && record.Lease.ID == t.id && record.Live(backend.Now()):
		t.record, t.verified = record, sent
		return true, true, nil
	default: // there is nothing to release
		return false, t.end(errReleased), nil
	}
}

// setRequest says who has the tenure. False where it is over.
func (t *tenure) setRequest(request *Request) bool {
	t.strategy.mu.Lock()
	defer t.strategy.mu.Unlock()
	t.request = request
	return t.over == nil
}

// beginWrite is called before a write that settles what becomes of the lease: until it has returned, a renewal that is
// refused says nothing. heir is whether another request of this process waits that may have the tenure. The error says why
// the tenure is over.
func (t *tenure) beginWrite() (heir bool, err error) {
	l := t.strategy
	l.mu.Lock()
	defer l.mu.Unlock()
	t.writing = t.over == nil
	return t.mayStay() && l.awaitedLocked(t.place), t.over
}

// endWrite is called after it where the tenure goes on.
func (t *tenure) endWrite() {
	t.strategy.mu.Lock()
	defer t.strategy.mu.Unlock()
	t.writing = false
}

// mayStay reports whether the tenure may go on with another request of this process: others must get their turn.
func (t *tenure) mayStay() bool { return time.Since(t.began) < t.strategy.duration }

// extended notes that record was stored, and the lease with it, by a call that began at sent.
func (t *tenure) extended(record storage.Record, sent time.Time) {
	t.record, t.verified = record, sent
	t.strategy.mu.Lock()
	defer t.strategy.mu.Unlock()
	t.until = sent.Add(t.strategy.duration)
	if t.timer != nil && t.over == nil {
		t.timer.Reset(t.strategy.renewal)
	}
}

// handOn gives the tenure to the next request of this process, or releases the lease.
func (t *tenure) handOn(ctx context.Context) error {
	if t.tryHandOn() {
		return nil
	}
	return t.release(ctx)
}

// tryHandOn reports whether nothing is left to do. Otherwise the tenure is over, and the lease to be released.
func (t *tenure) tryHandOn() bool {
	l := t.strategy
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.over != nil {
		return true
	}
	t.request = nil
	fresh := time.Until(t.until) >= l.duration/2 // the next one must have something of it
	if fresh && t.mayStay() && l.passLocked(t.place, turn{tenure: t}) {
		return true
	}
	t.endLocked(errReleased)
	return false
}

// release frees the lease in storage and passes on the turn. Where it fails, others wait until the lease ends.
func (t *tenure) release(ctx context.Context) (err error) {
	defer t.pass()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	pause := backoff.Backoff{First: 20 * time.Millisecond, Limit: 100 * time.Millisecond}
	for try := 1; ; try++ {
		err = t.place.free(ctx, t.id)
		if err == nil || errors.Is(err, storage.ErrConflict) { // not ours any more, or not there
			return nil
		}
		if try == releaseTries || pause.Wait(ctx) != nil {
			return err
		}
	}
}

// finish ends the tenure after a write that has freed the lease, and passes on the turn.
func (t *tenure) finish() {
	if t.end(errReleased) {
		t.pass()
	}
}

// lose ends a tenure that is not over because the lease is somebody else's, or the session was ended: why says which. sent is
// when the call began that found it out.
func (t *tenure) lose(why error, sent time.Time) {
	l := t.strategy
	l.mu.Lock()
	defer l.mu.Unlock()
	if !t.endLocked(why) {
		return
	}
	if errors.Is(why, ErrSessionGone) {
		l.dismissLocked(t.place, sent)
	}
	l.passLocked(t.place, turn{yield: !t.mayStay()})
}

// end ends the tenure without a call, and without passing on the turn. False where it was over before.
func (t *tenure) end(why error) bool {
	t.strategy.mu.Lock()
	defer t.strategy.mu.Unlock()
	return t.endLocked(why)
}

func (t *tenure) endLocked(why error) bool {
	if t.over != nil {
		return false
	}
	t.over = why
	if t.timer != nil {
		t.timer.Stop()
	}
	return true
}

// pass gives the turn to the next request, which must ask storage.
func (t *tenure) pass() { t.strategy.pass(t.place, turn{yield: !t.mayStay()}) }

// renew writes the lease anew. The timer calls it.
func (t *tenure) renew() {
	l := t.strategy
	l.mu.Lock()
	over, request := t.over, t.request
	l.mu.Unlock()
	if over != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), renewTimeout)
	defer cancel()
	meter := &storage.Meter{}
	backend := t.place.backend
	sent := time.Now()
	renewed := l.leaseAt(t.id, backend.Now())
	err := backend.Driver.Update(storage.WithMeter(ctx, meter), t.place.key, storage.Change{Lease: &renewed}, storage.IfLease(t.id))

	_, err = backend.judge(err)
	lost := t.renewed(sent, err)
	if lost != nil {
		t.lose(lost, sent)
	}
	if request != nil {
		request.notify(Notice{Event: Renewed, Duration: time.Since(sent), Usage: meter.Usage(), Err: err})
		if lost != nil {
			request.lose(lost)
		}
	}
}

// renewed notes how a renewal went that began at sent, and sets the time of the next one. It returns why the lease is lost,
// if it is.
func (t *tenure) renewed(sent time.Time, err error) (lost error) {
	t.strategy.mu.Lock()
	defer t.strategy.mu.Unlock()
	if t.over != nil {
		return nil // who has released it knows better
	}
	lost = lossOf(err)
	switch {
	case lost != nil && !t.writing: // else who is writing will know better
		return lost
	case err == nil:
		t.until = sent.Add(t.strategy.duration)
	}
	t.timer.Reset(t.strategy.renewal)
	return nil
}
