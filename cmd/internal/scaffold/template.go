package scaffold

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// Template returns a file with every key, each with what it does. Keys are commented out and show their default, or an
// example where they have none; those in values are set. The values are written as in environment variables, secrets
// too: keep the file as safe as they are. The environment is the one that the file is for; it may be empty.
//
// Loaded as it is, the file sets what is in values and nothing else. Errors: [*config.Error], where
// config.Load would refuse the values.
func Template(environment string, values map[string]string) ([]byte, error) {
	title := "# Settings of scsdynamo."
	if environment != "" {
		title = fmt.Sprintf("# Settings of scsdynamo for the environment %s.", strconv.Quote(environment))
	}
	return template(title+`
#
# A line such as "#duration: 5s" shows a default, or an example: take the # away to set the key. Environment variables
# win over this file: their name is SCSDYNAMO_ and the key in capitals, with _ between its parts, such as
# SCSDYNAMO_LEASE_DURATION. Durations need a unit: 500ms, 30s, 5m, 12h, 30d. Nothing here is expanded or executed.
`, values)
}

// template writes the file below the header.
func template(header string, values map[string]string) ([]byte, error) {
	set, err := parse(values)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(header)
	var open []string // the sections that the line before was in
	for _, key := range keys.All() {
		parts := strings.Split(key.Name, ".")
		within, name := parts[:len(parts)-1], parts[len(parts)-1]
		same := 0
		for same < len(within) && same < len(open) && within[same] == open[same] {
			same++
		}
		b.WriteByte('\n')
		for i := same; i < len(within); i++ {
			fmt.Fprintf(&b, "%s%s:\n", indent(i), within[i])
		}
		open = within
		margin := indent(len(within))
		for _, line := range wrap(describe(key), 110-len(margin)) {
			fmt.Fprintf(&b, "%s# %s\n", margin, line)
		}
		if value, ok := set[key.Name]; ok {
			fmt.Fprintf(&b, "%s%s: %s\n", margin, name, toYAML(value))
		} else {
			fmt.Fprintf(&b, "%s#%s: %s\n", margin, name, shown(key))
		}
	}
	return b.Bytes(), nil
}

// parse reads the values as config.Load does.
func parse(values map[string]string) (map[string]any, error) {
	parsed := map[string]any{}
	var problems []config.Problem
	for _, name := range slices.Sorted(maps.Keys(values)) {
		key, ok := keys.Find(name)
		problem := config.Problem{Source: config.Source{Kind: "code"}}
		if !ok {
			problem.Text = keys.Unknown("key", name, ".", keys.Names)
		} else if parsed[name], problem.Text = key.ParseLine(values[name]); problem.Text != "" {
			problem.Key = name
		}
		if problem.Text != "" {
			problems = append(problems, problem)
		}
	}
	if len(problems) > 0 {
		return nil, &config.Error{Problems: problems}
	}
	return parsed, nil
}

func indent(depth int) string { return strings.Repeat("  ", depth) }

// describe says in sentences what the key does and what it may be.
func describe(k keys.Key) string {
	text := k.Doc
	if allowed := k.Allowed(); allowed != "" && k.Kind != keys.Boolean {
		text += " Allowed: " + allowed + "."
	}
	if k.Otherwise != "" {
		text += " Default: " + k.Otherwise + "."
	}
	return text
}

// shown is what stands in a template where the key is not set.
func shown(k keys.Key) string {
	if k.Fallback != nil {
		return toYAML(k.Fallback)
	}
	return k.Example
}

// wrap breaks a text into lines.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// toYAML writes a value as it stands in a file.
func toYAML(value any) string {
	switch v := value.(type) {
	case []string:
		return "[" + strings.Join(mapped(v, scalar), ", ") + "]"
	case []keys.Secret:
		return "[" + strings.Join(mapped(v, keys.Secret.Reveal), ", ") + "]"
	case keys.Secret:
		return v.Reveal()
	case map[string]string:
		entries := make([]string, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			entries = append(entries, scalar(name)+": "+scalar(v[name]))
		}
		return "{" + strings.Join(entries, ", ") + "}"
	default:
		return scalar(keys.Format(v))
	}
}

func mapped[T any](list []T, f func(T) string) []string {
	texts := make([]string, len(list))
	for i, item := range list {
		texts[i] = f(item)
	}
	return texts
}

var (
	plainScalar = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./+=-]*$`)
	nullScalar  = regexp.MustCompile(`^(?i:null)$`)
)

// scalar writes a text so that every reader of YAML finds it there.
func scalar(text string) string {
	switch {
	case plainScalar.MatchString(text) && !nullScalar.MatchString(text):
		return text
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return strconv.QuoteToASCII(text) // Its escapes are YAML's, too.
	default:
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
}

// NewSecret draws a secret of 32 random bytes and returns it as it is written in a file or a variable. So does
// openssl rand -base64 32.
func NewSecret() string {
	b := make([]byte, sessionstore.MinSecretBytes)
	_, _ = rand.Read(b) // It never fails.
	return base64.StdEncoding.EncodeToString(b)
}
