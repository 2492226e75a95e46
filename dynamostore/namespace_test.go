package dynamostore_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// What sessions are sealed for by default: the prefix and suffix of the keys, and nothing that a restore or a rename
// changes. It never changes, or what is stored would not open.
func TestNamespace(t *testing.T) {
	t.Parallel()
	client := dynamodb.NewFromConfig(aws.Config{Region: "us-east-1"}, dynamostore.TuneClient)
	key := func(name, prefix, suffix string) dynamostore.Key {
		return dynamostore.Key{Name: name, Prefix: prefix, Suffix: suffix}
	}
	seen := map[string]bool{}
	for want, table := range map[string]dynamostore.Table{
		"":                    {},
		"5:shop:0:0:0:":       {PartitionKey: key("", "shop:", "")},
		"0:5::shop0:0:":       {PartitionKey: key("", "", ":shop")},
		"0:0:5:shop:0:":       {SortKey: key("sk", "shop:", "")},
		"0:0:0:5::shop":       {SortKey: key("sk", "", ":shop")},
		"5:a0:b:2::c0:0:":     {PartitionKey: key("", "a0:b:", ":c")},
		"2:a:6::0:b:c0:0:":    {PartitionKey: key("", "a:", ":0:b:c")},
		"8:lädén:2:\"'0:1:\n": {PartitionKey: key("pk", "lädén:", "\"'"), SortKey: key("sk", "", "\n")},
	} {
		for _, name := range []string{"sessions", "restored"} {
			table.Name = name
			driver, err := dynamostore.NewDriver(client, table)
			if err != nil {
				t.Fatal(err)
			}
			if got := driver.Namespace(); got != want {
				t.Errorf("%+v: %q; want %q", table, got, want)
			}
		}
		seen[want] = true
	}
	if len(seen) != 8 {
		t.Errorf("%d namespaces; want one for each layout", len(seen))
	}
}

// Whoever can write to a table moves no session from one application to another, although the two have the same secret.
func TestSessionsStayInTheirApplication(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{PartitionKey: dynamostore.Key{Prefix: "shop:"}},
		sessionstore.WithSecret(storetest.Secret(1)))
	if err := f.store.Commit("token", []byte("data"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	name := f.table.WithDefaults().PartitionKey.Name
	out, err := f.plain.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: &f.table.Name, Key: map[string]types.AttributeValue{name: &types.AttributeValueMemberS{Value: "shop:" +
			f.store.StorageKey("token")}},
	})
	if err != nil || out.Item == nil {
		t.Fatal(err, "no such item")
	}
	for _, prefix := range []string{"admin:", "", "shop#", "shop::"} {
		t.Run(fmt.Sprintf("%q", prefix), func(t *testing.T) {
			t.Parallel()
			item := maps.Clone(out.Item)
			table := f.table
			table.PartitionKey.Prefix = prefix
			other, err := dynamostore.New(f.client, table, sessionstore.WithSecret(storetest.Secret(1)))
			if err != nil {
				t.Fatal(err)
			}
			item[name] = &types.AttributeValueMemberS{Value: prefix + other.StorageKey("token")}
			if _, err := f.plain.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table.Name, Item: item}); err != nil {
				t.Fatal(err)
			}
			if data, found, err := other.Find("token"); found || !errors.Is(err, storage.ErrCorrupt) {
				t.Errorf("the session of another application: %q, found %v, %v; want ErrCorrupt", data, found, err)
			}
		})
	}
}
