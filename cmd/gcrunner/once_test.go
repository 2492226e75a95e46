package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	main "github.com/scsdynamo/scsdynamo/cmd/gcrunner"
	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/storage"
)

func TestOnceOnBolt(t *testing.T) {
	t.Parallel()
	path := newFile(t, 30, 20)

	dry := invoke(t, onBolt(path), "--dry-run")
	if dry.code != 0 || !strings.Contains(dry.stdout, "would delete") || !strings.Contains(dry.stdout, "20") {
		t.Errorf("a dry run ends with %d:\n%s%s", dry.code, dry.stdout, dry.stderr)
	}
	if live, dead := stored(t, path); live != 30 || dead != 20 {
		t.Fatalf("a dry run has left %d live and %d dead sessions of 30 and 20", live, dead)
	}

	done := invoke(t, onBolt(path), "--output", "json")
	var report struct {
		DryRun        bool           `json:"dry_run"`
		Stopped       string         `json:"stopped"`
		Scanned       int            `json:"scanned"`
		Deleted       int            `json:"deleted"`
		DeletedByRule map[string]int `json:"deleted_by_rule"`
	}
	if err := json.Unmarshal([]byte(done.stdout), &report); err != nil || done.code != 0 || done.stderr != "" {
		t.Fatalf("%d, %v:\n%s%s", done.code, err, done.stdout, done.stderr)
	}
	if report.DryRun || report.Stopped != "completed" || report.Scanned != 50 || report.Deleted != 20 ||
		report.DeletedByRule["expired"] != 20 {
		t.Errorf("the report is %+v", report)
	}
	if live, dead := stored(t, path); live != 30 || dead != 0 {
		t.Errorf("%d live and %d dead sessions are left of 30 and 20", live, dead)
	}

	quiet := invoke(t, onBolt(path), "--quiet")
	if quiet.code != 0 || quiet.stdout != "" || quiet.stderr != "" {
		t.Errorf("with --quiet: %d, %q, %q", quiet.code, quiet.stdout, quiet.stderr)
	}
}

func TestOnceOnDynamoDB(t *testing.T) {
	t.Parallel()
	name, driver := newTable(t, 30, 20)
	env := onDynamoDB(dynamotest.Endpoint(t), name)

	dry := invoke(t, env, "--dry-run")
	for _, part := range []string{"would delete", "read units", "write units", "cost", "size"} {
		if !strings.Contains(dry.stdout, part) {
			t.Errorf("a dry run does not say %q:\n%s%s", part, dry.stdout, dry.stderr)
		}
	}
	if live, dead := count(t, driver); live != 30 || dead != 20 {
		t.Fatalf("a dry run has left %d live and %d dead sessions of 30 and 20", live, dead)
	}
	if n := reserved(t, driver); n != 0 {
		t.Errorf("a dry run has written %d records", n)
	}
	done := invoke(t, env)
	if live, dead := count(t, driver); done.code != 0 || live != 30 || dead != 0 {
		t.Errorf("exit code %d; %d live and %d dead sessions are left of 30 and 20:\n%s%s", done.code, live, dead,
			done.stdout, done.stderr)
	}
}

// Whatever is wrong with flags or configuration is said, and nothing is deleted.
func TestBadInput(t *testing.T) {
	path := newFile(t, 3, 5)
	env := onBolt(path)
	other := newFile(t, 1, 0)
	device := filepath.Join(t.TempDir(), "device") // by a link, which a mistake would replace in place of the device
	if err := os.Symlink(os.DevNull, device); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"unknown flag", []string{"--frobnicate"}, 2, `it does not have such a flag; see "gcrunner --help"`},
		{"argument", []string{"now"}, 2, "it takes no arguments, and has 1"},
		{"output", []string{"--output", "xml"}, 2, "--output must be table or json"},
		{"log format", []string{"--log-format", "xml"}, 2, "--log-format must be text or json"},
		{"log level", []string{"--log-level", "loud"}, 2, "--log-level must be debug, info, warn or error"},
		{"once and interval", []string{"--once", "--interval", "1h"}, 2, "--once together with"},
		{"set without a value", []string{"--set", "collection.grace"}, 2, "a --set has no value"},
		{"time zone", []string{"--schedule", "17 3 * * *", "--time-zone", "Mars/Olympus"}, 2, "no such time zone"},
		{"time zone without a schedule", []string{"--time-zone", "Europe/Berlin"}, 2, "--time-zone without a cron schedule"},
		{
			"time zone of an interval",
			[]string{"--interval", "1h", "--time-zone", "Europe/Berlin"},
			2,
			"--time-zone without a cron schedule",
		},
		{"time zone of a single run", []string{
			"--once", "--set", "collection.schedule=17 3 * * *", "--time-zone", "Europe/Berlin",
		}, 2, "--time-zone without a cron schedule"},
		{"host with a scheme", []string{"--host", "http://gc.example"}, 2, "write the name alone"},
		{"host with a path", []string{"--host", "gc.example/gc"}, 2, "write the name alone"},
		{"host with a port", []string{"--host", "gc.example:80"}, 2, "a name is served at every port"},
		{"hosts by a pattern", []string{"--host", "*.example"}, 2, "repeat --host for each name, or write * for any"},
		{"host with a space", []string{"--host", "gc example"}, 2, "--host is not the name of a host"},
		{
			"host that browsers write otherwise",
			[]string{"--host", "b\u00fccher.example"},
			2,
			"with the letters that browsers send",
		},
		{"flag for a host", []string{"--host", "--pprof"}, 2, "--host is not the name of a host"},
		{"empty value of a setting", []string{"--set", "collection.interval="}, 3, "an empty value"},
		{"no rule", []string{"--set", "collection.expired=false"}, 3, "there is no rule, and without one nothing is deleted"},
		{"negative grace", []string{"--set", "collection.grace=-5m"}, 3, "collection.grace: -5m must not be negative"},
		{"negative age", []string{"--set", "collection.max_age=-1d"}, 3, "collection.max_age"},
		{"negative staleness", []string{"--set", "collection.max_stale=-1s"}, 3, "collection.max_stale"},
		{"read budget 0", []string{"--set", "collection.read_units=0"}, 3, "collection.read_units: it must be more than 0"},
		{
			"write budget 0",
			[]string{"--set", "collection.write_units=0"},
			3,
			"collection.write_units: it must be more than 0",
		},
		{"cron", []string{"--schedule", "every night"}, 3, `"every night" is not a cron expression`},
		{"cron that is never due", []string{"--schedule", "0 0 30 2 *"}, 3, "never due"},
		{"interval without a unit", []string{"--interval", "30"}, 3, "collection.interval"},
		{"interval 0", []string{"--interval", "0s"}, 3, "collection.interval: 0s is out of range"},
		{"interval and schedule", []string{"--interval", "1h", "--schedule", "17 3 * * *"}, 3, "set one of them"},
		{"unknown key", []string{"--set", "collection.gracee=1h"}, 3, "collection.grace"},
		{"no such file", []string{"--set", "bolt.path=nowhere.db"}, 4, "there is no file nowhere.db"},
		{"no such configuration", []string{"--config", "nowhere.yaml"}, 3, "nowhere.yaml"},
		{"address in use", []string{"--interval", "1h", "--listen", takenAddress(t)}, 1, "address already in use"},
		{"no address", []string{"--interval", "1h", "--listen", "here"}, 2, "--listen: missing port in address"},
		{"no port", []string{"--interval", "1h", "--listen", ":99999"}, 2, "--listen: invalid port"},
		{"another machine's address", []string{"--interval", "1h", "--listen", "192.0.2.1:9464"}, 2, "--listen: "},
		{
			"cron field",
			[]string{"--schedule", "0 24 * * *"},
			3,
			"--schedule: collection.schedule: \"0 24 * * *\" is not a cron expression of " +
				"five fields: hour: 24 is out of range; it is from 0 to 23",
		},
		{"cron tag", []string{"--schedule", "@daily"}, 3, "for @daily write 0 0 * * *"},
		{"cron interval", []string{"--schedule", "@every 1h"}, 3, "set collection.interval"},
		{"no directory for the position", []string{
			"--set", "collection.checkpoint=file", "--set", "collection.checkpoint_file=/no/where/position",
		}, 3, "the position of the run cannot be kept"},
		{"position in the file of the sessions", []string{
			"--set", "collection.checkpoint=file", "--set", "collection.checkpoint_file=" + path,
		}, 3, "this is the file of bolt.path"},
		{"position in the place of something else", []string{
			"--set", "collection.checkpoint=file", "--set", "collection.checkpoint_file=" + other,
		}, 3, other + " holds something else; correct collection.checkpoint_file"},
		{"position in a device", []string{
			"--set", "collection.checkpoint=file", "--set", "collection.checkpoint_file=" + device,
		}, 3, "name a regular file"},
		{"no directory for the position, again", []string{
			"--set", "collection.checkpoint=file", "--set", "collection.checkpoint_file=/dev/null/position",
		}, 3, "correct collection.checkpoint_file"},
	} {
		t.Run(test.name, func(t *testing.T) { // one after the other: they share a file
			r := invoke(t, env, test.args...)
			if r.code != test.code || !strings.Contains(r.stderr, test.says) || r.stdout != "" {
				t.Errorf("exit code %d; want %d and %q:\n%s%s", r.code, test.code, test.says, r.stdout, r.stderr)
			}
			if strings.Count(r.stderr, "the position of the run") > 1 || strings.Contains(r.stderr, "delete the file") {
				t.Errorf("that is said twice, or is no good advice: %s", r.stderr)
			}
			if strings.Contains(r.stderr, "gcrunner: gcrunner:") || strings.Contains(r.stderr, "goroutine") {
				t.Errorf("that is not for people: %s", r.stderr)
			}
		})
	}
	if live, _ := stored(t, other); live != 1 {
		t.Errorf("%d sessions are left in the file that was named for the position", live)
	}
	asJSON := invoke(t, env, "--output", "json", "--set", "collection.grace=-5m")
	var wrong struct {
		Error struct {
			Kind     string `json:"kind"`
			ExitCode int    `json:"exit_code"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(asJSON.stderr), &wrong); err != nil || wrong.Error.Kind != "configuration" ||
		wrong.Error.ExitCode != 3 {
		t.Errorf("as JSON: %v, %s", err, asJSON.stderr)
	}
	if live, dead := stored(t, path); live != 3 || dead != 5 {
		t.Errorf("%d live and %d dead sessions are left of 3 and 5", live, dead)
	}
}

// A flag that is given and empty, as by a variable of a script that is not set, never means the default. All flags that
// have a value are tried.
func TestEmptyFlags(t *testing.T) {
	t.Parallel()
	path := newFile(t, 3, 5)
	flags := regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+) [A-Za-z=]+ `).FindAllStringSubmatch(invoke(t, environ(),
		"--help").stdout, -1)
	if len(flags) < 11 {
		t.Fatalf("these flags have values: %v", flags)
	}
	for _, flag := range flags {
		for _, args := range [][]string{
			{"--" + flag[1] + "="},
			{"--" + flag[1], ""},
			{"--" + flag[1], " "},
			{"--" + flag[1]},
		} {
			r := invoke(t, onBolt(path), args...)
			if r.code != 2 || r.stdout != "" || !strings.Contains(r.stderr, "--"+flag[1]) {
				t.Errorf("%q: exit code %d:\n%s%s", args, r.code, r.stdout, r.stderr)
			}
		}
	}
	if live, dead := stored(t, path); live != 3 || dead != 5 {
		t.Errorf("%d live and %d dead sessions are left of 3 and 5", live, dead)
	}
}

// A word in the wrong place may be a token or a secret. It is not repeated, wherever it stands.
func TestWrongWordsAreNotRepeated(t *testing.T) {
	t.Parallel()
	env := onBolt(newFile(t, 1, 1))
	const word = "Sh0uldNotBeSeen"
	schedule := []string{"--schedule", "17 3 * * *"}
	for _, args := range [][]string{
		{word},
		{"--", word},
		{"-" + word},
		{"--" + word},
		{"--" + word + "=1"},
		{"-o" + word},
		{"-q" + word},
		{"-q=" + word},
		{"--set", word},
		{"--dry-run=" + word},
		{"--once=" + word},
		{"--pprof=" + word},
		{"--output", word},
		{"--log-level", word},
		{"--log-format", word},
		{"--host", word + "/"},
		{"--host", word + ":1"},
		{"--host", word + "*"},
		{"--host", word + " "},
		{"--time-zone", word},
		append(schedule, "--time-zone", word), append(schedule, "--listen", word), append(schedule, "--listen", word+":1:1"),
		append(schedule, "--listen", "127.0.0.1:"+word),
		{"help", word},
	} {
		for _, more := range [][]string{nil, {"--output", "json"}, {"--log-format", "json"}} {
			all := append(slices.Clip(more), args...)
			if r := invoke(t, env, all...); r.code != 2 || strings.Contains(r.stdout+r.stderr, word) || r.stderr == "" {
				t.Errorf("%q: exit code %d:\n%s%s", all, r.code, r.stdout, r.stderr)
			}
		}
	}
}

// A position in the table that is damaged does not end collection.
func TestDamagedPosition(t *testing.T) {
	t.Parallel()
	name, driver := newTable(t, 1, 5)
	now := time.Now()
	put(t, driver, []storage.Record{{
		Key: storage.ReservedPrefix + "collector-position", Data: []byte("\x1b[2Jjunk"), Version: storage.NewVersion(),
		CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(time.Hour),
	}})
	r := invoke(t, append(onDynamoDB(dynamotest.Endpoint(t), name), "SCSDYNAMO_COLLECTION_CHECKPOINT=table"))
	if live, dead := count(t, driver); r.code != 0 || live != 1 || dead != 0 ||
		strings.Count(r.stderr, "the position of the last run is damaged") != 1 {
		t.Errorf("exit code %d, %d live and %d dead sessions are left of 1 and 0:\n%s%s", r.code, live, dead,
			r.stdout, r.stderr)
	}
	harmless(t, "standard error", r.stderr)
	again := invoke(t, append(onDynamoDB(dynamotest.Endpoint(t), name), "SCSDYNAMO_COLLECTION_CHECKPOINT=table"))
	if again.code != 0 || again.stderr != "" {
		t.Errorf("the next run ends with %d: %s", again.code, again.stderr)
	}
}

func TestUnknownTable(t *testing.T) {
	t.Parallel()
	r := invoke(t, onDynamoDB(dynamotest.Endpoint(t), "no-such-table"))
	if r.code != 4 || !strings.Contains(r.stderr, `there is no table "no-such-table"`) || r.stdout != "" {
		t.Errorf("exit code %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// Nobody answers: the run ends with an error after the driver's attempts, within a time that cron can wait.
func TestUnreachableTable(t *testing.T) {
	t.Parallel()
	r := invoke(t, onDynamoDB("http://127.0.0.1:1", "sessions"), "--set", "dynamodb.operation_timeout=2s")
	if r.code != 7 || !strings.Contains(r.stderr, "cannot be reached") || r.took > time.Minute {
		t.Errorf("exit code %d after %v:\n%s", r.code, r.took, r.stderr)
	}
}

// Another process has the file.
func TestFileInUse(t *testing.T) {
	t.Parallel()
	path := newFile(t, 1, 1)
	serve(t, onBolt(path), "--interval", "1h")
	r := invoke(t, onBolt(path), "--set", "bolt.lock_timeout=50ms")
	if r.code != 7 || !strings.Contains(r.stderr, "in use by another process") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

// A run that is told to end keeps its position, gives the election back, and says so; the next one goes on at once.
func TestOnceToldToEnd(t *testing.T) {
	t.Parallel()
	const dead = 200
	name, driver := newTable(t, 10, dead)
	position := filepath.Join(t.TempDir(), "position")
	env := append(onDynamoDB(dynamotest.Endpoint(t), name), "SCSDYNAMO_COLLECTION_CHECKPOINT=file",
		"SCSDYNAMO_COLLECTION_CHECKPOINT_FILE="+position, "SCSDYNAMO_COLLECTION_ELECTION_LEASE=10m",
		"SCSDYNAMO_COLLECTION_PAGE_SIZE=10", "SCSDYNAMO_COLLECTION_SEGMENTS=1")
	p := launch(t, env, "--set", "collection.write_units=20")
	left := func() int {
		_, left := count(t, driver)
		return left
	}
	p.eventually("some are deleted", func() bool { return left() < dead-20 })
	p.signal(syscall.SIGTERM)
	if code := p.exit(20 * time.Second); code != 130 {
		t.Errorf("exit code %d; want 130", code)
	}
	remaining := left()
	if remaining == 0 {
		t.Fatal("everything is deleted: the signal came too late")
	}
	if text, err := os.ReadFile(position); err != nil || len(text) == 0 {
		t.Errorf("the position: %q, %v", text, err)
	}

	// with a lease of ten minutes that was not given back, it would not be elected
	next := invoke(t, env, "--output", "json")
	var report struct {
		Scanned int `json:"scanned"`
	}
	if err := json.Unmarshal([]byte(next.stdout), &report); err != nil || next.code != 0 {
		t.Fatalf("exit code %d, %v:\n%s%s", next.code, err, next.stdout, next.stderr)
	}
	if report.Scanned >= dead+10 {
		t.Errorf("the next run has looked at all %d sessions: it did not go on where the first one stopped", report.Scanned)
	}
	if live, dead := count(t, driver); live != 10 || dead != 0 {
		t.Errorf("%d live and %d dead sessions are left of 10 and 0", live, dead)
	}
}

// A second signal ends the process at once, whatever it does.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	name, driver := newTable(t, 0, 100)
	p := launch(t, onDynamoDB(dynamotest.Endpoint(t), name), "--set", "collection.write_units=1",
		"--set", "collection.stop_timeout=10m", "--set", "collection.segments=1")
	p.eventually("some are deleted", func() bool {
		_, dead := count(t, driver)
		return dead < 100
	})
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		t.Fatalf("it has ended with %d, and a page was to be finished", p.cmd.ProcessState.ExitCode())
	case <-time.After(500 * time.Millisecond):
	}
	p.signal(syscall.SIGTERM)
	if code := p.exit(5 * time.Second); code == 0 {
		t.Error("it says that all is well")
	}
}

// Who is not elected does nothing, and says so in its exit code.
func TestOnceNotElected(t *testing.T) {
	t.Parallel()
	name, driver := newTable(t, 0, 3)
	env := append(onDynamoDB(dynamotest.Endpoint(t), name), "SCSDYNAMO_COLLECTION_ELECTION_LEASE=4s")
	first := serve(t, env, "--interval", "1h", "--set", "collection.jitter=0s")
	first.eventually("it collects", func() bool { return first.metric(`gcrunner_runs_total{outcome="completed"}`) == 1 })
	put(t, driver, records(0, 3))
	r := invoke(t, env)
	if _, dead := count(t, driver); r.code != 7 || dead != 3 || r.stdout != "" ||
		!strings.Contains(r.stderr, "another process is collecting these sessions") {
		t.Errorf("exit code %d, %d dead sessions are left of 3:\n%s%s", r.code, dead, r.stdout, r.stderr)
	}
}

// That DynamoDB refuses requests is said while that goes on, once; programs and those who want quiet are not told.
func TestOnceThrottled(t *testing.T) {
	t.Parallel()
	name, _ := newTable(t, 1, 5)
	gate := newGate(t, dynamotest.Endpoint(t))
	gate.refuse.Store(always("Scan", throttling)(t, name))
	const said = "DynamoDB refuses requests"
	for _, test := range []struct {
		args []string
		said int
	}{{nil, 1}, {[]string{"--quiet"}, 0}, {[]string{"--output", "json"}, 0}} {
		r := invoke(t, onDynamoDB(gate.url, name), append(test.args, "--set", "collection.limits.duration=2s")...)
		if n := strings.Count(r.stderr, said); r.code != 7 || n != test.said {
			t.Errorf("%v: exit code %d; it was said %d times, want %d:\n%s", test.args, r.code, n, test.said, r.stderr)
		}
	}
}

// A run that is told to end while everything is refused says so.
func TestOnceToldToEndWhileThrottled(t *testing.T) {
	t.Parallel()
	name, _ := newTable(t, 1, 5)
	gate := newGate(t, dynamotest.Endpoint(t))
	gate.refuse.Store(always("DeleteItem", throttling)(t, name))
	p := launch(t, onDynamoDB(gate.url, name))
	p.eventually("it says that it is refused",
		func() bool { return strings.Contains(p.logged(), "DynamoDB refuses requests") })
	p.signal(syscall.SIGTERM)
	if code := p.exit(waitToEnd); code != 130 ||
		!strings.Contains(p.logged(), "interrupted; until then everything was refused") ||
		!strings.Contains(p.logged(), "was throttled") {
		t.Errorf("exit code %d:\n%s", code, p.logged())
	}
}

// What begins before the size of the table is known becomes a bar once it is.
func TestProgressBecomesABar(t *testing.T) {
	t.Parallel()
	var screen bytes.Buffer
	main.Tell(&screen, gcrunner.Report{Scanned: 10}, gcrunner.Report{Scanned: 20, ReadUnits: 5, ExpectedReadUnits: 10})
	if !strings.Contains(screen.String(), "50% |") {
		t.Errorf("there is no bar in %q", screen.String())
	}
}

// On a terminal, a long run shows how far it has come; elsewhere it does not.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	script, err := exec.LookPath("script")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("a terminal is made by script(1) of util-linux, which is not on this machine")
	}
	env := append(onBolt(newFile(t, 100, 100)), "SCSDYNAMO_COLLECTION_PAGE_SIZE=1", "TERM=xterm")
	cmd := exec.CommandContext(t.Context(), script, "--quiet", "--return", "--command", os.Args[0], "/dev/null")
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "looked at, ") || !strings.Contains(string(out), " deleted") {
		t.Errorf("%v: there is no progress in %q", err, out)
	}
	// Where the size of the table is known, it is a bar.
	name, _ := newTable(t, 300, 100)
	cmd = exec.CommandContext(t.Context(), script, "--quiet", "--return", "--command", os.Args[0], "/dev/null")
	cmd.Env = append(onDynamoDB(dynamotest.Endpoint(t), name), "SCSDYNAMO_COLLECTION_PAGE_SIZE=10",
		"SCSDYNAMO_COLLECTION_DRY_RUN=true", "TERM=xterm")
	out, err = cmd.CombinedOutput()
	if err != nil || !regexp.MustCompile(`looked at, .* [0-9]+% \|`).Match(out) {
		t.Errorf("%v: there is no bar in %q", err, out)
	}
	plain := invoke(t, env)
	if plain.code != 0 || plain.stderr != "" || strings.Contains(plain.stdout, "\x1b") {
		t.Errorf("without a terminal: %d, %q, %q", plain.code, plain.stdout, plain.stderr)
	}
}
