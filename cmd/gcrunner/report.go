package main

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/gcrunner"
)

// report is the result of a single run as --output json shows it. It has no position, which would hold keys.
type report struct {
	DryRun         bool                `json:"dry_run"`
	Source         gcrunner.Source     `json:"source"`
	Stopped        gcrunner.StopReason `json:"stopped"`
	Started        time.Time           `json:"started"`
	Seconds        float64             `json:"seconds"`
	Scanned        int                 `json:"scanned"`
	Deleted        int                 `json:"deleted"`
	DeletedByRule  map[string]int      `json:"deleted_by_rule"`
	Leased         int                 `json:"leased"`
	Conflicts      int                 `json:"conflicts"`
	Unreadable     int                 `json:"unreadable"`
	ReadUnits      float64             `json:"read_units"`
	WriteUnits     float64             `json:"write_units"`
	DollarEstimate float64             `json:"dollar_estimate"`
	Throttles      int                 `json:"throttles"`
	Bytes          int64               `json:"bytes"`
	BacklogSeconds float64             `json:"backlog_seconds"`
}

// On-demand prices of the standard table class in us-east-1, in dollars for a million units, as of November 2024. They
// are for an estimate: Regions differ.
// https://aws.amazon.com/dynamodb/pricing/on-demand/
const (
	dollarsPerMillionReads  = 0.125
	dollarsPerMillionWrites = 0.625
)

func newReport(r gcrunner.Report) report {
	return report{
		DryRun: r.DryRun, Source: r.Source, Stopped: r.Stopped, Started: r.Started.UTC(), Seconds: r.Duration.Seconds(),
		Scanned: r.Scanned, Deleted: r.Total(), DeletedByRule: maps.Collect(r.Deleted.All()),
		Leased: r.Leased, Conflicts: r.Conflicts, Unreadable: r.Unreadable,
		ReadUnits: r.ReadUnits, WriteUnits: r.WriteUnits, Throttles: r.Throttles, Bytes: r.Bytes,
		DollarEstimate: (r.ReadUnits*dollarsPerMillionReads + r.WriteUnits*dollarsPerMillionWrites) / 1e6,
		BacklogSeconds: r.Backlog().Seconds(),
	}
}

func (a *app) printReport(run gcrunner.Report) error {
	r := newReport(run)
	if a.output == outputJSON {
		return a.PrintJSON(r)
	}
	table := a.NewTable().AlignRight(1)
	row := func(name, value, remark string) {
		cells := []terminal.Cell{{Text: name}, {Text: value, Style: terminal.Strong}}
		if remark != "" {
			cells = append(cells, terminal.Cell{Text: remark, Style: terminal.Faint})
		}
		table.Row(cells...)
	}
	row("looked at", terminal.Number(int64(r.Scanned)), fmt.Sprintf("by %s, %s after %v", r.Source, r.Stopped,
		run.Duration.Round(time.Millisecond)))
	verb := "deleted"
	if r.DryRun {
		verb = "would delete"
	}
	row(verb, terminal.Number(int64(r.Deleted)), "")
	for rule, n := range run.Deleted.All() {
		if n > 0 {
			row("  "+rule, terminal.Number(int64(n)), "")
		}
	}
	for _, left := range []struct {
		name string
		n    int
	}{{"in use", r.Leased}, {"renewed meanwhile", r.Conflicts}, {"unreadable", r.Unreadable}, {"throttled", r.Throttles}} {
		if left.n > 0 {
			row(left.name, terminal.Number(int64(left.n)), "")
		}
	}
	if backlog := run.Backlog(); backlog > 0 {
		row("backlog", terminal.Duration(backlog), "how long the oldest had been expired")
	}
	if r.ReadUnits > 0 || r.WriteUnits > 0 {
		consumed, cost := "consumed", "about"
		if r.DryRun {
			consumed, cost = "deleting would consume", "all in all about"
		}
		row("read units", strconv.FormatFloat(r.ReadUnits, 'f', 1, 64), "consumed")
		row("write units", strconv.FormatFloat(r.WriteUnits, 'f', 1, 64), consumed)
		row("cost", fmt.Sprintf("$%.4f", r.DollarEstimate), cost+" that, on demand, at the price of us-east-1")
	}
	if r.Bytes > 0 {
		row("size", terminal.Bytes(r.Bytes), "estimated")
	}
	return table.Flush()
}
