package operations

import (
	"context"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scsdynamo/scsdynamo/gcrunner"
)

// metric describes a metric.
type metric struct {
	Name string
	// Type is "counter" or "gauge".
	Type string
	// Labels are the names of its labels.
	Labels []string
	// Help says what it means, with its unit.
	Help string

	emit func(facts facts, set func(value float64, labels ...string))
}

// facts are what metrics are made of.
type facts struct {
	gcrunner.Status
	now     time.Time
	ready   bool
	version string
}

const (
	counter = "counter"
	gauge   = "gauge"
)

// metrics returns all metrics of a runner, in the order of the documentation. Beside them there are those of the Go
// runtime and of the process. Counters begin at 0 with the process; instants that are not known are left out.
func metrics() []metric {
	return []metric{{
		Name: "gcrunner_last_attempt_timestamp_seconds", Type: gauge,
		Help: "When the last run began, in Unix time. Left out before the first.",
		emit: func(f facts, set func(float64, ...string)) { instant(f.LastAttempt, set) },
	}, {
		Name: "gcrunner_last_success_timestamp_seconds", Type: gauge,
		Help: "When the last run ended that was completed, or stopped at a limit, in Unix time. Left out before the first.",
		emit: func(f facts, set func(float64, ...string)) { instant(f.LastSuccess, set) },
	}, {
		Name: "gcrunner_last_progress_timestamp_seconds", Type: gauge,
		Help: "When a run, the present one included, last deleted a session or was done with a page, in Unix time. Left " +
			"out before that.",
		emit: func(f facts, set func(float64, ...string)) { instant(f.LastProgress, set) },
	}, {
		Name: "gcrunner_next_run_timestamp_seconds", Type: gauge,
		Help: "When the next run begins, in Unix time. Left out during a run, and where another process is elected.",
		emit: func(f facts, set func(float64, ...string)) { instant(f.Next, set) },
	}, {
		Name: "gcrunner_interval_seconds", Type: gauge,
		Help: "Time between the next two runs by the schedule.",
		emit: func(f facts, set func(float64, ...string)) { set(f.Schedule.Period(f.now).Seconds()) },
	}, {
		Name: "gcrunner_runs_total", Type: counter, Labels: []string{"outcome"},
		Help: "Runs that have ended. Outcomes: completed; items, units and duration, the limit that was reached; canceled, " +
			"because the process was told to end; lost, another process was elected; failed.",
		emit: func(f facts, set func(float64, ...string)) {
			for outcome, n := range f.Runs {
				set(float64(n), string(outcome))
			}
		},
	}, {
		Name: "gcrunner_run_seconds_total", Type: counter, Help: "How long all runs have taken together.",
		emit: func(f facts, set func(float64, ...string)) { set(f.Totals.Duration.Seconds()) },
	}, {
		Name: "gcrunner_last_run_duration_seconds", Type: gauge,
		Help: "How long the last run took. Left out before the first has ended.",
		emit: func(f facts, set func(float64, ...string)) {
			if n := len(f.Last); n > 0 {
				set(f.Last[n-1].Duration.Seconds())
			}
		},
	}, {
		Name: "gcrunner_backlog_age_seconds", Type: gauge,
		Help: "How long the oldest expired session had been expired when the last successful run began, 0 where there was " +
			"none. " +
			"It is known with the rule expired alone. Left out before the first.",
		emit: func(f facts, set func(float64, ...string)) {
			if age, known := f.Backlog(); known {
				set(age.Seconds())
			}
		},
	}, {
		Name: "gcrunner_sessions_scanned_total", Type: counter, Help: "Sessions that were looked at.",
		emit: func(f facts, set func(float64, ...string)) { set(float64(f.Totals.Scanned)) },
	}, {
		Name: "gcrunner_sessions_deleted_total", Type: counter, Labels: []string{"rule"},
		Help: "Sessions that were deleted, also by the run that goes on. Rules: expired, max_age and max_stale. Dry runs " +
			"are left out.",
		emit: func(f facts, set func(float64, ...string)) {
			for rule, n := range f.Totals.Deleted.All() {
				set(float64(n), rule)
			}
		},
	}, {
		Name: "gcrunner_sessions_skipped_total", Type: counter, Labels: []string{"reason"},
		Help: "Sessions that were left alone although a rule applied. Reasons: leased, a request is using it; conflict, it " +
			"was " +
			"changed after it was read; unreadable, it is damaged or somebody else's.",
		emit: func(f facts, set func(float64, ...string)) {
			set(float64(f.Totals.Leased), "leased")
			set(float64(f.Totals.Conflicts), "conflict")
			set(float64(f.Totals.Unreadable), "unreadable")
		},
	}, {
		Name: "gcrunner_deleted_bytes_total", Type: counter,
		Help: "Size of what was deleted, as far as it can be told from what reading it has consumed.",
		emit: func(f facts, set func(float64, ...string)) { set(float64(f.Totals.Bytes)) },
	}, {
		Name: "gcrunner_capacity_units_total", Type: counter, Labels: []string{"operation"},
		Help: "Capacity units that DynamoDB says were consumed by reads and writes. It does not report those of refused " +
			"deletes.",
		emit: func(f facts, set func(float64, ...string)) {
			set(f.Totals.ReadUnits, "read")
			set(f.Totals.WriteUnits, "write")
		},
	}, {
		Name: "gcrunner_budget_capacity_units_per_second", Type: gauge, Labels: []string{"operation"},
		Help: "Capacity units that a run may consume in a second. Left out where there is no bound.",
		emit: func(f facts, set func(float64, ...string)) {
			for operation, units := range map[string]float64{"read": f.Budget.ReadUnits, "write": f.Budget.WriteUnits} {
				if units > 0 {
					set(units, operation)
				}
			}
		},
	}, {
		Name: "gcrunner_throttles_total", Type: counter,
		Help: "Requests that DynamoDB refused because it had too many. Conflicts of writes, also between Regions, do not " +
			"count.",
		emit: func(f facts, set func(float64, ...string)) { set(float64(f.Totals.Throttles)) },
	}, {
		Name: "gcrunner_consecutive_failures", Type: gauge,
		Help: "How many runs, or attempts to be elected, have failed since the last that did not.",
		emit: func(f facts, set func(float64, ...string)) { set(float64(f.Failures)) },
	}, {
		Name: "gcrunner_elected", Type: gauge,
		Help: "1 where this process is the one that collects, 0 where it stands by. Always 1 without an election.",
		emit: func(f facts, set func(float64, ...string)) { set(truth(f.Elected)) },
	}, {
		Name: "gcrunner_rules_differ", Type: gauge,
		Help: "1 where this process stands by, and the one that is elected collects by other rules, else 0.",
		emit: func(f facts, set func(float64, ...string)) { set(truth(f.Leader != nil && f.Leader.Rules != f.Rules)) },
	}, {
		Name: "gcrunner_running", Type: gauge, Help: "1 during a run, else 0.",
		emit: func(f facts, set func(float64, ...string)) { set(truth(f.Phase == "running")) },
	}, {
		Name: "gcrunner_ready", Type: gauge, Help: "1 where /readyz says 200, 0 where it says 503.",
		emit: func(f facts, set func(float64, ...string)) { set(truth(f.ready)) },
	}, {
		Name: "gcrunner_dry_run", Type: gauge, Help: "1 where nothing is deleted, else 0.",
		emit: func(f facts, set func(float64, ...string)) { set(truth(f.DryRun)) },
	}, {
		Name: "gcrunner_build_info", Type: gauge, Labels: []string{"version", "go_version"},
		Help: "Always 1.",
		emit: func(f facts, set func(float64, ...string)) { set(1, f.version, runtime.Version()) },
	}}
}

func instant(t time.Time, set func(float64, ...string)) {
	if !t.IsZero() {
		set(float64(t.UnixMilli()) / 1000)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// exporter makes metrics of the status at the moment they are asked for.
type exporter struct {
	runner  *gcrunner.Runner
	version string
	metrics []metric
	descs   []*prometheus.Desc
}

func newExporter(runner *gcrunner.Runner, version string) *exporter {
	e := &exporter{runner: runner, version: version, metrics: metrics()}
	for _, m := range e.metrics {
		e.descs = append(e.descs, prometheus.NewDesc(m.Name, m.Help, m.Labels, nil))
	}
	return e
}

// Describe implements prometheus.Collector.
func (e *exporter) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range e.descs {
		descs <- desc
	}
}

// Collect implements prometheus.Collector. It may ask the table whether it can be read, which has a timeout of its own.
func (e *exporter) Collect(samples chan<- prometheus.Metric) {
	f := facts{
		ready: e.runner.Ready(context.Background()) == nil, Status: e.runner.Status(), now: time.Now(), version: e.version,
	}
	kinds := map[string]prometheus.ValueType{counter: prometheus.CounterValue, gauge: prometheus.GaugeValue}
	for i, m := range e.metrics {
		m.emit(f, func(value float64, labels ...string) {
			samples <- prometheus.MustNewConstMetric(e.descs[i], kinds[m.Type], value, labels...)
		})
	}
}
