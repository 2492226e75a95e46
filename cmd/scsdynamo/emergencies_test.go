package main_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/storage"
)

// The command that docs/emergencies.md gives for after a leak does what the page says, to the letter.
func TestSessionsAreDeletedAfterALeak(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/emergencies.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile("`scsdynamo (sessions delete --all --set secret.current_file=/the/old/secret .*)`").FindSubmatch(page)
	if line == nil {
		t.Fatal("the page has no such command")
	}
	drivers(t, []string{"SCSDYNAMO_SECRET_CURRENT=" + secret}, func(t *testing.T, _ string, s *transcript) {
		t.Helper()
		count := func() (n int) {
			s.driver(func(driver storage.Driver) {
				page, err := driver.Scan(t.Context(), storage.ScanRequest{})
				if err != nil {
					t.Fatal(err)
				}
				n = len(slices.DeleteFunc(page.Records,
					func(r storage.Record) bool { return r.Ended() || storage.Reserved(r.Key) }))
			})
			return n
		}
		s.file("old.key", secret+"\n", 0o600)
		args := strings.Fields(strings.NewReplacer("/the/old/secret", "old.key", "--confirm sessions",
			"--confirm "+s.place()).Replace(string(line[1])))
		dry := append(slices.Clone(args[:len(args)-2]), "--dry-run")
		s.put(tokenLive, nil)
		s.set("SCSDYNAMO_SECRET_CURRENT", otherSecret) // the new one
		if r := s.execute("", args[:len(args)-2]...); r.code != 6 || count() != 1 {
			t.Errorf("without --confirm: exit code %d, %d are left, %s", r.code, count(), r.stderr)
		}
		if r := s.execute("", args...); r.code != 0 || count() != 0 {
			t.Errorf("before there are new sessions: exit code %d, %d are left, %s", r.code, count(), r.stderr)
		}
		s.set("SCSDYNAMO_SECRET_CURRENT", secret)
		s.put(tokenLive, nil)
		s.set("SCSDYNAMO_SECRET_CURRENT", otherSecret)
		s.put(tokenLeased, nil)
		if f := s.examined("--read-only")["content"]; !strings.Contains(f.Fix, "unless it has leaked") {
			t.Errorf("the doctor has found %+v, against what the page says", f)
		}
		if got := s.execute("", dry...); got.code != 0 || !strings.Contains(got.stdout, "would delete 1 session") ||
			!strings.Contains(got.stdout, "1 session of another") {
			t.Errorf("exit code %d, %s%s", got.code, got.stdout, got.stderr)
		}
		if r := s.execute("", args...); r.code != 1 || !strings.Contains(r.stderr, "left") || count() != 1 {
			t.Errorf("beside a new session: exit code %d, %d are left, %s", r.code, count(), r.stderr)
		}
		s.driver(func(driver storage.Driver) {
			if _, found, err := s.store(driver).Find(tokenLeased); err != nil || !found {
				t.Errorf("the new session is gone: %v", err)
			}
		})
	})
}
