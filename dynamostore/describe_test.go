package dynamostore_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	client := adminClient(t)
	for name, table := range map[string]dynamostore.Table{
		"default": {},
		"provisioned": {
			ReadCapacity: 7, WriteCapacity: 3, DeletionProtection: true, Stream: true,
			SortKey: dynamostore.Key{Name: "sk"}, Attributes: dynamostore.Attributes{TTL: "gone_at"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table.Name = dynamotest.TableName(t, client)
			if _, err := table.Describe(t.Context(), client); !errors.Is(err, dynamostore.ErrTableNotFound) {
				t.Errorf("before create: %v; want ErrTableNotFound", err)
			}
			if err := table.Create(t.Context(), client); err != nil {
				t.Fatal(err)
			}
			d, err := table.Describe(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(d.ARN, ":table/"+table.Name) || time.Since(d.CreatedAt).Abs() > time.Hour {
				t.Errorf("ARN %s, created at %v", d.ARN, d.CreatedAt)
			}
			want := dynamostore.Description{
				Name: table.Name, ARN: d.ARN, Region: client.Options().Region, Status: types.TableStatusActive,
				CreatedAt:    d.CreatedAt,
				PartitionKey: "session_id", SortKey: table.SortKey.Name,
				TTL: types.TimeToLiveStatusEnabled, TTLAttribute: orDefault(table.Attributes.TTL, "expire_at"),
				Billing:      types.BillingModePayPerRequest,
				ReadCapacity: table.ReadCapacity, WriteCapacity: table.WriteCapacity,
				Class: types.TableClassStandard, DeletionProtection: table.DeletionProtection,
				Differences: map[string][]string{"keys": nil, "index": nil, "ttl": nil, "status": nil, "settings": nil},
			}
			if table.Stream {
				want.Stream = types.StreamViewTypeNewAndOldImages
			}
			if table.ReadCapacity > 0 {
				want.Billing = types.BillingModeProvisioned
			}
			if !reflect.DeepEqual(d, want) {
				t.Errorf("described as\n%+v\nwant\n%+v", d, want)
			}
		})
	}
}

// describedAs is a client to which a table looks as no local engine shows it.
type describedAs struct {
	dynamostore.TableClient
	table types.TableDescription
	ttl   *types.TimeToLiveDescription
	tags  []types.Tag // each on a page of its own
	noTag error
}

func (c describedAs) ListTagsOfResource(
	_ context.Context, input *dynamodb.ListTagsOfResourceInput, _ ...func(*dynamodb.Options),
) (*dynamodb.ListTagsOfResourceOutput, error) {
	at, _ := strconv.Atoi(aws.ToString(input.NextToken)) // 0 on the first page
	output := &dynamodb.ListTagsOfResourceOutput{}
	if at < len(c.tags) {
		output.Tags, output.NextToken = c.tags[at:at+1], aws.String(strconv.Itoa(at+1))
	}
	return output, c.noTag
}

func (c describedAs) Options() dynamodb.Options { return dynamodb.Options{Region: "eu-central-1"} }

func (c describedAs) DescribeTable(
	context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options),
) (*dynamodb.DescribeTableOutput, error) {
	return &dynamodb.DescribeTableOutput{Table: &c.table}, nil
}

func (c describedAs) DescribeTimeToLive(
	context.Context, *dynamodb.DescribeTimeToLiveInput, ...func(*dynamodb.Options),
) (*dynamodb.DescribeTimeToLiveOutput, error) {
	return &dynamodb.DescribeTimeToLiveOutput{TimeToLiveDescription: c.ttl}, nil
}

const keyARN = "arn:aws:kms:eu-central-1:123456789012:key/1234"

// described is a table with all that DynamoDB can say of it.
func described() describedAs {
	return describedAs{
		table: types.TableDescription{
			TableName: aws.String("sessions"), TableArn: aws.String("arn:aws:dynamodb:eu-central-1:123456789012:table/sessions"),
			TableStatus:      types.TableStatusUpdating,
			CreationDateTime: aws.Time(time.Unix(1_700_000_000, 0).UTC()), ItemCount: aws.Int64(12),
			TableSizeBytes: aws.Int64(3456),
			KeySchema: []types.KeySchemaElement{{
				AttributeName: aws.String("session_id"),
				KeyType:       types.KeyTypeHash,
			}},
			AttributeDefinitions: []types.AttributeDefinition{{
				AttributeName: aws.String("session_id"),
				AttributeType: types.ScalarAttributeTypeS,
			}},
			// The summary of a table that was never billed otherwise is not there.
			ProvisionedThroughput: &types.ProvisionedThroughputDescription{
				ReadCapacityUnits:  aws.Int64(5),
				WriteCapacityUnits: aws.Int64(6),
			},
			TableClassSummary:         &types.TableClassSummary{TableClass: types.TableClassStandardInfrequentAccess},
			DeletionProtectionEnabled: aws.Bool(true),
			SSEDescription:            &types.SSEDescription{SSEType: types.SSETypeKms, KMSMasterKeyArn: aws.String(keyARN)},
			GlobalSecondaryIndexes:    []types.GlobalSecondaryIndexDescription{{IndexName: aws.String("global")}},
			LocalSecondaryIndexes:     []types.LocalSecondaryIndexDescription{{IndexName: aws.String("local")}},
			StreamSpecification: &types.StreamSpecification{
				StreamEnabled:  aws.Bool(true),
				StreamViewType: types.StreamViewTypeKeysOnly,
			},
			Replicas: []types.ReplicaDescription{{RegionName: aws.String("eu-west-1")}},
		},
		ttl: &types.TimeToLiveDescription{
			AttributeName: aws.String("expire_at"), TimeToLiveStatus: types.TimeToLiveStatusEnabled,
		},
	}
}

func TestDescribeEverything(t *testing.T) {
	t.Parallel()
	table := dynamostore.Table{
		Name: "sessions", ReadCapacity: 5, WriteCapacity: 6,
		Class: types.TableClassStandardInfrequentAccess,
	}
	d, err := table.Describe(t.Context(), described())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"sessions","arn":"arn:aws:dynamodb:eu-central-1:123456789012:table/sessions","region":"eu-central-1",` +
		`"status":"UPDATING","created_at":"2023-11-14T22:13:20Z","items":12,"bytes":3456,"partition_key":"session_id",` +
		`"ttl":"ENABLED","ttl_attribute":"expire_at","billing":"PROVISIONED","read_capacity":5,"write_capacity":6,` +
		`"class":"STANDARD_INFREQUENT_ACCESS","deletion_protection":true,"kms_key":"` + keyARN + `",` +
		`"indexes":["global","local"],"stream":"KEYS_ONLY","replicas":["eu-west-1"],` +
		`"remarks":["it is a global table, and conditions hold in one Region: send all requests of a session to the same one"]}`
	if got := string(text); got != want {
		t.Errorf("described as\n%s\nwant\n%s", got, want)
	}
}

// What harms a session is a problem, what Table asks for and is otherwise is a setting, and Verify fails for both. What
// nobody has asked for is a remark.
func TestProblemsAndRemarks(t *testing.T) {
	t.Parallel()
	fitting := dynamostore.Table{
		Name: "sessions", ReadCapacity: 5, WriteCapacity: 6, Class: types.TableClassStandardInfrequentAccess, KMSKey: keyARN,
		DeletionProtection: true, Tags: map[string]string{"team": "web", "stage": "test"},
	}
	for name, test := range map[string]struct {
		change                   func(*dynamostore.Table, *describedAs)
		problem, setting, remark string // what they must say; empty for none
	}{
		"fits":          {change: func(*dynamostore.Table, *describedAs) {}},
		"key by its ID": {change: func(t *dynamostore.Table, _ *describedAs) { t.KMSKey = "1234" }},
		"key by an alias": {
			change: func(t *dynamostore.Table, _ *describedAs) { t.KMSKey = "alias/any" },
			remark: "whether alias/any stands for that key is not known",
		},
		"an alias, and no key": {
			change: func(t *dynamostore.Table, c *describedAs) {
				t.KMSKey, c.table.SSEDescription = "alias/any", nil
			},
			setting: "that AWS owns",
		},
		"tags of no wish": {change: func(t *dynamostore.Table, _ *describedAs) { t.Tags = nil }},
		"tags that may not be seen": {
			change: func(_ *dynamostore.Table, c *describedAs) {
				c.noTag = &smithy.GenericAPIError{Code: "AccessDeniedException"}
			},
			remark: "its tags are not compared: ListTagsOfResource was refused (AccessDeniedException)",
		},
		"another tag": {
			change:  func(t *dynamostore.Table, _ *describedAs) { t.Tags = map[string]string{"team": "shop"} },
			setting: `its tag "team" is "web", but Table.Tags has "shop"`,
		},
		"no tag": {
			change:  func(_ *dynamostore.Table, c *describedAs) { c.tags = c.tags[1:] },
			setting: `it has no tag "team"`,
		},
		"key of no wish":       {change: func(t *dynamostore.Table, _ *describedAs) { t.KMSKey = "" }},
		"protected of no wish": {change: func(t *dynamostore.Table, _ *describedAs) { t.DeletionProtection = false }},

		"autoscaled": {
			change: func(_ *dynamostore.Table, c *describedAs) {
				c.table.ProvisionedThroughput.ReadCapacityUnits = aws.Int64(50)
			},
			setting: "50 read and 6 write units",
		},
		"provisioned, but not by us": {
			change: func(t *dynamostore.Table, _ *describedAs) { t.ReadCapacity, t.WriteCapacity = 0, 0 },
			remark: "by the request",
		},
		"on demand, but not by us": {
			change: func(_ *dynamostore.Table, c *describedAs) {
				c.table.BillingModeSummary = &types.BillingModeSummary{BillingMode: types.BillingModePayPerRequest}
			},
			setting: "Table would provision 5",
		},
		"another class": {
			change: func(t *dynamostore.Table, _ *describedAs) { t.Class = "" },
			remark: "STANDARD_INFREQUENT_ACCESS, but Table would have STANDARD",
		},
		"no protection": {
			change:  func(_ *dynamostore.Table, c *describedAs) { c.table.DeletionProtectionEnabled = nil },
			setting: "DeletionProtection",
		},
		"no stream": {
			change: func(t *dynamostore.Table, c *describedAs) {
				t.Stream, c.table.StreamSpecification = true, nil
			},
			setting: "it has no stream, but Table.Stream is set",
		},
		"a stream that is off": {
			change: func(t *dynamostore.Table, c *describedAs) {
				t.Stream, c.table.StreamSpecification = true, &types.StreamSpecification{StreamEnabled: aws.Bool(false)}
			},
			setting: "it has no stream, but Table.Stream is set",
		},
		"a stream of keys": {
			change:  func(t *dynamostore.Table, _ *describedAs) { t.Stream = true },
			setting: "its stream has KEYS_ONLY, but Table.Stream needs NEW_AND_OLD_IMAGES",
		},
		"a stream of both images": {
			change: func(t *dynamostore.Table, c *describedAs) {
				t.Stream, c.table.StreamSpecification.StreamViewType = true, types.StreamViewTypeNewAndOldImages
			},
		},
		"another key": {
			change:  func(t *dynamostore.Table, _ *describedAs) { t.KMSKey = "34" },
			setting: "another key",
		},
		"no key": {
			change:  func(_ *dynamostore.Table, c *describedAs) { c.table.SSEDescription = nil },
			setting: "that AWS owns",
		},
		"a class of wish": {
			change:  func(t *dynamostore.Table, _ *describedAs) { t.Class = types.TableClassStandard },
			setting: "STANDARD_INFREQUENT_ACCESS, but Table would have STANDARD",
		},

		"key cannot be used": {
			change: func(_ *dynamostore.Table, c *describedAs) {
				c.table.TableStatus = types.TableStatusInaccessibleEncryptionCredentials
			},
			problem: "KMS key",
		},
		"archived": {
			change:  func(_ *dynamostore.Table, c *describedAs) { c.table.TableStatus = types.TableStatusArchived },
			problem: "ARCHIVED",
		},
		"no TTL": {
			change:  func(_ *dynamostore.Table, c *describedAs) { c.ttl = nil },
			problem: "TTL is off",
		},
		"another sort key": {
			change:  func(t *dynamostore.Table, _ *describedAs) { t.SortKey.Name = "sk" },
			problem: "no sort key",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table, client := fitting, described()
			client.table.Replicas = nil
			client.tags = []types.Tag{
				{Key: aws.String("team"), Value: aws.String("web")},
				{Key: aws.String("other"), Value: aws.String("")},
				{Key: aws.String("stage"), Value: aws.String("test")},
			}
			test.change(&table, &client)
			d, err := table.Describe(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			for what, is := range map[string]struct {
				said []string
				want string
			}{"problem": {d.Problems, test.problem}, "setting": {d.Settings, test.setting}, "remark": {d.Remarks, test.remark}} {
				if is.want == "" && len(is.said) > 0 ||
					is.want != "" && (len(is.said) != 1 || !strings.Contains(is.said[0], is.want)) {
					t.Errorf("%ss %q; want one with %q", what, is.said, is.want)
				}
			}
			if d.Billing == types.BillingModePayPerRequest && d.ReadCapacity+d.WriteCapacity != 0 {
				t.Errorf("a table that is billed by the request has a capacity of %d and %d", d.ReadCapacity, d.WriteCapacity)
			}
			err = table.Verify(t.Context(), client)
			var mismatch *dynamostore.MismatchError
			if errors.As(err, &mismatch) != (test.problem+test.setting != "") ||
				mismatch != nil && (!slices.Equal(mismatch.Problems, d.Problems) || !slices.Equal(mismatch.Settings, d.Settings)) {
				t.Errorf("verify: %v; the problems are %q, the settings %q", err, d.Problems, d.Settings)
			}
		})
	}
}
