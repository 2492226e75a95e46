package gcrunner_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

func TestRulesThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rules  gcrunner.Rules
		noRule bool
		says   []string
	}{
		"none":         {gcrunner.Rules{}, true, nil},
		"only a grace": {gcrunner.Rules{Grace: time.Hour}, true, []string{"Grace: 1h0m0s without Rules.Expired"}},
		"negative": {
			gcrunner.Rules{Expired: true, Grace: -1, MaxAge: -2, MaxStale: -3},
			false,
			[]string{"Grace: -1ns", "MaxAge: -2ns", "MaxStale: -3ns"},
		},
		"only negative": {gcrunner.Rules{MaxAge: -time.Hour}, true, []string{"MaxAge: -1h0m0s"}},
	} {
		driver := memory.New()
		collector, err := gcrunner.NewCollector(driver, test.rules, gcrunner.CollectorOptions{})
		if err == nil || collector != nil || errors.Is(err, gcrunner.ErrNoRule) != test.noRule {
			t.Errorf("%s: %v; matches ErrNoRule must be %v", name, err, test.noRule)
			continue
		}
		for _, says := range test.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: the error does not say %q: %v", name, says, err)
			}
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	never := session("of unknown age", 0, 0, time.Hour)
	never.CreatedAt, never.UpdatedAt = time.Time{}, time.Time{}
	for _, test := range []struct {
		name   string
		rules  gcrunner.Rules
		record storage.Record
		want   gcrunner.Deleted
	}{
		{"expired", gcrunner.Rules{Expired: true}, session("a", day, day, -time.Second), gcrunner.Deleted{Expired: 1}},
		{"live", gcrunner.Rules{Expired: true}, session("a", 99*day, 99*day, time.Minute), gcrunner.Deleted{}},
		{
			"within grace",
			gcrunner.Rules{Expired: true, Grace: time.Hour},
			session("a", day, day, -59*time.Minute),
			gcrunner.Deleted{},
		},
		{
			"after grace",
			gcrunner.Rules{Expired: true, Grace: time.Hour},
			session("a", day, day, -61*time.Minute),
			gcrunner.Deleted{Expired: 1},
		},
		{"too old", gcrunner.Rules{MaxAge: day}, session("a", day+time.Minute, 0, time.Hour), gcrunner.Deleted{MaxAge: 1}},
		{"not too old", gcrunner.Rules{MaxAge: day}, session("a", day-time.Minute, 0, time.Hour), gcrunner.Deleted{}},
		{
			"too stale",
			gcrunner.Rules{MaxStale: day},
			session("a", 9*day, day+time.Minute, time.Hour),
			gcrunner.Deleted{MaxStale: 1},
		},
		{"not too stale", gcrunner.Rules{MaxStale: day}, session("a", 9*day, day-time.Minute, time.Hour), gcrunner.Deleted{}},
		{
			"expired, but there is no such rule",
			gcrunner.Rules{MaxAge: day, MaxStale: day},
			session("a", 0, 0, -time.Hour),
			gcrunner.Deleted{},
		},
		{
			"one of three",
			gcrunner.Rules{Expired: true, MaxAge: day, MaxStale: day},
			session("a", 2*day, 0, time.Hour),
			gcrunner.Deleted{MaxAge: 1},
		},
		{
			"the first of three",
			gcrunner.Rules{Expired: true, MaxAge: day, MaxStale: day},
			session("a", 2*day, 2*day, -time.Hour),
			gcrunner.Deleted{Expired: 1},
		},
		{"of unknown age", gcrunner.Rules{Expired: true, MaxAge: 1, MaxStale: 1}, never, gcrunner.Deleted{}},
	} {
		driver := memory.New()
		put(t, driver, test.record)
		report := run(t, newCollectorBy(t, driver, test.rules))
		deletes(t, report, test.want)
		if got := stored(t, driver, test.record.Key); got != (test.want.Total() == 0) {
			t.Errorf("%s: stored after the run: %v", test.name, got)
		}
		if report.Scanned != 1 || report.Stopped != gcrunner.Completed || report.Total() != test.want.Total() {
			t.Errorf("%s: %+v", test.name, report)
		}
	}
}

// Expiry is judged by the clock of the collector: at the instant of it a session is dead.
func TestRulesGoByTheClock(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	record := session("a", 0, 0, 24*time.Hour)
	record.ExpiresAt = record.ExpiresAt.Round(0)
	put(t, driver, record)
	now := record.ExpiresAt.Add(-1)
	collector := newCollector(t, driver, gcrunner.CollectorOptions{Now: func() time.Time { return now }})
	deletes(t, run(t, collector), gcrunner.Deleted{})
	now = record.ExpiresAt
	report := run(t, collector)
	deletes(t, report, gcrunner.Deleted{Expired: 1})
	if !report.OldestExpired.Equal(record.ExpiresAt) || report.Backlog() != 0 || !report.Started.Equal(now) {
		t.Errorf("oldest %v, backlog %v, started %v", report.OldestExpired, report.Backlog(), report.Started)
	}
}
