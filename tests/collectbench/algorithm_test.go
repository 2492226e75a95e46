package collectbench_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/gcrunner"
)

// algorithm is a way to delete what has expired.
type algorithm struct {
	name string
	// table is the layout that it needs, but for the name. The table is made by Table.Create and filled by the driver
	// of that layout, so that a layout with an index needs nothing else.
	table   dynamostore.Table
	collect func(ctx context.Context, p *place) error
	// least returns what its reads are measured by: a tenth more is too much. Nil where it is there to compare with.
	least func(minimum) float64
}

var algorithms = []algorithm{
	{
		name:    "pages of 25, batch deletes",
		collect: pagesOf25,
	},
	{
		name:    "full scan, single deletes",
		collect: singleDeletes,
	},
	{
		name:    "gcrunner, scan",
		collect: func(ctx context.Context, p *place) error { return collect(ctx, p, "") },
		least:   func(m minimum) float64 { return m.scan },
	},
	{
		name:  "gcrunner, index",
		table: dynamostore.Table{ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry"}},
		collect: func(ctx context.Context, p *place) error {
			return collect(ctx, p, gcrunner.SourceIndex)
		},
		least: func(m minimum) float64 { return m.entries },
	},
}

// collect is a run of the collector.
func collect(ctx context.Context, p *place, source gcrunner.Source) error {
	collector, err := gcrunner.NewCollector(p.driver, gcrunner.Rules{Expired: true}, gcrunner.CollectorOptions{
		Source: source, Segments: p.undivided(),
	})
	if err != nil {
		return err
	}
	report, err := collector.Run(ctx)
	if err == nil && report.Stopped != gcrunner.Completed {
		err = errors.New("the run has stopped: " + string(report.Stopped))
	}
	return err
}

// undivided is the number of segments that keeps a collector that deletes from dividing the table on dynoxide 1.2.1,
// which does not find its way through a divided table once an item is deleted. It costs one read more to divide it.
func (p *place) undivided() int {
	if p.engine == "dynoxide" {
		return 1
	}
	return 0
}

// pagesOf25 is delete_expired of tower-sessions-dynamodb-store 0.3.0 (src/lib.rs), call for call: it looks at 25 items
// at a time, keeps the keys of all that have expired, and then deletes them in batches of 25, one after the other and
// without a condition.
func pagesOf25(ctx context.Context, p *place) error {
	var expired []types.WriteRequest
	input := p.expiredInput()
	input.Limit = aws.Int32(25)
	for pages := dynamodb.NewScanPaginator(p.client, input); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, key := range page.Items {
			expired = append(expired, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: key}})
		}
	}
	for len(expired) > 0 {
		n := min(len(expired), batchSize)
		if err := writeBatch(ctx, p.client, p.table.Name, expired[:n]); err != nil {
			return err
		}
		expired = expired[n:]
	}
	return nil
}

// singleDeletes is reap of connect-dynamodb (lib/connect-dynamodb.js, 2020), call for call: it looks at pages as large
// as they come, and deletes the expired items of each one after the other and without a condition, while it reads the
// next. What differs: its errors are not ignored.
func singleDeletes(ctx context.Context, p *place) error {
	var mu sync.Mutex
	var failures []error
	var chains sync.WaitGroup
	pages := dynamodb.NewScanPaginator(p.client, p.expiredInput())
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			failures = append(failures, err)
			break
		}
		chains.Go(func() {
			for _, key := range page.Items {
				_, err := p.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &p.table.Name, Key: key})
				if err != nil {
					mu.Lock()
					defer mu.Unlock()
					failures = append(failures, err)
					return
				}
			}
		})
	}
	chains.Wait()
	return errors.Join(failures...)
}

// expiredInput asks for the keys of what has expired, as both of the others do: eventually consistent, by the second.
func (p *place) expiredInput() *dynamodb.ScanInput {
	return &dynamodb.ScanInput{
		TableName:                &p.table.Name,
		FilterExpression:         aws.String("#expiry < :now"),
		ProjectionExpression:     aws.String("#key"),
		ExpressionAttributeNames: map[string]string{"#expiry": p.table.Attributes.TTL, "#key": p.table.PartitionKey.Name},
		ExpressionAttributeValues: item{
			":now": &types.AttributeValueMemberN{Value: strconv.FormatInt(time.Now().Unix(), 10)},
		},
	}
}
