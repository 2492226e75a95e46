package keys

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// LongestName bounds the names that are looked for, and shown: beyond it, a name is not a slip of the pen.
const LongestName = 64

// Unknown says that a name is not known, with the one that was probably meant. Parts are between the separators.
func Unknown(what, name, separator string, known []string) string {
	if len(name) > LongestName {
		return "unknown " + what
	}
	if len(name) >= sessionstore.MinSecretBytes && !lettersAlone(name) { // It may be a secret, or a token.
		return UnknownHidden(what, name, separator, known)
	}
	return fmt.Sprintf("unknown %s %q", what, name) + DidYouMean(name, separator, known)
}

// lettersAlone reports whether a name is made as those of keys are.
func lettersAlone(name string) bool { return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_.") == "" }

// UnknownHidden is unknown for a name that is not to be shown.
func UnknownHidden(what, name, separator string, known []string) string {
	return "unknown " + what + DidYouMean(name, separator, known)
}

// DidYouMean asks for the known name that was probably meant, and is empty where there is none.
func DidYouMean(name, separator string, known []string) string {
	if len(name) > LongestName {
		return ""
	}
	if meant := Nearest(name, separator, known); meant != "" {
		return fmt.Sprintf("; did you mean %s?", meant)
	}
	return ""
}

// Nearest returns the known name that differs from name by a slip of the pen, or by missing or wrong parts before the
// last. It is empty where there is none, or where the missing parts could be many.
func Nearest(name, separator string, known []string) string {
	best, distance := "", len(name)/3+1
	lower := strings.ToLower(name)
	for _, candidate := range known {
		if d := edits(lower, strings.ToLower(candidate), min(distance, 4)); d < min(distance, 4) {
			best, distance = candidate, d
		}
	}
	if best != "" {
		return best
	}
	last := lower[strings.LastIndex(lower, separator)+1:]
	var ends []string
	for _, candidate := range known {
		if strings.HasSuffix(strings.ToLower(candidate), separator+last) {
			ends = append(ends, candidate)
		}
	}
	if len(ends) == 1 {
		return ends[0]
	}
	return ""
}

// edits counts the letters to insert, remove, change or swap to get from a to b, up to limit. (Optimal string
// alignment.) b has at most LongestName letters.
func edits(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	var rows [3][LongestName + 1]int // No allocation: a file of rubbish has many names.
	before, above, row := rows[0][:len(b)+1], rows[1][:len(b)+1], rows[2][:len(b)+1]
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := above[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		if slices.Min(row) >= limit {
			return limit
		}
		before, above, row = above, row, before
	}
	return min(above[len(b)], limit)
}
