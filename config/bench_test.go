package config_test

import (
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// fullValues are values for every key that a file can have at once.
func fullValues(t testing.TB) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, key := range keys.All() {
		switch key.Name {
		case "secret.current":
			values[key.Name] = secretA
		case "secret.previous":
			values[key.Name] = secretB
		case "secret.current_file", "secret.previous_files", "collection.schedule", "collection.checkpoint_file":
		case "table.read_capacity", "table.write_capacity":
			values[key.Name] = "5"
		case "table.tags":
			values[key.Name] = "team=web,stage=test"
		default:
			values[key.Name] = key.Default
			if key.Otherwise != "" {
				values[key.Name] = strings.Trim(key.Example, "[]'")
			}
		}
	}
	return values
}

// A file with every key, and comments on each.
func BenchmarkLoad(b *testing.B) {
	file := withFile(b, fileOf(fullValues(b)))
	for b.Loop() {
		if _, err := config.Load(file, config.WithEnviron(nil)); err != nil {
			b.Fatal(err)
		}
	}
}
