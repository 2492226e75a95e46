package dynamostore

import (
	"cmp"
	"context"
	"fmt"
	"strings"
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

	// Problems are what [Table.Verify] reports: sessions cannot be kept, or not for as long as they should.
	Problems []string `json:"problems,omitempty"`
	// Remarks are what is worth knowing and harms no session: where the table is otherwise not as Table would make it,
	// which may be how it is wanted, and what costs money or needs care.
	Remarks []string `json:"remarks,omitempty"`
}

// Describe returns what DynamoDB says of the table, and where it differs from t. It changes nothing. A table that does not
// fit is no error, as it is for [Table.Verify]: see Problems. Errors: what [Table.Validate] reports, and [*Error], such as
// one with [ErrTableNotFound].
//
// It needs the rights dynamodb:DescribeTable and DescribeTimeToLive.
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
	if err != nil {
		return Description{}, err
	}
	d := newDescription(table, ttl)
	d.Region = a.faults.region
	d.Problems = a.table.compareSchema(table)
	d.Problems = append(d.Problems, a.table.compareExpiryIndex(table)...)
	d.Problems = append(d.Problems, a.table.compareTTL(ttl)...)
	d.Problems = append(d.Problems, compareStatus(table.TableStatus)...)
	d.Problems = append(d.Problems, a.table.compareIndexStatus(table)...)
	d.Remarks = a.table.remarks(d)
	a.table.remarkExpiryIndex(table, func(format string, args ...any) {
		d.Remarks = append(d.Remarks, fmt.Sprintf(format, args...))
	})
	return d, nil
}

// newDescription makes sense of what DynamoDB leaves out where it is the default.
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

// remarks compares what harms no session. Capacity may be set by autoscaling, and everything by a decision of somebody who
// knew better: what Table says here is how the table is made, not how it must stay.
func (t Table) remarks(d Description) []string {
	var remarks []string
	remark := func(format string, args ...any) { remarks = append(remarks, fmt.Sprintf(format, args...)) }
	switch {
	case t.ReadCapacity == 0 && d.Billing == types.BillingModeProvisioned:
		remark("its capacity is provisioned (%d read, %d write units), but Table would have it billed by the request",
			d.ReadCapacity, d.WriteCapacity)
	case t.ReadCapacity != 0 && d.Billing != types.BillingModeProvisioned:
		remark("it is billed by the request, but Table would provision %d read and %d write units",
			t.ReadCapacity, t.WriteCapacity)
	case t.ReadCapacity != d.ReadCapacity || t.WriteCapacity != d.WriteCapacity:
		remark("it has %d read and %d write units, but Table would provision %d and %d; autoscaling may have changed them",
			d.ReadCapacity, d.WriteCapacity, t.ReadCapacity, t.WriteCapacity)
	}
	if want := cmp.Or(t.Class, types.TableClassStandard); want != d.Class {
		remark("its class is %s, but Table would have %s", d.Class, want)
	}
	if t.DeletionProtection && !d.DeletionProtection {
		remark("deletion protection is off, but Table.DeletionProtection is set: turn it on in the AWS console")
	}
	switch {
	case t.KMSKey != "" && d.KMSKey == "":
		remark("it is encrypted with a key that AWS owns, but Table.KMSKey is set: change the key in the AWS console")
	case t.KMSKey != "" && !sameKey(t.KMSKey, d.KMSKey):
		remark("it is encrypted with another key than Table.KMSKey")
	}
	if len(d.Replicas) > 0 {
		remark("it is a global table, and conditions hold in one Region: send all requests of a session to the same one")
	}
	return remarks
}

// sameKey reports whether both may name the same key. What key an alias stands for is not known.
func sameKey(want, arn string) bool {
	if _, isAlias := aliasOf(want); isAlias {
		return true
	}
	return want == arn || strings.HasSuffix(arn, ":key/"+want)
}
