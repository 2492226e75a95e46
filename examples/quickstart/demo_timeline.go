package main

import (
	"fmt"
	"time"
)

// The picture of a timeline, in its own units. One row is one request.
const (
	timelineLeft   = 14 // room for the numbers of the requests
	timelineWidth  = 226
	timelineRow    = 14
	timelineMargin = 12 // at the right, so that the label of the last tick has room
	thinnest       = 2  // of what would not be seen otherwise
)

// timelineView is when the requests waited and worked. All strategies have the same scale.
type timelineView struct {
	Rows  []rowView
	Ticks []tickView
	// Height is that of the rows, BarHeight that of the bar in one.
	Height, BarHeight int
	// ViewHeight is Height and room for the labels of the ticks, which stand at LabelY.
	ViewHeight, LabelY int
	Took               string
	// Text says the same in words.
	Text string
}

// rowView is one request: a line while it waits, and a bar while it works.
type rowView struct {
	Number              int
	Outcome             outcome
	WaitX, WaitWidth    float64
	WorkX, WorkWidth    float64
	Y, BarY, LineY, End float64
}

type tickView struct {
	X    float64
	Text string
}

func newTimelineView(r result, span time.Duration) timelineView {
	x := func(at time.Duration) float64 {
		return timelineLeft + (timelineWidth-timelineMargin)*at.Seconds()/max(span, time.Millisecond).Seconds()
	}
	v := timelineView{
		Took: seconds(r.took()),
		Text: timelineText(r),
	}
	v.Height, v.BarHeight = len(r.requests)*timelineRow, timelineRow-4
	v.LabelY, v.ViewHeight = v.Height+timelineRow-1, v.Height+timelineRow+2
	for i, request := range r.requests {
		y := float64(i * timelineRow)
		row := rowView{
			Number: i + 1, Outcome: request.outcome, Y: y + timelineRow - 3,
			BarY: y + 2, LineY: y + timelineRow/2.0,
		}
		row.WaitX, row.WorkX, row.End = x(request.arrived), x(request.began()), x(request.ended)
		row.WaitWidth = row.WorkX - row.WaitX
		row.WorkWidth = max(row.End-row.WorkX, thinnest)
		v.Rows = append(v.Rows, row)
	}
	step := tickStep(span)
	for at := time.Duration(0); at <= span; at += step {
		v.Ticks = append(v.Ticks, tickView{X: x(at), Text: seconds(at)})
	}
	v.Ticks[0].Text = "0"
	return v
}

// tickStep returns the time between two ticks: round, and such that there are few.
func tickStep(span time.Duration) time.Duration {
	const most = 4
	for unit := 100 * time.Millisecond; ; unit *= 10 {
		for _, step := range [...]time.Duration{unit, 2 * unit, 5 * unit} {
			if span <= most*step {
				return step
			}
		}
	}
}

// timelineText is for who does not see the picture.
func timelineText(r result) string {
	text := fmt.Sprintf("Timeline: the last of %d requests ended after %s", len(r.requests), seconds(r.took()))
	if most := mostAtOnce(r.requests); most > 1 {
		text += fmt.Sprintf("; up to %d worked at the same time", most)
	} else {
		text += "; never did two work at the same time"
	}
	return text + fmt.Sprintf("; the longest wait was %s.", seconds(r.longestWait()))
}

// mostAtOnce returns how many handlers were at work at the same time. That is so at the beginning of one of them, if
// ever.
func mostAtOnce(requests []request) int {
	most := 0
	for _, at := range requests {
		n := 0
		for _, other := range requests {
			if other.entered > 0 && other.entered <= at.entered && at.entered < other.worked {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}
