package sessionstore

import (
	"context"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// saveTimeout bounds how long what a request has done is still being stored after its context has ended: the client has
// gone away, its time is up, or the server stops.
const saveTimeout = 5 * time.Second

// renewalGrace is how long after a renewal a request with the old token begins no session of its own: see [ErrTokenRenewed].
const renewalGrace = 10 * time.Second

// outlive returns a context that ends saveTimeout later than ctx.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(saveTimeout, cancel)
		context.AfterFunc(longer, func() { timer.Stop() })
	})
	return longer, func() {
		stop()
		cancel()
	}
}

// DeleteCtx ends the session, at once and whoever else uses it. That there is none is no error. It implements [scs.CtxStore].
//
// In a request scope, a delete goes on although ctx has ended, for 5 seconds at the most: nobody who logs out stays logged
// in because of a lost connection. The delete with which RenewToken and MergeSession begin is put off to the next commit of the session
// manager, which replaces the session. Where there is none, as after a panic, the session is as it was.
func (s *Store) DeleteCtx(ctx context.Context, token string) (err error) {
	if s.observe != nil {
		var done func(string, int, error)
		ctx, done = s.begin(ctx, opDelete)
		defer func() { done(outcomeOK, 0, err) }()
	}
	if !validToken(token) {
		return nil
	}
	l := s.layerFrom(ctx)
	if l != nil {
		if how := callersReplacement(); how != notReplaced && l.leave(token, how) {
			return nil
		}
	}
	if l == nil {
		if err := s.checkShown(ctx, token); err != nil {
			return err
		}
		return s.deleteUnseen(ctx, token)
	}
	ctx, cancel := outlive(ctx)
	defer cancel()
	return s.delete(ctx, l, token)
}

// delete ends a session in a scope, and with it one that it was to replace.
func (s *Store) delete(ctx context.Context, l *layer, token string) error {
	for _, e := range l.take(renewed) {
		if err := s.end(ctx, l, e); err != nil {
			l.update(func() { e.leaving, e.ended = renewed, false })
			return err
		}
	}
	switch e := l.find(token); {
	case e == nil || e.session == nil && e.record.Key == "":
		return s.deleteUnseen(ctx, token)
	case e.ended:
		return nil
	default:
		return s.end(ctx, l, e)
	}
}

// end ends a session of the scope, under the key of each secret. With several, all keys get a tombstone: another request may
// be moving the session from one to another, in whichever order its process has the secrets.
func (s *Store) end(ctx context.Context, l *layer, e *scopedSession) error {
	l.update(func() {
		if e.session == nil {
			e.session = s.newSession(ctx, l, e)
		}
	})
	record, found := e.session.Record()
	if err := e.session.Delete(ctx); err != nil {
		l.update(func() { e.unknown = e.unknown || errors.Is(err, storage.ErrOutcomeUnknown) })
		return err
	}
	for i := range s.vault.generations() {
		key := s.vault.keyOf(i, e.storedAs)
		if key == record.Key {
			continue
		}
		var err error
		if found {
			err = s.backend.Delete(ctx, storage.Record{Key: key, CreatedAt: record.CreatedAt})
		} else {
			err = s.backend.Driver.Delete(ctx, key, storage.Always())
		}
		if err != nil { // the session has ended, but may have been moved here before
			l.update(func() { e.unknown = true })
			return errors.Join(err, storage.ErrOutcomeUnknown)
		}
	}
	l.update(func() { e.ended, e.changed = true, true })
	return nil
}

// deleteUnseen removes a session of which nothing is known. With several secrets, the first keys are asked twice: the session
// may have moved to one of them from the last.
func (s *Store) deleteUnseen(ctx context.Context, token string) error {
	n := s.vault.generations()
	for i := range 2*n - 1 {
		err := s.backend.Driver.Delete(ctx, s.vault.keyOf(i%n, token), storage.Always())
		switch {
		case err == nil:
		case i == 0:
			return err
		default: // it may have ended under an earlier key
			return errors.Join(err, storage.ErrOutcomeUnknown)
		}
	}
	return nil
}

// endSuccessor ends the session that has replaced the one which the manager has asked for, as where a user logs out while
// another request of his renews the session.
func (s *Store) endSuccessor(ctx context.Context, l *layer) error {
	tombstone, found := l.renewal()
	if !found {
		return nil
	}
	return s.backend.Delete(ctx, tombstone)
}
