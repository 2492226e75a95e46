package main_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
)

// newPTY returns the two ends of a pseudo-terminal: a person's and a process's.
func newPTY(t *testing.T) (person, process *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine has no pseudo-terminals (%v); run this test where /dev/ptmx is", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	fd := int(person.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	process, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return person, process
}

// console is a command that runs on a terminal.
type console struct {
	t      *testing.T
	cmd    *exec.Cmd
	person *os.File

	mu    sync.Mutex
	shown strings.Builder
	grown chan struct{} // gets a value when more is shown
	ended chan struct{} // closed when nothing more is shown
}

// onTerminal starts the command on a terminal.
func (s *transcript) onTerminal(args ...string) *console {
	s.t.Helper()
	person, process := newPTY(s.t)
	c := &console{t: s.t, person: person, grown: make(chan struct{}, 1), ended: make(chan struct{})}
	c.cmd = exec.CommandContext(s.t.Context(), s.command, args...)
	c.cmd.Dir, c.cmd.Env = s.dir, s.env
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = process, process, process
	if err := c.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	_ = process.Close() // The command has its own.
	go c.watch()
	s.t.Cleanup(func() { _ = c.cmd.Process.Kill() }) // It fails where the command has ended.
	return c
}

func (c *console) watch() {
	defer close(c.ended)
	buffer := make([]byte, 4096)
	for {
		n, err := c.person.Read(buffer)
		c.mu.Lock()
		c.shown.Write(buffer[:n])
		c.mu.Unlock()
		select {
		case c.grown <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.ReplaceAll(c.shown.String(), "\r\n", "\n")
}

// await waits until the words are shown.
func (c *console) await(words string) {
	c.t.Helper()
	timeout := time.After(10 * time.Second)
	for !strings.Contains(c.text(), words) {
		select {
		case <-c.grown:
		case <-c.ended:
			if !strings.Contains(c.text(), words) {
				c.t.Fatalf("%q is not shown in\n%s", words, c.text())
			}
		case <-timeout:
			c.t.Fatalf("%q is not shown within ten seconds; only\n%s", words, c.text())
		}
	}
}

// enter types a line.
func (c *console) enter(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.person, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

// wait returns the exit code and all that was shown.
func (c *console) wait() (int, string) {
	c.t.Helper()
	// of a command that waits for an answer
	watchdog := time.AfterFunc(20*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer watchdog.Stop()
	err := c.cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		c.t.Fatal(err)
	}
	<-c.ended
	return c.cmd.ProcessState.ExitCode(), c.text()
}

var escape = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

// On a terminal the table's name is asked for, and only the exact name deletes it.
func TestTableDeleteAsks(t *testing.T) {
	t.Parallel()
	s := onDynamoDB(t).withTable()
	name := s.config().Table().Name
	for _, test := range []struct {
		answer string
		code   int
	}{{"y", 6}, {"", 6}, {name + "x", 6}, {name, 0}} {
		c := s.onTerminal("table", "delete")
		c.await("Type the name of the table")
		c.enter(test.answer)
		code, shown := c.wait()
		if code != test.code {
			t.Errorf("with the answer %q, the exit code is %d; want %d; shown is\n%s", test.answer, code, test.code, shown)
		}
		there := s.execute("", "table", "verify").code == 0
		if there != (test.code != 0) {
			t.Errorf("with the answer %q, the table is there: %v", test.answer, there)
		}
	}
}

// Wrong flags are not made good by a terminal.
func TestTableDeleteDoesNotAskOverFlags(t *testing.T) {
	t.Parallel()
	s := onDynamoDB(t).withTable()
	for _, args := range [][]string{{"--yes"}, {"--confirm", "another"}, {"--yes", "--confirm", "another"}} {
		if code, shown := s.onTerminal(append([]string{"table", "delete"}, args...)...).wait(); code != 6 {
			t.Errorf("with %q the exit code is %d; want 6; shown is\n%s", args, code, shown)
		}
	}
	if r := s.execute("", "table", "verify"); r.code != 0 {
		t.Error(r.stderr)
	}
}

func TestSessionsDeleteAsks(t *testing.T) {
	t.Parallel()
	s := onBolt(t)
	s.seed()
	for _, test := range []struct {
		answer string
		code   int
	}{{"n", 6}, {"", 6}, {"yes, please", 6}, {"Y", 0}} {
		c := s.onTerminal("sessions", "delete", tokenLive)
		c.await("Delete 1 session? [y/N]")
		c.enter(test.answer)
		code, shown := c.wait()
		if code != test.code {
			t.Errorf("with the answer %q, the exit code is %d; want %d; shown is\n%s", test.answer, code, test.code, shown)
		}
		leaks(t, shown)
		if !strings.Contains(shown, fingerprint.Of(tokenLive)) {
			t.Errorf("what is to be deleted is not shown in\n%s", shown)
		}
		if live, _, _ := s.stored(); live != (test.code != 0) {
			t.Errorf("with the answer %q, the session is there: %v", test.answer, live)
		}
	}
	c := s.onTerminal("sessions", "delete", "--all")
	c.await("Type sessions.db to delete them:")
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code, shown := c.wait(); code != 130 {
		t.Errorf("after an interrupt, the exit code is %d; want 130; shown is\n%s", code, shown)
	}
	if _, leased, expired := s.stored(); !leased || !expired {
		t.Error("an interrupt has deleted sessions")
	}
}

// All sessions are deleted where the name is typed, and by nothing else.
func TestSessionsDeleteAllAsks(t *testing.T) {
	t.Parallel()
	drivers(t, nil, func(t *testing.T, _ string, s *transcript) {
		t.Helper()
		s.seed()
		for _, test := range []struct {
			answer string
			code   int
		}{{"y", 6}, {"yes", 6}, {"", 6}, {s.place() + "x", 6}, {s.place(), 0}} {
			c := s.onTerminal("sessions", "delete", "--all", "--yes")
			c.await("Type " + s.place() + " to delete them:")
			c.enter(test.answer)
			code, shown := c.wait()
			if code != test.code || !strings.Contains(shown, "3 sessions of the ") {
				t.Errorf("with the answer %q, the exit code is %d; want %d; shown is\n%s", test.answer, code, test.code, shown)
			}
			if live, leased, expired := s.stored(); live != (code != 0) || leased != live || expired != live {
				t.Errorf("with the answer %q, stored are live %v, leased %v, expired %v", test.answer, live, leased, expired)
			}
		}
	})
}

func TestColour(t *testing.T) {
	t.Parallel()
	s := onBolt(t)
	s.seed()
	commands := [][]string{{"doctor"}, {"sessions", "list"}, {"sessions", "show", "unknown"}, {"config", "show"}}
	plain := func(args []string, why string) {
		if _, shown := s.onTerminal(args...).wait(); escape.MatchString(shown) {
			t.Errorf("%q with %s is in colour:\n%q", args, why, shown)
		}
	}
	for _, args := range commands {
		if _, shown := s.onTerminal(args...).wait(); !escape.MatchString(shown) {
			t.Errorf("%q on a terminal is not in colour:\n%s", args, shown)
		}
		if r := s.execute("", args...); escape.MatchString(r.stdout + r.stderr) {
			t.Errorf("%q without a terminal is in colour:\n%q", args, r.stdout+r.stderr)
		}
		s.set("NO_COLOR", "1")
		plain(args, "NO_COLOR")
		s.set("NO_COLOR", "")
		s.set("TERM", "dumb")
		plain(args, "TERM=dumb")
		s.set("TERM", "xterm")
		plain(append([]string{"--output", "json"}, args...), "--output json")
	}
}

// Long work shows how far it is, on a terminal alone, and takes it away in the end.
func TestProgress(t *testing.T) {
	t.Parallel()
	s := onDynamoDB(t)
	s.through(t, proxy{slow: []string{"CreateTable", "Scan"}})
	code, shown := s.onTerminal("table", "create").wait()
	if code != 0 || !strings.Contains(shown, "waiting for AWS") || !strings.Contains(shown, "made") {
		t.Errorf("exit code %d; shown is\n%q", code, shown)
	}
	for words, args := range map[string][]string{
		"counting":                     {"sessions", "count"},
		"looking for expired sessions": {"sessions", "delete", "--expired"},
		"deleting":                     {"sessions", "delete", "--all", "--confirm", s.place()},
	} {
		s.seed()
		if r := s.execute("", args...); strings.Contains(r.stderr, words) || r.code != 0 {
			t.Errorf("%q shows progress where nobody watches, or fails: exit code %d\n%s", args, r.code, r.stderr)
		}
		s.seed()
		if _, shown := s.onTerminal(args...).wait(); !strings.Contains(shown, words) {
			t.Errorf("%q shows no progress on a terminal:\n%q", args, shown)
		}
		s.seed()
		if _, shown := s.onTerminal(append(args, "--quiet")...).wait(); strings.Contains(shown, words) ||
			strings.Contains(shown, "note:") {
			t.Errorf("%q --quiet is not quiet:\n%q", args, shown)
		}
	}
}

// Before all sessions of an owner are ended, it shows them and asks.
func TestSessionsOfAnOwnerAsk(t *testing.T) {
	t.Parallel()
	for command, question := range map[string]string{
		"delete": "Delete 2 sessions, all of this owner? [y/N]",
		"erase":  "Delete 2 sessions and all that is stored of this owner? [y/N]",
	} {
		s := onBolt(t)
		for _, login := range logins("A") {
			s.logIn(login.token, login.user, login.device)
		}
		for _, test := range []struct {
			answer string
			code   int
			live   string
		}{{"n", 6, "plo"}, {"", 6, "plo"}, {"alice", 6, "plo"}, {"yes", 0, "o"}} {
			c := s.onTerminal("sessions", command, "--owner", "user=alice")
			c.await(question)
			c.enter(test.answer)
			code, shown := c.wait()
			if live := s.live("A"); code != test.code || live != test.live {
				t.Errorf("%s with the answer %q: exit code %d, and %q live; want %d and %q; shown is\n%s", command, test.answer,
					code, live, test.code, test.live, shown)
			}
			if !strings.Contains(shown, "device=telephone") || strings.Contains(shown, logins("A")[0].token) {
				t.Errorf("%s shows\n%s", command, shown)
			}
		}
	}
}
