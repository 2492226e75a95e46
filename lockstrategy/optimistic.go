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

func (optimistic) Load(ctx context.Context, request *Request, key string) (Session, error) {
	base, err := LoadBase(ctx, request, key, nil)
	if err != nil {
		return nil, err
	}
	return base, nil
}

func (optimistic) New(request *Request, record storage.Record) Session {
	return NewBase(request, record, nil)
}
