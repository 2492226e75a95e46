package scaffold_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/cmd/internal/scaffold"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/tests/configtest"
)

func FuzzRuby(f *testing.F) {
	for _, text := range []string{
		rubyYAML, "table_name: <%= x %>\n", "max_age: 010\n", "max_age: ~\n", "enable_locking: yes\n", "",
		"- a\n", "a: &a [*a]\n",
		"lock_max_wait_time: 0.25\nlock_expiry_time: 1\n", "unknown: 1\n", "read_capacity: 5\n",
	} {
		f.Add([]byte(text))
	}
	dir := f.TempDir()
	path := filepath.Join(dir, "store.yml")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := scaffold.FromRuby(scaffold.Ruby{File: path, Dir: dir})
		if err != nil {
			configtest.CheckProblems(t, err, 1+strings.Count(string(data), "\n")+strings.Count(string(data), "\r"))
			return
		}
		checkMigration(t, m)
	})
}

// A value that config.Load takes from a flag is the same in a file.
func FuzzTemplate(f *testing.F) {
	for _, key := range keys.All() {
		f.Add(key.Name, key.Default)
		f.Add(key.Name, strings.Trim(key.Example, "[]{}'"))
	}
	f.Add("table.tags", "<<=x,yes=no,a: b={}")
	f.Fuzz(func(t *testing.T, name, value string) {
		cfg, err := load(t, config.With(name, value))
		if err != nil {
			return
		}
		if key, _ := keys.Find(name); key.Secret || strings.HasPrefix(name, "secret.") {
			return // which is not told, or a file that need not be there
		}
		values := map[string]string{name: value}
		text := mustTemplate(t, "", values)
		want, _ := cfg.Value(name)
		if got, _ := mustLoad(t, withFile(t, text)).Value(name); got.Value != want.Value {
			t.Errorf("%s is %q; want %q", name, got.Value, want.Value)
		}
		if again := mustTemplate(t, "", values); again != text {
			t.Error("the same values make another file")
		}
	})
}
