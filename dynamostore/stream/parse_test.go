package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/dynamostore/stream"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// jsonOf writes an attribute value as Lambda does, as the documentation has it.
func jsonOf(attribute types.AttributeValue) map[string]any {
	switch v := attribute.(type) {
	case *types.AttributeValueMemberS:
		return map[string]any{"S": v.Value}
	case *types.AttributeValueMemberN:
		return map[string]any{"N": v.Value}
	case *types.AttributeValueMemberB:
		return map[string]any{"B": v.Value}
	case *types.AttributeValueMemberBOOL:
		return map[string]any{"BOOL": v.Value}
	case *types.AttributeValueMemberNULL:
		return map[string]any{"NULL": v.Value}
	case *types.AttributeValueMemberSS:
		return map[string]any{"SS": v.Value}
	case *types.AttributeValueMemberNS:
		return map[string]any{"NS": v.Value}
	case *types.AttributeValueMemberBS:
		return map[string]any{"BS": v.Value}
	case *types.AttributeValueMemberL:
		list := make([]any, len(v.Value))
		for i := range v.Value {
			list[i] = jsonOf(v.Value[i])
		}
		return map[string]any{"L": list}
	case *types.AttributeValueMemberM:
		return map[string]any{"M": itemJSON(v.Value)}
	default:
		return nil
	}
}

func itemJSON(item map[string]types.AttributeValue) map[string]any {
	image := map[string]any{}
	for name, attribute := range item {
		image[name] = jsonOf(attribute)
	}
	return image
}

// anyAttribute draws values that lists and maps hold to a depth.
func anyAttribute(depth int) *rapid.Generator[types.AttributeValue] {
	return rapid.Custom(func(t *rapid.T) types.AttributeValue {
		kinds := 8
		if depth > 0 {
			kinds = 10
		}
		number := rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,9})?`)
		switch rapid.IntRange(1, kinds).Draw(t, "kind") {
		case 1:
			return &types.AttributeValueMemberS{Value: rapid.String().Draw(t, "S")}
		case 2:
			return &types.AttributeValueMemberN{Value: number.Draw(t, "N")}
		case 3:
			return &types.AttributeValueMemberB{Value: rapid.SliceOf(rapid.Byte()).Draw(t, "B")}
		case 4:
			return &types.AttributeValueMemberBOOL{Value: rapid.Bool().Draw(t, "BOOL")}
		case 5:
			return &types.AttributeValueMemberNULL{Value: true}
		case 6:
			return &types.AttributeValueMemberSS{Value: rapid.SliceOf(rapid.String()).Draw(t, "SS")}
		case 7:
			return &types.AttributeValueMemberNS{Value: rapid.SliceOf(number).Draw(t, "NS")}
		case 8:
			return &types.AttributeValueMemberBS{Value: rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(t, "BS")}
		case 9:
			return &types.AttributeValueMemberL{Value: rapid.SliceOfN(anyAttribute(depth-1), 0, 3).Draw(t, "L")}
		default:
			return &types.AttributeValueMemberM{Value: anyItem(depth-1).Draw(t, "M")}
		}
	})
}

func anyItem(depth int) *rapid.Generator[map[string]types.AttributeValue] {
	return rapid.MapOfN(rapid.StringN(1, 8, -1), anyAttribute(depth), 0, 4)
}

func marshal(t rapid.TB, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Whatever an item holds, it is read from an event as it is.
func TestParseEventReadsAllItems(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := stream.Record{
			EventName: "MODIFY", SequenceNumber: "4421584500000000017450439091", CreatedAt: time.Unix(1428537600, 0),
			OldImage: anyItem(3).Draw(t, "old"), NewImage: anyItem(3).Draw(t, "new"),
			UserIdentity: stream.Identity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"},
		}
		records, err := stream.ParseEvent(marshal(t, map[string]any{"Records": []any{map[string]any{
			"eventID": "1", "eventName": want.EventName, "eventVersion": "1.1", "eventSource": "aws:dynamodb",
			"awsRegion": "eu-central-1", "eventSourceARN": "arn:aws:dynamodb:...",
			"userIdentity": map[string]any{"type": "Service", "principalId": "dynamodb.amazonaws.com"},
			"dynamodb": map[string]any{
				"ApproximateCreationDateTime": 1428537600, "Keys": itemJSON(want.OldImage), "OldImage": itemJSON(want.OldImage),
				"NewImage": itemJSON(want.NewImage), "SequenceNumber": want.SequenceNumber, "SizeBytes": 59,
				"StreamViewType": "NEW_AND_OLD_IMAGES",
			},
		}}}))
		if err != nil || len(records) != 1 {
			t.Fatalf("%d records, %v", len(records), err)
		}
		if !reflect.DeepEqual(records[0], want) {
			t.Errorf("read\n%+v\nwant\n%+v", records[0], want)
		}
	})
}

// An event may hold anything: it is read, or an error.
func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(`{"Records":[{"eventName":"INSERT","dynamodb":{"NewImage":{"session_id":{"S":"a"},"l":{"L":[{"B":"AA=="}]}}}}]}`))
	f.Add([]byte(`{"Records":[{"eventName":"REMOVE","dynamodb":{"ApproximateCreationDateTime":1e300,"OldImage":{"a":{}}}}]}`))
	f.Add([]byte(`{"Records":null}`))
	reader := newReader(f)
	f.Fuzz(func(t *testing.T, event []byte) {
		records, err := stream.ParseEvent(event)
		if err != nil && len(records) > 0 {
			t.Error("records of what is no event")
		}
		for _, record := range records {
			change, told, err := reader.Read(record)
			if told && change.Session == "" || err != nil && !errors.Is(err, storage.ErrCorrupt) {
				t.Errorf("told %+v, %v", change, err)
			}
		}
	})
}

func newReader(t testing.TB) *stream.Reader {
	t.Helper()
	store, err := sessionstore.New(memory.New())
	if err != nil {
		t.Fatal(err)
	}
	reader, err := stream.NewReader(store, dynamostore.Table{Name: "sessions"})
	if err != nil {
		t.Fatal(err)
	}
	return reader
}

// Who makes a reader is told what is missing.
func TestNewReader(t *testing.T) {
	t.Parallel()
	if _, err := stream.NewReader(nil, dynamostore.Table{Name: "sessions"}); err == nil {
		t.Error("without a store")
	}
	store, err := sessionstore.New(memory.New())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.NewReader(store, dynamostore.Table{}); err == nil {
		t.Error("without a table")
	}
}

// image is that of a session that nobody owns.
func image(key string) map[string]any {
	return map[string]any{
		"session_id": map[string]any{"S": key}, "data": map[string]any{"B": "AA=="}, "version": map[string]any{"S": "v"},
		"created_at": map[string]any{"N": "1"}, "updated_at": map[string]any{"N": "1"}, "expiry": map[string]any{"N": "2"},
	}
}

func with(item map[string]any, name string, attribute any) map[string]any {
	item[name] = attribute
	return item
}

// A record that cannot be read is told as such, and the others as ever.
func TestReadOfWhatIsDamaged(t *testing.T) {
	t.Parallel()
	const good, silent, named, nameless = "told", "nothing", "unreadable", "unreadable, whatever it is"
	for name, test := range map[string]struct {
		event    string
		old, new any
		want     string
	}{
		"good":                       {"INSERT", nil, image("a"), good},
		"good, with more in it":      {"INSERT", nil, with(image("a"), "more", map[string]any{"L": []any{}}), good},
		"no new image":               {"INSERT", nil, nil, nameless},
		"no old image":               {"MODIFY", nil, image("a"), nameless},
		"a removal without an image": {"REMOVE", nil, nil, nameless},
		"an image too many":          {"REMOVE", image("a"), image("a"), nameless},
		"no event":                   {"", nil, image("a"), nameless},
		"an event of another kind":   {"TRUNCATE", nil, image("a"), nameless},
		"no item":                    {"INSERT", nil, "text", nameless},
		"two values in one":          {"INSERT", nil, with(image("a"), "data", map[string]any{"S": "", "N": "1"}), nameless},
		"a list with no value": {
			"INSERT", nil, with(image("a"), "x", map[string]any{"L": []any{map[string]any{}}}), nameless,
		},
		"a map with no value": {
			"INSERT", nil, with(image("a"), "x", map[string]any{"M": map[string]any{"y": map[string]any{}}}), nameless,
		},
		"no base64":         {"INSERT", nil, with(image("a"), "data", map[string]any{"B": "?"}), nameless},
		"data of text":      {"INSERT", nil, with(image("a"), "data", map[string]any{"S": "AA=="}), named},
		"no data":           {"INSERT", nil, with(image("a"), "data", map[string]any{"NULL": true}), named},
		"no expiry":         {"REMOVE", with(image("a"), "expiry", map[string]any{"S": "2"}), nil, named},
		"damaged before":    {"MODIFY", with(image("a"), "version", map[string]any{"S": ""}), image("a"), named},
		"somebody else's":   {"INSERT", nil, map[string]any{"session_id": map[string]any{"S": "no:session"}}, silent},
		"another key":       {"INSERT", nil, map[string]any{"id": map[string]any{"N": "1"}}, silent},
		"a collector's":     {"INSERT", nil, image(storage.ReservedPrefix + "lease"), silent},
		"a damaged one's":   {"INSERT", nil, map[string]any{"session_id": map[string]any{"S": "scsdynamo:x"}}, silent},
		"a touch, if it is": {"MODIFY", image("a"), image("a"), silent},
	} {
		data := map[string]any{"SequenceNumber": "1"}
		if test.old != nil {
			data["OldImage"] = test.old
		}
		if test.new != nil {
			data["NewImage"] = test.new
		}
		event := marshal(t, map[string]any{"Records": []any{map[string]any{"eventName": test.event, "dynamodb": data}}})
		got := silent
		response, err := newReader(t).Handle(t.Context(), event,
			func(_ context.Context, change sessionstore.Lifecycle, err error) error {
				switch {
				case err == nil:
					got = good
				case !errors.Is(err, storage.ErrCorrupt):
					got = err.Error()
				case change.Session != "":
					got = named
				default:
					got = nameless
				}
				return nil
			})
		if got != test.want || err != nil || len(response.BatchItemFailures) > 0 {
			t.Errorf("%s: %s (%+v, %v); want %s", name, got, response, err, test.want)
		}
	}
}

// Lambda is told from which record on to send a batch again, and what is no event is an error that does not repeat it.
func TestHandleSaysWhereToGoOn(t *testing.T) {
	t.Parallel()
	reader := newReader(t)
	var records []any
	for _, n := range []string{"1", "2", "3"} {
		records = append(records, map[string]any{
			"eventName": "INSERT", "dynamodb": map[string]any{"SequenceNumber": n, "NewImage": image("k" + n)},
		})
	}
	event := marshal(t, map[string]any{"Records": records})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx    context.Context
		refuse int // at which call; 0 for none
		calls  int
		want   string
	}{
		"all":        {t.Context(), 0, 3, `{"batchItemFailures":[]}`},
		"the second": {t.Context(), 2, 2, `{"batchItemFailures":[{"itemIdentifier":"2"}]}`},
		"no time":    {ended, 0, 0, `{"batchItemFailures":[{"itemIdentifier":"1"}]}`},
	} {
		calls := 0
		response, err := reader.Handle(test.ctx, event, func(context.Context, sessionstore.Lifecycle, error) error {
			if calls++; calls == test.refuse {
				return errors.New("not now")
			}
			return nil
		})
		if got := string(marshal(t, response)); got != test.want || calls != test.calls || err != nil {
			t.Errorf("%s: %s after %d calls, %v; want %s", name, got, calls, err, test.want)
		}
	}
	for _, event := range []string{"", "[]", `{"Records":"secret"}`, `{"Records":[{"eventName":4711}]}`} {
		_, err := reader.Handle(t.Context(), []byte(event), nil)
		if err == nil || slices.ContainsFunc([]string{"secret", "4711"}, func(s string) bool {
			return strings.Contains(err.Error(), s)
		}) {
			t.Errorf("%q: %v", event, err)
		}
	}
}
