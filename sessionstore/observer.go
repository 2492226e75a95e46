package sessionstore

import (
	"context"
	"errors"
	"log/slog"
	"time"

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
)

// Outcome classifies how an operation ended, so that what is expected can be told from what should wake somebody.
type Outcome string

// The outcomes.
const (
	OutcomeOK       Outcome = "ok"
	OutcomeMiss     Outcome = "miss"     // there is no such session
	OutcomeConflict Outcome = "conflict" // another request was faster
	OutcomeGone     Outcome = "gone"     // the session ended while the request was running
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
		s.observe(ctx, Event{
			Operation: op, Outcome: outcome, Duration: time.Since(start), Usage: meter.Usage(), Bytes: bytes, Err: err,
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
	case OutcomeRefused:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}
