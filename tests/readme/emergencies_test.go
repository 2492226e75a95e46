package readme_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// steps returns the numbered steps of a section of docs/emergencies.md.
func steps(t *testing.T, section string) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/emergencies.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "\n## "+section+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	if !found {
		t.Fatalf("the page has no section %q", section)
	}
	all := regexp.MustCompile(`(?m)^\d\. `).Split(text, -1)[1:]
	all[len(all)-1], _, _ = strings.Cut(all[len(all)-1], "\n\n")
	return all
}

var (
	withSecret   = regexp.MustCompile(`WithSecret\((\w+)(?:, (\w+))?\)`)
	withPrevious = regexp.MustCompile(`WithPreviousSecret\((\w+), until\)`)
)

// optionsOf returns the options that a step shows.
func optionsOf(t *testing.T, step string, until time.Time) []sessionstore.Option {
	t.Helper()
	secrets := map[string][]byte{"old": storetest.Secret(1), "new": storetest.Secret(2)}
	shown := withSecret.FindStringSubmatch(step)
	if shown == nil {
		t.Fatalf("the step shows no WithSecret: %s", step)
	}
	options := []sessionstore.Option{sessionstore.WithSecret(secrets[shown[1]])}
	if shown[2] != "" {
		options[0] = sessionstore.WithSecret(secrets[shown[1]], secrets[shown[2]])
	}
	if previous := withPrevious.FindStringSubmatch(step); previous != nil {
		options = append(options, sessionstore.WithPreviousSecret(secrets[previous[1]], until))
	}
	return options
}

// The steps for a change of the secret, one after the other as the page says: while processes of two steps run, each
// finds the sessions of the other, and a logout in one is a logout in both.
func TestChangeOfASecret(t *testing.T) {
	t.Parallel()
	all := append([]string{"`WithSecret(old)`"}, steps(t, "A secret is changed without an emergency")...)
	if len(all) != 4 {
		t.Fatalf("the page has %d steps", len(all)-1)
	}
	now := time.Now()
	until := now.Add(time.Hour)
	for i := range all[1:] {
		at := now
		if strings.Contains(all[i+1], "has passed") {
			at = until
		}
		driver := memory.New()
		process := func(step string) *sessionstore.Store {
			store, err := sessionstore.New(driver,
				append(optionsOf(t, step, until), sessionstore.WithClock(func() time.Time { return at }))...)
			if err != nil {
				t.Fatal(err)
			}
			return store
		}
		before, after := process(all[i]), process(all[i+1])
		for name, pair := range map[string][2]*sessionstore.Store{
			"the old process": {before, after},
			"the new process": {after, before},
		} {
			begin, other := pair[0], pair[1]
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Errorf("step %d, %s: %v", i+1, name, err)
				}
			}
			must(begin.Commit(name, []byte("1"), at.Add(time.Hour)))
			if _, found, err := other.Find(name); err != nil || !found {
				t.Errorf("step %d: a session that %s has begun is not found in the other: %v", i+1, name, err)
			}
			must(other.Commit(name, []byte("2"), at.Add(time.Hour)))
			if data, found, err := begin.Find(name); err != nil || !found || string(data) != "2" {
				t.Errorf("step %d: what the other process has committed is %q, %v in %s: %v", i+1, data, found, name, err)
			}
			must(begin.Delete(name))
			if _, found, err := other.Find(name); err != nil || found {
				t.Errorf("step %d: a logout in %s is none in the other: %v", i+1, name, err)
			}
		}
	}
}

// The steps after a leak end what was stored, for whoever has the old secret, too.
func TestLeakOfASecret(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	leaked, err := sessionstore.New(driver, sessionstore.WithSecret(storetest.Secret(1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := leaked.Commit("token", nil, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	store, err := sessionstore.New(driver, optionsOf(t, steps(t, "A secret has leaked")[1], time.Time{})...)
	if err != nil {
		t.Fatal(err)
	}
	if err := leaked.Commit("forged", nil, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"token", "forged"} {
		if _, found, _ := store.Find(token); found {
			t.Errorf("%s is still found", token)
		}
	}
}
