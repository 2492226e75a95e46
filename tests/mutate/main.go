// Command mutate changes one line of the code at a time and runs the tests that should notice. It prints the mutants
// that none has noticed, and exits with 1 where fewer were killed than wanted.
//
//	go run ./tests/mutate -want 92 -sample 100 -test './lockstrategy; ./sessionstore -skip=Conformance' lockstrategy/*.go
//
// The tests are first run on the code as it is: they must pass, and how long they take bounds how long they may take on
// a mutant. A mutant is killed when tests fail or take longer; further steps are for those that have survived.
//
// The tree stays as it is: mutants are compiled through an overlay, all at once, each behind a switch; one by one only
// those that cannot be switched, such as constants. Those that do not compile do not count, and neither do those that
// the file of equivalent mutants excuses. That file must be true: an excuse for no mutant, or for one that is killed,
// is a failure.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

type settings struct {
	sample, workers int
	seed            uint64
	want            float64
	pkg             *pkg
	steps           []*step
	dir             string // has the tests in which mutants are switched
	overlay         string // compiles them
	excuses         excuses
}

func main() {
	var s settings
	steps := flag.String("test", "./...",
		"the steps, each a package and flags for its tests, with semicolons between, the fastest first")
	excused := flag.String("equivalent", "tests/mutate/equivalent.txt",
		"the mutants that change nothing that can be seen, and why")
	match := flag.String("match", "", "a regular expression: only mutants whose description matches are tried")
	list := flag.Bool("list", false, "print the mutants, and run no test")
	flag.IntVar(&s.sample, "sample", 0, "how many mutants to try, drawn at random; 0 for all")
	flag.Uint64Var(&s.seed, "seed", 1, "what the sample is drawn from")
	flag.IntVar(&s.workers, "workers", 2, "mutants that are tried at the same time")
	flag.Float64Var(&s.want, "want", 0, "percentage that must be killed")
	flag.Parse()

	all, err := s.read(flag.Args(), *excused, *steps, *match)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
	if *list {
		for _, m := range all {
			fmt.Println(m)
		}
		return
	}
	os.Exit(s.judge(all))
}

// judge returns the exit code.
func (s *settings) judge(all []mutant) int {
	var err error
	if s.dir, err = os.MkdirTemp("", "mutate"); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		return 2
	}
	defer func() { _ = os.RemoveAll(s.dir) }()
	valid, invalid, err := s.prepare(all)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		return 2
	}
	return s.try(valid, invalid)
}

// read returns the mutants to try.
func (s *settings) read(names []string, excused, steps, match string) (all []mutant, err error) {
	matching, err := regexp.Compile(match)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("name the files to change")
	}
	if s.pkg, err = load(filepath.Dir(names[0])); err != nil {
		return nil, err
	}
	for _, f := range s.pkg.files {
		if slices.Contains(names, f.name) {
			all = append(all, mutantsOf(f)...)
		}
	}
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") &&
			!slices.ContainsFunc(s.pkg.files, func(f *file) bool { return f.name == name }) {
			return nil, fmt.Errorf("%s: not a file of the package in %s", name, s.pkg.dir)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("these files have no mutants")
	}
	if s.excuses, err = readExcuses(excused); err != nil {
		return nil, err
	}
	if err := s.excuses.check(names, all); err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(m mutant) bool { return !matching.MatchString(m.String()) })
	for text := range strings.SplitSeq(steps, ";") {
		if words := strings.Fields(text); len(words) > 0 {
			s.steps = append(s.steps, newStep(words))
		}
	}
	if s.sample > 0 && s.sample < len(all) {
		drawn := rand.New(rand.NewPCG(s.seed, 0)).Perm(len(all))[:s.sample]
		slices.Sort(drawn) // a switch around a condition is found before those within
		sample := make([]mutant, 0, s.sample)
		for _, i := range drawn {
			sample = append(sample, all[i])
		}
		all = sample
	}
	return all, nil
}

// prepare sorts out the mutants that do not compile, and compiles the tests with those that can be switched. Then it
// runs them on the code as it is, as many at a time as there will be.
func (s *settings) prepare(all []mutant) (valid []switchable, invalid int, err error) {
	var together []switchable
	for i, m := range all {
		if _, err := s.pkg.check(nil, map[string][]byte{m.file.name: m.text}); err != nil {
			invalid++
			continue
		}
		one := switchable{i + 1, m}
		alone := map[string][]byte{
			m.file.name:      printSwitched(m.file, []switchable{one}),
			s.pkg.switches(): s.pkg.switchesText(),
		}
		if _, err := s.pkg.check(nil, alone); err != nil {
			one.id = notSwitched
		} else {
			together = append(together, one)
		}
		valid = append(valid, one)
	}
	changed := map[string][]byte{s.pkg.switches(): s.pkg.switchesText()}
	for _, f := range s.pkg.files {
		changed[f.name] = printSwitched(f, together)
	}
	if s.overlay, err = overlay(s.dir, changed); err != nil {
		return nil, 0, err
	}
	for _, step := range s.steps {
		path, err := step.compile(s.dir, s.overlay)
		if err != nil {
			return nil, 0, err
		}
		errs := make([]error, s.workers)
		var done sync.WaitGroup
		began := time.Now()
		for i := range errs {
			done.Go(func() { errs[i] = step.run(path, 0) })
		}
		done.Wait()
		if err := errors.Join(errs...); err != nil {
			return nil, 0, fmt.Errorf("the tests fail on the code as it is: %w", err)
		}
		step.limit = 3*time.Since(began) + 20*time.Second
		fmt.Fprintf(os.Stderr, "%s passes, and may take %v\n", step, step.limit.Round(time.Second))
	}
	fmt.Fprintf(os.Stderr, "%d mutants, of which %d are switched\n", len(valid), len(together))
	return valid, invalid, nil
}

// try runs all mutants and returns the exit code.
func (s *settings) try(all []switchable, invalid int) int {
	counts := map[verdict]int{}
	next := make(chan switchable)
	var print sync.Mutex
	var done sync.WaitGroup
	for range s.workers {
		done.Go(func() {
			for m := range next {
				v, by := s.verdict(m)
				print.Lock()
				counts[v]++
				if v == survived || v == wrongExcuse || v == failed {
					fmt.Printf("%s  %s\n", v, m)
				}
				fmt.Fprintf(os.Stderr, "%s: %s: %s\n", v, m, by)
				print.Unlock()
			}
		})
	}
	for _, m := range all {
		next <- m
	}
	close(next)
	done.Wait()
	counted := counts[killed] + counts[survived]
	share := 100 * float64(counts[killed]) / float64(max(counted, 1))
	fmt.Printf("%d of %d mutants killed: %.1f %% (beside these, %d do not compile, and %d are equivalent)\n",
		counts[killed], counted, share, invalid, counts[excusedMutant])
	switch {
	case counts[wrongExcuse] > 0 || counts[failed] > 0:
		fmt.Println("FAIL: some mutants could not be judged, or are excused although tests notice them")
		return 1
	case share < s.want:
		fmt.Printf("FAIL: at least %.1f %% are wanted\n", s.want)
		return 1
	}
	return 0
}

// verdict is what has become of a mutant.
type verdict string

const (
	killed        verdict = "killed"
	survived      verdict = "survived"
	excusedMutant verdict = "equivalent" // it has survived, and is excused
	wrongExcuse   verdict = "excused, but killed"
	failed        verdict = "failed"
)

// verdict tries a mutant, and returns what has decided.
func (s *settings) verdict(m switchable) (v verdict, by string) {
	dir, changed := s.dir, s.overlay
	if m.id == notSwitched {
		var err error
		if dir, err = os.MkdirTemp("", "mutate"); err != nil {
			return failed, err.Error()
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if changed, err = overlay(dir, map[string][]byte{m.file.name: m.text}); err != nil {
			return failed, err.Error()
		}
	}
	reason, excused := s.excuses.of(m.mutant)
	for _, step := range s.steps {
		path, err := step.compile(dir, changed)
		if err != nil {
			return failed, err.Error()
		}
		switch err := step.run(path, m.id); {
		case err != nil && excused:
			return wrongExcuse, err.Error()
		case err != nil:
			return killed, err.Error()
		}
	}
	if excused {
		return excusedMutant, reason
	}
	return survived, ""
}
