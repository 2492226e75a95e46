package scaffold_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/cmd/internal/scaffold"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// rubyYAML has every option that the gem's file can have.
const rubyYAML = `# Table name
table_name: web-sessions
table_key: id
secret_key: ` + secretA + `
consistent_read: false
read_capacity: 10
write_capacity: 5
raise_errors: true
max_age: 604800
max_stale: 18000
enable_locking: true
lock_expiry_time: 500
lock_retry_delay: 500
lock_max_wait_time: 1
serializer: json
colour: blue
`

// checkMigration checks that the file of a migration sets its values and nothing else.
func checkMigration(t *testing.T, m *scaffold.Migration) {
	t.Helper()
	text, err := m.File()
	if err != nil {
		t.Fatal(err)
	}
	cfg := mustLoad(t, withFile(t, string(text)))
	for _, v := range cfg.Values() {
		want, given := m.Values[v.Key]
		if given != (v.Source.Kind == "file") || given && v.Value != want {
			t.Errorf("%s is %q, from %v; want %q, set: %v", v.Key, v.Value, v.Source, want, given)
		}
	}
	for _, note := range m.Notes {
		if note.Option == "" || note.Key == "" && note.Text == "" {
			t.Errorf("the note %+v says nothing", note)
		}
		if _, known := keys.Find(note.Key); note.Key != "" && !known {
			t.Errorf("the note %+v is about no key", note)
		}
	}
}

// notes are the notes, a line each, without the directory.
func notes(m *scaffold.Migration, dir string) string {
	var b strings.Builder
	for _, note := range m.Notes {
		b.WriteString(strings.ReplaceAll(note.String(), dir+string(filepath.Separator), "") + "\n")
	}
	return b.String()
}

func TestFromRuby(t *testing.T) {
	t.Chdir(t.TempDir()) // The path is in the file that is made, whose lines are broken.
	write(t, ".", "store.yml", rubyYAML)
	m, err := scaffold.FromRuby(scaffold.Ruby{File: "store.yml"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"table.name": "web-sessions", "table.partition_key.name": "id", "table.read_capacity": "10",
		"table.write_capacity": "5",
		"sessions.reads":       "eventual", "strategy": "lease", "lease.duration": "500ms", "lease.max_wait": "1s",
		"collection.max_age": "7d", "collection.max_stale": "5h",
	}
	if !maps.Equal(m.Values, want) {
		t.Errorf("values %v; want %v", m.Values, want)
	}
	checkMigration(t, m)
	text, err := m.File()
	if err != nil {
		t.Fatal(err)
	}
	for name, output := range map[string]string{
		"file": string(text), "notes": fmt.Sprintf("%+v", m),
		"JSON": toJSON(t, m),
	} {
		if strings.Contains(output, marker) {
			t.Errorf("the %s has the secret in it", name)
		}
	}
	t.Chdir(packageDir)
	golden(t, "testdata/ruby-notes.golden", notes(m, "."))
	golden(t, "testdata/ruby-file.golden", string(text))
}

func toJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Variables win over the file, and the older ones over the newer ones, as in the gem.
func TestFromRubyEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "store.yml", "table_name: of-file\ntable_key: of_file\nmax_age: 60\n")
	m, err := scaffold.FromRuby(scaffold.Ruby{Dir: dir, Environ: []string{
		"AWS_DYNAMO_DB_SESSION_CONFIG_FILE=store.yml",
		"AWS_DYNAMO_DB_SESSION_TABLE_NAME=of-variable", "AWS_DYNAMO_DB_SESSION_MAX_AGE=120", "DYNAMO_DB_SESSION_MAX_AGE=180",
		"AWS_DYNAMO_DB_SESSION_ENABLE_LOCKING=false", "AWS_DYNAMO_DB_SESSION_SECRET_KEY=" + secretA,
		"AWS_DYNAMO_DB_SESSION_LOCK_MAX_WAIT_TIME=0", "DYNAMO_DB_SESSION_LOCK_EXPIRY_TIME=50",
		"AWS_DYNAMO_DB_SESSION_WRITE_CAPACITY=7",
		"AWS_DYNAMO_DB_SESSION_SHAPE=round", "AWS_REGION=eu-central-1", "SCSDYNAMO_TABLE_NAME=ours",
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"table.name": "of-variable", "table.partition_key.name": "of_file", "collection.max_age": "3m", "strategy": "merge",
		"lease.max_wait": "20ms", "lease.duration": "100ms", "table.write_capacity": "7", "table.read_capacity": "10",
	}
	if !maps.Equal(m.Values, want) {
		t.Errorf("values %v; want %v", m.Values, want)
	}
	checkMigration(t, m)
	golden(t, "testdata/ruby-environment.golden", notes(m, dir))
}

// The file is looked for where Rails does.
func TestFromRubyLooksWhereRailsDoes(t *testing.T) {
	t.Parallel()
	const common, production, old = "config/aws_dynamo_db_session_store.yml",
		"config/aws_dynamo_db_session_store/production.yml",
		"config/dynamo_db_session_store.yml"
	for name, c := range map[string]struct {
		files []string
		where scaffold.Ruby
		want  string
	}{
		"common":      {[]string{common, old}, scaffold.Ruby{}, common},
		"environment": {[]string{common, production}, scaffold.Ruby{Environment: "production"}, production},
		"RAILS_ENV": {
			[]string{common, production},
			scaffold.Ruby{Environ: []string{"RAILS_ENV=production", "RACK_ENV=x"}},
			production,
		},
		"RACK_ENV": {
			[]string{common, production},
			scaffold.Ruby{Environ: []string{"RACK_ENV=production"}},
			production,
		},
		"another environment": {[]string{common, production}, scaffold.Ruby{Environment: "test"}, common},
		"not outside":         {[]string{common, "config/x.yml"}, scaffold.Ruby{Environment: "../x"}, common},
		"before":              {[]string{old}, scaffold.Ruby{}, old},
		"one that is named":   {[]string{common, "named.yml"}, scaffold.Ruby{File: "named.yml"}, "named.yml"},
		"that of the variable": {
			[]string{common, "v.yml"},
			scaffold.Ruby{Environ: []string{"DYNAMO_DB_SESSION_CONFIG_FILE=v.yml"}},
			"v.yml",
		},
	} {
		dir := t.TempDir()
		for _, file := range c.files {
			write(t, dir, file, "table_name: "+strings.ReplaceAll(file, "/", "_")+"\n")
		}
		c.where.Dir = dir
		m, err := scaffold.FromRuby(c.where)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if want := strings.ReplaceAll(c.want, "/", "_"); m.Values["table.name"] != want {
			t.Errorf("%s: the file %s; want %s", name, m.Values["table.name"], want)
		}
	}
}

func TestFromRubyRefuses(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, c := range []struct{ name, file, environ string }{
		{"ERB", "table_name: x\nsecret_key: <%= ENV['SECRET'] %>\n", ""},
		{"ERB in a comment", "# <%# nothing %>\ntable_name: web\n", ""},
		{"octal", "max_age: 010\n", ""},
		{"octal that is none", "max_age: 09\n", ""},
		{"octal in the environment", "", "AWS_DYNAMO_DB_SESSION_LOCK_EXPIRY_TIME=0500"},
		{"underscore", "max_age: 604_800\n", ""},
		{"hexadecimal", "read_capacity: 0xA\n", ""},
		{"fraction of a unit", "read_capacity: 2.5\n", ""},
		{"word", "lock_max_wait_time: long\n", ""},
		{"eternity", "max_age: 99999999999\n", ""},
		{"negative", "max_stale: -1\n", ""},
		{"zero", "max_stale: 0\n", ""},
		{"yes", "enable_locking: yes\n", ""},
		{"True in the environment", "", "AWS_DYNAMO_DB_SESSION_CONSISTENT_READ=True"},
		{"empty name", "table_name: ''\n", ""},
		{"impossible name", "table_name: a b\n", ""},
		{"name of ours that is taken", "table_key: data\n", ""},
		{"object", "table_name: !ruby/object:Object {}\n", ""},
		{"alias", "table_name: &a web\ntable_key: *a\n", ""},
		{"list", "- table_name\n", ""},
		{"list for a value", "table_name: [a]\n", ""},
		{"twice", "table_name: web\ntable_name: app\n", ""},
		{"not YAML", "table_name: 'web\n", ""},
		{"binary", "\x00\x01", ""},
		{"many", "max_age: 010\ntable_name: ''\nconsistent_read: on\n", "DYNAMO_DB_SESSION_MAX_STALE=1e3"},
		{"nothing", "", ""},
	} {
		dir := t.TempDir()
		where := scaffold.Ruby{Dir: dir}
		if c.file != "" {
			write(t, dir, "store.yml", c.file)
			where.File = "store.yml"
		}
		if c.environ != "" {
			where.Environ = []string{c.environ}
		}
		m, err := scaffold.FromRuby(where)
		var all *config.Error
		if !errors.As(err, &all) {
			t.Errorf("%s: %v, %v; want a *config.Error", c.name, m, err)
			continue
		}
		fmt.Fprintf(&b, "== %s\n%s\n\n", c.name, strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""))
	}
	golden(t, "testdata/ruby-problems.golden", b.String())
	if _, err := scaffold.FromRuby(scaffold.Ruby{File: "missing.yml", Dir: t.TempDir()}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v; want fs.ErrNotExist", err)
	}
}

// A file that sets nothing becomes one that sets nothing.
func TestFromRubyOfDefaults(t *testing.T) {
	t.Parallel()
	m, err := scaffold.FromRuby(scaffold.Ruby{File: write(t, t.TempDir(), "store.yml",
		"# table_name: Sessions\n# max_age: 604800\n")})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Values) > 0 || len(m.Notes) > 0 {
		t.Errorf("%+v; want nothing", m)
	}
	checkMigration(t, m)
}
