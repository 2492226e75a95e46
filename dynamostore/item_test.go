package dynamostore_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

func TestInstants(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ instant, number string }{
		{"1970-01-01T00:00:00Z", "0"},
		{"2026-11-21T04:10:09.120000001Z", "1795234209.120000001"},
		{"2026-11-21T05:10:09.12+01:00", "1795234209.12"},
		{"1969-12-31T23:59:59.75Z", "-0.25"},
		{"1969-12-31T23:59:58.000000001Z", "-1.999999999"},
		{"0001-01-01T00:00:00Z", "-62135596800"},
		{"9999-12-31T23:59:59.999999999Z", "253402300799.999999999"},
	} {
		instant, err := time.Parse(time.RFC3339Nano, test.instant)
		if err != nil {
			t.Fatal(err)
		}
		if got := dynamostore.FormatInstant(instant); got != test.number {
			t.Errorf("%s is written as %s; want %s", test.instant, got, test.number)
		}
		if got, ok := dynamostore.ParseInstant(test.number); !ok || !got.Equal(instant) {
			t.Errorf("%s is read as %v, %v; want %s", test.number, got, ok, test.instant)
		}
	}
	for _, bad := range []string{
		"", ".", "1e10", "abc", "-", "1.0000000001", "253402300800", "-62135596801", "1.-5",
		"1.2.3", "0x10",
	} {
		if got, ok := dynamostore.ParseInstant(bad); ok {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}

// FuzzInstants checks that what is written is read back, and that numbers compare as the instants do: conditions rest
// on it.
func FuzzInstants(f *testing.F) {
	f.Add(int64(0), int64(1), uint32(0), uint32(999_999_999))
	f.Add(int64(-1), int64(-62135596800), uint32(500_000_000), uint32(1))
	f.Fuzz(func(t *testing.T, s1, s2 int64, n1, n2 uint32) {
		instant := func(s int64, n uint32) time.Time {
			const span = 253402300800 + 62135596800
			return time.Unix((s%span+span)%span-62135596800, int64(n%1e9))
		}
		a, b := instant(s1, n1), instant(s2, n2)
		numberA, numberB := dynamostore.FormatInstant(a), dynamostore.FormatInstant(b)
		if back, ok := dynamostore.ParseInstant(numberA); !ok || !back.Equal(a) {
			t.Fatalf("%v is written as %s and read as %v, %v", a, numberA, back, ok)
		}
		ratA, okA := new(big.Rat).SetString(numberA)
		ratB, okB := new(big.Rat).SetString(numberB)
		if !okA || !okB || ratA.Cmp(ratB) != a.Compare(b) {
			t.Fatalf("%v and %v are written as %s and %s, which compare otherwise", a, b, numberA, numberB)
		}
	})
}

func TestTTLIsNeverEarly(t *testing.T) {
	t.Parallel()
	for nanos, want := range map[int64]string{0: "1000", 1: "1001", 999_999_999: "1001"} {
		r := newRecord("key", "data")
		r.ExpiresAt = time.Unix(1000, nanos)
		item := dynamostore.Item(dynamostore.Table{}, r)
		if got := item["expire_at"].(*types.AttributeValueMemberN).Value; got != want {
			t.Errorf("the expiry 1000 s + %d ns has the TTL %s; want %s", nanos, got, want)
		}
	}
}

// attributeJSON is a fuzzer's idea of an attribute.
type attributeJSON struct {
	S, N *string
	B    []byte
	Null bool
	L    []string
}

// FuzzDecode feeds the decoder items that other programs might have written. It must not panic, and whatever it accepts
// must survive being written and read again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"session_id":{"S":"k"},"data":{"B":"AA=="},"version":{"S":"v"},"expiry":{"N":"1.5"}}`))
	f.Add([]byte(`{"session_id":{"S":"k"},"data":{"S":"text"},"version":{"N":"1"},"expiry":{"S":"x"},"lease_id":{"Null":true}}`))
	f.Add([]byte(`{"session_id":{"N":"1"}}`))
	f.Add([]byte(`{"session_id":{"S":"k"},"version":{"S":"v"},"expiry":{"N":"99999999999999999999"},"lease_id":{"S":"l"},"lease_duration":{"N":"-1"}}`))
	f.Add([]byte(`{"session_id":{"S":"k"},"data":{"B":"AA=="},"version":{"S":"v"},"expiry":{"N":"1"},"ancestry":{"S":"v1v2"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var attributes map[string]attributeJSON
		if json.Unmarshal(text, &attributes) != nil {
			return
		}
		item := map[string]types.AttributeValue{}
		for name, a := range attributes {
			switch {
			case a.S != nil:
				item[name] = &types.AttributeValueMemberS{Value: *a.S}
			case a.N != nil:
				item[name] = &types.AttributeValueMemberN{Value: *a.N}
			case a.B != nil:
				item[name] = &types.AttributeValueMemberB{Value: a.B}
			case a.L != nil:
				item[name] = &types.AttributeValueMemberSS{Value: a.L}
			default:
				item[name] = &types.AttributeValueMemberNULL{Value: a.Null}
			}
		}
		record, ours, err := dynamostore.Decode(dynamostore.Table{}, item)
		if !ours || err != nil {
			return
		}
		again, ours, err := dynamostore.Decode(dynamostore.Table{}, dynamostore.Item(dynamostore.Table{}, record))
		if err != nil || !ours || !sameRecord(record, again) {
			t.Fatalf("accepted %+v, which is read again as %+v, %v, %v", record, again, ours, err)
		}
	})
}

func sameRecord(a, b storage.Record) bool {
	return a.Key == b.Key && a.Version == b.Version && a.Ancestry == b.Ancestry && bytes.Equal(a.Data, b.Data) &&
		a.ExpiresAt.Equal(b.ExpiresAt) && a.CreatedAt.Equal(b.CreatedAt) && a.UpdatedAt.Equal(b.UpdatedAt) &&
		a.Lease.ID == b.Lease.ID && a.Lease.Duration == b.Lease.Duration && a.Lease.ExpiresAt.Equal(b.Lease.ExpiresAt)
}
