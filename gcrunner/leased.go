package gcrunner

import (
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// observations remember since when leases were seen unchanged: a lease has expired once that is longer than its
// duration, whatever the clock of its holder says. Those of one run are known to the next, for leases that last longer
// than a run waits.
type observations struct {
	mu              sync.Mutex
	current, before map[string]observation // of this run and the one before, by key
}

type observation struct {
	lease storage.Lease
	since time.Time
}

const (
	// maxLeased is how many leases are observed at a time: others wait for a later run.
	maxLeased = 4096
	// maxLeaseWait is how long a run waits in the end for leases that it has seen.
	maxLeaseWait = time.Minute
	// leastAllowance is the least time that is added to a lease, of which it is a tenth: room for a renewal on its way.
	leastAllowance = 500 * time.Millisecond
)

// freeAt returns when the lease expires unless it is renewed. ok is false if too many are observed already.
func (o *observations) freeAt(key string, lease storage.Lease) (at time.Time, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.current) >= maxLeased {
		return time.Time{}, false
	}
	seen, known := o.before[key]
	if !known || seen.lease.ID != lease.ID || !seen.lease.ExpiresAt.Equal(lease.ExpiresAt) {
		seen = observation{lease: lease, since: time.Now()}
	}
	o.current[key] = seen
	duration := max(lease.Duration, time.Second)
	return seen.since.Add(duration + max(duration/10, leastAllowance)), true
}

// nextRun begins those of a run.
func (o *observations) nextRun() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.before, o.current = o.current, map[string]observation{}
}
