package config_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// badInput is something that Load must refuse.
type badInput struct {
	name    string
	file    string
	environ []string
	code    []config.Option
	// make makes something else than a file at the path of the file.
	make func(t *testing.T, path string)
}

// marker is in every secret of the bad inputs, and must be in no error.
const marker = "WMarkerQ"

func badInputs() []badInput {
	file := func(name, text string) badInput { return badInput{name: name, file: text} }
	env := func(name string, environ ...string) badInput { return badInput{name: name, environ: environ} }
	code := func(name, key string, value any) badInput {
		return badInput{name: name, code: []config.Option{config.With(key, value)}}
	}
	return []badInput{
		// Names.
		file("unknown key", "lease:\n  durations: 5s\n"),
		file("unknown key at the top", "stratgy: lease\n"),
		file("key in the wrong section", "region: eu-central-1\n"),
		file("unknown key with swapped letters", "lease:\n  druaiton: 5s\n"),
		file("unknown key that is like no other", "whatever: 1\n"),
		file("unknown section", "leases:\n  duration: 5s\n"),
		file("key with capitals", "Driver: bolt\n"),
		file("dotted key", "lease.duration: 5s\n"),
		file("dotted section", "table.partition_key:\n  name: id\n"),
		file("long unknown key", strings.Repeat("k", 200)+": 1\n"),
		file("key twice", "lease:\n  duration: 5s\n  duration: 6s\n"),
		file("section twice", "lease:\n  duration: 5s\nlease:\n  max_wait: 6s\n"),
		env("unknown variable", "SCSDYNAMO_TABEL_NAME=web"),
		env("variable without its section", "SCSDYNAMO_REGION=eu-central-1"),
		env("variable that is like no other", "SCSDYNAMO_WHATEVER=1"),
		env("variable of a section", "SCSDYNAMO_LEASE=5s"),
		env("bare prefix", "SCSDYNAMO_=1"),
		code("unknown key in code", "table.nmae", "web"),
		code("secret for a key in code", secretA, ""),
		file("secret for a key", secretA+": x\n"),

		// Durations.
		file("duration without a unit", "lease:\n  duration: 30\n"),
		file("duration with a decimal without a unit", "lease:\n  duration: 1.5\n"),
		file("zero without a unit", "lease:\n  renewal: 0\n"),
		file("duration with a space", "lease:\n  duration: 5 s\n"),
		file("duration in words", "lease:\n  duration: five seconds\n"),
		file("duration with an unknown unit", "lease:\n  duration: 1w\n"),
		file("duration with a plus", "lease:\n  duration: +5s\n"),
		file("duration without digits before the point", "lease:\n  duration: .5s\n"),
		file("negative duration", "lease:\n  max_wait: -5s\n"),
		file("negative duration without a least", "bolt:\n  grace: -1m\n"),
		file("duration too short", "lease:\n  duration: 50ms\n"),
		file("duration too long", "dynamodb:\n  attempt_timeout: 2h\n"),
		file("duration beyond all measure", "lease:\n  duration: 9999999999h\n"),
		file("duration with an exponent", "lease:\n  duration: 1e3s\n"),
		env("duration without a unit in the environment", "SCSDYNAMO_LEASE_MAX_WAIT=10"),
		code("duration as a number in code", "lease.duration", 5),

		// Numbers.
		file("octal", "dynamodb:\n  max_attempts: 010\n"),
		file("octal as YAML 1.2 has it", "dynamodb:\n  max_attempts: 0o10\n"),
		file("hexadecimal", "dynamodb:\n  max_attempts: 0x10\n"),
		file("underscore", "sessions:\n  page_size: 1_000\n"),
		file("exponent", "sessions:\n  page_size: 1e3\n"),
		file("fraction of a whole number", "dynamodb:\n  max_attempts: 2.5\n"),
		file("base 60", "dynamodb:\n  max_attempts: 1:30\n"),
		file("plus", "dynamodb:\n  max_attempts: +5\n"),
		file("word for a number", "dynamodb:\n  max_attempts: many\n"),
		file("number too small", "dynamodb:\n  max_attempts: 0\n"),
		file("number too large", "dynamodb:\n  max_attempts: 101\n"),
		file("number beyond all measure", "dynamodb:\n  max_attempts: 99999999999999999999\n"),
		file("negative capacity", "table:\n  read_capacity: -1\n  write_capacity: 5\n"),
		file("infinity", "collection:\n  read_units: .inf\n"),
		file("budget of 0", "collection:\n  write_units: 0\n"),
		file("negative budget", "collection:\n  write_units: -2.5\n"),
		file("number in octal", "collection:\n  write_units: 025\n"),
		env("hexadecimal in the environment", "SCSDYNAMO_DYNAMODB_MAX_ATTEMPTS=0x5"),
		code("number as a bool in code", "dynamodb.max_attempts", true),

		// Booleans and choices.
		file("yes", "table:\n  create: yes\n"),
		file("on", "table:\n  create: on\n"),
		file("True", "table:\n  create: True\n"),
		file("1 for true", "table:\n  create: 1\n"),
		env("TRUE in the environment", "SCSDYNAMO_TABLE_CREATE=TRUE"),
		file("unknown driver", "driver: dynamo\n"),
		file("unknown strategy", "strategy: optimistik\n"),
		file("choice in capitals", "sessions:\n  reads: STRONG\n"),
		file("choice that is like no other", "merge:\n  same_key: newest\n"),

		// What YAML has.
		file("null", "table:\n  name: null\n"),
		file("tilde", "table:\n  name: ~\n"),
		file("nothing behind the colon", "lease:\n  duration:\n"),
		file("null for a section", "lease: null\n"),
		file("null for a list", "secret:\n  previous_files:\n"),
		file("null for a map", "table:\n  tags: ~\n"),
		file("null in a list", "sessions:\n  read_only_methods: [GET, ~]\n"),
		file("anchor and alias", "lease:\n  duration: &d 5s\n  max_wait: *d\n"),
		file("cyclic alias", "lease: &a\n  duration: *a\n"),
		file("cyclic alias of the whole", "&a [*a, *a]\n"),
		file("unknown anchor", "lease:\n  duration: *"+marker+"\n"),
		file("merge key", "lease:\n  <<: {duration: 5s}\n"),
		file("binary tag", "table:\n  name: !!binary c2Vzc2lvbnM=\n"),
		file("string tag", "table:\n  name: !!str sessions\n"),
		file("object tag", "table: !ruby/object:Table\n  name: web\n"),
		file("two documents", "driver: bolt\n---\ndriver: dynamodb\n"),
		file("list at the top", "- driver\n- bolt\n"),
		file("text at the top", "hello\n"),
		file("list for a value", "table:\n  name: [web]\n"),
		file("mapping for a value", "table:\n  name: {web: 1}\n"),
		file("value for a section", "lease: 5s\n"),
		file("list for a section", "lease:\n  - duration\n"),
		file("value for a list", "sessions:\n  read_only_methods: GET\n"),
		file("value for a map", "table:\n  tags: web\n"),
		file("list in a list", "sessions:\n  read_only_methods: [[GET]]\n"),
		file("mapping in a map", "table:\n  tags: {a: {b: c}}\n"),
		file("list as a key", "[a, b]: c\n"),
		file("tab", "lease:\n\tduration: 5s\n"),
		file("unclosed quote", "table:\n  name: 'web\n"),
		file("colon in a value", "table:\n  name: a: b\n"),
		file("wrong indentation", "lease:\n    duration: 5s\n  max_wait: 6s\n"),
		file("line break in a value", "table:\n  name: |\n    web\n    app\n"),
		file("unexpanded variable", "table:\n  name: $TABLE\n"),
		file("unexpanded template", "table:\n  name: <%= ENV['TABLE'] %>\n"),

		// The file.
		file("empty file", ""),
		file("blank file", "\n  \n\t\n"),
		file("binary file", "driver: bolt\n\x00\x01\x02"),
		file("not UTF-8", "table:\n  name: caf\xe9\n"),
		file("UTF-16", "\xff\xfed\x00r\x00i\x00v\x00e\x00r\x00"),
		file("large file", "# "+strings.Repeat("x", 10<<20)+"\n"),
		{name: "missing file", make: func(*testing.T, string) {}},
		{name: "directory", make: func(t *testing.T, path string) {
			t.Helper()
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		env("file variable that names nothing", "SCSDYNAMO_CONFIG_FILE="),
		env("environment that is a path", "SCSDYNAMO_ENV=../production"),
		env("empty environment", "SCSDYNAMO_ENV="),
		env("environment without a file", "SCSDYNAMO_ENV=prodution"),

		// ARNs that do not fit.
		{
			name: "table of another region", file: "table:\n  name: arn:aws:dynamodb:eu-west-1:123456789012:table/sessions\n",
			environ: []string{"AWS_REGION=eu-central-1"},
		},
		file("table of another region than the one that is set",
			"dynamodb:\n  region: eu-central-1\ntable:\n  name: arn:aws:dynamodb:eu-west-1:123456789012:table/sessions\n"),
		file("table of another partition", "table:\n  name: arn:aws:dynamodb:cn-north-1:123456789012:table/sessions\n"),
		file("key of another region",
			"dynamodb:\n  region: eu-central-1\ntable:\n  kms_key: arn:aws:kms:eu-west-1:123456789012:key/1234\n"),

		// What Kubernetes would call otherwise, or mean otherwise.
		env("port that is no link", "SCSDYNAMO_PORT=8080"),
		env("port of a table", "SCSDYNAMO_TABLE_PORT=http://127.0.0.1:80"),
		env("host that is no address", "SCSDYNAMO_SERVICE_HOST=db.example"),
		env("port of a service that is no number", "SCSDYNAMO_SERVICE_PORT=http"),

		// YAML that is not what it looks like.
		file("tab before a key", "lease:\n\tduration: 5s\n"),
		file("tab behind spaces", "driver: bolt\nlease:\n  duration: 5s\n  \tmax_wait: 5s\n"),
		file("tabs throughout", "table:\n\tname: web\n\tpartition_key:\n\t\tname: id\n"),
		file("backslash that is no escape", "driver: bolt\nbolt:\n  path: \"C:\\sessions\\web.db\"\n"),
		file("backslash that is a line break", "bolt:\n  path: \"C:\\new.db\"\n"),
		file("backslash that is an escape of YAML's", "bolt:\n  path: \"D:\\Nightly\\Logs\\Program.db\"\n"),
		file("backslash before the end", "bolt:\n  path: \"C:\\dir\\\"\ndriver: bolt\n"),

		// Values.
		file("empty name", "table:\n  name: ''\n"),
		env("empty variable", "SCSDYNAMO_DYNAMODB_REGION="),
		file("table name with a space", "table:\n  name: my sessions\n"),
		file("table name too short", "table:\n  name: ab\n"),
		file("endpoint without a scheme", "dynamodb:\n  endpoint: 127.0.0.1:8000\n"),
		file("endpoint with a password", "dynamodb:\n  endpoint: http://user:"+marker+"@localhost:8000\n"),
		file("endpoint with a query", "dynamodb:\n  endpoint: http://localhost:8000?a=b\n"),
		file("method in small letters", "sessions:\n  read_only_methods: [get]\n"),
		file("method twice", "sessions:\n  read_only_methods: [GET, GET]\n"),
		env("empty item", "SCSDYNAMO_SESSIONS_READ_ONLY_METHODS=GET,,HEAD"),
		env("tag without a value", "SCSDYNAMO_TABLE_TAGS=team"),
		env("tag twice", "SCSDYNAMO_TABLE_TAGS=team=a,team=b"),
		file("tag of AWS", "table:\n  tags: {aws:team: web}\n"),
		file("cron of six fields", "collection:\n  schedule: 0 17 3 * * *\n"),
		file("cron out of range", "collection:\n  schedule: 61 3 * * *\n"),
		file("cron by name", "collection:\n  schedule: '@daily'\n"),
		env("control character", "SCSDYNAMO_TABLE_PARTITION_KEY_PREFIX=a\x01b"),
		file("text too long", "table:\n  partition_key:\n    prefix: "+strings.Repeat("p", 5000)+"\n"),

		// Secrets.
		file("secret that is not base64", "secret:\n  current: "+marker+"."+marker+"."+marker+"."+marker+"."+marker+"\n"),
		file("short secret", "secret:\n  current: "+marker+"\n"),
		file("secret with bits to spare", "secret:\n  current: "+strings.Repeat("A", 42)+"B=\n"),
		file("empty secret", "secret:\n  current: ''\n"),
		file("null secret", "secret:\n  current:\n"),
		file("secret in two lines", "secret:\n  current: |\n    "+secretA+"\n    "+secretA+"\n"),
		file("short previous secret", "secret:\n  current: "+secretA+"\n  previous: ["+marker+"]\n"),
		file("previous secret without a current one", "secret:\n  previous: ["+secretA+"]\n"),
		file("secret twice", "secret:\n  current: "+secretA+"\n  previous: ["+secretB+", "+secretA+"]\n"),
		file("secret and its file", "secret:\n  current: "+secretA+"\n  current_file: secret.txt\n"),
		file("secret file that is missing", "secret:\n  current_file: secret.txt\n"),
		file("instant without a time zone", "secret:\n  previous_until: 2030-01-31T12:00:00\n"),
		file("instant that is a day", "secret:\n  previous_until: 2030-01-31\n"),
		file("sealed since without a secret", "secret:\n  sealed_since: 2025-01-31T12:00:00Z\n"),
		file("weak secret",
			"secret:\n  current: "+base64.StdEncoding.EncodeToString([]byte(strings.Repeat("password", 4)))+"\n"),
		file("base64 of base64", "secret:\n  current: "+base64.StdEncoding.EncodeToString([]byte(secretA))+"\n"),
		file("secret behind no space", "secret:\n  current:"+secretA+"\n"),
		file("secret as a key", "secret:\n  "+strings.TrimRight(secretA, "=")+": true\n"),
		env("short secret in the environment", "SCSDYNAMO_SECRET_CURRENT="+marker),
		code("short secret in code", "secret.current", []byte(marker)),
		code("short previous secret in code", "secret.previous", [][]byte{[]byte(marker)}),

		// What does not go together.
		file("attempt longer than operation", "dynamodb:\n  attempt_timeout: 10s\n"),
		file("renewal too late", "lease:\n  duration: 3s\n  renewal: 3s\n"),
		file("held for less than a lease", "lease:\n  duration: 3s\n  max_hold: 2s\n"),
		file("none may wait", "lease:\n  max_waiting: 0\n"),
		file("allowance too long", "lease:\n  clock_allowance: 5s\n"),
		file("one capacity", "table:\n  write_capacity: 5\n"),
		file("attribute twice", "table:\n  attributes:\n    data: payload\n    version: payload\n"),
		file("attribute that is another's default", "table:\n  attributes:\n    data: version\n"),
		file("sort key without a name", "table:\n  sort_key:\n    prefix: S#\n"),
		file("prefix and suffix without an end", "table:\n  partition_key: {prefix: app, suffix: v1}\n"),
		file("prefix of collectors", "table:\n  partition_key: {prefix: 'scsdynamo:'}\n"),
		file("prefix that leaves no room", "table:\n  partition_key:\n    prefix: "+strings.Repeat("p", 2000)+"\n"),
		file("creation by ARN",
			"table:\n  create: true\n  name: arn:aws:dynamodb:eu-central-1:123456789012:table/sessions\n"),
		file("grace without the rule", "collection:\n  expired: false\n  max_age: 30d\n  grace: 1h\n"),
		file("interval and schedule", "collection:\n  interval: 1h\n  schedule: 17 3 * * *\n"),
		file("jitter of nothing", "collection:\n  jitter: 1m\n"),
		file("jitter longer than the interval", "collection:\n  interval: 1m\n  jitter: 2m\n"),
		file("an index for rules that it does not know", "collection:\n  source: index\n  max_age: 30d\n"),
		file("the name of an index", "table:\n  expiry_index: {name: by hour}\n"),
		file("no shards", "table:\n  expiry_index: {name: expiry, shards: 0}\n"),
		file("checkpoint without its file", "collection:\n  checkpoint: file\n"),
		file("file without its checkpoint", "collection:\n  checkpoint_file: position\n"),
		file("position in the file of the sessions",
			"driver: bolt\nbolt:\n  path: s.db\ncollection:\n  checkpoint: file\n  checkpoint_file: ./s.db\n"),
		file("mistake in what is not chosen", "driver: bolt\ntable:\n  name: '?'\nstrategy: merge\nlease:\n  renewal: 9s\n"),

		{
			name: "many, from everywhere, in order",
			file: "lease:\n  renewal: 9s\n  duration: 5\nstratgy: lease\ntable:\n  name: ''\n  read_capacity: 5\n",
			environ: []string{
				"SCSDYNAMO_TABLE_CREATE=yes", "SCSDYNAMO_BOLT_GRACE=1", "SCSDYNAMO_NAME=x", "PATH=/bin", "SCSDYNAMO_ENV=a/b",
			},
			code: []config.Option{
				config.With("dynamodb.max_attempts", 0), config.With("bolt.lock_timeout", "1"),
				config.With("lease.max_wait", time.Duration(-1)),
			},
		},
		{
			// The key that is to blame says where, not another one of its section.
			name: "lease renewed too late, and another key of it from elsewhere",
			file: "lease:\n  renewal: 5s\n", environ: []string{"SCSDYNAMO_LEASE_MAX_WAIT=3s"},
		},
		{
			name: "keys that do not go together, from different places",
			file: "dynamodb:\n  operation_timeout: 1s\n", environ: []string{"SCSDYNAMO_DYNAMODB_ATTEMPT_TIMEOUT=3s"},
		},
	}
}

// secretA and secretB are base64 of 33 and 36 bytes.
const (
	secretA = marker + "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3"
	secretB = marker + "PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWc"
)

// loadBad loads a bad input, and returns the error with the directory taken out.
func loadBad(t *testing.T, input badInput) (text string, err error) {
	t.Helper()
	dir := t.TempDir()
	options := []config.Option{config.WithDir(dir), config.WithEnviron(input.environ)}
	switch {
	case input.make != nil:
		input.make(t, filepath.Join(dir, "sessions.yaml"))
		options = append(options, config.WithFile("sessions.yaml"))
	case input.file != "" || (input.environ == nil && input.code == nil):
		write(t, dir, "sessions.yaml", input.file)
		options = append(options, config.WithFile("sessions.yaml"))
	}
	cfg, err := config.Load(append(options, input.code...)...)
	if err == nil {
		t.Fatalf("loaded: %v", cfg)
	}
	return strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""), err
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	names := map[string]bool{}
	for _, input := range badInputs() {
		if names[input.name] {
			t.Errorf("two inputs are called %q", input.name)
		}
		names[input.name] = true
		text, err := loadBad(t, input)
		fmt.Fprintf(&b, "== %s\n%s\n\n", input.name, text)
		if strings.Contains(text, marker) {
			t.Errorf("%s: the error has a secret in it: %s", input.name, text)
		}
		var all *config.Error
		if !errors.As(err, &all) || len(all.Problems) == 0 {
			t.Fatalf("%s: %T; want a *config.Error with problems", input.name, err)
		}
		for _, p := range all.Problems {
			if p.Text == "" || p.Text != strings.TrimSpace(p.Text) || strings.HasSuffix(p.Text, ".") {
				t.Errorf("%s: the problem %q is empty, or does not end as errors do", input.name, p.Text)
			}
			if !slices.ContainsFunc(keys.All(), func(k keys.Key) bool {
				return p.Key == "" || k.Name == p.Key || strings.HasPrefix(k.Name, p.Key+".")
			}) {
				t.Errorf("%s: a problem is about %q, which is no key and no section", input.name, p.Key)
			}
		}
	}
	if len(names) < 60 {
		t.Errorf("%d bad inputs; want at least 60", len(names))
	}
	golden(t, "testdata/problems.golden", b.String())
}

// Problems stand in the order of the file, then by name of the variable, then as code has them.
func TestProblemsAreInOrder(t *testing.T) {
	t.Parallel()
	inputs := badInputs()
	i := slices.IndexFunc(inputs, func(b badInput) bool { return b.name == "many, from everywhere, in order" })
	_, err := loadBad(t, inputs[i])
	var all *config.Error
	if !errors.As(err, &all) {
		t.Fatal(err)
	}
	var kinds []string
	var lines []int
	for _, p := range all.Problems {
		kinds, lines = append(kinds, p.Source.Kind), append(lines, p.Source.Line)
	}
	wantKinds := []string{
		"file", "file", "file", "file", "environment", "environment", "environment", "environment", "code", "code", "code",
	}
	if !slices.Equal(kinds, wantKinds) {
		t.Errorf("problems from %v; want %v", kinds, wantKinds)
	}
	if want := []int{3, 4, 6, 7}; !slices.Equal(lines[:4], want) {
		t.Errorf("problems in the lines %v; want %v", lines[:4], want)
	}
}

// The cause of what the operating system refused can be matched.
func TestProblemsKeepTheirCause(t *testing.T) {
	t.Parallel()
	_, err := load(t, config.WithFile("missing.yaml"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not match fs.ErrNotExist", err)
	}
	_, err = load(t, config.With("secret.current_file", "missing"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not match fs.ErrNotExist", err)
	}
	_, err = load(t, config.With("strategy", "x"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v matches fs.ErrNotExist", err)
	}
}

func TestErrorIsBounded(t *testing.T) {
	t.Parallel()
	_, err := load(t, withFile(t, manyKeys(5000)))
	var all *config.Error
	if !errors.As(err, &all) || len(all.Problems) != 5000 {
		t.Fatalf("%T; want 5000 problems", err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 102 || lines[101] != "  and 4900 more" {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "unknown_key_%d: 1\n", i)
	}
	return b.String()
}
