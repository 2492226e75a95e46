package lockbench_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/tests/markdown"
)

// The benchmarks print tables in Markdown. "make bench-locks" runs them on one engine after the other, and puts the
// rows together: the widths of columns are fixed.

// BenchmarkContention shows what comes of requests that meet in one session.
func BenchmarkContention(b *testing.B) {
	for _, engine := range engines {
		b.Run(engine.name, func(b *testing.B) {
			table := markdown.NewTable("engine   ", "strategy  ", "processes", "succeeded", "updates kept", "most at once",
				"calls", "refused writes", "read units", "write units", "wall time", "handler times   ")
			contend(b, engine.open(b, 1), contenders[0]) // a Java engine is slow at first
			for b.Loop() {
				table.Clear()
				for _, c := range contenders {
					for processes := 1; processes <= 2; processes++ {
						p := engine.open(b, processes)
						r := contend(b, p, c)
						table.Add(p.engine, c.name, processes, r.succeeded, r.kept, r.inside, r.Calls, r.Refused,
							p.shown(r.read), p.shown(r.write), r.wall.Round(time.Millisecond), c.shownWall(r.wall, processes))
					}
				}
			}
			fmt.Print(table)
		})
	}
}

// shownWall marks what takes one process longer than it should.
func (c contender) shownWall(wall time.Duration, processes int) string {
	times := wall.Seconds() / handlerTime.Seconds()
	if c.limit != nil && processes == 1 && times > c.limit.wall {
		return fmt.Sprintf("%.2f (over %.2f)", times, c.limit.wall)
	}
	return fmt.Sprintf("%.2f", times)
}

// shown shows units where there are some.
func (p *place) shown(units float64) string {
	if p.recorder == nil {
		return "-"
	}
	return fmt.Sprint(math.Round(units*10) / 10)
}

// BenchmarkUncontended shows what a request costs whose session nobody else uses: calls and, on DynamoDB, read and
// write units.
func BenchmarkUncontended(b *testing.B) {
	for _, engine := range engines {
		b.Run(engine.name, func(b *testing.B) {
			columns := []string{"engine   ", "calls (read + write units) per request "}
			for _, c := range contenders {
				columns = append(columns, fmt.Sprintf("%-10s", c.name))
			}
			table := markdown.NewTable(columns...)
			for b.Loop() {
				table.Clear()
				for _, kind := range uncontended {
					var row []any
					for _, c := range contenders {
						p := engine.open(b, 1)
						if row == nil {
							row = []any{p.engine, kind.name}
						}
						if _, measured := kind.calls[c.name]; measured {
							row = append(row, p.shownCost(alone(b, p, c, kind.request)))
						} else {
							row = append(row, "-")
						}
					}
					table.Add(row...)
				}
			}
			fmt.Print(table)
		})
	}
}

func (p *place) shownCost(c count, u units) string {
	if p.recorder == nil {
		return fmt.Sprint(c.Calls)
	}
	return fmt.Sprintf("%d (%v + %v)", c.Calls, u.read, u.write)
}

// BenchmarkWaiters shows how long requests of several processes wait for one session.
func BenchmarkWaiters(b *testing.B) {
	b.Run("dynamodb", func(b *testing.B) {
		table := markdown.NewTable("engine   ", "strategy  ", "requests", "succeeded", "updates kept", "most at once",
			"calls", "per request", "refused writes", "wait, median", "99 %    ", "longest ", "wall time")
		for b.Loop() {
			table.Clear()
			for _, strategy := range []string{"baseline", "lease"} {
				const all = waitingProcesses * waitingRequests
				w := waitInProcesses(b, strategy)
				table.Add(dynamotest.EngineName(b), strategy, all, len(w.waits), w.kept, w.inside,
					w.Calls, fmt.Sprintf("%.2f", float64(w.Calls)/all), w.Refused,
					w.quantile(50), w.quantile(99), w.quantile(100), w.wall.Round(time.Millisecond))
			}
		}
		fmt.Print(table)
	})
}
