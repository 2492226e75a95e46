package dynamostore

import (
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Placeholders stand for all names, since many plain words are reserved.
const (
	namePartition     = "#pk"
	nameData          = "#data"
	nameCreated       = "#created"
	nameUpdated       = "#updated"
	nameTTL           = "#ttl"
	nameExpiry        = "#expiry"
	nameVersion       = "#version"
	nameAncestry      = "#ancestry"
	nameLeaseID       = "#lease"
	nameLeaseDuration = "#lease_duration"
	nameLeaseExpiry   = "#lease_expiry"
	nameExpiryShard   = "#expiry_shard"
	nameExpiryHour    = "#expiry_hour"

	// What a condition compares with.
	valueAt              = ":at"
	valueVersion         = ":version"
	valueLeaseID         = ":lease"
	valueSeenLeaseExpiry = ":seen_lease_expiry"

	// What an update sets.
	valueData          = ":data"
	valueUpdated       = ":updated"
	valueTTL           = ":ttl"
	valueExpiry        = ":expiry"
	valueNewVersion    = ":new_version"
	valueAncestry      = ":ancestry"
	valueNewLeaseID    = ":new_lease"
	valueLeaseDuration = ":lease_duration"
	valueLeaseExpiry   = ":lease_expiry"
	valueExpiryShard   = ":expiry_shard"
	valueExpiryHour    = ":expiry_hour"
)

// condition is a condition as DynamoDB is told of it, but for its values. It is made once and shared by all calls.
type condition struct {
	text  *string
	names map[string]string
	// uses are the values that the text compares with.
	uses []string
}

// conditions are the conditions by their kind. The last one is KindUnchanged on a record that had a lease.
type conditions [storage.Kinds + 1]condition

const unchangedUnderLease = storage.Kinds

// The conditions of package storage. That an item exists is part of each comparison: one with a missing attribute is
// never true.
const (
	live        = nameExpiry + " > " + valueAt
	sameVersion = nameVersion + " = " + valueVersion
	sameLease   = nameLeaseID + " = " + valueLeaseID
	absent      = "attribute_not_exists(" + namePartition + ")"
	existing    = "attribute_exists(" + namePartition + ")"
	expired     = nameExpiry + " <= " + valueAt
	sameExpiry  = nameExpiry + " = " + valueAt
	noTombstone = "(attribute_not_exists(" + nameUpdated + ") OR " + nameExpiry + " > " + nameUpdated + ")"
	free        = "attribute_not_exists(" + nameLeaseID + ")"
	unchanged   = sameLease + " AND " + nameLeaseExpiry + " = " + valueSeenLeaseExpiry
)

func newConditions(t Table) conditions {
	partition := map[string]string{namePartition: t.PartitionKey.Name}
	expiry := map[string]string{nameExpiry: t.Attributes.Expiry}
	updated := map[string]string{nameUpdated: t.Attributes.UpdatedAt}
	version := map[string]string{nameVersion: t.Attributes.Version}
	lease := map[string]string{nameLeaseID: t.Attributes.LeaseID}
	leaseExpiry := map[string]string{nameLeaseExpiry: t.Attributes.LeaseExpiry}
	var c conditions
	c[storage.KindLive] = condition{
		text: aws.String(live), names: expiry, uses: []string{valueAt},
	}
	c[storage.KindAbsent] = condition{
		text: aws.String(absent + " OR " + expired), names: merge(partition, expiry), uses: []string{valueAt},
	}
	c[storage.KindVersion] = condition{
		text:  aws.String(sameVersion + " AND " + live),
		names: merge(version, expiry), uses: []string{valueVersion, valueAt},
	}
	c[storage.KindVersionAndLease] = condition{
		text:  aws.String(sameVersion + " AND " + sameLease + " AND " + live),
		names: merge(version, lease, expiry), uses: []string{valueVersion, valueLeaseID, valueAt},
	}
	c[storage.KindLease] = condition{
		text: aws.String(sameLease), names: lease, uses: []string{valueLeaseID},
	}
	c[storage.KindExpiredAndFree] = condition{
		text: aws.String(free + " AND " + expired), names: merge(lease, expiry), uses: []string{valueAt},
	}
	c[storage.KindFree] = condition{
		text:  aws.String(free + " AND " + live + " AND " + noTombstone),
		names: merge(lease, expiry, updated), uses: []string{valueAt},
	}
	c[storage.KindFreeOrUnchanged] = condition{
		text:  aws.String("(" + free + " OR (" + unchanged + ")) AND " + live + " AND " + noTombstone),
		names: merge(lease, leaseExpiry, expiry, updated), uses: []string{valueLeaseID, valueSeenLeaseExpiry, valueAt},
	}
	c[storage.KindUnchanged] = condition{
		text:  aws.String(sameVersion + " AND " + sameExpiry + " AND " + free),
		names: merge(version, expiry, lease), uses: []string{valueVersion, valueAt},
	}
	c[unchangedUnderLease] = condition{
		text:  aws.String(sameVersion + " AND " + sameExpiry + " AND " + unchanged),
		names: merge(version, expiry, lease, leaseExpiry),
		uses:  []string{valueVersion, valueAt, valueLeaseID, valueSeenLeaseExpiry},
	}
	return c
}

func merge(parts ...map[string]string) map[string]string {
	merged := map[string]string{}
	for _, part := range parts {
		maps.Copy(merged, part)
	}
	return merged
}

func (c *conditions) of(cond storage.Condition) *condition {
	if cond.Kind == storage.KindUnchanged && cond.LeaseID != "" {
		return &c[unchangedUnderLease]
	}
	return &c[cond.Kind]
}

// values adds the values that the condition compares with to those given, which may be nil.
func (c *condition) values(values item, cond storage.Condition) item {
	if values == nil && len(c.uses) > 0 {
		values = make(item, len(c.uses))
	}
	for _, name := range c.uses {
		switch name {
		case valueAt:
			values[name] = &types.AttributeValueMemberN{Value: formatInstant(cond.At)}
		case valueVersion:
			values[name] = &types.AttributeValueMemberS{Value: cond.Version}
		case valueLeaseID:
			values[name] = &types.AttributeValueMemberS{Value: cond.LeaseID}
		case valueSeenLeaseExpiry:
			values[name] = &types.AttributeValueMemberN{Value: formatInstant(cond.LeaseExpiresAt)}
		}
	}
	return values
}
