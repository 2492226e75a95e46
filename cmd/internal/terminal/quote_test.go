package terminal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
)

// hostile is text that moves a cursor, changes a title or a clipboard, hides what follows, or pretends to be another
// line.
var hostile = []string{
	"\x1b]0;owned\x07\x1b[2J\x1b[1;1Hstatus  live\x1b]52;c;cm0=\x07", "\x1b[31mred", "a\rb", "a\nb", "a\tb",
	"a\x00b\x08\x7f",
	"\u009b2J", "\u0090q\u009c", "\x9b2J", "cut \xc2", "\u202egnp.exe", "\u2066a\u2069", "\u200f", "\u2028", "\u2029",
	"\ufeff", "\U000e0041",
}

// moves reports whether a text has a character that must not reach a terminal.
func moves(text string) bool {
	return !utf8.ValidString(text) ||
		strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) })
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for _, text := range hostile {
		if got := terminal.Quote(text); moves(got) || strings.Contains(got, "\n") {
			t.Errorf("%q becomes %q", text, got)
		}
		encoded, err := json.Marshal(map[string]string{text: text})
		if err != nil {
			t.Fatal(err)
		}
		var want, got map[string]string
		if json.Unmarshal(encoded, &want) != nil || json.Unmarshal([]byte(terminal.Quote(string(encoded))), &got) != nil ||
			fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q is other JSON when it is quoted: %s", text, terminal.Quote(string(encoded)))
		}
	}
	for _, harmless := range []string{"", "plain", "größer 日本語 👍", `a\u001b`, "replaced: \uFFFD"} {
		if got := terminal.Quote(harmless); got != harmless {
			t.Errorf("%q becomes %q", harmless, got)
		}
	}
}

// Nothing that is written in any way moves a cursor.
func TestNothingHostileIsWritten(t *testing.T) {
	t.Parallel()
	stream := func(name string) *os.File {
		file, err := os.Create(filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = file.Close() })
		return file
	}
	in, out, err := stream("in"), stream("out"), stream("err")
	screen := terminal.New(in, out, err, func(string) string { return "" })
	for _, text := range hostile {
		table := screen.NewTable(text, "b").AlignRight(0)
		table.Row(terminal.Cell{Text: text, Style: terminal.Bad}, terminal.Cell{Text: "b"})
		if table.Flush() != nil || screen.Print("%s %v", text, errors.New(text)) != nil {
			t.Fatal("not written")
		}
		screen.Say("%s: %s, %q", screen.PaintErr(text, terminal.Bad), text, text)
		_, _ = fmt.Fprintln(screen.Out, text)
		_, _ = fmt.Fprintln(screen.Err, text)
		if _, err := screen.Ask(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []*os.File{out, err} {
		written, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(strings.ReplaceAll(string(written), "\t", "")) {
			if moves(line) {
				t.Errorf("%q is written to %s", line, filepath.Base(file.Name()))
			}
		}
	}
}
