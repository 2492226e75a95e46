package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Description is what DynamoDB says of a table.
type Description struct {
	// Name, ARN and Region say which table it is.
	Name   string `json:"name"`
	ARN    string `json:"arn"`
	Region string `json:"region"`
	// Status says whether the table can be used: ACTIVE and UPDATING tables can.
	Status types.TableStatus `json:"status"`
	// CreatedAt is when the table was made.
	CreatedAt time.Time `json:"created_at,omitzero"`
	// Items and Bytes are what the table holds, items that are no sessions and sessions that have expired included. AWS
	// updates them about every six hours.
	Items int64 `json:"items"`
	Bytes int64 `json:"bytes"`

	// PartitionKey and SortKey are the names of the key attributes; SortKey is empty where there is none.
	PartitionKey string `json:"partition_key"`
	SortKey      string `json:"sort_key,omitempty"`
	// TTL says whether DynamoDB deletes expired items, and TTLAttribute by which attribute.
	TTL          types.TimeToLiveStatus `json:"ttl"`
	TTLAttribute string                 `json:"ttl_attribute,omitempty"`

	// Billing says what is paid for: requests, or capacity that is kept ready.
	Billing types.BillingMode `json:"billing"`
	// ReadCapacity and WriteCapacity are the provisioned capacity, in units per second; 0 where requests are paid for.
	ReadCapacity  int64 `json:"read_capacity,omitempty"`
	WriteCapacity int64 `json:"write_capacity,omitempty"`
	// Class is the table class.
	Class types.TableClass `json:"class"`
	// DeletionProtection says whether DynamoDB refuses to delete the table.
	DeletionProtection bool `json:"deletion_protection"`
	// KMSKey is the ARN of the KMS key that encrypts the table. Empty: a key that AWS owns.
	KMSKey string `json:"kms_key,omitempty"`

	// Indexes are the names of the secondary indexes. Each adds to the cost of every write of an item that is in it.
	Indexes []string `json:"indexes,omitempty"`
	// Stream says what a change puts into the table's stream. Empty: there is none.
	Stream types.StreamViewType `json:"stream,omitempty"`
	// Replicas are the other Regions that a global table is in.
	Replicas []string `json:"replicas,omitempty"`
	// MultiRegionConsistency is that of a global table, as DynamoDB says it. One that is STRONG has no TTL.
	MultiRegionConsistency types.MultiRegionConsistency `json:"multi_region_consistency,omitempty"`

	// Problems are what is wrong: sessions cannot be kept, or not for as long as they should.
	Problems []string `json:"problems,omitempty"`
	// Settings are what Table asks for and the table does not have: capacity, class, deletion protection, stream, KMS
	// key, tags. That harms no session.
	Settings []string `json:"settings,omitempty"`
	// Remarks are what is worth knowing: what Table does not ask for and costs money or needs care, and what could not
	// be compared.
	Remarks []string `json:"remarks,omitempty"`
	// Differences are Problems by what they are about, "keys", "index", "ttl" and "status", and Settings as "settings".
	Differences map[string][]string `json:"-"`
}

// Describe returns what DynamoDB says of the table, and where it differs from t. It changes nothing. A table that does
// not fit is no error, as it is for [Table.Verify]: see Problems. Errors: what [Table.Validate] reports, and [*Error],
// such as one with [ErrTableNotFound].
//
// It needs the rights dynamodb:DescribeTable and DescribeTimeToLive, and ListTagsOfResource for tags: where that is
// denied, a remark says that they are not compared.
func (t Table) Describe(ctx context.Context, client TableClient) (Description, error) {
	a, err := t.admin(client)
	if err != nil {
		return Description{}, err
	}
	table, err := a.describe(ctx)
	if err != nil {
		return Description{}, err
	}
	ttl, err := a.describeTTL(ctx)
	if isStrong(table) && errors.Is(err, ErrTableMismatch) { // it is not asked of such tables
		ttl, err = &types.TimeToLiveDescription{TimeToLiveStatus: types.TimeToLiveStatusDisabled}, nil
	}
	if err != nil {
		return Description{}, err
	}
	d := newDescription(table, ttl)
	d.Region = a.faults.region
	tags, remark, err := a.compareTags(ctx, d.ARN)
	if err != nil {
		return Description{}, err
	}
	differences := map[string][]string{
		"keys":     a.table.compareSchema(table),
		"index":    append(a.table.compareExpiryIndex(table), a.table.compareIndexStatus(table)...),
		"ttl":      a.table.compareTTL(table, ttl),
		"status":   compareStatus(table.TableStatus),
		"settings": append(a.table.compareSettings(d), tags...),
	}
	d.Problems = slices.Concat(differences["keys"], differences["index"], differences["ttl"], differences["status"])
	d.Settings, d.Differences = differences["settings"], differences
	d.Remarks = a.table.remarks(d)
	if remark != "" {
		d.Remarks = append(d.Remarks, remark)
	}
	a.table.remarkExpiryIndex(table, func(format string, args ...any) {
		d.Remarks = append(d.Remarks, fmt.Sprintf(format, args...))
	})
	return d, nil
}

// isStrong reports whether it is a strongly consistent global table (MRSC), which has no TTL.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
func isStrong(table *types.TableDescription) bool {
	return table.MultiRegionConsistency == types.MultiRegionConsistencyStrong
}

// newDescription fills in the defaults that DynamoDB leaves out.
func newDescription(table *types.TableDescription, ttl *types.TimeToLiveDescription) Description {
	d := Description{
		Name:               aws.ToString(table.TableName),
		ARN:                aws.ToString(table.TableArn),
		Status:             table.TableStatus,
		CreatedAt:          aws.ToTime(table.CreationDateTime),
		Items:              aws.ToInt64(table.ItemCount),
		Bytes:              aws.ToInt64(table.TableSizeBytes),
		TTL:                ttl.TimeToLiveStatus,
		TTLAttribute:       aws.ToString(ttl.AttributeName),
		Billing:            types.BillingModeProvisioned,
		Class:              types.TableClassStandard,
		DeletionProtection: aws.ToBool(table.DeletionProtectionEnabled),

		MultiRegionConsistency: table.MultiRegionConsistency,
	}
	keys := keyNames(table)
	d.PartitionKey, d.SortKey = keys[types.KeyTypeHash], keys[types.KeyTypeRange]
	if billing := table.BillingModeSummary; billing != nil && billing.BillingMode != "" {
		d.Billing = billing.BillingMode
	}
	if throughput := table.ProvisionedThroughput; throughput != nil && d.Billing == types.BillingModeProvisioned {
		d.ReadCapacity = aws.ToInt64(throughput.ReadCapacityUnits)
		d.WriteCapacity = aws.ToInt64(throughput.WriteCapacityUnits)
	}
	if class := table.TableClassSummary; class != nil && class.TableClass != "" {
		d.Class = class.TableClass
	}
	if sse := table.SSEDescription; sse != nil {
		d.KMSKey = aws.ToString(sse.KMSMasterKeyArn)
	}
	for _, index := range table.GlobalSecondaryIndexes {
		d.Indexes = append(d.Indexes, aws.ToString(index.IndexName))
	}
	for _, index := range table.LocalSecondaryIndexes {
		d.Indexes = append(d.Indexes, aws.ToString(index.IndexName))
	}
	if stream := table.StreamSpecification; stream != nil && aws.ToBool(stream.StreamEnabled) {
		d.Stream = stream.StreamViewType
	}
	for _, replica := range table.Replicas {
		d.Replicas = append(d.Replicas, aws.ToString(replica.RegionName))
	}
	return d
}
