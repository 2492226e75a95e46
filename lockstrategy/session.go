package lockstrategy

import (
	"context"
	"errors"
	"sync"

	"github.com/scsdynamo/scsdynamo/storage"
)

// session is a Session whose commits are guarded by a condition alone, and which holds nothing.
type session struct {
	backend *Backend
	// condition returns what a commit over the record asks of it.
	condition func(b *Backend, record storage.Record, found bool) storage.Condition
	// unconditional is whether that is always nothing.
	unconditional bool

	mu     sync.Mutex // guards the state below, never held during a call
	record storage.Record
	found  bool
	gone   bool // was found or committed, then deleted by this request
}

// load reads the session under key.
func (s *session) load(ctx context.Context, key string) (Session, error) {
	record, found, err := s.backend.Read(ctx, key)
	if err != nil {
		return nil, err
	}
	s.record, s.found = record, found
	s.record.Key = key
	return s, nil
}

// Record implements Session.
func (s *session) Record() (storage.Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record, s.found
}

// Commit implements Session.
func (s *session) Commit(ctx context.Context, next storage.Record) error {
	s.mu.Lock()
	record, found, gone := s.record, s.found, s.gone
	s.mu.Unlock()
	if gone {
		return ErrSessionGone
	}
	from := next.Key
	next.CreatedAt = next.UpdatedAt
	if found {
		from, next.CreatedAt = record.Key, record.CreatedAt
	}
	if err := s.backend.Write(ctx, from, next, s.condition(s.backend, record, found)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record, s.found = next, true
	return nil
}

// Touch implements Session.
func (s *session) Touch(ctx context.Context, next storage.Record) error {
	s.mu.Lock()
	record, found, gone := s.record, s.found, s.gone
	s.mu.Unlock()
	if gone {
		return nil
	}
	if !found || record.Key != next.Key || s.unconditional {
		return s.Commit(ctx, next)
	}
	change := storage.Change{ExpiresAt: next.ExpiresAt, UpdatedAt: next.UpdatedAt}
	// The version, and not only that the session is there: whoever changed it may have made it end sooner.
	err := s.backend.Driver.Update(ctx, record.Key, change, storage.IfVersion(record.Version, s.backend.Now()))
	if errors.Is(err, storage.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.record.Version == record.Version {
		s.record = change.Apply(s.record)
	}
	return nil
}

// Delete implements Session.
func (s *session) Delete(ctx context.Context) error {
	s.mu.Lock()
	key := s.record.Key
	s.mu.Unlock()
	if err := s.backend.Driver.Delete(ctx, key, storage.Always()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = s.gone || s.found
	s.found = false
	return nil
}

// Release implements Session.
func (s *session) Release(context.Context) error { return nil }
