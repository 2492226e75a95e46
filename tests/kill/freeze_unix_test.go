//go:build unix

package kill_test

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// stop stops a process, which does not notice. It reports whether this system can do that.
func stop(t *testing.T, process *os.Process) bool {
	t.Helper()
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	return true
}

// resume lets it go on, if it has not been killed meanwhile.
func resume(t *testing.T, process *os.Process) {
	t.Helper()
	if err := process.Signal(syscall.SIGCONT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
}
