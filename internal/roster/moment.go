package roster

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Moment is a place in the order of what happens in this process. Clocks do not tell that: two instants may be the
// same.
type Moment uint64

var moments atomic.Uint64

// Now returns the present moment, which is later than all before.
func Now() Moment { return Moment(moments.Add(1)) }

// Login is the request that adds a session to a roster.
type Login struct {
	// Began is when the request began, by its process's clock; Moment is that moment. A zero Moment is that of a commit
	// of which no more is known: it is admitted.
	Began  time.Time
	Moment Moment
	// Epochs are those that the request has begun itself, by ending all sessions, and the one that it expects.
	Epochs []string
	// Expects says that the request has read the epoch before it knew who logs in: then no other one will do.
	Expects bool
	// Replaces is the key of the session that the request came with: where that is on the roster, it is no login.
	Replaces string
}

// admits reports whether the request began after all sessions were last ended, as far as that is known without looking
// at the roster itself.
func (l Login) admits(h head) bool {
	if h.Epoch == "" || l.Moment == 0 {
		return true
	}
	switch {
	case slices.Contains(l.Epochs, h.Epoch):
		return true
	case l.Expects:
		return false
	}
	learned, made := epochs.learned(h.Epoch)
	switch {
	case learned != 0 && l.Moment > learned: // it began when this process knew already
		return true
	case made: // here, after it had begun
		return false
	default:
		return l.Began.After(time.Unix(0, h.EndedAt))
	}
}

// knowledge is when this process has learned of the epochs of rosters. So a clock that is wrong refuses a login once,
// and not again and again.
type knowledge struct {
	mu    sync.Mutex
	known map[string]learned
}

type learned struct {
	at   Moment
	made bool // by this process
}

// maxKnown bounds how many epochs are remembered.
const maxKnown = 4096

var epochs knowledge

func (k *knowledge) learned(epoch string) (at Moment, made bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.known[epoch]
	return l.at, l.made
}

func (k *knowledge) learn(epoch string, made bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, known := k.known[epoch]; known {
		return
	}
	if k.known == nil {
		k.known = map[string]learned{}
	}
	for oldest := range k.known { // any of them: it costs one login a try more
		if len(k.known) < maxKnown {
			break
		}
		delete(k.known, oldest)
	}
	k.known[epoch] = learned{Now(), made}
}
