package sessionstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/internal/mark"
	"github.com/scsdynamo/scsdynamo/internal/roster"
	"github.com/scsdynamo/scsdynamo/storage"
)

// owned is one owner of a session.
type owned struct {
	index string
	value string
}

// ownersOf returns the owners of a session with these values.
func (s *Store) ownersOf(values map[string]any) (owners []owned, err error) {
	var index string
	defer func() {
		if recover() != nil {
			owners, err = nil, fmt.Errorf("%w: the function of WithOwner for %s panics", ErrInvalidOwner, index)
		}
	}()
	for _, o := range s.owners {
		index = o.name
		switch value := o.of(values); {
		case value == "":
		case !storage.ValidKey(value, MaxOwnerBytes):
			return nil, fmt.Errorf("%w; that of %s has %d", ErrInvalidOwner, index, len(value))
		default:
			owners = append(owners, owned{index, value})
		}
	}
	return owners, nil
}

// ownerTag begins each of the tags in a record's mark: who owns the session, told to those alone who know the owner. It
// is another one under each storage key.
const ownerTag = "~"

// tagsOn returns the tags of a record.
func tagsOn(record storage.Record) []string { return strings.Split(mark.Of(record), ownerTag)[1:] }

// isOwned reports whether the record is that of a session of the owner.
func (s *Store) isOwned(record storage.Record, o owned) bool {
	tags := tagsOn(record)
	for i := range s.vault.generations() {
		if slices.Contains(tags, s.vault.tagOf(i, o, record.Key)) {
			return true
		}
	}
	return false
}

// isOwnedByAll reports whether the record is that of a session of all these owners.
func (s *Store) isOwnedByAll(record storage.Record, owners []owned) bool {
	return !slices.ContainsFunc(owners, func(o owned) bool { return !s.isOwned(record, o) })
}

// rostersOf returns the rosters of an owner: one for each secret, always in the same order, whichever is the current
// one. So each process that shares a secret with another shares a roster with it. reason is why sessions end by them.
func (s *Store) rostersOf(o owned, reason string) []*roster.Roster {
	rosters := make([]*roster.Roster, 0, s.vault.generations())
	for _, i := range s.vault.byName() {
		if s.vault.seals() && !s.vault.secrets[i].counts(s.backend.Now()) {
			continue // as do its sessions
		}
		rosters = append(rosters, &roster.Roster{
			Driver: s.backend.Driver, Now: s.backend.Now, Key: roster.Prefix + s.vault.nameOf(i, o),
			Seal:     func(key string, plain []byte) ([]byte, error) { return s.vault.sealRoster(i, key, plain) },
			Open:     func(record storage.Record) ([]byte, error) { return s.vault.openRoster(i, record) },
			Sessions: ownersSessions{s, o, reason},
		})
	}
	return rosters
}

// claim is what a commit does for the owners of its session.
type claim struct {
	store *Store
	// before is what is stored, had its data where that is known; next is about to be committed, with the data.
	before, next storage.Record
	had, data    []byte
	codec        scs.Codec
	scope        *scope        // nil where there is none
	request      *http.Request // likewise

	// deadline and values are what the data holds, and owners who owns that; see read.
	deadline time.Time
	values   map[string]any
	owners   []owned

	added []placed // where the session was added
	left  []placed // where it is of those who own it no longer
}

// placed is where a session is on a roster.
type placed struct {
	roster *roster.Roster
	key    string
	at     time.Time
}

// found reports whether there is a session that the commit replaces.
func (c *claim) found() bool { return c.before.Version != "" && !c.before.Ended() }

// read finds out who owns the session, and marks the record that is about to be committed.
func (c *claim) read(manager string) (marked string, err error) {
	s := c.store
	if len(s.owners) > 0 {
		if c.deadline, c.values, err = c.codec.Decode(c.data); err != nil {
			return "", errors.New("sessionstore: the session's values do not decode, and so it is not known who owns it; " +
				"where they are committed without Store.LoadAndSave, give the session manager's codec by WithCodec")
		}
		if c.owners, err = s.ownersOf(c.values); err != nil {
			return "", err
		}
	}
	return c.mark(manager), nil
}

// mark draws a version of the record that is about to be committed, with its owners in the mark.
func (c *claim) mark(manager string) string {
	var tags strings.Builder
	for _, o := range c.owners {
		tags.WriteString(ownerTag + c.store.vault.tagOf(0, o, c.next.Key))
	}
	marked := manager + tags.String()
	c.next.Version = mark.NewVersion(c.store.vault.mark(marked))
	return marked
}

// isMarked reports whether the record that is stored says who owns it, as it does not where that was not known before.
func (c *claim) isMarked() bool {
	return len(c.store.owners) == 0 || len(tagsOn(c.before)) == len(c.owners) &&
		c.store.isOwnedByAll(c.before, c.owners)
}

// make puts the session on the rosters of its owners, where it is not on them yet.
func (c *claim) make(ctx context.Context) error {
	s := c.store
	if len(s.owners) == 0 || c.next.Ended() {
		return nil
	}
	var hadDeadline time.Time
	var had []owned
	if values := map[string]any(nil); c.had != nil {
		hadDeadline, values, _ = c.codec.Decode(c.had) // What does not decode has no owners.
		had, _ = s.ownersOf(values)
	}
	c.left = nil
	for _, o := range had {
		if !c.found() || slices.Contains(c.owners, o) {
			continue
		}
		for _, r := range s.rostersOf(o, byLimit) {
			entry, listed, err := r.Find(ctx, c.before.Key)
			switch {
			case err != nil:
				return rosterFailed(o, err)
			case listed:
				c.left = append(c.left, placed{r, entry.Key, entry.AddedAt})
			}
		}
	}
	entry := roster.Entry{Key: c.next.Key, AddedAt: c.next.UpdatedAt, Until: later(c.deadline, c.next.ExpiresAt)}
	for _, o := range c.owners {
		is := c.found() && s.isOwned(c.before, o)
		if is && c.before.Key == c.next.Key && !c.deadline.After(hadDeadline) && slices.Contains(had, o) {
			continue
		}
		if entry.Details == nil {
			var err error
			if entry.Details, err = s.detailsOf(c.request, c.values); err != nil {
				return err
			}
		}
		replaces, older := "", c.found() && slices.Contains(had, o)
		if is {
			replaces = c.before.Key
		}
		if err := c.add(ctx, o, entry, replaces, older); err != nil {
			c.settle(ctx, err)
			return err
		}
	}
	return nil
}

// add puts the session on the rosters of one owner. older is whether it was the owner's before: that is no login, and
// no limit is for it.
func (c *claim) add(ctx context.Context, o owned, entry roster.Entry, replaces string, older bool) error {
	s := c.store
	var limit roster.Limit
	for _, index := range s.owners {
		if index.name == o.index && !older {
			limit = index.limit
		}
	}
	for _, r := range s.rostersOf(o, byLimit) {
		login := c.scope.login(r.Key)
		login.Replaces = replaces
		at, added, err := r.Add(ctx, entry, login, limit)
		switch {
		case errors.Is(err, roster.ErrEnded):
			return ErrOwnerEnded
		case errors.Is(err, roster.ErrLimit):
			return fmt.Errorf("%w (%s: %d)", ErrOwnerLimit, o.index, limit.Sessions)
		case err != nil:
			return rosterFailed(o, err)
		case added:
			c.added = append(c.added, placed{r, entry.Key, at})
		}
	}
	return nil
}

func rosterFailed(o owned, err error) error {
	return fmt.Errorf("sessionstore: the roster of the session's %s: %w", o.index, err)
}

// mergedOwnersError says that a session would have other owners when it is put in place of what is stored: others than
// those to whose rosters it was added, or than what is stored has, which another request may be about to take off them.
type mergedOwnersError struct {
	owners []owned
	stored storage.Record
}

// Error implements error.
func (*mergedOwnersError) Error() string { return errOwnersChange.Error() }

// Is matches storage.ErrConflict.
func (*mergedOwnersError) Is(target error) bool { return target == storage.ErrConflict }

var errOwnersChange = errors.New("another request changes the owner of the session all the time")

// maxOwnerChanges bounds how often a commit begins anew because other requests change the owner.
const maxOwnerChanges = 8

// commit puts the session on the rosters, and calls commit with what is to be written. Where that is merged with what
// other requests have stored, and has other owners then, it begins anew for these. Where it has succeeded, settle is to
// be called when all else has.
func (c *claim) commit(ctx context.Context, l *layer, e *scopedSession, commit func(next storage.Record) error) error {
	manager := managerMarkOf(c.next)
	for change := 1; ; change++ {
		if err := c.make(ctx); err != nil {
			return err
		}
		err := commit(c.next)
		var merged *mergedOwnersError
		if !errors.As(err, &merged) || change == maxOwnerChanges {
			if err != nil {
				c.settle(ctx, err)
			}
			return err
		}
		c.owners, c.before = merged.owners, merged.stored
		marked := c.mark(manager)
		l.update(func() { e.mark, e.owners, e.overtakes = marked, c.owners, merged.stored.Version })
	}
}

// settle takes the session off the rosters on which it is not to be: of those who own it no longer, or, where it was
// not committed, of those to whose it was added. What fails is left: a roster may name what is not there.
func (c *claim) settle(ctx context.Context, err error) {
	gone := c.left
	switch {
	case errors.Is(err, storage.ErrOutcomeUnknown):
		return
	case err != nil:
		gone = c.added
	}
	if len(gone) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	for _, p := range gone {
		_ = p.roster.Remove(ctx, p.key, p.at)
	}
}

// Limits of details.
const (
	maxDetails     = 8
	maxDetailBytes = 128
)

// detailsOf returns what the application shows of a session.
func (s *Store) detailsOf(r *http.Request, values map[string]any) (details map[string]string, err error) {
	if s.details == nil {
		return nil, nil //nolint:nilnil // There are none.
	}
	defer func() {
		if recover() != nil {
			err = errDetailsPanic
		}
	}()
	of := s.details(r, values)
	details = make(map[string]string, min(len(of), maxDetails))
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if len(details) == maxDetails {
			break
		}
		details[cut(name)] = cut(of[name])
	}
	return details, nil
}

var errDetailsPanic = errors.New("sessionstore: the function of WithOwnerDetails panics; its request is nil where a " +
	"session is not committed for the request of its own user")

// cut returns the beginning of a text, without half a character at its end.
func cut(text string) string {
	if len(text) > maxDetailBytes {
		text = text[:maxDetailBytes]
	}
	return strings.ToValidUTF8(text, "")
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// ownersSessions are the sessions on the rosters of an owner.
type ownersSessions struct {
	store  *Store
	owner  owned
	reason string // for which they end; see Lifecycle
}

var _ roster.Sessions = ownersSessions{}

// counts reports whether a session is accepted: its deadline has not passed, and it was sealed late enough, with a
// secret whose time is not up. What does not open is taken for one that is.
func (s *Store) counts(record storage.Record) bool {
	_, _, err := s.vault.openAny(record, s.codec)
	return !errors.Is(err, errOver)
}

// State implements roster.Sessions.
func (o ownersSessions) State(ctx context.Context, entry roster.Entry) (roster.State, string, error) {
	record, state, err := o.look(ctx, entry)
	return state, cmp.Or(record.Key, entry.Key), err
}

// look returns the session of an entry, where it is now.
func (o ownersSessions) look(ctx context.Context, entry roster.Entry) (storage.Record, roster.State, error) {
	backend, now := &o.store.backend, o.store.backend.Now()
	key, absent := entry.Key, roster.Dead
	if entry.MayBePending(now) {
		absent = roster.Pending
	}
	for range maxMoves {
		record, found, err := backend.Driver.Get(ctx, key, storage.Strong)
		switch {
		case errors.Is(err, storage.ErrCorrupt):
			return storage.Record{}, roster.Live, nil
		case err != nil || !found:
			return storage.Record{}, absent, err
		}
		session, live, err := backend.Settled(ctx, record)
		switch {
		case err != nil:
			return storage.Record{}, absent, err
		case live && o.store.isOwned(session, o.owner) && !o.store.counts(session):
			return storage.Record{}, roster.Expired, nil
		case live && o.store.isOwned(session, o.owner):
			return session, roster.Live, nil
		case live:
			return storage.Record{}, absent, nil
		case ended.Elsewhere(record) != "" && ended.Elsewhere(record) != entry.Key:
			key = ended.Elsewhere(record)
			continue
		case record.Ended():
			return record, roster.Dead, nil
		case record.Expired(now.Add(-ended.TombstoneTime)): // by any clock, and whatever arrives late
			return storage.Record{}, absent, nil
		default:
			return storage.Record{}, roster.Expired, nil
		}
	}
	return storage.Record{}, roster.Live, nil
}

// follow is look for who looks at one session after the other: it finds one that has got another token meanwhile.
func (o ownersSessions) follow(
	ctx context.Context, entry roster.Entry,
) (roster.Entry, storage.Record, roster.State, error) {
	for range maxMoves {
		record, state, err := o.look(ctx, entry)
		successor := ended.Successor(record)
		if err != nil || state != roster.Dead || successor == "" {
			return entry, record, state, err
		}
		entry.Key = successor
	}
	return entry, storage.Record{}, roster.Live, nil
}

// End implements roster.Sessions. A session of the request's own scope ends as by a Destroy.
func (o ownersSessions) End(ctx context.Context, entry roster.Entry) (was bool, err error) {
	if l := o.store.layerFrom(ctx); l != nil {
		if e := l.storedUnder(entry.Key); e != nil {
			ctx, cancel := outlive(ctx)
			defer cancel()
			return true, o.store.end(ctx, l, e, o.reason)
		}
	}
	backend, now := &o.store.backend, o.store.backend.Now()
	record, found, err := backend.Driver.Get(ctx, entry.Key, storage.Strong)
	recent := entry.MayBePending(now)
	switch {
	case errors.Is(err, storage.ErrCorrupt):
		_, err = backend.End(ctx, storage.Record{Key: entry.Key}, "", storage.Always())
		return true, err
	case err != nil:
		return false, err
	case !found && !recent, found && record.Ended() && ended.Elsewhere(record) == "":
		return false, nil
	case !found: // its commit may arrive
		return false, backend.Delete(ctx, storage.Record{Key: entry.Key})
	}
	session, live, err := backend.Settled(ctx, record)
	switch {
	case err != nil:
		return false, err
	case live && !o.store.isOwned(session, o.owner) && !recent: // it is somebody else's
		return false, nil
	case !live && !record.Ended():
		record = storage.Record{Key: record.Key, CreatedAt: record.CreatedAt}
	}
	if err := backend.Delete(ctx, record); err != nil || !live {
		return false, err
	}
	o.store.tell(ctx, Lifecycle{
		Change: hasEnded, Reason: o.reason, Session: fingerprint.Of(entry.Key), Owners: byIndex([]owned{o.owner}),
	})
	return true, nil
}
