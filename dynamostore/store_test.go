package dynamostore_test

import (
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance"
	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

func TestStoreConformance(t *testing.T) {
	t.Parallel()
	damage := map[string]types.AttributeValue{
		"data":    &types.AttributeValueMemberS{Value: "not binary"},
		"expiry":  &types.AttributeValueMemberS{Value: "tomorrow"},
		"version": nil,
	}
	names := []string{"data", "expiry", "version"}
	storetest.Run(t, storetest.Capabilities{Corruptions: len(names), Foreign: true}, func(t *testing.T) storetest.Backend {
		t.Helper()
		f := newFixture(t, dynamostore.Table{PartitionKey: dynamostore.Key{Prefix: "s#"}})
		backend := storetest.Backend{Driver: f.driver, Inject: f.inject, Foreign: f.writeForeign}
		for _, name := range names {
			backend.Corrupt = append(backend.Corrupt, func(t *testing.T, key string) {
				t.Helper()
				f.setAttribute(t, key, name, damage[name])
			})
		}
		var err error
		if backend.Peer, err = dynamostore.NewDriver(appClient(t), f.table); err != nil {
			t.Fatal(err)
		}
		return backend
	},
		// What is left of 400 KB by the other attributes, and by what a secret adds.
		conformance.WithMaxData(400*1024-512),
		conformance.WithNamespaces(func(t *testing.T, first, second string) (scs.Store, scs.Store) {
			t.Helper()
			client := appClient(t)
			shared := createWithoutTTL(t, dynamotest.Client(t), dynamostore.Table{})
			open := func(prefix string) scs.Store {
				table := shared
				table.PartitionKey.Prefix = prefix
				store, err := dynamostore.New(client, table)
				if err != nil {
					t.Fatal(err)
				}
				return store
			}
			return open(first), open(second)
		}),
	)
}

// writeForeign stores items beside the sessions, one of them what a session would be under another prefix.
func (f *fixture) writeForeign(t *testing.T) (keys []string) {
	t.Helper()
	other := f.table
	other.PartitionKey.Prefix = "other#"
	for _, item := range []map[string]types.AttributeValue{
		dynamostore.Item(other, newRecord("session-of-another", "data")),
		{"session_id": &types.AttributeValueMemberS{Value: "config"}, "value": &types.AttributeValueMemberN{Value: "1"}},
	} {
		if _, err := f.plain.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table.Name, Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"session-of-another", "other#session-of-another", "config"}
}

// setAttribute overwrites an attribute of an item, or removes it where value is nil.
func (f *fixture) setAttribute(t testing.TB, key, name string, value types.AttributeValue) {
	t.Helper()
	input := &dynamodb.UpdateItemInput{
		TableName: &f.table.Name,
		Key: map[string]types.AttributeValue{
			"session_id": &types.AttributeValueMemberS{Value: f.table.PartitionKey.Prefix + key},
		},
		UpdateExpression:         aws.String("REMOVE #name"),
		ExpressionAttributeNames: map[string]string{"#name": name},
	}
	if value != nil {
		input.UpdateExpression = aws.String("SET #name = :value")
		input.ExpressionAttributeValues = map[string]types.AttributeValue{":value": value}
	}
	if _, err := f.plain.UpdateItem(t.Context(), input); err != nil {
		t.Fatal(err)
	}
}

// inject makes the client's way to the table fail.
func (f *fixture) inject(t *testing.T, fault conformance.Fault) (repair func()) {
	t.Helper()
	operations := []string{"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Scan"}
	all := func(script func(operation string)) func() {
		for _, operation := range operations {
			script(operation)
		}
		return f.faults.Cancel
	}
	switch fault {
	case conformance.FaultDown:
		f.faults.Down()
		return f.faults.Up
	case conformance.FaultHang:
		var releases []func()
		all(func(operation string) { releases = append(releases, f.faults.Hold(operation)) })
		return func() {
			for _, release := range releases {
				release()
			}
		}
	case conformance.FaultThrottle:
		return all(func(operation string) { f.faults.Throttle(operation, 1) })
	case conformance.FaultLostResponse:
		return all(func(operation string) {
			if operation != "GetItem" && operation != "Scan" {
				f.faults.LoseResponse(operation, 1)
			}
		})
	case conformance.FaultScan:
		f.faults.Pass("Scan", 1) // the sessions of the suite are a page, and then some
		f.faults.Throttle("Scan", 1000)
		return f.faults.Cancel
	default:
		return nil
	}
}
