package sessionstore

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
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
	codec            scs.Codec
	readOnly         func(*http.Request) bool     // nil for none
	touchInterval    time.Duration                // negative for the default
	observe          func(context.Context, Event) // nil where nobody observes
	warnUnscoped     func()
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
	c := config{strategy: lockstrategy.Merge(), codec: scs.GobCodec{}, now: time.Now, touchInterval: -1, logger: slog.Default()}
	for _, option := range options {
		option(&c)
	}
	if err := c.validate(driver); err != nil {
		return nil, err
	}
	return &Store{
		backend:          c.backend(driver),
		strategy:         c.strategy,
		vault:            newVault(c.secrets),
		codec:            c.codec,
		readOnly:         c.readOnly,
		touchInterval:    c.touchInterval,
		warnUnscoped:     c.warnUnscoped(),
		observe:          c.observer(),
		unreadableIsMiss: c.unreadableIsMiss,
		pageSize:         c.pageSize,
	}, nil
}

// FindCtx returns the data of the session. A token that is unknown, expired, empty, oversized or malformed is not found;
// the last three without a call to storage. Within a request scope it also remembers what it read, for the commit, and
// waits for the session where the lock strategy says so. Errors: [ErrLockTimeout], and the driver's. It implements
// [scs.CtxStore].
func (s *Store) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	if s.observe != nil {
		var done func(Outcome, int, error)
		ctx, done = s.begin(ctx, OpFind)
		defer func() { done(foundOutcome(found), len(data), err) }()
	}
	if !validToken(token) {
		return nil, false, nil
	}
	record, found, keep, err := s.find(ctx, scopeFrom(ctx, s), token)
	if err == nil && found {
		data, err = s.vault.open(record, token)
	}
	keep(data)
	if err != nil {
		if s.isMiss(err) {
			err = nil
		}
		return nil, false, err
	}
	return data, found, nil
}

// CommitCtx stores the data of the session until expiry. In a request scope, what it may overwrite is decided by the lock
// strategy; outside of one it overwrites whatever there is. Where the values are those that the request has read, as with
// an idle timeout in every request that only reads, a scope moves the expiry and sends no data, and not even that within
// the touch interval (see [WithTouchInterval]): such requests never get into each other's way, and where the session was
// changed or ended meanwhile, nothing is written and that is no error. An expiry that has passed deletes the session.
// Errors: [ErrInvalidToken], [ErrSessionGone], [ErrScopeEnded], [ErrLockLost], [storage.ErrConflict], [storage.ErrTooLarge],
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
	scope := scopeFrom(ctx, s)
	if scope == nil {
		s.warnUnscoped()
		return s.overwrite(ctx, token, data, now, expiry)
	}
	key := s.vault.keyOf(0, token)
	session, err := scope.session(token, func() lockstrategy.Session {
		return s.strategy.New(s.request(ctx, scope, token, false), storage.Record{Key: key})
	})
	if err != nil {
		return err
	}
	if keyOf(session) == key && scope.unchanged(token, data) {
		if toucher, ok := session.(lockstrategy.Toucher); ok {
			return s.touch(ctx, scope, session, toucher, now, expiry)
		}
	}
	next, err := s.record(key, token, data, now, expiry)
	if err != nil {
		return err
	}
	if err := session.Commit(ctx, next); err != nil {
		return err
	}
	scope.forgetLoaded(token)
	return nil
}

// record returns what is to be stored.
func (s *Store) record(key, token string, data []byte, now, expiry time.Time) (storage.Record, error) {
	sealed, err := s.vault.seal(key, token, data)
	return storage.Record{Key: key, Data: sealed, UpdatedAt: now, ExpiresAt: expiry, Version: storage.NewVersion()}, err
}

// touch moves the expiry of a session that the request has not changed, unless it has moved a short while ago.
func (s *Store) touch(
	ctx context.Context, scope *scope, session lockstrategy.Session, toucher lockstrategy.Toucher, now, expiry time.Time,
) error {
	record, _ := session.Record()
	if moved := expiry.Sub(record.ExpiresAt).Abs(); moved == 0 || moved < s.touchIntervalOf(scope) {
		return nil
	}
	return toucher.Touch(ctx, storage.Change{ExpiresAt: expiry, UpdatedAt: now})
}

// maxTouchInterval bounds the default touch interval.
const maxTouchInterval = time.Minute

// touchIntervalOf returns by how much an expiry must move to be written.
func (s *Store) touchIntervalOf(scope *scope) time.Duration {
	if s.touchInterval >= 0 {
		return s.touchInterval
	}
	return min(scope.idle/10, maxTouchInterval)
}

// request is what the strategy is told about a session of the scope.
func (s *Store) request(ctx context.Context, scope *scope, token string, mayLock bool) *lockstrategy.Request {
	return &lockstrategy.Request{
		Backend: &s.backend,
		Lock:    mayLock,
		Payload: payload{s.vault, scope.codec, token},
		Cancel:  scope.cancel,
		Notify:  s.notify(ctx),
	}
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
// there; later ones leave it alone, because what the request holds is what the first one returned. keep must be called
// with the data of the session, nil where it cannot be read.
func (s *Store) find(
	ctx context.Context, scope *scope, token string,
) (record storage.Record, found bool, keep func(data []byte), err error) {
	var session lockstrategy.Session
	opens, mayLock := scope.open(token)
	keep = func([]byte) {}
	if opens {
		keep = func(data []byte) { scope.opened(ctx, token, session, data) }
	}
	var request *lockstrategy.Request
	if opens {
		request = s.request(ctx, scope, token, mayLock)
	}
	for key := range s.vault.keysOf(token) {
		if !opens {
			record, found, err = s.backend.Read(ctx, key)
		} else {
			var loaded lockstrategy.Session
			loaded, err = s.strategy.Load(ctx, request, key)
			if err == nil {
				if record, found = loaded.Record(); found {
					session = loaded
				}
			}
		}
		if err != nil || found {
			break
		}
	}
	return record, found, keep, err
}

// overwrite stores the data without knowing what it replaces.
func (s *Store) overwrite(ctx context.Context, token string, data []byte, now, expiry time.Time) error {
	next, err := s.record(s.vault.keyOf(0, token), token, data, now, expiry)
	if err != nil {
		return err
	}
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
	if cause := context.Cause(ctx); errors.Is(cause, ErrLockLost) || errors.Is(cause, ErrSessionGone) {
		ctx = context.WithoutCancel(ctx) // a request that has lost its lock may still log out
	}
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
