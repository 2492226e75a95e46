package dynamotest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Faults makes a client meet what happens on networks and busy tables. Install it into the client:
//
//	faults := new(dynamotest.Faults)
//	client := dynamotest.Client(t, faults.Install)
//	faults.LoseResponse("PutItem", 1)
//
// Faults strike attempts, under the SDK's retryer: a call that is retried goes on to the next fault, or to the engine
// when there is none left. Operations are named as in the API, "PutItem". Faults for one operation strike in the order
// in which they were scripted. Without faults, as with the zero value, every attempt passes.
//
// The errors are those that the SDK makes of the real thing: responses are made up on the wire and read by the SDK,
// connections fail with the errors of package net.
//
// It is safe for concurrent use, and may be installed into several clients, which then share the script.
type Faults struct {
	mu     sync.Mutex
	down   bool
	script script
	// changed is closed whenever an attempt is held, for those who wait for that.
	changed chan struct{}
}

// script has the faults of each operation.
type script map[string][]*fault

// fault is one line of the script.
type fault struct {
	// left is how many attempts it still strikes; negative means until it is removed.
	left int
	name string
	// strike stands in for the attempt.
	strike strikeFunc
	// withhold is how many items of a batch are left unprocessed. It is set instead of strike.
	withhold int
	// held counts the attempts that are waiting in strike.
	held int
}

// Install is an option for [Client] and for the SDK's own constructors.
func (f *Faults) Install(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		if err := stack.Initialize.Add(&batchFaults{f}, middleware.After); err != nil {
			return err
		}
		// The last of the Deserialize step: each attempt passes here, nothing but the connection comes after, and all
		// that turns responses into values and errors comes before.
		return stack.Deserialize.Add(&wireFaults{f}, middleware.After)
	})
}

// Pass lets the next n attempts of the operation pass, before the faults that are scripted after it.
func (f *Faults) Pass(operation string, n int) {
	f.add(operation, n, "Pass", func(ctx context.Context, a *attempt) (*smithyhttp.Response, error) { return a.send(ctx) })
}

// LoseResponse lets the next n attempts of the operation reach the engine, which does what they ask, and resets the
// connection before the answer arrives.
func (f *Faults) LoseResponse(operation string, n int) {
	f.add(operation, n, "LoseResponse", func(ctx context.Context, a *attempt) (*smithyhttp.Response, error) {
		response, err := a.send(ctx)
		if err != nil {
			return response, err
		}
		discard(response)
		return nil, a.connectionReset()
	})
}

// TimeOut lets the next n attempts of the operation reach the engine, which does what they ask, and ends them with the
// error of an HTTP client whose timeout is over. It matches context.DeadlineExceeded although no context has ended.
func (f *Faults) TimeOut(operation string, n int) {
	f.add(operation, n, "TimeOut", func(ctx context.Context, a *attempt) (*smithyhttp.Response, error) {
		response, err := a.send(ctx)
		if err != nil {
			return response, err
		}
		discard(response)
		return nil, a.timeout(ctx)
	})
}

// DropRequest resets the connection of the next n attempts of the operation before they reach the engine.
func (f *Faults) DropRequest(operation string, n int) {
	f.add(operation, n, "DropRequest", func(_ context.Context, a *attempt) (*smithyhttp.Response, error) {
		if _, err := io.Copy(io.Discard, a.request.GetStream()); err != nil { // as what sends it would
			return nil, err
		}
		return nil, a.connectionReset()
	})
}

// Throttle answers the next n attempts of the operation with ProvisionedThroughputExceededException. They do not reach
// the engine.
func (f *Faults) Throttle(operation string, n int) {
	f.Fail(operation, n, 400, "ProvisionedThroughputExceededException")
}

// Fail500 answers the next n attempts of the operation with InternalServerError. They do not reach the engine.
func (f *Faults) Fail500(operation string, n int) {
	f.Fail(operation, n, 500, "InternalServerError")
}

// Fail500AfterApplying lets the next n attempts of the operation reach the engine, which does what they ask, and
// answers with InternalServerError all the same. AWS documents that a write may have been applied then.
func (f *Faults) Fail500AfterApplying(operation string, n int) {
	f.add(operation, n, "Fail500AfterApplying", func(ctx context.Context, a *attempt) (*smithyhttp.Response, error) {
		response, err := a.send(ctx)
		if err != nil {
			return response, err
		}
		discard(response)
		return errorResponse(500, "InternalServerError"), nil
	})
}

// Fail answers the next n attempts of the operation with an error of the service, such as 400 and
// "ThrottlingException". They do not reach the engine.
func (f *Faults) Fail(operation string, n, status int, code string) {
	f.add(operation, n, "Fail", func(context.Context, *attempt) (*smithyhttp.Response, error) {
		return errorResponse(status, code), nil
	})
}

// CancelTransaction answers the next n attempts of TransactWriteItems with TransactionCanceledException, with one
// reason for each of the transaction's items, such as "None" and "TransactionConflict". They do not reach the engine.
func (f *Faults) CancelTransaction(n int, reasons ...string) {
	f.add("TransactWriteItems", n, "CancelTransaction", func(context.Context, *attempt) (*smithyhttp.Response, error) {
		return errorResponse(400, "TransactionCanceledException", reasons...), nil
	})
}

// Down makes the whole engine unreachable: connections are refused, for all operations, until Up. The script stays as
// it is meanwhile.
func (f *Faults) Down() { f.setDown(true) }

// Up ends Down.
func (f *Faults) Up() { f.setDown(false) }

func (f *Faults) setDown(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

// Unused names the faults that have not struck as often as they were meant to, as "PutItem: LoseResponse". A test that
// scripts faults shows with it that they all happened. Holds are not among them.
func (f *Faults) Unused() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var unused []string
	for _, operation := range slices.Sorted(maps.Keys(f.script)) {
		for _, fault := range f.script[operation] {
			if fault.left > 0 {
				unused = append(unused, operation+": "+fault.name)
			}
		}
	}
	return unused
}

// Cancel takes the faults that [Faults.Unused] names out of the script.
func (f *Faults) Cancel() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for operation, script := range f.script {
		f.script[operation] = slices.DeleteFunc(script, func(fault *fault) bool { return fault.left > 0 })
	}
}

// strikeFunc does what happens instead of the attempt, or with it, and returns what the SDK gets to see.
type strikeFunc func(context.Context, *attempt) (*smithyhttp.Response, error)

func (f *Faults) add(operation string, n int, name string, strike strikeFunc) {
	f.append(operation, &fault{left: n, name: name, strike: strike})
}

func (f *Faults) append(operation string, fault *fault) {
	if operation == "" || strings.Contains(operation, ".") {
		panic(fmt.Sprintf("dynamotest: %s on %q: operations are named as in the API, such as PutItem", fault.name, operation))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.script == nil {
		f.script = script{}
	}
	f.script[operation] = append(f.script[operation], fault)
}

// next takes the fault for one attempt, or for one call of a batch, from the script. The other kind waits for its turn.
func (f *Faults) next(operation string, batch bool) (strikes *fault, down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, true
	}
	for i, fault := range f.script[operation] {
		if fault.left == 0 || (fault.strike == nil) != batch {
			continue
		}
		if fault.left > 0 {
			fault.left--
		}
		if fault.left == 0 {
			f.script[operation] = slices.Delete(f.script[operation], i, i+1)
		}
		return fault, false
	}
	return nil, false
}

// remove takes a fault out of the script before its time.
func (f *Faults) remove(operation string, gone *fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script[operation] = slices.DeleteFunc(f.script[operation], func(other *fault) bool { return other == gone })
}
