package lockstrategy

import (
	"context"
	"errors"
	"sync"

	"github.com/scsdynamo/scsdynamo/storage"
)

// session is what the sessions of all strategies have in common: what they know of the record, and how they delete it.
type session struct {
	request *Request

	mu     sync.Mutex // guards the state below, never held during a call
	record storage.Record
	found  bool
	gone   bool // was found or committed, then ended by this request, or by another as this one has seen
}

// newSession returns the session of a record that was read, or of one that has nothing but a key.
func newSession(request *Request, record storage.Record) session {
	return session{request: request, record: record, found: record.Version != ""}
}

// read fills the session with what is stored.
func (s *session) read(ctx context.Context) error {
	record, found, err := s.request.Backend.Read(ctx, s.record.Key)
	if err != nil {
		return err
	}
	s.found = found
	if found || record.Ended() {
		s.record = record
	}
	return nil
}

// Record implements Session.
func (s *session) Record() (storage.Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record, s.found
}

// Delete implements Session. A young session leaves a tombstone: the write that has made it may have been sent twice, and
// arrive once more.
func (s *session) Delete(ctx context.Context) error {
	record, found, _ := s.state()
	backend := s.request.Backend
	var err error
	if found && (backend.Moves || backend.Now().Sub(record.CreatedAt) < storage.LateWrites) {
		_, err = backend.End(ctx, record.Key, "", storage.Always())
	} else {
		err = backend.Driver.Delete(ctx, record.Key, storage.Always())
	}
	if err != nil {
		return err
	}
	s.end()
	return nil
}

// Release implements Session for those that hold nothing.
func (s *session) Release(context.Context) error { return nil }

// state returns what is known of the record.
func (s *session) state() (record storage.Record, found, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record, s.found, s.gone
}

// succeed makes next the successor of the record, and returns the key that the session has until then.
func succeed(next *storage.Record, record storage.Record, found bool) (from string) {
	if !found {
		next.CreatedAt = next.UpdatedAt
		return next.Key
	}
	next.CreatedAt = record.CreatedAt
	next.Succeed(record)
	return record.Key
}

// stored notes what has been written.
func (s *session) stored(record storage.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record, s.found = record, true
}

// end notes that the session has ended.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = s.gone || s.found
	s.found = false
}

// writer is [Backend.Write] or [Backend.Renew].
type writer func(
	ctx context.Context, from string, next storage.Record, condition storage.Condition,
) (inTheWay *storage.Record, err error)

// write stores next in place of the record, as far as that is known, if the condition holds. It returns what it has stored.
func (s *session) write(
	ctx context.Context, next storage.Record, condition storage.Condition, write writer,
) (storage.Record, error) {
	record, found, _ := s.state()
	from := succeed(&next, record, found)
	if !found {
		write = s.request.Backend.Write // there is nothing to end
	}
	if _, err := write(ctx, from, next, condition); err != nil {
		return storage.Record{}, err
	}
	s.stored(next)
	return next, nil
}

// touch applies a change where nobody has written since the session was read. The version, and not only that the session
// is there: whoever changed it may have made it end sooner.
func (s *session) touch(ctx context.Context, change storage.Change) error {
	record, found, _ := s.state()
	if !found {
		return nil
	}
	backend := s.request.Backend
	condition := storage.IfVersion(record.Version, backend.Now())
	_, err := backend.judge(backend.Driver.Update(ctx, record.Key, change, condition))
	switch {
	case errors.Is(err, ErrSessionGone) || !errors.Is(err, storage.ErrConflict) && err != nil:
		return err
	case err != nil:
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.record.Version == record.Version {
		s.record = change.Apply(s.record)
	}
	return nil
}
