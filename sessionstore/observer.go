package sessionstore

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Observer is told of each operation of a store. Nothing it is told is a token, a key or data of a session.
type Observer func(ctx context.Context, event Event)

// Event is one operation that a store has done.
type Event struct {
	// Operation says what was done:
	//
	//	find, commit, delete, lookup
	//	list       one event for each page
	//	release    what a request held was given back, where that took a call
	//
	// What follows comes on top of an operation, or between them, and its usage is not part of theirs:
	//
	//	wait       a request waited for its session; Duration says how long
	//	merge      a commit was merged with what another request had stored
	//	takeover   a lease was taken from a holder that was not heard of any more
	//	renew      the lease of a running request was renewed
	//	lost       the lease of a running request is another's, or its session is gone
	//	retry      a handler runs again; Duration is what the try before has cost, and Err why it failed
	//	recover    a write whose response was lost was found to have been applied
	Operation string
	// Outcome says how it ended, so that what is expected can be told from what should wake somebody:
	//
	//	ok
	//	miss       there is no such session
	//	conflict   another request was faster
	//	gone       the session ended while the request was running
	//	lost       the lock went to another request
	//	timeout    the session was not free in time
	//	refused    invalid or too large
	//	canceled   the client went away, or ran out of time
	//	error      everything else
	Outcome string
	// Duration is how long it took, waiting included.
	Duration time.Duration
	// Usage is the calls to storage that it made, and the capacity they consumed.
	Usage storage.Usage
	// Bytes is the size of the session's data, as the session manager sees it: found, committed, or listed.
	Bytes int
	// Err is the error it returned, if any.
	Err error
}

// The operations and outcomes that the store itself tells apart; see [Event].
const (
	opFind    = "find"
	opCommit  = "commit"
	opDelete  = "delete"
	opLookup  = "lookup"
	opList    = "list"
	opRelease = "release"
	opRetry   = "retry"
	opRecover = "recover"

	outcomeOK       = "ok"
	outcomeMiss     = "miss"
	outcomeConflict = "conflict"
	outcomeGone     = "gone"
	outcomeLost     = "lost"
	outcomeTimeout  = "timeout"
	outcomeRefused  = "refused"
	outcomeCanceled = "canceled"
	outcomeError    = "error"
)

// begin starts to observe an operation. It is called only where somebody observes.
func (s *Store) begin(ctx context.Context, op string) (context.Context, func(string, int, error)) {
	meter := &storage.Meter{}
	start := time.Now()
	return storage.WithMeter(ctx, meter), func(outcome string, bytes int, err error) {
		if err != nil {
			outcome = outcomeOf(err)
		}
		usage := meter.Usage()
		if op == opRelease && usage.Calls == 0 && err == nil {
			return // there was nothing to give back
		}
		s.observe(ctx, Event{
			Operation: op, Outcome: outcome, Duration: time.Since(start), Usage: usage, Bytes: bytes, Err: err,
		})
		for range usage.Recovered {
			s.observe(ctx, Event{Operation: opRecover, Outcome: outcomeOK})
		}
	}
}

// notify returns what passes on a strategy's notices to the observers, nil where nobody observes.
func (s *Store) notify(ctx context.Context) func(lockstrategy.Notice) {
	if s.observe == nil {
		return nil
	}
	return func(n lockstrategy.Notice) {
		outcome := outcomeOK
		if n.Err != nil {
			outcome = outcomeOf(n.Err)
		}
		s.observe(ctx, Event{
			Operation: string(n.Event), Outcome: outcome, Duration: n.Duration, Usage: n.Usage, Err: n.Err,
		})
	}
}

func foundOutcome(found bool) string {
	if found {
		return outcomeOK
	}
	return outcomeMiss
}

func outcomeOf(err error) string {
	switch {
	case errors.Is(err, ErrSessionGone):
		return outcomeGone
	case errors.Is(err, ErrLockTimeout):
		return outcomeTimeout
	case errors.Is(err, ErrLockLost):
		return outcomeLost
	case errors.Is(err, storage.ErrConflict):
		return outcomeConflict
	case errors.Is(err, storage.ErrTooLarge), errors.Is(err, storage.ErrInvalidKey), errors.Is(err, ErrInvalidToken),
		errors.Is(err, ErrInvalidOwner), errors.Is(err, ErrOwnerLimit):
		return outcomeRefused
	case errors.Is(err, storage.ErrUnavailable): // although it may match a timeout of the client, too
		return outcomeError
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return outcomeCanceled
	default:
		return outcomeError
	}
}

// logObserver writes events to a logger.
func logObserver(logger *slog.Logger) Observer {
	return func(ctx context.Context, e Event) {
		level := levelOf(e.Outcome)
		if !logger.Enabled(ctx, level) {
			return
		}
		attrs := []slog.Attr{
			slog.String("operation", e.Operation),
			slog.String("outcome", e.Outcome),
			slog.Duration("duration", e.Duration),
			slog.Int("calls", e.Usage.Calls),
			slog.Float64("read_units", e.Usage.ReadUnits),
			slog.Float64("write_units", e.Usage.WriteUnits),
			slog.Int("bytes", e.Bytes),
		}
		if e.Err != nil {
			attrs = append(attrs, slog.String("error", e.Err.Error()))
		}
		logger.LogAttrs(ctx, level, "session "+e.Operation, attrs...)
	}
}

func levelOf(outcome string) slog.Level {
	switch outcome {
	case outcomeOK, outcomeMiss:
		return slog.LevelDebug
	case outcomeConflict, outcomeGone, outcomeCanceled:
		return slog.LevelInfo
	case outcomeRefused, outcomeLost, outcomeTimeout:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}
