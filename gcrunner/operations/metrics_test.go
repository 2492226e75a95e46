package operations_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/gcrunner/operations"
)

var update = flag.Bool("update", false, "write the table of metrics into docs/operations.md")

func TestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := newTable(t, 30, 20)
		runner := newRunner(t, driver, time.Hour,
			gcrunner.CollectorOptions{Budget: gcrunner.Budget{ReadUnits: 1000}})
		handler := operations.NewHandler(runner, operations.Options{Version: "v1.2.3"})
		scrape := func() string {
			t.Helper()
			synctest.Wait()
			_, _, body := get(t, handler, "/metrics")
			return body
		}

		before := scrape()
		for _, line := range []string{
			"gcrunner_elected 0", "gcrunner_ready 0", `gcrunner_sessions_deleted_total{rule="expired"} 0`,
			"gcrunner_interval_seconds 3600", `gcrunner_runs_total{outcome="failed"} 0`,
			`gcrunner_budget_capacity_units_per_second{operation="read"} 1000`,
		} {
			if !strings.Contains(before, "\n"+line+"\n") {
				t.Errorf("before it begins, %q is not among the metrics", line)
			}
		}
		for _, name := range []string{
			"gcrunner_last_success", "gcrunner_last_attempt", "gcrunner_next_run", "gcrunner_backlog", "gcrunner_last_run",
			`gcrunner_budget_capacity_units_per_second{operation="write"}`,
		} {
			if strings.Contains(before, "\n"+name) {
				t.Errorf("before it begins, there is a value for %s, which is not known", name)
			}
		}

		began := time.Now()
		defer start(t, runner)()
		time.Sleep(time.Minute)
		driver.broken.Store(true)
		time.Sleep(59 * time.Minute)
		after := scrape()
		if at := instant(t, after, "gcrunner_last_success_timestamp_seconds"); at.Before(began) ||
			at.After(began.Add(time.Minute)) {
			t.Errorf("the last success was at %v, and the first run began at %v", at, began)
		}
		for _, line := range []string{
			"gcrunner_elected 1", "gcrunner_ready 1", "gcrunner_dry_run 0", "gcrunner_running 0",
			"gcrunner_sessions_scanned_total 50",
			`gcrunner_sessions_deleted_total{rule="expired"} 20`,
			`gcrunner_sessions_skipped_total{reason="conflict"} 0`,
			`gcrunner_capacity_units_total{operation="read"} 25`,
			`gcrunner_capacity_units_total{operation="write"} 40`,
			`gcrunner_runs_total{outcome="completed"} 1`,
			`gcrunner_runs_total{outcome="failed"} 1`,
			"gcrunner_consecutive_failures 1",
			"gcrunner_backlog_age_seconds 1200", // the oldest of 20
			fmt.Sprintf("gcrunner_last_attempt_timestamp_seconds %v", float64(began.Add(time.Hour).UnixMilli())/1000),
			`gcrunner_build_info{go_version="`,
		} {
			if !strings.Contains(after, "\n"+line) {
				t.Errorf("%q is not among the metrics:\n%s", line, ours(after))
			}
		}
		problems, err := promlint.New(strings.NewReader(after)).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range problems {
			if strings.HasPrefix(problem.Metric, "gcrunner_") {
				t.Errorf("%s: %s", problem.Metric, problem.Text)
			}
		}
		for _, m := range operations.Metrics() {
			if !strings.Contains(after, fmt.Sprintf("\n# TYPE %s %s\n", m.Name, m.Type)) {
				t.Errorf("%s is not served as a %s", m.Name, m.Type)
			}
		}
	})
}

// instant returns the value of a metric that is an instant.
func instant(t *testing.T, metrics, name string) time.Time {
	t.Helper()
	_, rest, found := strings.Cut(metrics, "\n"+name+" ")
	if !found {
		t.Fatalf("%s is not among the metrics", name)
	}
	text, _, _ := strings.Cut(rest, "\n")
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.UnixMilli(int64(seconds * 1000))
}

// ours returns the lines that are not the Go runtime's.
func ours(metrics string) string {
	return strings.Join(regexp.MustCompile(`(?m)^gcrunner_.*$`).FindAllString(metrics, -1), "\n")
}

// Whatever is named in the rules for alerts and in the documentation is a metric that there is.
func TestMetricsThatAreNamedExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, m := range operations.Metrics() {
		known[m.Name] = true
	}
	for _, path := range []string{"../../deploy/prometheus/gcrunner-rules.yaml", "../../docs/operations.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`\bgcrunner_[a-z_]+`).FindAllString(string(text), -1)
		if len(names) < 5 {
			t.Errorf("%s names %d metrics only", path, len(names))
		}
		for _, name := range names {
			if !known[name] {
				t.Errorf("%s names %s, which is no metric", path, name)
			}
		}
	}
}

// The table of metrics in docs/operations.md is made from Metrics.
func TestMetricsTable(t *testing.T) {
	t.Parallel()
	const path, begin, end = "../../docs/operations.md", "<!-- metrics: begin -->\n", "<!-- metrics: end -->"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(content), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the table: %q", path, begin+end)
	}
	var table strings.Builder
	table.WriteString("\n| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range operations.Metrics() {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, strings.Join(m.Labels, ", "), m.Help)
	}
	want := head + begin + table.String() + "\n" + end + tail
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(content) {
		t.Errorf("the table of metrics in %s is not that of the code: run go generate ./gcrunner/operations", path)
	}
}
