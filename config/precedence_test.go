package config_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// sample returns two values of a key that load, other than its default where there are so many, as they are written in
// an environment variable.
func sample(t *testing.T, key keys.Key, dir string) (one, other string) {
	t.Helper()
	switch key.Name {
	case "dynamodb.endpoint":
		return "http://127.0.0.1:8000", "https://localhost:8001/path"
	case "collection.schedule":
		return "17 3 * * *", "*/5 * * * 1-5"
	case "sessions.read_only_methods":
		return "GET", "GET,HEAD"
	case "secret.current", "secret.previous":
		return secretA, secretB
	case "secret.current_file", "secret.previous_files":
		return write(t, dir, "one", secretA+"\n"), write(t, dir, "other", secretB)
	case "secret.previous_until", "secret.sealed_since":
		return "2025-01-31T12:00:00Z", "2025-02-28T12:30:00.5+01:00"
	}
	switch key.Kind {
	case keys.Choice:
		return key.Choices[1], key.Choices[0]
	case keys.Duration:
		return "3s", "4s"
	case keys.Integer:
		return "3", "4"
	case keys.Number:
		return "3.5", "4.5"
	case keys.Boolean:
		return "true", "false"
	case keys.List:
		return "aaa", "bbb,ccc"
	case keys.Map:
		return "aaa=bbb", "ccc=ddd,eee=fff"
	default:
		if strings.HasSuffix(key.Name, "fix") { // of a key
			return ":aaa:", ":bbb:"
		}
		return "aaa", "bbb"
	}
}

// companions are keys without which a key does not load.
var companions = map[string]config.Option{
	"table.read_capacity":        config.With("table.write_capacity", 9),
	"table.write_capacity":       config.With("table.read_capacity", 9),
	"table.sort_key.prefix":      config.With("table.sort_key.name", "sk"),
	"table.sort_key.suffix":      config.With("table.sort_key.name", "sk"),
	"secret.previous":            config.With("secret.current", newSecret()),
	"secret.previous_files":      config.With("secret.current", newSecret()),
	"secret.sealed_since":        config.With("secret.current", newSecret()),
	"collection.checkpoint_file": config.With("collection.checkpoint", "file"),
	"collection.jitter":          config.With("collection.interval", "1h"),
	"lease.max_hold":             config.With("lease.duration", "3s"),
	"collection.checkpoint":      config.With("collection.checkpoint_file", "position"),
}

// inFile writes a key as a file has it.
func inFile(key keys.Key, text string) string {
	quoted := func(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
	var value string
	switch key.Kind {
	case keys.List:
		var items []string
		for item := range strings.SplitSeq(text, ",") {
			items = append(items, quoted(item))
		}
		value = "[" + strings.Join(items, ", ") + "]"
	case keys.Map:
		var entries []string
		for entry := range strings.SplitSeq(text, ",") {
			name, value, _ := strings.Cut(entry, "=")
			entries = append(entries, quoted(name)+": "+quoted(value))
		}
		value = "{" + strings.Join(entries, ", ") + "}"
	default:
		value = quoted(text)
	}
	var b strings.Builder
	parts := strings.Split(key.Name, ".")
	for i, part := range parts {
		b.WriteString(strings.Repeat("  ", i) + part + ":")
		if i < len(parts)-1 {
			b.WriteByte('\n')
		}
	}
	return b.String() + " " + value + "\n"
}

// Every key, set in every pair of places: the later place wins, and is told.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	places := []string{"", "file", "environment", "code"}
	cases := 0
	for _, key := range keys.All() {
		if companions[key.Name] != nil && key.Name == "collection.checkpoint" {
			key.Choices = []string{"file", "file"} // The others do not go together with a file.
		}
		for lower := range places {
			for higher := lower + 1; higher < len(places); higher++ {
				cases++
				dir := t.TempDir()
				losing, winning := sample(t, key, dir)
				options := []config.Option{config.WithDir(dir)}
				if companion := companions[key.Name]; companion != nil {
					options = append(options, companion)
				}
				var environ []string
				var source string
				for place, text := range map[int]string{lower: losing, higher: winning} {
					switch places[place] {
					case "file":
						options = append(options, config.WithFile(write(t, dir, "sessions.yaml", "# one\n\n"+inFile(key, text))))
					case "environment":
						environ = append(environ, key.Env()+"="+text)
					case "code":
						options = append(options, config.With(key.Name, text))
					}
				}
				switch places[higher] {
				case "file":
					source = fmt.Sprintf("%s:%d", filepath.Join(dir, "sessions.yaml"), 3+strings.Count(key.Name, "."))
				case "environment":
					source = key.Env()
				case "code":
					source = "code"
				}
				cfg, err := config.Load(append(options, config.WithEnviron(environ))...)
				if err != nil {
					t.Fatalf("%s in %d and %d: %v", key.Name, lower, higher, err)
				}
				got, ok := cfg.Value(key.Name)
				if !ok || got.Source.Kind != places[higher] || got.Source.String() != source {
					t.Errorf("%s in %d and %d is from %q; want %q", key.Name, lower, higher, got.Source, source)
				}
				if got.Value != winning && !key.Secret {
					t.Errorf("%s in %d and %d is %q; want %q", key.Name, lower, higher, got.Value, winning)
				}
			}
		}
	}
	if want := 6 * len(keys.All()); cases != want {
		t.Errorf("%d cases; want %d", cases, want)
	}
}

// A place sets the keys that it has, and leaves the others to the places below.
func TestPlacesAreMergedByKey(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t,
		withFile(t, "lease:\n  duration: 3s\n  max_wait: 4s\n  renewal: 1s\ntable:\n  tags: {a: b, c: d}\n"),
		config.WithEnviron([]string{"SCSDYNAMO_LEASE_MAX_WAIT=6s", "SCSDYNAMO_TABLE_TAGS=e=f"}),
		config.With("lease.renewal", "2s"))
	for key, want := range map[string]string{
		"lease.duration": "3s", "lease.max_wait": "6s", "lease.renewal": "2s", "lease.clock_allowance": "",
		"table.tags": "e=f", // a map is one value
	} {
		if got, _ := cfg.Value(key); got.Value != want {
			t.Errorf("%s is %q; want %q", key, got.Value, want)
		}
	}
}

func TestSecretOfTheHigherPlaceWins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secretFile := write(t, dir, "secret", secretB+"\r\n")
	direct := storageKey(t, config.With("secret.current", secretA))
	fromFile := storageKey(t, config.With("secret.current_file", secretFile))
	if direct == fromFile {
		t.Fatal("two secrets make the same key")
	}
	for name, c := range map[string]struct {
		file, environ, want string
	}{
		"the file's file, the environment's secret": {
			"secret:\n  current_file: " + secretFile + "\n", "SCSDYNAMO_SECRET_CURRENT=" + secretA, direct,
		},
		"the file's secret, the environment's file": {
			"secret:\n  current: " + secretA + "\n", "SCSDYNAMO_SECRET_CURRENT_FILE=" + secretFile, fromFile,
		},
	} {
		if got := storageKey(t, withFile(t, c.file), config.WithEnviron([]string{c.environ})); got != c.want {
			t.Errorf("%s: another secret than that of the environment is used", name)
		}
	}
}

func TestWhereTheFileIsLookedFor(t *testing.T) {
	t.Parallel()
	const (
		common     = "config/scsdynamo.yaml"
		production = "config/scsdynamo/production.yaml"
		named      = "named.yaml"
		coded      = "coded.yaml"
	)
	for name, c := range map[string]struct {
		files       []string
		environ     []string
		options     []config.Option
		want        string // "" for none
		environment string
	}{
		"nothing":        {},
		"the common one": {files: []string{common}, want: common},
		"that of the environment": {
			[]string{common, production},
			[]string{"SCSDYNAMO_ENV=production"},
			nil,
			production, "production",
		},
		"a named one for another": {
			[]string{common, production, named},
			[]string{"SCSDYNAMO_ENV=test", "SCSDYNAMO_CONFIG_FILE=" + named},
			nil, named, "test",
		},
		"not that of an environment": {[]string{production}, nil, nil, "", ""},
		"the environment in code wins": {
			[]string{common, production},
			[]string{"SCSDYNAMO_ENV=test"},
			[]config.Option{config.WithEnvironment("production")},
			production, "production",
		},
		"the one that a variable names": {
			[]string{common, named},
			[]string{"SCSDYNAMO_CONFIG_FILE=" + named},
			nil, named, "",
		},
		"the one that code names": {
			[]string{common, named, coded},
			[]string{"SCSDYNAMO_CONFIG_FILE=" + named},
			[]config.Option{config.WithFile(coded)},
			coded, "",
		},
		"a named one before an environment": {
			[]string{production, named},
			[]string{"SCSDYNAMO_CONFIG_FILE=" + named, "SCSDYNAMO_ENV=production"},
			nil, named, "production",
		},
	} {
		dir := t.TempDir()
		for _, file := range c.files {
			write(t, dir, file, "table:\n  name: "+strings.NewReplacer("/", "_").Replace(file)+"\n")
		}
		cfg, err := config.Load(append(c.options, config.WithDir(dir), config.WithEnviron(c.environ))...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantFile, wantTable := "", "sessions"
		if c.want != "" {
			wantFile, wantTable = filepath.Join(dir, c.want), strings.ReplaceAll(c.want, "/", "_")
		}
		if cfg.File() != wantFile || cfg.Table().Name != wantTable || cfg.Environment() != c.environment {
			t.Errorf("%s: file %q, table %q, environment %q; want %q, %q, %q",
				name, cfg.File(), cfg.Table().Name, cfg.Environment(), wantFile, wantTable, c.environment)
		}
	}
}

// An environment that has no file is a mistake, whatever other files there are: a slip of the pen must not mean the
// defaults.
func TestEnvironmentMustHaveItsFile(t *testing.T) {
	t.Parallel()
	const write1 = `; write one with "scsdynamo config init --environment", or leave the environment out for config/scsdynamo.yaml`
	for name, c := range map[string]struct {
		files   []string
		environ []string
		options []config.Option
		want    string
	}{
		"a slip of the pen": {
			[]string{"production", "staging"},
			[]string{"SCSDYNAMO_ENV=prodution"},
			nil,
			`SCSDYNAMO_ENV: the environment "prodution" has no file config/scsdynamo/prodution.yaml; did you mean production?`,
		},
		"another": {
			[]string{"production", "staging"},
			[]string{"SCSDYNAMO_ENV=local"},
			nil,
			`SCSDYNAMO_ENV: the environment "local" has no file config/scsdynamo/local.yaml; there are files of production, staging` + write1,
		},
		"none at all, in code": {
			nil, nil,
			[]config.Option{config.WithEnvironment("test")},
			`code: the environment "test" has no file config/scsdynamo/test.yaml` + write1,
		},
		"the common one alone": {
			[]string{"../scsdynamo"},
			[]string{"SCSDYNAMO_ENV=test", "SCSDYNAMO_TABLE_NAME=web"},
			nil,
			`SCSDYNAMO_ENV: the environment "test" has no file config/scsdynamo/test.yaml` + write1,
		},
		"one of the wrong kind": {
			[]string{"test.yml/x"},
			[]string{"SCSDYNAMO_ENV=test"},
			nil,
			`config/scsdynamo/test.yml: a file of this name is not read; rename it to test.yaml`,
		},
	} {
		dir := filepath.Join(t.TempDir(), "a[b]*?") // which no pattern takes for more than it is
		for _, file := range c.files {
			write(t, dir, "config/scsdynamo/"+file+".yaml", "table:\n  name: web\n")
		}
		_, err := config.Load(append(c.options, config.WithDir(dir), config.WithEnviron(c.environ))...)
		if err == nil || strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "") != "config: "+c.want {
			t.Errorf("%s: %v; want %s", name, err, c.want)
		}
	}
}

// A default file that is there must be good: it is not passed over.
func TestDefaultFileMustBeGood(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"config/scsdynamo.yaml": "config/scsdynamo.yaml:1: unknown key \"x\"",
		"config/scsdynamo.yml":  "config/scsdynamo.yml: a file of this name is not read; rename it to scsdynamo.yaml",
	} {
		dir := t.TempDir()
		write(t, dir, file, "x: 1\n")
		_, err := load(t, config.WithDir(dir))
		if err == nil || strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "") != "config: "+want {
			t.Errorf("%s: %v; want %s", file, err, want)
		}
	}
}
