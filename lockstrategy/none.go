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

func (none) Load(ctx context.Context, request *Request, key string) (Session, error) {
	s := &noneSession{newSession(request, key)}
	return s, s.read(ctx)
}

func (none) New(request *Request, key string) Session { return &noneSession{newSession(request, key)} }

type noneSession struct{ session }

// Commit implements Session.
func (s *noneSession) Commit(ctx context.Context, next storage.Record) error {
	if _, _, gone := s.state(); gone {
		return ErrSessionGone
	}
	_, err := s.write(ctx, next, storage.Always())
	return err
}
