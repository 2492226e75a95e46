package storage

import "time"

const (
	// LateWrites is how long a write may arrive after its sender has given it up. AWS accepts a signed request for 15
	// minutes at most (AWS Identity and Access Management, "Elements of an AWS API request signature").
	LateWrites = 15 * time.Minute

	// TombstoneTime is how long a tombstone stays: for late writes, and for clocks of which some are an hour wrong.
	TombstoneTime = LateWrites + time.Hour
)

// Tombstone returns the record that takes the place of an ended session: no session, and in the way of any record that
// somebody has tried to create under the key before. It stays for [TombstoneTime] after now, or after the last write of
// the session where the clock of that was ahead, and is then like any expired record. successor is the key of the session
// that has replaced the ended one, empty where none has.
//
// A tombstone is a record that ended when it was last written, as no session does: it needs no attribute of its own, and
// no clock is asked whether it is one. Its CreatedAt is when the session ended.
func Tombstone(ended Record, successor string, now time.Time) Record {
	until := now
	for _, written := range []time.Time{ended.CreatedAt, ended.UpdatedAt} {
		if written.After(until) {
			until = written
		}
	}
	until = until.Add(TombstoneTime)
	return Record{
		Key: ended.Key, Data: []byte(successor), CreatedAt: now, UpdatedAt: until, ExpiresAt: until, Version: NewVersion(),
	}
}

// Ended reports whether the record is a [Tombstone], a [Departure] or an [Arrival]: there is no session under its key. One
// without a version is not stored, and none.
func (r Record) Ended() bool { return r.Version != "" && !r.ExpiresAt.After(r.UpdatedAt) }

// Successor returns the key of the session that has replaced an ended one, empty where none has. Of one that has only moved,
// see [Record.Destination].
func (r Record) Successor() string {
	if !r.Ended() || r.Arriving() || r.Destination() != "" {
		return ""
	}
	return string(r.Data)
}
