package storage

import (
	"strings"
	"time"
)

// A session moves to another key in three writes, none of which needs a transaction. Its arrival is stored under the new
// key; a departure takes the place of the session under the old one, which is the step that decides; and the session takes
// the place of its arrival. docs/decisions/0014-a-session-moves-in-three-writes.md says what is left by a crash in between.

// arrivalMark is by how much an arrival seems to be written after its end. No session is, and no tombstone.
const arrivalMark = time.Second

// nul separates the parts of what arrivals and departures hold. No key has it in it.
const nul = "\x00"

// Arrival returns the record that announces next under its key, to which it is to move from another one. It is no session,
// and in the way like a [Tombstone], until the session has left the old key; see [Record.Departed]. It expires with the
// session.
func Arrival(next Record, from string) Record {
	arrival := next
	arrival.Data = append([]byte(from+nul+next.Version+nul), next.Data...)
	arrival.UpdatedAt = next.ExpiresAt.Add(arrivalMark)
	arrival.Version, arrival.Lease = NewVersion(), Lease{}
	return arrival
}

// Arriving reports whether the record is an [Arrival]. It needs no payload.
func (r Record) Arriving() bool {
	return r.Version != "" && r.UpdatedAt.Sub(r.ExpiresAt) == arrivalMark
}

// Arrived returns the session that an [Arrival] announces, and the key that it comes from. The session's UpdatedAt is that
// of its creation.
func (r Record) Arrived() (session Record, from string, ok bool) {
	from, rest, _ := strings.Cut(string(r.Data), nul)
	version, data, complete := strings.Cut(rest, nul)
	if !r.Arriving() || !complete || from == "" || version == "" {
		return Record{}, "", false
	}
	session = r
	session.Data, session.Version, session.UpdatedAt = []byte(data), version, r.CreatedAt
	return session, from, true
}

// Departure returns the tombstone that a session leaves under a key that it moves away from. It stays for as long as the
// arrival may need it, and no shorter than others.
func Departure(from string, arrival Record, now time.Time) Record {
	departure := Tombstone(Record{Key: from, CreatedAt: arrival.CreatedAt}, nul+arrival.Key+nul+arrival.Version, now)
	if departure.ExpiresAt.Before(arrival.ExpiresAt) {
		departure.ExpiresAt, departure.UpdatedAt = arrival.ExpiresAt, arrival.ExpiresAt
	}
	return departure
}

// Departed reports whether the record is the [Departure] with which the session of this arrival has left its old key.
func (r Record) Departed(arrival Record) bool {
	destination, version := r.departure()
	return destination != "" && destination == arrival.Key && version == arrival.Version
}

// Destination returns the key that a session has moved to, empty where the record is no [Departure].
func (r Record) Destination() string {
	destination, _ := r.departure()
	return destination
}

func (r Record) departure() (destination, version string) {
	rest, ok := strings.CutPrefix(string(r.Data), nul)
	if !ok || !r.Ended() || r.Arriving() {
		return "", ""
	}
	destination, version, _ = strings.Cut(rest, nul)
	return destination, version
}
