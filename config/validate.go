package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// checkTogether reports what does not go together. Each value alone was checked when it was read; the rules between
// them are those of the packages that the keys are about.
func (l *loader) checkTogether(c *Config) {
	report := func(err error, alsoAbout ...string) {
		for _, p := range translate(err) {
			for _, key := range schema {
				if value := c.text(key.Name); keys.HoldsSecret(value) { // in the wrong place
					p.text = strings.ReplaceAll(p.text, value, keys.Shown(value))
				}
			}
			l.together(c, p.text, append(p.keys, alsoAbout...)...)
		}
	}
	if c.duration("dynamodb.attempt_timeout") > c.duration("dynamodb.operation_timeout") {
		l.together(c, "an attempt may not take longer than the operation that it is part of: see dynamodb.operation_timeout",
			"dynamodb.attempt_timeout", "dynamodb.operation_timeout")
	}
	table := c.Table()
	if region := l.region(c); region != "" {
		report(table.ValidateIn(region), "dynamodb.region")
	} else {
		report(table.Validate())
	}
	if get[bool](*c, "table.create") && strings.HasPrefix(table.Name, "arn:") {
		l.together(c, "a table is created by its name, not by its ARN", "table.name", "table.create")
	}
	if lease, ok := c.lease().(lockstrategy.Validator); ok {
		report(lease.Validate(&lockstrategy.Backend{}), "lease.duration")
	}
	report(c.Rules().Validate())
	l.checkCollection(c)
	l.checkPositionFile(c)
}

// checkPositionFile reports a position that would be kept in the place of something else, which must not be lost.
func (l *loader) checkPositionFile(c *Config) {
	const position = "collection.checkpoint_file"
	if !c.isSet(position) || c.text("collection.checkpoint") != keys.CheckpointFile {
		return
	}
	for _, key := range []string{"bolt.path", "secret.current_file", "secret.previous_files"} {
		paths := []string{c.text(key)}
		if key == "secret.previous_files" {
			paths = get[[]string](*c, key)
		}
		if key == "bolt.path" && c.text("driver") != keys.DriverBolt {
			continue
		}
		for _, path := range paths {
			if path != "" && sameFile(c.path(position), resolve(l.dir, path)) {
				l.together(c, "this is the file of "+key+"; name another one for the position", position, key)
			}
		}
	}
}

// sameFile reports whether two paths name one file, which need not exist.
func sameFile(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	ofA, errA := os.Stat(a)
	ofB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(ofA, ofB)
}

// region returns the Region of the client, empty where only a profile or the machine says.
func (l *loader) region(c *Config) string {
	found := keys.Variables(l.environ, "AWS_")
	return cmp.Or(c.text("dynamodb.region"), found["AWS_REGION"], found["AWS_DEFAULT_REGION"])
}

// together adds a problem between keys, of which the first is the one to blame, at the place where one of them was set.
// It does not where one of them has a problem of its own: then its value is not what the user meant.
func (l *loader) together(c *Config, text string, keys ...string) {
	if slices.ContainsFunc(l.problems, func(p Problem) bool { return p.Key != "" && slices.Contains(keys, p.Key) }) {
		return
	}
	problem := Problem{Text: text}
	if len(keys) > 0 {
		problem.Key = keys[0]
	}
	for _, key := range keys {
		if source := c.source(key); source.rank() > problem.Source.rank() {
			problem.Source = source
		}
	}
	l.problems = append(l.problems, problem)
}

// source returns where a key was set. For a section it is where one of its keys was.
func (c Config) source(name string) (source Source) {
	for _, key := range schema {
		if key.Name != name && !strings.HasPrefix(key.Name, name+".") {
			continue
		}
		if s := c.s.sources[key.Name]; s.rank() > source.rank() {
			source = s
		}
	}
	return source
}

// translated is a problem in terms of keys, the first of which is to blame.
type translated struct {
	text string
	keys []string
}

// translate puts the errors of the packages, which name Go options, into the words of the configuration.
func translate(err error) []translated {
	if err == nil {
		return nil
	}
	if err == gcrunner.ErrNoRule { //nolint:errorlint // This one alone: it matters to collectors only. See Collector.
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []translated
		for _, part := range joined.Unwrap() {
			all = append(all, translate(part)...)
		}
		return all
	}
	text := toKeys.Replace(err.Error())
	t := translated{text: text}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" :;,", r) }) {
		// What has no dot is a word of the sentence, such as lease.
		if _, known := keys.Find(word); strings.Contains(word, ".") && (known || keys.Sections[word]) {
			t.keys = append(t.keys, word)
		}
	}
	if blame, rest, ok := strings.Cut(text, ": "); ok && len(t.keys) > 0 && strings.HasPrefix(blame, t.keys[0]) {
		t.text = rest
	}
	return []translated{t}
}

// toKeys replaces the names of Go options by keys.
var toKeys = func() *strings.Replacer {
	pairs := map[string]string{
		"dynamostore: ": "", "lockstrategy: ": "", "gcrunner: ": "", "sessionstore: ": "", "WithSealedSince": sealedSince,
		"Table.PartitionKey": "table.partition_key", "Table.SortKey": "table.sort_key",
		"; set Name, or": "; set its name, or", "use a client of": "set dynamodb.region or AWS_REGION to",
	}
	for _, key := range schema {
		pkg, name, _ := strings.Cut(key.Option, ".")
		if pkg != "dynamostore" && pkg != "lockstrategy" && pkg != "gcrunner" {
			continue
		}
		if structure, field, isField := strings.Cut(name, "."); isField || strings.HasPrefix(name, "With") {
			pairs[name] = key.Name
			if structure == "Table" && strings.Contains(field, ".") {
				pairs[field] = key.Name
			}
		}
	}
	pairs["Table.ReadCapacity, WriteCapacity"] = "table.read_capacity, table.write_capacity"
	var olds []string
	for old := range pairs {
		olds = append(olds, old)
	}
	slices.SortFunc(olds, func(a, b string) int { return len(b) - len(a) }) // The longest match first.
	var list []string
	for _, old := range olds {
		list = append(list, old, pairs[old])
	}
	return strings.NewReplacer(list...)
}()

// collectSecrets returns the secrets, the current one first. Those in files are read here.
func (l *loader) collectSecrets(c *Config, given layer) []keys.Secret {
	var all []keys.Secret
	read := func(key, path, item string) {
		s, problem := readSecretFile(resolve(l.dir, path))
		if problem.Text != "" {
			problem.Text = item + problem.Text
			problem.Source, problem.Key = c.s.sources[key], key
			l.problems = append(l.problems, problem)
			return
		}
		all = append(all, s)
	}
	const current, currentFile, previous, previousFiles = "secret.current", "secret.current_file", "secret.previous",
		"secret.previous_files"
	direct, file := c.s.sources[current].rank(), c.s.sources[currentFile].rank()
	switch {
	case direct == file && direct > 0:
		l.together(c, "secret.current is set in the same place; set one of them", currentFile, current)
		return nil
	case direct > file:
		all = append(all, given[current].value.(keys.Secret))
	case file > direct:
		read(currentFile, c.text(currentFile), "")
	case given[previous].value != nil || c.isSet(previousFiles):
		l.together(c, "there is no current secret for the previous ones to be followed by; set secret.current", previous,
			previousFiles, current, currentFile)
	}
	if direct == 0 && file == 0 && c.isSet(sealedSince) {
		l.together(c, "there is no secret, so nothing is sealed; set secret.current", sealedSince, current, currentFile)
	}
	for _, key := range slices.Concat(secretTextKeys, secretFileKeys) {
		if source := c.s.sources[key]; source.Kind == fromFile {
			if text := changedByOthers(source.Name); text != "" {
				l.problems.add(source, key, "this file says which secret is used, and %s", text)
			}
		}
	}
	if list, ok := given[previous].value.([]keys.Secret); ok {
		all = append(all, list...)
	}
	for i, path := range get[[]string](*c, previousFiles) {
		read(previousFiles, path, fmt.Sprintf("item %d: ", i+1))
	}
	l.checkSealing(c, all)
	for i, s := range all {
		if slices.ContainsFunc(all[:i], func(other keys.Secret) bool { return string(other.Bytes()) == string(s.Bytes()) }) {
			l.together(c, "a secret is there twice; take one out", previous, previousFiles, current, currentFile)
			break
		}
	}
	return all
}

// checkSealing asks the store what it refuses.
func (l *loader) checkSealing(c *Config, secrets []keys.Secret) {
	if len(secrets) == 0 {
		return
	}
	bytes := make([][]byte, len(secrets))
	for i, s := range secrets {
		bytes[i] = s.Bytes()
	}
	_, err := sessionstore.New(memory.New(), c.sealOptions(bytes)...)
	for _, p := range translate(err) {
		if slices.Contains(p.keys, sealedSince) { // The others are found in the values themselves.
			l.together(c, p.text, sealedSince)
		}
	}
}

const sealedSince = "secret.sealed_since"
