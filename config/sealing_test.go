package config_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// What is set about sealing reaches the store.
func TestSealingKeys(t *testing.T) {
	t.Parallel()
	secret, older := config.With("secret.current", secretA), config.With("secret.current", secretB)
	rotated := config.With("secret.previous", secretB)
	instant := func(d time.Duration) string { return time.Now().Add(d).Format(time.RFC3339) }
	for name, c := range map[string]struct {
		writer, reader []config.Option
		found          bool
		err            error
	}{
		"nothing": {writer: []config.Option{secret}, reader: []config.Option{secret}, found: true},
		"another context": {
			writer: []config.Option{secret},
			reader: []config.Option{secret, config.With("secret.context", "shop")}, err: storage.ErrCorrupt,
		},
		"the same context": {
			writer: []config.Option{secret, config.With("secret.context", "shop")},
			reader: []config.Option{secret, config.With("secret.context", "shop")}, found: true,
		},
		"sealed since a minute ago": {
			writer: []config.Option{secret},
			reader: []config.Option{secret, config.With("secret.sealed_since", instant(-time.Minute))}, found: true,
		},
		"sealed since in a minute": {
			writer: []config.Option{secret},
			reader: []config.Option{secret, config.With("secret.sealed_since", instant(time.Minute))},
		},
		"previous without an end": {writer: []config.Option{older}, reader: []config.Option{secret, rotated}, found: true},
		"previous until in a minute": {
			writer: []config.Option{older},
			reader: []config.Option{secret, rotated, config.With("secret.previous_until", instant(time.Minute))}, found: true,
		},
		"previous until a minute ago": {
			writer: []config.Option{older},
			reader: []config.Option{secret, rotated, config.With("secret.previous_until", instant(-time.Minute))},
		},
	} {
		driver := memory.New()
		commit(t, storeOver(t, driver, c.writer...), "token")
		if _, found, err := storeOver(t, driver, c.reader...).Find("token"); found != c.found || !errors.Is(err, c.err) {
			t.Errorf("%s: found %v, %v; want %v, %v", name, found, err, c.found, c.err)
		}
	}
}

// A file that others may change is no place for a secret, be it one of its own or the configuration.
func TestSecretFileOfOthersIsRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has other rights")
	}
	for mode, refused := range map[os.FileMode]bool{
		0o600: false, 0o640: false, 0o644: false,
		0o660: true, 0o666: true, 0o602: true,
	} {
		for _, key := range []string{"secret.current_file", "secret.previous_files"} {
			path := write(t, t.TempDir(), "secret", secretB)
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			options := []config.Option{config.With(key, path)}
			if key == "secret.previous_files" {
				options = append(options, config.With("secret.current", secretA))
			}
			if key == "secret.previous_files" && mode&0o022 != 0 {
				path := write(t, t.TempDir(), "sessions.yaml", "secret:\n  current: "+secretA+"\n")
				if err := os.Chmod(path, mode); err != nil {
					t.Fatal(err)
				}
				if _, err := load(t, config.WithFile(path)); err == nil || !strings.Contains(err.Error(), "secret.current") {
					t.Errorf("a configuration with a secret and mode %04o: %v; want it refused", mode, err)
				}
			}
			if mode&0o022 != 0 { // Whoever changes the configuration may name another secret.
				secret := write(t, t.TempDir(), "secret", secretB)
				section, _, _ := strings.Cut(key, ".")
				text := section + ":\n  current_file: " + secret + "\n"
				if key == "secret.previous_files" {
					text = section + ":\n  current_file: " + write(t, t.TempDir(), "current", secretA) +
						"\n  previous_files: [" + secret + "]\n"
				}
				path := write(t, t.TempDir(), "sessions.yaml", text)
				if err := os.Chmod(path, mode); err != nil {
					t.Fatal(err)
				}
				if _, err := load(t, config.WithFile(path)); err == nil || !strings.Contains(err.Error(), key) {
					t.Errorf("a configuration that names a secret, with mode %04o: %v; want it refused", mode, err)
				}
			}
			_, err := load(t, options...)
			if refused != (err != nil) || refused &&
				(!strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "chmod")) {
				t.Errorf("%s with mode %04o: %v; want refused %v", key, mode, err, refused)
			}
		}
	}
}
