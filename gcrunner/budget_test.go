package gcrunner_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// busiest returns the most that was consumed in any second, wherever it begins.
func busiest(usages []usage, of func(usage) float64) (most float64) {
	var sum float64
	first := 0
	for _, u := range usages {
		sum += of(u)
		for !usages[first].at.After(u.at.Add(-time.Second)) {
			sum -= of(usages[first])
			first++
		}
		most = max(most, sum)
	}
	return most
}

func readUnits(u usage) float64  { return u.read }
func writeUnits(u usage) float64 { return u.write }

// No second of a run consumes more than 110 % of its budget, and most of the budget is made use of.
func TestBudget(t *testing.T) {
	for _, test := range []struct {
		name       string
		options    gcrunner.CollectorOptions
		recordKB   float64
		read       float64
		write      float64
		every      int
		sessions   int
		bottleneck func(usage) float64
		budget     float64
	}{
		{"reads", gcrunner.CollectorOptions{}, 4, 50, 0, 1000, 5000, readUnits, 50},
		{"writes", gcrunner.CollectorOptions{}, 1, 0, 25, 1, 1500, writeUnits, 25},
		{"both", gcrunner.CollectorOptions{Segments: 4}, 1, 50, 25, 1, 1500, writeUnits, 25},
		{"reads of large records", gcrunner.CollectorOptions{Segments: 4}, 16, 50, 25, 1000, 1500, readUnits, 50},
		{"reads of an index", gcrunner.CollectorOptions{Source: gcrunner.SourceIndex}, 8, 50, 0, 1, 3000, readUnits, 50},
		{"writes by an index", gcrunner.CollectorOptions{Source: gcrunner.SourceIndex}, 1, 50, 25, 1, 1500, writeUnits, 25},
		{"a large budget", gcrunner.CollectorOptions{}, 1, 4000, 1000, 4, 20000, writeUnits, 1000},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				driver := newBetween(memory.WithExpiryIndex(2))
				driver.readUnits, driver.writeUnits = test.recordKB/8, test.recordKB
				dead := fill(t, driver, test.sessions, test.every)
				// Answers take their time.
				driver.delay = func() time.Duration { return time.Millisecond + rand.N(10*time.Millisecond) }
				began := time.Now()
				options := test.options
				options.Source = cmp.Or(options.Source, gcrunner.SourceScan)
				options.Budget = gcrunner.Budget{ReadUnits: test.read, WriteUnits: test.write}
				report := run(t, newCollector(t, driver, options))
				deletes(t, report, gcrunner.Deleted{Expired: dead})
				reads, writes := busiest(driver.usages, readUnits), busiest(driver.usages, writeUnits)
				took := time.Since(began).Seconds()
				if test.read > 0 && reads > 1.1*test.read || test.write > 0 && writes > 1.1*test.write {
					t.Errorf("a second consumed %v read and %v write units; %v and %v are allowed", reads, writes,
						test.read, test.write)
				}
				total := 0.0
				for _, u := range driver.usages {
					total += test.bottleneck(u)
				}
				if used := total / took; used < 0.9*test.budget {
					t.Errorf("in %.1f s, %v units a second were made use of; %v are allowed", took, used, test.budget)
				}
				t.Logf("%.1f s, %d pages, at most %v read and %v write units in a second", took,
					driver.called("Scan")+driver.called("ScanExpired"), reads, writes)
			})
		})
	}
}

// Without a budget, pages are as large as the service makes them at most, and not much smaller: requests take time.
func TestPagesFitTheService(t *testing.T) {
	for name, recordUnits := range map[string]float64{"small records": 1.0 / 64, "large records": 0.5} {
		t.Run(name, func(t *testing.T) {
			driver := newBetween()
			driver.readUnits = recordUnits
			fill(t, driver, 20000, 20001)
			run(t, newCollector(t, driver))
			most, total := 0.0, 0.0
			for _, u := range driver.usages {
				most, total = max(most, u.read), total+u.read
			}
			size := min(defaults.PageSize*recordUnits, 128)
			if most > 128 || most < size-1 {
				t.Errorf("the largest page consumed %v units; a whole one consumes 128", most)
			}
			// Some are small, to find out how large the table is.
			if pages, limit := driver.called("Scan"), int(total/size)+2*driver.segments+1+10; pages > limit {
				t.Errorf("%d pages for %v units; %d are enough", pages, total, limit)
			}
		})
	}
}

// An operation that costs more than expected is paid for by the ones behind it.
func TestBudgetPaysDebts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		dead := fill(t, driver, 50, 1)
		n := 0
		driver.before = func(op, _ string) error {
			if op == "Delete" {
				n++
				driver.writeUnits = 1
				if n == 10 {
					driver.writeUnits = 400 // one of 400 KB
				}
			}
			return nil
		}
		report := run(t, newCollector(t, driver, gcrunner.CollectorOptions{
			Concurrency: 1,
			Budget:      gcrunner.Budget{ReadUnits: 1000, WriteUnits: 20},
		}))
		deletes(t, report, gcrunner.Deleted{Expired: dead})
		var at []time.Time
		for _, u := range driver.usages {
			if u.write > 0 {
				at = append(at, u.at)
			}
		}
		if pause, least := at[10].Sub(at[9]), 399*time.Second/20; pause < least {
			t.Errorf("after a delete of 400 units the next one came in %v; at 20 a second it is due in %v", pause, least)
		}
		if most := 2 * time.Duration(report.WriteUnits) * time.Second / 20; report.Duration > most {
			t.Errorf("%v units in %v", report.WriteUnits, report.Duration)
		}
	})
}

// After a time in which the service refused much, a run is as fast again as it may be.
func TestThrottlingPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		driver.writeUnits = 1
		fill(t, driver, 5000, 1)
		throttle(driver, "Delete", 0)
		refuse, began := driver.before, time.Now()
		driver.before = func(op, key string) error {
			if time.Since(began) < 10*time.Second {
				return refuse(op, key)
			}
			return nil
		}
		report := run(t, newCollector(t, driver,
			gcrunner.CollectorOptions{Budget: gcrunner.Budget{ReadUnits: 1000, WriteUnits: 100}}))
		// 50 s at full speed, 10 s of refusals, and on the way up half the time is lost, which is 10 s.
		if report.Duration > 85*time.Second {
			t.Errorf("the run took %v", report.Duration)
		}
		t.Logf("%v", report.Duration)
	})
}

// Conflicts are billed, and not reported: they count as much as a delete is known to cost.
func TestBudgetCountsConflicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		driver.writeUnits = 5
		fill(t, driver, 200, 1)
		n := 0
		driver.before = func(op, key string) error {
			if op != "Delete" {
				return nil
			}
			if n++; n <= 100 {
				return nil
			}
			return driver.Update(context.Background(), key, storage.Change{ExpiresAt: time.Now().Add(time.Hour)},
				storage.Always())
		}
		report := run(t, newCollector(t, driver, gcrunner.CollectorOptions{
			Concurrency: 1,
			Budget:      gcrunner.Budget{ReadUnits: 1000, WriteUnits: 10},
		}))
		if report.Conflicts != 100 || report.Duration < 98*time.Second || report.Duration > 105*time.Second {
			t.Errorf("%d conflicts in %v; 200 writes of 5 units take 100 s", report.Conflicts, report.Duration)
		}
	})
}

// throttle refuses what is beyond so many calls of each operation in a second.
func throttle(driver *between, operation string, most int) {
	second, calls := time.Time{}, 0
	driver.before = func(op, _ string) error {
		if op != operation {
			return nil
		}
		if now := time.Now().Truncate(time.Second); !now.Equal(second) {
			second, calls = now, 0
		}
		if calls++; calls > most {
			return fmt.Errorf("driver: %w", storage.ErrThrottled)
		}
		return nil
	}
}

// Where the service refuses, a run slows down instead of giving up, and few requests are refused.
func TestThrottlingSlowsDown(t *testing.T) {
	for name, budget := range map[string]gcrunner.Budget{
		"with a budget that is too large": {WriteUnits: 200},
		"without a budget":                {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				driver := newBetween()
				driver.writeUnits = 1
				dead := fill(t, driver, 3000, 1)
				driver.delay = func() time.Duration { return 5 * time.Millisecond }
				throttle(driver, "Delete", 20)
				report := run(t, newCollector(t, driver, gcrunner.CollectorOptions{Budget: budget}))
				deletes(t, report, gcrunner.Deleted{Expired: dead})
				if report.Throttles == 0 || report.Throttles > dead/5 {
					t.Errorf("%d of %d requests were refused", report.Throttles, report.Throttles+dead)
				}
				if most := time.Duration(dead/20) * time.Second * 2; report.Duration > most {
					t.Errorf("the run took %v; with what the service allows it could take half of %v", report.Duration, most)
				}
				t.Logf("%v, %d throttles", report.Duration, report.Throttles)
			})
		})
	}
}

// Attempts that the driver has repeated by itself slow down, too.
func TestThrottledAttemptsSlowDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		driver.writeUnits = 1
		dead := fill(t, driver, 200, 1)
		driver.throttled = 1
		report := run(t, newCollector(t, driver,
			gcrunner.CollectorOptions{Budget: gcrunner.Budget{ReadUnits: 1000, WriteUnits: 100}}))
		deletes(t, report, gcrunner.Deleted{Expired: dead})
		if report.Throttles != dead || report.Duration < 20*time.Second {
			t.Errorf("%d throttles, %v", report.Throttles, report.Duration)
		}
	})
}

// Throttling is no reason to give up before the time is over. Where nothing at all was accepted by then, that is a
// failure: of the limit's time, of some minutes where there is no limit, or until the run is told to end.
func TestThrottlingForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, operation := range []string{"Scan", "Delete"} {
			for _, test := range []struct {
				name           string
				limits         gcrunner.Limits
				cancelled      time.Duration
				least, longest time.Duration
				stopped        gcrunner.StopReason
			}{
				{"limit", gcrunner.Limits{Duration: time.Hour}, 2 * time.Hour, 59 * time.Minute, time.Hour, "failed"},
				{"no limit", gcrunner.Limits{}, time.Hour, time.Minute, 5 * time.Minute, "failed"},
				{"told to end", gcrunner.Limits{}, time.Minute, time.Minute, 66 * time.Second, gcrunner.Canceled},
			} {
				driver := newBetween()
				fill(t, driver, 10, 1)
				throttle(driver, operation, 0)
				ctx, cancel := context.WithTimeout(t.Context(), test.cancelled)
				report, err := newCollector(t, driver, gcrunner.CollectorOptions{Limits: test.limits}).Run(ctx)
				cancel()
				if !errors.Is(err, storage.ErrThrottled) || report.Stopped != test.stopped || report.Total() != 0 ||
					report.Throttles < 8 || report.Throttles > 4000*8 || report.Duration < test.least ||
					report.Duration > test.longest {
					t.Errorf("%s is refused, %s: %v, %+v", operation, test.name, err, report)
				}
			}
		}
	})
}

// A service that refuses most of what it is asked for, for hours, is one that accepts something.
func TestThrottledHalfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		dead := fill(t, driver, 40, 2)
		began := time.Now()
		driver.before = func(string, string) error {
			if int(time.Since(began).Minutes())%2 == 0 {
				return fmt.Errorf("driver: %w", storage.ErrThrottled)
			}
			<-time.After(10 * time.Second)
			return nil
		}
		report := run(t, newCollector(t, driver, gcrunner.CollectorOptions{PageSize: 2, Segments: 1, Concurrency: 1}))
		if report.Total() != dead || report.Stopped != gcrunner.Completed || report.Duration < 5*time.Minute {
			t.Errorf("%+v; want %d deleted", report, dead)
		}
	})
}
