package dynamotest_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func writes(ids ...string) []types.WriteRequest {
	var all []types.WriteRequest
	for _, id := range ids {
		all = append(all, types.WriteRequest{PutRequest: &types.PutRequest{Item: item(id)}})
	}
	return all
}

func keys(ids ...string) types.KeysAndAttributes {
	var all types.KeysAndAttributes
	for _, id := range ids {
		all.Keys = append(all.Keys, item(id))
	}
	return all
}

func TestUnprocessedWrites(t *testing.T) {
	t.Parallel()
	faults, first, recorder := newFaults(t)
	second := newTable(t, first.Client)
	if first.name > second.name {
		first, second = second, first // The items of the last table are left first.
	}
	input := &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{
		first.name: writes("a", "b"), second.name: writes("c", "d"),
	}}
	faults.Unprocessed("BatchWriteItem", 1, 3)
	faults.Unprocessed("BatchWriteItem", 1, 100)
	for _, want := range []struct {
		inFirst, inSecond int
		stored            bool
	}{{1, 2, true}, {2, 2, false}, {0, 0, true}} {
		if err := first.remove(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		output, err := first.BatchWriteItem(t.Context(), input)
		if err != nil {
			t.Fatal(err)
		}
		left := output.UnprocessedItems
		if len(left[first.name]) != want.inFirst || len(left[second.name]) != want.inSecond {
			t.Errorf("left of the tables: %d and %d, want %d and %d",
				len(left[first.name]), len(left[second.name]), want.inFirst, want.inSecond)
		}
		first.wantItem(t, "a", want.stored)
	}
	if got := recorder.Attempts("BatchWriteItem"); got != 2 {
		t.Errorf("%d requests were sent, want 2: one of the three had nothing to send", got)
	}
	if len(input.RequestItems[first.name]) != 2 || len(input.RequestItems[second.name]) != 2 {
		t.Error("the caller's input was changed")
	}
}

func TestUnprocessedReads(t *testing.T) {
	t.Parallel()
	faults, tab, _ := newFaults(t)
	for _, id := range []string{"a", "b", "c"} {
		if err := tab.put(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	faults.Unprocessed("BatchGetItem", 1, 2)
	faults.Unprocessed("BatchGetItem", 1, 3)
	for _, want := range []struct{ found, left int }{{1, 2}, {0, 3}, {3, 0}} {
		output, err := tab.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{tab.name: keys("a", "b", "c")},
		})
		if err != nil {
			t.Fatal(err)
		}
		found, left := len(output.Responses[tab.name]), len(output.UnprocessedKeys[tab.name].Keys)
		if found != want.found || left != want.left {
			t.Errorf("found %d and left %d, want %d and %d", found, left, want.found, want.left)
		}
	}
}

func TestUnprocessedAndOtherFaultsDoNotMeet(t *testing.T) {
	t.Parallel()
	faults, tab, recorder := newFaults(t)
	faults.Throttle("BatchWriteItem", 1)
	faults.Unprocessed("BatchWriteItem", 1, 2)
	input := &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{tab.name: writes("a", "b", "c")}}
	faults.Down()
	if _, err := tab.BatchWriteItem(t.Context(), input, once); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the engine is down, and the error is %v", err)
	}
	faults.Up()
	recorder.Reset()
	output, err := tab.BatchWriteItem(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	if left, attempts := len(output.UnprocessedItems[tab.name]), recorder.Attempts("BatchWriteItem"); left != 2 ||
		attempts != 2 {
		t.Errorf("%d items left after %d attempts, want 2 after 2", left, attempts)
	}
	if unused := faults.Unused(); len(unused) > 0 {
		t.Errorf("unused: %v", unused)
	}
}
