package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/scsdynamo/scsdynamo/internal/explain"
	"github.com/scsdynamo/scsdynamo/internal/terminal"
)

// codes are the exit codes. Those that scsdynamo has, too, mean the same there.
var codes = []struct {
	kind explain.Kind
	code int
	text string
}{
	{"", 0, "done: everything was looked at, or a limit was reached, or a process with a schedule was told to end"},
	{explain.Failed, 1, "failed"},
	{explain.Usage, 2, "the command line is wrong; nothing was done"},
	{explain.Configuration, 3, "the configuration has mistakes; nothing was done"},
	{explain.NotFound, 4, "there is no such table or file; nothing was done"},
	{explain.Unavailable, 7, "try again later: another process is elected, or the table is unreachable or throttled"},
	{explain.Interrupted, 130, "a single run was told to end; the next one goes on where there is a checkpoint"},
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
}

// fail prints the error and returns the exit code.
func (a *app) fail(err error) int {
	e := explain.Error(err)
	if !a.began && e.Kind == explain.Failed { // What cobra has to say about flags and arguments has no type.
		e = explain.New(explain.Usage, e.Text, `see "gcrunner --help"`)
	}
	report := errorReport{Kind: e.Kind, ExitCode: codeOf(e.Kind), Message: e.Text, Problems: e.Problems, Fix: e.Fix}
	if a.output == outputJSON {
		text, _ := json.MarshalIndent(map[string]any{"error": report}, "", "  ") // It fails for no strings.
		_, _ = fmt.Fprintln(a.Err, string(text))
		return report.ExitCode
	}
	lines := []string{a.PaintErr("gcrunner:", terminal.Bad) + " " + report.Message}
	switch {
	case len(report.Problems) > 0:
		lines[0] += ":"
		for _, problem := range report.Problems {
			lines = append(lines, "  "+problem)
		}
		if report.Fix != "" {
			lines = append(lines, "to do: "+report.Fix)
		}
	case report.Fix != "":
		lines[0] += "; " + report.Fix
	}
	_, _ = fmt.Fprintln(a.Err, strings.Join(lines, "\n"))
	return report.ExitCode
}
