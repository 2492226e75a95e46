package dynamotest_test

import (
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func TestRecorder(t *testing.T) {
	t.Parallel()
	faults, tab, recorder := newFaults(t)
	faults.Throttle("PutItem", 1)
	if err := tab.put(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := tab.put(t.Context(), "a"); !is[*types.ConditionalCheckFailedException](err) {
		t.Fatalf("a second put: %v", err)
	}
	input := &dynamodb.GetItemInput{TableName: &tab.name, Key: item("a"), ConsistentRead: aws.Bool(true)}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, err := tab.GetItem(t.Context(), input); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if input.ReturnConsumedCapacity != "" {
		t.Error("the caller's input was changed")
	}
	input.ConsistentRead = nil
	if _, err := tab.GetItem(t.Context(), input); err != nil {
		t.Fatal(err)
	}
	if _, err := tab.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{
		RequestItems: map[string][]types.WriteRequest{tab.name: writes("b", "c")},
	}); err != nil {
		t.Fatal(err)
	}

	if got, want := recorder.Calls(), map[string]int{
		"PutItem": 2, "GetItem": 11,
		"BatchWriteItem": 1,
	}; !maps.Equal(got, want) {
		t.Errorf("calls %v, want %v", got, want)
	}
	if got, want := recorder.Operations(), []string{"BatchWriteItem", "GetItem", "PutItem"}; !slices.Equal(got, want) {
		t.Errorf("operations %v, want %v", got, want)
	}
	if got := recorder.Attempts("PutItem"); got != 3 {
		t.Errorf("%d attempts to put, want 3", got)
	}
	// Small items: a write is 1 unit, a consistent read 1, an eventually consistent one half. Failed calls report
	// nothing.
	for operation, want := range map[string]float64{"PutItem": 1, "GetItem": 10.5, "BatchWriteItem": 2, "Scan": 0} {
		if got := recorder.Units(operation); got != want {
			t.Errorf("%s consumed %v units, want %v", operation, got, want)
		}
	}

	recorder.Reset()
	if calls, attempts, units := recorder.Calls(), recorder.Attempts("PutItem"),
		recorder.Units("PutItem"); len(calls) != 0 || attempts != 0 || units != 0 {
		t.Errorf("after Reset: %v, %d, %v", calls, attempts, units)
	}
}
