package keys_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/internal/keys"
)

func TestEveryKeyIsComplete(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)*$`)
	seen := map[string]string{keys.FileVariable: "the file", keys.EnvironmentVariable: "the environment"}
	for _, key := range keys.All() {
		if !name.MatchString(key.Name) {
			t.Errorf("%s is not made of small words, dots and underscores", key.Name)
		}
		if other, taken := seen[key.Env()]; taken {
			t.Errorf("%s and %s have the same variable %s", key.Name, other, key.Env())
		}
		seen[key.Env()] = key.Name
		if want := "SCSDYNAMO_" + strings.ToUpper(strings.ReplaceAll(key.Name, ".", "_")); key.Env() != want {
			t.Errorf("the variable of %s is %s; want %s", key.Name, key.Env(), want)
		}
		if !strings.HasSuffix(key.Doc, ".") || strings.Contains(key.Doc, "|") || strings.Contains(key.Doc, "\n") {
			t.Errorf("%s: the documentation is not made of sentences in one line: %q", key.Name, key.Doc)
		}
		if len(key.Name) > 60 { // What is compared with unknown names has at most 64.
			t.Errorf("%s is too long", key.Name)
		}
		if key.Option == "" {
			t.Errorf("%s does not say what it is in Go", key.Name)
		}
		numeric := key.Kind == keys.Integer || key.Kind == keys.Number
		if numeric != (key.Unit != "") {
			t.Errorf("%s: the unit %q does not fit the kind %s", key.Name, key.Unit, key.Kind)
		}
		if (key.Kind == keys.Choice) != (len(key.Choices) > 0) {
			t.Errorf("%s: the choices %q do not fit the kind %s", key.Name, key.Choices, key.Kind)
		}
		hasDefault := key.Default != "" || key.Kind == keys.Text && key.Otherwise == ""
		if hasDefault == (key.Otherwise != "") || hasDefault == (key.Example != "") {
			t.Errorf("%s: either a default (%q), or words for what holds without (%q) and an example (%q)",
				key.Name, key.Default, key.Otherwise, key.Example)
		}
		for _, other := range keys.All() {
			if strings.HasPrefix(other.Name, key.Name+".") {
				t.Errorf("%s is a key and the section of %s", key.Name, other.Name)
			}
		}
		if found, ok := keys.Find(key.Name); !ok || found.Name != key.Name {
			t.Errorf("%s is not found", key.Name)
		}
	}
	if _, ok := keys.Find("lease"); ok {
		t.Error("a section was found as a key")
	}
}

// What the caller does with the list of keys is not felt here.
func TestKeysAreACopy(t *testing.T) {
	t.Parallel()
	all := keys.All()
	all[0].Name = "changed"
	if slices.ContainsFunc(keys.All(), func(k keys.Key) bool { return k.Name == "changed" }) {
		t.Error("the keys were changed from outside")
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"driver":                   "dynamodb, bolt",
		"table.create":             "true, false",
		"lease.duration":           "at least 100ms",
		"dynamodb.attempt_timeout": "10ms to 1m",
		"dynamodb.max_attempts":    "1 to 100",
		"bolt.grace":               "",
		"table.name":               "",
	} {
		if key, _ := keys.Find(name); key.Allowed() != want {
			t.Errorf("%s allows %q; want %q", name, key.Allowed(), want)
		}
	}
}
