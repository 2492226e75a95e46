package storage

import (
	"crypto/rand"
	"time"
)

// Record is one stored session.
type Record struct {
	// Key is where the record is kept: 1 byte or more of valid UTF-8.
	Key string
	// Data is the payload. Empty is not the same as absent: a record with an empty payload is found.
	Data []byte
	// CreatedAt is when the session was first stored. In a Put, the zero value means "not known": the driver keeps the
	// value of the record it overwrites, and takes UpdatedAt where there is none.
	CreatedAt time.Time
	// UpdatedAt is when the record was last written. Drivers keep it as exactly as ExpiresAt: that the one is not after
	// the other tells a record that has ended; see [Record.Ended].
	UpdatedAt time.Time
	// ExpiresAt is the instant at which the session ends: it is dead at that instant, not after it. Drivers keep it to
	// the nanosecond, in any year from 1 to 9999. Its time zone is not kept.
	ExpiresAt time.Time
	// Version names the payload. It is drawn at random for each Put (see [NewVersion]) and never reused, so that a
	// record that was deleted and made anew is never mistaken for the old one, as it could be with a counter. Updates
	// keep it.
	Version string
	// Ancestry names the versions that this one was made from; see [Record.Succeed]. Updates keep it.
	Ancestry string
	// Lease is the lease on this session. The zero value means that it is free.
	Lease Lease
}

// Expired reports whether the expiry of the record has passed at now. It does not say whether the record is a session:
// see [Record.Live].
func (r Record) Expired(now time.Time) bool { return !now.Before(r.ExpiresAt) }

// Ended reports whether the record is no session, but what the store keeps for a time under the key of one that has
// ended, or that is yet to come: it is not after its last write that it expires. A record without a version is not
// stored, and has not ended.
func (r Record) Ended() bool { return r.Version != "" && !r.ExpiresAt.After(r.UpdatedAt) }

// Live reports whether the record is a session that can be used at now: it has neither expired nor ended.
func (r Record) Live(now time.Time) bool { return !r.Expired(now) && !r.Ended() }

// Lease is one acquisition of a session by one holder.
type Lease struct {
	// ID names the acquisition, not the holder: it is drawn anew each time, so that a late release or renewal never
	// touches a later acquisition.
	ID string
	// Duration is how long the lease lasts from its acquisition or last renewal. Who waits measures it on the own
	// clock.
	Duration time.Duration
	// ExpiresAt is when the lease ends by the holder's clock. It guides waiting; safety never rests on it.
	ExpiresAt time.Time
}

// Free reports whether nobody holds the lease.
func (l Lease) Free() bool { return l.ID == "" }

// NewVersion draws the version of a record about to be written: 128 random bits or more, as text.
//
// It is drawn once per write and stays the same when the write is tried again; that is how a driver tells its own
// write, whose response was lost, from a foreign one.
func NewVersion() string { return rand.Text() }

// The ancestry of a record is that of the last few versions before it, the newest first, each cut to a length that
// still tells it from any other of one session.
const (
	ancestors    = 4
	ancestorSize = 10
)

// Succeed notes that r is made from seen: that whoever wrote r had read seen. It is how a write whose response was lost
// is recognised although others have written since; see [Record.Descends].
func (r *Record) Succeed(seen Record) {
	if len(seen.Version) < ancestorSize {
		r.Ancestry = "" // no version that NewVersion draws
		return
	}
	ancestry := seen.Version[:ancestorSize] + seen.Ancestry
	r.Ancestry = ancestry[:min(len(ancestry), ancestors*ancestorSize)]
}

// Descends reports whether r is of the version, or was made from a record that is, as far as its ancestry reaches.
func (r Record) Descends(version string) bool {
	if r.Version == version {
		return true
	}
	if len(version) < ancestorSize {
		return false
	}
	for rest := r.Ancestry; len(rest) >= ancestorSize; rest = rest[ancestorSize:] {
		if rest[:ancestorSize] == version[:ancestorSize] {
			return true
		}
	}
	return false
}

// Change is what an Update does to a record. Its zero fields change nothing. The payload, its version and the instant
// of creation always stay as they are.
type Change struct {
	// ExpiresAt moves the expiry.
	ExpiresAt time.Time
	// UpdatedAt is when the change is made.
	UpdatedAt time.Time
	// Lease replaces the lease; a pointer to the zero Lease frees it.
	Lease *Lease
}

// Apply returns the record as the change leaves it.
func (c Change) Apply(r Record) Record {
	if !c.ExpiresAt.IsZero() {
		r.ExpiresAt = c.ExpiresAt
	}
	if !c.UpdatedAt.IsZero() {
		r.UpdatedAt = c.UpdatedAt
	}
	if c.Lease != nil {
		r.Lease = *c.Lease
	}
	return r
}
