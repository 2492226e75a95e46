package config_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"text/template"

	"github.com/scsdynamo/scsdynamo/config"
)

// section is a part of the reference.
type section struct {
	Name string
	Keys []config.Key
}

// sectionsOf groups the keys by what stands before the first dot.
func sectionsOf(keys []config.Key) []section {
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
func defaultOf(key config.Key) string {
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
func allowedOf(key config.Key) string {
	switch allowed := key.Allowed(); {
	case key.Kind == config.Choice || key.Kind == config.Boolean:
		return codes(allowed)
	case key.Secret && key.Kind == config.List:
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
	if err := page.Execute(&b, sectionsOf(config.Keys())); err != nil {
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
	known := map[string]bool{config.FileVariable: true, config.EnvironmentVariable: true, "SCSDYNAMO_": true}
	for _, key := range config.Keys() {
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
