package main_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/internal/keys"
)

const referenceHead = `# The command scsdynamo

<!-- Made by: go test ./cmd/scsdynamo -run TestReference -update -->

` + "```sh\ngo install github.com/scsdynamo/scsdynamo/cmd/scsdynamo@latest\n```" + `

What each command says with ` + "`--help`" + `. [configuration.md](configuration.md) is about the configuration that they use.
`

var subcommand = regexp.MustCompile(`(?m)^  ([a-z]+) +\S`)

// docs/scsdynamo.md is what the commands say of themselves.
func TestReference(t *testing.T) {
	t.Parallel()
	s := newTranscript(t)
	var text strings.Builder
	text.WriteString(referenceHead)
	var write func(path ...string)
	write = func(path ...string) {
		r := s.execute("", append(path, "--help")...)
		if r.code != 0 || r.stderr != "" {
			t.Fatalf("%q --help: exit code %d, %s", path, r.code, r.stderr)
		}
		help := r.stdout
		if _, ok := strings.CutPrefix(help, "Usage"); ok {
			t.Errorf("%q has no description", path)
		}
		if len(path) > 0 { // They are those of the root, again.
			help, _, _ = strings.Cut(help, "\nGlobal Flags:")
		}
		help = strings.TrimSpace(help)
		fmt.Fprintf(&text, "\n## %s\n\n```text\n%s\n```\n", strings.Join(append([]string{"scsdynamo"}, path...), " "), help)
		_, below, _ := strings.Cut(help, "Available Commands:\n")
		below, _, _ = strings.Cut(below, "\n\n")
		found := subcommand.FindAllStringSubmatch(below, -1)
		for _, match := range found {
			if match[1] != "help" && match[1] != "completion" { // These are cobra's.
				write(append(slices.Clip(path), match[1])...)
			}
		}
		if len(found) == 0 && !strings.Contains(help, "Examples:") {
			t.Errorf("%q has no example", path)
		}
	}
	write()
	for line := range strings.Lines(text.String()) {
		if len(strings.TrimSpace(line)) > 160 {
			t.Errorf("a line is too long for a terminal: %q", line)
		}
	}
	compare(t, filepath.Join("..", "..", "docs", "scsdynamo.md"), text.String())
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	s := newTranscript(t)
	for _, args := range [][]string{
		{"nonsense"},
		{"tabel"},
		{"table", "crate"},
		{"table"},
		{"config"},
		{"sessions"},
		{"table", "create", "now"},
		{"sessions", "show"},
		{"sessions", "show", "one", "two"},
		{"sessions", "list", "--limit", "-1"},
		{"sessions", "list", "--expired", "--all"},
		{"sessions", "list", "--limit", "many"},
		{"doctor", "--nonsense"},
		{"doctor", "--timeout", "5"},
		{"doctor", "--timeout", "-5s"},
		{"doctor", "--output", "xml"},
		{"doctor", "--output", "json", "--nonsense"},
		{"doctor", "--set", "driver"},
		{"doctor", "--environment", ""},
		{"sessions", "delete", "--all", "--yes", "--config="},
	} {
		if r := s.run(args...); r.code != 2 || r.stdout != "" {
			t.Errorf("%q: exit code %d, want 2; %s", args, r.code, r.stdout)
		}
	}
	s.run("--version")
	s.golden("usage")
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	s := newTranscript(t)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := s.execute("", "completion", shell); r.code != 0 || !strings.Contains(r.stdout, "scsdynamo") {
			t.Errorf("%s: exit code %d; %d bytes; %s", shell, r.code, len(r.stdout), r.stderr)
		}
	}
	offered := func(args ...string) []string {
		t.Helper()
		r := s.execute("", append([]string{"__complete"}, args...)...)
		if r.code != 0 {
			t.Fatalf("exit code %d; %s", r.code, r.stderr)
		}
		var words []string
		for line := range strings.Lines(r.stdout) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			words = append(words, word)
		}
		return words[:len(words)-1] // The last one is for the shell.
	}
	if words := offered("config", "show", "--set", ""); len(words) != len(keys.All()) {
		t.Errorf("%d keys are offered of %d", len(words), len(keys.All()))
	}
	for want, args := range map[string][]string{
		"table.name= table.partition_key.name=": {"config", "show", "--set", "table."},
		"driver=dynamodb driver=bolt":           {"doctor", "--set", "driver="},
		"table.create=true table.create=false":  {"doctor", "--set", "table.create="},
		"table json":                            {"doctor", "--output", ""},
		"app collector admin":                   {"table", "iam", "--role", ""},
		"check init show":                       {"config", ""},
		"":                                      {"sessions", "show", ""},
		"add-index cloudformation create delete describe iam terraform verify": {"table", ""},
	} {
		if got := strings.Join(offered(args...), " "); !strings.HasPrefix(got, want) || (want == "") != (got == "") {
			t.Errorf("%q: offered is %q; want %q", args, got, want)
		}
	}
	s.execute("", "config", "init", "--environment", "staging")
	if got := offered("doctor", "--environment", ""); len(got) != 1 || got[0] != "staging" {
		t.Errorf("the environments offered are %q; want staging", got)
	}
}
