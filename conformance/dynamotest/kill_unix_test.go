//go:build unix

package dynamotest_test

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestEngineEndsWithTheTestProcess(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(pid int) error{
		"that is killed":             func(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) },
		"that a terminal interrupts": func(pid int) error { return syscall.Kill(-pid, syscall.SIGINT) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := child(t, fakeEngines(t, serving()), role+"=linger")
			// A group of its own, as a terminal gives to a command: an interrupt goes to all processes of the group.
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			output, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var text []byte
			for buffer := make([]byte, 1<<10); endpointIn(text) == "" && err == nil; {
				var n int
				n, err = output.Read(buffer)
				text = append(text, buffer[:n]...)
			}
			endpoint := endpointIn(text)
			if endpoint == "" {
				t.Fatalf("no engine: %v:\n%s", err, text)
			}
			if err := get(t.Context(), endpoint); err != nil {
				t.Fatal(err)
			}
			if err := kill(cmd.Process.Pid); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, output)
			if exit := (*exec.ExitError)(nil); !errors.As(cmd.Wait(), &exit) {
				t.Fatal("the test process lives on")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for !refuses(ctx, endpoint) {
				if ctx.Err() != nil {
					t.Fatalf("an engine at %s outlived the test process", endpoint)
				}
			}
		})
	}
}
