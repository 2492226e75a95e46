package sessionstore

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"

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
		var done func(string, int, error)
		ctx, done = s.begin(ctx, opLookup)
		defer func() { done(foundOutcome(found), len(session.Data), err) }()
	}
	if !validToken(token) {
		return Session{}, false, nil
	}
	record, found, err := s.find(ctx, nil, token)
	if err == nil && found {
		var data []byte
		if data, err = s.vault.open(record, token, s.codec); err == nil {
			return sessionOf(token, record, data), true, nil
		}
	}
	if s.isMiss(err) {
		err = nil
	}
	return Session{}, false, err
}

// StorageKey returns the key under which the session of a token is stored: with a secret a keyed hash of the token,
// which may be shown and logged, and without one the token itself, which may not.
func (s *Store) StorageKey(token string) string { return s.vault.keyOf(0, token) }

// Sessions returns all sessions that are not expired, in no particular order. It reads a page at a time, as the loop
// needs them, and holds no more than that: any number of sessions can be walked over. Sessions that are committed or
// deleted meanwhile may be missing; all others are there.
//
// Sessions that were sealed for another application (see [WithSecretContext]) are not among them. Any other session
// that cannot be read is an error beside an empty Session, and the loop may go on behind it; see
// [WithUnreadableAsMiss]. Without a secret, that includes data that looks sealed and does not decode: tell the store of
// a codec of your own by [WithCodec]. Any other error ends the sequence. On DynamoDB this scans the whole table and is
// billed so.
func (s *Store) Sessions(ctx context.Context) iter.Seq2[Session, error] {
	return func(yield func(Session, error) bool) {
		s.walk(ctx, func(session Session, _ storage.Record, err error) bool { return yield(session, err) })
	}
}

// AllCtx returns the data of all sessions that are not expired, by token. It holds them all in memory: [Store.Sessions]
// does not. In a request scope, the request may then commit each of them, as a handler does within scs's Iterate, under
// the condition that nobody has changed it since; in one of LoadAndSave, those of another session manager are left out.
// It implements [scs.IterableCtxStore].
func (s *Store) AllCtx(ctx context.Context) (all map[string][]byte, err error) {
	s.listed.Store(true)
	all = map[string][]byte{}
	l := s.layerFrom(ctx)
	s.walk(ctx, func(session Session, record storage.Record, sessionErr error) bool {
		if sessionErr == nil && l != nil {
			if l.isLeaving(session.Token) || !l.accepts(record) {
				return true
			}
			session.Data, sessionErr = s.decodable(l, session.Data)
			if s.isMiss(sessionErr) {
				return true
			}
		}
		if err = sessionErr; err != nil {
			return false
		}
		all[session.Token] = session.Data
		if l != nil {
			l.list(session.Token, record, session.Data)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// All is AllCtx without a context. It implements [scs.IterableStore].
func (s *Store) All() (map[string][]byte, error) { return s.AllCtx(context.Background()) }

// visit is called with each session and its record, or with an error, and says whether the walk goes on.
type visit func(Session, storage.Record, error) bool

// walk visits all live sessions.
func (s *Store) walk(ctx context.Context, visit visit) {
	request := storage.ScanRequest{Limit: s.pageSize, Consistency: s.scanConsistency()}
	codec := s.codecOf(s.layerFrom(ctx))
	for {
		page, err := s.page(ctx, request)
		if err != nil {
			visit(Session{}, storage.Record{}, err)
			return
		}
		if !s.visitPage(ctx, page, codec, visit) || page.Next == "" {
			return
		}
		request.Start = page.Next
	}
}

// page reads one page. Records that are no sessions are not on it.
func (s *Store) page(ctx context.Context, request storage.ScanRequest) (page storage.Page, err error) {
	if s.observe != nil {
		var done func(string, int, error)
		ctx, done = s.begin(ctx, opList)
		defer func() {
			size := 0
			for _, record := range page.Records {
				size += len(record.Data)
			}
			done(outcomeOK, size, err)
		}()
	}
	page, err = s.backend.Driver.Scan(ctx, request)
	page.Records = slices.DeleteFunc(page.Records, func(r storage.Record) bool { return storage.Reserved(r.Key) })
	page.Unreadable = slices.DeleteFunc(page.Unreadable,
		func(u storage.Unreadable) bool { return storage.Reserved(u.Key) })
	return page, err
}

// scanConsistency reads lists as strongly as single sessions are read first.
func (s *Store) scanConsistency() storage.Consistency {
	if s.backend.Reads == lockstrategy.StrongReads {
		return storage.Strong
	}
	return storage.Eventual
}

// visitPage visits the live sessions of a page, and reports whether the walk goes on.
func (s *Store) visitPage(ctx context.Context, page storage.Page, codec scs.Codec, visit visit) bool {
	for _, unreadable := range page.Unreadable {
		if !s.isMiss(unreadable.Err) && !visit(Session{}, storage.Record{}, unreadable.Err) {
			return false
		}
	}
	for _, record := range page.Records {
		record, live, err := s.backend.Settled(ctx, record)
		switch {
		case err != nil:
			visit(Session{}, storage.Record{}, err)
			return false
		case !live:
			continue
		}
		token, data, err := s.vault.openAny(record, codec)
		switch {
		case err == nil:
			if !visit(sessionOf(token, record, data), record, nil) {
				return false
			}
		case s.isMiss(err), errors.Is(err, errAnotherApplication):
		case !visit(Session{}, storage.Record{}, err):
			return false
		}
	}
	return true
}

func sessionOf(token string, record storage.Record, data []byte) Session {
	return Session{
		Token: token, Data: data,
		CreatedAt: record.CreatedAt, UpdatedAt: record.UpdatedAt, ExpiresAt: record.ExpiresAt,
	}
}
