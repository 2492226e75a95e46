//go:build unix

package webapp

import (
	"os"
	"syscall"
)

func freeze(p *os.Process) (bool, error) { return true, p.Signal(syscall.SIGSTOP) }

func thaw(p *os.Process) (bool, error) { return true, p.Signal(syscall.SIGCONT) }
