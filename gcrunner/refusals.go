package gcrunner

import (
	"sync"
	"time"
)

// refusalLimit is for how long a run tries where all reads, or all deletes, are refused, unless it has a limit of
// duration.
const refusalLimit = 2 * time.Minute

// refusals tell a service that accepts some operations of a kind from one that refuses all of them.
type refusals struct {
	mu    sync.Mutex
	begun bool      // whether one was begun
	ever  bool      // whether one was accepted
	since time.Time // since when all are refused, the zero time where the last one was accepted
	last  error     // what the last one was refused with
}

// begin notes that an operation is begun.
func (r *refusals) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun = true
}

// accepted notes that an operation was done, or was refused for what is stored.
func (r *refusals) accepted() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ever, r.since = true, time.Time{}
}

// refused notes that an operation was refused, and returns for how long all have been.
func (r *refusals) refused(err error) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.since.IsZero() {
		r.since = time.Now()
	}
	r.last = err
	return time.Since(r.since)
}

// throughout returns what the last one was refused with, nil where one was ever accepted.
func (r *refusals) throughout() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ever {
		return nil
	}
	return r.last
}

// answered reports whether one was ever accepted, and whether any was begun.
func (r *refusals) answered() (ever, begun bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ever, r.begun
}
