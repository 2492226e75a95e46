package main_test

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Tokens that look like something else.
var dashed = []string{
	"-Lb7xuK3zWHqrQfK4RhBywd4R6h5QeHQiAouD-cndjY",
	"-vb7xuK3zWHqrQfK4RhBywd4R6h5QeHQiAouD-cndjY",
	"-qb7xuK3zWHqrQfK4RhBywd4R6h5QeHQiAouD-cndjY",
	"-ob7xuK3zWHqrQfK4RhBywd4R6h5QeHQiAouD-cndjY",
	"-hb7xuK3zWHqrQfK4RhBywd4R6h5QeHQiAouD-cndjY",
	"-o=7xuK3zWHqrQfK4RhBywd4R6h5QeHQiAouD-cndjY",
	"--7xuK3zWHqrQfK4RhBywd4R6h5QeHQiAouD-cndjYx",
	"--valuesK3zWHqrQfK4RhBywd4R6h5QeHQiAouD-cnd",
	"---xuK3zWHqrQfK4RhBywd4R6h5QeHQiAouD-cndjYx",
}

// put stores a session with these values.
func (s *transcript) put(token string, values map[string]any) {
	s.t.Helper()
	data, err := scs.GobCodec{}.Encode(time.Now().Add(time.Hour), values)
	if err != nil {
		s.t.Fatal(err)
	}
	s.driver(func(driver storage.Driver) {
		if err := s.store(driver).CommitCtx(s.t.Context(), token, data, time.Now().Add(time.Hour)); err != nil {
			s.t.Fatal(err)
		}
	})
}

// What begins with a dash in the place of a session is one, with flags before, between and behind.
func TestTokensThatBeginWithADash(t *testing.T) {
	t.Parallel()
	for kind, env := range secrets {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := onBolt(t, env...)
			for _, token := range dashed {
				s.put(token, nil)
				for _, args := range [][]string{
					{"sessions", "show", token},
					{"sessions", "show", "-ojson", token},
					{"sessions", "--quiet", "show", token, "--values", "-o", "json"},
					{"-qv", "sessions", "show", "--set=driver=bolt", "--", token},
				} {
					if r := s.execute("", args...); r.code != 0 || strings.Contains(r.stdout+r.stderr, token) {
						t.Errorf("%q: exit code %d\n%s%s", args, r.code, r.stdout, r.stderr)
					}
				}
			}
			for _, flag := range []string{"-h", "--help"} {
				if r := s.execute("", "sessions", "show", flag); r.code != 0 || !strings.Contains(r.stdout, "Usage:") {
					t.Errorf("%s is not for help any more: exit code %d\n%s", flag, r.code, r.stderr)
				}
			}
			r := s.execute("", append([]string{"sessions", "delete", "--yes"}, dashed...)...)
			if r.code != 0 || !strings.Contains(r.stdout, "deleted 9 sessions") {
				t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
			}
		})
	}
}

// A script over a list reaches each session, whatever its token is and whether it opens.
func TestScriptOverAList(t *testing.T) {
	t.Parallel()
	drivers(t, nil, func(t *testing.T, _ string, s *transcript) {
		t.Helper()
		const n = 200 // of the keys of sealed sessions, some begin with a dash
		s.driver(func(driver storage.Driver) {
			for i := range n {
				store := s.store(driver)
				if i%2 == 0 {
					store = s.sealing(driver)
				}
				if err := store.CommitCtx(t.Context(), fingerprint.Of(string(rune(i))), []byte("data"),
					time.Now().Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
		})
		s.set("SCSDYNAMO_SECRET_CURRENT", secret)
		var list struct {
			Sessions []struct{ Session, Status string }
		}
		r := s.execute("", "sessions", "list", "--limit", "0", "--output", "json")
		if err := json.Unmarshal([]byte(r.stdout), &list); err != nil || len(list.Sessions) != n {
			t.Fatalf("%d are listed; %v", len(list.Sessions), err)
		}
		args, statuses := []string{"sessions", "delete", "--yes"}, map[string]int{}
		for _, session := range list.Sessions {
			args = append(args, session.Session)
			statuses[session.Status]++
		}
		if statuses["live"] != n/2 || statuses["unopened"] != n/2 {
			t.Errorf("listed are %v", statuses)
		}
		if r := s.execute("", args...); r.code != 0 {
			t.Fatal(r.stderr)
		}
		if r := s.execute("", "sessions", "count", "--output", "json"); !strings.Contains(r.stdout, `"total": 0`) {
			t.Errorf("some are left:\n%s", r.stdout)
		}
	})
}

// sealing is the store of an application that has the secret.
func (s *transcript) sealing(driver storage.Driver) *sessionstore.Store {
	s.t.Helper()
	cfg, err := config.Load(config.WithEnviron(append(slices.Clone(s.env), "SCSDYNAMO_SECRET_CURRENT="+secret)),
		config.WithDir(s.dir))
	if err != nil {
		s.t.Fatal(err)
	}
	store, err := cfg.Store(driver, sessionstore.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		s.t.Fatal(err)
	}
	return store
}

// A token in the wrong place is not repeated.
func TestI9_CommandLinesAreNotRepeated(t *testing.T) {
	t.Parallel()
	s := onBolt(t)
	s.seed()
	for _, token := range []string{dashed[0], dashed[5], dashed[7], tokenLive, tokenExpired[:12]} {
		for _, args := range [][]string{
			{token},
			{"sessions", token},
			{"sessions", "list", token},
			{"sessions", "count", token},
			{"doctor", token},
			{"config", token},
			{"config", "show", token},
			{"table", token},
			{"table", "iam", token},
			{"help", token},
			{"help", "sessions", token},
			{"completion", token},
			{"completion", "bash", token},
			{"--" + token},
			{"-" + token},
			{"sessions", "list", "--limit", token},
			{"sessions", "list", "--limit=" + token},
			{"sessions", "list", "--" + token},
			{"sessions", "list", "--all=" + token},
			{"doctor", "--timeout", token},
			{"doctor", "--output", token},
			{"doctor", "--output", "json", token},
			{"doctor", "--set", token},
			{"doctor", "--environment", token},
			{"doctor", "--environment", token, "--output", "json"},
			{"config", "init", "--environment", "../" + token},
			{"table", "iam", "--role", token},
			{"table", "terraform", "--role", token},
			{"table", "delete", "--confirm", token},
			{"sessions", "show", "unknown", token},
			{"sessions", "show", token, token},
			{"sessions", "delete", token},
			{"sessions", "delete", token, "unknown", "--yes"},
			{"sessions", "delete", "--all", "--confirm", token},
			{"sessions", "delete", "--all", "--yes", token},
			{"sessions", "delete", "--expired", token},
			{"sessions", "show", "--values=" + token, token},
			{"sessions", "show", "--output", token},
			{"sessions", "show", "sha256:" + token},
			{"sessions", "show", token, "--verbose", "--timeout", token},
		} {
			r := s.execute("", args...)
			if slices.Contains(args, "--environment") && len(token) < 20 {
				continue // It may be the name of one.
			}
			if bare := strings.Trim(token, "-"); strings.Contains(r.stdout+r.stderr, bare) {
				t.Errorf("%q prints the token:\n%s%s", args, r.stdout, r.stderr)
			}
		}
	}
}

// hostileText moves the cursor, changes the title, reorders, and pretends to be other lines.
const hostileText = "\x1b]0;owned\x07\x1b[2J\x1b[1;1Hsession\r\nstatus  " +
	"live\x1b]52;c;cm0=\x07\u009b2J\u202e\u2066\u2028\x7f\b\t\xff\U000e0041"

// moves reports whether a text has a character that must not reach a terminal.
func moves(text string) bool {
	return !utf8.ValidString(text) ||
		strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) })
}

// Whatever a visitor, another program or an endpoint has written, it moves no cursor.
func TestNothingMovesTheCursor(t *testing.T) {
	t.Parallel()
	drivers(t, nil, func(t *testing.T, driver string, s *transcript) {
		t.Helper()
		s.put(tokenLive, map[string]any{"key" + hostileText: "v", "search": hostileText, "list": []string{hostileText}})
		text := strings.ToValidUTF8(hostileText, "") // A key of DynamoDB must be.
		s.driver(func(driver storage.Driver) {
			now := time.Now()
			if err := driver.Put(t.Context(), storage.Record{
				Key: "k" + text, CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(time.Hour), Version: "v" + text,
				Lease: storage.Lease{ID: "l" + text, Duration: time.Hour, ExpiresAt: now.Add(time.Hour)},
			}, storage.Always()); err != nil {
				t.Fatal(err)
			}
		})
		show := []string{"sessions", "show", fingerprint.Of("k" + text)}
		for _, args := range [][]string{
			{"sessions", "list", "--all"},
			{"sessions", "list", "--show-token"},
			{"sessions", "list", "--output", "json"},
			{"sessions", "show", tokenLive, "--values"},
			{"sessions", "show", tokenLive, "--values", "--output", "json"},
			show, append(show, "--show-token", "--values"), append(show, "--output", "json"),
			{"sessions", "count"},
			{"doctor"},
			{"doctor", "--output", "json"},
			{"config", "show", "--set", "table.partition_key.prefix=" + hostileText + ":"},
			{"config", "show", "--set", "bolt.path=" + hostileText, "--output", "json"},
			{"config", "show", "--set", "table.tags=a=" + text},
			{"table", "terraform", "--set", "table.partition_key.prefix=" + text + ":", "--role", "app"},
			{
				"table", "cloudformation", "--set", "table.partition_key.prefix=" + text + ":", "--set",
				"table.tags=a=" + text, "--role", "app",
			},
			{"table", "iam", "--set", "table.partition_key.prefix=" + text + ":"},
			{"table", "delete", "--set", "table.name=" + hostileText},
			{"doctor", "--set", "bolt.path=" + hostileText},
			{"doctor", "--set", hostileText + "=1"},
			{"config", "check", "--config", hostileText},
			{"config", "init", "--print", "--set", "table.partition_key.prefix=" + text + ":"},
			{"doctor", "--environment", hostileText},
			{"sessions", "delete", "--all", "--set", "bolt.path=" + hostileText},
			{hostileText},
		} {
			r := s.execute("", args...)
			if moves(r.stdout) || moves(r.stderr) {
				t.Errorf("%q: %q%q", args, r.stdout, r.stderr)
			}
		}
	})
}

// What an endpoint says of an error reaches no terminal as it is.
func TestHostileEndpoint(t *testing.T) {
	t.Parallel()
	s := onDynamoDB(t)
	s.through(t, proxy{says: strings.ToValidUTF8(hostileText, "")})
	for _, args := range [][]string{
		{"sessions", "list"},
		{"sessions", "count", "--verbose"},
		{"table", "verify", "--verbose", "--output", "json"},
		{"table", "describe", "--verbose"},
		{"table", "create", "--verbose"},
		{"doctor", "--verbose"},
		{"doctor", "--output", "json"},
	} {
		if r := s.execute("", args...); r.code == 0 || moves(r.stdout) || moves(r.stderr) {
			t.Errorf("%q: exit code %d: %q%q", args, r.code, r.stdout, r.stderr)
		}
	}
}
