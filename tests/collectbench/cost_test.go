package collectbench_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/tests/markdown"
)

// shares are how many per cent of the sessions have expired.
var shares = []int{1, 10, 50}

// readsAtMost is how much of the least that can be read the collector may read.
const readsAtMost = 1.1

// cost is what one collection used.
type cost struct {
	calls       int
	read, write float64
	took        time.Duration
}

func TestCost(t *testing.T) {
	t.Parallel()
	for _, a := range algorithms {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			measureCost(t, a, population{size(t, "COLLECTBENCH_SESSIONS", 2_500), 10, thousandBytes})
		})
	}
}

// measureCost collects from a table of its own. It fails the test where anything but the expired sessions was deleted,
// or too much was read.
func measureCost(t testing.TB, a algorithm, of population) (cost, minimum) {
	t.Helper()
	p := fill(t, a.table, of)
	began := time.Now()
	if err := a.collect(t.Context(), p); err != nil {
		t.Fatalf("%s: %v", a.name, err)
	}
	c := cost{took: time.Since(began)}
	c.calls, c.read, c.write = p.used()
	p.check(t, a.name, p.left(t))
	if a.least == nil {
		return c, p.minimum
	}
	// Each shard ends with a page that is rounded up, which counts where there is little to be read.
	least := a.least(p.minimum)
	rounding := 0.5 * float64(p.driver.ExpiryShards())
	if c.read == 0 || c.read > max(readsAtMost*least, least+rounding) {
		t.Errorf("%s: %.1f read units; it needs %.1f, and at most %v times as much is allowed", a.name, c.read,
			least, readsAtMost)
	}
	return c, p.minimum
}

// BenchmarkCost shows what collecting consumes, by the capacity that the engine reports.
func BenchmarkCost(b *testing.B) {
	table := markdown.NewTable("engine  ", "sessions", "expired", "algorithm                        ", "calls ",
		"read units", "write units",
		"read units per collected", "write units per collected", "time   ")
	defer func() { fmt.Print(table) }() // also what was measured before a failure
	for b.Loop() {
		table.Clear()
		for _, percent := range shares {
			of := population{size(b, "COLLECTBENCH_SESSIONS", 2_500), percent, thousandBytes}
			dead, _ := of.count()
			row := func(name string, calls any, read, write float64, took any) {
				table.Add(dynamotest.EngineName(b), of.sessions, fmt.Sprintf("%d %%", percent), name, calls,
					fmt.Sprintf("%.1f", read), fmt.Sprintf("%.1f", write),
					fmt.Sprintf("%.3f", read/float64(dead)), fmt.Sprintf("%.3f", write/float64(dead)), took)
			}
			var plain, indexed minimum
			for _, a := range algorithms {
				c, least := measureCost(b, a, of)
				row(a.name, c.calls, c.read, c.write, c.took.Round(10*time.Millisecond))
				if least.entries > 0 {
					indexed = least
				} else {
					plain = least
				}
			}
			row("minimum where all is read", "-", plain.scan, plain.writes, "-")
			row("minimum where the expired are read", "-", plain.expired, plain.writes, "-")
			row("the same, by entries of an index", "-", indexed.entries, indexed.writes+float64(dead), "-")
		}
	}
}
