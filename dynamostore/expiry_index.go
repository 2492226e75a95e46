package dynamostore

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/internal/defaults"
)

// ExpiryIndex is a global secondary index by which package gcrunner finds what has expired without reading what has
// not. It holds keys alone, by a shard and the hour in which a session ends: extending a session moves it in the index
// once an hour at most.
//
// Each write of a session then consumes 1 write unit more if it stores, deletes or overwrites a session, and 2 more if
// it moves the session's end to another hour; a touch within the hour consumes none. docs/operations.md compares what
// that costs with what it saves.
//
// All programs that write sessions must have the same Name and Attributes. Sessions that were written without the index
// are not in it until they are written again, or extended. See [Table.AddExpiryIndex] for a table that is in use.
type ExpiryIndex struct {
	// Name is the name of the index. Default: none, and the table has no index.
	Name string
	// Shards is the number of partitions of the index among which writes are spread, from 1 to 1024. Default 2, which
	// is enough for 1,000 logins a second: each shard takes 1,000 write units a second, and an index that cannot keep
	// up makes DynamoDB refuse writes of sessions. Each shard costs half a read unit in each run of a collector.
	//
	// To raise it, raise it for collectors first; to lower it, lower it for them last, when all sessions written before
	// have ended.
	Shards int
}

func (t Table) hasExpiryIndex() bool { return t.ExpiryIndex.Name != "" }

// shardValue is the value of the shard attribute. The prefix keeps applications apart that share a table and an index.
func (t *Table) shardValue(shard int) string { return t.PartitionKey.Prefix + strconv.Itoa(shard) }

// shardOf assigns each storage key to a shard.
func (t *Table) shardOf(key string) int {
	if t.ExpiryIndex.Shards == 1 {
		return 0
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(key))
	return int(hash.Sum32() % uint32(t.ExpiryIndex.Shards)) //nolint:gosec // Validate bounds it.
}

// hourEnding returns the hour at whose end the instant has passed: what expires in it has expired at its end.
func hourEnding(t time.Time) int64 {
	hour := hourEnded(t)
	if endOfHour(hour).Before(t) {
		hour++
	}
	return hour
}

// hourEnded returns the last hour that has ended at the instant.
func hourEnded(t time.Time) int64 {
	hour := t.Unix() / secondsPerHour
	if endOfHour(hour).After(t) { // before 1970, the division rounds up
		hour--
	}
	return hour
}

func endOfHour(hour int64) time.Time { return time.Unix(hour*secondsPerHour, 0).UTC() }

const secondsPerHour = int64(time.Hour / time.Second)

// index puts the attributes of the index into an item, or into the values of an update.
func (t *Table) index(it item, shardName, hourName, key string, expiresAt time.Time) {
	it[shardName] = &types.AttributeValueMemberS{Value: t.shardValue(t.shardOf(key))}
	it[hourName] = &types.AttributeValueMemberN{Value: strconv.FormatInt(hourEnding(expiresAt), 10)}
}

// indexSchema is the key of the index.
func (t Table) indexSchema() []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: &t.Attributes.ExpiryShard, KeyType: types.KeyTypeHash},
		{AttributeName: &t.Attributes.ExpiryHour, KeyType: types.KeyTypeRange},
	}
}

// indexDefinitions are the types of the index's key.
func (t Table) indexDefinitions() []types.AttributeDefinition {
	return []types.AttributeDefinition{
		{AttributeName: &t.Attributes.ExpiryShard, AttributeType: types.ScalarAttributeTypeS},
		{AttributeName: &t.Attributes.ExpiryHour, AttributeType: types.ScalarAttributeTypeN},
	}
}

// throughput is the provisioned capacity of the table, nil where requests are paid for. The index has as much: where it
// had less, writes to the table would be refused.
func (t Table) throughput() *types.ProvisionedThroughput {
	if t.ReadCapacity == 0 {
		return nil
	}
	return &types.ProvisionedThroughput{ReadCapacityUnits: &t.ReadCapacity, WriteCapacityUnits: &t.WriteCapacity}
}

// validateExpiryIndex reports what is wrong with the index.
func (t Table) validateExpiryIndex(problem func(format string, args ...any)) {
	index := t.ExpiryIndex
	if index.Name == "" {
		if index.Shards != 0 {
			problem("ExpiryIndex: shards without a name; set Name, or leave both out")
		}
		return
	}
	if !indexName.MatchString(index.Name) {
		problem("ExpiryIndex.Name: %q is not the name of an index (3 to 255 of a-z A-Z 0-9 _ . -)", index.Name)
	}
	if index.Shards < 1 || index.Shards > defaults.MaxExpiryShards {
		problem("ExpiryIndex.Shards: %d; from 1 to %d are possible", index.Shards, defaults.MaxExpiryShards)
	}
}

// findIndex returns the index with the name of the expiry index, nil where there is none.
func (t Table) findIndex(d *types.TableDescription) *types.GlobalSecondaryIndexDescription {
	at := slices.IndexFunc(d.GlobalSecondaryIndexes, func(index types.GlobalSecondaryIndexDescription) bool {
		return aws.ToString(index.IndexName) == t.ExpiryIndex.Name
	})
	if at < 0 {
		return nil
	}
	return &d.GlobalSecondaryIndexes[at]
}

// compareExpiryIndex compares the index, where there should be one.
func (t Table) compareExpiryIndex(d *types.TableDescription) []string {
	if !t.hasExpiryIndex() {
		return nil
	}
	name := t.ExpiryIndex.Name
	index := t.findIndex(d)
	if index == nil {
		return []string{fmt.Sprintf("it has no index %q, as Table.ExpiryIndex says: add it with Table.AddExpiryIndex", name)}
	}
	var problems []string
	kinds := attributeTypes(d)
	for i, want := range t.indexSchema() {
		definition := t.indexDefinitions()[i]
		if !slices.ContainsFunc(index.KeySchema, func(got types.KeySchemaElement) bool {
			return got.KeyType == want.KeyType && *got.AttributeName == *want.AttributeName
		}) || len(index.KeySchema) != 2 || kinds[*want.AttributeName] != definition.AttributeType {
			what := map[types.KeyType]string{types.KeyTypeHash: "partition", types.KeyTypeRange: "sort"}[want.KeyType]
			problems = append(problems, fmt.Sprintf("the %s key of its index %q is not %q of type %s, as Table.ExpiryIndex and "+
				"Table.Attributes say: delete the index in the AWS console, and add it anew with Table.AddExpiryIndex",
				what, name, *want.AttributeName, definition.AttributeType))
		}
	}
	return problems
}

// compareIndexStatus reports a status in which a collector cannot use the index. Applications can use the table all the
// same.
func (t Table) compareIndexStatus(d *types.TableDescription) []string {
	index := t.findIndex(d)
	if !t.hasExpiryIndex() || index == nil {
		return nil
	}
	switch index.IndexStatus {
	case types.IndexStatusActive, types.IndexStatusUpdating, "":
		return nil
	case types.IndexStatusCreating:
		return []string{fmt.Sprintf("its index %q is being built: wait until it is ACTIVE before a collector uses it",
			t.ExpiryIndex.Name)}
	default:
		return []string{fmt.Sprintf("the status of its index %q is %s, not ACTIVE", t.ExpiryIndex.Name, index.IndexStatus)}
	}
}

// remarkExpiryIndex says what costs more than it need, or may.
func (t Table) remarkExpiryIndex(d *types.TableDescription, remark func(format string, args ...any)) {
	index := t.findIndex(d)
	if !t.hasExpiryIndex() || index == nil {
		return
	}
	if p := index.Projection; p != nil && p.ProjectionType != types.ProjectionTypeKeysOnly {
		remark("its index %q holds more than keys (%s), so that every commit writes to it", t.ExpiryIndex.Name,
			p.ProjectionType)
	}
	table, own := d.ProvisionedThroughput, index.ProvisionedThroughput
	if table == nil || own == nil {
		return
	}
	has, needs := aws.ToInt64(own.WriteCapacityUnits), aws.ToInt64(table.WriteCapacityUnits)
	if 0 < has && has < needs { // 0 is what is billed by the request
		remark("its index %q has %d write units, and the table %d: where the index cannot keep up, DynamoDB refuses "+
			"writes of sessions", t.ExpiryIndex.Name, has, needs)
	}
}
