package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/storage"
)

func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	for driver, open := range map[string]func(*testing.T, ...string) *transcript{
		"bolt":     onBolt,
		"dynamodb": func(t *testing.T, env ...string) *transcript { t.Helper(); return onDynamoDB(t, env...).withTable() },
	} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			s := open(t, "SCSDYNAMO_SECRET_CURRENT="+secret)
			s.driver(func(storage.Driver) {}) // which makes a file
			s.run("doctor")
			s.run("doctor", "--read-only", "--output", "json")
			s.golden("doctor-" + driver)
		})
	}
}

func TestDoctorOnDynamoDB(t *testing.T) {
	t.Parallel()
	s := onDynamoDB(t)
	engine := dynamotest.Endpoint(t)
	s.note("no table")
	s.run("doctor")

	s.withTable()
	s.note("keys and TTL of another name")
	s.run("doctor", "--set", "table.partition_key.name=pk")
	s.run("doctor", "--set", "table.attributes.ttl=end")

	client, table := dynamotest.Client(t), s.config().Table()
	turnOff := &dynamodb.UpdateTimeToLiveInput{
		TableName: &table.Name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{
			AttributeName: &table.Attributes.TTL,
			Enabled:       aws.Bool(false),
		},
	}
	if _, err := client.UpdateTimeToLive(t.Context(), turnOff); err != nil {
		t.Fatal(err)
	}
	s.note("TTL is off")
	s.run("doctor", "--read-only")
	if err := table.Create(t.Context(), client); err != nil {
		t.Fatal(err)
	}

	s.note("rights are missing")
	s.through(t, proxy{denied: []string{"DescribeTable", "DescribeTimeToLive", "Scan", "BatchWriteItem"}})
	s.run("doctor")
	s.through(t, proxy{denied: []string{"UpdateItem", "Scan"}})
	s.run("doctor")
	s.run("sessions", "list")
	s.run("sessions", "list", "--verbose", "--output", "json", "--set", "table.name=abc")
	s.note("clocks that differ")
	s.through(t, proxy{ahead: 30 * time.Second})
	s.run("doctor", "--read-only")
	s.through(t, proxy{ahead: -10 * time.Minute})
	s.run("doctor", "--read-only")
	s.note("credentials that AWS does not accept")
	s.through(t, proxy{rejects: true})
	s.run("doctor")
	s.note("no credentials")
	s.set(endpointVariable, engine)
	s.set("AWS_ACCESS_KEY_ID", "")
	s.run("doctor")
	s.run("table", "verify")
	s.note("no region")
	s.set("AWS_REGION", "")
	s.run("doctor")
	s.run("table", "verify")
	s.note("nothing answers")
	s.set("AWS_REGION", "us-east-1")
	s.set("AWS_ACCESS_KEY_ID", "dynamotest")
	s.set(endpointVariable, "http://"+closedPort)
	s.hide(strings.TrimPrefix(s.variable("AWS_ENDPOINT_URL_DYNAMODB"), "http://"), "CLOSED")
	s.run("doctor", "--set", "dynamodb.max_attempts=1")
	s.run("sessions", "count", "--set", "dynamodb.max_attempts=1")
	s.golden("doctor-findings-dynamodb")
}

// closedPort is an address at which nothing answers, and that no test is given.
const closedPort = "127.0.0.1:1"

func TestDoctorOnBolt(t *testing.T) {
	t.Parallel()
	s := onBolt(t)
	s.note("no file, and none is made")
	s.run("doctor")
	s.run("sessions", "count")
	s.run("doctor", "--set", "bolt.path=nowhere/sessions.db")
	if entries, err := os.ReadDir(s.dir); err != nil || len(entries) > 0 {
		t.Errorf("files were made: %v, %v", entries, err)
	}
	s.seed()
	path := filepath.Join(s.dir, "sessions.db")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		s.note("others may read it")
		s.run("doctor")
	}
	s.note("it is open in another process")
	s.driver(func(storage.Driver) {
		s.run("doctor", "--set", "bolt.lock_timeout=1ms")
		s.run("sessions", "list", "--set", "bolt.lock_timeout=1ms")
		s.run("sessions", "delete", "--all", "--confirm", s.place(), "--set", "bolt.lock_timeout=1ms", "--output", "json")
	})
	s.note("sessions that another secret has sealed")
	s.set("SCSDYNAMO_SECRET_CURRENT", secret)
	s.run("doctor")
	s.unset("SCSDYNAMO_SECRET_CURRENT")
	s.note("no bbolt file")
	if err := os.WriteFile(path, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run("doctor")
	s.run("sessions", "count")
	s.hide(secret, "SECRET")
	s.golden("doctor-findings-bolt")
}

func TestDoctorAsJSON(t *testing.T) {
	t.Parallel()
	s := onBolt(t)
	s.seed()
	var report struct {
		Findings []struct{ Check, Status, Detail, Fix string }
		Failures int
	}
	r := s.execute("", "doctor", "--output", "json", "--set", "bolt.path=nowhere/sessions.db")
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatal(err)
	}
	if r.code != 5 || report.Failures != 1 {
		t.Errorf("exit code %d with %d failures; want 5 and 1", r.code, report.Failures)
	}
	for _, finding := range report.Findings {
		if (finding.Status == "fail" || finding.Status == "warn") && finding.Fix == "" {
			t.Errorf("%s: nothing is said of what to do", finding.Check)
		}
	}
	var failed struct{ Error struct{ Kind string } }
	if err := json.Unmarshal([]byte(r.stderr), &failed); err != nil || failed.Error.Kind != "findings" {
		t.Errorf("the error is %q: %v", r.stderr, err)
	}
}

// The doctor leaves nothing behind, and takes nothing away.
func TestDoctorLeavesSessionsAlone(t *testing.T) {
	t.Parallel()
	drivers(t, nil, func(t *testing.T, _ string, s *transcript) {
		t.Helper()
		s.seed()
		r := s.execute("", "doctor")
		if !strings.Contains(r.stdout, "was stored, found, replaced and deleted") {
			t.Error(r.stdout, r.stderr)
		}
		leaks(t, r.stdout+r.stderr)
		if live, leased, expired := s.stored(); !live || !leased || !expired {
			t.Errorf("left are live %v, leased %v, expired %v", live, leased, expired)
		}
		if r := s.execute("", "sessions", "count", "--output", "json"); !strings.Contains(r.stdout, `"total": 3`) {
			t.Errorf("there are other sessions now: %s", r.stdout)
		}
	})
}
