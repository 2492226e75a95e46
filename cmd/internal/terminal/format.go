package terminal

import (
	"fmt"
	"strconv"
	"time"
)

// Bytes writes a number of bytes for a person, in powers of 1000.
func Bytes(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB"}
	value, unit := float64(n), 0
	for value >= 999.5 && unit < len(units)-1 {
		value /= 1000
		unit++
	}
	if unit == 0 || value >= 99.5 {
		return fmt.Sprintf("%.0f %s", value, units[unit])
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}

// Number writes a number with a space between each three digits.
func Number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + " " + digits[i:]
	}
	return digits
}

// Count writes how many there are of something: "1 session", "2 sessions".
func Count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Number(n) + " " + many
}

// Time writes an instant to the second, in UTC.
func Time(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.UTC().Format("2006-01-02 15:04:05Z")
}

// Duration writes a duration with its two largest units.
func Duration(d time.Duration) string {
	if d < 0 {
		return "-" + Duration(-d)
	}
	switch day := 24 * time.Hour; {
	case d >= day:
		return pair(d, day, "d", time.Hour, "h")
	case d >= time.Hour:
		return pair(d, time.Hour, "h", time.Minute, "m")
	case d >= time.Minute:
		return pair(d, time.Minute, "m", time.Second, "s")
	case d >= time.Second:
		return fmt.Sprintf("%ds", d/time.Second)
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%dms", d/time.Millisecond)
	default:
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	}
}

func pair(d, large time.Duration, largeUnit string, small time.Duration, smallUnit string) string {
	text := fmt.Sprintf("%d%s", d/large, largeUnit)
	if rest := d % large / small; rest > 0 {
		text += fmt.Sprintf("%d%s", rest, smallUnit)
	}
	return text
}

// From writes where an instant is from now: "in 3h12m" or "5m ago".
func From(now, at time.Time) string {
	switch d := at.Sub(now); {
	case d >= 0:
		return "in " + Duration(d)
	default:
		return Duration(-d) + " ago"
	}
}
