package model_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// place is where all processes keep their sessions. All that is done to it is done in one order, and the model of each
// session follows: what is applied here is what the session then is.
type place struct {
	kind     kind
	driver   *memory.Driver
	observer *sessionstore.Store // reads past all wires
	began    time.Time
	moves    bool // whether sessions may move, between the keys of several secrets

	mu         sync.Mutex
	sessions   map[string]*session // by storage key
	owners     map[string]*client  // who has acquired a lease, by its ID
	calm       bool                // whether no fault has struck so far
	violations []string
	trace      []string
}

func newPlace(k kind, observe func(*memory.Driver) *sessionstore.Store) *place {
	driver := memory.New()
	return &place{
		kind: k, driver: driver, observer: observe(driver), began: time.Now(),
		sessions: map[string]*session{}, owners: map[string]*client{}, calm: true,
	}
}

// call is one call to the place: who made it, for which operation, and when it was sent.
type call struct {
	client *client
	op     *operation // nil for what a process does by itself
	name   string
	sent   time.Time
	late   bool // nobody waits for it any more
}

func (c call) String() string {
	if c.op == nil {
		return fmt.Sprintf("%s %s", c.client, c.name)
	}
	return fmt.Sprintf("%s %s", c.op, c.name)
}

// strike notes that a fault strikes a call.
func (p *place) strike(c call, f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calm = false
	if c.op != nil {
		c.op.faulted = true
	}
	p.notef("%v is %s, %v", c, f.kind, f.delay)
}

// asked notes a call for a token that is malformed: anybody can send one, so it must cost nothing.
func (p *place) asked(c call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.violatedf("I8: %v, for a token that is malformed", c)
}

// get reads a record.
func (p *place) get(key string) (storage.Record, bool, error) {
	return p.driver.Get(context.Background(), key, storage.Strong)
}

// put applies a Put.
func (p *place) put(ctx context.Context, c call, record storage.Record, condition storage.Condition) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, found, _ := p.get(record.Key)
	err := p.driver.Put(ctx, record, condition)
	p.notef("%v, %v: %s", c, condition, outcome(err))
	if err != nil {
		return err
	}
	s := p.sessions[record.Key]
	if done := p.moved(c, s, record, before, found); done {
		return nil
	}
	switch {
	case s == nil:
		p.violatedf("I8: %v wrote under a key of no session", c)
	case c.op == nil:
		p.violatedf("I4: %v wrote a session that no request commits", c)
	case !c.op.mayWrite(s, record):
		p.violatedf("%v wrote %v", c, s)
	case record.Ended():
		if session, from, ok := ended.Arrived(before); ok { // it ends where it has arrived
			if departure, _, _ := p.get(from); ended.Departed(departure, before) {
				before = session
			}
		}
		s.buried(p, c, before, found)
		if c.op.logsOut() {
			return nil // whoever has the lease
		}
	default:
		s.committed(p, c, record, before, found)
	}
	if found && !before.Lease.Free() {
		p.leaseLeft(c, before, record.Lease)
	} else if !record.Lease.Free() {
		p.violatedf("I6: %v put a lease on a session that had none, with a commit", c)
	}
	return nil
}

// moved follows the writes of a move, of which the one that takes the place of the session under its old key decides,
// and the others change nothing.
func (p *place) moved(c call, s *session, record, before storage.Record, found bool) (done bool) {
	arrived, _, completes := ended.Arrived(before)
	switch {
	case s == nil || c.op == nil:
		return false
	case ended.Arriving(record):
		if found && before.Live(c.sent) {
			p.violatedf("I1: %v announced a session in place of %v, which is live", c, s)
		}
		return true
	case ended.Destination(record) != "" && ended.Arriving(before): // it is recalled
		if _, live := p.observe(s); live != s.now().live(time.Now()) {
			p.violatedf("I4: %v recalled %v, which has arrived", c, s)
		}
		return true
	case ended.Destination(record) != "":
		arrival, _, _ := p.get(ended.Destination(record))
		next, _, ok := ended.Arrived(arrival)
		if !ok || !ended.Departed(record, arrival) {
			p.violatedf("I4: %v moved %v to where it was not announced", c, s)
		}
		if !c.op.mayWrite(s, next) {
			p.violatedf("%v moved %v", c, s)
		}
		s.committed(p, c, next, before, found)
		if found && !before.Lease.Free() {
			p.leaseLeft(c, before, storage.Lease{})
		}
		return true
	case completes && record.Version == arrived.Version:
		if !bytes.Equal(record.Data, arrived.Data) {
			p.violatedf("I1: %v stored something else than what was moved of %v", c, s)
		}
		return true
	case p.moves && found && before.Live(c.sent) && bytes.Equal(record.Data, before.Data) &&
		record.Lease == before.Lease && record.ExpiresAt.Equal(before.ExpiresAt) && record.UpdatedAt.Equal(before.UpdatedAt):
		next := s.now() // the same once more, as another version
		next.version = record.Version
		s.enter(next)
		return true
	default:
		return false
	}
}

// update applies an Update.
func (p *place) update(ctx context.Context, c call, key string, change storage.Change,
	condition storage.Condition,
) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, _, _ := p.get(key)
	if c.op != nil && c.op.visit != nil && !change.ExpiresAt.IsZero() {
		c.op.visit.there = c.op.session.now().live(c.sent)
	}
	err := p.driver.Update(ctx, key, change, condition)
	p.notef("%v, %v: %s", c, condition, outcome(err))
	if err != nil {
		return err
	}
	if !change.ExpiresAt.IsZero() {
		if s := p.sessions[key]; s == nil || c.op == nil || c.op.session != s {
			p.violatedf("I8: %v moved the expiry of a session that it does not have", c)
		} else {
			s.touched(p, c, change, before)
		}
	}
	if change.Lease != nil {
		p.leaseLeft(c, before, *change.Lease)
	}
	return nil
}

// leaseLeft judges a write that has left another lease than it found, or the same with another end.
func (p *place) leaseLeft(c call, before storage.Record, after storage.Lease) {
	switch owner := p.owners[before.Lease.ID]; {
	case p.kind.strategy != "lease" && !before.Lease.Free():
		p.violatedf("I6: %v: there is a lease, without the strategy", c)
	case p.kind.strategy == "lease" && before.Lease.Free():
		p.violatedf("I6: %v without having the lease", c)
	case p.kind.strategy == "lease" && owner != c.client:
		p.violatedf("I6: %v touched the lease of %v", c, owner)
	case !after.Free() && after.ID != before.Lease.ID:
		p.violatedf("I6: %v put another lease in place of the one it found", c)
	}
}

// acquire applies an Acquire.
func (p *place) acquire(
	ctx context.Context, c call, key string, lease storage.Lease, condition storage.Condition,
) (storage.Record, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, found, _ := p.get(key)
	record, err := p.driver.Acquire(ctx, key, lease, condition)
	p.notef("%v, %v: %s", c, condition, outcome(err))
	if err != nil {
		return storage.Record{}, err
	}
	if !found || !before.Live(c.sent) {
		p.violatedf("I8: %v wrote for a session that is not there", c)
	}
	p.owners[lease.ID] = c.client
	return record, nil
}

// delete applies a Delete.
func (p *place) delete(ctx context.Context, c call, key string, condition storage.Condition) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, found, _ := p.get(key)
	err := p.driver.Delete(ctx, key, condition)
	p.notef("%v, %v: %s", c, condition, outcome(err))
	s := p.sessions[key]
	if err == nil && found && ended.Arriving(before) && s != nil {
		if _, live := p.observe(s); !live && s.now().live(time.Now()) { // it had arrived
			s.enter(state{})
		}
		return nil
	}
	if err == nil && found && !before.Ended() && s != nil {
		if s.now().exists && c.op != nil && c.op.session == s {
			c.op.ends++
		}
		s.enter(state{})
	} else if err == nil && found && s != nil {
		s.unbury()
	}
	return err
}

// collect deletes a record as a collector does that has read it before.
func (p *place) collect(seen storage.Record) {
	p.deleteDead(seen.Key, storage.IfUnchanged(seen), func(s *session, before storage.Record) {
		if before.Version != seen.Version || !before.ExpiresAt.Equal(seen.ExpiresAt) || before.Lease.ID != seen.Lease.ID {
			p.violatedf("I7: the collector deleted %v, which was changed after it was read", s)
		}
	})
}

// collectByIndex deletes a record as a collector does that knows its key from an index. By its clock, which may be
// ahead, it is cutoff.
func (p *place) collectByIndex(key string, cutoff time.Time) {
	p.deleteDead(key, storage.IfExpiredAndFree(cutoff), func(s *session, before storage.Record) {
		if !before.Expired(cutoff) || !before.Lease.Free() {
			p.violatedf("I7: the collector deleted %v, which lives, or is in use", s)
		}
	})
}

// deleteDead deletes a record under the condition, and has judged what was there if it is gone by that.
func (p *place) deleteDead(key string, condition storage.Condition, judge func(*session, storage.Record)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, found, _ := p.get(key)
	err := p.driver.Delete(context.Background(), key, condition)
	s := p.sessions[key]
	p.notef("the collector deletes %v, %v: %s", s, condition, outcome(err))
	if err != nil || !found {
		return
	}
	judge(s, before)
	if !before.Ended() {
		s.enter(state{})
		return
	}
	s.unbury() // the session may be under the key of another secret
}

// violatedf notes that an invariant does not hold. p.mu is held.
func (p *place) violatedf(format string, args ...any) {
	violation := fmt.Sprintf(format, args...)
	p.notef("VIOLATION: %s", violation)
	p.violations = append(p.violations, violation)
}

// notef adds to the account of what has happened, which a failure prints. p.mu is held.
func (p *place) notef(format string, args ...any) {
	p.trace = append(p.trace, fmt.Sprintf("%9v  %s", time.Since(p.began), fmt.Sprintf(format, args...)))
}

func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}
