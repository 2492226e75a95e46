package iac_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/dynamostore/iac"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/iamtest"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// layouts are a table of its own and one that is shared, with an index.
var layouts = map[string]dynamostore.Table{
	"plain": {},
	"single table": {
		PartitionKey: dynamostore.Key{Name: "pk", Prefix: "SESSION#", Suffix: "#v1"},
		SortKey:      dynamostore.Key{Name: "sk", Prefix: "SESSION#", Suffix: "#meta"},
		// Words that DynamoDB reserves.
		Attributes: dynamostore.Attributes{
			Data: "data", Expiry: "ttl", TTL: "time", Version: "token", CreatedAt: "user", Ancestry: "order",
			ExpiryShard: "group", ExpiryHour: "hour",
		},
		ExpiryIndex: dynamostore.ExpiryIndex{Name: "by-hour", Shards: 3},
	},
}

// create makes a table that keeps what has expired, and a driver on it with all rights.
func create(t *testing.T, table dynamostore.Table) (dynamostore.Table, *dynamostore.Driver) {
	t.Helper()
	client := dynamotest.Client(t)
	table.Name = dynamotest.TableName(t, client)
	if err := table.Create(t.Context(), dynamotest.WithoutTTL(client)); err != nil {
		t.Fatal(err)
	}
	driver, err := dynamostore.NewDriver(client, table)
	if err != nil {
		t.Fatal(err)
	}
	return table, driver
}

func newRecord(key, data string) storage.Record {
	now := time.Now()
	return storage.Record{
		Key: key, Data: []byte(data), CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(time.Hour),
		Version: storage.NewVersion(),
	}
}

func newLease(id string) storage.Lease {
	return storage.Lease{ID: id, Duration: time.Minute, ExpiresAt: time.Now().Add(time.Minute)}
}

// The policy of an application is enough for all that a store does, and no more than that, also in a table that it
// shares.
func TestAppNeedsItsPolicy(t *testing.T) {
	t.Parallel()
	for name, layout := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			useStore(t, layout)
		})
	}
}

func useStore(t *testing.T, layout dynamostore.Table) {
	t.Helper()
	table, _ := create(t, layout)
	under := rightsUnder(t, table, iac.RoleApp)
	client := dynamotest.Client(t, under.enforce)
	iterating := rightsUnder(t, table, iac.RoleIterator)
	iterator, err := dynamostore.New(dynamotest.Client(t, iterating.enforce), table,
		sessionstore.WithSecret(storetest.Secret(2), storetest.Secret(1)))
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	store, err := dynamostore.New(client, table, sessionstore.WithSecret(storetest.Secret(2), storetest.Secret(1)))
	must(err)
	driver, err := dynamostore.NewDriver(client, table)
	must(err)
	old, err := dynamostore.New(client, table, sessionstore.WithSecret(storetest.Secret(1)))
	must(err)
	hour := time.Now().Add(time.Hour)
	must(old.CommitCtx(t.Context(), "token", nil, hour))
	ctx, end := store.Begin(t.Context())
	defer end()
	_, _, err = store.FindCtx(ctx, "token")
	must(err)
	must(store.CommitCtx(ctx, "token", nil, hour)) // moves it
	must(store.CommitCtx(ctx, "token", nil, hour))
	_, err = driver.Acquire(ctx, store.StorageKey("token"), newLease("lease"), storage.IfFree(time.Now()))
	must(err)
	must(driver.Update(ctx, store.StorageKey("token"), storage.Change{ExpiresAt: hour}, storage.Always()))
	must(store.DeleteCtx(ctx, "token"))
	must(store.CommitCtx(t.Context(), "another", nil, hour))
	under.check(t)
	if _, err := store.DeleteAll(t.Context()); !errors.Is(err, dynamostore.ErrAccessDenied) {
		t.Errorf("an application ends all sessions, for which it was given no right: %v", err)
	}
	_, err = iterator.AllCtx(t.Context())
	must(err)
	_, err = iterator.DeleteAll(t.Context())
	must(err)
	iterating.check(t)

	others := table
	others.PartitionKey.Prefix = "others#"
	stranger, err := dynamostore.NewDriver(client, others)
	must(err)
	shared := layout.PartitionKey.Prefix != ""
	if _, _, err := stranger.Get(t.Context(), "key",
		storage.Strong); errors.Is(err, dynamostore.ErrAccessDenied) != shared {
		t.Errorf("an item of others in a table that is shared (%v): %v", shared, err)
	}
}

// The policy of an administrator is enough for all that Table does, and no more than that.
func TestAdminNeedsItsPolicy(t *testing.T) {
	t.Parallel()
	plain := dynamotest.Client(t)
	table := dynamostore.Table{
		Name: dynamotest.TableName(t, plain), Tags: map[string]string{"team": "web"},
		ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry"},
	}
	unindexed := table
	unindexed.ExpiryIndex = dynamostore.ExpiryIndex{}
	under := rightsUnder(t, table, iac.RoleAdmin)
	client := dynamotest.Client(t, under.enforce)
	for _, do := range []func() error{
		func() error { return unindexed.Create(t.Context(), client) },
		func() error { return table.AddExpiryIndex(t.Context(), client) },
		func() error { return table.Create(t.Context(), client) },
		func() error { return table.Verify(t.Context(), client) },
		func() error { _, err := table.Describe(t.Context(), client); return err },
		func() error { return table.Delete(t.Context(), client, table.Name) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	under.check(t)
}

// The policy of a collector is enough for what package gcrunner does, and no more than that.
func TestCollectorNeedsItsPolicy(t *testing.T) {
	t.Parallel()
	for name, layout := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			collect(t, layout)
		})
	}
}

func collect(t *testing.T, layout dynamostore.Table) {
	t.Helper()
	table, unlimited := create(t, layout)
	under := rightsUnder(t, table, iac.RoleCollector)
	reading, err := dynamostore.NewDriver(dynamotest.Client(t, under.enforce), table)
	if err != nil {
		t.Fatal(err)
	}
	driver := reading.WithoutData()
	for _, key := range []string{"live", "expired"} {
		record := newRecord(key, "data")
		if key == "expired" {
			record.ExpiresAt = time.Now().Add(-2 * time.Hour)
		}
		if err := unlimited.Put(t.Context(), record, storage.Always()); err != nil {
			t.Fatal(err)
		}
	}
	election, err := gcrunner.NewElection(driver, 0)
	if err != nil {
		t.Fatal(err)
	}
	sources := []gcrunner.Source{gcrunner.SourceScan}
	if driver.ExpiryShards() > 0 { // with an index, a collector may scan as well
		sources = []gcrunner.Source{gcrunner.SourceIndex, gcrunner.SourceScan}
	}
	total := 0
	for _, source := range sources {
		collector, err := gcrunner.NewCollector(driver, gcrunner.Rules{Expired: true}, gcrunner.CollectorOptions{
			Source:   source,
			Election: election, Checkpoint: gcrunner.TableCheckpoint(driver),
		})
		if err != nil {
			t.Fatal(err)
		}
		report, err := collector.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		total += report.Total()
	}
	if total != 1 {
		t.Fatalf("%d sessions were collected; want 1", total)
	}
	// What was renewed meanwhile is read, to tell it from what is gone.
	seen := newRecord("live", "data")
	seen.Version = storage.NewVersion()
	conflict := (*storage.ConflictError)(nil)
	if err := driver.Delete(t.Context(), "live", storage.IfUnchanged(seen)); !errors.As(err, &conflict) ||
		conflict.Current == nil ||
		conflict.Current.Version == "" || len(conflict.Current.Data) > 0 {
		t.Errorf("a session that was renewed: %v, %+v", err, conflict)
	}
	if err := driver.Delete(t.Context(), "gone", storage.IfUnchanged(seen)); err != nil {
		t.Errorf("a session that is gone: %v", err)
	}
	under.check(t)
	if err := driver.Put(t.Context(), newRecord("forged", "data"),
		storage.Always()); !errors.Is(err, dynamostore.ErrAccessDenied) {
		t.Errorf("the collector writes a session: %v; want ErrAccessDenied", err)
	}
	for name, read := range map[string]func() error{
		"get":  func() error { _, _, err := reading.Get(t.Context(), "live", storage.Strong); return err },
		"scan": func() error { _, err := reading.Scan(t.Context(), storage.ScanRequest{}); return err },
	} {
		if err := read(); !errors.Is(err, dynamostore.ErrAccessDenied) {
			t.Errorf("the collector can %s the data of sessions: %v; want ErrAccessDenied", name, err)
		}
	}
}

// restricted is a client with nothing but the rights of a role, as IAM would judge them.
type restricted struct {
	policy iamPolicy
	role   iac.Role
	key    string // the name of the partition key
	rights iamtest.Rights
}

func rightsUnder(t *testing.T, table dynamostore.Table, role iac.Role) *restricted {
	t.Helper()
	text, err := iac.Policy(table, role, here)
	if err != nil {
		t.Fatal(err)
	}
	return &restricted{
		policy: readPolicy(t, text), role: role, key: table.WithDefaults().PartitionKey.Name,
	}
}

// enforce is an option of the client.
func (r *restricted) enforce(o *dynamodb.Options) {
	r.rights.As(string(r.role))(o)
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Policy",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
				middleware.InitializeOutput, middleware.Metadata, error,
			) {
				for _, need := range r.needs(middleware.GetOperationName(ctx), in.Parameters) {
					if !r.policy.allowsRequest(need) {
						err := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: need.action}
						return middleware.InitializeOutput{}, middleware.Metadata{}, err
					}
				}
				return next.HandleInitialize(ctx, in)
			}), middleware.After)
	})
}

// check fails if a right was not needed.
func (r *restricted) check(t *testing.T) {
	t.Helper()
	var want []string
	for _, s := range r.policy.Statement {
		want = append(want, s.Action...)
	}
	slices.Sort(want)
	want = slices.Compact(want)
	if got := r.rights.Used(string(r.role)); !slices.Equal(got, want) {
		t.Errorf("the role %s used %v; it has %v", r.role, got, want)
	}
}

// reads is what a request that reads tells IAM: what it names, and that it names all that it reads, or that it does
// not.
func reads(of request, projection *string, names map[string]string) request {
	of.selects = string(types.SelectAllAttributes)
	if projection != nil {
		of.selects = string(types.SelectSpecificAttributes)
	}
	of.attributes = slices.Sorted(maps.Values(names))
	return of
}

func (r *restricted) needs(operation string, input any) []request {
	type need = request
	keys := func(items ...map[string]types.AttributeValue) []string {
		var keys []string
		for _, item := range items {
			keys = append(keys, item[r.key].(*types.AttributeValueMemberS).Value)
		}
		return keys
	}
	switch input := input.(type) {
	case *dynamodb.GetItemInput:
		return []need{reads(need{action: operation, keys: keys(input.Key)}, input.ProjectionExpression,
			input.ExpressionAttributeNames)}
	case *dynamodb.ScanInput:
		return []need{reads(need{action: operation}, input.ProjectionExpression, input.ExpressionAttributeNames)}
	case *dynamodb.PutItemInput:
		return []need{{action: operation, keys: keys(input.Item), returnValues: string(input.ReturnValues)}}
	case *dynamodb.UpdateItemInput:
		return []need{{action: operation, keys: keys(input.Key), returnValues: string(input.ReturnValues)}}
	case *dynamodb.DeleteItemInput:
		if r.role == iac.RoleCollector &&
			input.ReturnValuesOnConditionCheckFailure == types.ReturnValuesOnConditionCheckFailureAllOld {
			panic("a delete of a collector asks for the whole item, which no condition of IAM keeps from it")
		}
		return []need{{action: operation, keys: keys(input.Key), returnValues: string(input.ReturnValues)}}
	case *dynamodb.BatchWriteItemInput:
		batch := need{action: operation}
		for _, requests := range input.RequestItems {
			for _, request := range requests {
				batch.keys = append(batch.keys, keys(request.DeleteRequest.Key)...)
			}
		}
		return []need{batch}
	default:
		return []need{{action: operation}}
	}
}

// readmePolicy returns the policy in docs/rights.md.
func readmePolicy(t *testing.T) []byte {
	t.Helper()
	readme, err := os.ReadFile("../../docs/rights.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```json\n(.*?)```").FindSubmatch(readme)
	if block == nil {
		t.Fatal("no policy in docs/rights.md")
	}
	return block[1]
}
