// Package configtest is what the tests of configurations share: how they load one, and compare what it says with golden
// files.
package configtest

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/config"
)

// Update says that golden files, and pages that are made of the code, are to be written anew.
var Update = flag.Bool("update", false, "write the golden files anew, and docs/configuration.md")

// Load loads from an empty directory and an empty environment, and what the options add.
func Load(t testing.TB, options ...config.Option) (*config.Config, error) {
	t.Helper()
	return config.Load(append([]config.Option{config.WithEnviron(nil), config.WithDir(t.TempDir())}, options...)...)
}

// MustLoad is Load of what must be a right configuration.
func MustLoad(t testing.TB, options ...config.Option) *config.Config {
	t.Helper()
	cfg, err := Load(t, options...)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Write writes a file, and returns its path.
func Write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// WithFile is a file of that text.
func WithFile(t testing.TB, text string) config.Option {
	t.Helper()
	return config.WithFile(Write(t, t.TempDir(), "sessions.yaml", text))
}

// Golden compares got with a golden file, or writes it.
func Golden(t *testing.T, path, got string) {
	t.Helper()
	if *Update {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with: go test -update, in the directory of the test", err)
	}
	if got == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		if i >= len(gotLines) || i >= len(wantLines) || gotLines[i] != wantLines[i] {
			t.Fatalf("%s differs in line %d; if that is right, write it anew with: go test -update\n got: %s\nwant: %s",
				path, i+1, line(gotLines, i), line(wantLines, i))
		}
	}
}

func line(lines []string, i int) string {
	if i >= len(lines) {
		return "(nothing)"
	}
	return lines[i]
}

// StorageKey returns a storage key, which shows which secret is the current one.
func StorageKey(t *testing.T, options ...config.Option) string {
	t.Helper()
	cfg := MustLoad(t, append(options, config.With("driver", "bolt"),
		config.With("bolt.path", filepath.Join(t.TempDir(), "sessions.db")))...)
	store, err := cfg.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	return store.StorageKey("token")
}

// CheckProblems checks that an error says why, in one line each, in order and with places that exist.
func CheckProblems(t testing.TB, err error, lines int) {
	t.Helper()
	var all *config.Error
	if !errors.As(err, &all) || len(all.Problems) == 0 {
		t.Fatalf("%T: %v", err, err)
	}
	last := 0
	for _, p := range all.Problems {
		if p.Text == "" || strings.ContainsFunc(p.String(), func(r rune) bool { return r < ' ' }) {
			t.Errorf("the problem %q is empty, or not one line", p)
		}
		if p.Source.Kind != "file" {
			continue
		}
		if p.Source.Line < last || p.Source.Line > lines {
			t.Errorf("a problem in line %d of %d, behind one in line %d", p.Source.Line, lines, last)
		}
		last = p.Source.Line
	}
}
