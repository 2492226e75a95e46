package collectbench_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
)

// place is a table full of sessions.
type place struct {
	engine   string
	client   *dynamodb.Client // recorded
	recorder *dynamotest.Recorder
	table    dynamostore.Table // with the names of all attributes
	driver   *dynamostore.Driver
	population
	minimum
}

// minimum is the least that collection can consume, by the sizes of the items as DynamoDB counts them.
type minimum struct {
	bytes int // of all items
	// scan is what reading the whole table consumes, expired what reading the keys and expiries of the expired sessions
	// alone does, eventually consistent and without rounding.
	scan, expired float64
	// entries is what reading the entries of the expired sessions alone in an index of keys consumes, likewise. 0 where
	// the table has no index.
	entries float64
	// writes is what deleting the expired sessions consumes, without an index.
	writes float64
}

// What a unit is for.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
const (
	bytesPerReadUnit  = 8192 // eventually consistent
	bytesPerWriteUnit = 1024
)

// fill makes a table of the layout and fills it. What the layout has, such as an index, is made by dynamostore, and
// what it wants of each item is put there by its driver.
func fill(t testing.TB, layout dynamostore.Table, p population) *place {
	t.Helper()
	plain := dynamotest.Client(t)
	layout.Name = dynamotest.TableName(t, plain)
	// With its TTL on, DynamoDB Local would collect before the collector does.
	if err := layout.Create(t.Context(), dynamotest.WithoutTTL(plain)); err != nil {
		t.Fatal(err)
	}
	pl := &place{
		engine: dynamotest.EngineName(t), recorder: new(dynamotest.Recorder), table: layout.WithDefaults(), population: p,
	}
	pl.client = dynamotest.Client(t, pl.recorder.Install, patient)
	var err error
	if pl.driver, err = dynamostore.NewDriver(pl.client, layout); err != nil {
		t.Fatal(err)
	}

	f := &filler{Client: plain, table: layout.Name, items: make(chan item)}
	encoder, err := dynamostore.NewDriver(f, layout)
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- f.write(t.Context(), pl) }()
	p.put(t, encoder, 4)
	close(f.items)
	if err := <-written; err != nil {
		t.Fatalf("the table cannot be filled: %v", err)
	}
	return pl
}

// patient makes a client wait for an engine that has more requests than it can answer at once: nobody is to fail for
// that.
func patient(o *dynamodb.Options) {
	if client, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
		o.HTTPClient = client.WithTimeout(10 * time.Minute)
	}
}

type item = map[string]types.AttributeValue

// filler is the client of a driver, of which it gets the items as the driver encodes them. It writes them 25 at a time.
type filler struct {
	*dynamodb.Client
	table string
	items chan item
}

// PutItem implements dynamostore.Client.
func (f *filler) PutItem(
	ctx context.Context, input *dynamodb.PutItemInput, _ ...func(*dynamodb.Options),
) (*dynamodb.PutItemOutput, error) {
	select {
	case f.items <- input.Item:
		return &dynamodb.PutItemOutput{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// batchSize is how many items a BatchWriteItem can hold.
const batchSize = 25

// write writes what is put until the items end, and adds up their sizes.
func (f *filler) write(ctx context.Context, p *place) error {
	batches := make(chan []types.WriteRequest)
	errs := make(chan error, 8)
	var writers sync.WaitGroup
	for range cap(errs) {
		writers.Go(func() {
			var err error
			for batch := range batches { // after an error they are thrown away, so that nobody waits
				if err == nil {
					err = writeBatch(ctx, f.Client, f.table, batch)
				}
			}
			errs <- err
		})
	}
	var batch []types.WriteRequest
	for it := range f.items {
		p.add(p.table, it)
		batch = append(batch, types.WriteRequest{PutRequest: &types.PutRequest{Item: it}})
		if len(batch) == batchSize {
			batches <- batch
			batch = nil
		}
	}
	if len(batch) > 0 {
		batches <- batch
	}
	close(batches)
	writers.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	p.scan = float64(p.bytes) / bytesPerReadUnit
	return errors.Join(all...)
}

// writeBatch sends the requests until all are processed.
func writeBatch(ctx context.Context, client *dynamodb.Client, table string, requests []types.WriteRequest) error {
	for len(requests) > 0 {
		out, err := client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{table: requests},
		})
		if err != nil {
			return err
		}
		requests = out.UnprocessedItems[table]
	}
	return nil
}

// add adds an item to the minimum.
func (m *minimum) add(table dynamostore.Table, it item) {
	bytes := 0
	for name, value := range it {
		bytes += attributeBytes(name, value)
	}
	m.bytes += bytes
	var c tally
	key := table.PartitionKey.Name
	if c.add(it[key].(*types.AttributeValueMemberS).Value); c.dead == 0 {
		return
	}
	expiry := table.Attributes.Expiry
	if a := table.Attributes; it[a.ExpiryHour] != nil {
		entry := attributeBytes(key, it[key]) + attributeBytes(a.ExpiryShard, it[a.ExpiryShard]) +
			attributeBytes(a.ExpiryHour, it[a.ExpiryHour])
		m.entries += float64(entry) / bytesPerReadUnit
	}
	m.expired += float64(attributeBytes(key, it[key])+attributeBytes(expiry, it[expiry])) / bytesPerReadUnit
	m.writes += math.Ceil(float64(bytes) / bytesPerWriteUnit)
}

// attributeBytes is the size of an attribute as DynamoDB counts it: of a number, a byte for two digits and one more.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func attributeBytes(name string, value types.AttributeValue) int {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return len(name) + len(v.Value)
	case *types.AttributeValueMemberB:
		return len(name) + len(v.Value)
	case *types.AttributeValueMemberN:
		return len(name) + (len(v.Value)+1)/2 + 1
	}
	return len(name)
}

// left counts what is left of the sessions.
func (p *place) left(t testing.TB) tally {
	t.Helper()
	var c tally
	plain := dynamotest.Client(t)
	for request := (&dynamodb.ScanInput{
		TableName: &p.table.Name, ConsistentRead: aws.Bool(true), ProjectionExpression: &p.table.PartitionKey.Name,
	}); ; {
		out, err := plain.Scan(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range out.Items {
			c.add(it[p.table.PartitionKey.Name].(*types.AttributeValueMemberS).Value)
		}
		if request.ExclusiveStartKey = out.LastEvaluatedKey; request.ExclusiveStartKey == nil {
			return c
		}
	}
}

// check fails the test where anything but the expired sessions was deleted, or not all of them.
func (p *place) check(t testing.TB, collected string, left tally) {
	t.Helper()
	if _, live := p.count(); left != (tally{live: live}) {
		t.Errorf("%s: %d live and %d expired sessions are left; want %d and none", collected, left.live, left.dead, live)
	}
}

// used returns what was used since the recorder was reset.
func (p *place) used() (calls int, read, write float64) {
	for operation, n := range p.recorder.Calls() {
		calls += n
		switch operation {
		case "Scan", "Query", "GetItem", "BatchGetItem":
			read += p.recorder.Units(operation)
		default:
			write += p.recorder.Units(operation)
		}
	}
	return calls, read, write
}

// atOnce runs n calls at once and returns their errors.
func atOnce(n int, call func(i int) error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = call(i) })
	}
	all.Wait()
	return errs
}
