package conformance

import (
	"fmt"
	"time"
)

// storeClock is what a case knows of the clock by which its store judges expiry. Without WithClock that is the
// machine's.
type storeClock struct {
	set     time.Time     // What it was last set to; it shows this at least.
	ahead   time.Duration // How far it is before the machine's at most.
	machine bool          // Whether expiries come from the machine's clock, so that time must really pass.
}

// onMachineClock is for a case in which scs sets expiries.
func (c *check) onMachineClock() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock.machine = true
}

// waitPast waits until a session with this expiry must be dead, or moves the store's clock there.
func (c *check) waitPast(expiry time.Time) {
	at := expiry.Add(c.opts.resolution)
	c.mu.Lock()
	mustWait := c.opts.setClock == nil || c.clock.machine
	c.mu.Unlock()
	if mustWait {
		c.WaitUntil(at)
	}
	if c.opts.setClock != nil {
		c.setClock(at)
	}
	c.Note(fmt.Sprintf("waited until %v after the expiry", c.opts.resolution), "now")
}

// setClock makes the clock of the case's own store show at least this instant.
func (c *check) setClock(at time.Time) {
	at = at.Round(0)
	c.mu.Lock()
	later := at.After(c.clock.set)
	if later {
		c.clock.set = at
		c.clock.ahead = max(c.clock.ahead, at.Sub(time.Now().Round(0)))
	}
	c.mu.Unlock()
	if later {
		c.opts.setClock(c.t, c.store.store, at)
	}
}

// mustLive reports whether a session with this expiry that was looked for before now must have been found.
func (c *check) mustLive(expiry time.Time) bool {
	c.mu.Lock()
	now := time.Now().Round(0).Add(c.clock.ahead)
	c.mu.Unlock()
	return now.Before(expiry.Round(0).Add(-c.opts.resolution))
}
