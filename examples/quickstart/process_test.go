package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// binaryDirectory holds the program, once it was built.
var binaryDirectory string

// build builds the program once for all tests.
var build = sync.OnceValues(func() (string, error) {
	directory, err := os.MkdirTemp("", "quickstart-test-")
	if err != nil {
		return "", err
	}
	binaryDirectory = directory
	path := filepath.Join(directory, "quickstart.exe")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// process is the program, running on its own.
type process struct {
	t       *testing.T
	command *exec.Cmd
	out     *output
	stderr  bytes.Buffer
	ended   chan struct{} // closed when the program has ended
}

// launch starts the program. It is killed at the end of the test, if it still runs then.
func launch(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, out: newOutput(), ended: make(chan struct{})}
	p.command = exec.CommandContext(t.Context(), path, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	p.command.Env = env
	p.command.Stdout, p.command.Stderr = p.out, &p.stderr
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait() // Who called wait judges how it ended.
		_ = p.out.Close()    // It cannot fail.
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill() // It fails where the program has ended.
		p.wait()
	})
	return p
}

// address waits until the program serves.
func (p *process) address() string {
	p.t.Helper()
	address, ok := p.out.address()
	if !ok {
		_, _, stderr := p.wait()
		p.t.Fatalf("the program does not serve, and says %q", stderr)
	}
	return address
}

func (p *process) signal(signal os.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits until the program has ended. It returns its exit code, -1 if it was killed, and what it wrote.
func (p *process) wait() (code int, stdout, stderr string) {
	<-p.ended
	return p.command.ProcessState.ExitCode(), p.out.all(), p.stderr.String()
}

// fail runs the program and expects it to end with the code and one line that has the words.
func fail(t *testing.T, code int, words []string, args ...string) {
	t.Helper()
	p := launch(t, os.Environ(), args...)
	if _, serves := p.out.address(); serves {
		t.Errorf("with %q, the program serves; want it to end with code %d", args, code)
		return
	}
	got, stdout, stderr := p.wait()
	if got != code || stdout != "" {
		t.Errorf("code %d and output %q; want %d and nothing", got, stdout, code)
	}
	if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "quickstart: ") {
		t.Errorf("the error is %q; want one line", stderr)
	}
	for _, word := range words {
		if !strings.Contains(stderr, word) {
			t.Errorf("the error %q does not say %q", stderr, word)
		}
	}
}

func onlyWithSignals(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals to stop a program with; run this test on another system")
	}
}

func TestSessionsSurviveARestart(t *testing.T) {
	t.Parallel()
	onlyWithSignals(t)
	file := filepath.Join(t.TempDir(), "q.db")
	b := newBrowser(t)
	visits := 0
	for _, end := range []struct {
		signal syscall.Signal
		code   int
		last   string
	}{
		{syscall.SIGTERM, 0, "quickstart: stopped; sessions are kept in bbolt file " + file + "\n"},
		{syscall.SIGINT, 0, "quickstart: stopped; sessions are kept in bbolt file " + file + "\n"},
		{syscall.SIGKILL, -1, ""},
		{syscall.SIGTERM, 0, "quickstart: stopped; sessions are kept in bbolt file " + file + "\n"},
	} {
		p := launch(t, os.Environ(), "-db", file)
		// Cookies are kept by host, whatever the port.
		address := p.address()
		survived := strings.Contains(b.visit(address), "It survived a restart.")
		if survived != (visits > 0) {
			t.Errorf("after %d visits, the page says that the session survived a restart: %v", visits, survived)
		}
		visits++
		b.expect(address, visits, "")
		p.signal(end.signal)
		code, stdout, stderr := p.wait()
		_, last, _ := strings.Cut(stdout, "\n")
		if code != end.code || last != end.last || stderr != "" {
			t.Errorf("after signal %v: code %d, output %q, error %q; want %d, %q and nothing",
				end.signal, code, last, stderr, end.code, end.last)
		}
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "q.db")
	running := launch(t, os.Environ(), "-db", file)
	address := strings.TrimPrefix(running.address(), "http://")

	t.Run("the file is in use", func(t *testing.T) {
		t.Parallel()
		fail(t, 1, []string{"-db " + file, "in use by another process", "its own file"}, "-db", file)
	})
	t.Run("the address is in use", func(t *testing.T) {
		t.Parallel()
		fail(t, 1, []string{address, "another address with -addr"}, "-addr", address)
	})
	t.Run("the directory does not exist", func(t *testing.T) {
		t.Parallel()
		fail(t, 1, []string{"does not exist", "create it"}, "-db", filepath.Join(t.TempDir(), "none", "q.db"))
	})
	t.Run("nothing answers at the endpoint", func(t *testing.T) {
		t.Parallel()
		fail(t, 1, []string{"nothing answers at http://127.0.0.1:1", "-endpoint"},
			"-table", "sessions", "-endpoint", "http://127.0.0.1:1")
	})
	t.Run("wrong arguments", func(t *testing.T) {
		t.Parallel()
		fail(t, 2, []string{"-colour", "-help"}, "-colour", "red")
		fail(t, 2, []string{`unexpected argument "sessions"`, "-help"}, "sessions")
		fail(t, 2, []string{"-lifetime", "positive"}, "-lifetime", "-1s")
		fail(t, 2, []string{"-table sessions"}, "-create-table")
		fail(t, 1, []string{`"localhost:8000" is not a URL`}, "-table", "sessions", "-endpoint", "localhost:8000")
		fail(t, 1, []string{`"no good" is not a table name`}, "-table", "no good", "-endpoint", "http://127.0.0.1:1")
	})
}

func TestHelp(t *testing.T) {
	t.Parallel()
	p := launch(t, os.Environ(), "-help")
	code, stdout, stderr := p.wait()
	if code != 0 || stderr != "" {
		t.Errorf("code %d and error %q; want 0 and nothing", code, stderr)
	}
	for _, flag := range []string{"-addr", "-lifetime", "-db", "-table", "-create-table", "-endpoint"} {
		if !strings.Contains(stdout, "  "+flag+" ") {
			t.Errorf("the help does not list %s", flag)
		}
	}
}
