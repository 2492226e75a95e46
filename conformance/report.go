package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
)

// Report is the outcome of one or more runs as a table, each case in a row and each store in a column: for a README, or
// as an artefact of continuous integration. Its zero value is empty and ready. It is safe for concurrent use.
//
//	var report conformance.Report
//	t.Cleanup(func() {
//		if err := report.WriteMarkdown(file); err != nil {
//			t.Error(err)
//		}
//	})
//	conformance.Run(t, newStore, conformance.WithReport(&report, "mystore"))
//
// Only what was run is in it: with go test -run, a part.
type Report struct {
	mu     sync.Mutex
	stores []*reportedStore
}

// reportedStore is one column.
type reportedStore struct {
	Name    string         `json:"name"`
	Passed  int            `json:"passed"`
	Failed  int            `json:"failed"`
	Skipped int            `json:"skipped"`
	Cases   []reportedCase `json:"cases"`
}

// reportedCase is one cell.
type reportedCase struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Group   string `json:"group"`
	Rule    string `json:"rule"`
	Outcome string `json:"outcome"` // One of the following.
	// Reason is why the case was skipped.
	Reason string `json:"reason,omitempty"`
	// Failures are the messages of a case that failed.
	Failures []string `json:"failures,omitempty"`
}

const (
	passed  = "pass"
	failed  = "fail"
	skipped = "skip"
)

// record adds the outcome of a case. On a nil Report it does nothing.
func (r *Report) record(t *testing.T, store string, tc testCase, o trial.Outcome) {
	if r == nil {
		return
	}
	row := reportedCase{
		ID: tc.id, Name: tc.name, Group: tc.group(), Rule: tc.rule, Outcome: passed, Reason: o.Skipped, Failures: o.Failures,
	}
	switch { // The caller's functions can fail and skip the test by themselves.
	case len(o.Failures) > 0 || t.Failed():
		row.Outcome, row.Reason = failed, ""
	case o.Skipped != "" || t.Skipped():
		row.Outcome = skipped
		if row.Reason == "" {
			row.Reason = "a function of the caller skipped it"
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.IndexFunc(r.stores, func(s *reportedStore) bool { return s.Name == store })
	if at < 0 {
		at = len(r.stores)
		r.stores = append(r.stores, &reportedStore{Name: store})
	}
	r.stores[at].Cases = append(r.stores[at].Cases, row)
}

// sorted returns the columns by name, with the cases in the order of Run and the totals.
func (r *Report) sorted() []reportedStore {
	var order []string
	for _, tc := range allCases() {
		order = append(order, tc.id)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	stores := []reportedStore{} // Not null in JSON.
	for _, s := range r.stores {
		column := reportedStore{Name: s.Name, Cases: slices.Clone(s.Cases)}
		slices.SortStableFunc(column.Cases, func(a, b reportedCase) int {
			return slices.Index(order, a.ID) - slices.Index(order, b.ID)
		})
		column.Passed, column.Failed, column.Skipped = totals(column.Cases)
		stores = append(stores, column)
	}
	slices.SortStableFunc(stores, func(a, b reportedStore) int { return strings.Compare(a.Name, b.Name) })
	return stores
}

func totals(cases []reportedCase) (pass, fail, skip int) {
	for _, c := range cases {
		switch c.Outcome {
		case passed:
			pass++
		case failed:
			fail++
		case skipped:
			skip++
		}
	}
	return pass, fail, skip
}

// WriteJSON writes {"stores": [{"name", "passed", "failed", "skipped", "cases": [{"id", "name", "group", "rule",
// "outcome", "reason", "failures"}]}]}. An outcome is "pass", "fail" or "skip"; a skipped case has a reason, a failed
// one has failures, unless it was a function of the caller that failed. The error is that of w.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "\t")
	return encoder.Encode(struct {
		Stores []reportedStore `json:"stores"`
	}{r.sorted()})
}

// WriteMarkdown writes two tables, the totals of each group and the cases, and then why cases were skipped. The error
// is that of w.
func (r *Report) WriteMarkdown(w io.Writer) error {
	stores := r.sorted()
	var b strings.Builder
	header := func(first string) {
		fmt.Fprintf(&b, "| %s |", first)
		for _, s := range stores {
			fmt.Fprintf(&b, " %s |", cell(s.Name))
		}
		fmt.Fprintf(&b, "\n|%s\n", strings.Repeat("---|", len(stores)+1))
	}
	rows := rowsOf(stores)

	header("group")
	var groups []string
	for _, row := range rows {
		if !slices.Contains(groups, row.Group) {
			groups = append(groups, row.Group)
		}
	}
	for _, group := range groups {
		fmt.Fprintf(&b, "| %s |", group)
		for _, s := range stores {
			cases := slices.DeleteFunc(slices.Clone(s.Cases), func(c reportedCase) bool { return c.Group != group })
			fmt.Fprintf(&b, " %s |", tally(cases))
		}
		b.WriteString("\n")
	}
	b.WriteString("| **all** |")
	for _, s := range stores {
		fmt.Fprintf(&b, " **%s** |", tally(s.Cases))
	}
	b.WriteString("\n\n")

	header("case")
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s: %s |", row.ID, cell(row.Rule))
		for _, s := range stores {
			fmt.Fprintf(&b, " %s |", mark(s.Cases, row.ID))
		}
		b.WriteString("\n")
	}
	for _, s := range stores {
		writeSkips(&b, s)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// rowsOf returns the cases that were run on any of the stores.
func rowsOf(stores []reportedStore) []reportedCase {
	ran := map[string]bool{}
	for _, s := range stores {
		for _, c := range s.Cases {
			ran[c.ID] = true
		}
	}
	var rows []reportedCase
	for _, tc := range allCases() {
		if ran[tc.id] {
			rows = append(rows, reportedCase{ID: tc.id, Group: tc.group(), Rule: tc.rule})
		}
	}
	return rows
}

// tally says how many cases passed, of those that were not skipped.
func tally(cases []reportedCase) string {
	pass, fail, skip := totals(cases)
	text := fmt.Sprintf("%d of %d", pass, pass+fail)
	if skip > 0 {
		text += fmt.Sprintf(", %d skipped", skip)
	}
	return text
}

func mark(cases []reportedCase, id string) string {
	at := slices.IndexFunc(cases, func(c reportedCase) bool { return c.ID == id })
	switch {
	case at < 0:
		return "" // Not run.
	case cases[at].Outcome == failed:
		return "**FAIL**"
	default:
		return cases[at].Outcome
	}
}

// writeSkips lists the reasons, each once.
func writeSkips(b *strings.Builder, s reportedStore) {
	var reasons []string
	ids := map[string][]string{}
	for _, c := range s.Cases {
		if c.Outcome != skipped {
			continue
		}
		if ids[c.Reason] == nil {
			reasons = append(reasons, c.Reason)
		}
		ids[c.Reason] = append(ids[c.Reason], c.ID)
	}
	if len(reasons) == 0 {
		return
	}
	fmt.Fprintf(b, "\nSkipped on %s:\n\n", cell(s.Name))
	for _, reason := range reasons {
		fmt.Fprintf(b, "- %s: %s\n", strings.Join(ids[reason], ", "), cell(reason))
	}
}

// cell makes a text fit into a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
