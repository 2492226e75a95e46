package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// allocated returns how many bytes f allocates. Nothing else may run meanwhile.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Whatever a file holds, reading it takes a bounded amount of memory: the sum of all allocations, freed ones included.
// It is not parallel: it measures the whole process.
func TestMemoryIsBounded(t *testing.T) {
	full := func(unit string) string { return strings.Repeat(unit, keys.MaxFileBytes/len(unit)) }
	laughs := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'k'; c++ {
		laughs += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 9) + "x]\n"
	}
	for name, c := range map[string]struct {
		text string
		most uint64
	}{
		"10 MB":                  {strings.Repeat("x", 10<<20), 192 << 10},
		"1 GB, sparse":           {"", 192 << 10},
		"many keys":              {full("a: b\n"), 96 << 20},
		"many different keys":    {manyKeys(12_000), 96 << 20},
		"many lists":             {"a: [" + full("[],")[:200_000] + "]\n", 96 << 20},
		"deep lists":             {"a: " + full("["), 96 << 20},
		"deep mappings":          {"a: " + full("{a: "), 96 << 20},
		"a billion laughs":       {laughs, 4 << 20},
		"cyclic alias":           {"a: &a [*a, *a]\nlease: &l {duration: *l}\n", 1 << 20},
		"a long text":            {"table: {name: " + full("x")[:200_000] + "}\n", 16 << 20},
		"a long list of methods": {"sessions: {read_only_methods: [" + full("GET,")[:200_000] + "]}\n", 96 << 20},
	} {
		path := write(t, t.TempDir(), "sessions.yaml", c.text)
		if name == "1 GB, sparse" {
			if err := os.Truncate(path, 1<<30); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if got := allocated(func() { _, err = load(t, config.WithFile(path)) }); got > c.most {
			t.Errorf("%s: %d KiB were allocated; want at most %d", name, got>>10, c.most>>10)
		} else {
			t.Logf("%s: %d KiB", name, got>>10)
		}
		var all *config.Error
		if !errors.As(err, &all) {
			t.Errorf("%s: %v; want a *config.Error", name, err)
		} else if len(err.Error()) > 16<<10 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
	}
}

func TestUnreadableFile(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may read any file; run the tests as another user to test one that may not be read")
	}
	path := write(t, t.TempDir(), "sessions.yaml", "driver: bolt\n")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err := load(t, config.WithFile(path))
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "this user may not read the file") {
		t.Errorf("%v; want fs.ErrPermission", err)
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		secretA:                         "",
		secretA + "\n":                  "",
		secretA + "\r\n":                "",
		"":                              "the secret is empty",
		"\n":                            "the secret is empty",
		" " + secretA + " \n\n":         "",
		secretA + "\n" + secretB:        "the secret has line breaks; write it in one line",
		strings.Repeat("A", 1<<20):      "the file is larger than 4 KiB, far more than it needs",
		strings.Repeat("\x00\xff", 100): "the secret is neither base64 nor hexadecimal",
		"c2hvcnQ=":                      "the secret has 5 bytes; at least 32 random bytes are needed",
	} {
		path := write(t, t.TempDir(), "secret", text)
		_, err := load(t, config.With("secret.current_file", path))
		if want == "" && err != nil || want != "" &&
			(err == nil || !strings.Contains(err.Error(), "secret.current_file: "+path+": "+want)) {
			t.Errorf("a file of %d bytes: %v; want %q", len(text), err, want)
		}
	}
}

// Nothing is expanded or executed: what looks like it is taken as it is.
func TestNothingIsExpanded(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TABLE_PREFIX", "expanded")
	t.Setenv("HOME", dir)
	for _, text := range []string{
		"$TABLE_PREFIX", "${TABLE_PREFIX}", "~/x", "%TABLE_PREFIX%", "{{ .Env }}", "$(touch " + dir + "/made)",
		"`touch " + dir + "/made`",
		"<%= File.write('" + dir + "/made', '') %>", "!Sub x",
	} {
		text += ":" // where a prefix ends
		file := "table:\n  partition_key:\n    prefix: '" + strings.ReplaceAll(text, "'", "''") + "'\n"
		for name, option := range map[string]config.Option{
			"file":        withFile(t, file),
			"environment": config.WithEnviron([]string{"SCSDYNAMO_TABLE_PARTITION_KEY_PREFIX=" + text}),
			"code":        config.With("table.partition_key.prefix", text),
		} {
			if got := mustLoad(t, option).Table().PartitionKey.Prefix; got != text {
				t.Errorf("%q in the %s became %q", text, name, got)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "made")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("something was executed")
	}
}

// What cannot be read for another reason says so, and is not passed over.
func TestLinkToItself(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "config", "scsdynamo.yaml")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, path); err != nil {
		t.Fatal(err)
	}
	for name, option := range map[string]config.Option{
		"named": config.WithFile(path), "found": config.WithDir(dir), "secret": config.With("secret.current_file", path),
	} {
		if _, err := load(t, option); err == nil || !strings.Contains(err.Error(), "the file cannot be read") {
			t.Errorf("%s: %v; want that it cannot be read", name, err)
		}
	}
}
