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
	s := &optimisticSession{newSession(request, storage.Record{Key: key})}
	return s, s.read(ctx)
}

func (optimistic) New(request *Request, record storage.Record) Session {
	return &optimisticSession{newSession(request, record)}
}

type optimisticSession struct{ session }

// Commit implements Session.
func (s *optimisticSession) Commit(ctx context.Context, next storage.Record) error {
	return s.commit(ctx, next, s.request.Backend.Write)
}

// Renew implements Session.
func (s *optimisticSession) Renew(ctx context.Context, next storage.Record) error {
	return s.commit(ctx, next, s.request.Backend.Renew)
}

func (s *optimisticSession) commit(ctx context.Context, next storage.Record, write writer) error {
	record, found, gone := s.state()
	condition := storage.IfAbsent(next.UpdatedAt)
	switch {
	case gone:
		return ErrSessionGone
	case found: // nobody has written since it was read
		condition = storage.IfVersion(record.Version, s.request.Backend.Now())
	}
	_, err := s.write(ctx, next, condition, write)
	return err
}

// Touch implements Toucher.
func (s *optimisticSession) Touch(ctx context.Context, change storage.Change) error {
	return s.touch(ctx, change)
}
