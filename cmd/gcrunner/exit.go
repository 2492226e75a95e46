package main

import "github.com/scsdynamo/scsdynamo/cmd/internal/explain"

// codes are the exit codes.
var codes = explain.ExitCodes{
	{
		Kind: explain.Done,
		Text: "done: everything was looked at, or a limit was reached, or a process with a schedule was told to end",
	},
	{Kind: explain.Failed, Text: "failed, perhaps after some were deleted, of which the report says how many"},
	{Kind: explain.Usage, Text: "the command line is wrong; nothing was done"},
	{
		Kind: explain.Configuration,
		Text: "the configuration has mistakes, or does not fit the machine or the table; nothing was done",
	},
	{Kind: explain.NotFound, Text: "there is no such table or file; nothing was done"},
	{
		Kind: explain.Unavailable,
		Text: "try again later: another process is elected, or the table is unreachable or refuses everything",
	},
	{Kind: explain.Interrupted, Text: "a single run was told to end; the next one goes on where there is a checkpoint"},
}

// fail prints the error and returns the exit code.
func (a *app) fail(err error) int {
	e := explain.Error(err)
	if !a.began && e.Kind == explain.Failed { // What cobra has to say about its own commands repeats words.
		e = explain.New(explain.Usage, "the command line is not understood", seeHelp)
	}
	report := explain.Report{Command: "gcrunner", JSON: a.output == outputJSON}
	if a.logFormat != logJSON || report.JSON {
		return report.Write(a.Terminal, e)
	}
	attrs := []any{"kind", e.Kind}
	if len(e.Problems) > 0 {
		attrs = append(attrs, "problems", e.Problems)
	}
	if e.Fix != "" {
		attrs = append(attrs, "fix", e.Fix)
	}
	_, logger := a.newLogger()
	logger.Error(e.Text, attrs...)
	return report.Code(e)
}
