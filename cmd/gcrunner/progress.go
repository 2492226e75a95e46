package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/gcrunner"
)

// progress shows on a terminal how far a single run has come: as a bar, where the run has found out how large the table
// is.
type progress struct {
	options []progressbar.Option
	watched bool
	say     func(text string, _ ...any) // nil where nobody wants to know
	slowed  bool                        // whether that was said
	bar     *progressbar.ProgressBar    // nil before the first page
	sized   bool                        // whether the bar has an end
}

const (
	// refresh is how often progress is drawn at most.
	refresh = 100 * time.Millisecond
	// wholeBar is what a bar counts to.
	wholeBar = 1000
)

func (a *app) newProgress() *progress {
	p := &progress{
		watched: !a.quiet && a.Watched && a.logFormat == logText,
		options: []progressbar.Option{
			progressbar.OptionSetWriter(a.Screen()), progressbar.OptionSpinnerType(14), progressbar.OptionThrottle(refresh),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetElapsedTime(true), progressbar.OptionSetWidth(20),
		},
	}
	switch {
	case a.quiet || a.output != outputTable:
	case a.logFormat == logJSON:
		p.say = slog.Warn
	default:
		p.say = func(text string, _ ...any) { a.Say("gcrunner: %s", text) }
	}
	return p
}

// tell is called after each page, and now and then.
func (p *progress) tell(r gcrunner.Report) {
	if r.Throttles > 0 && !p.slowed && p.say != nil {
		p.slowed = true
		p.say("DynamoDB refuses requests, as there are too many; the run goes on more slowly")
	}
	if !p.watched {
		return
	}
	share, known := r.Progress()
	if p.bar == nil || known && !p.sized { // what begins without an end gets one when that is known
		whole := int64(-1)
		if known {
			whole = wholeBar
		}
		if p.bar != nil {
			_ = p.bar.Finish() // which clears it; as below
		}
		p.bar, p.sized = progressbar.NewOptions64(whole, p.options...), known
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
	// Where it cannot be shown, the run goes on.
	if known {
		_ = p.bar.Set64(int64(share * wholeBar))
	} else {
		_ = p.bar.Add(1)
	}
}

// done takes it away.
func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Clear() // Likewise.
	}
}
