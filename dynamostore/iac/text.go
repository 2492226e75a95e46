package iac

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// madeBy is the first line of what is written for others to keep.
const madeBy = "# Written by scsdynamo from its own settings of the table: change those, and write this anew."

// textWriter puts text together line by line, indented by two spaces for each level.
type textWriter struct{ text strings.Builder }

func (w *textWriter) String() string { return w.text.String() }

func (w *textWriter) line(depth int, format string, args ...any) {
	if format != "" {
		w.text.WriteString(strings.Repeat("  ", depth))
	}
	fmt.Fprintf(&w.text, format+"\n", args...)
}

// quoteYAML quotes text that is valid UTF-8: the escapes of Go are among those of YAML.
func quoteYAML(text string) string { return strconv.Quote(text) }

// quoteHCL quotes text that is valid UTF-8, so that nothing in it is a template.
// https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md#template-expressions
func quoteHCL(text string) string {
	var quoted strings.Builder
	quoted.WriteByte('"')
	runes := []rune(text)
	for i, r := range runes {
		switch {
		case r == '"' || r == '\\':
			quoted.WriteString(`\` + string(r))
		case r == '\n':
			quoted.WriteString(`\n`)
		case r == '\t':
			quoted.WriteString(`\t`)
		case (r == '$' || r == '%') && i+1 < len(runes) && runes[i+1] == '{':
			quoted.WriteString(string(r) + string(r))
		case !unicode.IsPrint(r) && r > 0xFFFF:
			fmt.Fprintf(&quoted, `\U%08X`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&quoted, `\u%04X`, r)
		default:
			quoted.WriteRune(r)
		}
	}
	quoted.WriteByte('"')
	return quoted.String()
}
