package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Option is a setting of a store.
type Option func(*config)

type config struct {
	strategy         lockstrategy.Strategy
	reads            lockstrategy.Reads
	sealing          sealing
	observers        []Observer
	now              func() time.Time
	unreadableIsMiss bool
	pageSize         int
	codec            scs.Codec
	readOnly         []func(*http.Request) bool
	touchInterval    time.Duration
	logger           *slog.Logger
	owners           []ownerIndex
	limits           []func() error
	lifecycles       []func(context.Context, Lifecycle)
	details          func(*http.Request, map[string]any) map[string]string
	problems         []error
}

// WithStrategy sets what happens when several requests use one session at the same time. Default:
// [lockstrategy.Merge].
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

// WithReadOnly says which requests only read their session, or end it: with [lockstrategy.Lease] they take no lock and
// never wait, and a commit in one is refused if the session was changed since it was read. A request is one of them if
// any of the predicates says so. [SafeMethods] and [Paths] are ready-made: name the path of the logout with the latter,
// or logging out waits for the user's other requests. For a request that is known otherwise, see [ReadOnly]. Default:
// none.
func WithReadOnly(predicates ...func(*http.Request) bool) Option {
	return func(c *config) {
		c.readOnly = predicates
		if len(predicates) == 0 || slices.ContainsFunc(predicates,
			func(p func(*http.Request) bool) bool { return p == nil }) {
			c.problem("WithReadOnly: the predicate is nil; leave the option out for the default")
		}
	}
}

// WithCodec sets the codec with which values are compared and merged in a scope that [Store.Begin] opens; in one that
// [Store.LoadAndSave] opens it is the session manager's. Default: [scs.GobCodec], as in scs.
func WithCodec(codec scs.Codec) Option {
	return func(c *config) {
		c.codec = codec
		if codec == nil {
			c.problem("WithCodec: the codec is nil; leave the option out for the default")
		}
	}
}

// WithTouchInterval sets by how much the expiry of a session must move to be written where nothing else has changed.
// With an idle timeout, scs moves it in every request; most of these writes are saved, and in return an idle session
// may end earlier than the idle timeout says, by this interval at the most. 0 writes in every request. Default: a tenth
// of the session manager's idle timeout, at most one minute; 0 where [Store.Begin] does not know the manager.
func WithTouchInterval(d time.Duration) Option {
	return func(c *config) {
		c.touchInterval = d
		if d < 0 {
			c.problem("WithTouchInterval: %v; it must not be negative, and 0 writes in every request", d)
		}
	}
}

// WithObserver has fn called after each operation, in the goroutine that did it: fn must be quick, and safe for
// concurrent use. With an observer, DynamoDB is asked for the capacity that each request consumed, which is free. May
// be given several times. Default: none.
func WithObserver(fn Observer) Option {
	return func(c *config) {
		c.observers = append(c.observers, fn)
		if fn == nil {
			c.problem("WithObserver: the observer is nil")
		}
	}
}

// WithLogger logs each operation: what went as it should at debug level, lost races at info, refused input at warn, and
// failures at error. Tokens and session data are never logged. Default: nothing is logged but, once and to
// [slog.Default], that sessions are committed outside of a request scope.
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) {
		if logger == nil {
			c.problem("WithLogger: the logger is nil")
			return
		}
		c.logger = logger
		c.observers = append(c.observers, logObserver(logger))
	}
}

// WithUnreadableAsMiss takes a session that cannot be read (damaged, foreign, or sealed with a secret that is no longer
// given) for one that is not there, so that the user gets a new one instead of an error on every request. Default: Find
// returns an error that matches [storage.ErrCorrupt].
func WithUnreadableAsMiss() Option {
	return func(c *config) { c.unreadableIsMiss = true }
}

// WithPageSize bounds how many sessions [Store.Sessions] and All look at in one call to storage. Default: what the
// driver finds best; on DynamoDB a page of 1 MB.
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
	}
	c.sealing.problems(c.problem)
	c.applyLimits()
	if strategy, ok := c.strategy.(lockstrategy.Validator); ok && driver != nil {
		backend := c.backend(driver)
		c.problems = append(c.problems, strategy.Validate(&backend))
	}
	return errors.Join(c.problems...)
}

func (c *config) backend(driver storage.Driver) lockstrategy.Backend {
	return lockstrategy.Backend{Driver: driver, Reads: c.reads, Now: c.now}
}

// warnUnscoped returns what says, once, that sessions are committed without the protection that was asked for.
func (c *config) warnUnscoped() func() {
	if c.strategy == lockstrategy.None() {
		return func() {}
	}
	return sync.OnceFunc(func() {
		c.logger.Warn("sessions are committed outside of a request scope: such a commit overwrites whatever is stored; " +
			"use store.LoadAndSave in place of the session manager's, or store.Begin")
	})
}

// warnLate returns what says, once, that a response began before its session was stored.
func (c *config) warnLate() func() {
	return sync.OnceFunc(func() {
		c.logger.Warn("the cookie of a new session is not sent: the response began, by a Flush or a Hijack, before the " +
			"session " +
			"was committed; call WriteHeader first")
	})
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
