package lockstrategy

import (
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// maxObservations bounds what is remembered of leases of other processes.
const maxObservations = 4096

// observations remembers since when leases have been seen unchanged. They outlive the requests that made them, which
// may each wait for less than a lease lasts: otherwise nobody would ever take over from a holder that has died.
type observations struct {
	mu   sync.Mutex
	byAt map[place]observation
}

type observation struct {
	lease storage.Lease
	since time.Time // by this process's monotonic clock, after the answer had come
}

// left returns for how long the lease must still be seen unchanged until it may be taken over.
func (o *observations) left(at place, held storage.Lease, allowance time.Duration) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	seen, known := o.byAt[at]
	if !known || seen.lease.ID != held.ID || !seen.lease.ExpiresAt.Equal(held.ExpiresAt) {
		seen = observation{lease: held, since: now}
		o.keep(at, seen)
	}
	return held.Duration + allowance - now.Sub(seen.since)
}

// abandon notes a lease of this process that nobody has, or will have: it may be taken over at once.
func (o *observations) abandon(at place, mine storage.Lease) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keep(at, observation{lease: mine}) // seen for ever
}

// keep remembers an observation. mu is held.
func (o *observations) keep(at place, seen observation) {
	if o.byAt == nil {
		o.byAt = map[place]observation{}
	}
	if _, known := o.byAt[at]; !known && len(o.byAt) >= maxObservations {
		for other := range o.byAt { // any: at worst somebody waits for another lease
			delete(o.byAt, other)
			break
		}
	}
	o.byAt[at] = seen
}

func (o *observations) forget(at place) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.byAt, at)
}
