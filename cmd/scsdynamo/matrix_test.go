package main_test

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// every is every command that there is, those that change the most last.
func every(s *transcript) [][]string {
	return [][]string{
		{"config", "check"},
		{"config", "show", "--changed"},
		{"config", "init", "--config", "made.yaml"},
		{"doctor"},
		{"sessions", "count"},
		{"sessions", "list", "--all"},
		{"sessions", "list", "--all", "--output", "json"},
		{"sessions", "show", fingerprint.Of(tokenLive)},
		{"sessions", "show", "-", "--values"},
		{"sessions", "list", "--owner", "user=Ada Lovelace"},
		{"table", "verify"},
		{"table", "describe"},
		{"table", "iam"},
		{"table", "cloudformation", "--role", "app"},
		{"table", "terraform"},
		{"table", "add-index", "--set", "table.expiry_index.name=expiry", "--no-wait"},
		{"sessions", "delete", fingerprint.Of(tokenLive)},
		{"sessions", "delete", "--all"},
		{"sessions", "delete", "--all", "--yes"},
		{"table", "delete"},
		{"table", "delete", "--yes"},
		{"table", "delete", "--yes", "--confirm", "another"},
		{"sessions", "delete", "--expired", "--dry-run"},
		{"sessions", "delete", "--expired"},
		{"sessions", "delete", "-", "--yes"},
		{"sessions", "delete", "--owner", "user=alice", "--yes"},
		{"sessions", "erase", "--owner", "user=alice", "--yes"},
		{"sessions", "delete", "--all", "--confirm", s.place()},
		{"table", "create"},
	}
}

// documented are the exit codes of the help.
func documented(s *transcript) map[int]bool {
	s.t.Helper()
	_, list, _ := strings.Cut(s.execute("", "--help").stdout, "Exit codes:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	codes := map[int]bool{}
	for _, match := range regexp.MustCompile(`(?m)^ +(\d+)  `).FindAllStringSubmatch(list, -1) {
		code, err := strconv.Atoi(match[1])
		if err != nil {
			s.t.Fatal(err)
		}
		codes[code] = true
	}
	if len(codes) < 5 {
		s.t.Fatalf("the help has the exit codes %v", codes)
	}
	return codes
}

// matrix runs every command. Lists of sessions are in no order, so that their lines are sorted.
func (s *transcript) matrix(name string) {
	s.t.Helper()
	codes := documented(s)
	for _, args := range every(s) {
		r := s.execute(tokenLive+"\n", args...)
		if lines := strings.SplitAfter(r.stdout, "\n"); slices.Contains(args, "list") && len(lines) > 2 {
			slices.Sort(lines[1 : len(lines)-1])
			r.stdout = strings.ReplaceAll(strings.Join(lines, ""), "},\n", "}\n")
		}
		if !codes[r.code] {
			s.t.Errorf("%q: the exit code %d is not documented", args, r.code)
		}
		if text := r.stdout + r.stderr; moves(text) {
			s.t.Errorf("%q moves the cursor: %q", args, text)
		}
		for _, telling := range []string{tokenLive, tokenLeased, tokenExpired, secret, otherSecret} {
			if strings.Contains(r.stdout+r.stderr, telling) {
				s.t.Errorf("%q prints %q", args, telling)
			}
		}
		if document := args[0] == "table" &&
			slices.Contains([]string{"iam", "cloudformation", "terraform"}, args[1]); document && r.code == 0 {
			r.stdout = "(a document)\n"
		}
		s.add(r, args...)
	}
	s.golden("every-" + name)
}

// otherSecret is another one that anybody may know.
var otherSecret = base64.StdEncoding.EncodeToString(storetest.Secret(2))

// Every command under every adversity says what is the matter, exits as documented, and prints neither token nor
// secret.
func TestEveryCommand(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(t *testing.T) *transcript{
		"no-table": func(t *testing.T) *transcript { t.Helper(); return onDynamoDB(t) },
		"wrong-region": func(t *testing.T) *transcript {
			t.Helper()
			s := onDynamoDB(t).withoutTTL()
			s.seed()
			s.set("AWS_REGION", "eu-west-1")
			s.through(t, proxy{region: "us-east-1"})
			return s
		},
		"no-rights": func(t *testing.T) *transcript {
			t.Helper()
			s := onDynamoDB(t).withoutTTL()
			s.seed()
			s.through(t, proxy{denied: []string{
				"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Scan", "Query", "BatchWriteItem", "DescribeTable",
				"DescribeTimeToLive",
				"ListTagsOfResource", "CreateTable", "UpdateTable", "DeleteTable", "UpdateTimeToLive",
			}})
			return s
		},
		"wrong-secret": func(t *testing.T) *transcript {
			t.Helper()
			s := onDynamoDB(t, "SCSDYNAMO_SECRET_CURRENT="+secret).withoutTTL()
			s.seed()
			s.set("SCSDYNAMO_SECRET_CURRENT", otherSecret)
			return s
		},
		"missing-secret": func(t *testing.T) *transcript {
			t.Helper()
			s := onDynamoDB(t, "SCSDYNAMO_SECRET_CURRENT="+secret).withoutTTL()
			s.seed()
			s.unset("SCSDYNAMO_SECRET_CURRENT")
			return s
		},
		"first-secret": func(t *testing.T) *transcript {
			t.Helper()
			s := onDynamoDB(t).withoutTTL()
			s.seed()
			s.set("SCSDYNAMO_SECRET_CURRENT", secret)
			return s
		},
		"no-file": func(t *testing.T) *transcript { t.Helper(); return onBolt(t) },
		"no-configuration-file": func(t *testing.T) *transcript {
			t.Helper()
			return onBolt(t,
				keys.FileVariable+"=nowhere.yaml")
		},
		"no-environment": func(t *testing.T) *transcript {
			t.Helper()
			return onBolt(t,
				keys.EnvironmentVariable+"=prodution")
		},
		"no-terminal": func(t *testing.T) *transcript {
			t.Helper()
			s := onDynamoDB(t).withoutTTL()
			s.seed()
			return s
		},
		"hostile-values": func(t *testing.T) *transcript {
			t.Helper()
			s := onDynamoDB(t).withoutTTL()
			text := strings.ToValidUTF8(hostileText, "")
			s.put(tokenLive, map[string]any{"search": hostileText})
			s.driver(func(driver storage.Driver) {
				now := time.Now()
				if err := driver.Put(t.Context(), storage.Record{
					Key: "key" + text, CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(90 * 24 * time.Hour),
					Version: "version" + text,
					Lease:   storage.Lease{ID: text, Duration: time.Hour, ExpiresAt: now.Add(50 * time.Hour)}, Data: []byte(text),
				}, storage.Always()); err != nil {
					t.Fatal(err)
				}
			})
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			make(t).matrix(name)
		})
	}
}
