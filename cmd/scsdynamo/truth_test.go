package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/storage"
)

// decoded is what a command prints with --output json.
func decoded[T any](s *transcript, args ...string) (value T) {
	s.t.Helper()
	r := s.execute("", append(args, "--output", "json", "--quiet")...)
	if err := json.Unmarshal([]byte(r.stdout), &value); err != nil {
		s.t.Fatalf("%q: %v: %s%s", args, err, r.stdout, r.stderr)
	}
	return value
}

// What is said of a session is what the application finds, and what a dry run says is what the run does.
func TestWhatIsSaidOfSessionsIsTrue(t *testing.T) {
	t.Parallel()
	instant := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	for name, test := range map[string]struct {
		change  func(s *transcript)
		found   bool // by the application
		status  string
		content string // of the doctor
		says    []string
		deleted int
	}{
		"as it was": {func(*transcript) {}, true, "live", "ok", nil, 1},
		"a previous secret": {func(s *transcript) {
			s.set("SCSDYNAMO_SECRET_CURRENT", otherSecret)
			s.set("SCSDYNAMO_SECRET_PREVIOUS", secret)
		}, true, "live", "ok", nil, 1},
		"a previous secret whose time is up": {func(s *transcript) {
			s.set("SCSDYNAMO_SECRET_CURRENT", otherSecret)
			s.set("SCSDYNAMO_SECRET_PREVIOUS", secret)
			s.set("SCSDYNAMO_SECRET_PREVIOUS_UNTIL", instant(-time.Hour))
		}, false, "over", "ok", []string{"secret.previous_until"}, 1},
		"sealed before sealed_since": {func(s *transcript) {
			s.set("SCSDYNAMO_SECRET_SEALED_SINCE", instant(time.Minute))
		}, false, "over", "ok", []string{"secret.sealed_since"}, 1},
		"another context": {func(s *transcript) {
			s.set("SCSDYNAMO_SECRET_CONTEXT", "shop")
		}, false, "another application", "fail", []string{"secret.context", "the secret is right"}, 0},
		"another secret": {func(s *transcript) {
			s.set("SCSDYNAMO_SECRET_CURRENT", otherSecret)
		}, false, "unopened", "fail", []string{"secret.previous, unless it has leaked"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			drivers(t, []string{"SCSDYNAMO_SECRET_CURRENT=" + secret}, func(t *testing.T, _ string, s *transcript) {
				t.Helper()
				s.put(tokenLive, map[string]any{"user": "u"})
				test.change(s)
				var key string
				s.driver(func(driver storage.Driver) {
					_, found, _ := s.store(driver).Lookup(t.Context(), tokenLive)
					if found != test.found {
						t.Errorf("the application finds it: %v; want %v", found, test.found)
					}
					page, err := driver.Scan(t.Context(), storage.ScanRequest{})
					if err != nil || len(page.Records) != 1 {
						t.Fatal(err, len(page.Records))
					}
					key = page.Records[0].Key
				})
				type counts struct {
					Live     int
					Over     int
					Another  int `json:"another_application"`
					Unopened int
					Total    int
				}
				want := map[string]counts{
					"live": {Live: 1, Total: 1}, "over": {Over: 1, Total: 1}, "another application": {Another: 1, Total: 1},
					"unopened": {Unopened: 1, Total: 1},
				}[test.status]
				if got := decoded[counts](s, "sessions", "count"); got != want {
					t.Errorf("counted %+v; want %+v", got, want)
				}
				type report struct{ Status, Problem string }
				if got := decoded[struct{ Sessions []report }](s, "sessions", "list"); len(got.Sessions) != 1 ||
					got.Sessions[0].Status != test.status {
					t.Errorf("listed %+v; want %s", got, test.status)
				}
				if got := decoded[report](s, "sessions", "show", fingerprint.Of(key)); got.Status != test.status ||
					(got.Problem == "") != (test.status == "live") {
					t.Errorf("shown %+v; want %s", got, test.status)
				}
				for _, command := range [][]string{
					{"sessions", "list"},
					{"sessions", "count"},
					{"sessions", "show", fingerprint.Of(key)},
				} {
					if r := s.execute("", command...); r.code != 0 || test.status == "over" &&
						!strings.Contains(r.stdout+r.stderr, "over") {
						t.Errorf("%q: exit code %d\n%s%s", command, r.code, r.stdout, r.stderr)
					}
				}
				f := s.examined("--read-only")["content"]
				if f.Status != test.content {
					t.Errorf("the doctor has found %+v; want %s", f, test.content)
				}
				for _, words := range test.says {
					if !strings.Contains(f.Detail+f.Fix, words) {
						t.Errorf("the doctor has found %+v; want %q", f, words)
					}
				}
				if strings.HasPrefix(name, "sealed before") { // in which the application finds no session at all
					if f := s.examined()["round trip"]; f.Status != "warn" || !strings.Contains(f.Detail, "secret.sealed_since") {
						t.Errorf("the doctor has found %+v", f)
					}
				}
				type deletion struct{ Deleted, Left int }
				if got := decoded[deletion](s, "sessions", "delete", "--all",
					"--dry-run"); got != (deletion{test.deleted, 1 - test.deleted}) {
					t.Errorf("it would have been %+v; want %d deleted", got, test.deleted)
				}
				s.execute("", "sessions", "delete", "--all", "--confirm", s.place())
				if got := decoded[counts](s, "sessions", "count"); got.Total != 1-test.deleted {
					t.Errorf("%d are left; the dry run has said %d are deleted", got.Total, test.deleted)
				}
			})
		})
	}
}

// Two names of one session are one session.
func TestTwoNamesForOneSession(t *testing.T) {
	t.Parallel()
	drivers(t, nil, func(t *testing.T, _ string, s *transcript) {
		t.Helper()
		s.put(tokenLive, nil)
		s.put(tokenExpired, nil)
		fingerprint := fingerprint.Of(tokenLive)
		got := decoded[struct{ Deleted int }](s, "sessions", "delete", "--yes", tokenLive, fingerprint, tokenExpired,
			fingerprint[:14], tokenLive)
		if got.Deleted != 2 {
			t.Errorf("deleted are %d; want 2", got.Deleted)
		}
	})
}

// What is said to be consumed is what was.
func TestWhatIsConsumedIsSaid(t *testing.T) {
	t.Parallel()
	s := onDynamoDB(t).withoutTTL()
	s.seed()
	for _, args := range [][]string{
		{"sessions", "count"},
		{"sessions", "list"},
		{"sessions", "show", tokenLive},
		{"sessions", "delete", "--expired"},
		{"sessions", "delete", "--all", "--dry-run"},
		{"sessions", "delete", tokenLive, "--yes"},
		{"sessions", "delete", "--all", "--confirm", s.place()},
	} {
		r := s.execute("", append(args, "--verbose")...)
		if r.code != 0 || !strings.Contains(r.stderr, "units consumed") || strings.Contains(r.stderr, "0 calls") ||
			strings.Contains(r.stderr, "0.0 read and 0.0 write") {
			t.Errorf("%q: exit code %d, %s", args, r.code, r.stderr)
		}
	}
}

// Nothing that config init does, or advises, costs a secret.
func TestConfigInitKeepsSecrets(t *testing.T) {
	t.Parallel()
	s := newTranscript(t)
	read := func(name string) string {
		content, _ := os.ReadFile(filepath.Join(s.dir, name))
		return string(content)
	}
	if r := s.execute("", "config", "init", "--config", "first.yaml", "--secret-file", "s.key"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	drawn := read("s.key")
	s.file("inline.yaml", "secret:\n  current: "+secret+"\n", 0o600)
	s.file("flow.yaml", "secret: {current: "+secret+"}\n", 0o600)
	s.file("list.yaml", "secret:\n  current_file: s.key\n  previous:\n    - "+secret+"\n", 0o600)
	s.file("quoted.yaml", "\"secret\":\n  'current' : '"+secret+"'\n", 0o600)
	s.file("commented.yaml", "# the old one was "+secret+"\n", 0o600)
	s.file("broken.yaml", "secret: [\n"+secret+"\n", 0o600)
	for _, args := range [][]string{
		{"--config", "second.yaml", "--secret-file", "s.key"},
		{"--config", "second.yaml", "--secret-file", "s.key", "--force"},
		{"--config", "s.key", "--force"},
		{"--config", "s.key", "--secret-file", "s.key", "--force"},
		{"--config", "inline.yaml"},
		{"--config", "inline.yaml", "--force"},
		{"--config", "flow.yaml", "--force"},
		{"--config", "list.yaml", "--force"},
		{"--config", "quoted.yaml", "--force"},
		{"--config", "commented.yaml", "--force"},
		{"--config", "broken.yaml", "--force"},
	} {
		r := s.execute("", append([]string{"config", "init"}, args...)...)
		if strings.Contains(r.stderr, "overwrite the configuration with --force") {
			t.Errorf("%q: it advises --force, which destroys: %s", args, r.stderr)
		}
		if r.code == 0 || losing.MatchString(r.stderr) || strings.Contains(r.stdout+r.stderr, secret) {
			t.Errorf("%q: exit code %d, %s", args, r.code, r.stderr)
		}
		if read("s.key") != drawn {
			t.Fatalf("%q: the secret is lost", args)
		}
		for _, name := range []string{"inline", "flow", "list", "quoted", "commented", "broken"} {
			if !strings.Contains(read(name+".yaml"), secret) {
				t.Fatalf("%q: the secret of %s.yaml is lost", args, name)
			}
		}
	}
	r := s.execute("", "config", "init", "--config", "second.yaml", "--secret-file", "s.key")
	_, advice, _ := strings.Cut(r.stderr, "use it with ")
	flags := strings.Fields(advice)[:2]
	if r := s.execute("", append([]string{"config", "init", "--config", "second.yaml"}, flags...)...); r.code != 0 {
		t.Errorf("what was advised fails: %s", r.stderr)
	}
	if r := s.execute("", "config", "check", "--config", "second.yaml"); r.code != 0 ||
		!strings.Contains(read("second.yaml"), "current_file: s.key") {
		t.Errorf("exit code %d, %s", r.code, r.stderr)
	}
	if r := s.execute("", "config", "init", "--config", "second.yaml", "--force"); r.code != 0 {
		t.Errorf("a configuration without a secret is not overwritten: %s", r.stderr)
	}
}

// A secret on a command line is refused, and one in place of a name is not repeated.
func TestI9_SecretsOnTheCommandLine(t *testing.T) {
	t.Parallel()
	s := onBolt(t)
	for _, args := range [][]string{
		{"--set", "secret.current=" + secret},
		{"--set", "secret.previous=" + secret},
		{"--set", "secret.current_file=" + secret},
		{"--set", "secret.previous_files=" + secret},
		{"--set", "secret." + secret + "=x"},
		{"--set", secret},
		{"--set", "secret.sealed_since=" + secret},
		{"--config", secret},
		{"--environment", secret},
	} {
		for _, command := range [][]string{
			{"config", "check"},
			{"config", "show"},
			{"config", "init"},
			{"doctor"},
			{"sessions", "count"},
		} {
			if command[1%len(command)] == "init" &&
				(args[0] != "--set" && args[0] != "--config" || strings.Contains(args[1], "file")) {
				continue // It reads no other file.
			}
			r := s.execute("", append(command, args...)...)
			if r.code == 0 || strings.Contains(r.stdout+r.stderr, secret[8:20]) {
				t.Errorf("%q %q: exit code %d, %s%s", command, args, r.code, r.stdout, r.stderr)
			}
			if strings.HasPrefix(args[1], "secret.current=") && !strings.Contains(r.stderr, "SCSDYNAMO_SECRET_CURRENT") {
				t.Errorf("%q: it is not said what to do: %s", command, r.stderr)
			}
		}
	}
	r := s.execute("", "config", "init", "--secret-file", secret)
	if _, err := os.Stat(filepath.Join(s.dir, secret)); r.code != 2 || err == nil ||
		strings.Contains(r.stdout+r.stderr, secret[8:20]) {
		t.Errorf("exit code %d, %s; %v", r.code, r.stderr, err)
	}
}

// An environment that a flag names is not dropped for the file of a variable.
func TestEnvironmentAgainstAFileVariable(t *testing.T) {
	t.Parallel()
	s := onBolt(t)
	s.seed()
	s.file("prod.yaml", "bolt: {grace: 1h}\n", 0o600)
	s.set("SCSDYNAMO_CONFIG_FILE", "prod.yaml")
	for _, args := range [][]string{
		{"config", "check"},
		{"doctor"},
		{"sessions", "count"},
		{"sessions", "delete", "--expired"},
		{"sessions", "delete", "--all", "--confirm", s.place()},
	} {
		if r := s.execute("", append(args, "--environment", "staging")...); r.code != 3 ||
			!strings.Contains(r.stderr, "both name a file") {
			t.Errorf("%q: exit code %d, %s", args, r.code, r.stderr)
		}
	}
	if live, leased, expired := s.stored(); !live || !leased || !expired {
		t.Error("sessions were deleted")
	}
}

// A password in an endpoint is told nowhere.
func TestI9_PasswordOfAnEndpoint(t *testing.T) {
	t.Parallel()
	const password = "hunter2"
	for _, user := range []string{"user:" + password, password} {
		s := onDynamoDB(t).withTable()
		engine := strings.TrimPrefix(dynamotest.Endpoint(t), "http://")
		for _, endpoint := range []string{
			"http://" + user + "@" + engine, user + "@" + engine,
			"http://" + user + "@127.0.0.1:1", "http://" + user + "@127.0.0.1:x",
		} {
			s.unset(endpointVariable)
			s.set("AWS_ENDPOINT_URL", endpoint)
			s.set("SCSDYNAMO_DYNAMODB_MAX_ATTEMPTS", "1")
			for _, args := range [][]string{
				{"sessions", "delete", "--all"},
				{"sessions", "delete", "--all", "--dry-run"},
				{"sessions", "delete", "--all", "--confirm", s.place()},
				{"sessions", "count", "--verbose"},
				{"doctor"},
				{"doctor", "--output", "json"},
				{"config", "show"},
				{"config", "check"},
				{"table", "describe", "--verbose"},
				{"table", "verify", "--set", "table.name=nowhere", "--verbose"},
				{"table", "delete"},
			} {
				if r := s.execute("", args...); strings.Contains(r.stdout+r.stderr, password) {
					t.Errorf("%s %q: %s%s", endpoint, args, r.stdout, r.stderr)
				}
			}
		}
	}
}

// What cannot be the name of a Region, or the number of an account, is refused.
func TestRegionsAndAccounts(t *testing.T) {
	t.Parallel()
	s := onDynamoDB(t).withTable()
	for _, region := range []string{"eu central", "eu-central-1 ", "eu-central-1\n", "*", "eu/central", "http://x", "-"} {
		s.set("AWS_REGION", region)
		for _, args := range [][]string{{"doctor"}, {"sessions", "count"}, {"table", "verify"}, {"table", "create"}} {
			if r := s.execute("", args...); r.code == 0 ||
				!strings.Contains(r.stdout+r.stderr, "is not the name of an AWS Region") {
				t.Errorf("%q %q: exit code %d, %s%s", region, args, r.code, r.stdout, r.stderr)
			}
		}
		if r := s.execute("", "table", "iam"); len(region) > 1 && strings.Contains(r.stdout, region) {
			t.Errorf("%q is in a policy", region)
		}
		if r := s.execute("", "config", "check", "--set", "dynamodb.region="+region); r.code != 3 {
			t.Errorf("%q: exit code %d, %s", region, r.code, r.stdout)
		}
	}
	s.set("AWS_REGION", "us-east-1")
	for _, account := range []string{
		"12*", "", "*", "1234", "1234567890123", "12345678901x", "ACCOUNT", " 123456789012",
		"123456789012\n",
	} {
		if r := s.execute("", "table", "iam", "--account", account); r.code != 2 || r.stdout != "" ||
			!strings.Contains(r.stderr, "twelve digits") {
			t.Errorf("--account %q: exit code %d, %s%s", account, r.code, r.stdout, r.stderr)
		}
	}
}

// What cannot be printed is a failure, whatever prints it.
func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("there is no /dev/full")
	}
	s := onBolt(t)
	s.seed()
	for _, args := range [][]string{
		{},
		{"--help"},
		{"help"},
		{"help", "doctor"},
		{"doctor", "--help"},
		{"--version"},
		{"completion", "bash"},
		{"config", "show"},
		{"config", "init", "--print"},
		{"sessions", "count"},
		{"sessions", "list", "--output", "json"},
		{"doctor"},
		{"sessions", "delete", "--expired"},
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		code, stderr := s.executeTo(full, args...)
		if code != 1 || !strings.Contains(stderr, "cannot be written") {
			t.Errorf("%q: exit code %d, %s", args, code, stderr)
		}
		if err := full.Close(); err != nil {
			t.Error(err)
		}
	}
}
