package lockstrategy

import (
	"context"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Optimistic returns the strategy that lets all requests run in parallel and refuses the commit of one whose session
// was changed since it read it. The refused request gets an error that matches [storage.ErrConflict], or
// [ErrSessionGone] where the session was deleted or expired meanwhile; nothing of it is stored. No update is lost
// silently, and no ended session comes back.
//
// A request costs one read, and one write where it commits. A refused commit is billed like a write.
func Optimistic() Strategy { return optimistic{} }

type optimistic struct{}

func (optimistic) Load(ctx context.Context, backend *Backend, key string) (Session, error) {
	return optimisticSession(backend, key).load(ctx, key)
}

func (optimistic) New(backend *Backend, key string) Session { return optimisticSession(backend, key) }

func optimisticSession(backend *Backend, key string) *session {
	return &session{backend: backend, record: storage.Record{Key: key}, condition: unchanged}
}

// unchanged asks that nobody has written since the session was read.
func unchanged(b *Backend, record storage.Record, found bool) storage.Condition {
	if !found {
		return storage.IfAbsent(b.Now())
	}
	return storage.IfVersion(record.Version, b.Now())
}
