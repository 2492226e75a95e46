package sessionstore

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Store keeps the sessions of an [scs.SessionManager]. It is made by dynamostore.New and boltstore.Open, or by [New] over
// any driver. It is safe for concurrent use.
type Store struct {
	backend          lockstrategy.Backend
	strategy         lockstrategy.Strategy
	vault            vault
	observe          func(context.Context, Event) // nil where nobody observes
	unreadableIsMiss bool
	pageSize         int
}

var (
	_ scs.CtxStore         = (*Store)(nil)
	_ scs.IterableStore    = (*Store)(nil)
	_ scs.IterableCtxStore = (*Store)(nil)
)

// New returns a store over a driver. It makes no call and starts no goroutine. All that is wrong with the options is
// reported in one error.
func New(driver storage.Driver, options ...Option) (*Store, error) {
	c := config{strategy: lockstrategy.Optimistic(), now: time.Now}
	for _, option := range options {
		option(&c)
	}
	if err := c.validate(driver); err != nil {
		return nil, err
	}
	return &Store{
		backend:          lockstrategy.Backend{Driver: driver, Reads: c.reads, Now: c.now},
		strategy:         c.strategy,
		vault:            newVault(c.secrets),
		observe:          c.observer(),
		unreadableIsMiss: c.unreadableIsMiss,
		pageSize:         c.pageSize,
	}, nil
}

// FindCtx returns the data of the session. A token that is unknown, expired, empty, oversized or malformed is not found;
// the last three without a call to storage. Within a request scope it also remembers what it read, for the commit.
// It implements [scs.CtxStore].
func (s *Store) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	if s.observe != nil {
		var done func(Outcome, int, error)
		ctx, done = s.begin(ctx, OpFind)
		defer func() { done(foundOutcome(found), len(data), err) }()
	}
	if !validToken(token) {
		return nil, false, nil
	}
	scope := scopeFrom(ctx, s)
	opens := scope.opens(token)
	record, found, err := s.find(ctx, scope, token)
	if err == nil && found {
		data, err = s.vault.open(record, token)
	}
	if err != nil {
		if s.isMiss(err) {
			err = nil
		}
		return nil, false, err
	}
	if found && opens {
		scope.keepLoaded(token, data)
	}
	return data, found, nil
}

// CommitCtx stores the data of the session until expiry. In a request scope, what it may overwrite is decided by the lock
// strategy; outside of one it overwrites whatever there is. Where the values are those that the request has read, as with
// an idle timeout in every request that only reads, a scope moves the expiry and sends no data: such requests never get
// into each other's way, and where the session was changed or ended meanwhile, nothing is written and that is no error. An
// expiry that has passed deletes the session. Errors:
// [ErrInvalidToken], [ErrSessionGone], [ErrScopeEnded], [storage.ErrConflict], [storage.ErrTooLarge],
// [storage.ErrOutcomeUnknown], and the driver's. What was stored before is then intact. It implements [scs.CtxStore].
func (s *Store) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) (err error) {
	if s.observe != nil {
		var done func(Outcome, int, error)
		ctx, done = s.begin(ctx, OpCommit)
		defer func() { done(OutcomeOK, len(data), err) }()
	}
	if !validToken(token) {
		return ErrInvalidToken
	}
	now := s.backend.Now()
	expiry = expiry.Round(0) // what is stored has no monotonic reading; neither may what is compared with it
	if !now.Before(expiry) {
		return s.delete(ctx, token)
	}
	key := s.vault.keyOf(0, token)
	sealed, err := s.vault.seal(key, token, data)
	if err != nil {
		return err
	}
	next := storage.Record{Key: key, Data: sealed, UpdatedAt: now, ExpiresAt: expiry, Version: storage.NewVersion()}
	scope := scopeFrom(ctx, s)
	if scope == nil {
		return s.overwrite(ctx, token, next)
	}
	session, err := scope.session(token, func() lockstrategy.Session { return s.strategy.New(&s.backend, key) })
	if err != nil {
		return err
	}
	if scope.unchanged(token, data) {
		return session.Touch(ctx, next)
	}
	if err := session.Commit(ctx, next); err != nil {
		return err
	}
	scope.forgetLoaded(token)
	return nil
}

// DeleteCtx removes the session, at once and whoever else uses it. That there is none is no error. It implements
// [scs.CtxStore].
func (s *Store) DeleteCtx(ctx context.Context, token string) (err error) {
	if s.observe != nil {
		var done func(Outcome, int, error)
		ctx, done = s.begin(ctx, OpDelete)
		defer func() { done(OutcomeOK, 0, err) }()
	}
	if !validToken(token) {
		return nil
	}
	return s.delete(ctx, token)
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

// find reads the session under the key of each secret in turn. The first read of a token in a scope opens the session
// there; later ones leave it alone, because what the request holds is what the first one returned.
func (s *Store) find(ctx context.Context, scope *scope, token string) (storage.Record, bool, error) {
	unscoped := !scope.opens(token)
	for i := range s.vault.generations() {
		key := s.vault.keyOf(i, token)
		if unscoped {
			record, found, err := s.backend.Read(ctx, key)
			if err != nil || found {
				return record, found, err
			}
			continue
		}
		session, err := s.strategy.Load(ctx, &s.backend, key)
		if err != nil {
			return storage.Record{}, false, err
		}
		if record, found := session.Record(); found {
			scope.add(ctx, token, session)
			return record, true, nil
		}
	}
	return storage.Record{}, false, nil
}

// overwrite stores the record without knowing what it replaces.
func (s *Store) overwrite(ctx context.Context, token string, next storage.Record) error {
	if err := s.backend.Driver.Put(ctx, next, storage.Always()); err != nil {
		return err
	}
	return s.deleteFrom(ctx, token, 1)
}

// delete removes the session under the key of each secret.
func (s *Store) delete(ctx context.Context, token string) error { return s.deleteFrom(ctx, token, 0) }

// deleteFrom removes the session under the keys of the secrets from the newest one given. Oldest first: a commit that
// moves the session from an old key to the current one at the same time then either finds it gone from the old key, or
// has stored it under the current one before that is deleted.
func (s *Store) deleteFrom(ctx context.Context, token string, newest int) error {
	session := scopeFrom(ctx, s).find(token)
	for i := s.vault.generations() - 1; i >= newest; i-- {
		key := s.vault.keyOf(i, token)
		var err error
		if session != nil && keyOf(session) == key {
			err = session.Delete(ctx)
		} else {
			err = s.backend.Driver.Delete(ctx, key, storage.Always())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func keyOf(session lockstrategy.Session) string {
	record, _ := session.Record()
	return record.Key
}

// isMiss reports whether err is to be taken for a session that is not there.
func (s *Store) isMiss(err error) bool {
	return s.unreadableIsMiss && errors.Is(err, storage.ErrCorrupt)
}
