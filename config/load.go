package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"

	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// Option is a setting of [Load].
type Option func(*loader)

type loader struct {
	file, environment *string
	environ           []string
	dir               string
	code              []codeSetting
	clientOptions     []func(*dynamodb.Options)
	problems          problems
}

type codeSetting struct {
	key   string
	value any
	flag  string
}

// WithFile names the file. A file that is named must exist. Default: that of SCSDYNAMO_CONFIG_FILE, else
// config/scsdynamo/<environment>.yaml, or without an environment config/scsdynamo.yaml, which may be missing.
func WithFile(path string) Option { return func(l *loader) { l.file = &path } }

// WithEnvironment names the environment, such as "production". Where no file is named,
// config/scsdynamo/<environment>.yaml must exist. It does not go together with SCSDYNAMO_CONFIG_FILE, which names
// another one. Default: that of SCSDYNAMO_ENV, else none.
func WithEnvironment(name string) Option { return func(l *loader) { l.environment = &name } }

// WithEnviron sets the environment variables, as in os.Environ; nil for none. Default: those of the process.
func WithEnviron(environ []string) Option { return func(l *loader) { l.environ = environ } }

// WithDir sets the directory from which relative paths start: that of the file, and those in it. Default: the working
// directory.
func WithDir(dir string) Option { return func(l *loader) { l.dir = dir } }

// With sets a key from code, where it wins over all other places. The value is a string, written as in an environment
// variable, or of the type that the kind of the key suggests: time.Duration, int or int64, float64, bool, []string,
// map[string]string, and for a secret its bytes themselves, []byte or [][]byte. Of two values for one key, the later
// counts.
func With(key string, value any) Option {
	return WithFlag("", key, value)
}

// WithFlag is [With] for what a flag of a command sets, such as "--interval": errors name it, in place of code. It does
// not take secrets, which a command line tells to every user of the machine.
func WithFlag(flag, key string, value any) Option {
	return func(l *loader) { l.code = append(l.code, codeSetting{key, value, flag}) }
}

// WithClientOptions changes every DynamoDB client that the Config makes, after its keys are applied. It is for what has
// no key, such as credentials or an HTTP client.
func WithClientOptions(options ...func(*dynamodb.Options)) Option {
	return func(l *loader) { l.clientOptions = append(l.clientOptions, options...) }
}

// Load reads the configuration: the package comment says from where. All that is wrong is in one [*Error].
func Load(options ...Option) (*Config, error) {
	l := newLoader(options)
	environment, path := l.find()
	ours := keys.Variables(l.environ, keys.EnvPrefix)
	links := takeServiceLinks(ours)
	layers := []layer{defaults()}
	if path != "" {
		layers = append(layers, readFile(path, &l.problems))
	}
	layers = append(layers, readEnviron(ours, &l.problems), l.readCode())
	c, err := l.merge(layers)
	if err != nil {
		return nil, err
	}
	c.s.environment, c.s.file, c.s.serviceLinks = environment, path, links
	c.s.awsEndpoints = keys.Variables(l.environ, "AWS_ENDPOINT_URL")
	return c, nil
}

func newLoader(options []Option) *loader {
	l := &loader{environ: os.Environ()}
	for _, option := range options {
		option(l)
	}
	return l
}

// merge puts the layers on top of each other, and checks the result.
func (l *loader) merge(layers []layer) (*Config, error) {
	c := &Config{&settings{
		values: koanf.New("."), sources: map[string]Source{}, dir: l.dir, clientOptions: l.clientOptions,
	}}
	secrets := layer{}
	for _, settings := range layers {
		flat := map[string]any{}
		for key, s := range settings {
			switch s.value.(type) {
			case keys.Secret, []keys.Secret: // koanf copies and prints what it has.
				secrets[key] = s
				flat[key] = keys.Format(s.value)
			default:
				flat[key] = s.value
			}
			c.s.sources[key] = s.source
		}
		if err := c.s.values.Load(confmap.Provider(flat, "."), nil); err != nil {
			return nil, fmt.Errorf("config: %w", err)
		}
	}
	c.s.secrets = l.collectSecrets(c, secrets)
	l.checkTogether(c)
	if err := l.problems.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// defaults is the lowest layer.
func defaults() layer {
	settings := layer{}
	for _, key := range schema {
		if key.Fallback != nil {
			settings[key.Name] = setting{value: key.Fallback}
		}
	}
	return settings
}

// readCode returns what code sets.
func (l *loader) readCode() layer {
	settings := layer{}
	for _, s := range l.code {
		source := Source{Kind: fromCode, Name: s.flag}
		key, ok := keys.Find(s.key)
		if !ok {
			l.problems.add(source, "", "%s", keys.Unknown("key", s.key, ".", keys.Names))
			continue
		}
		value, wrong := key.Convert(s.value)
		if key.Secret && s.flag != "" {
			wrong = keys.OnCommandLine
		}
		if wrong != "" {
			l.problems.add(source, key.Name, "%s", wrong)
			continue
		}
		settings[key.Name] = setting{value, source}
	}
	return settings
}

// longestEnvironment is what an environment's name has at most to be repeated.
const longestEnvironment = 24

var environmentName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]*$`)

// find returns the environment and the path of the file, empty for none.
func (l *loader) find() (environment, path string) {
	ours := keys.Variables(l.environ, keys.EnvPrefix)
	environment, environmentSource := choose(l.environment, ours, keys.EnvironmentVariable)
	if !environmentSource.IsDefault() && !environmentName.MatchString(environment) {
		l.problems.add(environmentSource, "", "this is not the name of an environment such as production; it is part of "+
			"the name of a file, and has letters, digits, - and _")
		environment = ""
	}
	path, fileSource := choose(l.file, ours, keys.FileVariable)
	if !fileSource.IsDefault() {
		if path == "" {
			l.problems.add(fileSource, "", "the name of the file is empty; leave it out for the default")
			return environment, ""
		}
		if fileSource.rank() < environmentSource.rank() {
			l.problems.add(fileSource, "",
				"both name a file: this variable, and the environment that is asked for; unset the variable for "+
					"the file of the environment, or leave the environment out")
		}
		path = l.path(path)
		if !exists(path) && keys.HoldsSecret(path) {
			l.problems = append(l.problems, Problem{
				Source: fileSource,
				Err:    fs.ErrNotExist, Text: "there is no such file, and what is in the place " +
					"of its name reads like a secret",
			})
			return environment, ""
		}
		return environment, path
	}
	return environment, l.findDefault(environment, environmentSource)
}

// choose returns what code sets, else what the variable sets.
func choose(code *string, ours map[string]string, variable string) (string, Source) {
	if code != nil {
		return *code, Source{Kind: fromCode}
	}
	if text, ok := ours[variable]; ok {
		return text, Source{Kind: fromEnvironment, Name: variable}
	}
	return "", Source{}
}

func (l *loader) findDefault(environment string, source Source) string {
	path := l.path(keys.DefaultFile(environment))
	if exists(path) {
		return path // Also one that cannot be read: it is not to be passed over.
	}
	if short := strings.TrimSuffix(path, ".yaml") + ".yml"; exists(short) {
		l.problems.add(Source{Kind: fromFile, Name: short}, "", "a file of this name is not read; rename it to %s",
			filepath.Base(path))
	} else if environment != "" { // A slip of the pen must not mean the defaults.
		text := "the environment has no file" // What is so long is something else, perhaps a token.
		if len(environment) <= longestEnvironment {
			text = fmt.Sprintf("the environment %q has no file %s", environment, keys.DefaultFile(environment))
		}
		text += l.otherEnvironments(environment)
		l.problems = append(l.problems, Problem{Source: source, Err: fs.ErrNotExist, Text: text})
	}
	return ""
}

// otherEnvironments says which environments have a file.
func (l *loader) otherEnvironments(environment string) string {
	const most = 10
	// The pattern is well formed.
	files, _ := filepath.Glob(filepath.Join(globLiteral(l.path(filepath.Dir(keys.DefaultFile("x")))), "*.yaml"))
	var names []string
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".yaml"); environmentName.MatchString(name) {
			names = append(names, keys.Shorten(name, keys.LongestName))
		}
	}
	const fix = `write one with "scsdynamo config init --environment", or leave the environment out for ` +
		`config/scsdynamo.yaml`
	switch meant := keys.DidYouMean(environment, "-", names); {
	case meant != "":
		return meant
	case len(names) == 0 || len(names) > most:
		return "; " + fix
	default:
		return "; there are files of " + strings.Join(names, ", ") + "; " + fix
	}
}

// globLiteral returns a path as a pattern that matches nothing else.
func globLiteral(path string) string {
	return strings.NewReplacer(`*`, `[*]`, `?`, `[?]`, `[`, `[[]`).Replace(path)
}

// path returns the path, from the directory where it is relative.
func (l *loader) path(path string) string { return resolve(l.dir, path) }

// exists reports whether something is at the path, readable or not.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
