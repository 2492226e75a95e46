package main_test

import (
	"encoding/json"
	"net/http"
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
	p := serve(t, onBolt(path), "--interval", "1s", "--pprof", "--log-format", "text")
	p.eventually("a second run has ended", func() bool { return p.metric(`gcrunner_runs_total{outcome="completed"}`) >= 2 })
	if n := p.metric(`gcrunner_sessions_deleted_total{rule="expired"}`); n != 5 {
		t.Errorf("%v sessions are deleted; want 5", n)
	}
	for path, says := range map[string]string{
		"/livez": "ok", "/readyz": "ok", "/": "This process has collected since", "/debug/pprof/cmdline": "--pprof",
	} {
		if !p.answers(path, http.StatusOK, says)() {
			code, body := p.get(path)
			t.Errorf("%s is %d %q", path, code, body)
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
		"--set", "dynamodb.operation_timeout=500ms", "--set", "dynamodb.attempt_timeout=200ms", "--set", "collection.elect=false")
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
