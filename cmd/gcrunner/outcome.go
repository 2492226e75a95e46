package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/gcrunner"
)

// outcome explains the error of a single run by what the run has done. Kinds that say that nothing was done are only
// for runs that have done nothing.
func outcome(report gcrunner.Report, err error) error {
	if err == nil {
		return nil
	}
	e := *explain.Error(err)
	e.Err = err
	if report.Stopped == gcrunner.Canceled {
		e.Kind, e.Text, e.Fix = explain.Interrupted, interrupted(err), ""
	}
	deleted := int64(report.Total())
	if report.DryRun {
		deleted = 0
	}
	switch {
	case errors.Is(err, gcrunner.ErrCheckpoint) && e.Kind != explain.Interrupted:
		notKept(&e)
	case errors.Is(err, gcrunner.ErrTimeUp) && e.Kind != explain.Interrupted:
		e.Text = strings.TrimPrefix(e.Text, "gcrunner: ")
		e.Fix = "raise collection.limits.duration, or find out why the table is slow to answer"
	case e.Kind == explain.Findings: // which scsdynamo alone has
		e.Kind = explain.Configuration
	}
	if deleted == 0 {
		return &e
	}
	switch e.Kind {
	case explain.Usage, explain.Configuration, explain.NotFound:
		e.Kind = explain.Failed
	}
	e.Text += fmt.Sprintf(" (before that, %s deleted)", were(deleted))
	return &e
}

// notKept explains why the position cannot be kept.
func notKept(e *explain.Explanation) {
	path, link := (*fs.PathError)(nil), (*os.LinkError)(nil)
	ofPath := errors.As(e.Err, &path)
	text := strings.TrimPrefix(e.Text, gcrunner.ErrCheckpoint.Error()+": ")
	switch {
	case ofPath && errors.Is(e.Err, gcrunner.ErrNoPosition):
		e.Kind, e.Fix = explain.Configuration, "correct collection.checkpoint_file"
		text = path.Path + " holds something else"
	case ofPath || errors.As(e.Err, &link):
		e.Kind = explain.Configuration
		e.Fix = "correct collection.checkpoint_file: its directory must be there, and this process must be allowed to " +
			"write in it"
	}
	e.Text = "the position of the run cannot be kept: " + text
}

// interrupted says that a run was told to end, and whether it had got anywhere.
func interrupted(err error) string {
	for _, part := range parts(err) {
		if e := explain.Error(part); e.Kind == explain.Unavailable {
			return "interrupted; until then everything was refused: " + e.Text
		}
	}
	return "interrupted"
}

// parts returns what an error was joined from.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	return joined.Unwrap()
}

func were(n int64) string { return terminal.Count(n, "session was", "sessions were") }
