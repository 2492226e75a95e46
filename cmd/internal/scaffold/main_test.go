package scaffold_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// packageDir is where the golden files are.
var packageDir = func() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return dir
}()

// load loads from an empty directory and an empty environment, and what the options add.
func load(t testing.TB, options ...config.Option) (*config.Config, error) {
	t.Helper()
	return config.Load(append([]config.Option{config.WithEnviron(nil), config.WithDir(t.TempDir())}, options...)...)
}

func mustLoad(t testing.TB, options ...config.Option) *config.Config {
	t.Helper()
	cfg, err := load(t, options...)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// write writes a file, and returns its path.
func write(t testing.TB, dir, name, text string) string {
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

// withFile is a file of that text.
func withFile(t testing.TB, text string) config.Option {
	t.Helper()
	return config.WithFile(write(t, t.TempDir(), "sessions.yaml", text))
}

// golden compares got with a golden file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
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
		t.Fatalf("%v; write it with: go test ./cmd/internal/scaffold -update", err)
	}
	if got == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		if i >= len(gotLines) || i >= len(wantLines) || gotLines[i] != wantLines[i] {
			t.Fatalf("%s differs in line %d; if that is right, write it anew with: go test ./cmd/internal/scaffold -update\n got: %s\nwant: %s",
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

// marker is what no output may have in it.
const marker = "WMarkerQ"

const (
	secretA = marker + "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3"
	secretB = marker + "PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWc"
)
