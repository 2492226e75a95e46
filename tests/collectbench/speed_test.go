package collectbench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/tests/markdown"
)

// reader is a way to look at all sessions. It returns how many it has seen.
type reader struct {
	name string
	read func(ctx context.Context, client *dynamodb.Client, p *place) (int, error)
	// varies is whether its requests are not the same each time, so that they cannot be answered from memory.
	varies bool
}

// readers are measured against the first, and against the third, which sends the requests of the fourth. Engines are no
// measure of how many requests are best: theirs read far more than they answer with where there is no limit.
var readers = []reader{
	{"bare scan", bareScan(false, false), false},
	{"bare scan, without data", bareScan(true, false), false},
	{"bare scan, same requests", bareScan(true, true), false},
	{"gcrunner, same requests", lookForExpired(samePage), false},
	{"gcrunner, scan", lookForExpired(func(*place) int { return defaults.PageSize }), true},
	{"gcrunner, pages of 1000", lookForExpired(func(*place) int { return 1000 }), true},
}

// samePage is how many sessions make a page a little smaller than the collector makes it: then its size is always the
// same.
func samePage(p *place) int {
	const units = 105
	return min(units*bytesPerReadUnit*p.sessions/p.bytes, defaults.PageSize)
}

// segments is into how many the collector divides a table of several pages.
const segments = 4

// lookForExpired returns a run of the collector that finds nothing to delete.
func lookForExpired(pageSize func(*place) int) func(context.Context, *dynamodb.Client, *place) (int, error) {
	return func(ctx context.Context, client *dynamodb.Client, p *place) (int, error) {
		driver, err := dynamostore.NewDriver(client, p.table)
		if err != nil {
			return 0, err
		}
		collector, err := gcrunner.NewCollector(driver, gcrunner.Rules{Expired: true},
			gcrunner.CollectorOptions{PageSize: pageSize(p)})
		if err != nil {
			return 0, err
		}
		report, err := collector.Run(ctx)
		return report.Scanned, err
	}
}

// bareScan returns a parallel scan with the SDK, which decodes what it reads, and nothing else. Without data, it asks
// for what a collector has to know; limited, for pages of samePage, and else for pages of 1 MB.
func bareScan(withoutData, limited bool) func(context.Context, *dynamodb.Client, *place) (int, error) {
	return func(ctx context.Context, client *dynamodb.Client, p *place) (int, error) {
		input := dynamodb.ScanInput{TableName: &p.table.Name}
		if limited {
			input.Limit = aws.Int32(int32(samePage(p)))
		}
		if withoutData {
			a := p.table.Attributes
			input.ProjectionExpression = aws.String(
				"#pk, #created, #updated, #expiry, #version, #ancestry, #lease, #duration, #lease_expiry")
			input.ExpressionAttributeNames = map[string]string{
				"#pk": p.table.PartitionKey.Name, "#created": a.CreatedAt, "#updated": a.UpdatedAt, "#expiry": a.Expiry,
				"#version": a.Version, "#ancestry": a.Ancestry, "#lease": a.LeaseID, "#duration": a.LeaseDuration,
				"#lease_expiry": a.LeaseExpiry,
			}
		}
		return parallelScan(ctx, client, input)
	}
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
	p := fill(t, dynamostore.Table{}, population{size(t, "COLLECTBENCH_SCANNED", 2_500), 0, smallBytes})
	measureSpeed(t, p, dynamotest.Client(t), readers, 1)
	measureSpeed(t, p, replayed(t), repeating(), 1)
}

// measureSpeed has the readers read the same table in turn, so many times. It fails the test where one of them does not
// see all sessions. What is returned is how long each took, the shortest time first.
func measureSpeed(t testing.TB, p *place, client *dynamodb.Client, readers []reader, rounds int) [][]time.Duration {
	t.Helper()
	times := make([][]time.Duration, len(readers))
	for round := -1; round < rounds; round++ { // the first one warms up
		for i := range readers {
			i = (i + round + 1) % len(readers)
			runtime.GC() // what another reader has left is not this one's
			began := time.Now()
			seen, err := readers[i].read(t.Context(), client, p)
			if err != nil || seen != p.sessions {
				t.Fatalf("%s: %d of %d sessions were seen: %v", readers[i].name, seen, p.sessions, err)
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

// BenchmarkSpeed shows how many sessions a second are looked at where none has expired: as fast as the engine answers,
// and where an answer takes no time.
func BenchmarkSpeed(b *testing.B) {
	table := markdown.NewTable("engine  ", "sessions", "bytes each", "reader                  ",
		"sessions/s, best", "median ",
		"of the bare scan, best", "median", "of the same requests, best", "median")
	defer func() { fmt.Print(table) }()
	for b.Loop() {
		table.Clear()
		for _, payload := range []int{thousandBytes, smallBytes} {
			p := fill(b, dynamostore.Table{}, population{size(b, "COLLECTBENCH_SCANNED", 2_500), 0, payload})
			for _, by := range []struct {
				engine  string
				client  *dynamodb.Client
				readers []reader
				rounds  int
			}{
				{p.engine, dynamotest.Client(b), readers, size(b, "COLLECTBENCH_ROUNDS", 2)},
				{"replayed", replayed(b), repeating(), 3 * size(b, "COLLECTBENCH_ROUNDS", 2)},
			} {
				times := measureSpeed(b, p, by.client, by.readers, by.rounds)
				rate := func(reader int, at func([]time.Duration) time.Duration) float64 {
					return float64(p.sessions) / at(times[reader]).Seconds()
				}
				ratio := func(i, to int, at func([]time.Duration) time.Duration) string {
					return fmt.Sprintf("%.2f", rate(i, at)/rate(to, at))
				}
				for i, r := range by.readers {
					table.Add(by.engine, p.sessions, payload+overheadBytes, r.name,
						fmt.Sprintf("%.0f", rate(i, best)), fmt.Sprintf("%.0f", rate(i, median)),
						ratio(i, 0, best), ratio(i, 0, median), ratio(i, 2, best), ratio(i, 2, median))
				}
			}
		}
	}
}

func best(times []time.Duration) time.Duration   { return times[0] }
func median(times []time.Duration) time.Duration { return times[len(times)/2] }

// repeating returns the readers whose requests are the same each time.
func repeating() []reader {
	return slices.DeleteFunc(slices.Clone(readers), func(r reader) bool { return r.varies })
}

// replayed returns a client that asks the engine once, and answers the same request from memory from then on: what is
// left is what the client and the reader themselves take.
func replayed(t testing.TB) *dynamodb.Client {
	t.Helper()
	return dynamotest.Client(t, func(o *dynamodb.Options) {
		o.HTTPClient = &replayer{HTTPClient: o.HTTPClient, answers: map[string]answer{}}
	})
}

type replayer struct {
	dynamodb.HTTPClient
	mu      sync.Mutex
	answers map[string]answer // by the request's body, sorted
}

type answer struct {
	header http.Header
	body   []byte
}

// Do implements dynamodb.HTTPClient.
func (r *replayer) Do(request *http.Request) (*http.Response, error) {
	asked, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	question, err := sorted(asked)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	known, ok := r.answers[question]
	r.mu.Unlock()
	if !ok {
		request.Body = io.NopCloser(bytes.NewReader(asked))
		response, err := r.HTTPClient.Do(request)
		if err != nil || response.StatusCode != http.StatusOK {
			return response, err
		}
		body, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return nil, err
		}
		known = answer{response.Header, body}
		r.mu.Lock()
		r.answers[question] = known
		r.mu.Unlock()
	}
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: known.header.Clone(),
		ContentLength: int64(len(known.body)), Body: io.NopCloser(bytes.NewReader(known.body)), Request: request,
	}, nil
}

// sorted returns a request in an order of its own: the SDK sends maps in one that is random.
func sorted(request []byte) (string, error) {
	var content any
	if err := json.Unmarshal(request, &content); err != nil {
		return "", err
	}
	text, err := json.Marshal(content)
	return string(text), err
}
