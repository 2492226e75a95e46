package config

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
)

// Migration is what the settings of another session store are here.
type Migration struct {
	// Values are the keys to set, with values as in environment variables.
	Values map[string]string
	// Notes say what became of each setting that was found, in the order of the places that they were found in.
	Notes []Note
}

// Note says what became of a setting.
type Note struct {
	// Source is where it was found.
	Source Source `json:"source"`
	// Option is its name there.
	Option string `json:"option"`
	// Key is the key that it became, empty where it has no counterpart.
	Key string `json:"key"`
	// Text says what was converted and what differs, or why there is no counterpart. It may be empty.
	Text string `json:"text"`
}

// String returns the note as one line.
func (n Note) String() string {
	text := n.Text
	if n.Key != "" {
		text = strings.TrimSuffix("becomes "+n.Key+": "+text, ": ")
	}
	return fmt.Sprintf("%v: %s: %s", n.Source, n.Option, text)
}

// File returns the values as a file of ours, with the notes at its top. Loaded as it is, it sets the values and nothing else.
func (m *Migration) File() ([]byte, error) {
	var b strings.Builder
	b.WriteString("# Settings of scsdynamo, made from those of aws-sessionstore-dynamodb. What became of each:\n#\n")
	for _, note := range m.Notes {
		for i, line := range wrap(note.String(), 112) {
			b.WriteString("# " + strings.Repeat("  ", min(i, 1)) + line + "\n")
		}
	}
	return template(b.String(), m.Values)
}

// What the gem's variables begin with, and began with before.
const (
	rubyPrefix    = "AWS_DYNAMO_DB_SESSION_"
	rubyPrefixOld = "DYNAMO_DB_SESSION_"
	rubyFile      = "CONFIG_FILE"
)

// FromRuby reads the settings of the gems aws-sessionstore-dynamodb and aws-actiondispatch-dynamodb, as they do: environment
// variables AWS_DYNAMO_DB_SESSION_..., over those older ones without AWS_, which win over them, over a YAML file. The file is
// that of [WithFile], else of AWS_DYNAMO_DB_SESSION_CONFIG_FILE, else the one that Rails reads. The environment is that of
// [WithEnvironment], else of RAILS_ENV, else of RACK_ENV.
//
// It changes and executes nothing: a file with ERB is refused. Values that Ruby would read as something else than they
// show, such as 010 and yes, are errors. Errors: [*Error], also where there is nothing to read.
func FromRuby(options ...Option) (*Migration, error) {
	l := newLoader(options)
	r := rubyReader{loader: l, found: map[string]rubySetting{}, migration: &Migration{Values: map[string]string{}}}
	if path := r.find(); path != "" {
		r.readFile(path)
	}
	r.readVariables(rubyPrefix)
	r.readVariables(rubyPrefixOld)
	if len(r.found) == 0 && !r.any && len(l.problems) == 0 {
		l.problems.add(Source{Kind: FromEnvironment, Name: rubyPrefix + "…"}, "",
			"there is nothing to read: no such variable, and no file %s; name the file", strings.Join(rubyFiles(""), " or "))
	}
	layers := []layer{defaults(), r.convert()}
	if _, err := l.merge(layers); err != nil {
		return nil, err
	}
	return r.migration, nil
}

// rubySetting is a setting as it was found.
type rubySetting struct {
	text   string
	source Source
}

type rubyReader struct {
	*loader
	found     map[string]rubySetting
	any       bool // something was found, if only an empty file
	migration *Migration
}

func (r *rubyReader) note(source Source, option, key, format string, args ...any) {
	r.migration.Notes = append(r.migration.Notes, Note{source, option, key, fmt.Sprintf(format, args...)})
}

// rubyFiles are where Rails looks, the latest first.
func rubyFiles(environment string) []string {
	files := []string{"config/aws_dynamo_db_session_store.yml", "config/dynamo_db_session_store.yml"}
	if environment != "" {
		files = slices.Insert(files, 0, "config/aws_dynamo_db_session_store/"+environment+".yml")
	}
	return files
}

// find returns the path of the file, empty for none.
func (r *rubyReader) find() string {
	if r.file != nil {
		return r.path(*r.file)
	}
	for _, prefix := range []string{rubyPrefixOld, rubyPrefix} {
		if path := variables(r.environ, prefix)[prefix+rubyFile]; path != "" {
			return r.path(path)
		}
	}
	environment := ""
	for _, name := range []string{"RACK_ENV", "RAILS_ENV"} {
		if text := variables(r.environ, name)[name]; text != "" {
			environment = text
		}
	}
	if r.environment != nil {
		environment = *r.environment
	}
	if !environmentName.MatchString(environment) {
		environment = ""
	}
	for _, name := range rubyFiles(environment) {
		if path := r.path(filepath.FromSlash(name)); exists(path) {
			return path
		}
	}
	return ""
}

func (r *rubyReader) readFile(path string) {
	whole := Source{Kind: FromFile, Name: path}
	data, problem := readRegular(path, MaxFileBytes)
	if problem.Text != "" {
		problem.Source = whole
		r.problems = append(r.problems, problem)
		return
	}
	if before, _, executable := bytes.Cut(data, []byte("<%")); executable {
		whole.Line = 1 + bytes.Count(before, []byte("\n"))
		r.problems.add(whole, "", "the file has ERB (<%% … %%>), which would have to be executed; do that yourself, and name the "+
			"result: erb %s > rendered.yml", filepath.Base(path))
		return
	}
	r.any = true
	file := fileReader{name: path, problems: &r.problems}
	root := file.document(data)
	switch {
	case root == nil || !file.plain(root, "") || isEmpty(root):
		return
	case root.Kind != yaml.MappingNode:
		file.at(root, "", "the file must have keys at its top, such as table_name: sessions")
		return
	}
	file.pairs(root, "", func(name string, at, value *yaml.Node) {
		switch {
		case isNull(value):
			r.note(file.source(at), quote(name), "", "it is nil, which means that it is not set")
		case !file.plain(value, name):
		case value.Kind != yaml.ScalarNode:
			file.at(at, name, "must be a single value")
		default:
			r.found[name] = rubySetting{value.Value, file.source(at)}
		}
	})
}

func (r *rubyReader) readVariables(prefix string) {
	ours := variables(r.environ, prefix)
	for _, variable := range slices.Sorted(maps.Keys(ours)) {
		name := strings.ToLower(strings.TrimPrefix(variable, prefix))
		source := Source{Kind: FromEnvironment, Name: shorten(variable, longestName)}
		if name == strings.ToLower(rubyFile) {
			continue
		}
		if before, twice := r.found[name]; twice && before.source.Kind == FromEnvironment {
			r.note(before.source, name, "", "%s is set, too, and the gem takes that", printable(variable))
		}
		r.found[name] = rubySetting{ours[variable], source}
	}
}

// convert turns what was found into our values, and notes what became of each.
func (r *rubyReader) convert() layer {
	settings := layer{}
	for _, name := range slices.Sorted(maps.Keys(r.found)) {
		found := r.found[name]
		option, known := rubyOptions[name]
		if !known {
			r.note(found.source, quote(name), "", "the gem does not know it, and ignores it")
			continue
		}
		if option.convert == nil {
			r.note(found.source, name, "", "no counterpart: %s", option.text)
			continue
		}
		text, extra, wrong := option.convert(found.text)
		if wrong != "" {
			r.problems.add(found.source, name, "%s", wrong)
			continue
		}
		r.set(settings, option.key, text, found.source, name)
		said := slices.DeleteFunc([]string{text + ".", option.text, extra}, func(part string) bool { return part == "" })
		r.note(found.source, name, option.key, "%s", strings.Join(said, " "))
	}
	r.completeCapacity(settings)
	age, hasAge := settings["collection.max_age"]
	if _, hasStale := settings["collection.max_stale"]; hasAge && hasStale {
		r.note(age.source, "max_age and max_stale", "collection.max_age",
			"There, a session was collected when it was older than both; here, when it is older than one of them.")
	}
	slices.SortStableFunc(r.migration.Notes, func(a, b Note) int { return a.Source.compare(b.Source) })
	return settings
}

func (r *rubyReader) set(settings layer, key, text string, source Source, option string) {
	ours, _ := FindKey(key)
	value, wrong := ours.parseFlat(text)
	if wrong != "" {
		r.problems.add(source, option, "this is %s here: %s", key, wrong)
		return
	}
	settings[key] = setting{value, source}
	r.migration.Values[key] = text
}

// completeCapacity adds the capacity that was left to the gem's default: here both are set, or none.
func (r *rubyReader) completeCapacity(settings layer) {
	const read, write = "table.read_capacity", "table.write_capacity"
	for _, pair := range []struct{ given, missing, text, option string }{
		{read, write, "5", "write_capacity"}, {write, read, "10", "read_capacity"},
	} {
		given, ok := settings[pair.given]
		if _, there := settings[pair.missing]; ok && !there {
			r.set(settings, pair.missing, pair.text, given.source, pair.option)
			r.note(given.source, pair.option, pair.missing, "%s, the gem's default: here both capacities are set, or none.",
				pair.text)
		}
	}
}

// rubyOption is an option of the gem. Where there is nothing to convert, it has no counterpart, and text says why.
type rubyOption struct {
	key     string
	text    string
	convert func(text string) (ours, note, wrong string)
}

var rubyOptions = map[string]rubyOption{
	"table_name":      {key: "table.name", convert: rubyText},
	"table_key":       {key: "table.partition_key.name", convert: rubyText},
	"read_capacity":   {key: "table.read_capacity", convert: rubyInteger},
	"write_capacity":  {key: "table.write_capacity", convert: rubyInteger},
	"consistent_read": {key: "sessions.reads", convert: rubyReads},
	"enable_locking": {
		key: "strategy", convert: rubyLocking,
		text: "Requests that only read need no lock: see sessions.read_only_methods.",
	},
	"lock_expiry_time": {
		key: "lease.duration", convert: rubyTime(time.Millisecond, lockstrategy.MinDuration),
		text: "Milliseconds there. Here a lease is renewed while its request runs, at every third of it, and each renewal is a " +
			"write: the default, 5s, is cheaper.",
	},
	"lock_max_wait_time": {
		key: "lease.max_wait", convert: rubyTime(time.Second, lockstrategy.MinWait), text: "Seconds there.",
	},
	"max_age": {
		key: "collection.max_age", convert: rubyTime(time.Second, 0),
		text: "Seconds there. It is about collection alone: how long a session lasts is the Lifetime of scs's SessionManager.",
	},
	"max_stale": {
		key: "collection.max_stale", convert: rubyTime(time.Second, 0),
		text: "Seconds there. It is about collection alone: how long an unused session lasts is the IdleTimeout of scs's " +
			"SessionManager.",
	},
	"lock_retry_delay": {text: "who waits asks at intervals that grow, at random, and is woken within a process"},
	"secret_key": {text: "it signs session IDs; those of scs are random and need no signature. It was not copied. To encrypt " +
		"what is stored, make a new secret for secret.current"},
	"raise_errors":     {text: "all errors reach the ErrorFunc of scs's SessionManager: see sessionstore.HandleError"},
	"error_handler":    {text: "it is code: the ErrorFunc of scs's SessionManager"},
	"serializer":       {text: "it is the Codec of scs's SessionManager; sessions that Ruby has written are not read"},
	"dynamo_db_client": {text: "it is code: see config.WithClientOptions, dynamodb.region, dynamodb.endpoint"},
	"config_file":      {text: "a file cannot name another file; the gem ignores it"},
}

func rubyText(text string) (ours, note, wrong string) {
	if text == "" {
		return "", "", "an empty value"
	}
	return text, "", ""
}

func rubyInteger(text string) (ours, note, wrong string) {
	if _, wrong := parseInteger(text); wrong != "" {
		return "", "", rubyNumberWrong(text)
	}
	return text, "", ""
}

func rubyReads(text string) (ours, note, wrong string) {
	switch text {
	case "true":
		return readsStrong, "", ""
	case "false":
		return readsEventual, "It can miss a session that was just made; eventual-then-strong does not, and costs as little " +
			"for those that exist.", ""
	default:
		return "", "", rubyBooleanWrong(text)
	}
}

func rubyLocking(text string) (ours, note, wrong string) {
	switch text {
	case "true":
		return strategyLease, "", ""
	case "false":
		return strategyMerge, "Without locking, the last commit won there and updates were lost; merge keeps them. To have it " +
			"as it was, set the strategy none.", ""
	default:
		return "", "", rubyBooleanWrong(text)
	}
}

// rubyTime converts a number of units to a duration of at least least.
func rubyTime(unit, least time.Duration) func(string) (ours, note, wrong string) {
	return func(text string) (ours, note, wrong string) {
		n, wrong := parseNumber(text)
		if wrong != "" {
			return "", "", rubyNumberWrong(text)
		}
		const century = 100 * 365 * 24 * time.Hour
		if n.(float64) > float64(century/unit) {
			return "", "", quote(text) + " is more than a hundred years"
		}
		d := time.Duration(n.(float64) * float64(unit))
		if d >= 0 && d < least {
			note = fmt.Sprintf("It was %s there, which is less than the least possible here.", shorten(text, 20))
			return formatDuration(least), note, ""
		}
		return formatDuration(d), "", ""
	}
}

func rubyNumberWrong(text string) string {
	if octal.MatchString(text) {
		if n, err := strconv.ParseInt(text, 8, 64); err == nil {
			return fmt.Sprintf("%s is octal for Ruby, which reads %d; write the number that is meant, without a zero before it",
				quote(text), n)
		}
	}
	return quote(text) + " is not a plain decimal number, and Ruby may take it for something else; write one such as 500"
}

func rubyBooleanWrong(text string) string {
	return quote(text) + " is not true or false, and Ruby may take it for either; write the one that is meant"
}
