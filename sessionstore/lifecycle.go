package sessionstore

import (
	"context"

	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
)

// Lifecycle is the beginning, the renewal or the end of a session. Nothing in it lets anybody log in.
type Lifecycle struct {
	// Change says what has become of the session: created, renewed (it has another token), or ended. [Store.Became] also
	// tells of sessions that have changed, and of those that have moved to the key of another secret.
	Change string
	// Reason says why it has ended:
	//
	//	logout    it was deleted, as Destroy does
	//	merged    MergeSession has put it into another one
	//	expired   it was committed with an expiry that has passed
	//	revoked   its owner's sessions were ended, by Owner.End, EndAll, EndOthers or Erase
	//	limit     a login of its owner has taken its place: see EndOldest
	//	collected it had expired, and was deleted, as collectors do; [Store.Became] alone knows
	//
	// Sessions that end by themselves, because nobody uses them, are not told of: nothing happens then. [Store.Became]
	// tells of them when they are removed.
	Reason string
	// Session names the session in logs, lists and [Owner.End]: a hash of its storage key, which its token cannot be told
	// from. It changes with the token; Before is what it was called before a renewal, or a move.
	Session, Before string
	// Owners are who owns the session, by index, after a creation or a renewal, and before an end. See [WithOwner].
	Owners map[string]string
}

// The changes and reasons; see [Lifecycle].
const (
	wasCreated = "created"
	wasRenewed = "renewed"
	hasEnded   = "ended"
	hasChanged = "changed"
	hasMoved   = "moved"

	byLogout     = "logout"
	byMerge      = "merged"
	byExpiry     = "expired"
	byRevoke     = "revoked"
	byLimit      = "limit"
	byCollection = "collected"
)

// WithLifecycle has fn called after each beginning, renewal and end of a session that this store has acknowledged, in
// the goroutine that did it: fn must be quick, and safe for concurrent use. What the collector, DynamoDB's TTL or
// another process does is not known here; [Store.Became] is for that. May be given several times. Default: none.
func WithLifecycle(fn func(ctx context.Context, change Lifecycle)) Option {
	return func(c *config) {
		c.lifecycles = append(c.lifecycles, fn)
		if fn == nil {
			c.problem("WithLifecycle: the function is nil")
		}
	}
}

// tell calls those who want to know of lifecycles.
func (s *Store) tell(ctx context.Context, change Lifecycle) {
	for _, fn := range s.lifecycles {
		fn(ctx, change)
	}
}

// tellEnd tells of the end of a session of the scope.
func (s *Store) tellEnd(ctx context.Context, l *layer, e *scopedSession, reason string) {
	if len(s.lifecycles) == 0 {
		return
	}
	record, _ := e.session.Record()
	change := Lifecycle{Change: hasEnded, Reason: reason, Session: fingerprint.Of(record.Key)}
	var data []byte
	l.update(func() { data = e.data })
	if _, values, err := l.codec().Decode(data); err == nil {
		owners, _ := s.ownersOf(values)
		change.Owners = byIndex(owners)
	}
	s.tell(ctx, change)
}

// tellCommit tells what a commit has made of a session.
func (s *Store) tellCommit(ctx context.Context, l *layer, e *scopedSession, c *claim, found, renews bool) {
	if len(s.lifecycles) == 0 {
		return
	}
	change := Lifecycle{Change: wasCreated, Session: fingerprint.Of(c.next.Key), Owners: byIndex(c.owners)}
	switch {
	case c.next.Ended():
		s.tellEnd(ctx, l, e, byExpiry)
		return
	case renews:
		change.Change, change.Before = wasRenewed, fingerprint.Of(c.before.Key)
	case found:
		return
	}
	s.tell(ctx, change)
}

// byIndex returns owners by their index, nil for none.
func byIndex(owners []owned) map[string]string {
	if len(owners) == 0 {
		return nil
	}
	all := make(map[string]string, len(owners))
	for _, o := range owners {
		all[o.index] = o.value
	}
	return all
}
