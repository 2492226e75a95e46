package lockstrategy

import (
	"errors"
	"fmt"

	"github.com/scsdynamo/scsdynamo/storage"
)

// ErrSessionGone says that the session which this request read has since been deleted, or has expired. Nothing was
// written: a commit never brings back a session that somebody ended.
var ErrSessionGone = errors.New("the session was ended while the request was running, and is not brought back")

// errConflict is a lost race, without the record that won it: errors travel to logs, and session data must not.
var errConflict = fmt.Errorf("another request changed the session while this one was running: %w", storage.ErrConflict)
