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
	// Operation says what was done.
	Operation Operation
	// Outcome says how it ended.
	Outcome Outcome
	// Duration is how long it took, waiting included.
	Duration time.Duration
	// Usage is the calls to storage that it made, and the capacity they consumed.
	Usage storage.Usage
	// Bytes is the size of the session's data, as the session manager sees it: found, committed, or listed.
	Bytes int
	// Err is the error it returned, if any.
	Err error
}

// Operation names what a store does.
type Operation string

// The operations.
const (
	OpFind   Operation = "find"
	OpCommit Operation = "commit"
	OpDelete Operation = "delete"
	OpLookup Operation = "lookup"
	OpList   Operation = "list" // one event for each page
	// OpRelease gives back what a request held, where that took a call.
	OpRelease Operation = "release"

	// What follows comes on top of an operation, or between them, and its usage is not part of theirs.

	OpWait     = Operation(lockstrategy.Waited)   // a request waited for its session; Duration says how long
	OpMerge    = Operation(lockstrategy.Merged)   // a commit was merged with what another request had stored
	OpTakeOver = Operation(lockstrategy.TookOver) // a lease was taken from a holder that was not heard of any more
	OpRenew    = Operation(lockstrategy.Renewed)  // the lease of a running request was renewed
	OpLost     = Operation(lockstrategy.Lost)     // the lease of a running request is somebody else's, or its session is gone
	// OpRetry is for each further try of a handler; Duration is what the one before it has cost, and Err why it failed.
	OpRetry Operation = "retry"
	// OpRecover is for each write whose response was lost, and that was found to have been applied.
	OpRecover Operation = "recover"
)

// Outcome classifies how an operation ended, so that what is expected can be told from what should wake somebody.
type Outcome string

// The outcomes.
const (
	OutcomeOK       Outcome = "ok"
	OutcomeMiss     Outcome = "miss"     // there is no such session
	OutcomeConflict Outcome = "conflict" // another request was faster
	OutcomeGone     Outcome = "gone"     // the session ended while the request was running
	OutcomeLost     Outcome = "lost"     // the lock went to another request
	OutcomeTimeout  Outcome = "timeout"  // the session was not free in time
	OutcomeRefused  Outcome = "refused"  // invalid or too large
	OutcomeCanceled Outcome = "canceled" // the caller went away, or ran out of time
	OutcomeError    Outcome = "error"    // everything else
)

// begin starts to observe an operation. It is called only where somebody observes.
func (s *Store) begin(ctx context.Context, op Operation) (context.Context, func(Outcome, int, error)) {
	meter := &storage.Meter{}
	start := time.Now()
	return storage.WithMeter(ctx, meter), func(outcome Outcome, bytes int, err error) {
		if err != nil {
			outcome = outcomeOf(err)
		}
		usage := meter.Usage()
		if op == OpRelease && usage.Calls == 0 && err == nil {
			return // there was nothing to give back
		}
		s.observe(ctx, Event{
			Operation: op, Outcome: outcome, Duration: time.Since(start), Usage: usage, Bytes: bytes, Err: err,
		})
		for range usage.Recovered {
			s.observe(ctx, Event{Operation: OpRecover, Outcome: OutcomeOK})
		}
	}
}

// notify returns what passes on a strategy's notices to the observers, nil where nobody observes.
func (s *Store) notify(ctx context.Context) func(lockstrategy.Notice) {
	if s.observe == nil {
		return nil
	}
	return func(n lockstrategy.Notice) {
		outcome := OutcomeOK
		if n.Err != nil {
			outcome = outcomeOf(n.Err)
		}
		s.observe(ctx, Event{
			Operation: Operation(n.Event), Outcome: outcome, Duration: n.Duration, Usage: n.Usage, Err: n.Err,
		})
	}
}

func foundOutcome(found bool) Outcome {
	if found {
		return OutcomeOK
	}
	return OutcomeMiss
}

func outcomeOf(err error) Outcome {
	switch {
	case errors.Is(err, ErrSessionGone):
		return OutcomeGone
	case errors.Is(err, ErrLockTimeout):
		return OutcomeTimeout
	case errors.Is(err, ErrLockLost):
		return OutcomeLost
	case errors.Is(err, storage.ErrConflict):
		return OutcomeConflict
	case errors.Is(err, storage.ErrTooLarge), errors.Is(err, storage.ErrInvalidKey), errors.Is(err, ErrInvalidToken):
		return OutcomeRefused
	case errors.Is(err, storage.ErrUnavailable): // although it may match a timeout of the client, too
		return OutcomeError
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return OutcomeCanceled
	default:
		return OutcomeError
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
			slog.String("operation", string(e.Operation)),
			slog.String("outcome", string(e.Outcome)),
			slog.Duration("duration", e.Duration),
			slog.Int("calls", e.Usage.Calls),
			slog.Float64("read_units", e.Usage.ReadUnits),
			slog.Float64("write_units", e.Usage.WriteUnits),
			slog.Int("bytes", e.Bytes),
		}
		if e.Err != nil {
			attrs = append(attrs, slog.String("error", e.Err.Error()))
		}
		logger.LogAttrs(ctx, level, "session "+string(e.Operation), attrs...)
	}
}

func levelOf(outcome Outcome) slog.Level {
	switch outcome {
	case OutcomeOK, OutcomeMiss:
		return slog.LevelDebug
	case OutcomeConflict, OutcomeGone, OutcomeCanceled:
		return slog.LevelInfo
	case OutcomeRefused, OutcomeLost, OutcomeTimeout:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}
