package conformance_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
)

func BenchmarkReference(b *testing.B) {
	conformance.Benchmark(b, func(b *testing.B) scs.Store {
		b.Helper()
		r := newReference()
		b.Cleanup(func() { _ = r.Close() })
		if os.Getenv(brokenStore) == "" {
			return r
		}
		return &mutant{reference: r, delete: func(context.Context, string) error { return errDown }}
	}, conformance.WithRequestScope(serialized))
}

// TestBenchmark shows what is measured, and that a store which fails is no result.
func TestBenchmark(t *testing.T) {
	t.Parallel()
	right := benchmark(t)
	for _, name := range []string{
		"Find/hit/200B", "Find/hit/4KB", "Find/miss", "Commit/200B", "Commit/4KB", "CommitDelete/200B", "CommitDelete/4KB",
		"Request/read/200B", "Request/write/200B", "Request/write/4KB",
	} {
		for _, mode := range []string{"serial", "parallel"} {
			line := regexp.MustCompile(`BenchmarkReference/` + name + `/` + mode + `(-\d+)?\s.* ns/op\s.* B/op\s.* allocs/op`)
			if !line.MatchString(right) {
				t.Errorf("%s/%s is not measured", name, mode)
			}
		}
	}
	if t.Failed() {
		t.Logf("the output:\n%s", right)
	}
	broken := benchmark(t, brokenStore+"=1")
	if !strings.Contains(broken, "--- FAIL: BenchmarkReference/CommitDelete/4KB/parallel") ||
		!strings.Contains(broken, errDown.Error()) {
		t.Errorf("a store that fails is measured:\n%s", broken)
	}
}

// benchmark returns what the benchmark prints in a process with this environment.
func benchmark(t *testing.T, env ...string) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^$", "-test.bench=^BenchmarkReference$",
		"-test.benchtime=2x")
	cmd.Env = append(os.Environ(), env...)
	out, _ := cmd.CombinedOutput() // What it fails with is looked at.
	return string(out)
}
