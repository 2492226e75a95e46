package lockstrategy

import (
	"hash/maphash"
	"sync"
	"time"
)

// knownSessions is how many sessions a process remembers to exist, about: twice as many at most.
const knownSessions = 1 << 15

// known remembers sessions that this process knows to exist, so that it takes their leases without looking first. It
// holds the sessions of one generation, and those of the generation before. Keys are hashed: where two have the same
// hash, a session that is not there is taken for one that is, which costs a write and is no harm.
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

func (k *known) hash(at place) uint64 { return maphash.Comparable(k.seed, at) }

// last returns what is known of a session, and whether it is known to exist.
func (k *known) last(at place) (stay, bool) {
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
func (k *known) exists(at place) {
	hash := k.hash(at)
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, found := k.recent[hash]; !found {
		k.keep(hash, k.older[hash])
	}
}

// had notes that this process has had a session, and that it exists.
func (k *known) had(at place, s stay) {
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
func (k *known) forget(at place) {
	hash := k.hash(at)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.recent, hash)
	delete(k.older, hash)
}
