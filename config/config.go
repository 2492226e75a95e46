package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/knadh/koanf/v2"

	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// Config is a configuration without mistakes, as [Load] returns it. It does not change, and is safe for concurrent use.
// However it is printed or logged, secrets are left out.
type Config struct {
	// Behind a pointer, so that fmt does not walk into it where a Config is part of another struct.
	s *settings
}

type settings struct {
	values            *koanf.Koanf
	sources           map[string]Source
	secrets           []keys.Secret
	environment, file string
	dir               string
	serviceLinks      []string
	awsEndpoints      map[string]string // by variable
	clientOptions     []func(*dynamodb.Options)
}

// schema are all keys, which do not change.
var schema = keys.All()

// Value is a key as it is set.
type Value struct {
	// Key is the name of the key.
	Key string `json:"key"`
	// Value is written as in an environment variable. A secret is "[redacted]", also where it is the value of another
	// key of the section. It is empty where the key is not set and has no default: docs/configuration.md says what
	// holds then.
	Value string `json:"value"`
	// Source is where it was set.
	Source Source `json:"source"`
}

// Values returns all keys with their values, in the order of docs/configuration.md.
func (c Config) Values() []Value {
	var values []Value
	for _, key := range schema {
		values = append(values, c.value(key.Name))
	}
	return values
}

// Value returns the key of that name. ok is false for an unknown key.
func (c Config) Value(key string) (value Value, ok bool) {
	if _, ok := keys.Find(key); !ok {
		return Value{}, false
	}
	return c.value(key), true
}

func (c Config) value(key string) Value {
	text := keys.Format(c.s.values.Get(key))
	if strings.HasPrefix(key, keys.SecretSection+".") {
		text = keys.Shown(text)
	}
	return Value{Key: key, Value: text, Source: c.s.sources[key]}
}

// Environment returns the name of the environment, empty where none was given.
func (c Config) Environment() string { return c.s.environment }

// File returns the path of the file that was read, empty where there was none.
func (c Config) File() string { return c.s.file }

// String returns what is set other than by default, in one line.
func (c Config) String() string {
	var set []string
	for _, v := range c.Values() {
		if !v.Source.IsDefault() {
			set = append(set, fmt.Sprintf("%s=%q (%v)", v.Key, v.Value, v.Source))
		}
	}
	return "config{" + strings.Join(set, ", ") + "}"
}

// GoString implements fmt.GoStringer. It returns what String does.
func (c Config) GoString() string { return c.String() }

// Format implements fmt.Formatter. Every verb prints what String returns.
func (c Config) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// MarshalJSON implements json.Marshaler: the list of Values.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.Values()) }

// LogValue implements slog.LogValuer: what is set other than by default.
func (c Config) LogValue() slog.Value {
	var set []slog.Attr
	for _, v := range c.Values() {
		if !v.Source.IsDefault() {
			set = append(set, slog.String(v.Key, v.Value))
		}
	}
	return slog.GroupValue(set...)
}

// isSet reports whether a key has a value.
func (c Config) isSet(key string) bool { return c.s.values.Exists(key) }

// get returns the value of a key, the zero value where it is not set. The type is that of the key's kind.
func get[T any](c Config, key string) T {
	value, _ := c.s.values.Get(key).(T)
	return value
}

func (c Config) text(key string) string { return get[string](c, key) }

func (c Config) integer(key string) int { return int(get[int64](c, key)) }

func (c Config) duration(key string) time.Duration { return get[time.Duration](c, key) }

// path returns the value of a key that names a file.
func (c Config) path(key string) string { return resolve(c.s.dir, c.text(key)) }

// resolve returns the path, from the directory where it is relative.
func resolve(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
