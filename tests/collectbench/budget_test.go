package collectbench_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/tests/markdown"
)

// The budget that is allowed, in units per second, and how much of it a second may consume at most.
const (
	allowedReads  = 50
	allowedWrites = 25
	inASecond     = 1.1
)

// timeline is the client of a driver, which notes when capacity was consumed.
type timeline struct {
	*dynamodb.Client
	mu       sync.Mutex
	consumed []consumption
}

type consumption struct {
	at          time.Time // when the call began
	read, write float64
}

func (l *timeline) note(at time.Time, capacity *types.ConsumedCapacity, write bool) {
	if capacity == nil || capacity.CapacityUnits == nil {
		return
	}
	c := consumption{at: at, read: *capacity.CapacityUnits}
	if write {
		c.read, c.write = 0, c.read
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.consumed = append(l.consumed, c)
}

func (l *timeline) Scan(ctx context.Context, in *dynamodb.ScanInput,
	fns ...func(*dynamodb.Options),
) (*dynamodb.ScanOutput, error) {
	began := time.Now()
	out, err := l.Client.Scan(ctx, in, fns...)
	if err == nil {
		l.note(began, out.ConsumedCapacity, false)
	}
	return out, err
}

func (l *timeline) Query(ctx context.Context, in *dynamodb.QueryInput,
	fns ...func(*dynamodb.Options),
) (*dynamodb.QueryOutput, error) {
	began := time.Now()
	out, err := l.Client.Query(ctx, in, fns...)
	if err == nil {
		l.note(began, out.ConsumedCapacity, false)
	}
	return out, err
}

func (l *timeline) DeleteItem(
	ctx context.Context, in *dynamodb.DeleteItemInput, fns ...func(*dynamodb.Options),
) (*dynamodb.DeleteItemOutput, error) {
	began := time.Now()
	out, err := l.Client.DeleteItem(ctx, in, fns...)
	if err == nil {
		l.note(began, out.ConsumedCapacity, true)
	}
	return out, err
}

// busiest returns the most that was consumed in any second, wherever it begins, and all there was.
func (l *timeline) busiest(of func(consumption) float64) (most, total float64) {
	sum, first := 0.0, 0
	for _, c := range l.consumed { // in the order of their answers, which are of some milliseconds
		sum += of(c)
		total += of(c)
		for !l.consumed[first].at.After(c.at.Add(-time.Second)) {
			sum -= of(l.consumed[first])
			first++
		}
		most = max(most, sum)
	}
	return most, total
}

// TestBudget runs for some seconds, and looks at the mean alone: on a machine that is starved, what was to be done in a
// second may be done in the next. gcrunner's own tests look at each second, by a clock that is not starved.
func TestBudget(t *testing.T) {
	t.Parallel()
	for _, a := range budgeted {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			use := measureBudget(t, a, 5*time.Second)
			if use.meanReads > inASecond*allowedReads || use.meanWrites > inASecond*allowedWrites {
				t.Errorf("%+v units a second; %v and %v are allowed", use, allowedReads, allowedWrites)
			}
		})
	}
}

// budgetedRun is a collector that keeps to a budget.
type budgetedRun struct {
	name    string
	table   dynamostore.Table
	percent int
	source  gcrunner.Source
}

// The shares of what has expired make each run short of the one or the other.
var budgeted = []budgetedRun{
	{"gcrunner, scan, short of reads", dynamostore.Table{}, 1, gcrunner.SourceScan},
	{"gcrunner, scan, short of writes", dynamostore.Table{}, 50, gcrunner.SourceScan},
	{
		"gcrunner, index", dynamostore.Table{ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry"}}, 50, gcrunner.SourceIndex,
	},
}

// budgetUse is what a run has made of its budget, in units per second.
type budgetUse struct{ reads, writes, meanReads, meanWrites float64 }

// measureBudget collects for so long from more than can be collected in that time.
func measureBudget(t testing.TB, a budgetedRun, d time.Duration) budgetUse {
	t.Helper()
	p := fill(t, a.table, population{int(d.Seconds())*allowedReads*10 + 500, a.percent, thousandBytes})
	l := &timeline{Client: dynamotest.Client(t)}
	driver, err := dynamostore.NewDriver(l, p.table)
	if err != nil {
		t.Fatal(err)
	}
	collector, err := gcrunner.NewCollector(driver, gcrunner.Rules{Expired: true}, gcrunner.CollectorOptions{
		Source: a.source, Segments: p.undivided(),
		Budget: gcrunner.Budget{ReadUnits: allowedReads, WriteUnits: allowedWrites},
		Limits: gcrunner.Limits{Duration: d}, StopTimeout: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	report, err := collector.Run(t.Context())
	if err != nil || report.Stopped != "duration" {
		t.Fatalf("%s: %v, %+v", a.name, err, report)
	}
	var use budgetUse
	use.reads, use.meanReads = l.busiest(func(c consumption) float64 { return c.read })
	use.writes, use.meanWrites = l.busiest(func(c consumption) float64 { return c.write })
	use.meanReads /= report.Duration.Seconds()
	use.meanWrites /= report.Duration.Seconds()
	return use
}

// BenchmarkBudget shows what the busiest second of a minute has consumed.
func BenchmarkBudget(b *testing.B) {
	table := markdown.NewTable("engine  ", "run                            ", "read units allowed",
		"in the busiest second", "mean ",
		"write units allowed", "in the busiest second", "mean ")
	for b.Loop() {
		table.Clear()
		for _, a := range budgeted {
			use := measureBudget(b, a, time.Minute)
			if use.reads > inASecond*allowedReads || use.writes > inASecond*allowedWrites {
				b.Errorf("%s: a second consumed %.1f read and %.1f write units; %v and %v are allowed, and a tenth more",
					a.name, use.reads, use.writes, allowedReads, allowedWrites)
			}
			f := func(units float64) string { return fmt.Sprintf("%.1f", units) }
			table.Add(dynamotest.EngineName(b), a.name, allowedReads, f(use.reads), f(use.meanReads),
				allowedWrites, f(use.writes), f(use.meanWrites))
		}
	}
	fmt.Print(table)
}
