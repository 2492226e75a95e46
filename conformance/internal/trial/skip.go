package trial

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Skips are the cases that the caller of a suite leaves out.
type Skips struct{ list []skip }

type skip struct{ ids, reason string }

// Add leaves out the cases that ids stands for: one, such as "D-CTX-01", or all whose ids begin so, such as "D-CTX".
func (s *Skips) Add(ids, reason string) { s.list = append(s.list, skip{ids, reason}) }

// Reason returns why the case of that id is left out, or nothing.
func (s *Skips) Reason(id string) string {
	for _, skip := range s.list {
		if skip.covers(id) {
			return skip.reason
		}
	}
	return ""
}

// covers reports whether the skip is about the case of that id. "B1" does not stand for B10.
func (s skip) covers(id string) bool {
	rest, begins := strings.CutPrefix(id, s.ids)
	digit := func(s string, at int) bool { return at >= 0 && at < len(s) && '0' <= s[at] && s[at] <= '9' }
	return begins && s.ids != "" && (!digit(rest, 0) || !digit(s.ids, len(s.ids)-1))
}

// Check returns what is wrong with the skips of a suite with these cases.
func (s *Skips) Check(cases []Case) error {
	var problems []error
	for _, skip := range s.list {
		if skip.reason == "" {
			problems = append(problems, fmt.Errorf("WithSkip: case %q is skipped without a reason", skip.ids))
		}
		if !slices.ContainsFunc(cases, func(c Case) bool { return skip.covers(c.ID) }) {
			problems = append(problems, fmt.Errorf("WithSkip: there is no case %q", skip.ids))
		}
	}
	return errors.Join(problems...)
}
