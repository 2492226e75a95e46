package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/scsdynamo/scsdynamo/internal/explain"
	"github.com/scsdynamo/scsdynamo/internal/terminal"
)

// codes are the exit codes.
var codes = []struct {
	kind explain.Kind
	code int
	text string
}{
	{"", 0, "done; for checks: nothing is wrong"},
	{explain.Failed, 1, "failed"},
	{explain.Usage, 2, "the command line is wrong"},
	{explain.Configuration, 3, "the configuration has mistakes"},
	{explain.NotFound, 4, "no such table, session or file"},
	{explain.Findings, 5, "a check has found something: the table does not fit, or the doctor has found a failure"},
	{explain.Unconfirmed, 6, "nothing was done, because it was not confirmed"},
	{explain.Unavailable, 7, "try again later: unreachable, throttled, timed out, or the file is in use"},
	{explain.Interrupted, 130, "interrupted"},
}

// exitCodes is their table, for the help.
func exitCodes() string {
	var text strings.Builder
	text.WriteString("Exit codes:\n")
	for _, c := range codes {
		fmt.Fprintf(&text, "  %3d  %s\n", c.code, c.text)
	}
	return strings.TrimSuffix(text.String(), "\n")
}

func codeOf(kind explain.Kind) int {
	for _, c := range codes {
		if c.kind == kind {
			return c.code
		}
	}
	return 1
}

// errorReport is an error as --output json shows it.
type errorReport struct {
	Kind     explain.Kind `json:"kind"`
	ExitCode int          `json:"exit_code"`
	Message  string       `json:"message"`
	Problems []string     `json:"problems,omitempty"`
	Fix      string       `json:"fix,omitempty"`
	Cause    string       `json:"cause,omitempty"`
}

// fail prints the error and returns the exit code.
func (a *app) fail(err error) int {
	e := explain.Error(err)
	if !a.began && e.Kind == explain.Failed { // What cobra has to say about its own commands has no type.
		e = explain.New(explain.Usage, e.Text, `see "scsdynamo --help"`)
	}
	report := errorReport{Kind: e.Kind, ExitCode: codeOf(e.Kind), Message: e.Text, Problems: e.Problems, Fix: e.Fix}
	if a.verbose && e.Err != nil && e.Err.Error() != e.Text {
		report.Cause = e.Err.Error()
	}
	if a.output == outputJSON {
		text, _ := json.MarshalIndent(map[string]any{"error": report}, "", "  ") // It fails for no strings.
		a.Say("%s", text)
		return report.ExitCode
	}
	line := a.PaintErr("scsdynamo:", terminal.Bad) + " " + report.Message
	switch {
	case len(report.Problems) > 0:
		a.Say("%s:\n  %s", line, strings.Join(report.Problems, "\n  "))
		if report.Fix != "" {
			a.Say("to do: %s", report.Fix)
		}
	case report.Fix != "":
		a.Say("%s; %s", line, report.Fix)
	default:
		a.Say("%s", line)
	}
	if report.Cause != "" {
		a.Say("cause: %s", report.Cause)
	}
	return report.ExitCode
}

// note tells something beside the result, where a person reads it.
func (a *app) note(format string, args ...any) {
	if !a.quiet && a.output != outputJSON {
		a.Say("%s", a.PaintErr("note: "+fmt.Sprintf(format, args...), terminal.Faint))
	}
}

// print prints the result: value as JSON, or the lines for a person.
func (a *app) print(value any, lines ...string) error {
	if a.output == outputJSON {
		encoder := json.NewEncoder(a.Out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return outputError(encoder.Encode(value))
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(a.Out, line); err != nil {
			return outputError(err)
		}
	}
	return nil
}

func outputError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the output cannot be written: %w", err)
}
