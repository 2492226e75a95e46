package dynamostore_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// fill stores n sessions of 1 KB, in batches.
func fill(t testing.TB, client *dynamodb.Client, table dynamostore.Table, n int) {
	t.Helper()
	const batch, workers = 25, 8
	data := strings.Repeat("x", 1024)
	var wait sync.WaitGroup
	errs := make(chan error, workers)
	for worker := range workers {
		wait.Go(func() {
			for first := worker * batch; first < n; first += workers * batch {
				var requests []types.WriteRequest
				for i := first; i < min(first+batch, n); i++ {
					item := dynamostore.Item(table, newRecord(fmt.Sprintf("session-%06d", i), data))
					requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
				}
				_, err := client.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{
					RequestItems: map[string][]types.WriteRequest{table.Name: requests},
				})
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wait.Wait()
	close(errs)
	for err := range errs {
		t.Fatal(err)
	}
}

// Iteration holds one page, however many sessions there are.
func TestSessionsHoldOnePage(t *testing.T) {
	// Not parallel: other tests would be measured with it.
	const limit = 64 << 20
	sessions := 5_000
	if dynamotest.EngineName(t) == "jar" { // the number that counts, once: most of the time goes into making them
		sessions = 50_000
	}
	client := dynamotest.Client(t)
	table := createWithoutTTL(t, client, dynamostore.Table{})
	fill(t, client, table, sessions)
	// Pages are as large as they are without a limit: for each of those, DynamoDB Local reads the rest of the table.
	store, err := dynamostore.New(appClient(t), table, sessionstore.WithPageSize(1000))
	if err != nil {
		t.Fatal(err)
	}
	// The set of tokens that the test itself keeps is part of what is measured.
	grown := storetest.Iterate(t, store, sessions)
	t.Logf("%d sessions of 1 KB: the heap grew by %d MiB at most", sessions, grown>>20)
	if grown > limit {
		t.Errorf("the heap grew by %d MiB; at most %d MiB are allowed", grown>>20, limit>>20)
	}
}

// A page that fails ends the iteration with its error: a shorter map would be a silent logout.
func TestI10_ScanFailsMidway(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	fill(t, f.plain, f.table, 3000)
	failing := &failSecondScan{Client: f.client}
	store, err := dynamostore.New(failing, f.table)
	if err != nil {
		t.Fatal(err)
	}
	all, err := store.AllCtx(t.Context())
	if err == nil || all != nil || failing.scans != 2 {
		t.Errorf("%d sessions after %d scans, %v; want the error of the second", len(all), failing.scans, err)
	}
}

type failSecondScan struct {
	*dynamodb.Client
	scans int
}

func (c *failSecondScan) Scan(
	ctx context.Context, in *dynamodb.ScanInput, options ...func(*dynamodb.Options),
) (*dynamodb.ScanOutput, error) {
	if c.scans++; c.scans == 2 {
		return nil, &types.ProvisionedThroughputExceededException{}
	}
	return c.Client.Scan(ctx, in, options...)
}

// A scan stays inside its prefix, and can go on in another process.
func TestScanStaysInsidePrefix(t *testing.T) {
	t.Parallel()
	for name, layout := range map[string]dynamostore.Table{
		"sort key":    layouts["single table"],
		"no sort key": {PartitionKey: dynamostore.Key{Prefix: "SESSION#", Suffix: "#v1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testScanStaysInside(t, layout)
		})
	}
}

func testScanStaysInside(t *testing.T, layout dynamostore.Table) {
	t.Helper()
	f := newFixture(t, layout)
	foreign := f.table
	foreign.PartitionKey.Prefix = "ORDER#"
	fill(t, f.plain, foreign, 200)
	other := f.table // the same prefix, for which DynamoDB filters, and another suffix, for which it cannot
	other.PartitionKey.Suffix = "#v2"
	fill(t, f.plain, other, 100)
	fill(t, f.plain, f.table, 300)
	seen := map[string]bool{}
	var position storage.Position
	for {
		driver, err := dynamostore.NewDriver(f.plain, f.table) // as if it were another process
		if err != nil {
			t.Fatal(err)
		}
		page, err := driver.Scan(t.Context(), storage.ScanRequest{Start: position, Limit: 70})
		if err != nil || len(page.Unreadable) > 0 {
			t.Fatalf("%v, unreadable: %v", err, page.Unreadable)
		}
		for _, record := range page.Records {
			if seen[record.Key] || record.ExpiresAt.Before(time.Now()) {
				t.Fatal("a session was listed twice, or damaged")
			}
			seen[record.Key] = true
		}
		if page.Next == "" {
			break
		}
		position = page.Next
	}
	if len(seen) != 300 {
		t.Errorf("%d sessions; want the 300 inside the prefix", len(seen))
	}
	if n, err := f.store.DeleteAll(t.Context()); err != nil || n != 300 {
		t.Errorf("DeleteAll: %d, %v; want 300", n, err)
	}
	out, err := f.plain.Scan(t.Context(), &dynamodb.ScanInput{TableName: &f.table.Name, Select: types.SelectCount})
	if err != nil || out.Count != 300 {
		t.Errorf("%d items are left, %v; want the 300 of others", out.Count, err)
	}
}
