package sessionstore

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Session is one session as it is stored.
type Session struct {
	// Token is the session's token: who has it is logged in. With HashTokenInStore it is the hash of the token.
	Token string
	// Data is what the session manager's codec made of the values.
	Data []byte
	// CreatedAt is when the session was first committed, UpdatedAt when it was last.
	CreatedAt, UpdatedAt time.Time
	// ExpiresAt is when the session ends.
	ExpiresAt time.Time
}

// Lookup returns the session of a token as it is stored now, expired ones excepted. It is for looking at a session, not
// for working with it: unlike FindCtx it takes no part in the request scope.
func (s *Store) Lookup(ctx context.Context, token string) (session Session, found bool, err error) {
	if s.observe != nil {
		var done func(Outcome, int, error)
		ctx, done = s.begin(ctx, OpLookup)
		defer func() { done(foundOutcome(found), len(session.Data), err) }()
	}
	if !validToken(token) {
		return Session{}, false, nil
	}
	record, found, _, err := s.find(ctx, nil, token)
	if err == nil && found {
		if record.Data, err = s.vault.open(record, token); err == nil {
			return sessionOf(token, record), true, nil
		}
	}
	if s.isMiss(err) {
		err = nil
	}
	return Session{}, false, err
}

// StorageKey returns the key under which the session of a token is stored: with a secret a keyed hash of the token, which
// may be shown and logged, and without one the token itself, which may not.
func (s *Store) StorageKey(token string) string { return s.vault.keyOf(0, token) }

// Sessions returns all sessions that are not expired, in no particular order. It reads a page at a time, as the loop
// needs them, and holds no more than that: any number of sessions can be walked over. Sessions that are committed or
// deleted meanwhile may be missing; all others are there.
//
// A session that cannot be read is an error beside an empty Session, and the loop may go on behind it; see
// [WithUnreadableAsMiss]. Any other error ends the sequence. On DynamoDB this scans the whole table and is billed so.
func (s *Store) Sessions(ctx context.Context) iter.Seq2[Session, error] {
	return func(yield func(Session, error) bool) {
		scanner, ok := s.backend.Driver.(storage.Scanner)
		if !ok {
			yield(Session{}, ErrNotIterable)
			return
		}
		request := storage.ScanRequest{Limit: s.pageSize, Consistency: s.scanConsistency()}
		for {
			page, err := s.page(ctx, scanner, request)
			if err != nil {
				yield(Session{}, err)
				return
			}
			if !s.yieldPage(page, yield) || page.Next == "" {
				return
			}
			request.Start = page.Next
		}
	}
}

// AllCtx returns the data of all sessions that are not expired, by token. It holds them all in memory: [Store.Sessions]
// does not. It implements [scs.IterableCtxStore].
func (s *Store) AllCtx(ctx context.Context) (map[string][]byte, error) {
	all := map[string][]byte{}
	for session, err := range s.Sessions(ctx) {
		if err != nil {
			return nil, err
		}
		all[session.Token] = session.Data
	}
	return all, nil
}

// All is AllCtx without a context. It implements [scs.IterableStore].
func (s *Store) All() (map[string][]byte, error) { return s.AllCtx(context.Background()) }

// page reads one page. Records that are no sessions are not on it.
func (s *Store) page(ctx context.Context, scanner storage.Scanner, request storage.ScanRequest) (page storage.Page, err error) {
	if s.observe != nil {
		var done func(Outcome, int, error)
		ctx, done = s.begin(ctx, OpList)
		defer func() {
			size := 0
			for _, record := range page.Records {
				size += len(record.Data)
			}
			done(OutcomeOK, size, err)
		}()
	}
	page, err = scanner.Scan(ctx, request)
	page.Records = slices.DeleteFunc(page.Records, func(r storage.Record) bool { return storage.Reserved(r.Key) })
	page.Unreadable = slices.DeleteFunc(page.Unreadable, func(u storage.Unreadable) bool { return storage.Reserved(u.Key) })
	return page, err
}

// scanConsistency reads lists as strongly as single sessions are read first.
func (s *Store) scanConsistency() storage.Consistency {
	if s.backend.Reads == lockstrategy.StrongReads {
		return storage.Strong
	}
	return storage.Eventual
}

// yieldPage passes on the live sessions of a page and reports whether the loop goes on.
func (s *Store) yieldPage(page storage.Page, yield func(Session, error) bool) bool {
	for _, unreadable := range page.Unreadable {
		if !s.isMiss(unreadable.Err) && !yield(Session{}, unreadable.Err) {
			return false
		}
	}
	now := s.backend.Now()
	for _, record := range page.Records {
		if record.Expired(now) {
			continue
		}
		token, data, err := s.vault.openAny(record)
		switch {
		case err == nil:
			record.Data = data
			if !yield(sessionOf(token, record), nil) {
				return false
			}
		case s.isMiss(err):
		case errors.Is(err, storage.ErrCorrupt):
			if !yield(Session{}, err) {
				return false
			}
		default:
			yield(Session{}, err)
			return false
		}
	}
	return true
}

func sessionOf(token string, record storage.Record) Session {
	return Session{
		Token: token, Data: record.Data,
		CreatedAt: record.CreatedAt, UpdatedAt: record.UpdatedAt, ExpiresAt: record.ExpiresAt,
	}
}
