package main_test

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

// A replica that is killed amid a run is followed by the other one within the lease and one interval; one that ends in
// order at once. Never do two collect.
func TestReplicas(t *testing.T) {
	t.Parallel()
	const (
		// A process that a busy machine holds up for longer than the lease is followed by the other one, rightly.
		lease, interval = 4 * time.Second, time.Second
		// slack is what a busy machine may add. The exact time is shown where time is virtual, in package gcrunner.
		slack = 30 * time.Second
	)
	name, driver := newTable(t, 10, 200)
	env := append(onDynamoDB(dynamotest.Endpoint(t), name), "SCSDYNAMO_COLLECTION_ELECTION_LEASE="+lease.String(),
		"SCSDYNAMO_COLLECTION_INTERVAL="+interval.String(), "SCSDYNAMO_COLLECTION_JITTER=100ms",
		"SCSDYNAMO_COLLECTION_WRITE_UNITS=20") // so that a run takes ten seconds, and is killed amid it
	one, two := serve(t, env), serve(t, env)
	elected := func(p *process) bool { return p.metric("gcrunner_elected") == 1 }
	one.eventually("one is elected", func() bool {
		if elected(two) {
			one, two = two, one
		}
		return elected(one)
	})
	two.eventually("the other one is ready", two.answers("/readyz", http.StatusOK, "ok"))
	if !two.answers("/", http.StatusOK, "Standing by")() {
		t.Error("the page of the other one does not say that it stands by")
	}
	// Asked twice, the first still was elected when the second was asked.
	both := func(a, b *process) bool { return elected(a) && elected(b) && elected(a) }
	one.eventually("its run is under way", func() bool {
		if both(one, two) {
			t.Fatal("both are elected")
		}
		return one.metric("gcrunner_running") == 1 && one.metric(`gcrunner_sessions_deleted_total{rule="expired"}`) > 0
	})

	killed := time.Now()
	one.kill()
	var began time.Duration // after that
	two.within(lease+interval+slack, "the other one is elected and collects", func() bool {
		last := two.metric("gcrunner_last_attempt_timestamp_seconds") * float64(time.Second)
		began = time.Duration(last - float64(killed.UnixNano()))
		return elected(two) && began > 0
	})
	t.Logf("the other one has begun a run %v after the first was killed; lease %v, interval %v",
		began.Round(time.Millisecond), lease, interval)

	three := serve(t, env)
	three.eventually("a third one is ready, and the second has collected all", func() bool {
		if both(two, three) {
			t.Fatal("the second and the third one are elected")
		}
		_, dead := count(t, driver)
		return dead == 0 && three.answers("/readyz", http.StatusOK, "ok")()
	})
	two.eventually("a run has ended", func() bool { return two.metric(`gcrunner_runs_total{outcome="completed"}`) >= 1 })
	put(t, driver, records(0, 5))
	two.signal(syscall.SIGTERM)
	if code := two.exit(10 * time.Second); code != 0 {
		t.Errorf("exit code %d; want 0", code)
	}
	three.eventually("the third one follows, and collects", func() bool {
		_, dead := count(t, driver)
		return elected(three) && dead == 0 && three.metric(`gcrunner_runs_total{outcome="completed"}`) >= 1
	})
	if live, _ := count(t, driver); live != 10 {
		t.Errorf("%d live sessions are left of 10", live)
	}
	checkTurns(t, one, two, three)
}

// turn is a run, of one of the processes.
type turn struct {
	of         *process
	began, end time.Time
}

var collected = regexp.MustCompile(`time=(\S+) level=INFO msg=collected report\.stopped=\S+ report\.duration=(\S+)`)

// checkTurns fails if a run of a process, as it has logged it, and one of another overlap.
func checkTurns(t *testing.T, processes ...*process) {
	t.Helper()
	var turns []turn
	for _, p := range processes {
		for _, line := range collected.FindAllStringSubmatch(p.logged(), -1) {
			end, err := time.Parse(time.RFC3339Nano, line[1])
			if err != nil {
				t.Fatal(err)
			}
			took, err := time.ParseDuration(line[2])
			if err != nil {
				t.Fatal(err)
			}
			turns = append(turns, turn{p, end.Add(-took), end})
		}
	}
	if len(turns) < 2 {
		t.Errorf("%d runs are logged; want some of two processes", len(turns))
	}
	slices.SortFunc(turns, func(a, b turn) int { return cmp.Compare(a.began.UnixNano(), b.began.UnixNano()) })
	for i, next := range turns[1:] {
		// What is logged is rounded to milliseconds.
		if last := turns[i]; next.of != last.of && next.began.Before(last.end.Add(-2*time.Millisecond)) {
			t.Errorf("two have collected at the same time: one until %v, another since %v", last.end, next.began)
		}
	}
}
