package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
)

// trouble is something that goes wrong, or takes long, and what all that a collector says of itself must say then.
type trouble struct {
	settings []string
	dead     int                                                   // sessions to collect; 60 by default
	refuse   func(t *testing.T, table string) func(string) refusal // may be nil

	code int    // of a single run
	says string // on standard error
	// whether some are deleted, but not all; otherwise all are where the code is 0, and none where it is not
	partial bool
	gone    bool // whether the table has gone, so that nobody can count

	unready  string // what /readyz says with 503 where it runs again and again; empty where it is ready
	logs     string
	throttle bool                           // whether requests are counted as throttled
	during   func(t *testing.T, p *process) // what is to be seen before; may be nil
}

// always refuses an operation.
func always(operation string, with refusal) func(*testing.T, string) func(string) refusal {
	return func(*testing.T, string) func(string) refusal {
		return func(called string) refusal {
			if called == operation {
				return with
			}
			return refusal{}
		}
	}
}

// afterDeletes calls then once so many sessions were deleted, and refuses with what it returns from then on.
func afterDeletes(n int, then func(t *testing.T, table string) func(operation string) refusal) func(*testing.T,
	string) func(string) refusal {
	return func(t *testing.T, table string) func(string) refusal {
		var mu sync.Mutex
		deletes := 0
		var refuse func(string) refusal
		return func(operation string) refusal {
			mu.Lock()
			defer mu.Unlock()
			if operation == "DeleteItem" {
				if deletes++; deletes > n && refuse == nil {
					refuse = then(t, table)
				}
			}
			if refuse == nil {
				return refusal{}
			}
			return refuse(operation)
		}
	}
}

var troubles = map[string]trouble{
	"nothing": {},
	"a run takes longer than ten intervals": {
		settings: []string{fmt.Sprintf("collection.write_units=%d", longUnits)}, dead: 13 * longUnits, during: comesFurther,
	},
	"all deletes are denied": {
		refuse: always("DeleteItem", denial), code: 1, says: "may not call dynamodb:DeleteItem",
		unready: "no run has succeeded yet: access denied (DeleteItem)", logs: "AccessDeniedException",
	},
	"all deletes are throttled": {
		settings: []string{"collection.limits.duration=2s"}, refuse: always("DeleteItem", throttling), code: 7,
		says:    "was throttled",
		unready: "no run has succeeded yet: throttled (DeleteItem)", logs: "ThrottlingException", throttle: true,
	},
	"all scans are denied": {
		refuse: always("Scan", denial), code: 1, says: "may not call dynamodb:Scan",
		unready: "no run has succeeded yet: access denied (Scan)", logs: "AccessDeniedException",
	},
	"all scans are throttled": {
		settings: []string{"collection.limits.duration=2s"}, refuse: always("Scan", throttling), code: 7,
		says:    "was throttled",
		unready: "no run has succeeded yet: throttled (Scan)", logs: "ThrottlingException", throttle: true,
	},
	"half of both is throttled": {
		refuse: func(*testing.T, string) func(string) refusal {
			var mu sync.Mutex
			calls := map[string]int{}
			return func(operation string) refusal {
				mu.Lock()
				defer mu.Unlock()
				if calls[operation]++; (operation == "Scan" || operation == "DeleteItem") && calls[operation]%2 == 1 {
					return throttling
				}
				return refusal{}
			}
		},
		code: 0, throttle: true,
	},
	"the right to delete is lost": {
		refuse: afterDeletes(20, func(*testing.T, string) func(string) refusal {
			return always("DeleteItem", denial)(nil, "")
		}),
		code: 1, says: "may not call dynamodb:DeleteItem", partial: true,
		unready: "no run has succeeded yet: access denied (DeleteItem)", logs: "AccessDeniedException",
	},
	"the right to scan is lost": {
		settings: []string{"collection.page_size=5", "collection.segments=1"},
		refuse: afterDeletes(20, func(*testing.T, string) func(string) refusal {
			return always("Scan", denial)(nil, "")
		}),
		code: 1, says: "may not call dynamodb:Scan", partial: true,
		unready: "no run has succeeded yet: access denied (Scan)", logs: "AccessDeniedException",
	},
	"the table vanishes": {
		refuse: afterDeletes(20, func(t *testing.T, table string) func(string) refusal {
			t.Helper()
			_, err := dynamotest.Client(t).DeleteTable(context.WithoutCancel(t.Context()),
				&dynamodb.DeleteTableInput{TableName: &table})
			if err != nil {
				t.Error(err)
			}
			return func(string) refusal { return refusal{} }
		}),
		code: 1, says: "there is no table", partial: true, gone: true,
		unready: "table not found", logs: "ResourceNotFoundException",
	},
	"the file of the position cannot be written": {
		settings: []string{"collection.checkpoint=file", "collection.checkpoint_file=/no/where/position"},
		code:     3, says: "the position of the run cannot be kept",
		unready: "no run has succeeded yet: the position of the run cannot be kept", logs: "/no/where",
	},
	"the position in the table cannot be written": {
		settings: []string{"collection.checkpoint=table"}, refuse: always("PutItem", denial),
		code: 1, says: "the position of the run cannot be kept: these credentials may not call dynamodb:PutItem",
		unready: "no run has succeeded yet: the position of the run cannot be kept: access denied (PutItem)",
		logs:    "AccessDeniedException",
	},
}

// Whatever happens: exit code, report, log, metrics, probes and page say the same, and that is what has happened. None
// of them says what strangers should not know, or what a terminal obeys.
func TestWhatIsSaidIsWhatHappened(t *testing.T) {
	t.Parallel()
	for name, trouble := range troubles {
		if trouble.dead == 0 {
			trouble.dead = 60
		}
		t.Run(name+", once", func(t *testing.T) {
			t.Parallel()
			trouble.once(t)
		})
		t.Run(name+", again and again", func(t *testing.T) {
			t.Parallel()
			trouble.again(t)
		})
	}
}

// stage makes the table, and returns it with the environment and the arguments of the collector.
func (trouble trouble) stage(t *testing.T) (driver *dynamostore.Driver, env, args []string) {
	t.Helper()
	name, driver := newTable(t, 5, trouble.dead)
	gate := newGate(t, dynamotest.Endpoint(t))
	if trouble.refuse != nil {
		gate.refuse.Store(trouble.refuse(t, name))
	}
	for _, setting := range append([]string{"collection.elect=false", "collection.concurrency=4"}, trouble.settings...) {
		args = append(args, "--set", setting)
	}
	return driver, onDynamoDB(gate.url, name), args
}

// happened fails unless so many deletes are what has happened.
func (trouble trouble) happened(t *testing.T, driver *dynamostore.Driver, deleted int) {
	t.Helper()
	switch {
	case trouble.partial && (deleted == 0 || deleted == trouble.dead), !trouble.partial && trouble.code == 0 &&
		deleted != trouble.dead,
		!trouble.partial && trouble.code != 0 && deleted != 0:
		t.Errorf("%d of %d are deleted", deleted, trouble.dead)
	}
	if trouble.gone {
		return
	}
	if live, dead := count(t, driver); live != 5 || dead != trouble.dead-deleted {
		t.Errorf("%d live sessions of 5 are left, and %d of %d that had expired; it says that it deleted %d", live, dead,
			trouble.dead, deleted)
	}
}

func (trouble trouble) once(t *testing.T) {
	driver, env, args := trouble.stage(t)
	r := invoke(t, env, append(args, "--output", "json")...)
	if r.code != trouble.code || !strings.Contains(r.stderr, trouble.says) {
		t.Errorf("exit code %d; want %d and %q:\n%s%s", r.code, trouble.code, trouble.says, r.stdout, r.stderr)
	}
	var report struct {
		Deleted int    `json:"deleted"`
		Stopped string `json:"stopped"`
	}
	if r.stdout != "" {
		if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
			t.Fatal(err, r.stdout)
		}
	}
	if (report.Stopped == "completed") != (trouble.code == 0) {
		t.Errorf("exit code %d, and the run is %q", r.code, report.Stopped)
	}
	trouble.happened(t, driver, report.Deleted)
	if told := fmt.Sprintf("before that, %d sessions were deleted",
		report.Deleted); trouble.partial != strings.Contains(r.stderr, told) {
		t.Errorf("that some were deleted must be said: %v:\n%s", trouble.partial, r.stderr)
	}
	if strings.Contains(r.stderr, "nothing was done") {
		t.Errorf("that is for the help: %s", r.stderr)
	}
	harmless(t, "standard output and error", r.stdout+r.stderr)
}

func (trouble trouble) again(t *testing.T) {
	driver, env, args := trouble.stage(t)
	p := serve(t, env, append(args, "--interval", "1s", "--set", "collection.jitter=0s")...)
	if trouble.during != nil {
		trouble.during(t, p)
	}
	ready, failed := http.StatusOK, 0.0
	if trouble.unready == "" {
		p.eventually("a run has ended", func() bool { return p.metric(`gcrunner_runs_total{outcome="completed"}`) >= 1 })
		p.becomes("after it", ready, "ok")
	} else {
		ready, failed = http.StatusServiceUnavailable, 1
		p.becomes("in trouble", ready, trouble.unready)
	}
	_, page := p.get("/")
	h1 := html.UnescapeString(regexp.MustCompile(`<h1>(.*?)</h1>`).FindStringSubmatch(page)[1])
	if trouble.unready != "" && !strings.Contains(strings.ToLower(h1), strings.ToLower(trouble.unready)) ||
		trouble.unready == "" && !regexp.MustCompile(`^(Next run in|Collecting|Beginning)`).MatchString(h1) {
		t.Errorf("the headline is %q; /readyz says %q", h1, trouble.unready)
	}
	if bad := strings.Contains(page, "not ready"); bad != (trouble.unready != "") {
		t.Errorf("the page says that it is not ready: %v", bad)
	}
	for metric, holds := range map[string]func(float64) bool{
		"gcrunner_ready":                           func(v float64) bool { return v == 1-failed },
		"gcrunner_consecutive_failures":            func(v float64) bool { return v >= failed && (v > 0) == (failed > 0) },
		`gcrunner_runs_total{outcome="failed"}`:    func(v float64) bool { return v >= failed && (v > 0) == (failed > 0) },
		`gcrunner_runs_total{outcome="completed"}`: func(v float64) bool { return (v > 0) == (failed == 0) },
		"gcrunner_throttles_total":                 func(v float64) bool { return (v > 0) == trouble.throttle },
	} {
		if v := p.metric(metric); !holds(v) {
			t.Errorf("%s is %v", metric, v)
		}
	}
	deleted := p.metric(`gcrunner_sessions_deleted_total{rule="expired"}`)
	trouble.happened(t, driver, int(deleted))
	if !strings.Contains(p.logged(), trouble.logs) || strings.Contains(p.logged(), "level=ERROR") != (failed > 0) {
		t.Errorf("the log has no %q, or errors where there are none", trouble.logs)
	}
	var shown strings.Builder
	for _, path := range []string{"/", "/readyz", "/livez", "/metrics"} {
		_, body := p.get(path)
		shown.WriteString(body)
	}
	for _, secret := range []string{"111122223333", "sessions-collector", "arn:aws", "127.0.0.1:"} {
		if strings.Contains(shown.String(), secret) {
			t.Errorf("everybody who can connect is told %q", secret)
		}
	}
	harmless(t, "the log", p.logged())
	p.signal(syscall.SIGTERM)
	if code := p.exit(waitToEnd); code != 0 {
		t.Errorf("told to end, it ends with %d", code)
	}
}

// harmless fails on what a terminal obeys, and on tokens and data.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	if strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' ||
			r >= 0x7f && r < 0xa0
	}) {
		t.Errorf("%s has control characters in it: %q", what, text)
	}
	if strings.Contains(text, "secret-") {
		t.Errorf("%s has tokens or data in it:\n%s", what, text)
	}
}

// longUnits is the budget of a run that takes longer than ten intervals of a second.
const longUnits = 20

// comesFurther watches a run for eleven seconds' worth of deletes: it is alive, ready, and counts while it goes.
func comesFurther(t *testing.T, p *process) {
	t.Helper()
	const deleted, enough = `gcrunner_sessions_deleted_total{rule="expired"}`, 11 * longUnits
	before := 0.0
	p.eventually("ten intervals have passed", func() bool {
		begun := p.metric("gcrunner_elected") == 1 // before the probes, which may answer as it begins
		for _, probe := range []string{"/livez", "/readyz"} {
			if code, body := p.get(probe); code != http.StatusOK && begun {
				t.Fatalf("%s is %d: %s", probe, code, body)
			}
		}
		now := p.metric(deleted)
		if now < before {
			t.Fatalf("%v sessions are deleted, and %v were", now, before)
		}
		before = now
		return now > enough
	})
	if n := p.metric(`gcrunner_runs_total{outcome="completed"}`); n != 0 || p.metric("gcrunner_running") != 1 {
		t.Fatalf("%v runs have ended: it was to be one that takes long", n)
	}
	if _, page := p.get("/"); !strings.Contains(page, "<h1>Collecting</h1>") ||
		!strings.Contains(page, "sessions deleted in") {
		t.Errorf("the page does not show how far the run has come")
	}
	if p.metric("gcrunner_last_progress_timestamp_seconds") <= p.metric("gcrunner_last_attempt_timestamp_seconds") {
		t.Errorf("the run has come no further since it began")
	}
}

// What an endpoint says, and what a table is called, moves no cursor.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	const hostile = "\x1b]0;owned\x07\x1b[2J\u009b2J\rnothing is wrong\u202e\x7f"
	name, _ := newTable(t, 1, 1)
	gate := newGate(t, dynamotest.Endpoint(t))
	gate.refuse.Store(func(string) refusal { return refusal{"AccessDeniedException", hostile} })
	for format, args := range map[string][]string{
		"once": nil, "once, JSON": {"--output", "json"}, "another table": {"--set", "table.name=" + hostile},
		"another file": {"--set", "driver=bolt", "--set", "bolt.path=/" + hostile},
	} {
		r := invoke(t, onDynamoDB(gate.url, name), args...)
		if r.code == 0 {
			t.Errorf("%s: exit code 0", format)
		}
		harmless(t, format, r.stdout+r.stderr)
	}
	for _, format := range []string{"text", "json"} {
		p := serve(t, onDynamoDB(gate.url, name), "--interval", "1s", "--log-format", format)
		p.eventually("it has failed", func() bool { return p.metric("gcrunner_consecutive_failures") > 0 })
		for _, path := range []string{"/", "/readyz"} {
			_, body := p.get(path)
			harmless(t, path, body)
		}
		harmless(t, format, p.logged())
		if !strings.Contains(p.logged(), "AccessDeniedException") {
			t.Errorf("the log does not have the cause:\n%s", p.logged())
		}
	}
}
