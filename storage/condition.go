package storage

import (
	"fmt"
	"time"
)

// Condition is what must be true of the stored record for a write to be applied. The set is small and closed, so that
// every driver can judge each of them in the same atomic step as the write. Its zero value is [Always].
//
// Conditions are made by the functions below; drivers read the fields.
type Condition struct {
	// Kind says which condition this is, and with it which of the other fields count.
	Kind ConditionKind
	// Version is the version that the stored record must have.
	Version string
	// LeaseID is the lease that the stored record must have. In KindUnchanged, "" means that it must have none.
	LeaseID string
	// LeaseExpiresAt is when the lease LeaseID must say that it ends.
	LeaseExpiresAt time.Time
	// At is the instant at which expiry is judged. In KindUnchanged it is the expiry that the stored record must have.
	At time.Time
}

// ConditionKind enumerates the conditions.
type ConditionKind uint8

// The conditions, each made by the function named beside it.
const (
	KindAlways          ConditionKind = iota // Always
	KindLive                                 // IfLive
	KindAbsent                               // IfAbsent
	KindVersion                              // IfVersion
	KindVersionAndLease                      // IfVersionAndLease
	KindLease                                // IfLease
	KindExpiredAndFree                       // IfExpiredAndFree
	KindFree                                 // IfFree
	KindFreeOrUnchanged                      // IfFreeOrUnchanged
	KindUnchanged                            // IfUnchanged

	lastKind = KindUnchanged
)

// Kinds is how many kinds of conditions there are: they count from 0.
const Kinds = int(lastKind) + 1

// Always holds whatever is stored.
func Always() Condition { return Condition{} }

// IfLive holds if there is a record that is not expired at now.
func IfLive(now time.Time) Condition { return Condition{Kind: KindLive, At: now} }

// IfAbsent holds if there is no record, or one that is expired at now. What was expired is overwritten as if it had
// never been: nothing of it survives.
func IfAbsent(now time.Time) Condition { return Condition{Kind: KindAbsent, At: now} }

// IfVersion holds if there is a record of that version that is not expired at now. Expiry is part of it because a
// session that ended while a request was running must not come back with that request's commit, although nobody wrote
// meanwhile.
func IfVersion(version string, now time.Time) Condition {
	return Condition{Kind: KindVersion, Version: version, At: now}
}

// IfVersionAndLease holds if [IfVersion] does and the record's lease is the one named.
func IfVersionAndLease(version, leaseID string, now time.Time) Condition {
	return Condition{Kind: KindVersionAndLease, Version: version, LeaseID: leaseID, At: now}
}

// IfLease holds if there is a record, expired or not, whose lease is the one named.
func IfLease(leaseID string) Condition { return Condition{Kind: KindLease, LeaseID: leaseID} }

// IfExpiredAndFree holds if there is a record that is expired at t and on which nobody has a lease. It is the condition
// of collection where only the key was read, from an index: whatever has happened to the record, it is dead, and nobody
// uses it.
func IfExpiredAndFree(t time.Time) Condition { return Condition{Kind: KindExpiredAndFree, At: t} }

// IfFree holds if there is a session that is live at now (see [Record.Live]), and on which nobody has a lease. It is
// the condition under which a lease is acquired: never on a record that has ended.
func IfFree(now time.Time) Condition { return Condition{Kind: KindFree, At: now} }

// IfFreeOrUnchanged holds if [IfFree] does, or if the lease on a live session is still the one seen, neither renewed
// nor released since. It is the condition under which a lease is taken from a holder that has not been heard of for
// longer than its lease lasts.
func IfFreeOrUnchanged(seen Lease, now time.Time) Condition {
	return Condition{Kind: KindFreeOrUnchanged, LeaseID: seen.ID, LeaseExpiresAt: seen.ExpiresAt, At: now}
}

// IfUnchanged holds if there is a record of the version, the expiry and the lease that were seen. It is the condition
// of collection where the record was read: a session that was committed, extended, shortened, leased or released since
// does not meet it.
func IfUnchanged(seen Record) Condition {
	return Condition{
		Kind: KindUnchanged, Version: seen.Version, At: seen.ExpiresAt,
		LeaseID: seen.Lease.ID, LeaseExpiresAt: seen.Lease.ExpiresAt,
	}
}

// Holds judges the condition on the stored record, nil for none. It is the definition of each condition, and what
// drivers use whose engine runs in the same process.
func (c Condition) Holds(current *Record) bool {
	switch c.Kind {
	case KindAlways:
		return true
	case KindAbsent:
		return current == nil || current.Expired(c.At)
	}
	if current == nil {
		return false
	}
	switch c.Kind {
	case KindLive:
		return !current.Expired(c.At)
	case KindVersion:
		return current.Version == c.Version && !current.Expired(c.At)
	case KindVersionAndLease:
		return current.Version == c.Version && current.Lease.ID == c.LeaseID && !current.Expired(c.At)
	case KindLease:
		return current.Lease.ID == c.LeaseID
	case KindExpiredAndFree:
		return current.Lease.Free() && current.Expired(c.At)
	case KindFree:
		return current.Lease.Free() && current.Live(c.At)
	case KindFreeOrUnchanged:
		return (current.Lease.Free() || c.sameLease(current)) && current.Live(c.At)
	case KindUnchanged:
		return current.Version == c.Version && current.ExpiresAt.Equal(c.At) &&
			(current.Lease.Free() && c.LeaseID == "" || c.sameLease(current))
	default:
		return false
	}
}

// sameLease reports whether the record has the lease that was seen, neither renewed nor released since.
func (c Condition) sameLease(current *Record) bool {
	return current.Lease.ID == c.LeaseID && current.Lease.ExpiresAt.Equal(c.LeaseExpiresAt)
}

// Validate reports a condition that no function of this package makes, such as one without the version it is about.
// Drivers call it before anything else, so that a mistake never becomes a write.
func (c Condition) Validate() error {
	needsVersion := c.Kind == KindVersion || c.Kind == KindVersionAndLease || c.Kind == KindUnchanged
	needsLease := c.Kind == KindLease || c.Kind == KindVersionAndLease || c.Kind == KindFreeOrUnchanged
	switch {
	case c.Kind > lastKind:
		return fmt.Errorf("storage: unknown kind of condition %d", c.Kind)
	case needsVersion && c.Version == "":
		return fmt.Errorf("storage: condition %s without a version", c)
	case needsLease && c.LeaseID == "":
		return fmt.Errorf("storage: condition %s without a lease", c)
	}
	return nil
}

// String names the condition without its values.
func (c Condition) String() string {
	switch c.Kind {
	case KindAlways:
		return "always"
	case KindLive:
		return "live"
	case KindAbsent:
		return "absent or expired"
	case KindVersion:
		return "version"
	case KindVersionAndLease:
		return "version and lease"
	case KindLease:
		return "lease"
	case KindExpiredAndFree:
		return "expired and free"
	case KindFree:
		return "free"
	case KindFreeOrUnchanged:
		return "free or lease unchanged"
	case KindUnchanged:
		return "unchanged"
	default:
		return "unknown"
	}
}
