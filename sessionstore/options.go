package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Option is a setting of a store.
type Option func(*config)

type config struct {
	strategy         lockstrategy.Strategy
	reads            lockstrategy.Reads
	secrets          [][]byte
	observers        []Observer
	now              func() time.Time
	unreadableIsMiss bool
	pageSize         int
	problems         []error
}

// WithStrategy sets what happens when several requests use one session at the same time. Default:
// [lockstrategy.Optimistic].
func WithStrategy(strategy lockstrategy.Strategy) Option {
	return func(c *config) {
		c.strategy = strategy
		if strategy == nil {
			c.problem("WithStrategy: the strategy is nil; leave the option out for the default")
		}
	}
}

// WithReads sets how fresh the reads of sessions are, those of [Store.Sessions] and All included. Default:
// [lockstrategy.StrongReads].
func WithReads(reads lockstrategy.Reads) Option {
	return func(c *config) {
		c.reads = reads
		if reads > lockstrategy.EventualThenStrongReads {
			c.problem("WithReads: unknown kind of reads %d", reads)
		}
	}
}

// MinSecretBytes is the length of the shortest secret.
const MinSecretBytes = 32

// WithSecret makes a copy of the storage useless to whoever has no secret: sessions are stored under a keyed hash of their
// token, and token and data are encrypted and bound to that place. A secret is at least [MinSecretBytes] random bytes,
// the same for all processes that share the sessions. Without this option, storage holds tokens and data as they are.
//
// To change the secret, pass the new one first and the old ones behind it, in all processes: sessions of old secrets are
// found, and move to the new one with their next commit. An old secret can be left out once the lifetime of a session
// has passed. As long as it is there, a miss costs one more read, and a delete one more write, for each old secret.
// Adding the first secret to a store that had none ends the sessions that are stored.
func WithSecret(current []byte, previous ...[]byte) Option {
	return func(c *config) {
		c.secrets = append([][]byte{current}, previous...)
		for i, secret := range c.secrets {
			if len(secret) < MinSecretBytes {
				c.problem("WithSecret: secret %d has %d bytes; at least %d random bytes are needed", i+1, len(secret), MinSecretBytes)
			}
			for j, other := range c.secrets[:i] {
				if string(secret) == string(other) {
					c.problem("WithSecret: secrets %d and %d are the same", j+1, i+1)
				}
			}
		}
	}
}

// WithObserver has fn called after each operation, in the goroutine that did it: fn must be quick, and safe for concurrent
// use. With an observer, DynamoDB is asked for the capacity that each request consumed, which is free. May be given
// several times. Default: none.
func WithObserver(fn Observer) Option {
	return func(c *config) {
		c.observers = append(c.observers, fn)
		if fn == nil {
			c.problem("WithObserver: the observer is nil")
		}
	}
}

// WithLogger logs each operation: what went as it should at debug level, lost races at info, refused input at warn, and
// failures at error. Tokens and session data are never logged. Default: nothing is logged.
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) {
		if logger == nil {
			c.problem("WithLogger: the logger is nil")
			return
		}
		c.observers = append(c.observers, logObserver(logger))
	}
}

// WithUnreadableAsMiss takes a session that cannot be read (damaged, foreign, or sealed with a secret that is no longer
// given) for one that is not there, so that the user gets a new one instead of an error on every request. Default: Find
// returns an error that matches [storage.ErrCorrupt].
func WithUnreadableAsMiss() Option {
	return func(c *config) { c.unreadableIsMiss = true }
}

// WithPageSize bounds how many sessions [Store.Sessions] and All look at in one call to storage. Default: what the driver
// finds best; on DynamoDB a page of 1 MB.
func WithPageSize(sessions int) Option {
	return func(c *config) {
		c.pageSize = sessions
		if sessions < 1 {
			c.problem("WithPageSize: %d; at least 1 is needed", sessions)
		}
	}
}

// WithClock sets the clock by which expiry is judged, for tests. Default: [time.Now].
func WithClock(now func() time.Time) Option {
	return func(c *config) {
		c.now = now
		if now == nil {
			c.problem("WithClock: the clock is nil")
		}
	}
}

func (c *config) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf("sessionstore: "+format, args...))
}

// validate reports all problems at once, also those between options.
func (c *config) validate(driver storage.Driver) error {
	if driver == nil {
		c.problem("New: the driver is nil")
	} else if _, ok := driver.(storage.Mover); !ok && len(c.secrets) > 1 {
		c.problem("WithSecret: driver %T cannot move sessions to a new secret (it has no storage.Mover); give one secret", driver)
	}
	return errors.Join(c.problems...)
}

// observer returns one function for all observers, nil for none.
func (c *config) observer() func(context.Context, Event) {
	switch len(c.observers) {
	case 0:
		return nil
	case 1:
		return c.observers[0]
	}
	return func(ctx context.Context, e Event) {
		for _, observe := range c.observers {
			observe(ctx, e)
		}
	}
}
