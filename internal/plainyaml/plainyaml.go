// Package plainyaml reads YAML that means what it shows: keys, values and lists, in one document, without anchors,
// aliases, tags and merge keys. What it says of a mistake never quotes a value, which could be a secret.
package plainyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Reader reads one file. It calls Report for each mistake, with the line, 0 for the file as a whole, and the key that
// it is about, empty for none.
type Reader struct {
	Report func(line int, key, text string)
}

// At reports a mistake at the line of a node.
func (r Reader) At(node *yaml.Node, key, format string, args ...any) {
	r.Report(node.Line, key, fmt.Sprintf(format, args...))
}

// Document returns the only document in the data, nil where there is none.
func (r Reader) Document(data []byte) *yaml.Node {
	if wrong := notText(data); wrong != "" {
		r.Report(0, "", wrong)
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
			r.At(&another, "", "a second document begins here; a file has one")
			return document.Content[0]
		}
	}
	line, text := explainYAML(err)
	if hint := hintYAML(data, line); hint.line > 0 {
		line, text = hint.line, hint.text
	}
	r.Report(line, "", "this is not YAML, here or nearby: "+text)
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

// BackslashHint is about values that an escape has made what they are.
const BackslashHint = "a backslash between double quotes begins an escape; write a path in single quotes, or " +
	"without any"

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
			return yamlHint{i + 1, BackslashHint}
		}
	}
	return yamlHint{}
}

// explainYAML takes the library's error apart, which is text alone. What it quotes from the file is left out: it could
// be part of a secret.
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

// Plain refuses what YAML has beyond keys, values and lists: with it, a file does not mean what it shows.
func (r Reader) Plain(node *yaml.Node, key string) bool {
	switch {
	case node.Kind == yaml.AliasNode:
		r.At(node, key, "aliases (*name) are not read; write the value out")
	case node.Anchor != "":
		r.At(node, key, "anchors (&name) are not read; write the value out where it is used")
	case node.Style&yaml.TaggedStyle != 0:
		r.At(node, key, "tags (!name) are not read; the key says what kind of value it has")
	default:
		return true
	}
	return false
}

// Pairs calls visit for each key of a mapping that appears once.
func (r Reader) Pairs(node *yaml.Node, within string, visit func(name string, at, value *yaml.Node)) {
	lines := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		at, value := node.Content[i], node.Content[i+1]
		switch {
		case !r.Plain(at, within):
			continue
		case at.Kind != yaml.ScalarNode:
			r.At(at, within, "a key must be a word, not a list or a mapping")
			continue
		case at.Tag == "!!merge":
			r.At(at, within, "merge keys (<<) are not read; write the keys out")
			continue
		}
		if first, twice := lines[at.Value]; twice {
			r.At(at, within, "the same key is already there, in line %d", first)
			continue
		}
		lines[at.Value] = at.Line
		visit(at.Value, at, value)
	}
}

// IsNull reports whether YAML takes the node for null: because nothing is there, or because it says so.
func IsNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// IsEmpty reports whether nothing is there.
func IsEmpty(node *yaml.Node) bool { return IsNull(node) && node.Value == "" }
