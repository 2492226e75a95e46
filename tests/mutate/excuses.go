package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// excuses are the reasons for mutants that no test can notice, one a line: the file, the line of code, what is changed,
// and the reason, with " -- " between.
type excuses map[excuse]string

type excuse struct{ file, code, what string }

func readExcuses(name string) (excuses, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	all := excuses{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.SplitN(line, " -- ", 4)
		if len(parts) < 4 {
			return nil, fmt.Errorf("%s: %q: not a file, code, change and reason", name, line)
		}
		all[excuse{parts[0], parts[1], parts[2]}] = parts[3]
	}
	return all, nil
}

func (e excuses) of(m mutant) (reason string, ok bool) {
	reason, ok = e[excuse{m.file.name, m.code, m.what}]
	return reason, ok
}

// check says which excuses for these files are for no mutant.
func (e excuses) check(files []string, all []mutant) error {
	exist := map[excuse]bool{}
	for _, m := range all {
		exist[excuse{m.file.name, m.code, m.what}] = true
	}
	var stale []error
	for key := range e {
		if slices.Contains(files, key.file) && !exist[key] {
			stale = append(stale, fmt.Errorf("%s: there is no mutant %q of %q any more: remove its excuse", key.file,
				key.what, key.code))
		}
	}
	return errors.Join(stale...)
}
