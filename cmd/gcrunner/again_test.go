package main_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

// A process with a schedule collects what expires meanwhile, shows it, and ends in order.
func TestAgainOnBolt(t *testing.T) {
	t.Parallel()
	path := newFile(t, 7, 5)
	p := serve(t, onBolt(path), "--interval", "1s", "--pprof", "--log-format", "text",
		"--set", "secret.context=on-the-command-line")
	p.eventually("a second run has ended",
		func() bool { return p.metric(`gcrunner_runs_total{outcome="completed"}`) >= 2 })
	if n := p.metric(`gcrunner_sessions_deleted_total{rule="expired"}`); n != 5 {
		t.Errorf("%v sessions are deleted; want 5", n)
	}
	for path, says := range map[string]string{
		"/livez": "ok", "/readyz": "ok", "/": "This process has collected since", "/debug/pprof/": "goroutine",
	} {
		if !p.answers(path, http.StatusOK, says)() {
			code, body := p.get(path)
			t.Errorf("%s is %d %q", path, code, body)
		}
	}
	// Nobody has to log in, so that nothing shows the command line, which may have secrets in it.
	for _, page := range []string{
		"", "/metrics", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2",
		"/debug/pprof/heap?debug=1",
	} {
		if _, body := p.get(page); strings.Contains(body, "on-the-command-line") {
			t.Errorf("%s shows the command line: %q", page, body)
		}
	}
	p.signal(syscall.SIGINT)
	if code := p.exit(10 * time.Second); code != 0 {
		t.Errorf("exit code %d; want 0", code)
	}
	if live, dead := stored(t, path); live != 7 || dead != 0 {
		t.Errorf("%d live and %d dead sessions are left of 7 and 0", live, dead)
	}
}

// Each line of the log is JSON, and none has a token or session data in it.
func TestLogAsJSON(t *testing.T) {
	t.Parallel()
	p := launch(t, onBolt(newFile(t, 7, 50)), "--interval", "1s", "--log-format", "json", "--listen", "none",
		"--set", "collection.limits.items=20", "--set", "collection.page_size=5")
	p.eventually("three runs have ended", func() bool { return strings.Count(p.logged(), `"msg":"collected"`) >= 3 })
	p.signal(syscall.SIGTERM)
	if code := p.exit(10 * time.Second); code != 0 {
		t.Errorf("exit code %d; want 0", code)
	}
	for line := range strings.Lines(p.logged()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("this is not JSON: %s", line)
		}
	}
	if strings.Contains(p.logged(), "secret-") {
		t.Errorf("the log has tokens or data in it:\n%s", p.logged())
	}
}

// With --log-format json everything on standard error is lines of JSON: also what packages say that know no logger,
// what a single run tells, and the error in the end.
func TestEverythingIsJSON(t *testing.T) {
	t.Parallel()
	name, _ := newTable(t, 1, 5)
	gate := newGate(t, dynamotest.Endpoint(t))
	gate.refuse.Store(always("Scan", throttling)(t, name))
	const limit = "collection.limits.duration=1s"
	for what, test := range map[string]struct {
		env, args []string
		code      int
		says      string
	}{
		"in clear": { // an address that is for documentation
			onDynamoDB("http://192.0.2.1:8000", name),
			[]string{"--set", limit, "--set", "collection.elect=false"},
			7,
			"in clear",
		},
		"in clear, with the result": {
			onDynamoDB("http://192.0.2.1:8000", name), []string{"--set", limit, "--output", "json"}, 7, "in clear",
		},
		"throttled": {onDynamoDB(gate.url, name), []string{"--set", limit}, 7, "DynamoDB refuses requests"},
		"address in use": {
			onDynamoDB(gate.url, name),
			[]string{"--interval", "1h", "--listen", takenAddress(t)},
			1,
			"address already in use",
		},
		"no flag": {onDynamoDB(gate.url, name), []string{"--environment", ""}, 2, "--environment is empty"},
		"several mistakes": {onDynamoDB(gate.url, name), []string{
			"--set", "collection.grace=-1s", "--set", "collection.max_age=-1s",
		}, 3, "collection.max_age"},
	} {
		r := invoke(t, test.env, append([]string{"--log-format", "json"}, test.args...)...)
		if r.code != test.code || !strings.Contains(r.stderr, test.says) {
			t.Errorf("%s: exit code %d; want %d and %q:\n%s", what, r.code, test.code, test.says, r.stderr)
		}
		if slices.Contains(test.args, "json") { // whose error has several lines
			decoder := json.NewDecoder(strings.NewReader(r.stderr))
			for decoder.More() {
				if err := decoder.Decode(&map[string]any{}); err != nil {
					t.Fatalf("%s: %v:\n%s", what, err, r.stderr)
				}
			}
			continue
		}
		for line := range strings.Lines(r.stderr) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: this is not JSON: %s", what, line)
			}
		}
	}
}

// A table that never answers is no success, also where a run may not take as long as an operation. Nobody else is said
// to collect where nobody does.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	const raise = "; raise collection.limits.duration"
	for operation, test := range map[string]struct{ says, ready string }{
		"Scan":       {"no read was answered by then" + raise, "no answer within the limit of duration"},
		"DeleteItem": {"it is not known whether it was done", "no response (DeleteItem)"},
		"GetItem":    {"this process was not elected by then" + raise, ""}, // a schedule waits for it
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			name, driver := newTable(t, 1, 5)
			gate, silent := newGate(t, dynamotest.Endpoint(t)), make(chan struct{})
			defer close(silent)
			gate.refuse.Store(func(called string) refusal {
				if called == operation {
					<-silent
				}
				return refusal{}
			})
			env := onDynamoDB(gate.url, name)
			r := invoke(t, env, "--set", "collection.limits.duration=1s")
			if _, dead := count(t, driver); r.code != 7 || dead != 5 || !strings.Contains(r.stderr, test.says) ||
				strings.Contains(r.stderr, "another process") {
				t.Errorf("exit code %d, %d of 5 are left:\n%s%s", r.code, dead, r.stdout, r.stderr)
			}
			if test.ready == "" {
				return
			}
			p := serve(t, env, "--interval", "1s", "--set", "collection.limits.duration=500ms", "--set", "collection.jitter=0s")
			p.eventually("it is not ready", p.answers("/readyz", http.StatusServiceUnavailable, test.ready))
			if n, at := p.metric("gcrunner_consecutive_failures"), p.metric("gcrunner_last_success_timestamp_seconds"); n < 1 ||
				at != -1 {
				t.Errorf("%v failures, the last success is at %v", n, at)
			}
			p.signal(syscall.SIGTERM) // so that it gives the election back
			p.exit(waitToEnd)
		})
	}
	name, _ := newTable(t, 1, 5)
	r := invoke(t, onDynamoDB(dynamotest.Endpoint(t), name), "--set", "collection.limits.duration=1ms")
	if r.code != 7 || strings.Contains(r.stderr, "another process") {
		t.Errorf("a limit that is too short: exit code %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// A cron expression, in a time zone.
func TestCronSchedule(t *testing.T) {
	t.Parallel()
	p := serve(t, onBolt(newFile(t, 1, 1)), "--schedule", "17 3 1 1 *", "--time-zone", "Europe/Berlin")
	p.eventually("it waits", func() bool { return p.metric("gcrunner_next_run_timestamp_seconds") > 0 })
	next := time.Unix(int64(p.metric("gcrunner_next_run_timestamp_seconds")), 0).UTC()
	if want := "01-01 02:17"; next.Format("01-02 15:04") != want || time.Until(next) > 366*24*time.Hour {
		t.Errorf("the next run is at %v; want %s", next, want)
	}
	if n := p.metric(`gcrunner_runs_total{outcome="completed"}`); n != 0 {
		t.Errorf("%v runs before the first is due", n)
	}
}

// Where the table cannot be reached the process is not ready, and stays alive. It goes on by itself when that is over.
func TestReadyFollowsTheTable(t *testing.T) {
	t.Parallel()
	name, _ := newTable(t, 5, 5)
	gate := newGate(t, dynamotest.Endpoint(t))
	p := serve(t, onDynamoDB(gate.url, name), "--interval", "1h", "--set", "collection.jitter=0s",
		"--set", "dynamodb.operation_timeout=500ms", "--set", "dynamodb.attempt_timeout=200ms", "--set",
		"collection.elect=false")
	// Before its first success it may be ready as well, and not be for another reason.
	p.eventually("a run has ended", func() bool { return p.metric(`gcrunner_runs_total{outcome="completed"}`) >= 1 })
	p.eventually("it is ready", p.answers("/readyz", http.StatusOK, "ok"))
	gate.closed.Store(true)
	p.eventually("it is not ready", p.answers("/readyz", http.StatusServiceUnavailable, "cannot be read"))
	if code, body := p.get("/livez"); code != http.StatusOK {
		t.Errorf("/livez is %d %s", code, body)
	}
	gate.closed.Store(false)
	p.eventually("it is ready again", p.answers("/readyz", http.StatusOK, "ok"))
}

// Where rights are lost, runs fail and nothing is deleted. After three intervals the process is not ready.
func TestRightsLost(t *testing.T) {
	t.Parallel()
	name, driver := newTable(t, 5, 0)
	gate := newGate(t, dynamotest.Endpoint(t))
	p := serve(t, onDynamoDB(gate.url, name), "--interval", "1s")
	p.eventually("a run has ended", func() bool { return p.metric(`gcrunner_runs_total{outcome="completed"}`) >= 1 })
	gate.denied.Store("DeleteItem")
	put(t, driver, records(0, 5))
	p.eventually("it is not ready", p.answers("/readyz", http.StatusServiceUnavailable, "access denied"))
	if live, dead := count(t, driver); live != 5 || dead != 5 {
		t.Errorf("%d live and %d dead sessions are left of 5 and 5", live, dead)
	}
	if code, body := p.get("/livez"); code != http.StatusOK {
		t.Errorf("/livez is %d %s", code, body)
	}
	if n := p.metric("gcrunner_consecutive_failures"); n < 1 {
		t.Errorf("%v failures in a row", n)
	}
	gate.denied.Store("")
	p.eventually("it is ready again", p.answers("/readyz", http.StatusOK, "ok"))
	p.eventually("5 live sessions are left, and none that is dead", func() bool { // it is ready while the run goes on
		live, dead := count(t, driver)
		return live == 5 && dead == 0
	})
	if strings.Contains(p.logged(), "secret-") {
		t.Errorf("the log has tokens or data in it:\n%s", p.logged())
	}
}
