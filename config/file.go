package config

import (
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/internal/plainyaml"
)

// setting is a value and where it was set.
type setting struct {
	value  any
	source Source
}

// layer is what one place sets, by key.
type layer map[string]setting

// fileReader reads one file.
type fileReader struct {
	plainyaml.Reader

	name     string
	settings layer
	found    *problems
}

// readFile returns what the file sets.
func readFile(path string, found *problems) layer {
	data, problem := readRegular(path, keys.MaxFileBytes)
	if problem.Text != "" {
		problem.Source = Source{Kind: fromFile, Name: path}
		*found = append(*found, problem)
		return nil
	}
	return parseFile(path, data, found)
}

func parseFile(name string, data []byte, found *problems) layer {
	r := fileReader{name: name, settings: layer{}, found: found}
	r.Report = func(line int, key, text string) {
		found.add(Source{Kind: fromFile, Name: name, Line: line}, key, "%s", text)
	}
	root := r.Document(data)
	if root == nil {
		return r.settings
	}
	switch {
	case !r.Plain(root, ""):
	case plainyaml.IsEmpty(root): // comments alone, perhaps behind ---
	case root.Kind != yaml.MappingNode:
		r.At(root, "", "the file must have keys at its top, such as driver: dynamodb")
	default:
		r.section(root, "")
	}
	return r.settings
}

func (r *fileReader) source(node *yaml.Node) Source {
	return Source{Kind: fromFile, Name: r.name, Line: node.Line}
}

// section reads the keys below prefix, which is empty or ends with a dot.
func (r *fileReader) section(node *yaml.Node, prefix string) {
	r.Pairs(node, strings.TrimSuffix(prefix, "."), func(name string, at, value *yaml.Node) {
		full := prefix + name
		switch key, known := keys.Find(full); {
		case known && !strings.Contains(name, "."):
			r.value(key, at, value)
		case keys.Sections[full] && !strings.Contains(name, "."):
			r.nested(full, at, value)
		case known || keys.Sections[full]:
			r.At(at, "", "the key %s is nested: write each part between the dots on a line of its own, indented", full)
		case prefix == keys.SecretSection+".": // The name itself may be what should have been a value.
			r.At(at, keys.SecretSection, "%s", keys.UnknownHidden("key", full, ".", keys.Names))
		default:
			r.At(at, "", "%s", keys.Unknown("key", full, ".", keys.Names))
		}
	})
}

func (r *fileReader) nested(name string, at, value *yaml.Node) {
	switch {
	case !r.Plain(value, name):
	case plainyaml.IsEmpty(value): // a section whose keys are all commented out
	case value.Kind != yaml.MappingNode:
		r.At(at, name, "has keys of its own; write them below it, indented")
	default:
		r.section(value, name+".")
	}
}

// value reads the value of a key.
func (r *fileReader) value(key keys.Key, at, node *yaml.Node) {
	if !r.Plain(node, key.Name) {
		return
	}
	var value any
	var wrong string
	switch key.Kind {
	case keys.List:
		items, ok := r.list(key, at, node)
		if !ok {
			return
		}
		value, wrong = key.ParseList(items)
	case keys.Map:
		entries, ok := r.entries(key, at, node)
		if !ok {
			return
		}
		value, wrong = key.ParseMap(entries)
	default:
		text, ok := r.scalar(key, node, at)
		if !ok {
			return
		}
		if value, wrong = key.Parse(text); wrong != "" && isEscaped(node) {
			wrong += "; " + plainyaml.BackslashHint
		}
	}
	if wrong != "" {
		r.At(at, key.Name, "%s", wrong)
		return
	}
	r.settings[key.Name] = setting{value, r.source(at)}
}

// scalar returns the text of a value, quoted or not: the key says how it is read, not YAML, so that no, 010 and 1:30
// hold no surprise.
func (r *fileReader) scalar(key keys.Key, node, at *yaml.Node) (string, bool) {
	switch {
	case !r.Plain(node, key.Name):
	case node.Kind != yaml.ScalarNode:
		r.At(at, key.Name, "must be a single value, not a list or a mapping")
	case plainyaml.IsNull(node):
		r.At(at, key.Name, "null is not a value; leave the key out for the default")
	default:
		return node.Value, true
	}
	return "", false
}

// isEscaped reports whether a value has a character that only an escape can have made.
func isEscaped(node *yaml.Node) bool {
	return node.Style&yaml.DoubleQuotedStyle != 0 &&
		strings.ContainsFunc(node.Value, func(r rune) bool { return !unicode.IsPrint(r) })
}

func (r *fileReader) list(key keys.Key, at, node *yaml.Node) ([]string, bool) {
	if node.Kind != yaml.SequenceNode {
		if plainyaml.IsNull(node) {
			r.At(at, key.Name, "null is not a value; leave the key out for the default")
		} else {
			r.At(at, key.Name, "must be a list, such as [a, b]")
		}
		return nil, false
	}
	items, good := []string{}, true
	for _, item := range node.Content {
		text, ok := r.scalar(key, item, item)
		good = good && ok
		items = append(items, text)
	}
	return items, good
}

func (r *fileReader) entries(key keys.Key, at, node *yaml.Node) (map[string]string, bool) {
	if node.Kind != yaml.MappingNode {
		if plainyaml.IsNull(node) {
			r.At(at, key.Name, "null is not a value; leave the key out for the default")
		} else {
			r.At(at, key.Name, "must have names and values, such as {team: web}")
		}
		return nil, false
	}
	before := len(*r.found)
	entries := map[string]string{}
	r.Pairs(node, key.Name, func(name string, at, value *yaml.Node) {
		if text, ok := r.scalar(key, value, at); ok {
			entries[name] = text
		}
	})
	return entries, len(*r.found) == before
}
