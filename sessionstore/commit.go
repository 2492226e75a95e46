package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/mark"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// CommitCtx stores the data of the session until expiry. In a request scope, what it may overwrite is decided by the
// lock strategy; outside of one it overwrites whatever there is, but for a session with an owner that has ended (see
// [WithOwner]). Where the values are those that the request has read,
// as with an idle timeout in every request that only reads, a scope moves the expiry and sends no data, and not even
// that within the touch interval (see [WithTouchInterval]): such requests never get into each other's way, and where
// the session was changed or ended meanwhile, nothing is written and that is no error.
//
// In a scope, an expiry that has passed ends the session under the same condition as a commit, and a change of a
// session that has ended is [ErrSessionGone]; outside of one, it deletes the session. The first commit after a
// RenewToken puts the session under its new token and ends the old one, in one step: where it fails, the old one is as
// it was.
//
// What could not be found out about a commit stays unknown for the rest of the request, until a commit succeeds.
// Errors: [ErrInvalidToken], [ErrSessionGone], [ErrScopeEnded], [ErrLockLost], [storage.ErrConflict],
// [storage.ErrTooLarge], [storage.ErrOutcomeUnknown], and the driver's. But for ErrOutcomeUnknown, what was stored
// before is then intact. It implements [scs.CtxStore].
func (s *Store) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) (err error) {
	if s.observe != nil {
		var done func(string, int, error)
		ctx, done = s.begin(ctx, opCommit)
		defer func() { done(outcomeOK, len(data), err) }()
	}
	if !validToken(token) {
		return ErrInvalidToken
	}
	next := storage.Record{
		UpdatedAt: s.backend.Now(),
		ExpiresAt: expiry.Round(0), // what is stored has no monotonic reading; neither may what is compared with it
	}
	if l := s.layerFrom(ctx); l != nil {
		return s.commit(ctx, l, token, data, next)
	}
	s.warnUnscoped()
	if err := s.checkShown(ctx, token); err != nil {
		return err
	}
	return s.overwrite(ctx, token, data, next)
}

// overwrite stores the data without knowing what it replaces.
func (s *Store) overwrite(ctx context.Context, token string, data []byte, next storage.Record) (err error) {
	next.Key = s.vault.keyOf(0, token)
	claim := claim{store: s, next: next, data: data, codec: s.codec}
	if _, err := claim.read(""); err != nil {
		return err
	}
	if claim.next.Ended() {
		return s.deleteUnseen(ctx, token)
	}
	if len(claim.owners) > 0 {
		err = s.overwriteOwned(ctx, &claim, token)
	} else if claim.next.Data, err = s.seal(nil, claim.next, token, data, time.Time{}); err == nil {
		err = s.backend.Driver.Put(ctx, claim.next, storage.Always())
	}
	if err != nil {
		return err
	}
	for i := 1; i < s.vault.generations(); i++ {
		if err := s.backend.Driver.Delete(ctx, s.vault.keyOf(i, token), storage.Always()); err != nil {
			return errors.Join(err, storage.ErrOutcomeUnknown) // it is stored, and may be there twice
		}
	}
	return nil
}

// overwriteOwned stores the data in place of whatever there is, but for what has ended: whoever has ended all sessions
// of an owner does not know of this commit.
func (s *Store) overwriteOwned(ctx context.Context, claim *claim, token string) error {
	for try := 1; ; try++ {
		now := s.backend.Now()
		before, found, err := s.backend.Driver.Get(ctx, claim.next.Key, storage.Strong)
		if err != nil && !errors.Is(err, storage.ErrCorrupt) {
			return err
		}
		condition := storage.IfAbsent(now)
		switch {
		case err != nil:
			condition = storage.Always()
		case found && !before.Expired(now) && before.Ended():
			return ErrSessionGone
		case found && !before.Expired(now):
			condition, claim.before = storage.IfVersion(before.Version, now), before
		case s.vault.generations() > 1:
			if claim.before, _, err = s.find(ctx, nil, token); err != nil {
				return err
			}
		}
		claim.had, _ = s.vault.open(claim.before, token, s.codec) // What does not open has no owner.
		if err := claim.make(ctx); err != nil {
			return err
		}
		if claim.next.Data, err = s.seal(nil, claim.next, token, claim.data, time.Time{}); err != nil {
			return err
		}
		err = s.backend.Driver.Put(ctx, claim.next, condition)
		if errors.Is(err, storage.ErrConflict) && !errors.Is(err, storage.ErrOutcomeUnknown) && try < overwriteTries {
			continue
		}
		claim.settle(ctx, err)
		return err
	}
}

// overwriteTries is how often others may store a session while it is being overwritten.
const overwriteTries = 16

// commit stores the data in a scope.
func (s *Store) commit(ctx context.Context, l *layer, token string, data []byte, next storage.Record) (err error) {
	e, err := l.enter(token, func(e *scopedSession) lockstrategy.Session { return s.newSession(ctx, l, e) })
	if err != nil {
		return err
	}
	l = l.of(e)
	_, token = l.tokensOf(e)
	next.Key = s.vault.keyOf(0, token)
	before, found := e.session.Record()
	var had []byte
	var changed, renews bool
	l.update(func() { had, changed, renews = e.data, e.changed, e.renewing })
	claim := claim{
		store: s, before: before, next: next, had: had, data: data, codec: l.codec(), scope: l.scope,
		request: l.request,
	}
	if e.record.Key != "" { // it was iterated over: the request is that of somebody else
		claim.request = nil
	}
	marked, err := claim.read(l.managerMark(before))
	if err != nil {
		return err
	}
	l.update(func() { e.mark, e.owners = marked, claim.owners })
	next = claim.next
	unchanged := l.unchanged(e, data)
	if !found {
		if done, err := l.missing(e, next, unchanged); done {
			return err
		}
	}
	switch {
	case unchanged && before.Key == next.Key && (!found || claim.isMarked()):
		err = s.touch(ctx, l, e, before, next)
	case unchanged:
		err = s.quietly(l, e, claim.commit(ctx, l, e, func(next storage.Record) error {
			return s.move(ctx, l, e, token, data, next)
		}))
	default:
		err = claim.commit(ctx, l, e, func(next storage.Record) error {
			return s.store(ctx, l, e, token, data, next)
		})
	}
	if err != nil {
		return err
	}
	if e.record.Key == "" { // into one that was iterated over nothing is merged
		err = s.endMerged(ctx, l, next.Key)
	}
	switch {
	case errors.Is(err, storage.ErrOutcomeUnknown):
		return err
	case err == nil:
		claim.settle(ctx, nil)
		s.tellCommit(ctx, l, e, &claim, found, renews)
		return nil
	}
	if !s.takeBack(ctx, l, e, &claim, found) {
		return errors.Join(err, storage.ErrOutcomeUnknown)
	}
	claim.settle(ctx, err)
	if before.Key == next.Key {
		l.update(func() { e.changed = changed })
	}
	return err
}

// quietly takes a commit that has changed nothing, and was refused because of its owners, for one that had nothing to
// write: its request only reads.
func (s *Store) quietly(l *layer, e *scopedSession, err error) error {
	if errors.Is(err, storage.ErrOutcomeUnknown) || !errors.Is(err, ErrOwnerEnded) && !errors.Is(err, ErrOwnerLimit) {
		return err
	}
	l.update(func() { e.quiet, e.gone = true, errors.Is(err, ErrOwnerEnded) })
	return nil
}

// missing says what becomes of a commit of a session that was not found, or that the request has ended. done is whether
// there is nothing to write.
func (l *layer) missing(e *scopedSession, next storage.Record, unchanged bool) (done bool, _ error) {
	_, renewed := l.renewal()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case unchanged && e.unknown:
		return true, storage.ErrOutcomeUnknown
	case unchanged: // its cookie may only say that it has ended
		e.gone = !next.Ended()
		return true, nil
	case e.unknown: // it may be there
		return false, nil
	case renewed:
		return true, ErrTokenRenewed
	case next.ExpiresAt.Before(l.began) && !e.changed: // it was meant to end, and there is nothing that could
		return true, nil
	case next.Ended():
		return true, ErrSessionGone
	default:
		return false, nil
	}
}

// unchanged reports whether data holds what is stored of the session, under its token.
func (l *layer) unchanged(e *scopedSession, data []byte) bool {
	l.mu.Lock()
	stored, renewing := e.data, e.renewing
	e.deadline = time.Time{}
	l.mu.Unlock()
	if stored == nil || renewing {
		return false
	}
	// Without an idle timeout scs commits only what was changed; then it is not worth decoding what differs in length.
	if l.idle() == 0 && len(stored) != len(data) {
		return false
	}
	noting := &notingCodec{Codec: l.codec()}
	same := sameValues(noting, stored, data)
	l.update(func() { e.deadline = noting.deadline })
	return same
}

// store writes the data in place of the session, as the strategy allows.
func (s *Store) store(
	ctx context.Context, l *layer, e *scopedSession, token string, data []byte, next storage.Record,
) (err error) {
	commit := e.session.Commit
	var deadline time.Time
	l.update(func() {
		deadline = e.deadline
		if e.renewing {
			commit = e.session.Renew
		}
	})
	if next.Data, err = s.seal(l, next, token, data, deadline); err != nil {
		return err
	}
	err = commit(ctx, next)
	if errors.Is(err, ErrSessionGone) && s.vault.generations() > 1 && !errors.Is(err, storage.ErrOutcomeUnknown) {
		stored, _ := l.tokensOf(e)
		if _, found, readErr := s.find(ctx, nil, stored); readErr == nil && found {
			err = errMoved
		}
	}
	l.update(func() {
		switch {
		case err == nil:
			e.data, e.storedAs = append([]byte{}, data...), token
			e.unknown, e.changed, e.gone, e.renewing = false, true, false, false
		case errors.Is(err, storage.ErrOutcomeUnknown):
			e.data, e.unknown = nil, true
		case e.unknown:
			err = errors.Join(err, storage.ErrOutcomeUnknown)
		}
	})
	return err
}

// move stores a session that the request has not changed under the key of the current secret, unless another request
// has changed, moved or ended it.
func (s *Store) move(
	ctx context.Context, l *layer, e *scopedSession, token string, data []byte, next storage.Record,
) error {
	err := s.store(ctx, l, e, token, data, next)
	if !errors.Is(err, storage.ErrConflict) && !errors.Is(err, ErrSessionGone) ||
		errors.Is(err, storage.ErrOutcomeUnknown) {
		return err
	}
	l.update(func() { e.quiet, e.gone = true, errors.Is(err, ErrSessionGone) })
	return nil
}

// errMoved says that another request has moved the session to the key of another secret.
var errMoved = fmt.Errorf("another request moved the session to another secret while this one was running: %w",
	storage.ErrConflict)

// touch moves the expiry of a session that the request has not changed, unless it has moved a short while ago. Without
// an idle timeout there is nothing to move: the handler has put what was there, and expects the cookie, so the session
// is looked for.
func (s *Store) touch(
	ctx context.Context, l *layer, e *scopedSession, before, next storage.Record,
) (err error) {
	found := true
	moved := next.ExpiresAt.Sub(before.ExpiresAt).Abs()
	writes := moved != 0 && moved >= s.touchIntervalOf(l) && !next.Ended()
	switch {
	case writes:
		err = e.session.Touch(ctx, storage.Change{ExpiresAt: next.ExpiresAt, UpdatedAt: next.UpdatedAt})
	case l.idle() == 0 && !next.Ended():
		_, found, err = s.backend.Read(ctx, before.Key)
	}
	gone := errors.Is(err, ErrSessionGone) || err == nil && !found
	l.update(func() {
		e.quiet, e.gone = !writes && l.idle() > 0, gone
		if err != nil && e.unknown {
			err = errors.Join(err, storage.ErrOutcomeUnknown)
		}
	})
	if gone {
		return nil
	}
	return err
}

// maxTouchInterval bounds the default touch interval.
const maxTouchInterval = time.Minute

// touchIntervalOf returns by how much an expiry must move to be written.
func (s *Store) touchIntervalOf(l *layer) time.Duration {
	if s.touchInterval >= 0 {
		return s.touchInterval
	}
	return min(l.idle()/10, maxTouchInterval)
}

// endMerged ends the sessions that scs has merged into the one that was just committed. Where one of them has changed
// or ended since it was read, all are as they were, or the error matches storage.ErrOutcomeUnknown.
func (s *Store) endMerged(ctx context.Context, l *layer, successor string) error {
	all := l.takeMerged()
	for i, other := range all {
		record, _ := other.session.Record()
		_, err := s.backend.End(ctx, record, ended.MergedInto(successor),
			storage.IfVersion(record.Version, s.backend.Now()))
		if err == nil {
			continue
		}
		for _, before := range all[:i] {
			err = errors.Join(err, s.restore(ctx, before, successor))
		}
		l.update(func() {
			for _, other := range all {
				other.ended, other.leaving = false, merged
			}
		})
		return err
	}
	for _, other := range all {
		s.tellEnd(ctx, l, other, byMerge)
	}
	return nil
}

// restore brings back a session that this request has merged and ended, if what it has left is there still.
func (s *Store) restore(ctx context.Context, other *scopedSession, successor string) error {
	record, _ := other.session.Record()
	tombstone, found, err := s.backend.Driver.Get(ctx, record.Key, storage.Strong)
	if err == nil && found && ended.Successor(tombstone) == successor {
		record.UpdatedAt, record.Version, record.Lease = s.backend.Now(), mark.NewVersion(mark.Of(record)), storage.Lease{}
		err = s.backend.Driver.Put(ctx, record, storage.IfVersion(tombstone.Version, record.UpdatedAt))
	}
	if err != nil {
		return errors.Join(err, storage.ErrOutcomeUnknown) // it has ended, and the rest of the commit is refused
	}
	return nil
}

// takeBack restores what was stored before a commit, and reports whether that is so: under the token that the session
// has now, if it was renewed. had is its data, nil where that is not known.
func (s *Store) takeBack(ctx context.Context, l *layer, e *scopedSession, made *claim, found bool) bool {
	l.update(func() { e.data, e.gone = nil, !found })
	if !found {
		return e.session.Delete(ctx) == nil
	}
	now, _ := e.session.Record()
	back := *made
	back.before, back.next, back.had, back.data = now, made.before, made.data, made.had
	back.next.UpdatedAt, back.next.Key, back.request = s.backend.Now(), now.Key, nil
	if back.data == nil { // it is not known what it had, and so not to whom it belongs
		if now.Key != made.before.Key {
			return false
		}
		back.next.Version = mark.NewVersion(mark.Of(made.before))
		return e.session.Commit(ctx, back.next) == nil
	}
	marked, err := back.read(managerMarkOf(made.before))
	if err != nil {
		return false
	}
	l.update(func() { e.mark, e.owners = marked, back.owners })
	if back.next.Data, err = s.seal(l, back.next, e.storedAs, back.data, time.Time{}); err != nil {
		return false
	}
	if back.commit(ctx, l, e, func(next storage.Record) error { return e.session.Commit(ctx, next) }) != nil {
		return false
	}
	l.update(func() { e.data = back.data })
	return true
}
