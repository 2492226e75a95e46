package config_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"text/template"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// section is a part of the reference.
type section struct {
	Name string
	Keys []keys.Key
}

// sectionsOf groups the keys by what stands before the first dot.
func sectionsOf(keys []keys.Key) []section {
	var all []section
	for _, key := range keys {
		name, _, nested := strings.Cut(key.Name, ".")
		if !nested {
			name = "Which driver, which strategy"
		}
		i := 0
		for i < len(all) && all[i].Name != name {
			i++
		}
		if i == len(all) {
			all = append(all, section{Name: name})
		}
		all[i].Keys = append(all[i].Keys, key)
	}
	return all
}

// code shows a text as code.
func code(text string) string {
	return "`" + text + "`"
}

// codes shows several of them.
func codes(texts string) string { return strings.ReplaceAll(code(texts), ", ", "`, `") }

// defaultOf says what holds where the key is not set.
func defaultOf(key keys.Key) string {
	switch {
	case key.Otherwise != "":
		return key.Otherwise
	case key.Default == "":
		return "nothing"
	default:
		return code(key.Default)
	}
}

// allowedOf says how values are written.
func allowedOf(key keys.Key) string {
	switch allowed := key.Allowed(); {
	case key.Kind == keys.Choice || key.Kind == keys.Boolean:
		return codes(allowed)
	case key.Secret && key.Kind == keys.List:
		return "list of base64"
	case key.Secret:
		return "base64"
	case allowed != "":
		return string(key.Kind) + ", " + allowed
	default:
		return string(key.Kind)
	}
}

// docs/configuration.md is made of the keys. If this fails, write it anew with: go generate ./config.
func TestReference(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/configuration.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	page, err := template.New("configuration").Funcs(template.FuncMap{
		"code": code, "codes": codes, "default": defaultOf, "allowed": allowedOf,
	}).Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := page.Execute(&b, sectionsOf(keys.All())); err != nil {
		t.Fatal(err)
	}
	golden(t, "../docs/configuration.md", b.String())
}

// The examples of the page load, and name only variables that there are.
func TestReferenceExamples(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/configuration.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```")
	files := 0
	for i := 1; i < len(blocks); i += 2 {
		if file, ok := strings.CutPrefix(blocks[i], "yaml\n"); ok {
			files++
			_, err := load(t, withFile(t, file))
			var all *config.Error
			if errors.As(err, &all) {
				for _, p := range all.Problems {
					if !errors.Is(p.Err, fs.ErrNotExist) { // The secret's file is not there.
						t.Errorf("%v\n%s", p, file)
					}
				}
			}
		}
	}
	if files == 0 {
		t.Error("the page has no file in it")
	}
	known := map[string]bool{keys.FileVariable: true, keys.EnvironmentVariable: true, "SCSDYNAMO_": true}
	for _, key := range keys.All() {
		known[key.Env()] = true
	}
	for word := range strings.FieldsFuncSeq(string(text), func(r rune) bool {
		return r != '_' && (r < 'A' || r > 'Z')
	}) {
		if strings.HasPrefix(word, "SCSDYNAMO_") && !known[word] {
			t.Errorf("the page names %s, which is not there", word)
		}
	}
}

// Examples are values that can be used.
func TestExamplesLoad(t *testing.T) {
	t.Parallel()
	for _, key := range keys.All() {
		if key.Example == "" || key.Secret || strings.Contains(key.Name, "_file") {
			continue
		}
		parts := strings.Split(key.Name, ".")
		text := ""
		for i, part := range parts {
			text += strings.Repeat("  ", i) + part + ":\n"
		}
		options := []config.Option{withFile(t, strings.TrimSuffix(text, "\n")+" "+key.Example+"\n")}
		if companion := companions[key.Name]; companion != nil {
			options = append(options, companion)
		}
		if _, err := load(t, options...); err != nil {
			t.Errorf("the example of %s: %v", key.Name, err)
		}
	}
}
