package sessionstore

import (
	"context"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// saveTimeout bounds how long what a request has done is still being stored after its context has ended: the client has
// gone away, its time is up, or the server stops.
const saveTimeout = 5 * time.Second

// renewalGrace is how long after a renewal a request with the old token begins no session of its own: see
// [ErrTokenRenewed].
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

// DeleteCtx ends the session, at once and whoever else uses it. That there is none is no error. It implements
// [scs.CtxStore].
//
// In a request scope, a delete goes on although ctx has ended, for 5 seconds at the most: nobody who logs out stays
// logged in because of a lost connection. The delete with which RenewToken and MergeSession begin is put off to the
// next commit of the session manager, which replaces the session. Where there is none, as after a panic, the session is
// as it was. Where several sessions of one scope are renewed, each must be committed before the next one is renewed.
//
// What has ended leaves a tombstone, so that a create of the session that arrives late does not bring it back.
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
	if l == nil {
		if err := s.checkShown(ctx, token); err != nil {
			return err
		}
		return s.deleteUnseen(ctx, token)
	}
	by := callerOf()
	if by.replaces != notReplaced && l.leave(token, by,
		func(e *scopedSession) lockstrategy.Session { return s.newSession(ctx, l, e) }) {
		return nil
	}
	ctx, cancel := outlive(ctx)
	defer cancel()
	return s.delete(ctx, l, token, by)
}

// delete ends a session in a scope. A Destroy of the request's own session ends also what was merged into it, and where
// it comes after a RenewToken, the session that has its old token still.
func (s *Store) delete(ctx context.Context, l *layer, token string, by caller) error {
	var e *scopedSession
	var err error
	var unread, over bool
	l.update(func() {
		switch e = l.get(token); {
		case e == nil && by.destroys:
			e, err = l.renewingBy(by)
		case e != nil && e.leaving == renewed && !by.destroys:
			e.condemned, over = true, true // the next commit ends it
		}
		unread = e == nil || e.session == nil && e.record.Key == ""
		over = over || e != nil && e.ended
	})
	switch {
	case err != nil:
		return err
	case unread:
		if err := s.deleteUnseen(ctx, token); err != nil {
			return err
		}
	case !over:
		if err := s.end(ctx, l, e, byLogout); err != nil {
			return err
		}
		l.update(func() { e.leaving = notReplaced })
	}
	if !by.destroys || by.iterates {
		return nil
	}
	for _, other := range l.takeMerged() {
		if err := s.end(ctx, l, other, byLogout); err != nil {
			l.update(func() { other.leaving, other.ended = merged, false })
			return errors.Join(err, storage.ErrOutcomeUnknown) // the session itself has ended
		}
	}
	return nil
}

// endCondemned ends the sessions that the application has deleted after it had renewed them, and then did not commit.
func (s *Store) endCondemned(ctx context.Context, l *layer) {
	for _, e := range l.condemned() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		_ = s.end(ctx, l, e, byLogout) // the delete was to come with a commit, of which there is none to tell of it
		cancel()
	}
}

// end ends a session of the scope, under the key of each secret. With several, all keys get a tombstone: another
// request may be moving the session from one to another, in whichever order its process has the secrets.
func (s *Store) end(ctx context.Context, l *layer, e *scopedSession, reason string) error {
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
	if found {
		s.tellEnd(ctx, l, e, reason)
	}
	return nil
}

// deleteUnseen ends a session of which nothing is known. With several secrets, the first keys are asked twice: the
// session may have moved to one of them from the last.
func (s *Store) deleteUnseen(ctx context.Context, token string) error {
	n, wrote := s.vault.generations(), false
	for i := range 2*n - 1 {
		ends, err := s.deleteKey(ctx, s.vault.keyOf(i%n, token))
		if err != nil && wrote { // it may have ended under an earlier key
			err = errors.Join(err, storage.ErrOutcomeUnknown)
		}
		if err != nil {
			return err
		}
		if ends && !wrote && len(s.lifecycles) > 0 {
			s.tell(ctx, Lifecycle{Change: hasEnded, Reason: byLogout, Session: fingerprint.Of(s.vault.keyOf(i%n, token))})
		}
		wrote = wrote || ends
	}
	return nil
}

// deleteKey ends what is under a key, and leaves a tombstone in its place: the write that has made it may arrive once
// more. ends is whether there was something. What has ended stays ended, and so does what it says of a successor.
func (s *Store) deleteKey(ctx context.Context, key string) (ends bool, _ error) {
	record, found, err := s.backend.Driver.Get(ctx, key, storage.Strong)
	switch {
	case errors.Is(err, storage.ErrCorrupt), err == nil && found && record.Expired(s.backend.Now()):
		return true, s.backend.Driver.Delete(ctx, key, storage.Always())
	case err != nil || !found || record.Ended() && !ended.Arriving(record) && ended.Destination(record) == "":
		return false, err
	default:
		return true, s.backend.Delete(ctx, record)
	}
}

// endSuccessor ends the session that has replaced the one which the manager has asked for, as where a user logs out
// while another request of his renews the session.
func (s *Store) endSuccessor(ctx context.Context, l *layer) error {
	tombstone, found := l.renewal()
	if !found {
		return nil
	}
	return s.backend.Delete(ctx, tombstone)
}
