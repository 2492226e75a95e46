// Package terminal is how a command talks to a person: tables, colour, progress and questions, each only if somebody
// can see it.
package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/fatih/color"
	"golang.org/x/term"
)

// Terminal is the standard input and output of a command. Results go to Out, everything else to Err. Whatever is
// written to a terminal that New has made, by its methods or to Out and Err, cannot move a cursor: see [Quote].
type Terminal struct {
	In       io.Reader
	Out, Err io.Writer
	// OutColor and ErrColor say whether there may be colour in what is written.
	OutColor, ErrColor bool
	// Watched says whether somebody sees Err, so that progress may be shown; Asks whether somebody can answer, too.
	Watched, Asks bool
}

// New returns the terminal of a process. There is colour where a stream is a terminal, unless NO_COLOR
// (https://no-color.org) is set or TERM is dumb.
func New(in, out, err *os.File, getenv func(string) string) *Terminal {
	colored := getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	watched := isTerminal(err)
	return &Terminal{
		In: in, Out: guard{out}, Err: guard{err},
		OutColor: colored && isTerminal(out), ErrColor: colored && watched,
		Watched: watched, Asks: watched && isTerminal(in),
	}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Style is how a word is shown.
type Style uint8

// The styles.
const (
	Plain Style = iota
	Good
	Warning
	Bad
	Faint
	Strong
)

var attributes = map[Style][]color.Attribute{
	Good:    {color.FgGreen},
	Warning: {color.FgYellow},
	Bad:     {color.FgRed, color.Bold},
	Faint:   {color.Faint},
	Strong:  {color.Bold},
}

// paint returns the text, quoted, in the style if colour is on.
func paint(text string, style Style, colored bool) Painted {
	text = Quote(text)
	if !colored || style == Plain || text == "" {
		return Painted(text)
	}
	c := color.New(attributes[style]...)
	c.EnableColor()
	return Painted(c.Sprint(text))
}

// Paint returns the text in the style, for Out.
func (t *Terminal) Paint(text string, style Style) Painted { return paint(text, style, t.OutColor) }

// PaintErr returns the text in the style, for Err.
func (t *Terminal) PaintErr(text string, style Style) Painted { return paint(text, style, t.ErrColor) }

// Print writes a line to Out.
func (t *Terminal) Print(format string, args ...any) error {
	if _, err := io.WriteString(behind(t.Out), compose(format, args)+"\n"); err != nil {
		return fmt.Errorf("the output cannot be written: %w", err)
	}
	return nil
}

// PrintJSON writes a value to Out, for programs.
func (t *Terminal) PrintJSON(value any) error {
	encoder := json.NewEncoder(t.Out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("the output cannot be written: %w", err)
	}
	return nil
}

// Say writes a line to Err. An error is dropped: nobody could be told.
func (t *Terminal) Say(format string, args ...any) {
	_, _ = io.WriteString(behind(t.Err), compose(format, args)+"\n")
}

// Screen is Err for what draws on it, such as a bar. It passes everything on: write nothing there that comes from
// outside.
func (t *Terminal) Screen() io.Writer { return behind(t.Err) }
