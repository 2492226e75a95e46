package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/internal/roster"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Owner is somebody who has sessions: see [WithOwner]. It is made by [Store.Owner], and safe for concurrent use.
type Owner struct {
	store *Store
	owner owned
}

// Owner returns the owner of that name in an index of [WithOwner]. It makes no call. Whether there is such an owner is
// not known; the methods of one who has no sessions return none. They return [ErrInvalidOwner] where the index is not
// given, or nobody can be called so.
func (s *Store) Owner(index, owner string) *Owner { return &Owner{s, owned{index, owner}} }

// OwnedSession is a session as its owner may see it. Nothing in it lets anybody log in.
type OwnedSession struct {
	// ID names the session in [Owner.End]. It is a hash of the storage key, and changes with the token.
	ID string
	// CreatedAt is when the session was first committed, and UpdatedAt when it was last: with an idle timeout, that is
	// when it was last used, up to the touch interval.
	CreatedAt, UpdatedAt time.Time
	// ExpiresAt is when the session ends if it is not used.
	ExpiresAt time.Time
	// Details are what [WithOwnerDetails] has said at the login.
	Details map[string]string
	// Current is whether it is the session of the request.
	Current bool
}

// Sessions returns the live sessions of the owner, that of the latest login first. It reads the roster, which mostly is
// one strongly consistent read, and then each session: for n sessions, n reads and one for each 4 KB of the roster.
// Sessions that were committed before are among them, those that ended before are not. An error ends the sequence.
func (o *Owner) Sessions(ctx context.Context) iter.Seq2[OwnedSession, error] {
	return o.SessionsAfter(ctx, "")
}

// SessionsAfter is Sessions without those up to the one of that ID, for a list in pages: it does not read them. Where
// the ID is on the roster no more, there is nothing after it.
func (o *Owner) SessionsAfter(ctx context.Context, id string) iter.Seq2[OwnedSession, error] {
	return func(yield func(OwnedSession, error) bool) {
		if err := o.validate(); err != nil {
			yield(OwnedSession{}, err)
			return
		}
		sessions, current := ownersSessions{o.store, o.owner, byRevoke}, o.currentKeys(ctx)
		skips, skipped, shown := id != "", map[string]bool{}, shown{}
		for entry, err := range o.entries(ctx) {
			if err != nil {
				yield(OwnedSession{}, err)
				return
			}
			if skips {
				skips = fingerprint.Of(entry.Key) != id
				skipped[entry.Key] = true
				continue
			}
			entry, record, state, err := sessions.follow(ctx, entry)
			if err == nil && (state != roster.Live || record.Key == "" || skipped[record.Key] ||
				!shown.adds(o.store, entry, record)) {
				continue
			}
			if !yield(OwnedSession{
				ID: fingerprint.Of(entry.Key), CreatedAt: record.CreatedAt, UpdatedAt: record.UpdatedAt,
				ExpiresAt: record.ExpiresAt, Details: entry.Details, Current: slices.Contains(current, record.Key),
			}, err) || err != nil {
				return
			}
		}
	}
}

// shown are the sessions of a list, by token.
type shown map[string]listedSession

type listedSession struct {
	record  storage.Record
	addedAt time.Time
}

// adds reports whether a session is to be shown: its deadline has not passed, and it is not there yet, although another
// request moves it or renews its token meanwhile.
func (all shown) adds(s *Store, entry roster.Entry, record storage.Record) bool {
	token, _, err := s.vault.openAny(record, s.codec)
	if err != nil {
		token = record.Key
	}
	if _, is := all[token]; is || errors.Is(err, errOver) {
		return false
	}
	for _, other := range all {
		if !other.record.CreatedAt.Equal(record.CreatedAt) {
			continue
		}
		ends := other.record.Descends(record.Version) && s.backend.Now().Sub(other.addedAt).Abs() < renewalTime
		if ends || record.Descends(other.record.Version) {
			return false
		}
	}
	record.Data = nil
	all[token] = listedSession{record, entry.AddedAt}
	return true
}

// renewalTime is how long after a session was put on the roster under a new token that under the old one may be about
// to end. One that has not ended by then stays: the process that was renewing it has died.
const renewalTime = 30 * time.Second

// entries returns what is on all rosters of the owner, each session once.
func (o *Owner) entries(ctx context.Context) iter.Seq2[roster.Entry, error] {
	return func(yield func(roster.Entry, error) bool) {
		rosters := o.store.rostersOf(o.owner, byRevoke)
		seen := map[string]bool{}
		for _, r := range rosters {
			for entry, err := range r.All(ctx) {
				if len(rosters) > 1 && seen[entry.Key] {
					continue
				}
				seen[entry.Key] = true
				if !yield(entry, err) || err != nil {
					return
				}
			}
		}
	}
}

// End ends the session of that ID, at once and whoever uses it, and reports whether there was one. A commit of it that
// is under way is refused with [ErrSessionGone].
func (o *Owner) End(ctx context.Context, id string) (ended bool, err error) {
	if err := o.validate(); err != nil {
		return false, err
	}
	ctx, cancel := outlive(ctx)
	defer cancel()
	for entry, err := range o.entries(ctx) {
		if err != nil {
			return ended, err
		}
		if fingerprint.Of(entry.Key) != id {
			continue
		}
		was, err := ownersSessions{o.store, o.owner, byRevoke}.End(ctx, entry)
		if err != nil {
			return ended, o.failed("End", err)
		}
		ended = ended || was
	}
	return ended, nil
}

// EndAll ends all sessions of the owner, the request's own one included, and returns how many there were. When it has
// returned without an error, no session of the owner that began before is accepted anywhere, and neither is a login of
// a request that began before: its commit is refused with [ErrOwnerEnded]. That rests on no index that could be late.
// Where it fails, or the process dies, some have ended; it may be called again, and the next login of the owner ends
// the rest, too.
//
// Whether a login began before is known exactly within this process, and where the request has called [Owner.Expect].
// Otherwise the clocks of the two processes decide: a login is refused that began, by its own clock, before the instant
// at which the sessions were ended. A process refuses so once, and then knows.
//
// In a request scope, it goes on for 5 seconds although ctx has ended. A request that has ended its own session so may
// begin another one after a Destroy; what it commits otherwise is refused with [ErrSessionGone].
func (o *Owner) EndAll(ctx context.Context) (ended int, err error) {
	return o.endAll(ctx, "EndAll", nil)
}

// EndOthers is EndAll without the sessions of the request: those that it has read, in its scope. The request may renew
// its token before or after, and log in as the owner.
func (o *Owner) EndOthers(ctx context.Context) (ended int, err error) {
	return o.endAll(ctx, "EndOthers", o.currentKeys(ctx))
}

func (o *Owner) endAll(ctx context.Context, method string, kept []string) (ended int, err error) {
	if err := o.validate(); err != nil {
		return 0, err
	}
	ctx, cancel := outlive(ctx)
	defer cancel()
	l := o.store.layerFrom(ctx)
	for _, r := range o.store.rostersOf(o.owner, byRevoke) {
		n, epoch, err := r.EndAll(ctx, kept)
		ended += n
		if err != nil {
			return ended, o.failed(method, err)
		}
		if l != nil {
			l.knows(epoch)
		}
	}
	return ended, nil
}

// Expect notes, for the login that the request may be about to make, how often all sessions of the owner were ended
// before. Call it before the password is checked: if they are ended after that, the login is refused, however wrong the
// clocks of the processes are, up to an hour. It reads the roster, and does nothing outside of a request scope.
func (o *Owner) Expect(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	l := o.store.layerFrom(ctx)
	if l == nil {
		return nil
	}
	for _, r := range o.store.rostersOf(o.owner, byRevoke) {
		epoch, err := r.Epoch(ctx)
		if err != nil {
			return o.failed("Expect", err)
		}
		l.expects(r.Key, epoch)
	}
	return nil
}

// Erasure is what [Owner.Erase] has removed.
type Erasure struct {
	// Sessions are the IDs of the sessions that were ended.
	Sessions []string
	// Until is when the last record is gone that tells that there was such an owner, on which only an instant is left: it
	// is in the way of logins that were under way.
	Until time.Time
}

// Erase ends all sessions of the owner, and removes what is stored of them and of the roster, also under previous
// secrets. What is left for 75 minutes are the tombstones of the sessions, without data, and a roster that is empty. It
// may be called again where it fails. Backups of the storage keep what they have.
func (o *Owner) Erase(ctx context.Context) (Erasure, error) {
	if err := o.validate(); err != nil {
		return Erasure{}, err
	}
	var erased Erasure
	for session, err := range o.Sessions(ctx) {
		if err != nil {
			return Erasure{}, o.failed("Erase", err)
		}
		erased.Sessions = append(erased.Sessions, session.ID)
	}
	if _, err := o.endAll(ctx, "Erase", nil); err != nil {
		return Erasure{}, err
	}
	for _, r := range o.store.rostersOf(o.owner, byRevoke) {
		until, err := r.Expiry(ctx)
		if err != nil {
			return Erasure{}, o.failed("Erase", err)
		}
		erased.Until = later(erased.Until, until)
	}
	return erased, nil
}

// currentKeys are the storage keys of the sessions that the request has.
func (o *Owner) currentKeys(ctx context.Context) []string {
	l := o.store.layerFrom(ctx)
	if l == nil {
		return nil
	}
	return l.keys()
}

// validate reports an owner who cannot be one.
func (o *Owner) validate() error {
	known := slices.ContainsFunc(o.store.owners, func(index ownerIndex) bool { return index.name == o.owner.index })
	switch {
	case !known:
		return fmt.Errorf("%w: there is no index %q; give it by WithOwner", ErrInvalidOwner, o.owner.index)
	case !storage.ValidKey(o.owner.value, MaxOwnerBytes):
		return fmt.Errorf("%w; that of %s has %d", ErrInvalidOwner, o.owner.index, len(o.owner.value))
	default:
		return nil
	}
}

// failed says what was being done.
func (o *Owner) failed(method string, err error) error {
	return fmt.Errorf("sessionstore: %s of a session's %s: %w", method, o.owner.index, err)
}
