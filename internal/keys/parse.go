package keys

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Parse reads the text of a value that is not a list or a map. Quoting the value is left out for secrets.
func (k Key) Parse(text string) (value any, wrong string) {
	if k.Secret {
		return parseSecret(text)
	}
	if text == "" && !k.Empty {
		return nil, "an empty value; leave the key out for the default"
	}
	switch k.Kind {
	case Text:
		value, wrong = parseText(text)
	case Choice:
		value, wrong = parseChoice(text, k.Choices)
	case Duration:
		value, wrong = parseDuration(text)
	case Integer:
		value, wrong = ParseInteger(text)
	case Number:
		value, wrong = ParseNumber(text)
	case Boolean:
		value, wrong = parseBoolean(text)
	default:
		return nil, fmt.Sprintf("must be a %s, not a single value", k.Kind)
	}
	if wrong == "" {
		wrong = k.judge(value, text)
	}
	return value, wrong
}

// ParseList reads the items of a list.
func (k Key) ParseList(items []string) (any, string) {
	for i, item := range items {
		if k.Secret {
			if _, wrong := parseSecret(item); wrong != "" {
				return nil, fmt.Sprintf("item %d: %s", i+1, wrong)
			}
			continue
		}
		if item == "" {
			return nil, fmt.Sprintf("item %d is empty", i+1)
		}
		if _, wrong := parseText(item); wrong != "" {
			return nil, fmt.Sprintf("item %d: %s", i+1, wrong)
		}
		if slices.Contains(items[:i], item) {
			if strings.HasPrefix(k.Name, SecretSection+".") {
				return nil, fmt.Sprintf("item %d is there twice", i+1)
			}
			return nil, fmt.Sprintf("item %d, %s, is there twice", i+1, Quote(item))
		}
	}
	if k.Secret {
		secrets := make([]Secret, len(items))
		for i, item := range items {
			secrets[i], _ = ParseSecret(item)
		}
		return secrets, ""
	}
	return items, k.judge(items, "")
}

// ParseMap checks the entries of a map.
func (k Key) ParseMap(entries map[string]string) (any, string) {
	for name, text := range entries {
		if name == "" {
			return nil, "a name is empty"
		}
		for _, part := range []string{name, text} {
			if _, wrong := parseText(part); wrong != "" {
				return nil, wrong
			}
		}
	}
	return entries, k.judge(entries, "")
}

// ParseLine reads a value that stands in one line, lists and maps included: a,b and a=b,c=d. An empty line is an empty
// list or map.
func (k Key) ParseLine(text string) (any, string) {
	if k.Kind != List && k.Kind != Map {
		return k.Parse(text)
	}
	var items []string
	if text != "" {
		items = strings.Split(text, ",")
	}
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	if k.Kind == List {
		return k.ParseList(slices.Concat([]string{}, items))
	}
	entries := map[string]string{}
	for _, item := range items {
		name, value, ok := strings.Cut(item, "=")
		if !ok {
			return nil, "must have names and values, such as team=web,stage=test"
		}
		if _, twice := entries[name]; twice {
			return nil, Quote(name) + " is there twice"
		}
		entries[name] = value
	}
	return k.ParseMap(entries)
}

// judge says what is wrong with a value that was understood.
func (k Key) judge(value any, text string) string {
	var wrong string
	switch v := value.(type) {
	case time.Duration:
		wrong = k.outOfRange(float64(v), text)
	case int64:
		wrong = k.outOfRange(float64(v), text)
	case float64:
		wrong = k.outOfRange(v, text)
	}
	if wrong == "" && k.Check != nil {
		wrong = k.Check(value)
	}
	return wrong
}

// longestText bounds a text: no name, path or prefix is longer.
const longestText = 4096

func parseText(text string) (any, string) {
	switch {
	case len(text) > longestText:
		return nil, fmt.Sprintf("a text of %d bytes; at most %d are possible", len(text), longestText)
	case !utf8.ValidString(text):
		return nil, "the text is not valid UTF-8"
	case strings.ContainsFunc(text, unicode.IsControl):
		return nil, "the text has line breaks or other control characters"
	}
	return text, ""
}

func parseChoice(text string, choices []string) (any, string) {
	if slices.Contains(choices, text) {
		return text, ""
	}
	return nil, fmt.Sprintf("%s is none of %s", Quote(text), strings.Join(choices, ", ")) + DidYouMean(text, "-", choices)
}

func parseBoolean(text string) (any, string) {
	switch text {
	case "true":
		return true, ""
	case "false":
		return false, ""
	default:
		return nil, Quote(text) + " is not true or false"
	}
}

var (
	decimal      = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	octal        = regexp.MustCompile(`^-?0[0-9]+$`)
	fraction     = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)
	durationPart = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(ns|us|µs|μs|ms|s|m|h|d)`)
)

// ParseInteger reads a whole number.
func ParseInteger(text string) (any, string) {
	if octal.MatchString(text) {
		return nil, fmt.Sprintf("%s begins with a zero, which some read as octal; write %s", Quote(text), withoutZeros(text))
	}
	if !decimal.MatchString(text) {
		return nil, Quote(text) + " is not a whole decimal number such as 10"
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, Quote(text) + " is too large"
	}
	return n, ""
}

// ParseNumber reads a number.
func ParseNumber(text string) (any, string) {
	if octal.MatchString(text) {
		return nil, fmt.Sprintf("%s begins with a zero, which some read as octal; write %s", Quote(text), withoutZeros(text))
	}
	if !fraction.MatchString(text) {
		return nil, Quote(text) + " is not a decimal number such as 10 or 12.5"
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n > math.MaxInt64 || n < -math.MaxInt64 {
		return nil, Quote(text) + " is too large"
	}
	return n, ""
}

func withoutZeros(text string) string {
	digits, negative := strings.CutPrefix(text, "-")
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		digits = "0"
	}
	if negative {
		digits = "-" + digits
	}
	return Quote(digits)
}

// units are those of Go, and a day of 24 hours.
var units = map[string]time.Duration{
	"ns": time.Nanosecond,
	"us": time.Microsecond, "µs": time.Microsecond, "μs": time.Microsecond,
	"ms": time.Millisecond,
	"s":  time.Second,
	"m":  time.Minute,
	"h":  time.Hour,
	"d":  24 * time.Hour,
}

// parseDuration reads durations such as 500ms, 1h30m and 30d. Each number needs a unit, also 0.
func parseDuration(text string) (any, string) {
	rest, negative := strings.CutPrefix(text, "-")
	if fraction.MatchString(rest) {
		return nil, fmt.Sprintf("%s has no unit; write %[1]sms, %[1]ss, %[1]sm, %[1]sh or %[1]sd", Shorten(text, 20))
	}
	var total float64
	var exact time.Duration
	for first := true; first || rest != ""; first = false {
		part := durationPart.FindStringSubmatch(rest)
		if part == nil {
			return nil, Quote(text) + " is not a duration such as 500ms, 30s, 5m, 1h30m or 30d"
		}
		rest = rest[len(part[0]):]
		digits, decimals, _ := strings.Cut(part[1], ".")
		whole, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return nil, Quote(text) + " is too long"
		}
		beyond, _ := strconv.ParseFloat("0."+decimals+"0", 64)
		unit := units[part[2]]
		if total += (float64(whole) + beyond) * float64(unit); total > math.MaxInt64/2 {
			return nil, Quote(text) + " is too long"
		}
		exact += time.Duration(whole)*unit + time.Duration(math.Round(beyond*float64(unit)))
	}
	if negative {
		exact = -exact
	}
	return exact, ""
}

// FormatDuration writes a duration as parseDuration reads it.
func FormatDuration(d time.Duration) string {
	switch day := 24 * time.Hour; {
	case d == 0:
		return "0s"
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String() // such as 1h0m0s
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Format writes a value as it is written in the environment, and, but for lists and maps, in a file.
func Format(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case time.Duration:
		return FormatDuration(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []string:
		return strings.Join(v, ",")
	case map[string]string:
		entries := make([]string, 0, len(v))
		for name, text := range v {
			entries = append(entries, name+"="+text)
		}
		slices.Sort(entries)
		return strings.Join(entries, ",")
	case Secret:
		return redacted
	case []Secret:
		if len(v) == 0 {
			return ""
		}
		return fmt.Sprintf("%s (%d)", redacted, len(v))
	default:
		return fmt.Sprint(v)
	}
}

// Quote shows a value, shortened, and without a secret.
func Quote(text string) string { return strconv.Quote(Shorten(Shown(text), 40)) }

// Printable is the text in one line, without control characters.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// Shorten returns at most so many bytes of a text, with an ellipsis for the rest.
func Shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

var method = regexp.MustCompile(`^[A-Z]+$`)

func checkMethods(value any) string {
	for _, text := range value.([]string) {
		if !method.MatchString(text) {
			return Quote(text) + " is not an HTTP method such as GET; they are written in capitals"
		}
	}
	return ""
}

// checkPath refuses what nobody has meant: an escape has become it, or it was copied along. It does not repeat it:
// where there is no such file, a secret may be in its place.
func checkPath(value any) string {
	paths, _ := value.([]string)
	if path, ok := value.(string); ok {
		paths = []string{path}
	}
	for _, path := range paths {
		if strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return "the path has characters that cannot be seen"
		}
	}
	return ""
}

// checkInstant accepts nothing that could be meant in another time zone. It is for keys beside secrets, and repeats
// nothing.
func checkInstant(value any) string {
	if _, err := time.Parse(time.RFC3339, value.(string)); err != nil {
		return "not an instant with its time zone, such as 2030-01-31T12:00:00Z"
	}
	return ""
}

// checkEndpoint never shows the URL: there may be a password in it.
func checkEndpoint(value any) string {
	u, err := url.Parse(value.(string))
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return "not a URL such as http://127.0.0.1:8000"
	case u.User != nil:
		return "the URL has a user or password in it; credentials are the AWS SDK's matter"
	case u.RawQuery != "" || u.Fragment != "":
		return "the URL has a query or fragment; only scheme, host, port and path are used"
	}
	return ""
}

var region = regexp.MustCompile(`^[A-Za-z0-9]+([_-][A-Za-z0-9]+)*$`)

// IsRegion reports whether an AWS Region may be called so, or what stands for one at another endpoint.
func IsRegion(name string) bool { return region.MatchString(name) }

func checkRegion(value any) string {
	if text := value.(string); !IsRegion(text) {
		return Quote(text) + " is not the name of an AWS Region such as eu-central-1"
	}
	return ""
}
