package operations

import (
	"fmt"

	"github.com/scsdynamo/scsdynamo/gcrunner"
)

// chart is a bar for each of the last runs: how many sessions it has deleted, by rule.
type chart struct {
	Width, Height int
	Bars          []bar
	Top           int // what a bar of full height stands for, 0 where all are empty
	Rules         []string
	Summary       string
}

// bar is one run. One that has failed has another background; one that has deleted nothing is a line at the bottom.
type bar struct {
	X, Width float64
	Title    string
	Parts    []part
	Empty    float64 // where the line of an empty one is
	Failed   bool
}

// part is what was deleted under a rule.
type part struct {
	Rule      string
	Y, Height float64
}

const (
	chartWidth  = 600
	chartHeight = 120
	// leastBars is how many bars the chart has room for at least, so that the first ones are not as wide as a page.
	leastBars = 30
	// leastPart is the height of what is almost nothing, which must be seen.
	leastPart = 2.0
)

func newChart(reports []gcrunner.Report) chart {
	c := chart{Width: chartWidth, Height: chartHeight}
	total, failed := 0, 0
	shown := map[string]bool{}
	for _, report := range reports {
		c.Top = max(c.Top, report.Total())
		total += report.Total()
		if isFailure(report) {
			failed++
		}
		for rule, n := range report.Deleted.All() {
			shown[rule] = shown[rule] || n > 0
		}
	}
	for rule := range (gcrunner.Deleted{}).All() {
		if shown[rule] {
			c.Rules = append(c.Rules, rule)
		}
	}
	slots := max(len(reports), leastBars)
	step := float64(chartWidth) / float64(slots)
	for i, report := range reports { // the latest at the right
		c.Bars = append(c.Bars, newBar(report, float64(slots-len(reports)+i)*step, step, c.Top))
	}
	c.Summary = summary(reports, total, c.Top, failed)
	return c
}

// summary says in words what the bars show.
func summary(reports []gcrunner.Report, total, top, failed int) string {
	if len(reports) == 0 {
		return ""
	}
	runs, have := fmt.Sprintf("The last %d runs", len(reports)), "have"
	if len(reports) == 1 {
		runs, have = "The last run", "has"
	}
	if reports[len(reports)-1].DryRun {
		have = "would have"
	}
	text := fmt.Sprintf("%s %s deleted nothing", runs, have)
	if total > 0 {
		text = fmt.Sprintf("%s %s deleted %s sessions", runs, have, count(total))
		if len(reports) > 1 {
			text += fmt.Sprintf(", %s at most in one", count(top))
		}
	}
	switch {
	case failed == 0:
		return text + "."
	case failed == len(reports) && failed == 1:
		return text + ". It has failed."
	case failed == 1:
		return text + ". One of them has failed."
	default:
		return fmt.Sprintf("%s. %d of them have failed.", text, failed)
	}
}

func newBar(r gcrunner.Report, x, step float64, top int) bar {
	verb := "deleted"
	if r.DryRun {
		verb = "would be deleted"
	}
	b := bar{
		X: x + step*0.1, Width: step * 0.8, Empty: chartHeight - leastPart, Failed: isFailure(r),
		Title: fmt.Sprintf("%s UTC: %s of %s sessions %s, %s after %s", instantText(r.Started), count(r.Total()),
			count(r.Scanned), verb, outcomeText(r), duration(r.Duration)),
	}
	y := float64(chartHeight)
	for rule, n := range r.Deleted.All() {
		if n == 0 {
			continue
		}
		height := max(leastPart, float64(chartHeight)*float64(n)/float64(top))
		y -= height
		b.Parts = append(b.Parts, part{Rule: rule, Y: max(y, 0), Height: height})
	}
	return b
}

func isFailure(r gcrunner.Report) bool {
	return r.Err != nil || r.Stopped == "lost"
}
