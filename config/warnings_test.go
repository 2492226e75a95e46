package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/config"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	random := newSecret()
	for name, c := range map[string]struct {
		set     map[string]string
		environ []string
		mode    os.FileMode // of a secret file
		file    os.FileMode // of a configuration file with a secret
		want    []string    // the keys, each with a word
	}{
		"nothing":                 {},
		"a secret":                {set: map[string]string{"secret.current": random}},
		"a file of one's own":     {mode: 0o600},
		"a file for a group":      {mode: 0o640},
		"a file for all":          {mode: 0o644, want: []string{"secret.current_file may read"}},
		"a configuration for all": {file: 0o644, want: []string{"secret.current may read"}},
		"a configuration":         {file: 0o600},
		"local http":              {set: map[string]string{"dynamodb.endpoint": "http://127.0.0.1:8000"}},
		"local http by name":      {set: map[string]string{"dynamodb.endpoint": "http://localhost:8000"}},
		"http of the SDK":         {environ: []string{"AWS_ENDPOINT_URL=http://db.example"}, want: []string{" tokens"}},
		"local http of the SDK": {environ: []string{
			"AWS_ENDPOINT_URL_DYNAMODB=http://[::1]:8000",
			"AWS_ENDPOINT_URL=http://db.example",
		}},
		"https": {set: map[string]string{"dynamodb.endpoint": "https://db.example"}},
		"http": {
			set:  map[string]string{"dynamodb.endpoint": "http://db.example:8000"},
			want: []string{"dynamodb.endpoint tokens"},
		},
		"http with a secret": {
			set:  map[string]string{"dynamodb.endpoint": "http://10.0.0.1", "secret.current": random},
			want: []string{"dynamodb.endpoint in clear"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && c.mode|c.file != 0 {
				t.Skip("Windows has other rights")
			}
			dir := t.TempDir()
			options := []config.Option{config.WithDir(dir), config.WithEnviron(c.environ)}
			for key, value := range c.set {
				options = append(options, config.With(key, value))
			}
			chmod := func(name string, mode os.FileMode, content string) {
				write(t, dir, name, content)
				if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
					t.Fatal(err)
				}
			}
			if c.mode != 0 {
				chmod("secret", c.mode, random)
				options = append(options, config.With("secret.current_file", "secret"))
			}
			if c.file != 0 {
				chmod("own.yaml", c.file, "secret:\n  current: "+random+"\n")
				options = append(options, config.WithFile("own.yaml"))
			}
			cfg, err := load(t, options...)
			if err != nil {
				t.Fatal(err)
			}
			warnings := cfg.Warnings()
			if len(warnings) != len(c.want) {
				t.Fatalf("%d warnings, want %d: %v", len(warnings), len(c.want), warnings)
			}
			for i, want := range c.want {
				key, words, _ := strings.Cut(want, " ")
				if w := warnings[i]; w.Key != key || !strings.Contains(w.Text, words) || w.Fix == "" ||
					strings.Contains(fmt.Sprint(warnings), random) {
					t.Errorf("warned is %q; want %q", w, want)
				}
			}
		})
	}
}
