package main

import (
	"io"

	"github.com/schollz/progressbar/v3"

	"github.com/scsdynamo/scsdynamo/gcrunner"
)

// Main is main, for a test binary that is run as the command.
func Main() { main() }

// Tell writes what a terminal shows of a run that has come so far, and then so far.
func Tell(screen io.Writer, reports ...gcrunner.Report) {
	p := &progress{watched: true, options: []progressbar.Option{
		progressbar.OptionSetWriter(screen),
		progressbar.OptionClearOnFinish(),
	}}
	for _, r := range reports {
		p.tell(r)
	}
	_ = p.bar.Finish() // it has a goroutine
}
