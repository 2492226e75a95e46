package lockstrategy

import (
	"context"

	"github.com/scsdynamo/scsdynamo/storage"
)

// None returns the strategy of plain scs: a commit overwrites whatever is stored, whatever has happened since the
// request read the session. Updates of concurrent requests are lost, and a commit after a logout brings the session
// back. While a secret is being changed, processes that have the secrets in different orders may see different sessions
// under one token. It is there for strict parity with other stores, and as the baseline in measurements. A commit of
// the values that were read moves the expiry alone, as with every strategy, and brings nothing back. Where
// [Request].StaysEnded is set, as in a store whose sessions have owners, no commit brings anything back; it overwrites
// what others have stored, and nothing else.
//
// A request costs one read, and one write where it commits.
func None() Strategy { return none{} }

type none struct{}

func (none) Load(ctx context.Context, request *Request, key string) (Session, error) {
	base, err := LoadBase(ctx, request, key, nil)
	if err != nil {
		return nil, err
	}
	return newNone(base), nil
}

func (none) New(request *Request, record storage.Record) Session {
	return newNone(NewBase(request, record, nil))
}

type noneSession struct{ *Base }

func newNone(base *Base) Session {
	s := noneSession{base}
	base.operations = s
	if base.request.StaysEnded {
		base.overtaken = s.overwrite
	}
	return s
}

// overwrite implements Overtaken: what others have stored does not count. It goes through the payload, which may know
// better.
func (s noneSession) overwrite(_, next, stored storage.Record) (storage.Record, error) {
	payload := s.request.Payload
	if payload == nil {
		return next, nil
	}
	deadline, values, err := payload.Decode(next)
	if err != nil {
		return next, errNotMergeable
	}
	_, _, _ = payload.Decode(stored) // What does not open is overwritten, too.
	next.Data, err = payload.Encode(next.Key, deadline, values)
	return next, err
}

// commit writes next without a condition.
func (s noneSession) commit(ctx context.Context, next storage.Record, write writing) error {
	if s.request.StaysEnded {
		return s.Base.commit(ctx, next, write)
	}
	record, found, gone := s.state()
	switch {
	case gone:
		return s.settle(ErrSessionGone)
	case !found:
		return s.create(ctx, next, storage.Always())
	}
	from := succeed(&next, record)
	if _, err := write.call(s.request.Backend, ctx, from, next, storage.Always()); err != nil {
		return s.settle(err)
	}
	s.stored(next)
	return nil
}
