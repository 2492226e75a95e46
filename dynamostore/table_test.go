package dynamostore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
)

func TestTableCreateVerifyDelete(t *testing.T) {
	t.Parallel()
	client, plain := adminClient(t), dynamotest.Client(t)
	for name, table := range map[string]dynamostore.Table{
		"default":     {},
		"provisioned": {ReadCapacity: 7, WriteCapacity: 3, Tags: map[string]string{"team": "web", "env": "test"}},
		"sort key": {
			PartitionKey: dynamostore.Key{Name: "pk", Prefix: "S#"}, SortKey: dynamostore.Key{Name: "sk"},
			Attributes: dynamostore.Attributes{TTL: "gone_at"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			table.Name = dynamotest.TableName(t, plain)
			if err := table.Verify(ctx, client); !errors.Is(err, dynamostore.ErrTableNotFound) {
				t.Errorf("verify before create: %v; want ErrTableNotFound", err)
			}
			for range 2 { // creating twice is fine
				if err := table.Create(ctx, client); err != nil {
					t.Fatalf("create: %v", err)
				}
			}
			if err := table.Verify(ctx, client); err != nil {
				t.Errorf("verify: %v", err)
			}
			out, err := plain.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &table.Name})
			if err != nil {
				t.Fatal(err)
			}
			onDemand := out.Table.BillingModeSummary != nil &&
				out.Table.BillingModeSummary.BillingMode == types.BillingModePayPerRequest
			if onDemand != (table.ReadCapacity == 0) {
				t.Errorf("on-demand: %v", onDemand)
			}
			if p := out.Table.ProvisionedThroughput; table.ReadCapacity > 0 &&
				(aws.ToInt64(p.ReadCapacityUnits) != 7 || aws.ToInt64(p.WriteCapacityUnits) != 3) {
				t.Errorf("provisioned %d and %d; want 7 and 3", aws.ToInt64(p.ReadCapacityUnits), aws.ToInt64(p.WriteCapacityUnits))
			}
			for _, slip := range []string{"", strings.ToLower(table.Name), table.Name + " "} {
				if err := table.Delete(ctx, client, slip); err == nil ||
					!strings.Contains(err.Error(), "to confirm, repeat the name") {
					t.Errorf("delete confirmed by %q: %v; want an error that says what to repeat", slip, err)
				}
			}
			if err := table.Verify(ctx, client); err != nil {
				t.Fatalf("after refused deletes: %v", err)
			}
			if err := table.Delete(ctx, client, table.Name); err != nil {
				t.Fatal(err)
			}
			if err := table.Verify(ctx, client); !errors.Is(err, dynamostore.ErrTableNotFound) {
				t.Errorf("after delete: %v; want ErrTableNotFound", err)
			}
			if err := table.Delete(ctx, client, table.Name); !errors.Is(err, dynamostore.ErrTableNotFound) {
				t.Errorf("second delete: %v; want ErrTableNotFound", err)
			}
		})
	}
}

func TestTableDeletionProtection(t *testing.T) {
	t.Parallel()
	client := adminClient(t)
	table := dynamostore.Table{Name: dynamotest.TableName(t, client), DeletionProtection: true}
	if err := table.Create(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if err := table.Delete(t.Context(), client, table.Name); !errors.Is(err, dynamostore.ErrDeletionProtected) {
		t.Errorf("%v; want ErrDeletionProtected", err)
	}
}

// A table that somebody made another way is named in every difference, and left alone.
func TestTableMismatch(t *testing.T) {
	t.Parallel()
	client, plain := adminClient(t), dynamotest.Client(t)
	table := dynamostore.Table{Name: dynamotest.TableName(t, plain)}
	_, err := plain.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:   &table.Name,
		BillingMode: types.BillingModePayPerRequest,
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("session_id"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("range"), KeyType: types.KeyTypeRange},
		},
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("session_id"), AttributeType: types.ScalarAttributeTypeB},
			{AttributeName: aws.String("range"), AttributeType: types.ScalarAttributeTypeN},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = table.Verify(t.Context(), client)
	var mismatch *dynamostore.MismatchError
	if !errors.As(err, &mismatch) || !errors.Is(err, dynamostore.ErrTableMismatch) || len(mismatch.Problems) != 3 {
		t.Fatalf("verify: %v; want the type of the key, the sort key and TTL in one error", err)
	}
	if err := table.Create(t.Context(), client); !errors.As(err, &mismatch) {
		t.Errorf("create over another schema: %v; want a MismatchError", err)
	}
	ttl, err := plain.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &table.Name})
	if err != nil {
		t.Fatal(err)
	}
	if ttl.TimeToLiveDescription != nil && ttl.TimeToLiveDescription.TimeToLiveStatus == types.TimeToLiveStatusEnabled {
		t.Error("create turned TTL on in a table that is not ours")
	}
	// At run time the same mistake has the same kind.
	store, err := dynamostore.New(appClient(t), table)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.CommitCtx(t.Context(), "token", nil,
		time.Now().Add(time.Hour)); !errors.Is(err, dynamostore.ErrTableMismatch) {
		t.Errorf("commit: %v; want ErrTableMismatch", err)
	}
}

func TestTTLOnAnotherAttribute(t *testing.T) {
	t.Parallel()
	client := adminClient(t)
	table := dynamostore.Table{Name: dynamotest.TableName(t, client), Attributes: dynamostore.Attributes{TTL: "mine"}}
	if err := table.Create(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	table.Attributes.TTL = "yours"
	if err := table.Verify(t.Context(), client); !errors.Is(err, dynamostore.ErrTableMismatch) {
		t.Errorf("verify: %v; want ErrTableMismatch", err)
	}
	if err := table.Create(t.Context(), client); !errors.Is(err, dynamostore.ErrTableMismatch) {
		t.Errorf("create: %v; want ErrTableMismatch", err)
	}
}

// What the engines cannot do is still asked of AWS: the request is looked at instead.
func TestCreateRequest(t *testing.T) {
	t.Parallel()
	client := &createRecorder{Client: dynamotest.Client(t)}
	table := dynamostore.Table{
		Name: "sessions", KMSKey: "alias/sessions", Class: types.TableClassStandardInfrequentAccess, DeletionProtection: true,
		Tags: map[string]string{"b": "2", "a": "1"}, Stream: true,
	}
	if err := table.Create(t.Context(), client); !errors.Is(err, errRecorded) {
		t.Fatal(err)
	}
	in := client.input
	if in.SSESpecification == nil || aws.ToString(in.SSESpecification.KMSMasterKeyId) != "alias/sessions" ||
		in.TableClass != types.TableClassStandardInfrequentAccess || !aws.ToBool(in.DeletionProtectionEnabled) ||
		len(in.Tags) != 2 || *in.Tags[0].Key != "a" || *in.Tags[1].Value != "2" ||
		in.BillingMode != types.BillingModePayPerRequest || in.ProvisionedThroughput != nil ||
		in.StreamSpecification == nil || !aws.ToBool(in.StreamSpecification.StreamEnabled) ||
		in.StreamSpecification.StreamViewType != types.StreamViewTypeNewAndOldImages {
		t.Errorf("created with %+v", in)
	}
}

var errRecorded = errors.New("recorded")

type createRecorder struct {
	*dynamodb.Client
	input *dynamodb.CreateTableInput
}

func (c *createRecorder) CreateTable(
	_ context.Context, in *dynamodb.CreateTableInput, _ ...func(*dynamodb.Options),
) (*dynamodb.CreateTableOutput, error) {
	c.input = in
	return nil, errRecorded
}

func TestTableValidateReportsAll(t *testing.T) {
	t.Parallel()
	table := dynamostore.Table{
		Name:         "no spaces",
		PartitionKey: dynamostore.Key{Name: "pk", Prefix: strings.Repeat("p", 2000)},
		SortKey:      dynamostore.Key{Prefix: "without a name"},
		Attributes:   dynamostore.Attributes{Data: "same", Version: "same", TTL: strings.Repeat("t", 256)},
		ReadCapacity: 5,
	}
	err := table.Validate()
	for _, want := range []string{"Name:", "PartitionKey:", "SortKey:", `"same"`, "Attributes.TTL", "ReadCapacity"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not reported in: %v", want, err)
		}
	}
	twice := dynamostore.Table{Name: "sessions", Attributes: dynamostore.Attributes{Ancestry: "lease_id"}}
	if err := twice.Validate(); err == nil || !strings.Contains(err.Error(), "Attributes.Ancestry") {
		t.Errorf("the name of another attribute for the ancestry: %v", err)
	}
	if err := (dynamostore.Table{Name: "sessions", WriteCapacity: -1, ReadCapacity: -1}).Validate(); err == nil {
		t.Error("negative capacity is not reported")
	}
	if err := (dynamostore.Table{Name: "sessions"}).Validate(); err != nil {
		t.Errorf("the default layout: %v", err)
	}
}

// Create leaves a table that has other settings as it is, turns TTL on all the same, and says which differ.
func TestCreateComparesSettings(t *testing.T) {
	t.Parallel()
	client := adminClient(t)
	table := dynamostore.Table{Name: dynamotest.TableName(t, client)}
	if err := table.Create(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if err := table.Create(t.Context(), client); err != nil {
		t.Errorf("again: %v", err)
	}
	wished := table
	wished.DeletionProtection, wished.ReadCapacity, wished.WriteCapacity = true, 5, 6
	wished.KMSKey, wished.Class, wished.Tags = "alias/own", types.TableClassStandardInfrequentAccess,
		map[string]string{"team": "web"}
	var created, verified *dynamostore.MismatchError
	if err := wished.Create(t.Context(), client); !errors.As(err, &created) ||
		!errors.Is(err, dynamostore.ErrTableMismatch) {
		t.Fatalf("with other settings: %v; want a MismatchError", err)
	}
	if err := wished.Verify(t.Context(), client); !errors.As(err, &verified) ||
		!slices.Equal(created.Settings, verified.Settings) {
		t.Errorf("created %q, verified %q", created.Settings, verified.Settings)
	}
	for _, want := range []string{"DeletionProtection", "5 read and 6 write", "KMSKey", "STANDARD_INFREQUENT_ACCESS"} {
		if !strings.Contains(strings.Join(created.Settings, "; "), want) {
			t.Errorf("%s is not told of in %q", want, created.Settings)
		}
	}
	if len(created.Problems) > 0 {
		t.Errorf("settings are problems: %q", created.Problems)
	}
	if err := table.Verify(t.Context(), client); err != nil {
		t.Errorf("it was changed: %v", err)
	}
}

// The engines would refuse these, each with an error that does not name the field.
func TestValidateSettings(t *testing.T) {
	t.Parallel()
	for field, table := range map[string]dynamostore.Table{
		"Name":   {Name: "arn:aws:s3:::bucket"},
		"KMSKey": {Name: "sessions", KMSKey: "my key"},
		"Class":  {Name: "sessions", Class: "CHEAP"},
		"Tags": {Name: "sessions", Tags: map[string]string{
			"": "empty", "aws:reserved": "", "not UTF-8": "\xff", strings.Repeat("k", 129): "", "v": strings.Repeat("v", 257),
		}},
	} {
		err := table.Validate()
		var all interface{ Unwrap() []error }
		if !errors.As(err, &all) || !strings.Contains(err.Error(), "Table."+field) ||
			len(all.Unwrap()) != max(1, len(table.Tags)) {
			t.Errorf("%s: %v", field, err)
		}
	}
	many := dynamostore.Table{Name: "sessions", Tags: map[string]string{}}
	for i := range 51 {
		many.Tags[fmt.Sprint(i)] = ""
	}
	if err := many.Validate(); err == nil || !strings.Contains(err.Error(), "51 tags") {
		t.Errorf("51 tags: %v", err)
	}
}
