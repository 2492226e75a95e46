package explain

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
)

// Done is the kind of no error.
const Done Kind = ""

// exitCodes are the codes with which every command exits.
var exitCodes = map[Kind]int{
	Done: 0, Failed: 1, Usage: 2, Configuration: 3, NotFound: 4, Findings: 5, Unconfirmed: 6, Unavailable: 7,
	Interrupted: 130,
}

// ExitCode says what a kind of error means for a command.
type ExitCode struct {
	Kind Kind
	Text string
}

// ExitCodes are those that a command has.
type ExitCodes []ExitCode

// String is their table, for the help.
func (codes ExitCodes) String() string {
	var text strings.Builder
	text.WriteString("Exit codes:\n")
	for _, c := range codes {
		fmt.Fprintf(&text, "  %3d  %s\n", exitCodes[c.Kind], c.Text)
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// Report is how a command shows an error.
type Report struct {
	Command string // its name
	JSON    bool   // for programs
	Cause   bool   // with the error of which the explanation is one
}

// Code returns the exit code of e.
func (r Report) Code(e *Explanation) int { return exitCodes[e.Kind] }

// Write shows e, and returns the exit code.
func (r Report) Write(to *terminal.Terminal, e *Explanation) int {
	code, cause := exitCodes[e.Kind], ""
	if r.Cause && e.Err != nil && e.Err.Error() != e.Text {
		cause = e.Err.Error()
	}
	if r.JSON {
		text, _ := json.MarshalIndent(map[string]any{"error": struct { // It fails for no strings.
			Kind     Kind     `json:"kind"`
			ExitCode int      `json:"exit_code"`
			Message  string   `json:"message"`
			Problems []string `json:"problems,omitempty"`
			Fix      string   `json:"fix,omitempty"`
			Cause    string   `json:"cause,omitempty"`
		}{e.Kind, code, e.Text, e.Problems, e.Fix, cause}}, "", "  ")
		_, _ = fmt.Fprintln(to.Err, string(text)) // Nobody could be told.
		return code
	}
	name := to.PaintErr(r.Command+":", terminal.Bad)
	switch {
	case len(e.Problems) > 0:
		to.Say("%s %s:", name, e.Text)
		for _, problem := range e.Problems {
			to.Say("  %s", problem)
		}
		if e.Fix != "" {
			to.Say("to do: %s", e.Fix)
		}
	case e.Fix != "":
		to.Say("%s %s; %s", name, e.Text, e.Fix)
	default:
		to.Say("%s %s", name, e.Text)
	}
	if cause != "" {
		to.Say("cause: %s", cause)
	}
	return code
}
