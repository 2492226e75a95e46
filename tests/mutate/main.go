// Command mutate changes one line of the code at a time and runs the tests that should notice. It prints the mutants that
// none has noticed, and exits with 1 where fewer were killed than wanted.
//
//	go run ./tests/mutate -want 92 -sample 100 -test './lockstrategy ./sessionstore' lockstrategy/*.go
//
// The tree stays as it is: mutants are compiled through an overlay. Those that do not compile do not count.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type settings struct {
	sample, workers int
	seed            uint64
	want            float64
	tests, flags    []string
	limit           time.Duration
}

func main() {
	var s settings
	tests := flag.String("test", "./...", "packages whose tests should notice, the fastest first")
	flags := flag.String("flags", "-short", "further flags for go test")
	flag.IntVar(&s.sample, "sample", 0, "how many mutants to try, drawn at random; 0 for all")
	flag.Uint64Var(&s.seed, "seed", 1, "what the sample is drawn from")
	flag.IntVar(&s.workers, "workers", 2, "mutants that are tried at the same time")
	flag.Float64Var(&s.want, "want", 0, "percentage that must be killed")
	flag.DurationVar(&s.limit, "limit", 5*time.Minute, "time for the tests of one mutant; one that takes longer is killed")
	flag.Parse()
	s.tests, s.flags = strings.Fields(*tests), strings.Fields(*flags)

	var all []mutant
	for _, file := range flag.Args() {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		found, err := mutantsOf(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, "mutate:", err)
			os.Exit(2)
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		fmt.Fprintln(os.Stderr, "mutate: no mutants; name the files to change")
		os.Exit(2)
	}
	if s.sample > 0 && s.sample < len(all) {
		r := rand.New(rand.NewPCG(s.seed, 0)) //nolint:gosec // A sample needs no secrecy.
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:s.sample]
	}
	os.Exit(s.try(all))
}

// try runs all mutants and returns the exit code.
func (s *settings) try(all []mutant) int {
	var next, killed, invalid, survived atomic.Int64
	var print sync.Mutex
	var done sync.WaitGroup
	for range s.workers {
		done.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
				verdict := s.verdict(all[i])
				switch verdict {
				case "killed":
					killed.Add(1)
				case "invalid":
					invalid.Add(1)
				default:
					survived.Add(1)
				}
				print.Lock()
				if verdict == "survived" {
					fmt.Printf("survived  %s\n", all[i])
				}
				fmt.Fprintf(os.Stderr, "%d of %d: %s %s\n", killed.Load()+invalid.Load()+survived.Load(), len(all), verdict, all[i])
				print.Unlock()
			}
		})
	}
	done.Wait()
	counted := killed.Load() + survived.Load()
	share := 100 * float64(killed.Load()) / float64(max(counted, 1))
	fmt.Printf("%d of %d mutants killed: %.1f %% (%d more do not compile)\n", killed.Load(), counted, share, invalid.Load())
	if share < s.want {
		fmt.Printf("FAIL: at least %.1f %% are wanted\n", s.want)
		return 1
	}
	return 0
}

// verdict is "invalid", "killed" or "survived".
func (s *settings) verdict(m mutant) string {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err.Error()
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := m.overlay(dir)
	if err != nil {
		return err.Error()
	}
	if err := exec.Command("go", "build", "-overlay", overlay, "./"+filepath.Dir(m.file)).Run(); err != nil { //nolint:gosec,noctx // Our own.
		return "invalid"
	}
	for _, pkg := range s.tests {
		ctx, cancel := context.WithTimeout(context.Background(), s.limit)
		args := append([]string{"test", "-count=1", "-failfast", "-overlay", overlay}, s.flags...)
		err := exec.CommandContext(ctx, "go", append(args, pkg)...).Run() //nolint:gosec // Our own.
		cancel()
		if err != nil {
			return "killed"
		}
	}
	return "survived"
}

// overlay writes the mutant and what tells go about it.
func (m mutant) overlay(dir string) (string, error) {
	source, err := filepath.Abs(m.file)
	changed := filepath.Join(dir, "mutant.go")
	text, jsonErr := json.Marshal(map[string]map[string]string{"Replace": {source: changed}})
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, errors.Join(err, jsonErr, os.WriteFile(changed, m.text, 0o600), os.WriteFile(overlay, text, 0o600))
}
