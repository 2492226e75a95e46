package storage

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// ValidKey reports whether key has 1 to limit bytes of valid UTF-8 without NUL: what every driver asks of a key, each
// with its own limit.
func ValidKey(key string, limit int) bool {
	return key != "" && len(key) <= limit && utf8.ValidString(key) && !strings.Contains(key, "\x00")
}

// Validate reports what makes it impossible to Put the record under any condition. Drivers call it before anything
// else; keyLimit is the length of the longest key that they can hold.
func (r Record) Validate(keyLimit int) error {
	switch {
	case !ValidKey(r.Key, keyLimit):
		return ErrInvalidKey
	case r.Version == "":
		return errors.New("storage: a record without a version; draw one with NewVersion")
	default:
		return nil
	}
}

// Validate reports a lease that cannot be acquired. Drivers call it before anything else.
func (l Lease) Validate() error {
	if l.Free() {
		return errors.New("storage: an acquisition without an ID")
	}
	return nil
}
