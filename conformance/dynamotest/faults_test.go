package dynamotest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

// newFaults returns a table, the faults of its client, and what the client does.
func newFaults(t *testing.T) (*dynamotest.Faults, table, *dynamotest.Recorder) {
	t.Helper()
	faults, recorder := new(dynamotest.Faults), new(dynamotest.Recorder)
	return faults, newTable(t, dynamotest.Client(t, faults.Install, recorder.Install)), recorder
}

// once makes a client give up after one attempt.
func once(o *dynamodb.Options) { o.RetryMaxAttempts = 1 }

func TestFaults(t *testing.T) {
	t.Parallel()
	isReset := func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }
	cases := []struct {
		name     string
		script   func(*dynamotest.Faults)
		attempts int
		want     func(error) bool // nil: the put succeeds
		stored   bool
	}{
		{"none", func(*dynamotest.Faults) {}, 1, nil, true},
		{
			"a lost response makes the retry meet its own write", func(f *dynamotest.Faults) { f.LoseResponse("PutItem", 1) },
			2, is[*types.ConditionalCheckFailedException], true,
		},
		{"all responses lost", func(f *dynamotest.Faults) { f.LoseResponse("PutItem", 3) }, 3, isReset, true},
		{
			"timed out once", func(f *dynamotest.Faults) { f.TimeOut("PutItem", 1) }, 2,
			is[*types.ConditionalCheckFailedException], true,
		},
		{
			"always timed out", func(f *dynamotest.Faults) { f.TimeOut("PutItem", 3) },
			3, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }, true,
		},
		{"dropped once", func(f *dynamotest.Faults) { f.DropRequest("PutItem", 1) }, 2, nil, true},
		{"always dropped", func(f *dynamotest.Faults) { f.DropRequest("PutItem", 3) }, 3, isReset, false},
		{"throttled twice", func(f *dynamotest.Faults) { f.Throttle("PutItem", 2) }, 3, nil, true},
		{
			"always throttled", func(f *dynamotest.Faults) { f.Throttle("PutItem", 3) },
			3, is[*types.ProvisionedThroughputExceededException], false,
		},
		{"an internal error once", func(f *dynamotest.Faults) { f.Fail500("PutItem", 1) }, 2, nil, true},
		{
			"always an internal error", func(f *dynamotest.Faults) { f.Fail500("PutItem", 3) },
			3, is[*types.InternalServerError], false,
		},
		{
			"an internal error after the write", func(f *dynamotest.Faults) { f.Fail500AfterApplying("PutItem", 1) },
			2, is[*types.ConditionalCheckFailedException], true,
		},
		{
			"another error", func(f *dynamotest.Faults) { f.Fail("PutItem", 1, 400, "AccessDeniedException") },
			1, func(err error) bool { return code(err) == "AccessDeniedException" }, false,
		},
		{
			"several, in order", func(f *dynamotest.Faults) { f.Throttle("PutItem", 1); f.Fail("PutItem", 1, 400, "Last") },
			2, func(err error) bool { return code(err) == "Last" }, false,
		},
		{
			"unreachable", func(f *dynamotest.Faults) { f.Down() },
			3, func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }, false,
		},
		{"reachable again", func(f *dynamotest.Faults) { f.Down(); f.Up() }, 1, nil, true},
		{"for other operations", func(f *dynamotest.Faults) { f.Throttle("GetItem", 1); f.Hold("UpdateItem") }, 1, nil, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			faults, tab, recorder := newFaults(t)
			c.script(faults)
			err := tab.put(t.Context(), "a")
			if c.want == nil && err != nil || c.want != nil && !c.want(err) {
				t.Errorf("unexpected outcome: %v", err)
			}
			if got := recorder.Attempts("PutItem"); got != c.attempts {
				t.Errorf("%d attempts, want %d", got, c.attempts)
			}
			tab.wantItem(t, "a", c.stored)
		})
	}
}

func is[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

func code(err error) string {
	var service smithy.APIError
	if errors.As(err, &service) {
		return service.ErrorCode()
	}
	return ""
}

func TestCancelEmptiesTheScript(t *testing.T) {
	t.Parallel()
	faults := new(dynamotest.Faults)
	client := dynamotest.Client(t, faults.Install)
	release := faults.Hold("DescribeTable")
	faults.Throttle("ListTables", 100)
	faults.Cancel()
	if unused := faults.Unused(); len(unused) > 0 {
		t.Errorf("left after Cancel: %v", unused)
	}
	if _, err := client.ListTables(t.Context(), &dynamodb.ListTablesInput{}); err != nil {
		t.Errorf("a cancelled fault struck: %v", err)
	}
	// Holds are ended by their release.
	ctx, cancel := context.WithCancel(t.Context())
	described := make(chan error, 1)
	go func() {
		_, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String("no-such-table")})
		described <- err
	}()
	if err := faults.AwaitHeld(t.Context(), "DescribeTable", 1); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-described; !errors.Is(err, context.Canceled) {
		t.Errorf("a held attempt whose caller went away: %v", err)
	}
	release()
}

func TestPassComesBeforeWhatFollows(t *testing.T) {
	t.Parallel()
	faults := new(dynamotest.Faults)
	client := dynamotest.Client(t, faults.Install)
	faults.Pass("ListTables", 2)
	faults.Throttle("ListTables", 3)
	for call := range 3 {
		_, err := client.ListTables(t.Context(), &dynamodb.ListTablesInput{})
		if failed := err != nil; failed != (call == 2) {
			t.Errorf("call %d: %v; two were to pass, and the third to fail", call, err)
		}
	}
}

func TestUnusedNamesWhatDidNotHappen(t *testing.T) {
	t.Parallel()
	faults, tab, _ := newFaults(t)
	faults.Throttle("PutItem", 2)
	faults.LoseResponse("GetItem", 1)
	defer faults.Hold("Query")()
	if got, want := faults.Unused(), []string{"GetItem: LoseResponse", "PutItem: Fail"}; !slices.Equal(got, want) {
		t.Errorf("unused: %v, want %v", got, want)
	}
	if err := tab.put(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got, want := faults.Unused(), []string{"GetItem: LoseResponse"}; !slices.Equal(got, want) {
		t.Errorf("unused: %v, want %v", got, want)
	}
}

// TestErrorsAreLikeTheRealThing compares errors that were made up with those of a real engine and of a real network,
// type by type.
func TestErrorsAreLikeTheRealThing(t *testing.T) {
	t.Parallel()
	faults, tab, _ := newFaults(t)
	var closed string
	{
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		closed = "http://" + listener.Addr().String()
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
	}
	absent := func(ctx context.Context, client *dynamodb.Client) error {
		_, err := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("absent"), Key: item("a")}, once)
		return err
	}
	plain := dynamotest.Client(t)
	cases := []struct {
		name         string
		real, madeUp func() error
	}{
		{
			"error of the service",
			func() error { return absent(t.Context(), plain) },
			func() error {
				faults.Fail("GetItem", 1, 400, "ResourceNotFoundException")
				return absent(t.Context(), tab.Client)
			},
		},
		{
			"refused connection",
			func() error {
				return absent(t.Context(), dynamotest.Client(t, func(o *dynamodb.Options) { o.BaseEndpoint = &closed }))
			},
			func() error {
				faults.Down()
				defer faults.Up()
				return absent(t.Context(), tab.Client)
			},
		},
		{
			"timeout",
			func() error {
				return absent(t.Context(), silent(t, func() {}, func(o *dynamodb.Options) {
					o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(50 * time.Millisecond)
				}))
			},
			func() error {
				faults.TimeOut("GetItem", 1)
				return absent(t.Context(), tab.Client)
			},
		},
		{
			"ended context",
			func() error {
				ctx, cancel := context.WithCancel(t.Context())
				return absent(ctx, silent(t, cancel))
			},
			func() error {
				defer faults.Hold("GetItem")()
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					defer cancel()
					if err := faults.AwaitHeld(t.Context(), "GetItem", 1); err != nil {
						t.Error(err)
					}
				}()
				return absent(ctx, tab.Client)
			},
		},
	}
	for _, c := range cases {
		real, madeUp := c.real(), c.madeUp()
		if real == nil || madeUp == nil {
			t.Fatalf("%s: no error: %v, %v", c.name, real, madeUp)
		}
		if got, want := chain(madeUp), chain(real); !slices.Equal(got, want) {
			t.Errorf("%s:\nmade up %v\nreal    %v", c.name, got, want)
		}
	}
}

// chain lists the types of an error and of all that it wraps, with the HTTP status of those that have one.
func chain(err error) []string {
	var types []string
	for ; err != nil; err = errors.Unwrap(err) {
		name := fmt.Sprintf("%T", err)
		if name == "*http.timeoutError" {
			// Under the SDK's transport, the HTTP client's timeout and its context's deadline race for the error.
			name = fmt.Sprintf("%T", context.DeadlineExceeded)
		}
		if response, ok := err.(*awshttp.ResponseError); ok { //nolint:errorlint // Each link is looked at by itself.
			name = fmt.Sprint(name, response.HTTPStatusCode(), response.ServiceRequestID() != "")
		}
		types = append(types, name)
	}
	return types
}

func TestCancelTransaction(t *testing.T) {
	t.Parallel()
	faults, tab, _ := newFaults(t)
	faults.CancelTransaction(1, "None", "TransactionConflict")
	put := func(id string) types.TransactWriteItem {
		return types.TransactWriteItem{Put: &types.Put{TableName: &tab.name, Item: item(id)}}
	}
	_, err := tab.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{put("a"), put("b")},
	}, once)
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		t.Fatalf("not cancelled: %v", err)
	}
	var codes []string
	for _, reason := range cancelled.CancellationReasons {
		codes = append(codes, aws.ToString(reason.Code))
	}
	if want := []string{"None", "TransactionConflict"}; !slices.Equal(codes, want) {
		t.Errorf("reasons %v, want %v", codes, want)
	}
	tab.wantItem(t, "a", false)
}

func TestFaultsStrikeExactlyAsOftenAsScripted(t *testing.T) {
	t.Parallel()
	faults, tab, _ := newFaults(t)
	const calls, struck = 40, 15
	faults.DropRequest("GetItem", struck)
	failed := make(chan struct{}, calls)
	var all sync.WaitGroup
	for range calls {
		all.Go(func() {
			_, err := tab.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &tab.name, Key: item("a")}, once)
			if err != nil {
				failed <- struct{}{}
			}
		})
	}
	all.Wait()
	if got := len(failed); got != struck {
		t.Errorf("%d calls failed, want %d", got, struck)
	}
}

func TestFaultsSurviveOtherOptions(t *testing.T) {
	t.Parallel()
	faults := new(dynamotest.Faults)
	// An option that comes later and replaces the HTTP client must not take the faults away.
	client := dynamotest.Client(t, faults.Install, once,
		func(o *dynamodb.Options) { o.HTTPClient = awshttp.NewBuildableClient() })
	tab := newTable(t, client)
	faults.Throttle("PutItem", 1)
	if err := tab.put(t.Context(), "a"); !is[*types.ProvisionedThroughputExceededException](err) {
		t.Errorf("not throttled: %v", err)
	}
}

func TestMistakesInScriptsPanic(t *testing.T) {
	t.Parallel()
	mistakes := map[string]func(*dynamotest.Faults){
		"no operation":                  func(f *dynamotest.Faults) { f.Throttle("", 1) },
		"no operation of the API":       func(f *dynamotest.Faults) { f.Hold("DynamoDB_20120810.PutItem") },
		"unprocessed items of no batch": func(f *dynamotest.Faults) { f.Unprocessed("PutItem", 1, 1) },
		"nothing to deliver":            func(f *dynamotest.Faults) { _ = f.Postpone("PutItem")(t.Context()) },
	}
	for name, mistake := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			mistake(new(dynamotest.Faults))
		})
	}
}
