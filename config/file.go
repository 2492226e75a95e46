package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// MaxFileBytes is the size of the largest file that is read. A file with every key has a tenth of it.
const MaxFileBytes = 256 << 10

// setting is a value and where it was set.
type setting struct {
	value  any
	source Source
}

// layer is what one place sets, by key.
type layer map[string]setting

// fileReader reads one file.
type fileReader struct {
	name     string
	settings layer
	*problems
}

// readFile returns what the file sets.
func readFile(path string, found *problems) layer {
	data, problem := readRegular(path, MaxFileBytes)
	if problem.Text != "" {
		problem.Source = Source{Kind: FromFile, Name: path}
		*found = append(*found, problem)
		return nil
	}
	return parseFile(path, data, found)
}

func parseFile(name string, data []byte, found *problems) layer {
	r := fileReader{name: name, settings: layer{}, problems: found}
	root := r.document(data)
	if root == nil {
		return r.settings
	}
	switch {
	case !r.plain(root, ""):
	case isEmpty(root): // comments alone, perhaps behind ---
	case root.Kind != yaml.MappingNode:
		r.at(root, "", "the file must have keys at its top, such as driver: dynamodb")
	default:
		r.section(root, "")
	}
	return r.settings
}

// document returns the only document in the data, nil where there is none.
func (r *fileReader) document(data []byte) *yaml.Node {
	whole := Source{Kind: FromFile, Name: r.name}
	if wrong := notText(data); wrong != "" {
		r.add(whole, "", "%s", wrong)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil // comments alone
	}
	if err == nil {
		var another yaml.Node
		switch err = decoder.Decode(&another); {
		case errors.Is(err, io.EOF):
			return document.Content[0]
		case err == nil:
			r.at(&another, "", "a second document begins here; a file has one")
			return document.Content[0]
		}
	}
	line, text := explainYAML(err)
	if hint := hintYAML(data, line); hint.line > 0 {
		line, text = hint.line, hint.text
	}
	r.add(Source{Kind: FromFile, Name: r.name, Line: line}, "", "this is not YAML, here or nearby: %s", text)
	return nil
}

// notText says why the data cannot be YAML at all.
func notText(data []byte) string {
	if len(bytes.TrimSpace(data)) == 0 {
		return "the file is empty; remove it, or write one with: scsdynamo config init"
	}
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	binary := func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7F || r == utf8.RuneError
	}
	if i := bytes.IndexFunc(data, binary); i >= 0 {
		return fmt.Sprintf("the file is not text in UTF-8: see byte %d", i+1)
	}
	return ""
}

// yamlHint is what is probably wrong with a line.
type yamlHint struct {
	line int
	text string
}

const backslashHint = "a backslash between double quotes begins an escape; write a path in single quotes, or without any"

// hintYAML looks for what often keeps a file from being YAML, in the lines up to the one where it was noticed and the
// next. line is 0 where that is not known.
func hintYAML(data []byte, line int) yamlHint {
	lines := strings.Split(string(data), "\n")
	if line > 0 {
		lines = lines[:min(line+1, len(lines))]
	}
	for i, text := range lines {
		indentation := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
		if strings.Contains(indentation, "\t") && strings.TrimSpace(text) != "" {
			return yamlHint{i + 1, "the line is indented with a tab; YAML is indented with spaces"}
		}
	}
	for i, text := range slices.Backward(lines) {
		if _, quoted, _ := strings.Cut(text, `"`); strings.Contains(quoted, `\`) && i+2 >= line {
			return yamlHint{i + 1, backslashHint}
		}
	}
	return yamlHint{}
}

// explainYAML takes the library's error apart, which is text alone. What it quotes from the file is left out: it could be
// part of a secret.
func explainYAML(err error) (line int, text string) {
	text = strings.TrimPrefix(err.Error(), "yaml: ")
	if n, scanErr := fmt.Sscanf(text, "line %d:", &line); n == 1 && scanErr == nil {
		_, text, _ = strings.Cut(text, ": ")
	}
	parts := strings.Split(text, "'")
	for i := 1; i < len(parts); i += 2 {
		if len(parts[i]) > 1 {
			parts[i] = "…"
		}
	}
	return line, strings.Join(parts, "'")
}

// at adds a problem at the line of a node.
func (r *fileReader) at(node *yaml.Node, key, format string, args ...any) {
	r.add(r.source(node), key, format, args...)
}

func (r *fileReader) source(node *yaml.Node) Source {
	return Source{Kind: FromFile, Name: r.name, Line: node.Line}
}

// plain refuses what YAML has beyond keys, values and lists: with it, a file does not mean what it shows.
func (r *fileReader) plain(node *yaml.Node, key string) bool {
	switch {
	case node.Kind == yaml.AliasNode:
		r.at(node, key, "aliases (*name) are not read; write the value out")
	case node.Anchor != "":
		r.at(node, key, "anchors (&name) are not read; write the value out where it is used")
	case node.Style&yaml.TaggedStyle != 0:
		r.at(node, key, "tags (!name) are not read; the key says what kind of value it has")
	default:
		return true
	}
	return false
}

// section reads the keys below prefix, which is empty or ends with a dot.
func (r *fileReader) section(node *yaml.Node, prefix string) {
	r.pairs(node, strings.TrimSuffix(prefix, "."), func(name string, at, value *yaml.Node) {
		full := prefix + name
		switch key, known := FindKey(full); {
		case known && !strings.Contains(name, "."):
			r.value(key, at, value)
		case sections[full] && !strings.Contains(name, "."):
			r.nested(full, at, value)
		case known || sections[full]:
			r.at(at, "", "the key %s is nested: write each part between the dots on a line of its own, indented", full)
		case prefix == secretSection+".": // The name itself may be what should have been a value.
			r.at(at, secretSection, "%s", unknownHidden("key", full, ".", names))
		default:
			r.at(at, "", "%s", unknown("key", full, ".", names))
		}
	})
}

func (r *fileReader) nested(name string, at, value *yaml.Node) {
	switch {
	case !r.plain(value, name):
	case isEmpty(value): // a section whose keys are all commented out
	case value.Kind != yaml.MappingNode:
		r.at(at, name, "has keys of its own; write them below it, indented")
	default:
		r.section(value, name+".")
	}
}

// pairs calls visit for each key of a mapping that is there once.
func (r *fileReader) pairs(node *yaml.Node, within string, visit func(name string, at, value *yaml.Node)) {
	lines := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		at, value := node.Content[i], node.Content[i+1]
		switch {
		case !r.plain(at, within):
			continue
		case at.Kind != yaml.ScalarNode:
			r.at(at, within, "a key must be a word, not a list or a mapping")
			continue
		case at.Tag == "!!merge":
			r.at(at, within, "merge keys (<<) are not read; write the keys out")
			continue
		}
		if first, twice := lines[at.Value]; twice {
			r.at(at, within, "the same key is already there, in line %d", first)
			continue
		}
		lines[at.Value] = at.Line
		visit(at.Value, at, value)
	}
}

// value reads the value of a key.
func (r *fileReader) value(key Key, at, node *yaml.Node) {
	if !r.plain(node, key.Name) {
		return
	}
	var value any
	var wrong string
	switch key.Kind {
	case List:
		items, ok := r.list(key, at, node)
		if !ok {
			return
		}
		value, wrong = key.parseList(items)
	case Map:
		entries, ok := r.entries(key, at, node)
		if !ok {
			return
		}
		value, wrong = key.parseMap(entries)
	default:
		text, ok := r.scalar(key, node, at)
		if !ok {
			return
		}
		if value, wrong = key.parse(text); wrong != "" && isEscaped(node) {
			wrong += "; " + backslashHint
		}
	}
	if wrong != "" {
		r.at(at, key.Name, "%s", wrong)
		return
	}
	r.settings[key.Name] = setting{value, r.source(at)}
}

// scalar returns the text of a value, quoted or not: the key says how it is read, not YAML, so that no, 010 and 1:30 hold no
// surprise.
func (r *fileReader) scalar(key Key, node, at *yaml.Node) (string, bool) {
	switch {
	case !r.plain(node, key.Name):
	case node.Kind != yaml.ScalarNode:
		r.at(at, key.Name, "must be a single value, not a list or a mapping")
	case isNull(node):
		r.at(at, key.Name, "null is not a value; leave the key out for the default")
	default:
		return node.Value, true
	}
	return "", false
}

// isEscaped reports whether a value has a character that only an escape can have made.
func isEscaped(node *yaml.Node) bool {
	return node.Style&yaml.DoubleQuotedStyle != 0 && strings.ContainsFunc(node.Value, func(r rune) bool { return !unicode.IsPrint(r) })
}

func (r *fileReader) list(key Key, at, node *yaml.Node) ([]string, bool) {
	if node.Kind != yaml.SequenceNode {
		if isNull(node) {
			r.at(at, key.Name, "null is not a value; leave the key out for the default")
		} else {
			r.at(at, key.Name, "must be a list, such as [a, b]")
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

func (r *fileReader) entries(key Key, at, node *yaml.Node) (map[string]string, bool) {
	if node.Kind != yaml.MappingNode {
		if isNull(node) {
			r.at(at, key.Name, "null is not a value; leave the key out for the default")
		} else {
			r.at(at, key.Name, "must have names and values, such as {team: web}")
		}
		return nil, false
	}
	before := len(*r.problems)
	entries := map[string]string{}
	r.pairs(node, key.Name, func(name string, at, value *yaml.Node) {
		if text, ok := r.scalar(key, value, at); ok {
			entries[name] = text
		}
	})
	return entries, len(*r.problems) == before
}

// isNull reports whether YAML takes the node for null: because nothing is there, or because it says so.
func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// isEmpty reports whether nothing is there.
func isEmpty(node *yaml.Node) bool { return isNull(node) && node.Value == "" }

// names are those of all keys and sections.
var names = func() []string {
	all := slices.Sorted(maps.Keys(sections))
	for _, key := range schema {
		all = append(all, key.Name)
	}
	return all
}()
