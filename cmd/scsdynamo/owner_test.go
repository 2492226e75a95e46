package main_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// login is a session of an application that knows its users.
type login struct{ token, user, device string }

// logins are some of them, by other tokens in each round: one that has ended is not begun again.
func logins(round string) []login {
	token := func(name string) string { return name + strings.Repeat(round, 43-len(name)) } // as those of scs
	return []login{
		{token("phone-"), "alice", "telephone"}, {token("laptop-"), "alice", "laptop"}, {token("other-"), "bob", "laptop"},
	}
}

// logIn stores a session of a user, as an application that gives WithOwner.
func (s *transcript) logIn(token, user, device string) {
	s.t.Helper()
	data, err := scs.GobCodec{}.Encode(time.Now().Add(time.Hour), map[string]any{"user": user})
	if err != nil {
		s.t.Fatal(err)
	}
	s.driver(func(driver storage.Driver) {
		store, err := s.config().Store(driver, sessionstore.WithLogger(slog.New(slog.DiscardHandler)),
			sessionstore.WithOwner("user", sessionstore.OwnerFrom("user")),
			sessionstore.WithOwnerDetails(func(*http.Request, map[string]any) map[string]string {
				return map[string]string{"device": device}
			}))
		if err != nil {
			s.t.Fatal(err)
		}
		if err := store.CommitCtx(s.t.Context(), token, data, time.Now().Add(90*24*time.Hour)); err != nil {
			s.t.Fatal(err)
		}
	})
}

// live returns which of the logins of a round are there, by their tokens' first letters.
func (s *transcript) live(round string) (live string) {
	s.t.Helper()
	s.driver(func(driver storage.Driver) {
		store := s.store(driver)
		for _, login := range logins(round) {
			if _, found, err := store.Lookup(s.t.Context(), login.token); err != nil {
				s.t.Fatal(err)
			} else if found {
				live += login.token[:1]
			}
		}
	})
	return live
}

func TestSessionsOfAnOwner(t *testing.T) {
	t.Parallel()
	for kind, env := range secrets {
		drivers(t, env, func(t *testing.T, driver string, s *transcript) {
			t.Helper()
			want := func(what, round, live string) {
				t.Helper()
				if got := s.live(round); got != live {
					t.Errorf("%s, the sessions %q live; want %q; after\n%s", what, got, live, s.text.String())
				}
			}
			all := func(round string) {
				t.Helper()
				for _, login := range logins(round) {
					s.logIn(login.token, login.user, login.device)
				}
			}
			all("A")
			s.run("sessions", "list", "--owner", "user=alice")
			s.run("sessions", "list", "--owner", "user=alice", "--output", "json")
			s.run("sessions", "list", "--owner=user=alice", "--limit", "1")
			s.note("of whom nothing is known")
			for _, owner := range []string{"user=Alice", "tenant=alice"} {
				s.run("sessions", "list", "--owner", owner)
				s.run("sessions", "delete", "--owner", owner)
				s.run("sessions", "delete", "--owner", owner, "--yes", "--output", "json")
			}
			s.note("nothing is done without confirmation")
			s.run("sessions", "delete", "--owner", "user=alice")
			s.run("sessions", "erase", "--owner", "user=alice")
			s.run("sessions", "erase", "--owner", "user=alice", "--output", "json")
			want("without confirmation", "A", "plo")
			s.run("sessions", "delete", "--owner", "user=alice", "--yes")
			want("after the end of alice's", "A", "o")
			s.run("sessions", "list", "--owner", "user=alice")
			s.run("sessions", "list", "--owner", "user=bob")
			all("B")
			s.run("sessions", "delete", "--owner", "user=alice", "--yes", "--output", "json")
			s.note("for a request for erasure")
			all("C")
			s.run("sessions", "erase", "--owner", "user=alice", "--yes")
			s.run("sessions", "erase", "--owner", "user=alice", "--yes")
			want("after the erasure", "C", "o")
			s.run("sessions", "erase", "--owner", "user=bob", "--yes", "--output", "json")
			want("after both", "A", "")
			want("after both", "C", "")
			s.golden("owner-" + kind + "-" + driver)
			for _, login := range slices.Concat(logins("A"), logins("B"), logins("C")) {
				if strings.Contains(s.text.String(), login.token) {
					t.Errorf("the token %s is printed", login.token)
				}
			}
		})
	}
}

// What is erased is nowhere in the table, but for a name in a key without a secret; and a script has it in its hands.
func TestEraseLeavesNothing(t *testing.T) {
	t.Parallel()
	for kind, env := range secrets {
		drivers(t, env, func(t *testing.T, _ string, s *transcript) {
			t.Helper()
			s.logIn(logins("A")[0].token, "alice", "telephone")
			before := time.Now()
			r := s.execute("", "sessions", "erase", "--owner", "user=alice", "--yes", "--output", "json")
			var erased struct {
				Index, Owner, Of, Left string
				Sessions               []string
				ErasedAt               time.Time `json:"erased_at"`
				Until                  time.Time `json:"left_until"`
			}
			if err := json.Unmarshal([]byte(r.stdout), &erased); err != nil {
				t.Fatalf("%q, %q: %v", r.stdout, r.stderr, err)
			}
			if erased.Index != "user" || erased.Owner != "alice" || len(erased.Sessions) != 1 ||
				!strings.Contains(erased.Of, s.place()) || erased.ErasedAt.Before(before.Add(-time.Second)) ||
				erased.Until.Before(before) || erased.Until.After(time.Now().Add(76*time.Minute)) {
				t.Errorf("the proof is %+v", erased)
			}
			if named := strings.Contains(erased.Left, "name"); named != (kind == "plain") {
				t.Errorf("%s: what is left is said to be: %s", kind, erased.Left)
			}
			s.driver(func(driver storage.Driver) {
				page, err := driver.Scan(t.Context(), storage.ScanRequest{Consistency: storage.Strong})
				if err != nil || len(page.Records) == 0 || page.Next != "" {
					t.Fatalf("%d records are left, %v; want the tombstone and the roster", len(page.Records), err)
				}
				for _, record := range page.Records {
					if strings.Contains(string(record.Data)+record.Version+record.Ancestry, "alice") ||
						strings.Contains(string(record.Data), "telephone") {
						t.Errorf("the record under %q has %q", record.Key, record.Data)
					}
					if strings.Contains(record.Key, "alice") && kind != "plain" {
						t.Errorf("the key %q has the name", record.Key)
					}
					if record.ExpiresAt.After(erased.Until.Add(time.Minute)) {
						t.Errorf("the record under %q expires at %v, after %v", record.Key, record.ExpiresAt, erased.Until)
					}
				}
			})
		})
	}
}

// An owner that cannot be one is refused, and not repeated: it may be a token in the wrong place.
func TestOwnersThatCannotBe(t *testing.T) {
	t.Parallel()
	s := onBolt(t)
	s.logIn(logins("A")[0].token, "alice", "telephone")
	token := logins("A")[0].token
	for _, command := range []string{"list", "delete", "erase"} {
		for _, owner := range []string{
			"", "=", "user", "=alice", "user=", token, "User=" + token, "us er=" + token, token + "=" + token,
			"user=" + strings.Repeat(token, 20), "user=\xff" + token, hostileText[:20] + "=" + token,
			strings.Repeat("u", 33) + "=" + token,
		} {
			for _, args := range [][]string{{"--owner", owner}, {"--owner=" + owner, "--output", "json"}} {
				r := s.execute("", append([]string{"sessions", command}, args...)...)
				if r.code != 2 || strings.Contains(r.stdout+r.stderr, token) || moves(r.stdout+r.stderr) {
					t.Errorf("%s %q: exit code %d; want 2\n%s%s", command, args, r.code, r.stdout, r.stderr)
				}
			}
		}
		if r := s.execute("", "sessions", command, "--owner", "user="+token, "--limit", token); r.code != 2 ||
			strings.Contains(r.stderr, token) {
			t.Errorf("%s: exit code %d, %s", command, r.code, r.stderr)
		}
	}
	for _, args := range [][]string{
		{"erase"},
		{"erase", token},
		{"erase", "--owner"},
		{"list", "--owner", "user=alice", "--all"},
		{"list", "--owner", "user=alice", "--expired"},
		{"list", "--owner", "user=alice", "--show-token"},
		{"delete", "--owner", "user=alice", "--all"},
		{"delete", "--owner", "user=alice", "--expired"},
		{"delete", "--owner", "user=alice", token},
		{"delete", "--owner", "user=alice", "--dry-run"},
		{"delete", "--owner", "user=alice", "--confirm", token},
	} {
		if r := s.execute("", append([]string{"sessions"}, args...)...); r.code != 2 || r.stdout != "" ||
			strings.Contains(r.stderr, token) {
			t.Errorf("%q: exit code %d; want 2\n%s%s", args, r.code, r.stdout, r.stderr)
		}
	}
	if got := s.live("A"); got != "p" {
		t.Errorf("the sessions %q live; want the one of before", got)
	}
}

// Owners are called what they like, and devices, too: it moves no cursor.
func TestHostileOwners(t *testing.T) {
	t.Parallel()
	drivers(t, nil, func(t *testing.T, _ string, s *transcript) {
		t.Helper()
		name := strings.ToValidUTF8(hostileText, "")
		for i, args := range [][]string{{"list"}, {"delete", "--yes"}, {"erase", "--yes"}} {
			for j, output := range []string{"table", "json"} {
				token := logins(string(rune('A' + 2*i + j)))[0].token
				s.logIn(token, name, hostileText)
				r := s.execute("", append([]string{"sessions", args[0], "--output", output, "--owner", "user=" + name},
					args[1:]...)...)
				if r.code != 0 || moves(r.stdout+r.stderr) || r.stdout == "" {
					t.Errorf("%s as %s: exit code %d, %q%q", args[0], output, r.code, r.stdout, r.stderr)
				}
			}
		}
	})
}

// The limit is told of, and the rest of the list is not read.
func TestListOfAnOwnerHasALimit(t *testing.T) {
	t.Parallel()
	s := onBolt(t)
	const n = 12
	for i := range n {
		s.logIn(fingerprint.Of(string(rune('a'+i))), "alice", "")
	}
	for limit, want := range map[string]int{"1": 1, "11": 11, "12": 12, "0": 12} {
		var list struct {
			Sessions  []struct{ Session string }
			Truncated bool
		}
		r := s.execute("", "sessions", "list", "--owner", "user=alice", "--limit", limit, "--output", "json")
		if err := json.Unmarshal([]byte(r.stdout), &list); err != nil || len(list.Sessions) != want ||
			list.Truncated != (want < n) {
			t.Errorf("with limit %s, %d are listed, truncated %v; %v", limit, len(list.Sessions), list.Truncated, err)
		}
		r = s.execute("", "sessions", "list", "--owner", "user=alice", "--limit", limit)
		if strings.Contains(r.stderr, "--limit 0 lists all") != (want < n) {
			t.Errorf("with limit %s: %q", limit, r.stderr)
		}
	}
}
