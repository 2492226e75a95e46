package gcrunner

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
	"github.com/scsdynamo/scsdynamo/storage"
)

// candidate is a record that is to be deleted, as it was read.
type candidate struct {
	record storage.Record
	rule   rule
	freeAt time.Time // when its lease will have expired, if it has one
	// cutoff is set where an index has named the record, of which nothing is known then but its key: it must be expired
	// at it.
	cutoff time.Time
}

func (c candidate) indexed() bool { return !c.cutoff.IsZero() }

// condition is that of the delete.
func (c candidate) condition() storage.Condition {
	if c.indexed() {
		return storage.IfExpiredAndFree(c.cutoff)
	}
	return storage.IfUnchanged(c.record)
}

// collect deletes the candidates, several at a time. It reports whether the page is done: everything on it was deleted,
// or left alone for a reason.
func (r *run) collect(b *brake, candidates []candidate) bool {
	var deletes sync.WaitGroup
	defer deletes.Wait()
	for _, c := range candidates {
		if !c.record.Lease.Free() {
			r.postpone(c)
			continue
		}
		if !r.delete(b, &deletes, c) {
			return false
		}
	}
	deletes.Wait()
	return b.deleting.Err() == nil
}

// delete deletes the candidate as soon as there is a slot. False where the run may not delete any more.
func (r *run) delete(b *brake, deletes *sync.WaitGroup, c candidate) bool {
	if r.options.DryRun {
		return r.claimFor(b) && r.pretend(b, c)
	}
	select {
	case r.slots <- struct{}{}:
	case <-b.deleting.Done():
		return false
	}
	// Only now, so that nothing but what holds a slot can exceed a limit.
	if !r.claimFor(b) {
		<-r.slots
		return false
	}
	deletes.Go(func() {
		defer func() { <-r.slots }()
		if err := r.remove(b, c); err != nil && b.deleting.Err() == nil {
			b.fail(err)
		}
	})
	return true
}

// pretend counts what a dry run would delete.
func (r *run) pretend(b *brake, c candidate) bool {
	if c.indexed() {
		if err := r.sample(b.deleting, c); err != nil {
			r.unclaim()
			if b.deleting.Err() == nil {
				b.fail(err)
			}
			return false
		}
	}
	r.deleted(c)
	return true
}

// claimFor reserves one of the deletes that the limits allow, or stops the run.
func (r *run) claimFor(b *brake) bool {
	reason := r.claim()
	if reason != "" {
		b.reached(reason)
	}
	return reason == ""
}

// claim reserves one of the deletes that the limits allow, or says which limit is reached.
func (r *run) claim() StopReason {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.options.Limits.Items > 0 && r.claimed >= r.options.Limits.Items:
		return stoppedByItems
	case r.unitsReachedLocked():
		return stoppedByUnits
	}
	r.claimed++
	return ""
}

func (r *run) unitsReached() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unitsReachedLocked()
}

func (r *run) unitsReachedLocked() bool {
	return r.options.Limits.Units > 0 && r.report.ReadUnits+r.report.WriteUnits >= r.options.Limits.Units
}

func (r *run) unclaim() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claimed--
}

// remove deletes one record if it still is what was read, and counts it.
func (r *run) remove(b *brake, c candidate) error {
	consumed, err := r.attempt(b.deleting, b.sent, r.writes, r.costs.write,
		func(u storage.Usage) float64 { return u.WriteUnits },
		func(ctx context.Context) error {
			return r.driver.Delete(ctx, c.record.Key, c.condition())
		})
	if err == nil {
		r.costs.wrote(consumed)
		r.deleted(c)
		return nil
	}
	r.unclaim()
	conflict := (*storage.ConflictError)(nil)
	switch {
	case !errors.Is(err, storage.ErrConflict) && !errors.Is(err, storage.ErrCorrupt):
		return err
	case c.indexed() && errors.As(err, &conflict) && conflict.Current != nil &&
		conflict.Current.Expired(c.cutoff) && !conflict.Current.Lease.Free():
		seen := *conflict.Current
		seen.Data = nil // it may wait for a minute
		r.postpone(candidate{record: seen, rule: c.rule})
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, storage.ErrCorrupt):
		r.report.Unreadable++
	case c.record.Lease.Free():
		r.report.Conflicts++
	default:
		r.report.Leased++ // its holder has changed it
	}
	return nil
}

// deleted counts a record that is gone, or that would be.
func (r *run) deleted(c candidate) {
	r.mu.Lock()
	*r.report.Deleted.under(c.rule)++
	r.further = time.Now()
	r.mu.Unlock()
	r.tellNowAndThen()
}

// postpone keeps a record with a lease until it is known whether the lease has expired.
func (r *run) postpone(c candidate) {
	at, ok := r.leases.freeAt(c.record.Key, c.record.Lease)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !ok || r.options.DryRun || time.Until(at) > maxLeaseWait {
		r.report.Leased++
		return
	}
	c.freeAt = at
	r.later = append(r.later, c)
}

// collectLater deletes the records whose leases were not renewed meanwhile.
func (r *run) collectLater(b *brake) {
	var deletes sync.WaitGroup
	defer deletes.Wait()
	slices.SortFunc(r.later, func(a, b candidate) int { return a.freeAt.Compare(b.freeAt) })
	for i, c := range r.later {
		if backoff.Sleep(b.reading, time.Until(c.freeAt)) != nil || !r.delete(b, &deletes, c) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.report.Leased += len(r.later) - i
			return
		}
	}
}
