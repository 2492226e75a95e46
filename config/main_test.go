package config_test

import (
	"crypto/rand"
	"encoding/base64"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/sessionstore"
)

var update = flag.Bool("update", false, "write the golden files and docs/configuration.md anew")

func TestMain(m *testing.M) {
	// The clean-up of the store that scs.New makes, and that is replaced by ours.
	os.Exit(dynamotest.Main(m, goleak.IgnoreAnyFunction("github.com/alexedwards/scs/v2/memstore.(*MemStore).startCleanup")))
}

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
		t.Fatalf("%v; write it with: go test ./config -update", err)
	}
	if got == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		if i >= len(gotLines) || i >= len(wantLines) || gotLines[i] != wantLines[i] {
			t.Fatalf("%s differs in line %d; if that is right, write it anew with: go test ./config -update\n got: %s\nwant: %s",
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

// fileOf is a file with every key and what it does, in which the values are set and the others commented out.
func fileOf(values map[string]string) string {
	var b strings.Builder
	var open []string // the sections that the line before was in
	for _, key := range keys.All() {
		parts := strings.Split(key.Name, ".")
		within, name := parts[:len(parts)-1], parts[len(parts)-1]
		same := 0
		for same < min(len(within), len(open)) && within[same] == open[same] {
			same++
		}
		for i := same; i < len(within); i++ {
			b.WriteString(strings.Repeat("  ", i) + within[i] + ":\n")
		}
		open = within
		margin := strings.Repeat("  ", len(within))
		value, set := values[key.Name]
		switch text := "'" + strings.ReplaceAll(value, "'", "''") + "'"; {
		case !set:
			name = "#" + name
		case key.Kind == keys.List:
			value = "[" + value + "]"
		case key.Kind == keys.Map:
			value = "{" + strings.ReplaceAll(value, "=", ": ") + "}"
		default:
			value = text
		}
		b.WriteString(margin + "# " + key.Doc + "\n" + margin + name + ": " + value + "\n")
	}
	return b.String()
}

// newSecret draws a secret, and returns it as it is written in a file or a variable.
func newSecret() string {
	b := make([]byte, sessionstore.MinSecretBytes)
	_, _ = rand.Read(b) // It never fails.
	return base64.StdEncoding.EncodeToString(b)
}
