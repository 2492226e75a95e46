package sessionstore

import (
	"bytes"
	"cmp"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Write is a write that somebody has made to the storage, as a stream of its changes tells of it.
type Write struct {
	// Before and After are what was stored under the key before the write, and after it. The zero Record is nothing.
	Before, After storage.Record
	// At is about when the write was made.
	At time.Time
	// ByTTL is whether the storage itself has removed the record, because it had expired.
	ByTTL bool
}

// Became returns what a write has made of a session, whoever made it: another process, a collector, the storage itself.
// told is false where it says nothing of a session: its expiry was moved, or its lease; or it is no session that was
// written. It makes no call, and calls no function of [WithLifecycle].
//
// A session is created once, and ends once: by the write that ends it, or that removes it after its expiry. What it
// leaves behind, and the removal of that, is not told. From what is stored, a logout cannot be told from an end by the
// owner, by a limit or by a commit whose expiry has passed: the reason is logout for all of them. A renewal is two
// writes: one that stores the session under its new name, which has changed then, with its new owners; and one that
// says renewed, with both names and the owners before. The first may come without the second, as where the renewal is
// refused: then the new session ends. An end may be told of a session of which nothing else was, where a process died
// while it moved it.
//
// An error comes with the change, without owners, where the session does not open or decode, or its owner cannot be
// found out. It matches [ErrCorrupt] or [ErrInvalidOwner]. What was sealed for another application is not told. Give
// the store the secrets, the owners and the codec ([WithCodec]) of those who write.
func (s *Store) Became(w Write) (change Lifecycle, told bool, err error) {
	change, of := w.became()
	if change.Change == "" {
		return Lifecycle{}, false, nil
	}
	change.Owners, err = s.ownersIn(of)
	if err == error(errAnotherApplication) { //nolint:errorlint // any other error matches ErrCorrupt, too
		return Lifecycle{}, false, nil
	}
	return change, true, err
}

// became returns what a write says without a look at the data, and the session whose owners are to be told.
func (w Write) became() (change Lifecycle, of storage.Record) {
	before, after := w.Before, w.After
	key := cmp.Or(after.Key, before.Key)
	if storage.Reserved(key) {
		return Lifecycle{}, storage.Record{}
	}
	if isSession(after) {
		switch arriving := ended.Arriving(before); {
		case arriving, isSession(before) && bytes.Equal(before.Data, after.Data):
			return Lifecycle{}, storage.Record{}
		case isSession(before), before.Version == "" && after.Ancestry != "": // made from the session of another key
			change.Change = hasChanged
		default:
			change.Change = wasCreated
		}
		change.Session = fingerprint.Of(key)
		return change, after
	}
	if ended.Arriving(after) {
		return Lifecycle{}, storage.Record{}
	}
	destination := ended.Destination(after)
	if session, _, ok := ended.Arrived(before); ok && destination == "" { // it may have left its old key
		before = session
	}
	if !isSession(before) {
		return Lifecycle{}, storage.Record{}
	}
	named := fingerprint.Of(key)
	switch successor := ended.Successor(after); {
	case destination != "":
		return Lifecycle{Change: hasMoved, Session: fingerprint.Of(destination), Before: named}, before
	case successor == "":
		return Lifecycle{Change: hasEnded, Reason: w.reason(before), Session: named}, before
	case ended.Merged(after):
		return Lifecycle{Change: hasEnded, Reason: byMerge, Session: named}, before
	default:
		return Lifecycle{Change: wasRenewed, Session: fingerprint.Of(successor), Before: named}, before
	}
}

// isSession reports whether a record is a session, be it expired.
func isSession(record storage.Record) bool { return record.Version != "" && !record.Ended() }

// reason returns why a session has ended, as far as the write says so.
func (w Write) reason(session storage.Record) string {
	at := w.At
	if w.After.Version != "" {
		at = w.After.CreatedAt // a tombstone knows exactly
	}
	switch {
	case w.ByTTL:
		return byExpiry
	case session.Expired(at):
		return byCollection
	default:
		return byLogout
	}
}

// ownersIn returns who owns the session of a record, by index, whether the session is over or not.
func (s *Store) ownersIn(record storage.Record) (map[string]string, error) {
	data := record.Data
	switch {
	case s.vault.seals():
		content, _, err := s.vault.content(record)
		if err != nil {
			return nil, err
		}
		data = content.data
	case s.vault.originOf(record, s.codec) != ours:
		return nil, errSealed
	}
	if len(s.owners) == 0 {
		return nil, nil
	}
	_, values, err := s.codec.Decode(data)
	if err != nil {
		return nil, &storage.CorruptError{
			Part: "data", Problem: "does not decode with the codec of the store; see sessionstore.WithCodec",
		}
	}
	owners, err := s.ownersOf(values)
	return byIndex(owners), err
}
