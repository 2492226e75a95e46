package dynamostore

import (
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/storage"
)

// actions are what an UpdateItem does.
type actions struct{ sets, removes []string }

func (a *actions) set(name, value string) { a.sets = append(a.sets, name+" = "+value) }

func (a *actions) remove(names ...string) { a.removes = append(a.removes, names...) }

// String returns them as an update expression.
func (a *actions) String() string {
	var clauses []string
	if len(a.sets) > 0 {
		clauses = append(clauses, "SET "+strings.Join(a.sets, ", "))
	}
	if len(a.removes) > 0 {
		clauses = append(clauses, "REMOVE "+strings.Join(a.removes, ", "))
	}
	return strings.Join(clauses, " ")
}

func (a *actions) setLease() {
	a.set(nameLeaseID, valueNewLeaseID)
	a.set(nameLeaseDuration, valueLeaseDuration)
	a.set(nameLeaseExpiry, valueLeaseExpiry)
}

func (a *actions) index() {
	a.set(nameExpiryShard, valueExpiryShard)
	a.set(nameExpiryHour, valueExpiryHour)
}

// upserts are the update expressions that store a whole record, and the names in them.
type upserts struct {
	texts map[upsertShape]string
	names map[string]string
}

// upsertShape says which of the attributes that not every item has a record has. The others are removed.
type upsertShape struct{ leased, descended bool }

func shapeOf(r storage.Record) upsertShape {
	return upsertShape{leased: !r.Lease.Free(), descended: r.Ancestry != ""}
}

func newUpserts(t Table) upserts {
	u := upserts{texts: map[upsertShape]string{}}
	for _, shape := range []upsertShape{{}, {leased: true}, {descended: true}, {leased: true, descended: true}} {
		var a actions
		a.set(nameData, valueData)
		a.set(nameCreated, "if_not_exists("+nameCreated+", "+valueUpdated+")")
		a.set(nameUpdated, valueUpdated)
		a.set(nameTTL, valueTTL)
		a.set(nameExpiry, valueExpiry)
		a.set(nameVersion, valueNewVersion)
		if t.hasExpiryIndex() {
			a.index()
		}
		if shape.descended {
			a.set(nameAncestry, valueAncestry)
		} else {
			a.remove(nameAncestry)
		}
		if shape.leased {
			a.setLease()
		} else {
			a.remove(nameLeaseID, nameLeaseDuration, nameLeaseExpiry)
		}
		u.texts[shape] = a.String()
	}
	u.names = t.namesIn(u.texts[upsertShape{}]) // the others name the same
	return u
}

// upsertInput stores a whole record but for the instant of creation, which an existing item keeps.
func (d *Driver) upsertInput(r storage.Record, encoded item, cond storage.Condition) *dynamodb.UpdateItemInput {
	a := &d.table.Attributes
	shape := shapeOf(r)
	values := item{
		valueData:       encoded[a.Data],
		valueUpdated:    encoded[a.UpdatedAt],
		valueTTL:        encoded[a.TTL],
		valueExpiry:     encoded[a.Expiry],
		valueNewVersion: encoded[a.Version],
	}
	if d.table.hasExpiryIndex() {
		d.table.index(values, valueExpiryShard, valueExpiryHour, r.Key, r.ExpiresAt)
	}
	if shape.descended {
		values[valueAncestry] = encoded[a.Ancestry]
	}
	if shape.leased {
		addLease(values, r.Lease)
	}
	expression := d.conditions.of(cond)
	return &dynamodb.UpdateItemInput{
		TableName:                           &d.table.Name,
		Key:                                 d.table.key(r.Key),
		UpdateExpression:                    aws.String(d.upserts.texts[shape]),
		ConditionExpression:                 expression.text,
		ExpressionAttributeNames:            d.upserts.names, // those of the condition are among them
		ExpressionAttributeValues:           expression.values(values, cond),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
}

// changeInput changes the expiry and the lease of an item that exists.
func (d *Driver) changeInput(key string, change storage.Change, cond storage.Condition) *dynamodb.UpdateItemInput {
	a := &d.table.Attributes
	names := map[string]string{namePartition: d.table.PartitionKey.Name}
	values := item{}
	var do actions
	assign := func(name, attribute, value, number string) {
		do.set(name, value)
		names[name] = attribute
		values[value] = &types.AttributeValueMemberN{Value: number}
	}
	if !change.ExpiresAt.IsZero() {
		assign(nameExpiry, a.Expiry, valueExpiry, formatInstant(change.ExpiresAt))
		assign(nameTTL, a.TTL, valueTTL, string(appendTTL(nil, change.ExpiresAt)))
		if d.table.hasExpiryIndex() {
			do.index()
			names[nameExpiryShard], names[nameExpiryHour] = a.ExpiryShard, a.ExpiryHour
			d.table.index(values, valueExpiryShard, valueExpiryHour, key, change.ExpiresAt)
		}
	}
	if !change.UpdatedAt.IsZero() {
		assign(nameUpdated, a.UpdatedAt, valueUpdated, formatInstant(change.UpdatedAt))
	}
	if change.Lease != nil {
		names[nameLeaseID], names[nameLeaseDuration], names[nameLeaseExpiry] = a.LeaseID, a.LeaseDuration, a.LeaseExpiry
		if change.Lease.Free() {
			do.remove(nameLeaseID, nameLeaseDuration, nameLeaseExpiry)
		} else {
			do.setLease()
			addLease(values, *change.Lease)
		}
	}
	var text *string // an UpdateItem without an expression only checks its condition
	if s := do.String(); s != "" {
		text = &s
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
