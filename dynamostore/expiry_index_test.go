package dynamostore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// What the index adds to the cost of each operation: nothing but where a session begins, ends, or moves to another
// hour.
func TestExpiryIndexCosts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry"}})
	base := time.Date(2030, 1, 1, 12, 30, 0, 0, time.UTC)
	record := newRecord("key", "data")
	record.ExpiresAt = base
	next := record
	next.Version, next.ExpiresAt = storage.NewVersion(), base.Add(20*time.Minute)
	unknown := next // whose creation is not known: an UpdateItem
	unknown.Version, unknown.CreatedAt = storage.NewVersion(), time.Time{}
	far := unknown
	far.Version, far.ExpiresAt = storage.NewVersion(), base.Add(10*time.Hour)
	lease := newLease("lease")
	update := func(change storage.Change) func() error {
		return func() error { return f.driver.Update(t.Context(), "key", change, storage.Always()) }
	}
	put := func(r storage.Record) func() error {
		return func() error { return f.driver.Put(t.Context(), r, storage.Always()) }
	}
	for _, step := range []struct {
		name string
		do   func() error
		want float64
	}{
		{"a new session", put(record), 2},
		{"a commit that ends in the same hour", put(next), 1},
		{"the same by an update", put(unknown), 1},
		{"a touch within the hour", update(storage.Change{ExpiresAt: base.Add(25 * time.Minute)}), 1},
		{"a touch to another hour", update(storage.Change{ExpiresAt: base.Add(2 * time.Hour)}), 3},
		{"a lease", update(storage.Change{Lease: &lease}), 1},
		{"a release", update(storage.Change{Lease: &storage.Lease{}}), 1},
		{"a commit that ends in another hour", put(far), 3},
		{"a delete", func() error { return f.driver.Delete(t.Context(), "key", storage.Always()) }, 2},
	} {
		f.recorder.Reset()
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := writeUnits(f); got != step.want {
			t.Errorf("%s consumes %v write units; want %v", step.name, got, step.want)
		}
	}
}

func writeUnits(f *fixture) float64 {
	return f.recorder.Units("PutItem") + f.recorder.Units("UpdateItem") + f.recorder.Units("DeleteItem")
}

// An index is added to a table in use: what was there before enters it with its next write, by all ways of writing.
func TestAddExpiryIndex(t *testing.T) {
	t.Parallel()
	client := adminClient(t)
	for name, layout := range map[string]dynamostore.Table{
		"on demand": {}, "provisioned": {ReadCapacity: 7, WriteCapacity: 3, SortKey: dynamostore.Key{Name: "sk"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := createWithoutTTL(t, dynamotest.Client(t), layout)
			table := plain
			table.ExpiryIndex = dynamostore.ExpiryIndex{Name: "expiry", Shards: 3}
			before := mustDriver(t, plain)
			due := time.Now().Add(-2 * time.Hour)
			for i := range 4 {
				record := newRecord(fmt.Sprint(i), "data")
				record.ExpiresAt = due
				must(t, before.Put(t.Context(), record, storage.Always()))
			}
			missing := func(err error) bool {
				var mismatch *dynamostore.MismatchError
				return errors.As(err, &mismatch) && strings.Contains(err.Error(), "AddExpiryIndex")
			}
			if err := table.Verify(t.Context(), client); !missing(err) {
				t.Errorf("Verify without the index: %v; it should say how to add it", err)
			}
			if err := table.Create(t.Context(), client); !missing(err) {
				t.Errorf("Create over a table without the index: %v; it should say how to add it", err)
			}
			for range 2 { // adding it twice is fine
				must(t, table.AddExpiryIndex(t.Context(), client))
			}
			d, err := table.Describe(t.Context(), client)
			must(t, err)
			if len(d.Problems) != 1 || !strings.Contains(d.Problems[0], "TTL is off") || len(d.Remarks) > 0 ||
				fmt.Sprint(d.Indexes) != "[expiry]" {
				t.Errorf("with the index it is described as %+v", d)
			}
			after := mustDriver(t, table)
			if n := countExpired(t, after); n != 0 {
				t.Errorf("%d sessions are in the index that were written without it", n)
			}
			record := newRecord("0", "data")
			record.ExpiresAt = due
			must(t, after.Put(t.Context(), record, storage.Always()))
			record.Key, record.CreatedAt, record.Version = "1", time.Time{}, storage.NewVersion()
			must(t, after.Put(t.Context(), record, storage.Always()))
			must(t, after.Update(t.Context(), "2", storage.Change{ExpiresAt: due.Add(time.Second)}, storage.Always()))
			if n := countExpired(t, after); n != 3 {
				t.Errorf("%d sessions are in the index; three were written with it", n)
			}
		})
	}
}

// What is wrong with an index is said, each with what to do, and nothing is changed.
func TestExpiryIndexMismatch(t *testing.T) {
	t.Parallel()
	client, plain := adminClient(t), dynamotest.Client(t)
	made := dynamostore.Table{
		Name: dynamotest.TableName(t, plain), ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry"},
		Attributes: dynamostore.Attributes{ExpiryShard: "elsewhere"},
	}
	must(t, made.Create(t.Context(), client))
	wanted := made
	wanted.Attributes = dynamostore.Attributes{}
	for name, do := range map[string]func() error{
		"Verify":         func() error { return wanted.Verify(t.Context(), client) },
		"Create":         func() error { return wanted.Create(t.Context(), client) },
		"AddExpiryIndex": func() error { return wanted.AddExpiryIndex(t.Context(), client) },
	} {
		var mismatch *dynamostore.MismatchError
		if err := do(); !errors.As(err, &mismatch) || len(mismatch.Problems) != 1 ||
			!strings.Contains(err.Error(), `"expiry_shard" of type S`) || !strings.Contains(err.Error(), "delete the index") {
			t.Errorf("%s of an index with another key: %v", name, err)
		}
	}
	unindexed := made
	unindexed.ExpiryIndex = dynamostore.ExpiryIndex{}
	if err := unindexed.AddExpiryIndex(t.Context(), client); err == nil || !strings.Contains(err.Error(), "no name") {
		t.Errorf("adding no index: %v", err)
	}
	absent := made
	absent.Name = "no-such-table"
	if err := absent.AddExpiryIndex(t.Context(), client); !errors.Is(err, dynamostore.ErrTableNotFound) {
		t.Errorf("adding an index to a table that is not there: %v", err)
	}
}

// busyTable is a table that AWS is changing: it refuses to be updated with each of the errors, and then is no longer.
type busyTable struct {
	dynamostore.TableClient
	refuse  []error
	changed bool // whether it looks as if it were being changed
	asked   int
}

func (b *busyTable) UpdateTable(
	ctx context.Context, input *dynamodb.UpdateTableInput, opts ...func(*dynamodb.Options),
) (*dynamodb.UpdateTableOutput, error) {
	b.asked++
	if len(b.refuse) > 0 {
		err := b.refuse[0]
		b.refuse = b.refuse[1:]
		return nil, err
	}
	return b.TableClient.UpdateTable(ctx, input, opts...)
}

func (b *busyTable) DescribeTable(
	ctx context.Context, input *dynamodb.DescribeTableInput, opts ...func(*dynamodb.Options),
) (*dynamodb.DescribeTableOutput, error) {
	output, err := b.TableClient.DescribeTable(ctx, input, opts...)
	if err == nil && b.changed && len(b.refuse) > 0 {
		output.Table.GlobalSecondaryIndexes = append(output.Table.GlobalSecondaryIndexes,
			types.GlobalSecondaryIndexDescription{
				IndexName: aws.String("another"), IndexStatus: types.IndexStatusCreating,
			})
	}
	return output, err
}

// An index that AWS refuses to make while it changes the table is asked for again, and others are not waited for in
// vain.
func TestAddExpiryIndexToBusyTable(t *testing.T) {
	t.Parallel()
	inUse, limit := &types.ResourceInUseException{}, &types.LimitExceededException{}
	table := createWithoutTTL(t, dynamotest.Client(t), dynamostore.Table{})
	table.ExpiryIndex = dynamostore.ExpiryIndex{Name: "expiry"}

	// What is refused as beyond a limit while nothing is being changed does not pass.
	client := &busyTable{TableClient: adminClient(t), refuse: []error{limit}}
	if err := table.AddExpiryIndex(t.Context(), client); !errors.Is(err, limit) ||
		errors.Is(err, dynamostore.ErrTableBusy) ||
		errors.Is(err, storage.ErrThrottled) || client.asked != 1 {
		t.Errorf("an index too many: %v after %d calls", err, client.asked)
	}
	client = &busyTable{TableClient: adminClient(t), changed: true, refuse: []error{inUse, inUse}}
	if err := table.StartExpiryIndex(t.Context(), client); !errors.Is(err, dynamostore.ErrTableBusy) ||
		!errors.Is(err, inUse) || client.asked != 1 {
		t.Errorf("begun on a table that is being changed: %v after %d calls", err, client.asked)
	}
	client = &busyTable{TableClient: adminClient(t), changed: true, refuse: []error{inUse, limit, limit, inUse}}
	must(t, table.AddExpiryIndex(t.Context(), client))
	if client.asked != 5 {
		t.Errorf("asked %d times; four were refused", client.asked)
	}
	d, err := table.Describe(t.Context(), client)
	must(t, err)
	if fmt.Sprint(d.Indexes) != "[expiry]" {
		t.Errorf("the table has the indexes %v", d.Indexes)
	}
}

// What only AWS shows of an index.
func TestDescribeExpiryIndex(t *testing.T) {
	t.Parallel()
	index := func(change func(*types.GlobalSecondaryIndexDescription)) describedAs {
		d := described()
		d.table.ProvisionedThroughput = &types.ProvisionedThroughputDescription{
			ReadCapacityUnits:  aws.Int64(5),
			WriteCapacityUnits: aws.Int64(6),
		}
		d.table.AttributeDefinitions = append(d.table.AttributeDefinitions,
			types.AttributeDefinition{AttributeName: aws.String("expiry_shard"), AttributeType: types.ScalarAttributeTypeS},
			types.AttributeDefinition{AttributeName: aws.String("expiry_hour"), AttributeType: types.ScalarAttributeTypeN})
		gsi := types.GlobalSecondaryIndexDescription{
			IndexName: aws.String("expiry"), IndexStatus: types.IndexStatusActive,
			KeySchema: []types.KeySchemaElement{
				{AttributeName: aws.String("expiry_shard"), KeyType: types.KeyTypeHash},
				{AttributeName: aws.String("expiry_hour"), KeyType: types.KeyTypeRange},
			},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
			ProvisionedThroughput: &types.ProvisionedThroughputDescription{
				ReadCapacityUnits:  aws.Int64(5),
				WriteCapacityUnits: aws.Int64(6),
			},
		}
		change(&gsi)
		d.table.GlobalSecondaryIndexes = append(d.table.GlobalSecondaryIndexes, gsi)
		return d
	}
	table := dynamostore.Table{
		Name: "sessions", ReadCapacity: 5, WriteCapacity: 6, Class: types.TableClassStandardInfrequentAccess,
		ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry"},
	}
	for name, test := range map[string]struct {
		client          describedAs
		problem, remark string
	}{
		"as it should be": {index(func(*types.GlobalSecondaryIndexDescription) {}), "", ""},
		"being built": {index(func(g *types.GlobalSecondaryIndexDescription) {
			g.IndexStatus = types.IndexStatusCreating
		}), "is being built", ""},
		"being deleted": {index(func(g *types.GlobalSecondaryIndexDescription) {
			g.IndexStatus = types.IndexStatusDeleting
		}), "is DELETING", ""},
		"of all attributes": {index(func(g *types.GlobalSecondaryIndexDescription) {
			g.Projection = &types.Projection{ProjectionType: types.ProjectionTypeAll}
		}), "", "more than keys (ALL)"},
		"slower than the table": {index(func(g *types.GlobalSecondaryIndexDescription) {
			g.ProvisionedThroughput.WriteCapacityUnits = aws.Int64(2)
		}), "", "2 write units, and the table 6"},
	} {
		d, err := table.Describe(t.Context(), test.client)
		must(t, err)
		problems, remarks := strings.Join(d.Problems, "; "), strings.Join(d.Remarks, "; ")
		if (test.problem == "") != (problems == "") || !strings.Contains(problems, test.problem) {
			t.Errorf("%s: problems %q; want %q", name, problems, test.problem)
		}
		if !strings.Contains(remarks, test.remark) || test.remark == "" && strings.Contains(remarks, "index") {
			t.Errorf("%s: remarks %q; want %q", name, remarks, test.remark)
		}
	}
}

func TestExpiryIndexValidate(t *testing.T) {
	t.Parallel()
	for want, table := range map[string]dynamostore.Table{
		`ExpiryIndex.Name: "no spaces"`:   {ExpiryIndex: dynamostore.ExpiryIndex{Name: "no spaces"}},
		`ExpiryIndex.Name: "ab"`:          {ExpiryIndex: dynamostore.ExpiryIndex{Name: "ab"}},
		"ExpiryIndex.Shards: -1":          {ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry", Shards: -1}},
		"ExpiryIndex.Shards: 1025":        {ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry", Shards: 1025}},
		"ExpiryIndex: shards without a":   {ExpiryIndex: dynamostore.ExpiryIndex{Shards: 4}},
		"Attributes.ExpiryHour: the attr": {Attributes: dynamostore.Attributes{ExpiryHour: "expiry"}},
	} {
		table.Name = "sessions"
		if err := table.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %q", table.ExpiryIndex, err, want)
		}
	}
	table := dynamostore.Table{ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry"}}
	if got := table.WithDefaults().ExpiryIndex.Shards; got != defaults.ExpiryShards {
		t.Errorf("%d shards by default; want %d", got, defaults.ExpiryShards)
	}
}

// A position of a scan is none of the index, and none of the index is one of a scan.
func TestPositionsOfTheIndexAreItsOwn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry", Shards: 1}})
	for i := range 3 {
		record := newRecord(fmt.Sprint(i), "data")
		record.ExpiresAt = time.Now().Add(-2 * time.Hour)
		f.mustPut(t, record)
	}
	scanned, err := f.driver.Scan(t.Context(), storage.ScanRequest{Limit: 1})
	must(t, err)
	found, err := f.past(t).ScanExpired(t.Context(), storage.ExpiredRequest{Cutoff: time.Now(), Limit: 1})
	must(t, err)
	if _, err := f.driver.Scan(t.Context(), storage.ScanRequest{Start: found.Next}); found.Next == "" || err == nil {
		t.Errorf("a scan begins at %q, a position of the index: %v", found.Next, err)
	}
	if _, err := f.past(t).ScanExpired(t.Context(),
		storage.ExpiredRequest{Cutoff: time.Now(), Start: scanned.Next}); err == nil {
		t.Error("the index is gone on with at a position of a scan")
	}
}

// Store and index know each other: what the store commits, touches and deletes is in the index, and is not.
func TestStoreWithExpiryIndex(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry"}},
		sessionstore.WithTouchInterval(0))
	end := time.Now().Add(3 * time.Hour)
	must(t, f.store.CommitCtx(t.Context(), "token", []byte("data"), end))
	must(t, f.store.CommitCtx(t.Context(), "other", []byte("data"), end))
	in := func(d time.Duration) int {
		n := 0
		for shard := range f.driver.ExpiryShards() {
			page, err := f.past(t).ScanExpired(t.Context(), storage.ExpiredRequest{Cutoff: time.Now().Add(d), Shard: shard})
			must(t, err)
			n += len(page.Entries)
		}
		return n
	}
	if in(90*time.Minute) != 0 || in(5*time.Hour) != 2 {
		t.Errorf("within 90 minutes %d end, within 5 hours %d; want 0 and 2", in(90*time.Minute), in(5*time.Hour))
	}
	must(t, f.store.DeleteCtx(t.Context(), "other"))
	if n := in(5 * time.Hour); n != 2 || in(time.Hour) != 0 { // its tombstone ends in 75 minutes
		t.Errorf("after a logout %d are in the index; want 2", n)
	}
}

func countExpired(t *testing.T, driver *dynamostore.Driver) int {
	t.Helper()
	n := 0
	for shard := range driver.ExpiryShards() {
		page, err := driver.ScanExpired(t.Context(), storage.ExpiredRequest{Cutoff: time.Now(), Shard: shard})
		must(t, err)
		n += len(page.Entries)
	}
	return n
}

func mustDriver(t *testing.T, table dynamostore.Table) *dynamostore.Driver {
	t.Helper()
	driver, err := dynamostore.NewDriver(dynamotest.Client(t), table)
	must(t, err)
	return driver
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
