package main

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/internal/terminal"
)

// progress shows on a terminal how far a single run has come. How many sessions there are is not known: telling that would
// need rights on the table.
type progress struct {
	bar *progressbar.ProgressBar // nil where nobody sees it
}

// refresh is how often progress is drawn at most.
const refresh = 100 * time.Millisecond

func (a *app) newProgress() progress {
	if a.quiet || !a.Watched {
		return progress{}
	}
	return progress{progressbar.NewOptions64(-1, progressbar.OptionSetWriter(a.Err), progressbar.OptionSpinnerType(14),
		progressbar.OptionThrottle(refresh), progressbar.OptionClearOnFinish(), progressbar.OptionSetElapsedTime(true))}
}

// tell is called after each page.
func (p progress) tell(r gcrunner.Report) {
	if p.bar == nil {
		return
	}
	verb := "deleted"
	if r.DryRun {
		verb = "to be deleted"
	}
	text := fmt.Sprintf("%s looked at, %s %s", terminal.Number(int64(r.Scanned)), terminal.Number(int64(r.Total())), verb)
	if seconds := r.Duration.Seconds(); seconds >= 1 && r.ReadUnits+r.WriteUnits > 0 {
		text += fmt.Sprintf(", %.0f read and %.0f write units a second", r.ReadUnits/seconds, r.WriteUnits/seconds)
	}
	p.bar.Describe(text)
	_ = p.bar.Add(1) // Where it cannot be shown, the run goes on.
}

// done takes it away.
func (p progress) done() {
	if p.bar != nil {
		_ = p.bar.Clear() // Likewise.
	}
}
