package keys

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Key is a setting. See [All].
type Key struct {
	// Name is the key as errors and config.With have it, such as "lease.duration". In a file, the parts between the
	// dots are nested.
	Name string
	// Kind says how values are written.
	Kind Kind
	// Default is the default as it is written in a file, empty where there is none.
	Default string
	// Otherwise says in words what holds where the key is not set and has no default.
	Otherwise string
	// Unit is what a number counts. Durations carry their unit with them.
	Unit string
	// Choices are the values of a choice.
	Choices []string
	// Secret says that the value is shown to nobody.
	Secret bool
	// Doc says what the key does, in sentences.
	Doc string
	// Option names what the key stands for in Go.
	Option string
	// Example is a value for those that have no default.
	Example string

	// Fallback is the default as it is kept, nil for none.
	Fallback any
	// Least and Most bound numbers and durations. 0 for both means no bound.
	Least, Most int64
	// Empty says that an empty text is a value.
	Empty bool
	// Check says what else is wrong with a value, and is empty for nothing.
	Check func(value any) string
}

// Kind says how the values of a key are written.
type Kind string

// The kinds.
const (
	Text     Kind = "text"     // one line
	Choice   Kind = "choice"   // one of a few words
	Duration Kind = "duration" // whole or decimal numbers with units: 500ms, 1h30m, 30d
	Integer  Kind = "integer"  // 10
	Number   Kind = "number"   // 10 or 12.5
	Boolean  Kind = "boolean"  // true or false
	List     Kind = "list"     // [a, b] in a file, a,b in the environment
	Map      Kind = "map"      // {a: b, c: d} in a file, a=b,c=d in the environment
)

// Env returns the name of the environment variable that sets the key.
func (k Key) Env() string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
}

// Allowed says in words which values are allowed, beyond what the kind says. It may be empty.
func (k Key) Allowed() string {
	var number func(int64) string
	switch k.Kind {
	case Choice:
		return strings.Join(k.Choices, ", ")
	case Boolean:
		return "true, false"
	case Duration:
		number = func(n int64) string { return FormatDuration(time.Duration(n)) }
	case Integer, Number:
		number = func(n int64) string { return fmt.Sprint(n) }
	default:
		return ""
	}
	switch {
	case k.Most != 0:
		return number(k.Least) + " to " + number(k.Most)
	case k.Least != 0:
		return "at least " + number(k.Least)
	default:
		return ""
	}
}

// outOfRange says why a number, or a duration in nanoseconds, is not allowed.
func (k Key) outOfRange(n float64, text string) string {
	most := float64(k.Most)
	if k.Most == 0 {
		most = math.Inf(1)
	}
	switch {
	case n >= float64(k.Least) && n <= most:
		return ""
	case k.Most == 0 && k.Least == 0:
		return fmt.Sprintf("%s must not be negative", text)
	default:
		return fmt.Sprintf("%s is out of range; allowed: %s", text, k.Allowed())
	}
}

// All returns all keys, in the order of the documentation.
func All() []Key { return slices.Clone(schema) }

// Find returns the key of that name.
func Find(name string) (Key, bool) {
	i, ok := keyIndex[name]
	if !ok {
		return Key{}, false
	}
	return schema[i], true
}

// OfVariable returns the key that an environment variable sets.
func OfVariable(variable string) (Key, bool) {
	i, ok := envIndex[variable]
	if !ok {
		return Key{}, false
	}
	return schema[i], true
}

var (
	schema   = newSchema()
	keyIndex = func() map[string]int {
		index := map[string]int{}
		for i, key := range schema {
			index[key.Name] = i
		}
		return index
	}()
	envIndex = func() map[string]int {
		index := map[string]int{}
		for i, key := range schema {
			index[key.Env()] = i
		}
		return index
	}()
	// Sections are the names that stand before a dot.
	Sections = func() map[string]bool {
		names := map[string]bool{}
		for _, key := range schema {
			for i, c := range key.Name {
				if c == '.' {
					names[key.Name[:i]] = true
				}
			}
		}
		return names
	}()
)

// Names are those of all keys and sections.
var Names = func() []string {
	all := slices.Sorted(maps.Keys(Sections))
	for _, key := range schema {
		all = append(all, key.Name)
	}
	return all
}()
