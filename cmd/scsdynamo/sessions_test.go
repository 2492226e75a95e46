package main_test

import (
	"encoding/gob"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/storage"
)

// secrets are the ways to store sessions.
var secrets = map[string][]string{"sealed": {"SCSDYNAMO_SECRET_CURRENT=" + secret}, "plain": nil}

func TestSessionsAreLookedAt(t *testing.T) {
	t.Parallel()
	for kind, env := range secrets {
		drivers(t, env, func(t *testing.T, driver string, s *transcript) {
			t.Helper()
			s.seed()
			s.run("sessions", "count")
			s.run("sessions", "count", "--output", "json")
			s.sorted("sessions", "list")
			s.run("sessions", "list", "--expired")
			expired := s.execute("", "sessions", "list", "--expired", "--output", "json")
			s.add(expired, "sessions", "list", "--expired", "--output", "json")
			var list struct {
				Sessions []struct{ Session, Fingerprint string }
			}
			if err := json.Unmarshal([]byte(expired.stdout), &list); err != nil || len(list.Sessions) != 1 {
				t.Fatalf("the list is %q: %v", expired.stdout, err)
			}
			s.run("sessions", "show", list.Sessions[0].Session)
			s.run("sessions", "show", list.Sessions[0].Fingerprint[:11])
			leaks(t, s.text.String())

			s.note("by its token, which is on the command line")
			s.run("sessions", "show", tokenLeased, "--values")
			s.run("sessions", "show", tokenLive, "--values", "--show-token", "--output", "json")
			s.run("sessions", "list", "--expired", "--show-token")
			s.run("sessions", "show", "unknown")
			s.run("sessions", "show", "unknown", "--output", "json")
			s.run("sessions", "show", "sha256:0000")
			s.run("sessions", "show", "sha256:xyz")
			s.golden("sessions-" + kind + "-" + driver)
		})
	}
}

func TestSessionFromStandardInput(t *testing.T) {
	t.Parallel()
	drivers(t, nil, func(t *testing.T, _ string, s *transcript) {
		t.Helper()
		s.seed()
		for input, code := range map[string]int{
			tokenLive + "\n": 0, tokenLive: 0, "  " + tokenLive + "  \n": 0, "\n": 2,
			"": 2, "other": 4,
		} {
			r := s.execute(input, "sessions", "show", "-")
			if r.code != code || (code == 0) != strings.Contains(r.stdout, fingerprint.Of(tokenLive)) {
				t.Errorf("with %q, the exit code is %d; want %d; %s%s", input, r.code, code, r.stdout, r.stderr)
			}
			leaks(t, r.stdout+r.stderr)
		}
	})
}

func TestSessionsAreDeleted(t *testing.T) {
	t.Parallel()
	for kind, env := range secrets {
		drivers(t, env, func(t *testing.T, driver string, s *transcript) {
			t.Helper()
			want := func(wantLive, wantLeased, wantExpired bool) {
				t.Helper()
				if live, leased, expired := s.stored(); live != wantLive || leased != wantLeased || expired != wantExpired {
					t.Errorf("stored are live %v, leased %v, expired %v; want %v, %v, %v; after\n%s",
						live, leased, expired, wantLive, wantLeased, wantExpired, s.text.String())
				}
			}
			s.seed()
			s.note("nothing is done without confirmation")
			s.run("sessions", "delete", "--all")
			s.run("sessions", "delete", "--all", "--yes")
			s.run("sessions", "delete", "--all", "--yes", "--confirm", "another", "--output", "json")
			s.run("sessions", "delete", "--all", "--confirm", "")
			s.run("sessions", "delete", "--expired", "--confirm", s.place())
			s.run("sessions", "delete", tokenLive)
			s.run("sessions", "delete", tokenLive, "--output", "json")
			want(true, true, true)
			s.note("nor where one is not there, or it is not clear what is meant")
			s.run("sessions", "delete", tokenLive, "unknown", "--yes")
			s.run("sessions", "delete")
			s.run("sessions", "delete", tokenLive, "--all", "--yes")
			s.run("sessions", "delete", "--expired", "--all", "--yes")
			s.run("sessions", "delete", "--all", "--dry-run", "--yes")
			s.run("sessions", "delete", "--all", "--dry-run", "--confirm", s.place(), "--output", "json")
			s.run("sessions", "delete", tokenLive, "--dry-run")
			s.run("sessions", "delete", "--expired", "--dry-run")
			want(true, true, true)
			s.note("the expired ones")
			s.run("sessions", "delete", "--expired", "--output", "json")
			want(true, true, false)
			s.run("sessions", "delete", tokenLive, "--yes")
			want(false, true, false)
			s.seed()
			s.run("sessions", "delete", "--all", "--confirm", s.place())
			want(false, false, false)
			s.run("sessions", "delete", "--all", "--confirm", s.place(), "--output", "json")
			s.run("sessions", "count")
			s.golden("delete-" + kind + "-" + driver)
		})
	}
}

// known is a type that only this application knows.
type known struct{ Name string }

func TestSessionWithUnknownTypes(t *testing.T) {
	t.Parallel()
	gob.Register(known{})
	s := onBolt(t)
	s.driver(func(driver storage.Driver) {
		data, err := scs.GobCodec{}.Encode(time.Now(), map[string]any{"user": known{"Lovelace"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.store(driver).CommitCtx(t.Context(), tokenLive, data, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	})
	s.hide(tokenLive, "TOKEN")
	s.run("sessions", "show", tokenLive, "--values")
	s.golden("unknown-types")
	if strings.Contains(s.text.String(), "Lovelace") {
		t.Error("what cannot be decoded is printed")
	}
}

// A record that was damaged is listed, counted, shown and deleted.
func TestUnreadableSession(t *testing.T) {
	t.Parallel()
	s := onDynamoDB(t).withoutTTL()
	s.seed()
	table := s.config().Table()
	_, err := dynamotest.Client(t).PutItem(t.Context(),
		&dynamodb.PutItemInput{TableName: &table.Name, Item: map[string]types.AttributeValue{
			table.PartitionKey.Name:  &types.AttributeValueMemberS{Value: "damaged"},
			table.Attributes.Version: &types.AttributeValueMemberN{Value: "1"},
			table.Attributes.Data:    &types.AttributeValueMemberS{Value: "no bytes"},
		}})
	if err != nil {
		t.Fatal(err)
	}
	s.run("sessions", "count")
	s.sorted("sessions", "list")
	s.run("sessions", "show", "damaged")
	s.run("sessions", "show", "damaged", "--output", "json")
	s.run("sessions", "delete", fingerprint.Of("damaged"), "--yes")
	s.run("sessions", "show", "damaged")
	s.golden("unreadable")
	leaks(t, s.text.String())
}

// The limit is told of, and nothing is left out without it.
func TestSessionsListLimit(t *testing.T) {
	t.Parallel()
	drivers(t, nil, func(t *testing.T, _ string, s *transcript) {
		t.Helper()
		s.seed()
		for limit, want := range map[string]int{"1": 1, "2": 2, "3": 3, "0": 3} {
			truncated := limit == "1" || limit == "2"
			var list struct {
				Sessions  []struct{ Session string }
				Truncated bool
			}
			r := s.execute("", "sessions", "list", "--all", "--limit", limit, "--output", "json")
			if err := json.Unmarshal([]byte(r.stdout), &list); err != nil || len(list.Sessions) != want ||
				list.Truncated != truncated {
				t.Errorf("with limit %s, %d are listed, truncated %v; %v", limit, len(list.Sessions), list.Truncated, err)
			}
			r = s.execute("", "sessions", "list", "--all", "--limit", limit)
			if lines := strings.Count(r.stdout, "\n"); lines != want+1 ||
				strings.Contains(r.stderr, "--limit 0 lists all") != truncated {
				t.Errorf("with limit %s, %d lines, %q", limit, lines, r.stderr)
			}
		}
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	s := onDynamoDB(t).withTable()
	s.through(t, proxy{slow: []string{"Scan", "DeleteTable"}})
	s.run("sessions", "count", "--quiet", "--timeout", "200ms")
	s.run("sessions", "delete", "--all", "--confirm", s.place(), "--quiet", "--timeout", "200ms", "--output", "json")
	s.golden("timeout")
}
