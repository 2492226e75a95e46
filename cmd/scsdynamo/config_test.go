package main_test

import (
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
		if value.Source.Kind != config.FromDefault {
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
	if r := s.execute("", "config", "show", "--config", "own.yaml"); !strings.Contains(r.stdout, "second") || strings.Contains(r.stdout, "first") {
		t.Errorf("the configuration is\n%s", r.stdout)
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
