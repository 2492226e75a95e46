package lockstrategy

import (
	"context"

	"github.com/scsdynamo/scsdynamo/storage"
)

// None returns the strategy of plain scs: the last commit wins, whatever happened since the request read the session.
// Updates of concurrent requests are lost, and a commit after a logout brings the session back. It is there for strict
// parity with other stores, and as the baseline in measurements.
//
// A request costs one read, and one write where it commits.
func None() Strategy { return none{} }

type none struct{}

func (none) Load(ctx context.Context, backend *Backend, key string) (Session, error) {
	return noneSession(backend, key).load(ctx, key)
}

func (none) New(backend *Backend, key string) Session { return noneSession(backend, key) }

func noneSession(backend *Backend, key string) *session {
	return &session{
		backend:   backend,
		record:    storage.Record{Key: key},
		condition: func(*Backend, storage.Record, bool) storage.Condition { return storage.Always() },

		unconditional: true,
	}
}
