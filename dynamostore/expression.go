package dynamostore

import (
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
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
	nameLeaseID       = "#lease"
	nameLeaseDuration = "#lease_duration"
	nameLeaseExpiry   = "#lease_expiry"

	valueAt            = ":at"
	valueVersion       = ":version"
	valueLeaseID       = ":lease"
	valueData          = ":data"
	valueUpdated       = ":updated"
	valueTTL           = ":ttl"
	valueExpiry        = ":expiry"
	valueNewVersion    = ":new_version"
	valueNewLeaseID    = ":new_lease"
	valueLeaseDuration = ":lease_duration"
	valueLeaseExpiry   = ":lease_expiry"
)

// condition is a condition as DynamoDB is told of it, but for its values. It is made once and shared by all calls.
type condition struct {
	text                        *string
	names                       map[string]string
	usesAt, usesVersion, usesID bool
}

// conditions are the conditions by their kind.
type conditions [storage.KindVersionAndExpires + 1]condition

// The conditions of package storage. That an item exists is part of each comparison: one with a missing attribute is
// never true.
const (
	live         = nameExpiry + " > " + valueAt
	sameVersion  = nameVersion + " = " + valueVersion
	sameLease    = nameLeaseID + " = " + valueLeaseID
	absent       = "attribute_not_exists(" + namePartition + ")"
	existing     = "attribute_exists(" + namePartition + ")"
	expired      = nameExpiry + " <= " + valueAt
	expireBefore = nameExpiry + " < " + valueAt
)

func newConditions(t Table) conditions {
	partition := map[string]string{namePartition: t.PartitionKey.Name}
	expiry := map[string]string{nameExpiry: t.Attributes.Expiry}
	version := map[string]string{nameVersion: t.Attributes.Version}
	lease := map[string]string{nameLeaseID: t.Attributes.LeaseID}
	var c conditions
	c[storage.KindLive] = condition{
		text: aws.String(live), names: expiry, usesAt: true,
	}
	c[storage.KindAbsent] = condition{
		text: aws.String(absent + " OR " + expired), names: merge(partition, expiry), usesAt: true,
	}
	c[storage.KindVersion] = condition{
		text: aws.String(sameVersion + " AND " + live), names: merge(version, expiry), usesAt: true, usesVersion: true,
	}
	c[storage.KindVersionAndLease] = condition{
		text:  aws.String(sameVersion + " AND " + sameLease + " AND " + live),
		names: merge(version, lease, expiry), usesAt: true, usesVersion: true, usesID: true,
	}
	c[storage.KindLease] = condition{
		text: aws.String(sameLease), names: lease, usesID: true,
	}
	c[storage.KindVersionAndExpires] = condition{
		text: aws.String(sameVersion + " AND " + expireBefore), names: merge(version, expiry), usesAt: true, usesVersion: true,
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

func (c *conditions) of(cond storage.Condition) *condition { return &c[cond.Kind] }

// values adds the values that the condition compares with to those given, which may be nil.
func (c *condition) values(values item, cond storage.Condition) item {
	if values == nil && (c.usesAt || c.usesVersion || c.usesID) {
		values = make(item, 3)
	}
	if c.usesAt {
		values[valueAt] = &types.AttributeValueMemberN{Value: formatInstant(cond.At)}
	}
	if c.usesVersion {
		values[valueVersion] = &types.AttributeValueMemberS{Value: cond.Version}
	}
	if c.usesID {
		values[valueLeaseID] = &types.AttributeValueMemberS{Value: cond.LeaseID}
	}
	return values
}

// updateExpressions are the parts of an UpdateItem that do not depend on the record.
type updateExpressions struct {
	upsertFree, upsertLeased string
	names                    map[string]string
}

func newUpdateExpressions(t Table) updateExpressions {
	const set = "SET " + nameData + " = " + valueData +
		", " + nameCreated + " = if_not_exists(" + nameCreated + ", " + valueUpdated + ")" +
		", " + nameUpdated + " = " + valueUpdated +
		", " + nameTTL + " = " + valueTTL +
		", " + nameExpiry + " = " + valueExpiry +
		", " + nameVersion + " = " + valueNewVersion
	a := t.Attributes
	return updateExpressions{
		upsertFree:   set + " " + removeLease,
		upsertLeased: set + setLease,
		names: map[string]string{
			nameData: a.Data, nameCreated: a.CreatedAt, nameUpdated: a.UpdatedAt, nameTTL: a.TTL, nameExpiry: a.Expiry,
			nameVersion: a.Version, nameLeaseID: a.LeaseID, nameLeaseDuration: a.LeaseDuration, nameLeaseExpiry: a.LeaseExpiry,
		},
	}
}

const (
	removeLease = "REMOVE " + nameLeaseID + ", " + nameLeaseDuration + ", " + nameLeaseExpiry
	setLease    = ", " + nameLeaseID + " = " + valueNewLeaseID +
		", " + nameLeaseDuration + " = " + valueLeaseDuration +
		", " + nameLeaseExpiry + " = " + valueLeaseExpiry
)

// upsertInput stores a whole record but for the instant of creation, which an existing item keeps.
func (d *Driver) upsertInput(r storage.Record, encoded item, cond storage.Condition) *dynamodb.UpdateItemInput {
	a := &d.table.Attributes
	values := item{
		valueData:       encoded[a.Data],
		valueUpdated:    encoded[a.UpdatedAt],
		valueTTL:        encoded[a.TTL],
		valueExpiry:     encoded[a.Expiry],
		valueNewVersion: encoded[a.Version],
	}
	text := d.upsert.upsertFree
	if !r.Lease.Free() {
		text = d.upsert.upsertLeased
		addLease(values, r.Lease)
	}
	expression := d.conditions.of(cond)
	return &dynamodb.UpdateItemInput{
		TableName:                           &d.table.Name,
		Key:                                 d.table.key(r.Key),
		UpdateExpression:                    &text,
		ConditionExpression:                 expression.text,
		ExpressionAttributeNames:            d.upsert.names, // those of the condition are among them
		ExpressionAttributeValues:           expression.values(values, cond),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
}

// changeInput changes the expiry and the lease of an item that exists.
func (d *Driver) changeInput(key string, change storage.Change, cond storage.Condition) *dynamodb.UpdateItemInput {
	a := &d.table.Attributes
	names := map[string]string{namePartition: d.table.PartitionKey.Name}
	values := item{}
	set, remove := "", ""
	assign := func(name, attribute, value string, v types.AttributeValue) {
		if set != "" {
			set += ", "
		}
		set += name + " = " + value
		names[name] = attribute
		values[value] = v
	}
	if !change.ExpiresAt.IsZero() {
		assign(nameExpiry, a.Expiry, valueExpiry, &types.AttributeValueMemberN{Value: formatInstant(change.ExpiresAt)})
		assign(nameTTL, a.TTL, valueTTL, &types.AttributeValueMemberN{Value: string(appendTTL(nil, change.ExpiresAt))})
	}
	if !change.UpdatedAt.IsZero() {
		assign(nameUpdated, a.UpdatedAt, valueUpdated, &types.AttributeValueMemberN{Value: formatInstant(change.UpdatedAt)})
	}
	if change.Lease != nil {
		names[nameLeaseID], names[nameLeaseDuration], names[nameLeaseExpiry] = a.LeaseID, a.LeaseDuration, a.LeaseExpiry
		if change.Lease.Free() {
			remove = removeLease
		} else {
			if set == "" {
				set = setLease[2:]
			} else {
				set += setLease
			}
			addLease(values, *change.Lease)
		}
	}
	var text *string // an UpdateItem without an expression only checks its condition
	if set != "" {
		set = "SET " + set + " "
	}
	if set+remove != "" {
		text = aws.String(set + remove)
	}
	expression := d.conditions.of(cond)
	check := existing
	if expression.text != nil {
		check += " AND (" + *expression.text + ")"
	}
	maps.Copy(names, expression.names)
	input := &dynamodb.UpdateItemInput{
		TableName:                           &d.table.Name,
		Key:                                 d.table.key(key),
		UpdateExpression:                    text,
		ConditionExpression:                 &check,
		ExpressionAttributeNames:            names,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if values = expression.values(values, cond); len(values) > 0 {
		input.ExpressionAttributeValues = values // DynamoDB refuses an empty map
	}
	return input
}

func addLease(values item, lease storage.Lease) {
	values[valueNewLeaseID] = &types.AttributeValueMemberS{Value: lease.ID}
	values[valueLeaseDuration] = &types.AttributeValueMemberN{Value: formatSeconds(lease.Duration)}
	values[valueLeaseExpiry] = &types.AttributeValueMemberN{Value: formatInstant(lease.ExpiresAt)}
}
