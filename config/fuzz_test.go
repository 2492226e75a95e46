package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/tests/configtest"
)

// checkLoaded checks what holds for everything that Load returns: a good configuration can be written and loads again
// to the same, and a bad one says why, in order and with places that there are.
func checkLoaded(t *testing.T, cfg *config.Config, err error, lines int) {
	t.Helper()
	if err != nil {
		configtest.CheckProblems(t, err, lines)
		return
	}
	values := map[string]string{}
	for _, v := range cfg.Values() {
		// Secrets are not told, and files may not be there; in one line, lists and maps have no commas in their items.
		key, _ := keys.Find(v.Key)
		oneLine := key.Kind != keys.List && key.Kind != keys.Map
		if !v.Source.IsDefault() && oneLine && !strings.HasPrefix(v.Key, "secret.") {
			values[v.Key] = v.Value
		}
	}
	again := mustLoad(t, withFile(t, fileOf(values)))
	for key, want := range values {
		if got, _ := again.Value(key); got.Value != want {
			t.Errorf("%s is %q; want %q", key, got.Value, want)
		}
	}
}

func FuzzFile(f *testing.F) {
	for _, input := range badInputs() {
		if len(input.file) < 1000 {
			f.Add([]byte(input.file))
		}
	}
	f.Add([]byte(fileOf(nil)))
	for _, key := range keys.All() {
		if key.Example != "" {
			f.Add([]byte(strings.ReplaceAll(key.Name, ".", ": {") + ": " + key.Example +
				strings.Repeat("}", strings.Count(key.Name, "."))))
		}
	}
	dir := f.TempDir()
	path := filepath.Join(dir, "sessions.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(config.WithFile(path), config.WithDir(dir), config.WithEnviron(nil))
		checkLoaded(t, cfg, err, 1+strings.Count(string(data), "\n")+strings.Count(string(data), "\r"))
	})
}

func FuzzEnvironment(f *testing.F) {
	for _, input := range badInputs() {
		for _, entry := range input.environ {
			name, value, _ := strings.Cut(entry, "=")
			f.Add(name, value)
		}
	}
	for _, key := range keys.All() {
		f.Add(key.Env(), key.Default)
		f.Add(key.Env(), strings.Trim(key.Example, "[]{}'"))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, name, value string) {
		cfg, err := config.Load(config.WithDir(dir), config.WithEnviron([]string{name + "=" + value}))
		checkLoaded(t, cfg, err, 0)
		name, _, _ = strings.Cut(name+"=", "=")
		if _, known := keys.OfVariable(name); !known && err == nil && strings.HasPrefix(name, "SCSDYNAMO_") &&
			name != keys.FileVariable && name != keys.EnvironmentVariable {
			t.Errorf("the unknown variable %q was passed over", name)
		}
	})
}
