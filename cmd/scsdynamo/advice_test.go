package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

// finding is one of the doctor's.
type finding struct{ Check, Status, Detail, Fix string }

// examined returns what the doctor finds, by check; of several, the worst.
func (s *transcript) examined(args ...string) map[string]finding {
	s.t.Helper()
	r := s.execute("", append([]string{"doctor", "--output", "json"}, args...)...)
	var report struct{ Findings []finding }
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		s.t.Fatalf("%v: %s%s", err, r.stdout, r.stderr)
	}
	worse := map[string]int{"": 0, "skipped": 1, "ok": 2, "warn": 3, "fail": 4}
	found := map[string]finding{}
	for _, f := range report.Findings {
		if worse[f.Status] > worse[found[f.Check].Status] {
			found[f.Check] = f
		}
		if f.Status == "fail" && f.Fix == "" {
			s.t.Errorf("%s fails, and nothing is said of what to do", f.Check)
		}
		if losing.MatchString(f.Fix) {
			s.t.Errorf("%s: the advice may lose sessions: %s", f.Check, f.Fix)
		}
	}
	return found
}

// losing is advice that loses sessions.
var losing = regexp.MustCompile(`(?i)\b(delete|remove|rm|drop|move (the file|it) away|restore|start empty|another table\b.*create|create another|truncate|recreate)\b`)

// commands are those of this command that an advice names.
var commands = regexp.MustCompile(`"scsdynamo ([a-z -]+)"`)

// follow runs the command that the advice names.
func (s *transcript) follow(f finding) {
	s.t.Helper()
	named := commands.FindStringSubmatch(f.Fix)
	if named == nil {
		s.t.Fatalf("%s: the advice names no command: %s", f.Check, f.Fix)
	}
	if r := s.execute("", strings.Fields(named[1])...); r.code != 0 {
		s.t.Errorf("%s: %q fails: %s", f.Check, named[1], r.stderr)
	}
}

// adviceOnDynamoDB is what is wrong, what the doctor is to find, and how its advice is followed.
type adviceOnDynamoDB struct {
	env           []string
	bare          bool // without a table
	hurt          func(t *testing.T, s *transcript)
	check, status string
	mend          func(s *transcript, f finding)
}

// mistypedAttribute is an attribute that the application writes by another name. Whoever logged in anew, as with
// sessions.unreadable_as_miss, would lose his session when it is corrected.
func mistypedAttribute(name string) adviceOnDynamoDB {
	key := "SCSDYNAMO_TABLE_ATTRIBUTES_" + strings.ToUpper(name)
	return adviceOnDynamoDB{
		hurt:  func(_ *testing.T, s *transcript) { s.set(key, "mistyped") },
		check: "content", status: "fail",
		mend: func(s *transcript, f finding) {
			s.t.Helper()
			if !strings.HasPrefix(f.Fix, "correct the names in table.attributes") ||
				strings.Contains(f.Fix, "lets their users log in anew") ||
				!strings.Contains(f.Detail, `"mistyped"`) {
				s.t.Errorf("found is %+v; want table.attributes first, and what is missing", f)
			}
			s.unset(key)
		},
	}
}

// What the doctor advises mends what it has found, and loses no session.
func TestAdviceOnDynamoDB(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]adviceOnDynamoDB{
		"no table": {
			bare: true, check: "table", status: "fail", mend: (*transcript).follow,
		},
		"TTL is off": {
			hurt: func(t *testing.T, s *transcript) {
				t.Helper()
				table := s.config().Table()
				_, err := dynamotest.Client(t).UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
					TableName: &table.Name,
					TimeToLiveSpecification: &types.TimeToLiveSpecification{
						AttributeName: &table.Attributes.TTL, Enabled: aws.Bool(false),
					},
				})
				if err != nil {
					t.Fatal(err)
				}
			},
			check: "ttl", status: "fail", mend: (*transcript).follow,
		},
		"no index": {
			hurt:  func(_ *testing.T, s *transcript) { s.set("SCSDYNAMO_TABLE_EXPIRY_INDEX_NAME", "expiry") },
			check: "index", status: "fail", mend: (*transcript).follow,
		},
		"another key": {
			hurt:  func(_ *testing.T, s *transcript) { s.set("SCSDYNAMO_TABLE_PARTITION_KEY_NAME", "pk") },
			check: "keys", status: "fail",
			mend: func(s *transcript, f finding) {
				s.t.Helper()
				s.set("SCSDYNAMO_TABLE_PARTITION_KEY_NAME",
					regexp.MustCompile(`its partition key is "(.*?)"`).FindStringSubmatch(f.Detail)[1])
			},
		},
		"another TTL": {
			hurt:  func(_ *testing.T, s *transcript) { s.set("SCSDYNAMO_TABLE_ATTRIBUTES_TTL", "end") },
			check: "ttl", status: "fail",
			mend: func(s *transcript, f finding) {
				s.t.Helper()
				s.set("SCSDYNAMO_TABLE_ATTRIBUTES_TTL", regexp.MustCompile(`on, but by "(.*?)"`).FindStringSubmatch(f.Detail)[1])
			},
		},
		"other settings": {
			hurt:  func(_ *testing.T, s *transcript) { s.set("SCSDYNAMO_TABLE_DELETION_PROTECTION", "true") },
			check: "settings", status: "warn",
			mend: func(s *transcript, _ finding) { s.unset("SCSDYNAMO_TABLE_DELETION_PROTECTION") },
		},
		"a secret that was changed": {
			env:   []string{"SCSDYNAMO_SECRET_CURRENT=" + secret},
			hurt:  func(_ *testing.T, s *transcript) { s.set("SCSDYNAMO_SECRET_CURRENT", otherSecret) },
			check: "content", status: "fail",
			mend: func(s *transcript, _ finding) { s.set("SCSDYNAMO_SECRET_PREVIOUS", secret) },
		},
		"another context": {
			env:   []string{"SCSDYNAMO_SECRET_CURRENT=" + secret},
			hurt:  func(_ *testing.T, s *transcript) { s.set("SCSDYNAMO_SECRET_CONTEXT", "shop") },
			check: "content", status: "fail",
			mend: func(s *transcript, f finding) {
				s.t.Helper()
				if !strings.Contains(f.Fix, "secret.context") || strings.Contains(f.Fix, "secret.previous") {
					s.t.Errorf("found is %+v", f)
				}
				s.unset("SCSDYNAMO_SECRET_CONTEXT")
			},
		},
		"no context": {
			env:   []string{"SCSDYNAMO_SECRET_CURRENT=" + secret, "SCSDYNAMO_SECRET_CONTEXT=shop"},
			hurt:  func(_ *testing.T, s *transcript) { s.unset("SCSDYNAMO_SECRET_CONTEXT") },
			check: "content", status: "fail",
			mend: func(s *transcript, _ finding) { s.set("SCSDYNAMO_SECRET_CONTEXT", "shop") },
		},
		"another attribute for the data":    mistypedAttribute("data"),
		"another attribute for the expiry":  mistypedAttribute("expiry"),
		"another attribute for the version": mistypedAttribute("version"),
		"a secret that is missing": {
			env:   []string{"SCSDYNAMO_SECRET_CURRENT=" + secret},
			hurt:  func(_ *testing.T, s *transcript) { s.unset("SCSDYNAMO_SECRET_CURRENT") },
			check: "content", status: "fail",
			mend: func(s *transcript, _ finding) { s.set("SCSDYNAMO_SECRET_CURRENT", secret) },
		},
		"no rights": {
			hurt: func(t *testing.T, s *transcript) {
				t.Helper()
				s.through(t, proxy{denied: []string{"PutItem", "Scan"}})
			},
			check: "rights", status: "fail",
			mend: func(s *transcript, f finding) {
				s.t.Helper()
				s.follow(f) // which prints the policy
				s.set(endpointVariable, dynamotest.Endpoint(s.t))
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := onDynamoDB(t, test.env...)
			if !test.bare {
				s.withTable()
				s.put(tokenLive, map[string]any{"user": "u"})
			}
			store := *s // with the environment that the session was stored in
			store.env = slices.Clone(s.env)
			if test.hurt != nil {
				test.hurt(t, s)
			}
			f := s.examined()[test.check]
			if f.Status != test.status {
				t.Fatalf("found is %+v; want %s", f, test.status)
			}
			test.mend(s, f)
			if f := s.examined()[test.check]; f.Status != "ok" {
				t.Errorf("what was advised did not mend it: %+v", f)
			}
			if live, _, _ := store.stored(); live == test.bare {
				t.Errorf("the session is there: %v", live)
			}
		})
	}
}

func TestAdviceOnBolt(t *testing.T) {
	t.Parallel()
	shell := regexp.MustCompile(`^chmod 600 (\S+)$`)
	for name, test := range map[string]struct {
		env           []string
		hurt          func(t *testing.T, s *transcript, path string)
		check, status string
		mend          func(t *testing.T, s *transcript, f finding, path string)
	}{
		"others may read it": {
			hurt: func(t *testing.T, _ *transcript, path string) {
				t.Helper()
				if err := os.Chmod(path, 0o644); err != nil {
					t.Fatal(err)
				}
			},
			check: "permissions", status: "warn",
			mend: func(t *testing.T, s *transcript, f finding, _ string) {
				t.Helper()
				if err := os.Chmod(filepath.Join(s.dir, shell.FindStringSubmatch(f.Fix)[1]), 0o600); err != nil {
					t.Fatal(err)
				}
			},
		},
		"no database": {
			hurt: func(_ *testing.T, s *transcript, _ string) {
				s.file("other.db", "no database", 0o600)
				s.set("SCSDYNAMO_BOLT_PATH", "other.db")
			},
			check: "lock", status: "fail",
			mend: func(_ *testing.T, s *transcript, _ finding, _ string) { s.set("SCSDYNAMO_BOLT_PATH", "sessions.db") },
		},
		"no directory": {
			hurt:  func(_ *testing.T, s *transcript, _ string) { s.set("SCSDYNAMO_BOLT_PATH", "nowhere/sessions.db") },
			check: "file", status: "fail",
			mend: func(_ *testing.T, s *transcript, _ finding, _ string) { s.set("SCSDYNAMO_BOLT_PATH", "sessions.db") },
		},
		"another secret": {
			env:   []string{"SCSDYNAMO_SECRET_CURRENT=" + secret},
			hurt:  func(_ *testing.T, s *transcript, _ string) { s.set("SCSDYNAMO_SECRET_CURRENT", otherSecret) },
			check: "content", status: "fail",
			mend: func(_ *testing.T, s *transcript, _ finding, _ string) { s.set("SCSDYNAMO_SECRET_PREVIOUS", secret) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" {
				t.Skip("Windows has other rights")
			}
			s := onBolt(t, test.env...)
			s.put(tokenLive, map[string]any{"user": "u"})
			store, path := *s, filepath.Join(s.dir, "sessions.db")
			store.env = slices.Clone(s.env)
			test.hurt(t, s, path)
			f := s.examined()[test.check]
			if f.Status != test.status {
				t.Fatalf("found is %+v; want %s", f, test.status)
			}
			test.mend(t, s, f, path)
			if f := s.examined()[test.check]; f.Status != "ok" {
				t.Errorf("what was advised did not mend it: %+v", f)
			}
			if live, _, _ := store.stored(); !live {
				t.Error("the session is gone")
			}
		})
	}
}
