package collectbench_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/gcrunner"
)

// reader is a way to look at all sessions. It returns how many it has seen.
type reader struct {
	name string
	read func(ctx context.Context, client *dynamodb.Client, table dynamostore.Table) (int, error)
}

// readers are measured against the first.
var readers = []reader{
	{"bare scan", bareScan},
	{"bare scan, without data", bareScanWithoutData},
	{"gcrunner, scan", lookForExpired},
}

// segments is into how many the collector divides a table of several pages.
const segments = 4

// lookForExpired is a run of the collector that finds nothing to delete.
func lookForExpired(ctx context.Context, client *dynamodb.Client, table dynamostore.Table) (int, error) {
	driver, err := dynamostore.NewDriver(client, table)
	if err != nil {
		return 0, err
	}
	collector, err := gcrunner.New(driver, gcrunner.Rules{Expired: true})
	if err != nil {
		return 0, err
	}
	report, err := collector.Run(ctx)
	return report.Scanned, err
}

// bareScan is a parallel scan with the SDK, which decodes what it reads, and nothing else.
func bareScan(ctx context.Context, client *dynamodb.Client, table dynamostore.Table) (int, error) {
	return parallelScan(ctx, client, dynamodb.ScanInput{TableName: &table.Name})
}

// bareScanWithoutData asks for what a collector has to know.
func bareScanWithoutData(ctx context.Context, client *dynamodb.Client, table dynamostore.Table) (int, error) {
	a := table.Attributes
	return parallelScan(ctx, client, dynamodb.ScanInput{
		TableName:            &table.Name,
		ProjectionExpression: aws.String("#pk, #created, #updated, #expiry, #version, #ancestry, #lease, #duration, #lease_expiry"),
		ExpressionAttributeNames: map[string]string{
			"#pk": table.PartitionKey.Name, "#created": a.CreatedAt, "#updated": a.UpdatedAt, "#expiry": a.Expiry,
			"#version": a.Version, "#ancestry": a.Ancestry, "#lease": a.LeaseID, "#duration": a.LeaseDuration,
			"#lease_expiry": a.LeaseExpiry,
		},
	})
}

func parallelScan(ctx context.Context, client *dynamodb.Client, input dynamodb.ScanInput) (int, error) {
	var seen atomic.Int64
	errs := atOnce(segments, func(segment int) error {
		input := input
		input.Segment, input.TotalSegments = aws.Int32(int32(segment)), aws.Int32(segments)
		for pages := dynamodb.NewScanPaginator(client, &input); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			seen.Add(int64(len(page.Items)))
		}
		return nil
	})
	return int(seen.Load()), errors.Join(errs...)
}

func TestSpeed(t *testing.T) {
	t.Parallel()
	measureSpeed(t, population{size(t, "COLLECTBENCH_SESSIONS", 2_500), 0, smallBytes}, 1)
}

// measureSpeed has the readers read the same table in turn, so many times. It fails the test where one of them does not see
// all sessions. What is returned is how long each took, the shortest time first.
func measureSpeed(t testing.TB, of population, rounds int) [][]time.Duration {
	t.Helper()
	p := fill(t, dynamostore.Table{}, of)
	client := dynamotest.Client(t) // not recorded: nothing but reading is to be measured
	times := make([][]time.Duration, len(readers))
	for round := -1; round < rounds; round++ { // the first one warms up
		for i := range readers {
			i = (i + round + 1) % len(readers)
			began := time.Now()
			seen, err := readers[i].read(t.Context(), client, p.table)
			if err != nil || seen != of.sessions {
				t.Fatalf("%s: %d of %d sessions were seen: %v", readers[i].name, seen, of.sessions, err)
			}
			if round >= 0 {
				times[i] = append(times[i], time.Since(began))
			}
		}
	}
	for _, took := range times {
		slices.Sort(took)
	}
	return times
}

// BenchmarkSpeed shows how many sessions a second are looked at where none has expired.
func BenchmarkSpeed(b *testing.B) {
	table := newTable("engine  ", "sessions", "bytes each", "reader                 ", "rounds", "sessions/s, best", "median ",
		"of the bare scan, best", "median")
	for b.Loop() {
		table.rows = nil
		for _, payload := range []int{thousandBytes, smallBytes} {
			of := population{size(b, "COLLECTBENCH_SESSIONS", 2_500), 0, payload}
			times := measureSpeed(b, of, size(b, "COLLECTBENCH_ROUNDS", 2))
			rate := func(reader int, at func([]time.Duration) time.Duration) float64 {
				return float64(of.sessions) / at(times[reader]).Seconds()
			}
			for i, r := range readers {
				table.add(dynamotest.EngineName(b), of.sessions, payload+overheadBytes, r.name, len(times[i]),
					fmt.Sprintf("%.0f", rate(i, best)), fmt.Sprintf("%.0f", rate(i, median)),
					fmt.Sprintf("%.2f", rate(i, best)/rate(0, best)), fmt.Sprintf("%.2f", rate(i, median)/rate(0, median)))
			}
		}
	}
	table.print()
}

func best(sorted []time.Duration) time.Duration   { return sorted[0] }
func median(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }
