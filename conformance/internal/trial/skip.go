package trial

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Skips are the cases that the caller of a suite leaves out, with the reason: single ones, such as "D-CTX-01", and all
// whose ids begin so, such as "D-CTX".
type Skips map[string]string

// Reason returns why the case of that id is left out, or nothing.
func (s Skips) Reason(id string) string {
	for _, ids := range slices.Sorted(maps.Keys(s)) {
		if covers(ids, id) {
			return s[ids]
		}
	}
	return ""
}

// covers reports whether ids stands for the case of that id. "B1" does not stand for B10.
func covers(ids, id string) bool {
	rest, begins := strings.CutPrefix(id, ids)
	digit := func(s string, at int) bool { return at >= 0 && at < len(s) && '0' <= s[at] && s[at] <= '9' }
	return begins && ids != "" && (!digit(rest, 0) || !digit(ids, len(ids)-1))
}

// Check returns what is wrong with the skips of a suite with these cases.
func (s Skips) Check(cases []Case) error {
	var problems []error
	for _, ids := range slices.Sorted(maps.Keys(s)) {
		if s[ids] == "" {
			problems = append(problems, fmt.Errorf("case %q is skipped without a reason", ids))
		}
		if !slices.ContainsFunc(cases, func(c Case) bool { return covers(ids, c.ID) }) {
			problems = append(problems, fmt.Errorf("there is no case %q to skip", ids))
		}
	}
	return errors.Join(problems...)
}
