// Package outcome says of an unknown outcome that it does not matter.
package outcome

import (
	"context"
	"errors"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Known returns an error for a write of which it is not known whether it was applied, where that is all the same to
// whoever is told: what says how things are. It matches storage.ErrUnavailable, or context.Canceled where the caller
// has gone, and not storage.ErrOutcomeUnknown.
func Known(what string, cause error) error { return &known{what, cause} }

type known struct {
	what  string
	cause error
}

// Error implements error.
func (e *known) Error() string { return e.what + ": " + e.cause.Error() }

// Is says what the error matches.
func (e *known) Is(target error) bool {
	if errors.Is(e.cause, context.Canceled) {
		return target == context.Canceled
	}
	return target == storage.ErrUnavailable
}
