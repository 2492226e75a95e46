package main_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/config"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	s := newTranscript(t)
	s.run("config", "check")
	s.run("config", "init")
	s.run("config", "init")
	s.run("config", "check")
	s.run("config", "init", "--environment", "production", "--secret-file", "config/secret",
		"--set", "table.name=web", "--set", "lease.duration=8s")
	s.run("config", "check", "--environment", "production", "--output", "json")
	s.run("config", "show", "--environment", "production", "--changed")
	s.run("config", "show", "--environment", "production", "--changed", "--set", "table.name=other", "--output", "json")
	s.env = append(s.env, "SCSDYNAMO_STRATEGY=lease")
	s.run("config", "show", "--changed")
	if all := s.execute("", "config", "show").stdout; strings.Contains(all, "()") || !strings.Contains(all, "(no secret") {
		t.Errorf("what holds where a key is not set is not said in\n%s", all)
	}
	s.note("mistakes")
	s.env = append(s.env, "SCSDYNAMO_STRATEGI=lease")
	s.run("config", "check", "--set", "lease.duration=5", "--set", "table.nam=web")
	s.run("config", "check", "--set", "lease.duration=5", "--output", "json")
	s.env = s.env[:len(s.env)-2]
	s.run("config", "check", "--set", "lease.duration=5")
	s.run("config", "check", "--set", "lease.duration")
	s.run("config", "check", "--config", "nowhere.yaml")
	s.run("config", "init", "--environment", "../production")
	s.run("config", "init", "--print", "--secret-file", "secret")
	s.golden("config")

	secret, err := os.ReadFile(filepath.Join(s.dir, "config", "secret"))
	if err != nil {
		t.Fatal(err)
	}
	leaksSecret := strings.Contains(s.text.String(), strings.TrimSpace(string(secret)))
	if len(secret) < 32 || leaksSecret {
		t.Errorf("the secret has %d bytes, and is printed: %v", len(secret), leaksSecret)
	}
	for _, name := range []string{"secret", "scsdynamo.yaml", "scsdynamo/production.yaml"} {
		info, err := os.Stat(filepath.Join(s.dir, "config", name))
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v; want 0600", name, info.Mode().Perm())
		}
	}
}

// What config init writes loads to exactly the defaults.
func TestConfigInitSetsNothing(t *testing.T) {
	t.Parallel()
	s := newTranscript(t)
	printed := s.execute("", "config", "init", "--print")
	if r := s.execute("", "config", "init"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	file, err := os.ReadFile(filepath.Join(s.dir, "config", "scsdynamo.yaml"))
	if err != nil || string(file) != printed.stdout {
		t.Errorf("the file is not what --print prints: %v", err)
	}
	cfg, err := config.Load(config.WithDir(s.dir), config.WithEnviron(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range cfg.Values() {
		if !value.Source.IsDefault() {
			t.Errorf("%s is set by the file", value.Key)
		}
	}
}

func TestConfigInitForce(t *testing.T) {
	t.Parallel()
	s := newTranscript(t)
	write := func(args ...string) result {
		return s.execute("", append([]string{"config", "init", "--config", "own.yaml"}, args...)...)
	}
	write("--set", "table.name=first")
	if r := write("--set", "table.name=second", "--secret-file", "secret"); r.code != 1 {
		t.Errorf("a file was overwritten: exit code %d", r.code)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "secret")); err == nil {
		t.Error("a secret was left although the file was not written")
	}
	if r := write("--set", "table.name=second", "--force"); r.code != 0 {
		t.Error(r.stderr)
	}
	if r := s.execute("", "config", "show", "--config", "own.yaml"); !strings.Contains(r.stdout, "second") ||
		strings.Contains(r.stdout, "first") {
		t.Errorf("the configuration is\n%s", r.stdout)
	}
}

// A file that is overwritten may be read by this user alone, and is replaced in one step; what a link led to stays.
func TestConfigInitForceIsPrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has other rights, and links are for administrators")
	}
	s := newTranscript(t)
	own, target := filepath.Join(s.dir, "own.yaml"), filepath.Join(s.dir, "target")
	for _, path := range []string{own, target} {
		if err := os.WriteFile(path, []byte("driver: bolt\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(target, filepath.Join(s.dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"own.yaml", "link.yaml"} {
		r := s.execute("", "config", "init", "--config", name, "--force")
		info, err := os.Lstat(filepath.Join(s.dir, name))
		if err != nil || r.code != 0 || info.Mode() != 0o600 {
			t.Errorf("%s: exit code %d, mode %v, %v; %s", name, r.code, info.Mode(), err, r.stderr)
		}
	}
	if content, err := os.ReadFile(target); err != nil || string(content) != "driver: bolt\n" {
		t.Errorf("what the link led to is %q; %v", content, err)
	}
	if files, err := os.ReadDir(s.dir); err != nil || len(files) != 3 {
		t.Errorf("left are %v; %v", files, err)
	}
}

// What should be seen to is told, and is no mistake.
func TestConfigWarnings(t *testing.T) {
	t.Parallel()
	weak := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("a", 32)))
	s := newTranscript(t,
		"SCSDYNAMO_SERVICE_HOST=10.0.0.1", "SCSDYNAMO_SERVICE_PORT=80", "SCSDYNAMO_PORT=tcp://10.0.0.1:80",
		"SCSDYNAMO_SECRET_CURRENT="+secret,
	)
	s.run("config", "check")
	s.run("config", "check", "--output", "json", "--set", "dynamodb.endpoint=http://db.example")
	s.run("doctor", "--set", "driver=bolt")
	s.note("a secret that can be guessed")
	s.set("SCSDYNAMO_SECRET_CURRENT", weak)
	s.run("config", "check")
	s.set("SCSDYNAMO_SECRET_CURRENT", secret)
	s.note("an environment without a file")
	s.run("config", "init", "--environment", "production", "--quiet")
	for _, command := range [][]string{
		{"config", "check"},
		{"config", "show"},
		{"doctor"},
		{"sessions", "count"},
		{"sessions", "delete", "--all", "--confirm", "sessions"},
		{"table", "create"},
		{"table", "iam"},
	} {
		s.run(append(command, "--environment", "prodution")...)
	}
	s.set("SCSDYNAMO_ENV", "prodution")
	s.run("sessions", "delete", "--all", "--yes", "--confirm", "sessions", "--output", "json")
	s.golden("warnings")
	for _, telling := range []string{secret, weak} {
		if strings.Contains(s.text.String(), telling) {
			t.Errorf("a secret is printed in\n%s", s.text.String())
		}
	}
}

func TestConfigFromRuby(t *testing.T) {
	t.Parallel()
	s := newTranscript(t)
	file := "table_name: rails_sessions\nlock_expiry_time: 700\nenable_locking: true\nraise_errors: false\n"
	if err := os.WriteFile(filepath.Join(s.dir, "ruby.yml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run("config", "init", "--from-ruby", "ruby.yml")
	s.run("config", "show", "--changed")
	s.run("config", "init", "--from-ruby", "ruby.yml", "--config", "second.yaml", "--output", "json")
	s.env = append(s.env, "AWS_DYNAMO_DB_SESSION_TABLE_NAME=from-environment")
	s.run("config", "init", "--from-ruby", "environment", "--config", "third.yaml")
	s.run("config", "check", "--config", "third.yaml")
	s.run("config", "init", "--from-ruby", "nowhere.yml", "--config", "fourth.yaml")
	s.golden("ruby")
}
