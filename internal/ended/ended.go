// Package ended makes and reads what lies under the key of a session that has ended, or is about to arrive: records
// that are in the way of any other, and no sessions. To drivers and strategies they are records that
// [storage.Record.Ended].
package ended

import (
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/mark"
	"github.com/scsdynamo/scsdynamo/storage"
)

const (
	// LateWrites is how long a write may arrive after its sender has given it up. AWS accepts a signed request for 15
	// minutes at most (AWS Identity and Access Management, "Elements of an AWS API request signature").
	LateWrites = 15 * time.Minute

	// TombstoneTime is how long a tombstone stays: for late writes, and for clocks of which some are an hour wrong.
	TombstoneTime = LateWrites + time.Hour
)

// Tombstone returns the record that takes the place of an ended session: no session, and in the way of any record that
// somebody has tried to create under the key before. It stays for [TombstoneTime] after now, or after the last write of
// the session where the clock of that was ahead, and is then like any expired record. successor is the key of the
// session that has replaced the ended one, empty where none has.
//
// A tombstone is a record that ended when it was last written, as no session does: it needs no attribute of its own,
// and no clock is asked whether it is one. Its CreatedAt is when the session ended. It has the mark of the session.
func Tombstone(ended storage.Record, successor string, now time.Time) storage.Record {
	until := now
	for _, written := range []time.Time{ended.CreatedAt, ended.UpdatedAt} {
		if written.After(until) {
			until = written
		}
	}
	until = until.Add(TombstoneTime)
	return storage.Record{
		Key: ended.Key, Data: []byte(successor), CreatedAt: now, UpdatedAt: until, ExpiresAt: until,
		Version: mark.NewVersion(mark.Of(ended)),
	}
}

// Successor returns the key of the session that has replaced an ended one, empty where none has. Of one that has only
// moved, see [Destination].
func Successor(r storage.Record) string {
	if !r.Ended() || Arriving(r) || Destination(r) != "" {
		return ""
	}
	successor, _, _ := strings.Cut(string(r.Data), nul)
	return successor
}

// mergedMark is behind the successor in what a session leaves that was merged into it.
const mergedMark = "merged"

// MergedInto returns what [Tombstone] takes for the successor of a session that was merged into another one, instead of
// having been renewed.
func MergedInto(key string) string { return key + nul + mergedMark }

// Merged reports whether a record is the [Tombstone] of a session that was merged into its [Successor].
func Merged(r storage.Record) bool {
	return Successor(r) != "" && string(r.Data) == MergedInto(Successor(r))
}

// A session moves to another key in three writes, none of which needs a transaction. Its arrival is stored under the
// new key; a departure takes the place of the session under the old one, which is the step that decides; and the
// session takes the place of its arrival. docs/decisions/0014-a-session-moves-in-three-writes.md says what is left by a
// crash in between.

// arrivalMark is by how much an arrival seems to be written after its end. No session is, and no tombstone.
const arrivalMark = time.Second

// nul separates the parts of what arrivals and departures hold. No key has it in it.
const nul = "\x00"

// Arrival returns the record that announces next under its key, to which it is to move from another one. It is no
// session, and in the way like a [Tombstone], until the session has left the old key; see [Record.Departed]. It expires
// with the session.
func Arrival(next storage.Record, from string) storage.Record {
	arrival := next
	arrival.Data = append([]byte(from+nul+next.Version+nul), next.Data...)
	arrival.UpdatedAt = next.ExpiresAt.Add(arrivalMark)
	arrival.Version, arrival.Lease = storage.NewVersion(), storage.Lease{}
	return arrival
}

// Arriving reports whether the record is an [Arrival]. It needs no payload.
func Arriving(r storage.Record) bool {
	return r.Version != "" && r.UpdatedAt.Sub(r.ExpiresAt) == arrivalMark
}

// Arrived returns the session that an [Arrival] announces, and the key that it comes from. The session's UpdatedAt is
// that of its creation.
func Arrived(r storage.Record) (session storage.Record, from string, ok bool) {
	from, rest, _ := strings.Cut(string(r.Data), nul)
	version, data, complete := strings.Cut(rest, nul)
	if !Arriving(r) || !complete || from == "" || version == "" {
		return storage.Record{}, "", false
	}
	session = r
	session.Data, session.Version, session.UpdatedAt = []byte(data), version, r.CreatedAt
	return session, from, true
}

// Departure returns the tombstone that a session leaves under a key that it moves away from. It stays for as long as
// the arrival may need it, and no shorter than others.
func Departure(from string, arrival storage.Record, now time.Time) storage.Record {
	departure := Tombstone(storage.Record{Key: from, CreatedAt: arrival.CreatedAt},
		nul+arrival.Key+nul+arrival.Version, now)
	if departure.ExpiresAt.Before(arrival.ExpiresAt) {
		departure.ExpiresAt, departure.UpdatedAt = arrival.ExpiresAt, arrival.ExpiresAt
	}
	return departure
}

// Departed reports whether the record is the [Departure] with which the session of this arrival has left its old key.
func Departed(departure, arrival storage.Record) bool {
	destination, version := cut(departure)
	return destination != "" && destination == arrival.Key && version == arrival.Version
}

// Destination returns the key that a session has moved to, empty where the record is no [Departure].
func Destination(r storage.Record) string {
	destination, _ := cut(r)
	return destination
}

// Elsewhere returns the other key under which the session of a move may be: where a [Departure] says that it has gone,
// or where an [Arrival] says that it comes from. It is empty where the record is neither.
func Elsewhere(r storage.Record) string {
	if destination := Destination(r); destination != "" {
		return destination
	}
	_, origin, _ := Arrived(r)
	return origin
}

func cut(r storage.Record) (destination, version string) {
	rest, ok := strings.CutPrefix(string(r.Data), nul)
	if !ok || !r.Ended() || Arriving(r) {
		return "", ""
	}
	destination, version, _ = strings.Cut(rest, nul)
	return destination, version
}
