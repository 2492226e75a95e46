package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// step is the tests of one package, or some of them.
type step struct {
	pkg   string
	flags []string      // for the test binary
	skip  string        // the tests that are left out
	limit time.Duration // how long they may take
}

func newStep(words []string) *step {
	s := &step{pkg: words[0], limit: time.Hour}
	s.flags = []string{"-test.short", "-test.failfast"}
	for _, flag := range words[1:] {
		if skip, ok := strings.CutPrefix(flag, "-skip="); ok {
			s.skip = skip
			continue
		}
		s.flags = append(s.flags, "-test."+strings.TrimPrefix(flag, "-"))
	}
	return s
}

func (s *step) String() string {
	return strings.Join(append([]string{s.pkg, "-skip=" + s.skip}, s.flags...), " ")
}

// compile compiles the tests of the step into dir.
func (s *step) compile(dir, overlay string) (string, error) {
	path := filepath.Join(dir, strings.NewReplacer("/", "_", ".", "_").Replace(s.pkg)+".test")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	// Neither vet nor debugging information: they take longer than the compiler.
	args := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", path, s.pkg}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil { //nolint:noctx // Our own.
		return "", fmt.Errorf("%s does not compile: %w\n%s", s.pkg, err, out)
	}
	return path, nil
}

var failure = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)

// run runs the tests with a mutant switched on, 0 for none. The error is what has failed, or that they took too long. A
// test must fail twice: timed ones may fail where the machine has too much to do.
func (s *step) run(binary string, id int) error {
	skip := s.skip
	for {
		test, err := s.runOnce(binary, id, "-test.skip="+skip)
		if err == nil || test == "" {
			return err
		}
		if _, err = s.runOnce(binary, id, "-test.run=^"+test+"$"); err != nil {
			return err
		}
		skip = strings.TrimPrefix(skip+"|^"+test+"$", "|")
	}
}

// runOnce also returns the first test that has failed.
func (s *step) runOnce(binary string, id int, flag string) (test string, _ error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.limit)
	defer cancel()
	var out bytes.Buffer
	tests := exec.CommandContext(ctx, binary, append(slices.Clone(s.flags), "-test.timeout=0", flag)...)
	tests.Dir, tests.Stdout, tests.Stderr = s.pkg, &out, &out
	tests.Env = append(os.Environ(), "MUTANT="+strconv.Itoa(id))
	tests.WaitDelay = time.Second // what it has started may keep its output open
	err := tests.Run()
	if ctx.Err() != nil {
		return "", fmt.Errorf("%s takes longer than %v", s.pkg, s.limit.Round(time.Second))
	}
	if err == nil {
		return "", nil
	}
	if found := failure.FindSubmatch(out.Bytes()); found != nil {
		test = string(found[1])
	}
	return test, fmt.Errorf("%s %s: %w", s.pkg, test, err)
}

// overlay writes what tells go to take other text for some files, into dir.
func overlay(dir string, changed map[string][]byte) (string, error) {
	replace := map[string]string{}
	for name, text := range changed {
		source, err := filepath.Abs(name)
		if err != nil {
			return "", err
		}
		replace[source] = filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(replace[source], text, 0o600); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, text, 0o600)
}
