package dynamostore

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// Instants are numbers in Unix seconds, with up to nine decimals. As a number they compare exactly in conditions, which
// a count of nanoseconds in 64 bits does not after the year 2262.

// appendInstant appends the instant as a number.
func appendInstant(b []byte, t time.Time) []byte {
	seconds, nanos := t.Unix(), t.Nanosecond()
	if seconds < 0 && nanos > 0 {
		// Unix counts down to the second before; the number's fraction counts away from zero.
		seconds, nanos = seconds+1, 1e9-nanos
		if seconds == 0 {
			b = append(b, '-')
		}
	}
	b = strconv.AppendInt(b, seconds, 10)
	if nanos == 0 {
		return b
	}
	point := len(b)
	b = strconv.AppendInt(b, int64(nanos)+1e9, 10) // ten digits, of which the first becomes the point
	b[point] = '.'
	return bytes.TrimRight(b, "0")
}

func formatInstant(t time.Time) string { return string(appendInstant(nil, t)) }

// appendTTL appends the second at or after the instant, so that DynamoDB never deletes early.
func appendTTL(b []byte, t time.Time) []byte {
	seconds := t.Unix()
	if t.Nanosecond() > 0 {
		seconds++
	}
	return strconv.AppendInt(b, seconds, 10)
}

// The instants that a time.Time can name and that fit in the year of four digits.
const (
	minSeconds = -62135596800 // 0001-01-01T00:00:00Z
	maxSeconds = 253402300799 // 9999-12-31T23:59:59Z
)

// parseInstant reads a number that appendInstant could have written, or that another program wrote in Unix seconds.
func parseInstant(s string) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || seconds < minSeconds || seconds > maxSeconds || len(fraction) > 9 {
		return time.Time{}, false
	}
	var nanos int64
	if fraction != "" {
		n, err := strconv.ParseUint(fraction+"000000000"[len(fraction):], 10, 32)
		if err != nil {
			return time.Time{}, false
		}
		nanos = int64(n)
	}
	if strings.HasPrefix(whole, "-") {
		nanos = -nanos
	}
	return time.Unix(seconds, nanos).UTC(), true
}
