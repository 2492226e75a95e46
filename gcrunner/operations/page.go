package operations

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
)

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"count": count, "duration": duration, "instant": instantText, "units": units, "bytes": byteSize,
	"outcome": outcomeText, "rule": ruleName, "failure": isFailure, "leftAlone": leftAlone, "oneof": oneOf,
	"progress": progress,
}).ParseFS(files, "page.html"))

// progress says how far a run has come, where that is known.
func progress(r gcrunner.Report) string {
	share, known := r.Progress()
	if !known {
		return ""
	}
	return fmt.Sprintf(", about %.0f %% of what is to be looked at", 100*share)
}

// refresh is how often the page reloads, in seconds, unless it is told not to.
const refresh = 10

// view is what the page shows.
type view struct {
	gcrunner.Status
	Place, Version string
	Now            time.Time
	Refresh        int    // 0 for not at all
	Problem        string // why it is not ready, empty where it is
	Headline       string
	Doing          string   // what it is doing, where the headline is about something else
	LeaderRules    []string // those of the process that is elected, where they are others
	Rhythm         string   // its schedule
	Rules          []string
	Backlog        string
	Reason         func(error) string
	Deleted        int
	ByRule         string
	Budgets        []budget
	Chart          chart
	Latest         []gcrunner.Report // the latest first
	Profiles       bool
}

// budget is what the present run, or else the last one, has consumed of what it may.
type budget struct {
	Name     string
	Consumed float64 // units per second
	Allowed  float64
	Bounded  bool
	Percent  int
}

// maxRows is how many runs the table shows.
const maxRows = 15

func (h *handler) page(w http.ResponseWriter, r *http.Request) {
	problem := h.problem(h.runner.Ready(r.Context()))
	v := newView(h.runner.Status(), problem, h.Reason, time.Now())
	v.Place, v.Version, v.Profiles = h.Place, h.Version, h.Profiles
	if r.URL.Query().Get("refresh") == "off" {
		v.Refresh = 0
	} else { // not in the page itself, where some cannot turn it off
		w.Header().Set("Refresh", strconv.Itoa(v.Refresh))
	}
	var body bytes.Buffer
	if err := page.Execute(&body, v); err != nil {
		http.Error(w, "the page cannot be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = body.WriteTo(w)
}

func newView(s gcrunner.Status, problem string, reason func(error) string, now time.Time) view {
	v := view{
		Status: s, Now: now, Refresh: refresh, Problem: problem, Reason: reason, Rules: ruleTexts(s.Rules),
		Backlog: "not known yet", Budgets: budgets(s), Chart: newChart(s.Last),
	}
	v.Headline, v.Doing = headline(s, problem, reason), doing(s, now)
	if v.Headline == "" {
		v.Headline, v.Doing = v.Doing, ""
	}
	if s.Leader != nil && s.Leader.Rules != s.Rules {
		v.LeaderRules = ruleTexts(s.Leader.Rules)
	}
	v.Rhythm = s.Schedule.String()
	if s.Schedule.Interval > 0 {
		v.Rhythm = "every " + duration(s.Schedule.Interval)
	}
	v.Deleted, v.ByRule = deleted(s.Totals.Deleted)
	if age, known := s.Backlog(); known {
		v.Backlog = "none"
		if age > 0 {
			v.Backlog = duration(age)
		}
	}
	v.Latest = slices.Clone(s.Last[max(0, len(s.Last)-maxRows):])
	slices.Reverse(v.Latest)
	return v
}

// headline says in one line what is wrong, and nothing where all is well.
func headline(s gcrunner.Status, problem string, reason func(error) string) string {
	switch {
	case s.Phase == "idle", s.Stopping, s.Phase == "ended":
		return ""
	case problem != "":
		return strings.ToUpper(problem[:1]) + problem[1:]
	case s.Err == nil:
		return ""
	case s.Failures > 1:
		return fmt.Sprintf("The last %s runs have failed: %s", count(s.Failures), reason(s.Err))
	default:
		return "The last run has failed: " + reason(s.Err)
	}
}

// doing says in a few words what is going on.
func doing(s gcrunner.Status, now time.Time) string {
	switch {
	case s.Phase == "idle":
		return "Not begun"
	case s.Stopping, s.Phase == "ended":
		return "Ending"
	case s.Phase == "standby":
		return "Standing by"
	case s.Phase == "running":
		return "Collecting"
	case s.Next.After(now):
		return "Next run in " + duration(s.Next.Sub(now))
	default:
		return "Beginning a run"
	}
}

func ruleTexts(r gcrunner.Rules) []string {
	var texts []string
	if r.Expired {
		text := "expired"
		if r.Grace > 0 {
			text += " for " + duration(r.Grace)
		}
		texts = append(texts, text)
	}
	if r.MaxAge > 0 {
		texts = append(texts, "created more than "+duration(r.MaxAge)+" ago")
	}
	if r.MaxStale > 0 {
		texts = append(texts, "last written more than "+duration(r.MaxStale)+" ago")
	}
	return texts
}

// oneOf joins texts to a choice.
func oneOf(texts []string) string { return strings.Join(texts, ", or ") }

// deleted returns how many were deleted, and under which rules.
func deleted(byRule gcrunner.Deleted) (total int, text string) {
	var parts []string
	for rule, n := range byRule.All() {
		if n > 0 {
			parts = append(parts, count(n)+" "+ruleName(rule))
		}
	}
	return byRule.Total(), strings.Join(parts, ", ")
}

// ruleName is what sessions under a rule are called.
func ruleName(rule string) string {
	return map[string]string{
		"expired": "expired", "max_age": "too old", "max_stale": "stale",
	}[rule]
}

// leftAlone says how many sessions of a run were left alone, and why.
func leftAlone(r gcrunner.Report) string {
	var parts []string
	for _, part := range []struct {
		n    int
		name string
	}{{r.Leased, "in use"}, {r.Conflicts, "renewed"}, {r.Unreadable, "unreadable"}} {
		if part.n > 0 {
			parts = append(parts, count(part.n)+" "+part.name)
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "0")
}

func budgets(s gcrunner.Status) []budget {
	report := s.Current
	if n := len(s.Last); report == nil && n > 0 {
		report = &s.Last[n-1]
	}
	list := []budget{
		{Name: "Read", Allowed: s.Budget.ReadUnits}, {Name: "Write", Allowed: s.Budget.WriteUnits},
	}
	for i := range list {
		b := &list[i]
		b.Bounded = b.Allowed > 0
		if report == nil {
			continue
		}
		consumed := report.ReadUnits
		if b.Name == "Write" {
			consumed = report.WriteUnits
			if report.DryRun {
				consumed = 0 // it is what deletes would consume
			}
		}
		b.Consumed = consumed / max(report.Duration.Seconds(), 1)
		if b.Bounded {
			b.Percent = int(math.Round(100 * b.Consumed / b.Allowed))
		}
	}
	return list
}

// count writes a number with thousands apart.
func count(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func units(u float64) string {
	if u >= 100 || u == math.Trunc(u) {
		return count(int(math.Round(u)))
	}
	return strconv.FormatFloat(u, 'f', 1, 64)
}

// duration writes the two largest units of a duration.
func duration(d time.Duration) string {
	if d < time.Second {
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	parts := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}}
	d = d.Round(time.Second)
	for i, part := range parts {
		if d < part.size {
			continue
		}
		text := strconv.FormatInt(int64(d/part.size), 10) + " " + part.name
		if i+1 < len(parts) {
			if rest := d % part.size / parts[i+1].size; rest > 0 {
				text += " " + strconv.FormatInt(int64(rest), 10) + " " + parts[i+1].name
			}
		}
		return text
	}
	return "0 s"
}

func instantText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

func byteSize(n int64) string {
	size, unit := float64(n), "B"
	for _, next := range []string{"KB", "MB", "GB", "TB"} {
		if size < 1000 {
			break
		}
		size, unit = size/1000, next
	}
	return units(size) + " " + unit
}

func outcomeText(r gcrunner.Report) string {
	if r.Err != nil {
		return "failed"
	}
	text := map[gcrunner.StopReason]string{
		"items": "stopped at its limit of items", "units": "stopped at its limit of units",
		"duration": "stopped at its limit of time", "lost": "election lost",
	}[r.Stopped]
	return cmp.Or(text, strings.TrimSpace(string(r.Stopped)))
}
