package gcrunner_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
)

func TestScheduleValidate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		schedule gcrunner.Schedule
		says     []string // nothing where it is valid
	}{
		"interval":          {gcrunner.Schedule{Interval: time.Hour}, nil},
		"with jitter":       {gcrunner.Schedule{Interval: time.Hour, Jitter: time.Hour}, nil},
		"cron":              {gcrunner.Schedule{Cron: "17 3 * * *", Jitter: time.Hour}, nil},
		"cron in a zone":    {gcrunner.Schedule{Cron: "*/5 1-3 * JAN,feb mon", Zone: time.Local}, nil},
		"neither":           {gcrunner.Schedule{}, []string{"neither Interval nor Cron"}},
		"both":              {gcrunner.Schedule{Interval: time.Hour, Cron: "17 3 * * *"}, []string{"Interval, too"}},
		"negative interval": {gcrunner.Schedule{Interval: -time.Hour}, []string{"Interval: -1h0m0s"}},
		"short interval":    {gcrunner.Schedule{Interval: time.Millisecond}, []string{"at least 1s"}},
		"negative jitter":   {gcrunner.Schedule{Interval: time.Hour, Jitter: -1}, []string{"Jitter: -1ns"}},
		"long jitter": {
			gcrunner.Schedule{Interval: time.Hour, Jitter: 2 * time.Hour},
			[]string{"longer than Interval"},
		},
		"no cron expression": {gcrunner.Schedule{Cron: "every day"}, []string{`"every day" is not a cron expression`}},
		"seconds":            {gcrunner.Schedule{Cron: "0 17 3 * * *"}, []string{"five fields", "it has 6; seconds"}},
		"four fields":        {gcrunner.Schedule{Cron: "17 3 * *"}, []string{"it has 4"}},
		"a tag":              {gcrunner.Schedule{Cron: "@daily"}, []string{"five fields", "for @daily write 0 0 * * *"}},
		"no tag":             {gcrunner.Schedule{Cron: "@reboot"}, []string{`there is no "@reboot"`}},
		"an interval":        {gcrunner.Schedule{Cron: "@every 1h"}, []string{"set Interval"}},
		"a zone":             {gcrunner.Schedule{Cron: "CRON_TZ=Europe/Berlin 17 3 * * *"}, []string{"set Zone"}},
		"minute": {
			gcrunner.Schedule{Cron: "60 3 * * *"},
			[]string{"five fields", "minute: 60 is out of range; it is from 0 to 59"},
		},
		"hour": {
			gcrunner.Schedule{Cron: "0 24 * * *"},
			[]string{"hour: 24 is out of range; it is from 0 to 23"},
		},
		"day":     {gcrunner.Schedule{Cron: "0 0 0 * *"}, []string{"day of the month: 0 is out of range"}},
		"month":   {gcrunner.Schedule{Cron: "0 0 1 13 *"}, []string{"month: 13 is out of range"}},
		"weekday": {gcrunner.Schedule{Cron: "0 0 * * 8"}, []string{"day of the week: 8 is out of range"}},
		"no month": {
			gcrunner.Schedule{Cron: "0 0 1 MARCH *"},
			[]string{`month: "MARCH" is neither a number nor one of JAN to DEC`},
		},
		"Jenkins' hash": {gcrunner.Schedule{Cron: "H 3 * * *"}, []string{`minute: "H" is not a number`}},
		"backwards": {
			gcrunner.Schedule{Cron: "0 3 * * SAT-SUN"},
			[]string{`day of the week: "SAT-SUN" ends before it begins`},
		},
		"range out of range":  {gcrunner.Schedule{Cron: "0 20-24 * * *"}, []string{"hour: 24 is out of range"}},
		"no step":             {gcrunner.Schedule{Cron: "*/0 * * * *"}, []string{`minute: the step of "*/0"`}},
		"half a step":         {gcrunner.Schedule{Cron: "0 */ * * *"}, []string{`hour: the step of "*/"`}},
		"an empty element":    {gcrunner.Schedule{Cron: "0,,5 * * * *"}, []string{`minute: "" has an empty element`}},
		"negative":            {gcrunner.Schedule{Cron: "-5 * * * *"}, []string{"minute: "}},
		"a list with one":     {gcrunner.Schedule{Cron: "0-59,99 * * * *"}, []string{"five fields", "minute: 99"}},
		"all that is allowed": {gcrunner.Schedule{Cron: "0-30/5,45 */2,23 1,15,L */3,JAN-MAR MON-FRI,sat,7"}, nil},
		"never":               {gcrunner.Schedule{Cron: "0 0 30 2 *"}, []string{"never due"}},
		"zone without cron":   {gcrunner.Schedule{Interval: time.Hour, Zone: time.UTC}, []string{"Zone: UTC without Cron"}},
		"everything at once": {
			gcrunner.Schedule{Cron: "x", Interval: 1, Jitter: -1, Zone: time.UTC},
			[]string{"too", "Jitter"},
		},
		"zone of the process": {gcrunner.Schedule{Cron: "* * * * *", Zone: time.FixedZone("here", 3600)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.schedule.Validate()
			if (err == nil) != (test.says == nil) {
				t.Fatalf("%v; want an error: %v", err, test.says != nil)
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

// began runs a runner for so long, in time that passes at once, and returns when its runs began.
func began(t *testing.T, schedule gcrunner.Schedule, start time.Time, length time.Duration) []time.Time {
	t.Helper()
	var times []time.Time
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(start))
		driver := newBetween()
		driver.before = func(operation, _ string) error {
			if operation == "Scan" {
				times = append(times, time.Now())
			}
			return nil
		}
		runner := newRunner(t, newCollector(t, driver), schedule)
		defer goRun(t, runner)()
		time.Sleep(length)
		synctest.Wait()
	})
	return times
}

// bubbleStart is when bubbles of synctest begin.
var bubbleStart = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

func TestRunnerRunsEveryInterval(t *testing.T) {
	t.Parallel()
	times := began(t, gcrunner.Schedule{Interval: time.Hour}, bubbleStart, 10*time.Hour+time.Minute)
	if len(times) != 11 {
		t.Fatalf("%d runs in ten hours and a minute; want 11, the first at once", len(times))
	}
	for i, at := range times {
		if want := bubbleStart.Add(time.Duration(i) * time.Hour); !at.Equal(want) {
			t.Errorf("run %d began at %v; want %v", i, at, want)
		}
	}
}

// Runs begin later than they are due, at random, and never drift.
func TestRunnerJitter(t *testing.T) {
	t.Parallel()
	const jitter = 20 * time.Minute
	times := began(t, gcrunner.Schedule{Interval: time.Hour, Jitter: jitter}, bubbleStart, 100*time.Hour+jitter)
	if len(times) < 100 || len(times) > 101 {
		t.Fatalf("%d runs in 100 hours; want 100 or 101", len(times))
	}
	late := map[time.Duration]bool{}
	for i, at := range times {
		by := at.Sub(bubbleStart) - time.Duration(i)*time.Hour
		if by < 0 || by > jitter {
			t.Errorf("run %d began %v late; want 0 to %v", i, by, jitter)
		}
		late[by.Truncate(time.Minute)] = true
	}
	if len(late) < 10 {
		t.Errorf("100 runs were late by %d different minutes: that is not random", len(late))
	}
}

func TestRunnerCron(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skipf("no time zones on this machine (%v); install tzdata", err)
	}
	for name, test := range map[string]struct {
		cron  string
		zone  *time.Location
		start time.Time
		want  []string
	}{
		"UTC by default": {"17 3 * * *", nil, time.Date(2030, 7, 1, 3, 17, 1, 0, time.UTC), []string{
			"2030-07-02T03:17:00Z", "2030-07-03T03:17:00Z",
		}},
		"a time zone": {"17 3 * * *", berlin, time.Date(2030, 7, 1, 3, 17, 1, 0, time.UTC), []string{
			"2030-07-02T01:17:00Z", "2030-07-03T01:17:00Z",
		}},
		"an hour that is left out": {"30 2 * * *", berlin, time.Date(2030, 3, 30, 0, 0, 0, 0, time.UTC), []string{
			"2030-03-30T01:30:00Z", // and none on the 31st
		}},
		"an hour that comes twice": {"30 2 * * *", berlin, time.Date(2030, 10, 26, 20, 0, 0, 0, time.UTC), []string{
			"2030-10-27T01:30:00Z", "2030-10-28T01:30:00Z",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			times := began(t, gcrunner.Schedule{Cron: test.cron, Zone: test.zone}, test.start, 48*time.Hour)
			var got []string
			for _, at := range times {
				got = append(got, at.UTC().Format(time.RFC3339))
			}
			if strings.Join(got, " ") != strings.Join(test.want, " ") {
				t.Errorf("runs at %v; want %v", got, test.want)
			}
		})
	}
}

// A run that takes longer than the interval is not followed by those that it has missed.
func TestRunnerLongRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		var times []time.Duration
		start := time.Now()
		driver.before = func(string, string) error {
			times = append(times, time.Since(start))
			time.Sleep(150 * time.Minute)
			return nil
		}
		runner := newRunner(t, newCollector(t, driver), gcrunner.Schedule{Interval: time.Hour})
		defer goRun(t, runner)()
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		want := []time.Duration{0, 3 * time.Hour, 6 * time.Hour, 9 * time.Hour}
		if len(times) != len(want) {
			t.Fatalf("runs began after %v; want %v", times, want)
		}
		for i := range want {
			if times[i] != want[i] {
				t.Errorf("runs began after %v; want %v", times, want)
			}
		}
	})
}
