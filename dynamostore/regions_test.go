package dynamostore_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// strong is a client to which each table is a replica of a strongly consistent global table, which no engine has.
type strong struct {
	dynamostore.TableClient
	silent bool // it does not even say that there is no TTL
}

func (c strong) DescribeTable(
	ctx context.Context, input *dynamodb.DescribeTableInput, opts ...func(*dynamodb.Options),
) (*dynamodb.DescribeTableOutput, error) {
	out, err := c.TableClient.DescribeTable(ctx, input, opts...)
	if err == nil {
		out.Table.MultiRegionConsistency = types.MultiRegionConsistencyStrong
		out.Table.Replicas = []types.ReplicaDescription{{RegionName: aws.String("us-west-2")}}
		out.Table.GlobalTableWitnesses = []types.GlobalTableWitnessDescription{{RegionName: aws.String("us-east-2")}}
	}
	return out, err
}

func (c strong) DescribeTimeToLive(
	ctx context.Context, input *dynamodb.DescribeTimeToLiveInput, opts ...func(*dynamodb.Options),
) (*dynamodb.DescribeTimeToLiveOutput, error) {
	if c.silent {
		return nil, &smithy.GenericAPIError{Code: "ValidationException"}
	}
	return c.TableClient.DescribeTimeToLive(ctx, input, opts...)
}

func (strong) UpdateTimeToLive(
	context.Context, *dynamodb.UpdateTimeToLiveInput, ...func(*dynamodb.Options),
) (*dynamodb.UpdateTimeToLiveOutput, error) {
	return nil, &smithy.GenericAPIError{Code: "ValidationException"}
}

// A strongly consistent global table fits without TTL, which it cannot have, and says what is needed in its place.
func TestStronglyConsistentGlobalTable(t *testing.T) {
	t.Parallel()
	for _, silent := range []bool{false, true} {
		client := strong{adminClient(t), silent}
		table := dynamostore.Table{Name: dynamotest.TableName(t, dynamotest.Client(t))}
		for range 2 {
			if err := table.Create(t.Context(), client); err != nil {
				t.Fatalf("Create: %v", err)
			}
		}
		if err := table.Verify(t.Context(), client); err != nil {
			t.Errorf("Verify: %v", err)
		}
		d, err := table.Describe(t.Context(), client)
		if err != nil || len(d.Problems)+len(d.Settings) > 0 || d.TTL != types.TimeToLiveStatusDisabled ||
			d.MultiRegionConsistency != types.MultiRegionConsistencyStrong {
			t.Errorf("Describe: %+v, %v", d, err)
		}
		said := func(text string) bool {
			return slices.ContainsFunc(d.Remarks, func(remark string) bool { return strings.Contains(remark, text) })
		}
		if !said("gcrunner") || said("to the same one") {
			t.Errorf("remarks: %q; want that gcrunner is needed, and not that conditions hold in one Region", d.Remarks)
		}
		other := table
		other.SortKey.Name = "sk" // it is not forgiven what else is wrong
		if err := other.Create(t.Context(), client); !errors.Is(err, dynamostore.ErrTableMismatch) {
			t.Errorf("Create with another key: %v; want a mismatch", err)
		}
	}
}

// A secret is changed by writes of single items, which every table has.
func TestSecretChangesWithoutTransactions(t *testing.T) {
	t.Parallel()
	older, newer := storetest.Secret(1), storetest.Secret(2)
	f := newFixture(t, dynamostore.Table{}, sessionstore.WithSecret(newer, older))
	first, err := sessionstore.New(f.driver, sessionstore.WithSecret(older))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Commit("token", []byte("old"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	f.faults.Fail("TransactWriteItems", -1, 400, "ValidationException")
	ctx, end := f.store.Begin(t.Context())
	defer end()
	if data, found, err := f.store.FindCtx(ctx, "token"); err != nil || string(data) != "old" {
		t.Fatalf("found %v %q, %v", found, data, err)
	}
	f.recorder.Reset()
	if err := f.store.CommitCtx(ctx, "token", []byte("new"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if calls := f.recorder.Calls(); calls["PutItem"] != 3 || len(calls) != 1 {
		t.Errorf("%v; want three writes", calls)
	}
	after, err := sessionstore.New(f.driver, sessionstore.WithSecret(newer))
	if err != nil {
		t.Fatal(err)
	}
	if data, found, err := after.Find("token"); err != nil || string(data) != "new" {
		t.Errorf("with the new secret alone: found %v %q, %v", found, data, err)
	}
}

// A conflict with a write in another Region goes away by itself, and is repeated by the client of an application that
// knows nothing of our options: as often as that is set to.
func TestConflictBetweenRegionsIsRepeatedByAnyClient(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]dynamodb.Options{
		"the SDK's own options": {},
		"adaptive":              {RetryMode: aws.RetryModeAdaptive},
	} {
		f := newFixture(t, dynamostore.Table{})
		faults := new(dynamotest.Faults)
		engine := f.plain.Options()
		options.BaseEndpoint, options.Region, options.Credentials = engine.BaseEndpoint, engine.Region, engine.Credentials
		client := dynamodb.New(options, faults.Install)
		driver, err := dynamostore.NewDriver(client, f.table)
		if err != nil {
			t.Fatal(err)
		}
		for _, write := range writes {
			stored := newLeased(write.name)
			f.mustPut(t, stored)
			faults.Fail(write.operation, 1, 400, "ReplicatedWriteConflictException")
			if err := write.do(t.Context(), driver, stored); err != nil {
				t.Errorf("%s, %s: %v; want nil at the second try", name, write.name, err)
			}
		}
		faults.Fail("BatchWriteItem", 1, 400, "ReplicatedWriteConflictException")
		if err := driver.DeleteBatch(t.Context(), []string{"key"}); err != nil {
			t.Errorf("%s, batch: %v", name, err)
		}
		bounded := dynamodb.New(client.Options(), func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} })
		if driver, err = dynamostore.NewDriver(bounded, f.table); err != nil {
			t.Fatal(err)
		}
		faults.Fail("PutItem", 1, 400, "ReplicatedWriteConflictException")
		err = driver.Put(t.Context(), newRecord("once", "data"), storage.Always())
		if !errors.Is(err, dynamostore.ErrContended) || errors.Is(err, storage.ErrOutcomeUnknown) {
			t.Errorf("%s, without any repetition: %v; want ErrContended", name, err)
		}
	}
}
