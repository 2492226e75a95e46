package gcrunner

import (
	"errors"

	"github.com/scsdynamo/scsdynamo/storage"
)

var (
	// ErrNoRule says that no rule was given. Without a rule nothing is deleted, ever.
	ErrNoRule = errors.New("gcrunner: no rule; choose at least one of Expired, MaxAge and MaxStale")

	// ErrRunning says that the collector is running already.
	ErrRunning = errors.New("gcrunner: the collector is running; wait for the run to end")

	// ErrNotElected says that another process is elected, and alive.
	ErrNotElected = errors.New("gcrunner: another collector is elected; try again later")

	// ErrElectionLost says that the elected process may not be the only one any more: its lease was taken, or could not
	// be renewed in time. It is the cause with which its context is cancelled.
	ErrElectionLost = errors.New("gcrunner: the election was lost while it was made use of; stand for election again")

	// ErrTimeUp says that a run has reached its limit of duration and has not come anywhere: it was not elected, and no
	// other process was seen that is; or no read, or no delete, was answered. It matches [storage.ErrUnavailable].
	ErrTimeUp error = timeUpError{}

	// ErrCheckpoint says that the position of a run cannot be loaded or saved. It wraps the cause. A run saves it
	// before the first delete.
	ErrCheckpoint = errors.New("gcrunner: the position of the run cannot be kept")

	// ErrNoPosition says that a file holds something else than the position of a run. It is left as it is.
	ErrNoPosition = errors.New("gcrunner: the file holds something else than the position of a run; name another file")

	errPosition = errors.New("gcrunner: this is not the position of a run; start without one")
)

// timeUpError is ErrTimeUp.
type timeUpError struct{}

// Error implements error.
func (timeUpError) Error() string { return "gcrunner: the limit of duration was reached" }

// Unwrap makes it match.
func (timeUpError) Unwrap() error { return storage.ErrUnavailable }
