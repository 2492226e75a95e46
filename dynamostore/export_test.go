package dynamostore

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Item encodes a record.
func Item(t Table, r storage.Record) map[string]types.AttributeValue {
	t = t.WithDefaults()
	return t.encode(r)
}

// Decode decodes an item.
func Decode(t Table, item map[string]types.AttributeValue) (storage.Record, bool, error) {
	t = t.WithDefaults()
	return t.decode(item)
}

// FormatInstant and ParseInstant convert instants.
func FormatInstant(t time.Time) string { return formatInstant(t) }

// ParseInstant reads a number.
func ParseInstant(s string) (time.Time, bool) { return parseInstant(s) }

// StartOf returns the key that a scan starts behind, and its position as it is written.
func (d *Driver) StartOf(at storage.Position) (map[string]string, storage.Position, error) {
	return d.describeStart(d.startOf(at))
}

// IndexStartOf is StartOf for a shard of the expiry index.
func (d *Driver) IndexStartOf(at storage.Position) (map[string]string, storage.Position, error) {
	return d.describeStart(d.indexStartOf(at, &types.AttributeValueMemberS{Value: "shard"}))
}

func (d *Driver) describeStart(start item, err error) (map[string]string, storage.Position, error) {
	if start == nil || err != nil {
		return nil, "", err
	}
	key := map[string]string{}
	for name, value := range start {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			key[name] = v.Value
		case *types.AttributeValueMemberN:
			key[name] = v.Value
		}
	}
	at, err := d.positionOf(start)
	return key, at, err
}
