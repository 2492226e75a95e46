package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// The kinds of places that values come from.
const (
	fromDefault     = ""
	fromFile        = "file"
	fromEnvironment = "environment"
	fromCode        = "code"
	fromAWS         = "aws"
)

// precedence orders the places: a later one wins over an earlier one.
var precedence = []string{fromDefault, fromFile, fromEnvironment, fromCode}

// Source says where a value was set. The zero value means that it is the default.
type Source struct {
	// Kind is "file", "environment" or "code", "aws" for what the AWS SDK has read, and empty for a default.
	Kind string
	// Name is the file, the environment variable, or the flag of [WithFlag]. It is empty for the others.
	Name string
	// Line is the line in the file, counted from 1. 0 means the file as a whole.
	Line int
}

// IsDefault reports whether the value was set nowhere.
func (s Source) IsDefault() bool { return s.Kind == fromDefault }

// rank is larger for a place of higher precedence.
func (s Source) rank() int { return slices.Index(precedence, s.Kind) }

// String returns the place as errors show it, such as "config/scsdynamo.yaml:3".
func (s Source) String() string {
	name := keys.Printable(s.Name)
	switch s.Kind {
	case fromFile:
		if s.Line == 0 {
			return name
		}
		return fmt.Sprintf("%s:%d", name, s.Line)
	case fromEnvironment:
		return name
	case fromCode:
		return cmp.Or(name, "code")
	case fromAWS:
		return "AWS"
	default:
		return "default"
	}
}

// compare puts sources in the order in which people look at them: the file by line, the environment by name, code, and
// last the defaults.
func (s Source) compare(other Source) int {
	switch {
	case s.IsDefault() != other.IsDefault():
		return cmp.Compare(other.rank(), s.rank())
	case s.Kind != other.Kind:
		return cmp.Compare(s.rank(), other.rank())
	default:
		return cmp.Or(cmp.Compare(s.Name, other.Name), cmp.Compare(s.Line, other.Line))
	}
}

// MarshalText implements encoding.TextMarshaler.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Problem is one mistake, or something that is allowed but should be changed: see [Config.Warnings].
type Problem struct {
	// Source is where it was made: for keys that do not go together, where one of them was set.
	Source Source
	// Key is the key, or the section of keys, that it is about. It is empty if it is about no known key.
	Key string
	// Text says what is wrong. It never contains a secret.
	Text string
	// Fix says what to do about it, where Text does not.
	Fix string
	// Err is the cause, such as fs.ErrNotExist for a file, or nil.
	Err error
}

// String returns the problem in one line: source, key, text and fix.
func (p Problem) String() string {
	text := p.Text
	if p.Key != "" {
		text = p.Key + ": " + text
	}
	if p.Fix != "" {
		text += "; " + p.Fix
	}
	return p.Source.String() + ": " + text
}

// Error lists everything that is wrong with a configuration.
type Error struct {
	// Problems are the mistakes: those in the file by line, then those in the environment by name, then those in code,
	// then those between defaults. There is at least one.
	Problems []Problem
}

// maxShown bounds the text of an error: a file of rubbish must not become a log of rubbish.
const maxShown = 100

// Error implements error: one line for a single problem, else a line for each, up to 100.
func (e *Error) Error() string {
	if len(e.Problems) == 1 {
		return "config: " + e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "config: %d problems:", len(e.Problems))
	for i, p := range e.Problems {
		if i == maxShown {
			fmt.Fprintf(&b, "\n  and %d more", len(e.Problems)-i)
			break
		}
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// Unwrap makes the causes match.
func (e *Error) Unwrap() []error {
	var errs []error
	for _, p := range e.Problems {
		if p.Err != nil {
			errs = append(errs, p.Err)
		}
	}
	return errs
}

// problems collects what is wrong.
type problems []Problem

func (p *problems) add(source Source, key, format string, args ...any) {
	*p = append(*p, Problem{Source: source, Key: key, Text: fmt.Sprintf(format, args...)})
}

// err returns the error for what was collected, nil for nothing.
func (p *problems) err() error {
	if len(*p) == 0 {
		return nil
	}
	slices.SortStableFunc(*p, func(a, b Problem) int { return a.Source.compare(b.Source) })
	return &Error{Problems: *p}
}
