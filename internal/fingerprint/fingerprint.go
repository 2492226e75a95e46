// Package fingerprint names sessions where others look on.
package fingerprint

import (
	"crypto/sha256"
	"encoding/hex"
)

// Prefix begins a fingerprint, and Digits hexadecimal digits follow.
const (
	Prefix = "sha256:"
	Digits = 16
)

// Of tells a session apart from others without telling its key: Prefix and the beginning of the hash of the key, from
// which a token of random letters cannot be found.
func Of(key string) string {
	hash := sha256.Sum256([]byte(key))
	return Prefix + hex.EncodeToString(hash[:])[:Digits]
}
