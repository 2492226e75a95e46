package lockstrategy

import (
	"context"

	"github.com/scsdynamo/scsdynamo/storage"
)

// None returns the strategy of plain scs: a commit overwrites whatever is stored, whatever has happened since the request
// read the session. Updates of concurrent requests are lost, and a commit after a logout brings the session back. It is
// there for strict parity with other stores, and as the baseline in measurements. A commit of the values that were read
// moves the expiry alone, as with every strategy, and brings nothing back.
//
// A request costs one read, and one write where it commits.
func None() Strategy { return none{} }

type none struct{}

func (none) Load(ctx context.Context, request *Request, key string) (Session, error) {
	s := &noneSession{newSession(request, storage.Record{Key: key})}
	return s, s.read(ctx)
}

func (none) New(request *Request, record storage.Record) Session {
	return &noneSession{newSession(request, record)}
}

type noneSession struct{ session }

// Commit implements Session.
func (s *noneSession) Commit(ctx context.Context, next storage.Record) error {
	return s.commit(ctx, next, s.request.Backend.Write)
}

// Renew implements Session.
func (s *noneSession) Renew(ctx context.Context, next storage.Record) error {
	return s.commit(ctx, next, s.request.Backend.Renew)
}

func (s *noneSession) commit(ctx context.Context, next storage.Record, write writer) error {
	if _, _, gone := s.state(); gone {
		return ErrSessionGone
	}
	_, err := s.write(ctx, next, storage.Always(), write)
	return err
}

// Touch implements Toucher.
func (s *noneSession) Touch(ctx context.Context, change storage.Change) error {
	return s.touch(ctx, change)
}
