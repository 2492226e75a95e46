package dynamostore_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// anyAffix draws what may stand around a key, in pieces that matter.
func anyAffix() *rapid.Generator[string] {
	piece := rapid.SampledFrom([]string{
		"app", "2", ":", "#", "::", ":x", "%", "%3A", "%3", "scsdynamo", "scsdynamo:", "collector", "é", " ", "_", "-",
		"\x7f", "/", "A",
		strings.Repeat("A", 43), strings.Repeat("-", 42),
	})
	return rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(piece, 0, 4).Draw(t, "pieces"), "") })
}

// anyLayout draws a layout that is not refused, of these affixes and more.
func anyLayout(prefix, suffix string) *rapid.Generator[dynamostore.Table] {
	return rapid.Custom(func(t *rapid.T) dynamostore.Table {
		return dynamostore.Table{Name: "sessions", PartitionKey: dynamostore.Key{
			Prefix: prefix + anyAffix().Draw(t, "prefix"), Suffix: anyAffix().Draw(t, "suffix") + suffix,
		}}
	}).Filter(func(table dynamostore.Table) bool { return table.Validate() == nil })
}

// anyStoredKey draws what stores and collectors store under: tokens of scs, keyed hashes, and their own records.
func anyStoredKey() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9_-]{43}`),
		rapid.StringMatching(`[A_-]{43}`),
		rapid.SampledFrom([]string{
			storage.ReservedPrefix + "collector", storage.ReservedPrefix + "collector-position",
			storage.ReservedPrefix + "probe",
		}),
	)
}

// No key that one layout makes is one of another, whatever the two are; or one of the two is refused.
func TestLayoutsShareNoKey(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tables := [2]dynamostore.Table{anyLayout("", "").Draw(t, "one"), anyLayout("", "").Draw(t, "other")}
		if key := tables[0].PartitionKey; rapid.Bool().Draw(t, "alike") {
			tables[1] = anyLayout(key.Prefix, key.Suffix).Draw(t, "alike")
		}
		if tables[0].PartitionKey == tables[1].PartitionKey {
			t.Skip("they are the same")
		}
		for i, table := range tables {
			item := dynamostore.Item(table, newRecord(anyStoredKey().Draw(t, "key"), "data"))
			record, ours, _ := dynamostore.Decode(tables[1-i], item)
			if ours && !storage.Reserved(record.Key) { // of a key that is reserved there is never a session
				t.Fatalf("%q is a key of %+v, and one of %+v", item["session_id"].(*types.AttributeValueMemberS).Value,
					table.PartitionKey, tables[1-i].PartitionKey)
			}
			if ours && !strings.HasPrefix(storage.ReservedPrefix, record.Key) {
				t.Fatalf("a record of a collector is one of another layout")
			}
		}
	})
}

// Every key has one form in the table, and none that could be that of another.
func TestKeysHaveOneForm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table := dynamostore.Table{Name: "sessions", PartitionKey: dynamostore.Key{Prefix: "app:", Suffix: "#v1"}}
		key := rapid.OneOf(rapid.String(), anyText(1, 10), anyAffix(), anyStoredKey()).Filter(func(s string) bool {
			return storage.ValidKey(s, 100)
		}).Draw(t, "key")
		item := dynamostore.Item(table, newRecord(key, "data"))
		record, ours, err := dynamostore.Decode(table, item)
		if err != nil || !ours || record.Key != key {
			t.Fatalf("%q is stored as %v, which is %q, ours %v, %v", key, item["session_id"], record.Key, ours, err)
		}
		stored := rapid.OneOf(rapid.String(), anyAffix(), rapid.StringMatching(`(a|%3A|%3a|%41|%|:|%25)*`)).Draw(t, "stored")
		item["session_id"] = &types.AttributeValueMemberS{Value: "app:" + stored + "#v1"}
		if record, ours, _ := dynamostore.Decode(table, item); ours {
			if again := dynamostore.Item(table,
				record)["session_id"]; again.(*types.AttributeValueMemberS).Value != "app:"+stored+"#v1" {
				t.Fatalf("%q is read as %q, which is stored as %v", stored, record.Key, again)
			}
		}
	})
}

// What cannot be told apart is refused, and the error says what to write.
func TestAmbiguousAffixesAreRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 43)
	for affix, want := range map[string]string{
		"app": "", "app-": "", "app_": "", "app%": "", "é": "", "app:": "ok", ":app:": "ok", "#": "ok", " ": "ok", "\n": "ok",
		"scsdynamo:": "", ":scsdynamo:x:": "", "scsdynamo-app:": "ok", long + ":": "", ":" + long + ":": "",
		long + "x:":         "ok",
		"SESSIONS::TOWER::": "ok", "tenant:550e8400-e29b-41d4-a716-446655440000:": "ok",
	} {
		reversed := []rune(affix)
		for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
			reversed[i], reversed[j] = reversed[j], reversed[i]
		}
		if strings.Contains(affix, "scsdynamo") {
			reversed = []rune(":" + strings.TrimSuffix(affix, ":"))
		}
		for _, sorted := range []bool{false, true} {
			for field, key := range map[string]dynamostore.Key{"prefix": {Prefix: affix}, "suffix": {Suffix: string(reversed)}} {
				table := dynamostore.Table{Name: "sessions", PartitionKey: key}
				if sorted {
					key.Name = "sk"
					table = dynamostore.Table{Name: "sessions", SortKey: key}
				}
				err := table.Validate()
				if (err == nil) != (want == "ok") {
					t.Errorf("the %s %q, sort key %v: %v", field, affix, sorted, err)
				}
			}
		}
	}
	err := dynamostore.Table{Name: "sessions", PartitionKey: dynamostore.Key{Prefix: "app", Suffix: "v1"}}.Validate()
	for _, want := range []string{`"app:"`, `":v1"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want what to write: %s", err, want)
		}
	}
}

// What a collector keeps in one layout is no session in another, whose suffix is the rest of its key.
func TestCollectorsRecordIsNoSession(t *testing.T) {
	t.Parallel()
	item := dynamostore.Item(dynamostore.Table{Name: "sessions"}, newRecord(storage.ReservedPrefix+"collector", "data"))
	other := dynamostore.Table{Name: "sessions", PartitionKey: dynamostore.Key{Suffix: ":collector"}}
	if record, ours, _ := dynamostore.Decode(other, item); ours && !storage.Reserved(record.Key) {
		t.Errorf("it is the session %q", record.Key)
	}
}

// anyText draws text with all that a key must tell apart.
func anyText(shortest, longest int) *rapid.Generator[string] {
	return rapid.StringOfN(rapid.SampledFrom([]rune("ab#:- _.*?$&%{}[]<>!@|\\\"'`~,=\n\t\r\a\x7f\u0085\u200b\ufeffäßÿ€日😀")), shortest, longest, -1)
}
