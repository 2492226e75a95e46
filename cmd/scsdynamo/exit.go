package main

import (
	"encoding/json"
	"fmt"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
)

// codes are the exit codes.
var codes = explain.ExitCodes{
	{Code: 0, Text: "done; for checks: nothing is wrong"},
	{Kind: explain.Failed, Code: 1, Text: "failed"},
	{Kind: explain.Usage, Code: 2, Text: "the command line is wrong"},
	{Kind: explain.Configuration, Code: 3, Text: "the configuration has mistakes"},
	{Kind: explain.NotFound, Code: 4, Text: "no such table, session or file"},
	{Kind: explain.Findings, Code: 5, Text: "a check has found something: the table does not fit, or the doctor has found a failure"},
	{Kind: explain.Unconfirmed, Code: 6, Text: "nothing was done, because it was not confirmed"},
	{Kind: explain.Unavailable, Code: 7, Text: "try again later: unreachable, throttled, timed out, or the file is in use"},
	{Kind: explain.Interrupted, Code: 130, Text: "interrupted"},
}

// fail prints the error and returns the exit code.
func (a *app) fail(err error) int {
	e := explain.Error(err)
	// What cobra has to say about its own commands has no type, and repeats words.
	if !a.began && e.Kind == explain.Failed {
		e = explain.New(explain.Usage, "the command line is not understood", `see "scsdynamo --help"`)
	}
	return explain.Report{Command: "scsdynamo", Codes: codes, JSON: a.output == outputJSON, Cause: a.verbose}.Write(a.Terminal, e)
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
		if err := a.Print("%s", line); err != nil {
			return err
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
