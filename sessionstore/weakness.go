package sessionstore

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Bounds that random bytes do not reach: of 10¹⁰ secrets of 32 bytes, hardly one is refused by any of them.
const (
	minDifferent   = MinSecretBytes / 2 // so many different bytes, and so many different steps from one to the next
	maxOfOne       = 4                  // no byte is more than one in so many
	maxUnprintable = 16                 // text has less than one byte in so many that cannot be typed
)

// weaknessOf says why bytes are no secret, empty where they may be random. It knows some of what people take for random
// and is not: it cannot know what was derived from a password, or published, nor words of every language.
func weaknessOf(secret []byte) string {
	switch {
	case len(secret) < MinSecretBytes:
		return fmt.Sprintf("has %d bytes; at least %d random bytes are needed%s", len(secret), MinSecretBytes, makeSecret)
	case isText(secret):
		return "is text, which can be guessed; if it is a random secret in base64 or hexadecimal, give the bytes that it " +
			"stands for: " +
			"see sessionstore.ParseSecret" + makeSecret
	case repeats(secret):
		return "repeats a short piece, so it is not random" + makeSecret
	case !varied(secret):
		return "has too little variety to be random" + makeSecret
	case typed(secret):
		return "reads as typed: words, neighbouring keys, counting, or digits alone" + makeSecret
	default:
		return ""
	}
}

// isText reports whether bytes come from a keyboard: nearly all are printable ASCII, or all are printable UTF-8.
func isText(b []byte) bool {
	odd := 0
	for _, one := range b {
		if one > '~' || one < ' ' && one != '\t' && one != '\n' && one != '\r' {
			odd++
		}
	}
	if odd*maxUnprintable < len(b) {
		return true
	}
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError || !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return false
		}
		b = b[size:]
	}
	return true
}

// repeats reports whether the bytes are a piece that is shorter than a secret, again and again.
func repeats(b []byte) bool {
	for period := 1; period < MinSecretBytes && 2*period <= len(b); period++ {
		i := period
		for i < len(b) && b[i] == b[i-period] {
			i++
		}
		if i == len(b) {
			return true
		}
	}
	return false
}

// varied reports whether there are enough different bytes, none of them too often, and enough different steps between
// them.
func varied(b []byte) bool {
	var bytes, steps [256]int
	for i, one := range b {
		bytes[one]++
		if i > 0 {
			steps[one-b[i-1]]++
		}
	}
	for _, n := range bytes {
		if n*maxOfOne > len(b) {
			return false
		}
	}
	return different(bytes) >= minDifferent && different(steps) >= minDifferent
}

func different(counts [256]int) int {
	n := 0
	for _, count := range counts {
		if count > 0 {
			n++
		}
	}
	return n
}
