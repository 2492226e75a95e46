package dynamostore_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// What another program has written into an item of ours is refused, with the name of the attribute.
func TestDecodeNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	number := func(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
	for _, test := range []struct {
		attribute string
		value     types.AttributeValue // nil where it is missing
		problem   string               // "" where it is as well
	}{
		{"data", text("text"), "is not binary"},
		{"data", nil, ""},
		{"version", nil, "is missing"},
		{"version", text(""), "is empty"},
		{"version", number("1"), "is not a string"},
		{"expiry", nil, "is missing"},
		{"expiry", text("1"), "is not a number"},
		{"expiry", number("1e400"), "is not an instant"},
		{"created_at", nil, ""},
		{"created_at", text("1"), "is not a number"},
		{"created_at", number("1e400"), "is not an instant"},
		{"updated_at", nil, ""},
		{"updated_at", number("1e400"), "is not an instant"},
		{"ancestry", nil, ""},
		{"ancestry", number("1"), "is not a string"},
		{"lease_id", nil, ""},
		{"lease_id", text(""), "is empty"},
		{"lease_id", number("1"), "is not a string"},
		{"lease_duration", nil, "is missing"},
		{"lease_duration", text("1"), "is not a number"},
		{"lease_duration", number("1e400"), "is not a duration"},
		{"lease_expiry", nil, "is missing"},
		{"lease_expiry", number("1e400"), "is not an instant"},
	} {
		record := newRecord("key", "data")
		record.Ancestry, record.Lease = storage.NewVersion(), newLease("mine")
		item := dynamostore.Item(dynamostore.Table{}, record)
		if item[test.attribute] == nil {
			t.Fatalf("there is no attribute %s", test.attribute)
		}
		delete(item, test.attribute)
		if test.value != nil {
			item[test.attribute] = test.value
		}
		got, ours, err := dynamostore.Decode(dynamostore.Table{}, item)
		if test.problem == "" {
			if err != nil || !ours {
				t.Errorf("without %s: %v", test.attribute, err)
			}
			continue
		}
		if !ours || !errors.Is(err, storage.ErrCorrupt) || got.Key != "" ||
			!strings.Contains(err.Error(), strconv.Quote(test.attribute)) || !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%s: %+v, %v; want that it %s", test.attribute, got, err, test.problem)
		}
	}
}

// Data that is there and empty is not data that is not there.
func TestDecodeTellsEmptyFromMissing(t *testing.T) {
	t.Parallel()
	for _, value := range []types.AttributeValue{
		&types.AttributeValueMemberB{},
		&types.AttributeValueMemberB{Value: []byte{}}, nil,
	} {
		item := dynamostore.Item(dynamostore.Table{}, newRecord("key", "data"))
		if delete(item, "data"); value != nil {
			item["data"] = value
		}
		got, _, err := dynamostore.Decode(dynamostore.Table{}, item)
		if err != nil || (got.Data == nil) != (value == nil) || len(got.Data) != 0 {
			t.Errorf("data %#v, %v", got.Data, err)
		}
	}
}

// Only an item with the key of a session is taken for one.
func TestDecodeTakesItsOwn(t *testing.T) {
	t.Parallel()
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	number := &types.AttributeValueMemberN{Value: "1"}
	table := dynamostore.Table{
		PartitionKey: dynamostore.Key{Name: "pk", Prefix: "session#"},
		SortKey:      dynamostore.Key{Name: "sk", Prefix: "session#"},
	}
	for name, test := range map[string]struct {
		partition, sort types.AttributeValue
		ours            bool
	}{
		"ours":                     {text("session#key"), text("session#key"), true},
		"another prefix":           {text("order#key"), text("session#key"), false},
		"another sort key":         {text("session#key"), text("session#other"), false},
		"no sort key":              {text("session#key"), nil, false},
		"a number as sort key":     {text("session#key"), number, false},
		"a number as partition":    {number, text("session#key"), false},
		"no partition key at all?": {nil, text("session#key"), false},
	} {
		item := dynamostore.Item(table, newRecord("key", "data"))
		item["pk"], item["sk"] = test.partition, test.sort
		got, ours, err := dynamostore.Decode(table, item)
		if ours != test.ours || err != nil || ours != (got.Key == "key") {
			t.Errorf("%s: %+v, %v, %v", name, got, ours, err)
		}
	}
}

// A record is accepted up to the size that DynamoDB takes, room for a lease included, and not with a byte more.
func TestSizeLimitIsExact(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	over := func(data int) (bytes int, refused bool) {
		err := f.driver.Put(t.Context(), newRecord("key", strings.Repeat("x", data)), storage.Always())
		tooLarge := (*storage.TooLargeError)(nil)
		if err == nil {
			return 0, false
		}
		if !errors.As(err, &tooLarge) {
			t.Fatal(err)
		}
		return tooLarge.Size - tooLarge.Limit, true
	}
	const far = 500_000
	most, _ := over(far)
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html, with the longest
	// numbers
	want := len("lease_id") + len(storage.NewVersion()) + len("lease_duration") + len("lease_expiry") +
		2*12 + far - 400*1024
	for name, value := range dynamostore.Item(dynamostore.Table{}, newRecord("key", "")) {
		want += len(name)
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			want += len(v.Value)
		case *types.AttributeValueMemberN:
			want += 12
		}
	}
	if most != want {
		t.Errorf("%d bytes of data are %d bytes too large; want %d", far, most, want)
	}
	most = far - most
	if more, refused := over(most); refused {
		t.Errorf("a record of the size of the limit is refused, as %d bytes too large", more)
	}
	if more, refused := over(most + 1); !refused || more != 1 {
		t.Errorf("a record that is one byte too large: refused %v, as %d bytes too large", refused, more)
	}
}

// An item is read without a driver, by the names that the table has, and a damaged one says at least which it is.
func TestRecordOfAnItem(t *testing.T) {
	t.Parallel()
	table := dynamostore.Table{Attributes: dynamostore.Attributes{Data: "d"}, PartitionKey: dynamostore.Key{Prefix: "s:"}}
	want := newRecord("key", "data")
	for name, test := range map[string]struct {
		damage     func(map[string]types.AttributeValue)
		ours, good bool
	}{
		"whole":         {func(map[string]types.AttributeValue) {}, true, true},
		"no data":       {func(item map[string]types.AttributeValue) { delete(item, "d") }, true, false},
		"no version":    {func(item map[string]types.AttributeValue) { delete(item, "version") }, true, false},
		"no key":        {func(item map[string]types.AttributeValue) { delete(item, "session_id") }, false, true},
		"nothing there": {func(item map[string]types.AttributeValue) { clear(item) }, false, true},
	} {
		item := dynamostore.Item(table, want)
		test.damage(item)
		record, ours, err := table.Record(item)
		if ours != test.ours || (err == nil) != test.good || err != nil && !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%s: ours %v, %v", name, ours, err)
		}
		if key := record.Key; (key == want.Key) != ours || (string(record.Data) == "data") != (ours && err == nil) {
			t.Errorf("%s: read as %+v", name, record)
		}
	}
}
