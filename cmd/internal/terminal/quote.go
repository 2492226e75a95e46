package terminal

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Quote returns the text as it may be shown: what could move a cursor, hide or reorder what stands around it is written
// as \u and its number, line breaks included. What a visitor puts into a session ends up here, and so does what an
// endpoint says. JSON stays the same JSON, because it has such characters in its strings alone.
func Quote(text string) string { return quote(text, unicode.IsPrint) }

// quoteLines is Quote, but for line breaks and tabs: for text of several lines.
func quoteLines(text string) string {
	return quote(text, func(r rune) bool { return r == '\n' || r == '\t' || unicode.IsPrint(r) })
}

func quote(text string, harmless func(rune) bool) string {
	var quoted strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			fmt.Fprintf(&quoted, `\x%02x`, text[i]) // a byte that is no UTF-8
		case harmless(r):
			quoted.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&quoted, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&quoted, `\u%04x`, r)
		}
	}
	return quoted.String()
}

// guard is the only way to a stream for other packages.
type guard struct{ stream io.Writer }

// Write implements io.Writer. It takes whole texts: a character that is cut in two is written as two bytes.
func (g guard) Write(p []byte) (int, error) {
	if _, err := io.WriteString(g.stream, quoteLines(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// behind returns the stream behind a guard.
func behind(w io.Writer) io.Writer {
	if g, ok := w.(guard); ok {
		return g.stream
	}
	return w
}

// Painted is text that Paint has quoted and coloured: it may be written as it is.
type Painted string

// compose is fmt.Sprintf, with what is not painted quoted. The format is part of the program, and so are its line
// breaks.
func compose(format string, args []any) string {
	safe := make([]any, len(args))
	for i, arg := range args {
		switch text := arg.(type) {
		case string:
			safe[i] = Quote(text)
		case error:
			safe[i] = Quote(text.Error())
		case fmt.Stringer:
			safe[i] = Quote(text.String())
		default:
			safe[i] = arg
		}
	}
	return fmt.Sprintf(format, safe...)
}

// ShellWord returns a word as a shell takes it.
func ShellWord(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:-"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
