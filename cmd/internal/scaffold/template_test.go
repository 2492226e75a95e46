package scaffold_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/cmd/internal/scaffold"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// texts are the values by key.
func texts(cfg *config.Config) map[string]string {
	all := map[string]string{}
	for _, v := range cfg.Values() {
		all[v.Key] = v.Value
	}
	return all
}

func mustTemplate(t testing.TB, environment string, values map[string]string) string {
	t.Helper()
	text, err := scaffold.Template(environment, values)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The template sets nothing; and what it shows as defaults are the defaults.
func TestTemplateIsTheDefaults(t *testing.T) {
	t.Parallel()
	template := mustTemplate(t, "production", nil)
	want := mustLoad(t)
	untouched := mustLoad(t, withFile(t, template))
	if got := texts(untouched); !maps.Equal(got, texts(want)) {
		t.Errorf("the template sets %v", got)
	}
	for _, v := range untouched.Values() {
		if !v.Source.IsDefault() {
			t.Errorf("%s is set by the template, in %v", v.Key, v.Source)
		}
	}

	setting := regexp.MustCompile(`(?m)^( *)#([a-z_]+:)`)
	section := regexp.MustCompile(`^( *)([a-z_]+):$`)
	var active []string
	var path []string
	shown := 0
	for line := range strings.Lines(template) {
		bare := strings.TrimSuffix(line, "\n")
		if m := section.FindStringSubmatch(bare); m != nil {
			path = append(path[:len(m[1])/2], m[2])
		}
		if m := setting.FindStringSubmatch(bare); m != nil {
			shown++
			name := strings.Join(append(path[:len(m[1])/2:len(m[1])/2], strings.TrimSuffix(m[2], ":")), ".")
			key, ok := keys.Find(name)
			if !ok {
				t.Fatalf("the template shows %q, which is no key", name)
			}
			if key.Otherwise == "" { // It has a default.
				line = setting.ReplaceAllString(line, "$1$2")
			}
		}
		active = append(active, line)
	}
	if shown != len(keys.All()) {
		t.Errorf("the template shows %d keys; want %d", shown, len(keys.All()))
	}
	if got := texts(mustLoad(t, withFile(t, strings.Join(active, "")))); !maps.Equal(got, texts(want)) {
		t.Errorf("the defaults that the template shows are %v; want %v", got, texts(want))
	}
}

func TestTemplateWithValues(t *testing.T) {
	t.Parallel()
	secret := scaffold.NewSecret()
	values := map[string]string{
		"driver":                        "bolt",
		"secret.current":                secret,
		"secret.previous":               secretA + "," + secretB,
		"table.partition_key.prefix":    "it's: #1 \u2028 \u00e9 \"x\"",
		"table.sort_key.name":           "null",
		"table.tags":                    "<<=x,yes=no,a: b={}",
		"sessions.read_only_methods":    "GET,HEAD",
		"collection.schedule":           "*/5 * * * *",
		"lease.duration":                "1h30m",
		"collection.write_units":        "12.5",
		"table.attributes.lease_expiry": "~",
	}
	template := mustTemplate(t, "", values)
	if !strings.Contains(template, "current: "+secret+"\n") {
		t.Error("the secret is not in the file, where it belongs")
	}
	cfg := mustLoad(t, withFile(t, template))
	for _, v := range cfg.Values() {
		want, given := values[v.Key]
		if given != (v.Source.Kind == "file") {
			t.Errorf("%s is from %v", v.Key, v.Source)
		}
		if key, _ := keys.Find(v.Key); given && !key.Secret && !sameEntries(v.Value, want) {
			t.Errorf("%s is %q; want %q", v.Key, v.Value, want)
		}
	}
	sealed := mustTemplate(t, "", map[string]string{"secret.current": secret})
	if storageKey(t, withFile(t, sealed)) != storageKey(t, config.With("secret.current", secret)) {
		t.Error("the secret that the file holds is another one")
	}
	if again := mustTemplate(t, "", values); again != template {
		t.Error("the same values make another file")
	}
}

// sameEntries compares lists and maps whatever their order.
func sameEntries(a, b string) bool {
	one, other := strings.Split(a, ","), strings.Split(b, ",")
	slices.Sort(one)
	slices.Sort(other)
	return slices.Equal(one, other)
}

func TestTemplateRefusesWhatLoadWould(t *testing.T) {
	t.Parallel()
	_, err := scaffold.Template("", map[string]string{"lease.duration": "5", "tabel.name": "x", "secret.current": marker})
	var all *config.Error
	if !errors.As(err, &all) || len(all.Problems) != 3 || strings.Contains(err.Error(), marker) {
		t.Errorf("%v; want three problems, and no secret", err)
	}
}

// The template of an environment is found where its name says.
func TestTemplateAtItsPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, keys.DefaultFile("staging"))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	text := mustTemplate(t, "staging", map[string]string{"table.name": "staged"})
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := mustLoad(t, config.WithDir(dir), config.WithEnvironment("staging"))
	if cfg.Table().Name != "staged" || cfg.File() != path {
		t.Errorf("table %q from %q", cfg.Table().Name, cfg.File())
	}
}

func TestNewSecret(t *testing.T) {
	t.Parallel()
	one, other := scaffold.NewSecret(), scaffold.NewSecret()
	if one == other || strings.ContainsAny(one, "\r\n ") {
		t.Error("a new secret is not new, or not one word")
	}
	mustLoad(t, config.With("secret.current", one), config.With("secret.previous", other))
}
