//go:build unix

package config_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/scsdynamo/scsdynamo/config"
)

// A pipe that nobody writes to would make the program wait for ever.
func TestPipeIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for key, option := range map[string]config.Option{
		"file": config.WithFile(path), "secret": config.With("secret.current_file", path),
	} {
		if _, err := load(t, option); err == nil || !strings.Contains(err.Error(), "this is a device, pipe or socket") {
			t.Errorf("%s: %v", key, err)
		}
	}
}
