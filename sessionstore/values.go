package sessionstore

import (
	"bytes"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/equal"
)

// sameValues reports whether two encodings hold the same session. Bytes do not tell: gob writes maps in random order.
// What cannot be decoded is not the same.
func sameValues(codec scs.Codec, a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	deadlineA, valuesA, errA := codec.Decode(a)
	deadlineB, valuesB, errB := codec.Decode(b)
	if errA != nil || errB != nil || !deadlineA.Equal(deadlineB) {
		return false
	}
	return len(valuesA) == 0 && len(valuesB) == 0 || sameValue(valuesA, valuesB)
}

func sameValue(a, b any) bool { return equal.Values(a, b) }
