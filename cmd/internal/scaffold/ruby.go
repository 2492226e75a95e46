package scaffold

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/internal/plainfile"
	"github.com/scsdynamo/scsdynamo/internal/plainyaml"
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
	Source config.Source `json:"source"`
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

// File returns the values as a file of ours, with the notes at its top. Loaded as it is, it sets the values and nothing
// else.
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

// Ruby is where [FromRuby] looks.
type Ruby struct {
	// File is the YAML file. Default: that of AWS_DYNAMO_DB_SESSION_CONFIG_FILE, else the one that Rails reads.
	File string
	// Environment is the environment, of which Rails may have a file. Default: that of RAILS_ENV, else of RACK_ENV.
	Environment string
	// Environ are the environment variables, as in os.Environ.
	Environ []string
	// Dir is the directory from which relative paths start. Default: the working directory.
	Dir string
}

// FromRuby reads the settings of the gems aws-sessionstore-dynamodb and aws-actiondispatch-dynamodb, as they do:
// environment variables DYNAMO_DB_SESSION_..., which win over newer ones with AWS_ before, which win over a YAML file.
//
// It changes and executes nothing: a file with ERB is refused. Values that Ruby would read as something other than they
// show, such as 010 and yes, are errors. Errors: [*config.Error], also where there is nothing to read.
func FromRuby(where Ruby) (*Migration, error) {
	r := rubyReader{
		Ruby: where, found: map[string]rubySetting{}, sources: map[string]config.Source{},
		migration: &Migration{Values: map[string]string{}},
	}
	if path := r.find(); path != "" {
		r.readFile(path)
	}
	r.readVariables(rubyPrefix)
	r.readVariables(rubyPrefixOld)
	if len(r.found) == 0 && !r.any && len(r.problems) == 0 {
		r.wrong(config.Source{Kind: "environment", Name: rubyPrefix + "…"}, "",
			"there is nothing to read: no such variable, and no file %s; name the file", strings.Join(rubyFiles(""), " or "))
	}
	r.convert()
	r.checkTogether()
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b config.Problem) int { return compareSources(a.Source, b.Source) })
		return nil, &config.Error{Problems: r.problems}
	}
	return r.migration, nil
}

// rubySetting is a setting as it was found.
type rubySetting struct {
	text   string
	source config.Source
}

type rubyReader struct {
	Ruby

	problems  []config.Problem
	found     map[string]rubySetting
	any       bool                     // something was found, if only an empty file
	sources   map[string]config.Source // of the values, by key
	migration *Migration
}

// compareSources puts the file first, by line, and then the environment, by name.
func compareSources(a, b config.Source) int {
	return cmp.Or(cmp.Compare(b.Kind, a.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Line, b.Line))
}

func (r *rubyReader) wrong(source config.Source, key, format string, args ...any) {
	r.problems = append(r.problems, config.Problem{Source: source, Key: key, Text: fmt.Sprintf(format, args...)})
}

func (r *rubyReader) note(source config.Source, option, key, format string, args ...any) {
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
	if r.File != "" {
		return r.path(r.File)
	}
	for _, prefix := range []string{rubyPrefixOld, rubyPrefix} {
		if path := keys.Variables(r.Environ, prefix)[prefix+rubyFile]; path != "" {
			return r.path(path)
		}
	}
	environment := ""
	for _, name := range []string{"RACK_ENV", "RAILS_ENV"} {
		if text := keys.Variables(r.Environ, name)[name]; text != "" {
			environment = text
		}
	}
	environment = cmp.Or(r.Environment, environment)
	if environment != filepath.Base(environment) { // It is part of a file's name.
		environment = ""
	}
	for _, name := range rubyFiles(environment) {
		path := r.path(filepath.FromSlash(name))
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return path // Also one that cannot be read: it is not to be passed over.
		}
	}
	return ""
}

// path returns the path, from the directory where it is relative.
func (r *rubyReader) path(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.Dir, path)
}

func (r *rubyReader) readFile(path string) {
	at := func(line int) config.Source { return config.Source{Kind: "file", Name: path, Line: line} }
	data, err := plainfile.Read(path, keys.MaxFileBytes)
	if err != nil {
		problem := config.Problem{Source: at(0), Text: err.Error()}
		if failed := (*plainfile.Error)(nil); errors.As(err, &failed) {
			problem.Err = failed.Err
		}
		r.problems = append(r.problems, problem)
		return
	}
	if before, _, executable := bytes.Cut(data, []byte("<%")); executable {
		r.wrong(at(1+bytes.Count(before, []byte("\n"))), "",
			"the file has ERB (<%% … %%>), which would have to be executed; do that "+
				"yourself, and name the result: erb %s > rendered.yml", filepath.Base(path))
		return
	}
	r.any = true
	file := plainyaml.Reader{Report: func(line int, key, text string) { r.wrong(at(line), key, "%s", text) }}
	root := file.Document(data)
	switch {
	case root == nil || !file.Plain(root, "") || plainyaml.IsEmpty(root):
		return
	case root.Kind != yaml.MappingNode:
		file.At(root, "", "the file must have keys at its top, such as table_name: sessions")
		return
	}
	file.Pairs(root, "", func(name string, key, value *yaml.Node) {
		switch {
		case plainyaml.IsNull(value):
			r.note(at(key.Line), keys.Quote(name), "", "it is nil, which means that it is not set")
		case !file.Plain(value, name):
		case value.Kind != yaml.ScalarNode:
			file.At(key, name, "must be a single value")
		default:
			r.found[name] = rubySetting{value.Value, at(key.Line)}
		}
	})
}

func (r *rubyReader) readVariables(prefix string) {
	ours := keys.Variables(r.Environ, prefix)
	for _, variable := range slices.Sorted(maps.Keys(ours)) {
		name := strings.ToLower(strings.TrimPrefix(variable, prefix))
		source := config.Source{Kind: "environment", Name: keys.Shorten(variable, keys.LongestName)}
		if name == strings.ToLower(rubyFile) {
			continue
		}
		if before, twice := r.found[name]; twice && before.source.Kind == "environment" {
			r.note(before.source, name, "", "%s is set, too, and the gem takes that", keys.Printable(variable))
		}
		r.found[name] = rubySetting{ours[variable], source}
	}
}

// convert turns what was found into our values, and notes what became of each.
func (r *rubyReader) convert() {
	for _, name := range slices.Sorted(maps.Keys(r.found)) {
		found := r.found[name]
		option, known := rubyOptions[name]
		if !known {
			r.note(found.source, keys.Quote(name), "", "the gem does not know it, and ignores it")
			continue
		}
		if option.convert == nil {
			r.note(found.source, name, "", "no counterpart: %s", option.text)
			continue
		}
		text, extra, wrong := option.convert(found.text)
		if wrong != "" {
			r.wrong(found.source, name, "%s", wrong)
			continue
		}
		r.set(option.key, text, found.source, name)
		said := slices.DeleteFunc([]string{text + ".", option.text, extra}, func(part string) bool { return part == "" })
		r.note(found.source, name, option.key, "%s", strings.Join(said, " "))
	}
	r.completeCapacity()
	age, hasAge := r.sources["collection.max_age"]
	if _, hasStale := r.sources["collection.max_stale"]; hasAge && hasStale {
		r.note(age, "max_age and max_stale", "collection.max_age",
			"There, a session was collected when it was older than both; here, when it is older than one of them.")
	}
	slices.SortStableFunc(r.migration.Notes, func(a, b Note) int { return compareSources(a.Source, b.Source) })
}

func (r *rubyReader) set(key, text string, source config.Source, option string) {
	ours, _ := keys.Find(key)
	if _, wrong := ours.ParseLine(text); wrong != "" {
		r.wrong(source, option, "this is %s here: %s", key, wrong)
		return
	}
	r.sources[key] = source
	r.migration.Values[key] = text
}

// checkTogether reports what does not go together, as config.Load does.
func (r *rubyReader) checkTogether() {
	nowhere, err := os.MkdirTemp("", "scsdynamo-") // where no file of ours is read
	if err != nil {
		r.problems = append(r.problems, config.Problem{Text: err.Error(), Err: err})
		return
	}
	defer func() { _ = os.Remove(nowhere) }()
	aws := slices.DeleteFunc(slices.Clone(r.Environ), func(entry string) bool { return !strings.HasPrefix(entry, "AWS_") })
	options := []config.Option{config.WithDir(nowhere), config.WithEnviron(aws)}
	for _, key := range slices.Sorted(maps.Keys(r.sources)) {
		options = append(options, config.WithFlag(key, key, r.migration.Values[key]))
	}
	_, err = config.Load(options...)
	if all := (*config.Error)(nil); errors.As(err, &all) {
		for _, problem := range all.Problems {
			problem.Source = r.sources[problem.Source.Name]
			r.problems = append(r.problems, problem)
		}
	}
}

// completeCapacity adds the capacity that was left to the gem's default: here both are set, or none.
func (r *rubyReader) completeCapacity() {
	const read, write = "table.read_capacity", "table.write_capacity"
	for _, pair := range []struct{ given, missing, text, option string }{
		{read, write, "5", "write_capacity"}, {write, read, "10", "read_capacity"},
	} {
		given, ok := r.sources[pair.given]
		if _, there := r.sources[pair.missing]; ok && !there {
			r.set(pair.missing, pair.text, given, pair.option)
			r.note(given, pair.option, pair.missing, "%s, the gem's default: here both capacities are set, or none.",
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
		key: "lease.duration", convert: rubyTime(time.Millisecond, defaults.MinLeaseDuration),
		text: "Milliseconds there. Here a lease is renewed while its request runs, at every third of it, and each renewal " +
			"is a " +
			"write: the default, 5s, is cheaper.",
	},
	"lock_max_wait_time": {
		key: "lease.max_wait", convert: rubyTime(time.Second, defaults.MinLeaseMaxWait), text: "Seconds there.",
	},
	"max_age": {
		key: "collection.max_age", convert: rubyTime(time.Second, 0),
		text: "Seconds there. It is about collection alone: how long a session lasts is the Lifetime of scs's " +
			"SessionManager.",
	},
	"max_stale": {
		key: "collection.max_stale", convert: rubyTime(time.Second, 0),
		text: "Seconds there. It is about collection alone: how long an unused session lasts is the IdleTimeout of scs's " +
			"SessionManager.",
	},
	"lock_retry_delay": {text: "waiters ask at random intervals that grow, and are woken within a process"},
	"secret_key": {text: "it signs session IDs; those of scs are random and need no signature. It was not copied. To " +
		"encrypt " +
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
	if _, wrong := keys.ParseInteger(text); wrong != "" {
		return "", "", rubyNumberWrong(text)
	}
	return text, "", ""
}

func rubyReads(text string) (ours, note, wrong string) {
	switch text {
	case "true":
		return keys.ReadsStrong, "", ""
	case "false":
		return keys.ReadsEventual,
			"It can miss a session that was just made; eventual-then-strong does not, and costs as little " +
				"for those that exist.", ""
	default:
		return "", "", rubyBooleanWrong(text)
	}
}

func rubyLocking(text string) (ours, note, wrong string) {
	switch text {
	case "true":
		return keys.StrategyLease, "", ""
	case "false":
		return keys.StrategyMerge,
			"Without locking, the last commit won there and updates were lost; merge keeps them. To have it " +
				"as it was, set the strategy none.", ""
	default:
		return "", "", rubyBooleanWrong(text)
	}
}

// rubyTime converts a number of units to a duration of at least least.
func rubyTime(unit, least time.Duration) func(string) (ours, note, wrong string) {
	return func(text string) (ours, note, wrong string) {
		n, wrong := keys.ParseNumber(text)
		if wrong != "" {
			return "", "", rubyNumberWrong(text)
		}
		const century = 100 * 365 * 24 * time.Hour
		if n.(float64) > float64(century/unit) {
			return "", "", keys.Quote(text) + " is more than a hundred years"
		}
		d := time.Duration(n.(float64) * float64(unit))
		if d >= 0 && d < least {
			note = fmt.Sprintf("It was %s there, which is less than the least possible here.", keys.Shorten(text, 20))
			return keys.FormatDuration(least), note, ""
		}
		return keys.FormatDuration(d), "", ""
	}
}

var octal = regexp.MustCompile(`^-?0[0-9]+$`)

func rubyNumberWrong(text string) string {
	if octal.MatchString(text) {
		if n, err := strconv.ParseInt(text, 8, 64); err == nil {
			return fmt.Sprintf("%s is octal for Ruby, which reads %d; write the number that is meant, without a zero before it",
				keys.Quote(text), n)
		}
	}
	return keys.Quote(text) +
		" is not a plain decimal number, and Ruby may take it for something else; write one such as 500"
}

func rubyBooleanWrong(text string) string {
	return keys.Quote(text) + " is not true or false, and Ruby may take it for either; write the one that is meant"
}
