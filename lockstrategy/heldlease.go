package lockstrategy

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
	"github.com/scsdynamo/scsdynamo/storage"
)

// heldLease is a lease that this process has in storage, from its acquisition to its end: it is renewed while a request
// holds it, and given up where the holder has had it for too long, or has gone. It knows nothing of the requests that
// wait in this process: see tenure.
//
// It is held, or written by a commit or touch that settles what becomes of it, or it has ended, for good:
//
//	                                 held               being written             ended
//	beginWrite                       being written      (one write at a time)     error
//	endWrite                         -                  held                      -
//	end                              ended              ended                     false
//	renewal: done                    lasts longer       lasts longer              -
//	renewal: taken by others, gone   ended, and lost    - (the write will tell)   -
//	renewal: failed                  tried again        tried again               -
//	holder has had it for too long   ended, and lost    looked after again soon   -
type heldLease struct {
	at    sessionKey
	id    string
	terms *LeaseOptions
	// lost is called, without a lock, when the lease ends by itself: why is ErrLockLost or ErrSessionGone.
	lost func(why error)

	mu      sync.Mutex // never held during a call
	until   time.Time  // how long it lasts at least
	holder  *Request   // nil between two requests
	since   time.Time  // from when on the holder has it
	writing bool       // it is being written
	why     error      // why it has ended: errReleased where this process has ended it
	retry   backoff.Backoff
	timer   *time.Timer
}

// errReleased is why a lease has ended that nobody has lost.
var errReleased = errors.New("lockstrategy: the lease was released")

const (
	renewTimeout   = 2 * time.Second // of one renewal
	releaseTimeout = time.Second     // of all tries of a release
	releaseTries   = 3
)

// lease returns the lease of an acquisition as it is to be stored.
func (o *LeaseOptions) lease(id string, now time.Time) storage.Lease {
	return storage.Lease{ID: id, Duration: o.Duration, ExpiresAt: now.Add(o.Duration)}
}

// start begins to look after a lease that was acquired by a call which began at sent.
func (h *heldLease) start(holder *Request, sent time.Time) {
	h.mu.Lock() // the timer may be faster than its assignment
	defer h.mu.Unlock()
	h.holder, h.since, h.until = holder, time.Now(), sent.Add(h.terms.Duration)
	h.resetRetry()
	h.timer = time.AfterFunc(h.pauseLocked(h.interval()), h.tick)
}

// interval is how often the timer ticks. Without renewal, nothing is written then.
func (h *heldLease) interval() time.Duration {
	if h.terms.Renewal > 0 {
		return h.terms.Renewal
	}
	return h.terms.Duration
}

// resetRetry begins again with the shortest pause after a renewal that fails.
func (h *heldLease) resetRetry() {
	h.retry = backoff.Backoff{First: h.terms.Duration / 20, Limit: h.terms.Duration / 10, Even: true}
}

// limitLocked is when the holder must give up the lease, if there is such an instant.
func (h *heldLease) limitLocked() (limit time.Time, limited bool) {
	if h.holder == nil {
		return time.Time{}, false
	}
	if limited = h.terms.MaxHold > 0; limited {
		limit = h.since.Add(h.terms.MaxHold)
	}
	if h.holder.hasEnded() && (!limited || h.until.Before(limit)) {
		return h.until, true
	}
	return limit, limited
}

// pauseLocked returns how long to wait until the next tick.
func (h *heldLease) pauseLocked(longest time.Duration) time.Duration {
	if limit, limited := h.limitLocked(); limited {
		return max(min(longest, time.Until(limit)), 0)
	}
	return longest
}

// tick is what the timer calls: it renews the lease, or gives it up.
func (h *heldLease) tick() {
	h.mu.Lock()
	limit, limited := h.limitLocked()
	tooLong := limited && !time.Now().Before(limit)
	holder := h.holder
	switch {
	case h.why != nil:
		h.mu.Unlock()
	case tooLong && !h.writing:
		h.endLocked(ErrLockLost)
		h.mu.Unlock()
		holder.lose(ErrLockLost)
		_ = h.free(context.Background()) // what fails here ends with the lease
		h.lost(ErrLockLost)
	case tooLong: // what the write leaves decides
		h.timer.Reset(h.terms.Duration / 20)
		h.mu.Unlock()
	case h.terms.Renewal == 0, holder != nil && holder.hasEnded():
		h.timer.Reset(h.pauseLocked(h.interval()))
		h.mu.Unlock()
	default:
		h.mu.Unlock()
		h.renew(holder)
	}
}

// renew stores the lease with a later end.
func (h *heldLease) renew(holder *Request) {
	ctx, cancel := context.WithTimeout(context.Background(), renewTimeout)
	defer cancel()
	meter := &storage.Meter{}
	backend := h.at.backend
	sent := time.Now()
	lease := h.terms.lease(h.id, backend.Now())
	change := storage.Change{Lease: &lease}
	err := backend.Driver.Update(storage.WithMeter(ctx, meter), h.at.key, change, storage.IfLease(h.id))
	_, err = backend.judge(err)
	lost := h.renewed(sent, err)
	if lost != nil {
		h.lost(lost)
	}
	if holder != nil {
		holder.notify(Notice{Event: Renewed, Duration: time.Since(sent), Usage: meter.Usage(), Err: err})
		if lost != nil {
			holder.lose(lost)
		}
	}
}

// renewed notes how a renewal went that began at sent, and sets the time of the next one. It returns why the lease is
// lost, if it is.
func (h *heldLease) renewed(sent time.Time, err error) (lost error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.why != nil {
		return nil // why it has ended is known
	}
	pause := h.interval()
	lost = lossOf(err)
	switch {
	case lost != nil && !h.writing:
		h.endLocked(lost)
		return lost
	case err == nil:
		h.until = sent.Add(h.terms.Duration)
		h.resetRetry()
	case lost == nil && time.Now().Before(h.until.Add(h.terms.Duration/10)): // nobody can have taken it over yet
		pause = min(h.retry.Next(), pause)
	}
	h.timer.Reset(h.pauseLocked(pause))
	return nil
}

// hold says which request holds the lease. False where it has ended.
func (h *heldLease) hold(holder *Request) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holder, h.since = holder, time.Now()
	return h.why == nil
}

// beginWrite is called before a write that settles what becomes of the lease. The error says why it has ended.
func (h *heldLease) beginWrite() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writing = h.why == nil
	return h.why
}

// endWrite is called after the write where the lease is still held.
func (h *heldLease) endWrite() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writing = false
}

// extended notes that the lease was stored with a later end by a call that began at sent.
func (h *heldLease) extended(sent time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until = sent.Add(h.terms.Duration)
	if h.why == nil {
		h.resetRetry()
		h.timer.Reset(h.pauseLocked(h.interval()))
	}
}

// end ends the lease without a call. False where it had ended before.
func (h *heldLease) end(why error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.endLocked(why)
}

func (h *heldLease) endLocked(why error) bool {
	if h.why != nil {
		return false
	}
	h.why = why
	h.timer.Stop()
	return true
}

// free frees the lease in storage. Where it fails, others wait until the lease ends.
func (h *heldLease) free(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	pause := backoff.Backoff{First: 20 * time.Millisecond, Limit: 100 * time.Millisecond}
	for try := 1; ; try++ {
		err = h.at.free(ctx, h.id)
		if err == nil || errors.Is(err, storage.ErrConflict) { // not ours any more, or not there
			return nil
		}
		if try == releaseTries || pause.Wait(ctx) != nil {
			return err
		}
	}
}

// free frees the lease of an acquisition. That another one holds it, or nobody, is an error.
func (at sessionKey) free(ctx context.Context, id string) error {
	return at.backend.Driver.Update(ctx, at.key, storage.Change{Lease: &storage.Lease{}}, storage.IfLease(id))
}
