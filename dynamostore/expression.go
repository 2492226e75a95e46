package dynamostore

import (
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Placeholders stand for all names, since many plain words are reserved.
const (
	namePartition     = "#pk"
	nameSort          = "#sk"
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

// attributesByPlaceholder returns the attributes that placeholders stand for.
func (t *Table) attributesByPlaceholder() map[string]string {
	a := &t.Attributes
	return map[string]string{
		namePartition: t.PartitionKey.Name, nameSort: t.SortKey.Name, nameData: a.Data, nameCreated: a.CreatedAt,
		nameUpdated: a.UpdatedAt, nameTTL: a.TTL, nameExpiry: a.Expiry, nameVersion: a.Version, nameAncestry: a.Ancestry,
		nameLeaseID: a.LeaseID, nameLeaseDuration: a.LeaseDuration, nameLeaseExpiry: a.LeaseExpiry,
		nameExpiryShard: a.ExpiryShard, nameExpiryHour: a.ExpiryHour,
	}
}

var placeholder = regexp.MustCompile(`[#:][a-z_]+`)

// namesIn returns the attributes that an expression names, by their placeholders.
func (t *Table) namesIn(expression string) map[string]string {
	names, attributes := map[string]string{}, t.attributesByPlaceholder()
	for _, name := range placeholder.FindAllString(expression, -1) {
		if attribute, ok := attributes[name]; ok {
			names[name] = attribute
		}
	}
	return names
}

// condition is a condition in DynamoDB's language, without its values. It is made once and shared by all calls.
type condition struct {
	text  *string
	names map[string]string
	// uses are the values that the text compares with.
	uses []string
}

func (t *Table) condition(text string) condition {
	c := condition{text: &text, names: t.namesIn(text)}
	for _, name := range placeholder.FindAllString(text, -1) {
		if strings.HasPrefix(name, ":") {
			c.uses = append(c.uses, name)
		}
	}
	return c
}

// conditions are all conditions.
type conditions struct {
	byKind []condition // by storage.ConditionKind
	// unchangedUnderLease is KindUnchanged on a record that had a lease.
	unchangedUnderLease condition
}

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

	freeOrUnchanged = "(" + free + " OR (" + unchanged + "))"
)

func newConditions(t Table) conditions {
	return conditions{
		byKind: []condition{
			storage.KindLive:            t.condition(live),
			storage.KindAbsent:          t.condition(absent + " OR " + expired),
			storage.KindVersion:         t.condition(sameVersion + " AND " + live),
			storage.KindVersionAndLease: t.condition(sameVersion + " AND " + sameLease + " AND " + live),
			storage.KindLease:           t.condition(sameLease),
			storage.KindExpiredAndFree:  t.condition(free + " AND " + expired),
			storage.KindFree:            t.condition(free + " AND " + live + " AND " + noTombstone),
			storage.KindFreeOrUnchanged: t.condition(freeOrUnchanged + " AND " + live + " AND " + noTombstone),
			storage.KindUnchanged:       t.condition(sameVersion + " AND " + sameExpiry + " AND " + free),
		},
		unchangedUnderLease: t.condition(sameVersion + " AND " + sameExpiry + " AND " + unchanged),
	}
}

func (c *conditions) of(cond storage.Condition) *condition {
	if cond.Kind == storage.KindUnchanged && cond.LeaseID != "" {
		return &c.unchangedUnderLease
	}
	return &c.byKind[cond.Kind]
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
