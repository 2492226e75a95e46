package gcrunner_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/storage"
)

// One that stands by knows who is elected, and that it would collect by other rules. It knows no more once that one has
// gone.
func TestRunnerKnowsWhoIsElected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		stale := gcrunner.Rules{Expired: true, MaxStale: 30 * time.Minute}
		standBy := func(rules gcrunner.Rules, log *bytes.Buffer) *gcrunner.Runner {
			election, err := gcrunner.NewElection(driver, 15*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			return newRunner(t, newCollectorBy(t, driver, rules, gcrunner.CollectorOptions{
				Election: election,
				Logger:   slog.New(slog.NewTextHandler(log, nil)),
			}), gcrunner.Schedule{Interval: time.Minute})
		}
		var log, sameLog bytes.Buffer
		began := time.Now()
		elected := standBy(gcrunner.Rules{Expired: true}, &bytes.Buffer{})
		end := goRun(t, elected)
		synctest.Wait()
		other, same := standBy(stale, &log), standBy(gcrunner.Rules{Expired: true}, &sameLog)
		endOther, endSame := goRun(t, other), goRun(t, same)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if s := elected.Status(); !s.Elected || s.Leader != nil {
			t.Errorf("the first is %s, and thinks that %+v is elected", s.Phase, s.Leader)
		}
		for _, runner := range []*gcrunner.Runner{other, same} {
			leader := runner.Status().Leader
			if leader == nil || !leader.Since.Equal(began) || leader.Name == "" ||
				leader.Rules != (gcrunner.Rules{Expired: true}) {
				t.Fatalf("elected is %+v", leader)
			}
		}
		if n := strings.Count(log.String(), "collects by other rules"); n != 1 ||
			!strings.Contains(log.String(), "rules.max_stale=30m") {
			t.Errorf("that its rules are others was logged %d times:\n%s", n, log.String())
		}
		if strings.Contains(sameLog.String(), "other rules") {
			t.Errorf("the rules are the same:\n%s", sameLog.String())
		}

		end()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if a, b := other.Status(), same.Status(); a.Elected == b.Elected || (a.Leader == nil) != a.Elected ||
			(b.Leader == nil) != b.Elected {
			t.Errorf("after the first has ended: %+v and %+v", a, b)
		}
		standingBy := &log
		if other.Status().Elected {
			standingBy = &sameLog
		}
		if n := strings.Count(standingBy.String(), "standing by"); n != 2 {
			t.Errorf("that another process is elected was logged %d times; want once for each:\n%s", n, standingBy.String())
		}
		endOther()
		endSame()
	})
}

// What somebody has written in its place is no announcement, and no reason to do anything else.
func TestAnnouncementsThatAreNone(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"nothing": "", "no JSON": "{",
		"of another term": `{"Name":"somebody","Term":"x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				shared := newBetween()
				first := newReplica(t, shared, 15*time.Second, time.Minute)
				defer goRun(t, first.runner)()
				synctest.Wait()
				record := keys(t, shared.Driver)[storage.ReservedPrefix+"collector"]
				record.Data = []byte(data)
				put(t, shared, record)
				second := newReplica(t, shared, 15*time.Second, time.Minute)
				defer goRun(t, second.runner)()
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if s := second.runner.Status(); s.Phase != "standby" || s.Leader != nil || s.Err != nil {
					t.Errorf("%+v, %v", s.Leader, s.Err)
				}
			})
		})
	}
}
