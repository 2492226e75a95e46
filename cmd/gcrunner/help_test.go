package main_test

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the help into docs/operations.md")

// docs/operations.md has the help as it is.
func TestHelpIsDocumented(t *testing.T) {
	t.Parallel()
	const path, begin, end = "../../docs/operations.md", "<!-- help: begin -->\n", "<!-- help: end -->"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(content), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the help: %q", path, begin+end)
	}
	help := invoke(t, environ(), "--help")
	if help.code != 0 || help.stderr != "" {
		t.Fatalf("--help ends with %d: %s", help.code, help.stderr)
	}
	want := head + begin + "```text\n" + help.stdout + "```\n" + end + tail
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(content) {
		t.Errorf("the help in %s is not that of the command: run go generate ./cmd/gcrunner", path)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	r := invoke(t, environ(), "--version")
	if r.code != 0 || !strings.HasPrefix(r.stdout, "gcrunner ") || strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("exit code %d: %q", r.code, r.stdout)
	}
}
