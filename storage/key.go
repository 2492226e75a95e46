package storage

import (
	"strings"
	"unicode/utf8"
)

// ValidKey reports whether key has 1 to limit bytes of valid UTF-8 without NUL: what every driver asks of a key, each
// with its own limit.
func ValidKey(key string, limit int) bool {
	return key != "" && len(key) <= limit && utf8.ValidString(key) && !strings.Contains(key, "\x00")
}
