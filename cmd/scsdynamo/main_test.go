package main_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

var update = flag.Bool("update", false, "write what is seen into testdata and docs")

func TestMain(m *testing.M) {
	code := dynamotest.Main(m)
	if err := checkRights(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if binaryDirectory != "" {
		_ = os.RemoveAll(binaryDirectory) // It is a temporary directory.
	}
	os.Exit(code)
}

// binaryDirectory holds the command, once it was built.
var binaryDirectory string

// build builds the command once for all tests.
var build = sync.OnceValues(func() (string, error) {
	directory, err := os.MkdirTemp("", "scsdynamo-test-")
	if err != nil {
		return "", err
	}
	binaryDirectory = directory
	path := filepath.Join(directory, "scsdynamo.exe")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// transcript is what a person sees who runs one command after the other.
type transcript struct {
	t       *testing.T
	dir     string
	env     []string
	hidden  []string // old, new, ...: what differs from run to run
	text    strings.Builder
	command string // path of the command
	process *syscall.SysProcAttr
}

const endpointVariable = "AWS_ENDPOINT_URL_DYNAMODB"

// newTranscript returns one in a directory of its own, with these environment variables and none of the test's own.
func newTranscript(t *testing.T, env ...string) *transcript {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	s := &transcript{t: t, dir: t.TempDir(), command: path}
	for _, name := range []string{"PATH", "SystemRoot", "GOCOVERDIR"} { // what a process needs to run at all
		if value, ok := os.LookupEnv(name); ok {
			s.env = append(s.env, name+"="+value)
		}
	}
	s.env = append(s.env, "HOME="+s.dir, "AWS_EC2_METADATA_DISABLED=true", "TERM=xterm")
	s.env = append(s.env, env...)
	return s
}

// result is how a command ended.
type result struct {
	code           int
	stdout, stderr string
}

// run runs the command and adds it to the transcript.
func (s *transcript) run(args ...string) result {
	s.t.Helper()
	return s.add(s.execute("", args...), args...)
}

// sorted is run, for output whose lines but the first come in any order.
func (s *transcript) sorted(args ...string) result {
	s.t.Helper()
	r := s.execute("", args...)
	lines := strings.SplitAfter(r.stdout, "\n")
	if len(lines) > 1 {
		slices.Sort(lines[1:])
	}
	r.stdout = strings.Join(lines, "")
	return s.add(r, args...)
}

func (s *transcript) add(r result, args ...string) result {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = terminal.Quote(arg)
		if arg == "" {
			words[i] = "''"
		}
	}
	fmt.Fprintf(&s.text, "$ scsdynamo %s\n%s", strings.Join(words, " "), r.stdout)
	if r.stdout != "" && !strings.HasSuffix(r.stdout, "\n") {
		s.text.WriteString("(no end of line)\n")
	}
	for line := range strings.Lines(r.stderr) {
		s.text.WriteString("2> " + line)
	}
	fmt.Fprintf(&s.text, "[exit %d]\n\n", r.code)
	return r
}

// execute runs the command.
func (s *transcript) execute(stdin string, args ...string) result {
	s.t.Helper()
	return s.executeIn(s.t.Context(), stdin, args...)
}

func (s *transcript) executeIn(ctx context.Context, stdin string, args ...string) result {
	s.t.Helper()
	cmd := exec.CommandContext(ctx, s.command, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = s.dir, s.env, s.process
	endpoint := s.variable(endpointVariable)
	recorder := endpoint
	if strings.HasPrefix(endpoint, "http://127.0.0.1:") && len(args) > 0 {
		recorder = recorded(s.t, endpoint, args)
		cmd.Env = append(slices.Clip(s.env), endpointVariable+"="+recorder)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	shown := strings.NewReplacer(recorder, endpoint) // as if there were no recorder
	return result{cmd.ProcessState.ExitCode(), shown.Replace(stdout.String()), shown.Replace(stderr.String())}
}

// executeTo runs the command with standard output to a file.
func (s *transcript) executeTo(stdout *os.File, args ...string) (code int, stderr string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), s.command, args...)
	cmd.Dir, cmd.Env, cmd.Stdout = s.dir, s.env, stdout
	var errors bytes.Buffer
	cmd.Stderr = &errors
	_ = cmd.Run() // The exit code says how it ended.
	return cmd.ProcessState.ExitCode(), errors.String()
}

// note adds a remark to the transcript.
func (s *transcript) note(text string) { fmt.Fprintf(&s.text, "# %s\n\n", text) }

// hide replaces what differs from run to run.
func (s *transcript) hide(old, placeholder string) { s.hidden = append(s.hidden, old, placeholder) }

// What differs from run to run wherever it stands.
var changing = []struct {
	pattern     *regexp.Regexp
	placeholder string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\b\d+(\.\d+)?(ms|[dhms])(\d+[hms])? ago`), "AGE ago"},
	{regexp.MustCompile(`\bin \d+(\.\d+)?(ms|[dhms])(\d+[hms])?\b`), "in AGE"},
	{regexp.MustCompile(`\b\d+\.\d ms\b`), "N ms"},
	{regexp.MustCompile(`\b\d+ MB\b`), "N MB"},
	{regexp.MustCompile(`\.yaml:\d+\b`), ".yaml:LINE"},
	{regexp.MustCompile(`\.db, \d+ bytes\b`), ".db, N bytes"},
	{regexp.MustCompile(`about \d+ items?, \S+ \S+, \d+ read units?`), "about N items, SIZE, N read units"},
	{regexp.MustCompile(`\d+ items?, \S+ \S+ \(figures`), "N items, SIZE (figures"},
	{regexp.MustCompile(`(items +)\d+, \S+ \S+ \(figures`), "${1}N, SIZE (figures"},
	{regexp.MustCompile(`arn:aws:dynamodb:[a-z0-9-]+:\d+:`), "arn:aws:dynamodb:REGION:ACCOUNT:"},
	{regexp.MustCompile(`account \d+`), "account ACCOUNT"},
	{regexp.MustCompile(`\b[A-Z2-7]{26}\b`), "VERSION"},
	{regexp.MustCompile(`scsdynamo \S+( [0-9a-f]{40})? go\S+ \S+/\S+`), "scsdynamo BUILD"},
}

func (s *transcript) normal() string {
	text := strings.NewReplacer(s.hidden...).Replace(s.text.String())
	for _, c := range changing {
		text = c.pattern.ReplaceAllString(text, c.placeholder)
	}
	return text
}

// golden compares the transcript with the one in testdata.
func (s *transcript) golden(name string) {
	s.t.Helper()
	compare(s.t, filepath.Join("testdata", name+".golden"), s.normal())
}

// compare compares a text with a file.
func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		var g, w string
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Errorf("%s:%d: got\n\t%s\nwant\n\t%s\nbehind\n\t%s\nif that is right: go test ./cmd/scsdynamo -update",
				path, i+1, g, w, strings.Join(gotLines[max(0, i-10):min(i, len(gotLines))], "\n\t"))
			return
		}
	}
}
