package dynamostore

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
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

// CreateInput is what Table.Create asks for, and the attribute that it turns TTL on for.
func CreateInput(t Table) (*dynamodb.CreateTableInput, string, error) {
	t = t.WithDefaults()
	input, err := t.createInput()
	return input, t.Attributes.TTL, err
}
