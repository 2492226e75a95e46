// Package layouts_test attacks what keeps sessions apart that lie in one storage: two applications, with a prefix, a
// suffix, a sort key or a secret each, or none. Whatever one of them does, no session of the other is read, counted,
// changed or ended; or the layout is refused before there is any.
package layouts_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// layout is where and how an application keeps its sessions.
type layout struct {
	partition, sort dynamostore.Key
	data            string // the attribute
	secret          int    // 0 for none
	context         string // empty for none that is given
}

func (l layout) String() string {
	return fmt.Sprintf("{pk %q…%q, sk %q…%q, data %q, secret %d, context %q}",
		l.partition.Prefix, l.partition.Suffix, l.sort.Prefix, l.sort.Suffix, l.data, l.secret, l.context)
}

func (l layout) options() []sessionstore.Option {
	var options []sessionstore.Option
	if l.secret > 0 {
		options = append(options, sessionstore.WithSecret(storetest.Secret(byte(l.secret))))
		if l.context != "" {
			options = append(options, sessionstore.WithSecretContext(l.context))
		}
	}
	return options
}

// samePlace reports whether the keys of two layouts are made in the same way: nothing but a secret tells their sessions
// apart.
func samePlace(a, b layout) bool { return a.partition == b.partition && a.sort == b.sort }

// place is a storage that can be looked at past all drivers.
type place struct {
	// open returns the driver of a layout, or why there is none.
	open func(layout) (storage.Driver, error)
	// items returns everything that is stored, by its key.
	items func(t tester) map[string]any
	clear func(t tester)
}

// attack has each of two applications do all that it can to the other.
func attack(t tester, p *place, first, second layout) (refused bool) {
	t.Helper()
	for _, pair := range [][2]layout{{first, second}, {second, first}} {
		attackerDriver, err := p.open(pair[0])
		victimDriver, err2 := p.open(pair[1])
		if err != nil || err2 != nil {
			return true
		}
		p.clear(t)
		attacker := newSide(t, "attacker "+pair[0].String(), attackerDriver, pair[0].secret > 0, pair[0].options()...)
		victim := newSide(t, "victim "+pair[1].String(), victimDriver, pair[1].secret > 0, pair[1].options()...)
		attacker.alone = !samePlace(pair[0], pair[1])
		victim.alone = attacker.alone
		victim.fill(t)
		before := p.items(t)
		var guesses []string
		switch {
		case attacker.alone:
			guesses = attacker.guesses(victim, slices.Collect(maps.Keys(before)))
		case pair[0].secret != pair[1].secret:
			guesses = attacker.guesses(victim, nil)
		default: // a token has one key then, and what is there does not open
			for token := range victim.tokens {
				if _, found, err := attacker.store.Find(token); found || !errors.Is(err, storage.ErrCorrupt) {
					t.Errorf("%s: a session of %s: found %v, %v; want ErrCorrupt", attacker.name, victim.name, found, err)
				}
			}
		}
		attacker.fill(t)
		if !attacker.alone { // the records of collectors are those of the place
			maps.DeleteFunc(before, func(key string, _ any) bool { return strings.Contains(key, storage.ReservedPrefix) })
		}
		attacker.holds(t)
		unharmed := func(what string) {
			t.Helper()
			after := p.items(t)
			for key, item := range before {
				if !reflect.DeepEqual(after[key], item) {
					t.Errorf("%s\nhas %s\n%s:\n%q", attacker.name, what, victim.name, key)
				}
			}
			victim.holds(t)
		}
		unharmed("changed or ended, by filling its place, a record of")
		attacker.probe(t, guesses)
		unharmed("changed or ended, by a token, a record of")
		attacker.deleteAll(t)
		unharmed("changed or ended, by DeleteAll, a record of")
		if attacker.alone { // collectors know of no secrets: they serve the place
			attacker.fill(t)
			attacker.collect(t)
			unharmed("collected a record of")
		}
	}
	return false
}

const table43 = "0123456789012345678901234567890123456789012" // as long as a token

// neighbours are layouts that have been taken for one another, or might be.
var neighbours = []string{
	"", "app", "app2", "app:", "app2:", "app:2:", ":", "::", "app::", "app:%3A", "%", "app%", "app_", "app-", "a", "b",
	"scsdynamo:", "app:scsdynamo:", "scsdynamo", ":collector", "#", "app#", "app/", "é", "é:", " ", table43, table43 + ":",
	"app:" + table43 + ":",
}

// An application ends where its prefix and suffix say.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	for _, sorted := range []bool{false, true} {
		t.Run(fmt.Sprintf("sort key %v", sorted), func(t *testing.T) {
			t.Parallel()
			p := newTable(t, sorted)
			kept := 0
			for i, first := range neighbours {
				second := neighbours[(i+1)%len(neighbours)]
				for _, pair := range [][2]layout{
					{{partition: dynamostore.Key{Prefix: first}}, {partition: dynamostore.Key{Prefix: second}}},
					{{partition: dynamostore.Key{Prefix: first}}, {secret: 1}},
					{{partition: dynamostore.Key{Suffix: first}, secret: 1}, {partition: dynamostore.Key{Suffix: second}}},
					{{partition: dynamostore.Key{Prefix: first}}, {partition: dynamostore.Key{Suffix: first}}},
				} {
					if !samePlace(pair[0], pair[1]) && !attack(t, p, pair[0], pair[1]) {
						kept++
					}
				}
			}
			if kept == 0 {
				t.Error("every pair was refused")
			}
		})
	}
}

// anyAffix draws prefixes and suffixes of pieces that matter.
func anyAffix() *rapid.Generator[string] {
	piece := rapid.SampledFrom([]string{
		"app", "2", ":", "#", "::", ":x", "%", "%3A", "scsdynamo", "scsdynamo:", "collector", table43, "é", " ", "_", "-",
		"\x7f", "/", ".", "a", "A",
	})
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(piece, 0, 3).Draw(t, "pieces"), "")
	})
}

func anyLayout(sorted bool) *rapid.Generator[layout] {
	return rapid.Custom(func(t *rapid.T) layout {
		separator := rapid.SampledFrom([]string{":", "#", "::", "#:", ":#", ""}) // mostly one that is accepted
		key := func(label string) dynamostore.Key {
			k := dynamostore.Key{Prefix: anyAffix().Draw(t, label+" prefix"), Suffix: anyAffix().Draw(t, label+" suffix")}
			if k.Prefix != "" {
				k.Prefix += separator.Draw(t, "end")
			}
			if k.Suffix != "" {
				k.Suffix = separator.Draw(t, "begin") + k.Suffix
			}
			return k
		}
		l := layout{
			partition: key("partition"), secret: rapid.IntRange(0, 2).Draw(t, "secret"),
			data:    rapid.SampledFrom([]string{"", "payload"}).Draw(t, "data"),
			context: rapid.SampledFrom([]string{"", "shop", "admin"}).Draw(t, "context"),
		}
		if sorted {
			l.sort = key("sort")
		}
		return l
	})
}

// anyPair draws two layouts that may be much alike.
func anyPair(t *rapid.T, sorted bool) (a, b layout) {
	a, b = anyLayout(sorted).Draw(t, "first"), anyLayout(sorted).Draw(t, "second")
	for i, field := range []struct{ from, to *string }{
		{&a.partition.Prefix, &b.partition.Prefix},
		{&a.partition.Suffix, &b.partition.Suffix},
		{&a.sort.Prefix, &b.sort.Prefix},
		{&a.sort.Suffix, &b.sort.Suffix},
		{&a.partition.Prefix, &b.partition.Suffix},
	} {
		if rapid.IntRange(0, 3).Draw(t, fmt.Sprintf("shared %d", i)) == 0 {
			*field.to = *field.from
		}
	}
	return a, b
}

// Whatever the layouts of two applications are, they are refused or keep apart.
func TestAnyTwoLayouts(t *testing.T) {
	t.Parallel()
	for _, sorted := range []bool{false, true} {
		t.Run(fmt.Sprintf("sort key %v", sorted), func(t *testing.T) {
			t.Parallel()
			p := newTable(t, sorted)
			kept := 0
			rapid.Check(t, func(t *rapid.T) {
				a, b := anyPair(t, sorted)
				if samePlace(a, b) {
					t.Skip("these are one layout")
				}
				if !attack(t, p, a, b) {
					kept++
				}
			})
			if kept == 0 {
				t.Error("every pair was refused")
			}
		})
	}
}

// newTable is a place on DynamoDB.
func newTable(t *testing.T, sorted bool) *place {
	t.Helper()
	client := dynamotest.Client(t)
	table := dynamostore.Table{
		Name: dynamotest.TableName(t, client), PartitionKey: dynamostore.Key{Name: "pk"},
		ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry", Shards: 1},
	}
	if sorted {
		table.SortKey.Name = "sk"
	}
	if err := table.Create(t.Context(), dynamotest.WithoutTTL(client)); err != nil {
		t.Fatal(err)
	}
	scan := func(t tester) []map[string]types.AttributeValue {
		t.Helper()
		var all []map[string]types.AttributeValue
		pages := dynamodb.NewScanPaginator(client,
			&dynamodb.ScanInput{TableName: &table.Name, ConsistentRead: aws.Bool(true)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(context.Background())
			if err != nil {
				t.Fatalf("%v", err)
			}
			all = append(all, page.Items...)
		}
		return all
	}
	text := func(v types.AttributeValue) string {
		s, _ := v.(*types.AttributeValueMemberS)
		if s == nil {
			return ""
		}
		return s.Value
	}
	return &place{
		open: func(l layout) (storage.Driver, error) {
			laid := table
			laid.PartitionKey.Prefix, laid.PartitionKey.Suffix = l.partition.Prefix, l.partition.Suffix
			laid.SortKey.Prefix, laid.SortKey.Suffix = l.sort.Prefix, l.sort.Suffix
			laid.Attributes.Data = l.data
			return dynamostore.NewDriver(client, laid)
		},
		items: func(t tester) map[string]any {
			t.Helper()
			items := map[string]any{}
			for _, it := range scan(t) {
				key := text(it["pk"])
				if sorted {
					key += "\n" + text(it["sk"])
				}
				items[key] = it
			}
			return items
		},
		clear: func(t tester) {
			t.Helper()
			for _, it := range scan(t) {
				key := map[string]types.AttributeValue{"pk": it["pk"]}
				if sorted {
					key["sk"] = it["sk"]
				}
				if _, err := client.DeleteItem(context.Background(),
					&dynamodb.DeleteItemInput{TableName: &table.Name, Key: key}); err != nil {
					t.Fatalf("%v", err)
				}
			}
		},
	}
}
