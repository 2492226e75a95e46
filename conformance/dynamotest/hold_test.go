package dynamotest_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

// silent returns a client of a server that never answers, and calls accepted when somebody connects.
func silent(t *testing.T, accepted func(), optFns ...func(*dynamodb.Options)) *dynamodb.Client {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		defer accepted()
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = connection.Close() })
	}()
	return dynamotest.Client(t, append(optFns, func(o *dynamodb.Options) {
		o.BaseEndpoint = aws.String("http://" + listener.Addr().String())
	})...)
}

func TestHold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		hold   func(*dynamotest.Faults) func()
		before bool // whether the item is there while the attempt is held
	}{
		{"before the engine", func(f *dynamotest.Faults) func() { return f.Hold("PutItem") }, false},
		{"before the answer", func(f *dynamotest.Faults) func() { return f.HoldResponse("PutItem") }, true},
	} {
		t.Run(c.name+", until released", func(t *testing.T) {
			t.Parallel()
			faults, tab, _ := newFaults(t)
			release := c.hold(faults)
			faults.Fail("PutItem", 1, 400, "Next")
			done := make(chan error, 2)
			for _, id := range []string{"a", "b"} {
				go func() { done <- tab.put(t.Context(), id) }()
			}
			if err := faults.AwaitHeld(t.Context(), "PutItem", 2); err != nil {
				t.Fatal(err)
			}
			tab.wantItem(t, "a", c.before)
			select {
			case err := <-done:
				t.Fatalf("a put that is held returned: %v", err)
			default:
			}
			release()
			release()
			for range 2 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			tab.wantItem(t, "a", true)
			if err := tab.put(t.Context(), "c"); code(err) != "Next" {
				t.Errorf("after the release, the next fault of the script did not strike: %v", err)
			}
			if err := tab.put(t.Context(), "c"); err != nil {
				t.Errorf("after the whole script: %v", err)
			}
		})
		t.Run(c.name+", until the context ends", func(t *testing.T) {
			t.Parallel()
			faults, tab, recorder := newFaults(t)
			defer c.hold(faults)()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- tab.put(ctx, "a") }()
			if err := faults.AwaitHeld(t.Context(), "PutItem", 1); err != nil {
				t.Fatal(err)
			}
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("the error does not match the context's: %v", err)
			}
			if got := recorder.Attempts("PutItem"); got != 1 {
				t.Errorf("%d attempts after the context ended", got)
			}
			tab.wantItem(t, "a", c.before)
		})
	}
}

func TestAwaitHeldEndsWithItsContext(t *testing.T) {
	t.Parallel()
	faults := new(dynamotest.Faults)
	defer faults.Hold("PutItem")()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := faults.AwaitHeld(ctx, "PutItem", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("nothing is held, and the error is %v", err)
	}
}

func TestPostponedRequestArrivesLate(t *testing.T) {
	t.Parallel()
	faults, tab, _ := newFaults(t)
	deliver := faults.Postpone("PutItem")
	// The sender's context is over when the request arrives.
	ctx, cancel := context.WithCancel(t.Context())
	_, err := tab.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &tab.name, Item: item("a"), ConditionExpression: aws.String("attribute_not_exists(id)"),
	}, once)
	cancel()
	if err == nil {
		t.Fatal("a postponed put succeeded")
	}
	tab.wantItem(t, "a", false)
	if err := deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	tab.wantItem(t, "a", true)

	if err := tab.remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	deliver = faults.Postpone("PutItem")
	if err := tab.put(t.Context(), "a"); err != nil { // With the SDK's retry.
		t.Fatal(err)
	}
	if err := deliver(t.Context()); code(err) != (&types.ConditionalCheckFailedException{}).ErrorCode() {
		t.Errorf("the late put did not fail on its condition: %v", err)
	}
}
