package main

import (
	"fmt"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
)

// codes are the exit codes.
var codes = explain.ExitCodes{
	{Kind: explain.Done, Text: "done; for checks: nothing is wrong"},
	{Kind: explain.Failed, Text: "failed"},
	{Kind: explain.Usage, Text: "the command line is wrong"},
	{Kind: explain.Configuration, Text: "the configuration has mistakes"},
	{Kind: explain.NotFound, Text: "no such table, session or file"},
	{
		Kind: explain.Findings,
		Text: "a check has found something: the table does not fit, or the doctor has found a failure",
	},
	{Kind: explain.Unconfirmed, Text: "nothing was done, because it was not confirmed"},
	{Kind: explain.Unavailable, Text: "try again later: unreachable, throttled, timed out, or the file is in use"},
	{Kind: explain.Interrupted, Text: "interrupted"},
}

// fail prints the error and returns the exit code.
func (a *app) fail(err error) int {
	e := explain.Error(err)
	// What cobra has to say about its own commands has no type, and repeats words.
	if !a.began && e.Kind == explain.Failed {
		e = explain.New(explain.Usage, "the command line is not understood", `see "scsdynamo --help"`)
	}
	return explain.Report{Command: "scsdynamo", JSON: a.output == outputJSON, Cause: a.verbose}.Write(a.Terminal, e)
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
		return a.PrintJSON(value)
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
