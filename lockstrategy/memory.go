package lockstrategy

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// memory is what a process remembers of sessions from one tenure to the next.
type memory struct {
	known    *known
	observed observations
}

// knownSessions is how many sessions a process remembers to exist, about: twice as many at most.
const knownSessions = 1 << 15

// known remembers sessions that this process knows to exist, so that it takes their leases without reading them first.
// It holds the sessions of one generation, and those of the generation before. Keys are hashed: where two have the same
// hash, a session that does not exist is taken for one that does, which costs a write and does no harm.
type known struct {
	mu            sync.Mutex
	seed          maphash.Seed
	recent, older map[uint64]stay
}

// stay is when this process last had a session, one request right after the other. The zero value says nothing of it.
type stay struct{ began, ended time.Time }

func newKnown() *known {
	return &known{seed: maphash.MakeSeed(), recent: map[uint64]stay{}}
}

func (k *known) hash(at sessionKey) uint64 { return maphash.Comparable(k.seed, at) }

// last returns what is known of a session, and whether it is known to exist.
func (k *known) last(at sessionKey) (stay, bool) {
	hash := k.hash(at)
	k.mu.Lock()
	defer k.mu.Unlock()
	if s, found := k.recent[hash]; found {
		return s, true
	}
	s, found := k.older[hash]
	return s, found
}

// exists notes that a session exists.
func (k *known) exists(at sessionKey) {
	hash := k.hash(at)
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, found := k.recent[hash]; !found {
		k.keep(hash, k.older[hash])
	}
}

// had notes that this process has had a session, and that it exists.
func (k *known) had(at sessionKey, s stay) {
	hash := k.hash(at)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keep(hash, s)
}

// keep puts a session into the recent generation. mu is held.
func (k *known) keep(hash uint64, s stay) {
	if _, found := k.recent[hash]; !found && len(k.recent) == knownSessions {
		k.recent, k.older = map[uint64]stay{}, k.recent
	}
	k.recent[hash] = s
}

// forget notes that a session may not exist any more.
func (k *known) forget(at sessionKey) {
	hash := k.hash(at)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.recent, hash)
	delete(k.older, hash)
}

// maxObservations bounds what is remembered of leases of other processes.
const maxObservations = 4096

// observations remember since when leases have been observed unchanged. They outlive the requests that made them, which
// may each wait for less than a lease lasts: otherwise nobody would ever take over from a holder that has died.
type observations struct {
	mu   sync.Mutex
	byAt map[sessionKey]observation
}

type observation struct {
	lease storage.Lease
	since time.Time // by this process's monotonic clock, after the answer had come
}

// left returns for how long the lease must still be observed unchanged until it may be taken over.
func (o *observations) left(at sessionKey, held storage.Lease, allowance time.Duration) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	observed, known := o.byAt[at]
	if !known || observed.lease.ID != held.ID || !observed.lease.ExpiresAt.Equal(held.ExpiresAt) {
		observed = observation{lease: held, since: now}
		o.keep(at, observed)
	}
	return held.Duration + allowance - now.Sub(observed.since)
}

// abandon notes a lease of this process that nobody has, or will have: it may be taken over at once.
func (o *observations) abandon(at sessionKey, mine storage.Lease) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keep(at, observation{lease: mine}) // observed for ever
}

// keep remembers an observation. mu is held.
func (o *observations) keep(at sessionKey, observed observation) {
	if o.byAt == nil {
		o.byAt = map[sessionKey]observation{}
	}
	if _, known := o.byAt[at]; !known && len(o.byAt) >= maxObservations {
		for other := range o.byAt { // any: at worst somebody waits for another lease
			delete(o.byAt, other)
			break
		}
	}
	o.byAt[at] = observed
}

func (o *observations) forget(at sessionKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.byAt, at)
}
