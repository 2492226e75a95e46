package main

import (
	"fmt"
	"strconv"
	"time"
)

// demoView is what the demonstration's panel shows.
type demoView struct {
	Requests int
	Work     time.Duration
	Lanes    []laneView
	Running  bool   // the requests are on their way
	Done     bool   // there are results
	Message  string // why there are none
}

// laneView is what it shows of one strategy.
type laneView struct {
	Name, Rule string
	// The rest is there once there are results.
	Kept     int
	Tone     string // good, mixed or bad
	Sentence string
	Slots    []slotView
	Timeline timelineView
	Calls    int
	Dots     []struct{} // one for each call, as many as there is room for
}

// slotView is one value, as the session holds it or not.
type slotView struct {
	Number  int
	Outcome outcome
	At      int // when that was settled, in tenths of the timeline
}

// maxDots is how many calls are shown one by one.
const maxDots = 64

// rules says of each strategy what it does.
var rules = map[string]string{
	"None":       "The usual way: who saves last replaces the rest.",
	"Optimistic": "Who saves second is refused, and told so.",
	"Merge":      "All run at once; their changes are put together. The default.",
	"Lease":      "One at a time; the others wait for their turn.",
}

// newDemoView returns the panel as it is before a run.
func newDemoView() demoView {
	v := demoView{Requests: demoRequests, Work: demoWork}
	for _, contender := range contenders {
		v.Lanes = append(v.Lanes, laneView{Name: contender.name, Rule: rules[contender.name]})
	}
	return v
}

// Numbers are those of the requests.
func (v demoView) Numbers() []int {
	numbers := make([]int, v.Requests)
	for i := range numbers {
		numbers[i] = i + 1
	}
	return numbers
}

// withResults returns the panel with what became of the requests.
func (v demoView) withResults(results []result) demoView {
	v.Done = true
	var span time.Duration
	for _, result := range results {
		span = max(span, result.took())
	}
	v.Lanes = nil
	for _, result := range results {
		v.Lanes = append(v.Lanes, newLaneView(result, span))
	}
	return v
}

func newLaneView(r result, span time.Duration) laneView {
	v := laneView{
		Name: r.strategy, Rule: rules[r.strategy],
		Kept: r.count(kept), Tone: tone(r), Sentence: sentence(r),
		Timeline: newTimelineView(r, span),
		Calls:    r.calls, Dots: make([]struct{}, min(r.calls, maxDots)),
	}
	for i, request := range r.requests {
		v.Slots = append(v.Slots, slotView{
			Number: i + 1, Outcome: request.outcome, At: int(10 * request.ended / max(span, 1)),
		})
	}
	return v
}

func tone(r result) string {
	switch {
	case r.count(lost) > 0 || r.count(failed) > 0:
		return "bad"
	case r.count(refused) > 0:
		return "mixed"
	default:
		return "good"
	}
}

// sentence says in plain words what happened.
func sentence(r result) string {
	all := len(r.requests)
	switch lost, refused, failed := r.count(lost), r.count(refused), r.count(failed); {
	case failed > 0:
		return fmt.Sprintf("%d of %d requests failed for another reason; the program's log says which.", failed, all)
	case lost > 0 && refused > 0:
		return fmt.Sprintf("%s lost, and nobody is told; %d refused.", of(lost, all, "update"), refused)
	case lost > 0:
		return fmt.Sprintf("%s lost, and nobody is told.", of(lost, all, "update"))
	case refused > 0:
		return fmt.Sprintf("%s refused with an error (409), and can try again.", of(refused, all, "request"))
	case r.strategy == "None":
		return fmt.Sprintf("All %d updates are kept: this time the requests did not meet.", all)
	case r.strategy == "Lease":
		return fmt.Sprintf("All %d updates are kept. The last request waited %s for its turn.", all, seconds(r.longestWait()))
	default:
		return fmt.Sprintf("All %d updates are kept, although the requests ran at the same time.", all)
	}
}

// of writes "1 of 8 updates is" or "7 of 8 updates are".
func of(n, all int, what string) string {
	verb := "are"
	if n == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%d of %d %ss %s", n, all, what, verb)
}

// seconds writes a duration as "0.2 s".
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
}
