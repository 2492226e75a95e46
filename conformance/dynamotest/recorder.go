package dynamotest

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
)

// Recorder counts what a client asks of DynamoDB, and what that costs. Install it into the client:
//
//	recorder := new(dynamotest.Recorder)
//	client := dynamotest.Client(t, recorder.Install)
//
// It asks for the consumed capacity with every call that can, whether the caller did or not. It is safe for concurrent
// use, and may be installed into several clients, which it then counts together.
type Recorder struct {
	mu       sync.Mutex
	calls    map[string]int
	attempts map[string]int
	units    map[string]float64
}

// Install is an option for [Client] and for the SDK's own constructors.
func (r *Recorder) Install(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		if err := stack.Initialize.Add(&callRecorder{r}, middleware.After); err != nil {
			return err
		}
		return stack.Deserialize.Add(&attemptRecorder{r}, middleware.Before)
	})
}

// Reset forgets everything.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls, r.attempts, r.units = nil, nil, nil
}

// Calls returns how often each operation was called, by its name in the API, such as "PutItem". Calls that failed
// count; those that the SDK refused because their input is not valid count as well.
func (r *Recorder) Calls() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.calls)
}

// Operations returns the names of the operations that were called, sorted.
func (r *Recorder) Operations() []string { return slices.Sorted(maps.Keys(r.Calls())) }

// Attempts returns how many attempts the SDK made for the calls of an operation, also those that a fault kept from the
// engine.
func (r *Recorder) Attempts(operation string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.attempts[operation]
}

// Units returns the capacity units that the calls of an operation consumed, as DynamoDB reported them: read units for
// reads, write units for writes. It does not report those of calls that failed, although it bills them.
func (r *Recorder) Units(operation string) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.units[operation]
}

// add adds to the sum of an operation.
func add[N int | float64](sums *map[string]N, operation string, n N) {
	if *sums == nil {
		*sums = map[string]N{}
	}
	(*sums)[operation] += n
}

// callRecorder sees each call once, with its input and output as Go values.
type callRecorder struct{ *Recorder }

// ID implements middleware.InitializeMiddleware.
func (*callRecorder) ID() string { return "DynamotestCalls" }

// HandleInitialize implements middleware.InitializeMiddleware.
func (r *callRecorder) HandleInitialize(
	ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
) (middleware.InitializeOutput, middleware.Metadata, error) {
	operation := middleware.GetOperationName(ctx)
	in.Parameters = askForCapacity(in.Parameters)
	out, metadata, err := next.HandleInitialize(ctx, in)
	r.mu.Lock()
	defer r.mu.Unlock()
	add(&r.calls, operation, 1)
	if err == nil {
		add(&r.units, operation, consumed(out.Result))
	}
	return out, metadata, err
}

// attemptRecorder sees each attempt, before faults strike it.
type attemptRecorder struct{ *Recorder }

// ID implements middleware.DeserializeMiddleware.
func (*attemptRecorder) ID() string { return "DynamotestAttempts" }

// HandleDeserialize implements middleware.DeserializeMiddleware.
func (r *attemptRecorder) HandleDeserialize(
	ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
) (middleware.DeserializeOutput, middleware.Metadata, error) {
	r.mu.Lock()
	add(&r.attempts, middleware.GetOperationName(ctx), 1)
	r.mu.Unlock()
	return next.HandleDeserialize(ctx, in)
}

// askForCapacity returns a copy of the operation's input that asks for the consumed capacity. Reflection, because more
// than a dozen types of input share nothing but the name of this field.
func askForCapacity(input any) any {
	value := reflect.ValueOf(input)
	if value.Kind() != reflect.Pointer || value.IsNil() || value.Elem().Kind() != reflect.Struct {
		return input
	}
	asked := reflect.New(value.Elem().Type())
	asked.Elem().Set(value.Elem())
	field := asked.Elem().FieldByName("ReturnConsumedCapacity")
	if !field.IsValid() {
		return input
	}
	if field.String() == "" || field.String() == string(types.ReturnConsumedCapacityNone) {
		field.SetString(string(types.ReturnConsumedCapacityTotal))
	}
	return asked.Interface()
}

// consumed adds up the capacity that an operation's output reports.
func consumed(output any) float64 {
	value := reflect.Indirect(reflect.ValueOf(output))
	if value.Kind() != reflect.Struct {
		return 0
	}
	field := value.FieldByName("ConsumedCapacity")
	if !field.IsValid() {
		return 0
	}
	var all []types.ConsumedCapacity
	switch capacity := field.Interface().(type) {
	case *types.ConsumedCapacity:
		if capacity != nil {
			all = append(all, *capacity)
		}
	case []types.ConsumedCapacity:
		all = capacity
	}
	units := 0.0
	for _, capacity := range all {
		if capacity.CapacityUnits != nil {
			units += *capacity.CapacityUnits
		}
	}
	return units
}
