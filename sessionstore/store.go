package sessionstore

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Store keeps the sessions of an [scs.SessionManager]. It is made by dynamostore.New and boltstore.Open, or by [New]
// over any driver. It is safe for concurrent use.
type Store struct {
	backend          lockstrategy.Backend
	strategy         lockstrategy.Strategy
	vault            *vault
	codec            scs.Codec
	readOnly         []func(*http.Request) bool
	touchInterval    time.Duration                // negative for the default
	observe          func(context.Context, Event) // nil where nobody observes
	warnUnscoped     func()
	warnLate         func()
	unreadableIsMiss bool
	pageSize         int
	owners           []ownerIndex
	details          func(*http.Request, map[string]any) map[string]string
	lifecycles       []func(context.Context, Lifecycle)
	listed           *atomic.Bool // whether All was ever called, as scs's Iterate does
}

var (
	_ scs.CtxStore         = (*Store)(nil)
	_ scs.IterableStore    = (*Store)(nil)
	_ scs.IterableCtxStore = (*Store)(nil)
)

// New returns a store over a driver. It makes no call and starts no goroutine. All that is wrong with the options is
// reported in one error.
func New(driver storage.Driver, options ...Option) (*Store, error) {
	c := config{
		strategy: lockstrategy.Merge(nil), codec: scs.GobCodec{}, now: time.Now, touchInterval: -1,
		logger: slog.Default(),
	}
	for _, option := range options {
		option(&c)
	}
	if err := c.validate(driver); err != nil {
		return nil, err
	}
	return &Store{
		backend:          c.backend(driver),
		strategy:         c.strategy,
		vault:            c.sealing.vault(driver, c.now),
		codec:            c.codec,
		readOnly:         c.readOnly,
		touchInterval:    c.touchInterval,
		warnUnscoped:     c.warnUnscoped(),
		warnLate:         c.warnLate(),
		observe:          c.observer(),
		unreadableIsMiss: c.unreadableIsMiss,
		pageSize:         c.pageSize,
		owners:           c.owners,
		details:          c.details,
		lifecycles:       c.lifecycles,
		listed:           new(atomic.Bool),
	}, nil
}

// FindCtx returns the data of the session. A token that is unknown, expired, empty, oversized or malformed is not
// found; the last three without a call to storage. Within a request scope it also remembers what it read, for the
// commit, and waits for the session where the lock strategy says so. Errors: [ErrLockTimeout], and the driver's. It
// implements [scs.CtxStore].
func (s *Store) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	if s.observe != nil {
		var done func(string, int, error)
		ctx, done = s.begin(ctx, opFind)
		defer func() { done(foundOutcome(found), len(data), err) }()
	}
	if !validToken(token) {
		return nil, false, nil
	}
	l := s.layerFrom(ctx)
	record, found, err := s.find(ctx, l, token)
	if err == nil && found {
		data, err = s.open(l, record, token)
	}
	if err != nil {
		if s.isMiss(err) {
			err = nil
		}
		return nil, false, err
	}
	if found && l != nil {
		l.read(token, data)
	}
	return data, found, nil
}

// open returns the data of a record. Where unreadable sessions are misses, that includes what the codec cannot decode.
func (s *Store) open(l *layer, record storage.Record, token string) ([]byte, error) {
	data, err := s.vault.open(record, token, s.codecOf(l))
	if err != nil || l == nil {
		return data, err
	}
	return s.decodable(l, data)
}

// decodable returns the data unless unreadable sessions are misses and the codec cannot decode it.
func (s *Store) decodable(l *layer, data []byte) ([]byte, error) {
	if !s.unreadableIsMiss {
		return data, nil
	}
	if _, _, err := l.codec().Decode(data); err != nil {
		return nil, &storage.CorruptError{Part: "data", Problem: "does not decode with the codec of the session manager"}
	}
	return data, nil
}

// request is what the strategy is told about a session of the scope.
func (s *Store) request(ctx context.Context, l *layer, e *scopedSession, mayLock bool) *lockstrategy.Request {
	return &lockstrategy.Request{
		Backend: &s.backend,
		Lock:    mayLock,
		Payload: payload{s.vault, l, e, new(storage.Record)},
		Done:    ctx.Done(),

		StaysEnded: len(s.owners) > 0,
		Cancel:     l.cancel,
		Notify:     s.notify(ctx),
	}
}

// newSession returns the session of a token that was not read by it.
func (s *Store) newSession(ctx context.Context, l *layer, e *scopedSession) lockstrategy.Session {
	record := e.record
	if record.Key == "" {
		record.Key = s.vault.keyOf(0, e.storedAs)
	}
	return s.strategy.New(s.request(ctx, l, e, false), record)
}

// Find is FindCtx without a context. It implements [scs.Store].
func (s *Store) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a context. It implements [scs.Store].
func (s *Store) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx without a context. It implements [scs.Store].
func (s *Store) Delete(token string) error {
	return s.DeleteCtx(context.Background(), token)
}

// Close closes the driver, where it holds something open. It may be called more than once.
func (s *Store) Close() error {
	if closer, ok := s.backend.Driver.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// find reads the session under the key of each secret in turn. Without a layer, it takes no part in a scope. The first
// read of a token in a scope opens the session there; later ones leave it alone, because what the request holds is what
// the first one returned.
func (s *Store) find(ctx context.Context, l *layer, token string) (record storage.Record, found bool, err error) {
	if l == nil {
		for key := range s.keysOf(token, &record) {
			if record, found, err = s.backend.Read(ctx, key); err != nil || found {
				break
			}
		}
		return record, found, err
	}
	e, opens, mayLock := l.open(token)
	switch {
	case e != nil && !opens && (e.ended || e.leaving != notReplaced):
		return storage.Record{}, false, nil
	case !opens:
		record, found, err = s.find(ctx, nil, token)
		return record, found && l.accepts(record), err
	}
	session, err := s.load(ctx, l, s.request(ctx, l, e, mayLock), token)
	if session == nil {
		l.opened(ctx, e, nil)
		return storage.Record{}, false, err
	}
	record, _ = session.Record()
	l.opened(ctx, e, session)
	return record, true, nil
}

// load returns the session of the token from the strategy, nil where there is none.
func (s *Store) load(
	ctx context.Context, l *layer, request *lockstrategy.Request, token string,
) (lockstrategy.Session, error) {
	var tombstone, record storage.Record
	for key := range s.keysOf(token, &record) {
		session, err := s.strategy.Load(ctx, request, key)
		if err != nil {
			return nil, err
		}
		var found bool
		record, found = session.Record()
		if found && !l.accepts(record) {
			l.release(ctx, session)
			return nil, nil
		}
		if found {
			return session, nil
		}
		if ended.Successor(record) != "" && l.accepts(record) {
			tombstone = record
		}
	}
	if tombstone.Key != "" && s.backend.Now().Sub(tombstone.CreatedAt) < renewalGrace {
		l.wasRenewed(tombstone)
	}
	return nil, nil
}

// maxMoves bounds how often a session is followed that others move from key to key while it is read.
const maxMoves = 8

// keysOf returns the keys under which to look for a session, in turn: that of each secret, and then the one of them
// that the last record says the session has moved to.
func (s *Store) keysOf(token string, last *storage.Record) iter.Seq[string] {
	return func(yield func(string) bool) {
		for key := range s.vault.keysOf(token) {
			if !yield(key) {
				return
			}
		}
		for range maxMoves {
			next := ended.Elsewhere(*last)
			if next == "" || !slices.Contains(slices.Collect(s.vault.keysOf(token)), next) || !yield(next) {
				return
			}
		}
	}
}

// isMiss reports whether err is to be taken for a session that is not there.
func (s *Store) isMiss(err error) bool {
	return errors.Is(err, errOver) || s.unreadableIsMiss && errors.Is(err, storage.ErrCorrupt)
}
