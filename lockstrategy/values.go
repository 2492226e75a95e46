package lockstrategy

import (
	"time"

	"github.com/scsdynamo/scsdynamo/internal/equal"
)

// Value is one value of a session, or its absence.
type Value struct {
	// Value is what the session manager's codec made of it.
	Value any
	// Present is whether there is one: a value can be removed, too.
	Present bool
}

// SameKey decides about a value that two requests have changed since they read it: base is what both have read, ours
// what the request that commits now has made of it, theirs what the other one has stored. Both may have made the same
// of it. What it returns is stored. It must not keep or change what it is given, and may be called again for one
// commit. An error refuses the commit.
type SameKey func(key string, base, ours, theirs Value) (Value, error)

// Ours keeps what the later commit made of the value, as plain scs does with the whole session.
func Ours(_ string, _, ours, _ Value) (Value, error) { return ours, nil }

// Theirs keeps what was stored first.
func Theirs(_ string, _, _, theirs Value) (Value, error) { return theirs, nil }

// contents is a session as it was read, committed or stored.
type contents struct {
	deadline  time.Time
	expiresAt time.Time
	values    map[string]any
}

// merged returns ours with what theirs has changed since base. ours is changed.
func merged(base, ours, theirs contents, sameKey SameKey) (contents, error) {
	if ours.values == nil {
		ours.values = map[string]any{} // scs cannot put anything into a session that decodes to none
	}
	for key := range keysOf(base.values, ours.values, theirs.values) {
		was, our, their := valueOf(base, key), valueOf(ours, key), valueOf(theirs, key)
		switch {
		case same(was, their):
		case same(was, our):
			ours.set(key, their)
		default:
			kept, err := sameKey(key, was, our, their)
			if err != nil {
				return contents{}, err
			}
			ours.set(key, kept)
		}
	}
	ours.expiresAt = mergedExpiry(base, ours, theirs)
	ours.deadline = mergedDeadline(base, ours, theirs)
	if ours.expiresAt.After(ours.deadline) {
		ours.expiresAt = ours.deadline
	}
	return ours, nil
}

// isThere returns errConflict unless theirs has all that ours has changed, and would have if it were merged with it
// once more. It must also have the values in attempted as ours has them: ours may have taken a change back that is
// stored.
func isThere(base, ours, theirs contents, attempted map[string]struct{}, sameKey SameKey) error {
	for key := range keysOf(base.values, ours.values, theirs.values) {
		was, our, their := valueOf(base, key), valueOf(ours, key), valueOf(theirs, key)
		if _, tried := attempted[key]; !tried && same(was, our) {
			continue
		}
		kept, err := sameKey(key, was, our, their)
		if err != nil {
			return err
		}
		if !same(our, their) || !same(kept, our) {
			return errConflict
		}
	}
	return nil
}

// mergedDeadline is the deadline that one of the two has changed. Where both have, the earlier one holds: what was
// meant to end must not live on because of another request.
func mergedDeadline(base, ours, theirs contents) time.Time {
	switch {
	case theirs.deadline.Equal(base.deadline):
		return ours.deadline
	case ours.deadline.Equal(base.deadline) || theirs.deadline.Before(ours.deadline):
		return theirs.deadline
	default:
		return ours.deadline
	}
}

// mergedExpiry is the later of the two: both requests were signs of life. A request that has made the session end
// sooner has meant it.
func mergedExpiry(base, ours, theirs contents) time.Time {
	if theirs.expiresAt.Before(base.expiresAt) || theirs.expiresAt.After(ours.expiresAt) {
		return theirs.expiresAt
	}
	return ours.expiresAt
}

func valueOf(c contents, key string) Value {
	value, present := c.values[key]
	return Value{Value: value, Present: present}
}

func (c *contents) set(key string, value Value) {
	if !value.Present {
		delete(c.values, key)
		return
	}
	c.values[key] = value.Value
}

func same(a, b Value) bool { return a.Present == b.Present && equal.Values(a.Value, b.Value) }

func keysOf(maps ...map[string]any) map[string]struct{} {
	keys := map[string]struct{}{}
	for _, m := range maps {
		for key := range m {
			keys[key] = struct{}{}
		}
	}
	return keys
}
