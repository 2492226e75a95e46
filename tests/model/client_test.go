package model_test

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// kind is the strategy that is tested.
type kind struct{ strategy string }

// timing is how the leases of one process last.
type timing struct {
	duration, maxWait time.Duration
	renews            bool
}

// allowance is the default of lockstrategy.Lease.
func (t timing) allowance() time.Duration { return t.duration / 10 }

func (t timing) String() string {
	return fmt.Sprintf("lease %v, wait %v, renews %v", t.duration, t.maxWait, t.renews)
}

// client is one process.
type client struct {
	name   string
	wire   *wire
	store  *sessionstore.Store
	timing timing
}

func (c *client) String() string {
	if c == nil {
		return "nobody"
	}
	return c.name
}

// alive reports whether the process has not died.
func (c *client) alive() bool {
	select {
	case <-c.wire.dead:
		return false
	default:
		return true
	}
}

// newClient starts a process whose clock is wrong by skew.
func newClient(name string, p *place, secrets [][]byte, t timing, skew time.Duration, adds bool, leaks *leaks) *client {
	c := &client{name: name, timing: t}
	c.wire = newWire(c, p)
	options := append(secretOptions(secrets),
		sessionstore.WithStrategy(newStrategy(p.kind, t, adds)),
		sessionstore.WithClock(func() time.Time { return time.Now().Add(skew) }),
		sessionstore.WithObserver(leaks.observe),
		sessionstore.WithLogger(slog.New(slog.NewTextHandler(leaks, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	var err error
	if c.store, err = sessionstore.New(c.wire, options...); err != nil {
		panic(err)
	}
	return c
}

func secretOptions(secrets [][]byte) []sessionstore.Option {
	if len(secrets) == 0 {
		return nil
	}
	return []sessionstore.Option{sessionstore.WithSecret(secrets[0], secrets[1:]...)}
}

func newStrategy(k kind, t timing, adds bool) lockstrategy.Strategy {
	switch k.strategy {
	case "none":
		return lockstrategy.None()
	case "optimistic":
		return lockstrategy.Optimistic()
	case "merge":
		if adds {
			return lockstrategy.Merge(add)
		}
		return lockstrategy.Merge(nil)
	case "lease":
		options := lockstrategy.LeaseOptions{Duration: t.duration, MaxWait: t.maxWait}
		if !t.renews {
			options.Renewal = -1
		}
		return lockstrategy.Lease(options)
	default:
		panic("model: no strategy " + k.strategy)
	}
}
