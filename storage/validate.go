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

// ValidatePut reports what makes a Put impossible whatever is stored. Drivers call it before anything else; keyLimit is
// the length of the longest key that they can hold.
func ValidatePut(record Record, condition Condition, keyLimit int) error {
	switch {
	case !ValidKey(record.Key, keyLimit):
		return ErrInvalidKey
	case record.Version == "":
		return errors.New("storage: a record without a version; draw one with NewVersion")
	default:
		return condition.Validate()
	}
}

// ValidateAcquire reports what makes an Acquire impossible whatever is stored. Drivers call it before anything else.
func ValidateAcquire(lease Lease, condition Condition) error {
	if lease.Free() {
		return errors.New("storage: an acquisition without an ID")
	}
	return condition.Validate()
}
