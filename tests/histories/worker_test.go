package histories_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// setup is what a process is told when it starts.
type setup struct {
	Process  int
	Endpoint string
	Table    string
	Store    string // a name in stores
}

// task asks a process for its part of one history.
type task struct {
	Seed uint64
	// Sessions are those that all processes share.
	Sessions []string
}

// part is what a process answers.
type part struct {
	Operations []operation
	Faults     int
	// Problem is what must not have happened.
	Problem string
}

const (
	processes  = 4
	requesters = 2 // in a process, at the same time
	perRequest = 8 // in one history: a find, a find and a commit, a delete
)

// stores are the stores whose histories are checked, and the broken ones that show that the check works.
var stores = map[string]func(*dynamostore.Driver) (*sessionstore.Store, error){
	"optimistic": strategy(lockstrategy.Optimistic),
	"merge":      strategy(func() lockstrategy.Strategy { return lockstrategy.Merge(nil) }),
	"lease": strategy(func() lockstrategy.Strategy {
		return lockstrategy.Lease(lockstrategy.LeaseOptions{Duration: 500 * time.Millisecond, MaxWait: time.Second})
	}),
	"none": strategy(lockstrategy.None),
	"unconditional": func(driver *dynamostore.Driver) (*sessionstore.Store, error) {
		return sessionstore.New(unconditional{driver}, sessionstore.WithStrategy(lockstrategy.Optimistic()))
	},
}

func strategy(of func() lockstrategy.Strategy) func(*dynamostore.Driver) (*sessionstore.Store, error) {
	return func(driver *dynamostore.Driver) (*sessionstore.Store, error) {
		return sessionstore.New(driver, sessionstore.WithStrategy(of()))
	}
}

// unconditional is a driver that does not ask.
type unconditional struct{ *dynamostore.Driver }

// Put implements storage.Driver, but for the condition.
func (d unconditional) Put(ctx context.Context, record storage.Record, _ storage.Condition) error {
	return d.Driver.Put(ctx, record, storage.Always())
}

// worker is one of the processes.
type worker struct {
	setup  setup
	store  *sessionstore.Store
	faults *dynamotest.Faults

	mu   sync.Mutex
	part part
	own  []string // sessions that this process has created in this history
}

// work is the main function of a process: it does what it is asked until nobody is there any more to ask.
func work(text string, in io.Reader, out io.Writer) error {
	w := &worker{faults: new(dynamotest.Faults)}
	if err := json.Unmarshal([]byte(text), &w.setup); err != nil {
		return err
	}
	client := dynamodb.New(dynamodb.Options{
		BaseEndpoint: &w.setup.Endpoint,
		Region:       cmp.Or(os.Getenv("AWS_REGION"), "us-east-1"),
		Credentials: credentials.NewStaticCredentialsProvider(cmp.Or(os.Getenv("AWS_ACCESS_KEY_ID"), "dynamotest"),
			cmp.Or(os.Getenv("AWS_SECRET_ACCESS_KEY"), "dynamotest"), os.Getenv("AWS_SESSION_TOKEN")),
	}, dynamostore.TuneClient, w.faults.Install, func(o *dynamodb.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff = attempts, 20*time.Millisecond
			o.RateLimiter = ratelimit.None // or so many faults would use up what it allows
		})
	})
	driver, err := dynamostore.NewDriver(client, dynamostore.Table{Name: w.setup.Table})
	if err != nil {
		return err
	}
	if w.store, err = stores[w.setup.Store](driver); err != nil {
		return err
	}
	tasks, answers := bufio.NewScanner(in), json.NewEncoder(out)
	for tasks.Scan() {
		var t task
		if err := json.Unmarshal(tasks.Bytes(), &t); err != nil {
			return err
		}
		w.do(t)
		if err := answers.Encode(w.part); err != nil {
			return err
		}
	}
	return tasks.Err()
}

// attempts is how often the SDK tries.
const attempts = 3

// do is one history's part.
func (w *worker) do(t task) {
	w.part, w.own = part{}, nil
	var all sync.WaitGroup
	for i := range requesters {
		client := w.setup.Process*requesters + i
		random := rand.New(rand.NewPCG(t.Seed, uint64(client)))
		all.Go(func() {
			r := &requester{worker: w, client: client, random: random, sessions: t.Sessions}
			for n := range perRequest {
				r.next(n)
			}
		})
	}
	all.Wait()
	w.faults.Cancel()
}

// requester does one request after the other.
type requester struct {
	*worker
	client   int
	random   *rand.Rand
	sessions []string
}

// next does one request.
func (r *requester) next(n int) {
	r.meetFault()
	session := r.pick()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	id := fmt.Sprintf("%d.%d", r.client, n)
	switch what := r.random.IntN(40); {
	case what < 10:
		r.find(sessionstore.ReadOnly(ctx), session, func(context.Context, map[string]any, bool) {})
	case what < 36:
		r.find(ctx, session, func(ctx context.Context, values map[string]any, found bool) {
			if found {
				r.commit(ctx, session, id, values)
			}
		})
	case what < 37:
		r.find(ctx, session, func(ctx context.Context, _ map[string]any, _ bool) { r.remove(ctx, session) })
	case what < 38:
		ctx, end := r.store.Begin(ctx)
		defer end()
		r.remove(ctx, session)
	default:
		r.create(ctx, fmt.Sprintf("%s of %s", id, r.sessions[0]), id)
	}
}

// pick draws a session. The first ones are shared by most.
func (r *requester) pick() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := append(append([]string{}, r.sessions...), r.own...)
	return all[min(r.random.IntN(len(all)), r.random.IntN(len(all)))]
}

// meetFault scripts a fault for the next attempt of this process, now and then for all attempts of a call.
func (r *requester) meetFault() {
	if r.random.IntN(3) > 0 {
		return
	}
	operation := []string{"PutItem", "PutItem", "UpdateItem", "DeleteItem", "GetItem"}[r.random.IntN(5)]
	n := 1
	if r.random.IntN(8) == 0 {
		n = attempts * requesters // so that it is all attempts of one call, although others are made meanwhile
	}
	[]func(string, int){
		r.faults.LoseResponse, r.faults.TimeOut, r.faults.DropRequest, r.faults.Fail500AfterApplying, r.faults.Throttle,
	}[r.random.IntN(5)](operation, n)
	r.mu.Lock()
	r.part.Faults++
	r.mu.Unlock()
}

// find begins a request, finds its session and goes on.
func (r *requester) find(ctx context.Context, session string, goOn func(context.Context, map[string]any, bool)) {
	ctx, end := r.store.Begin(ctx)
	defer end()
	op := r.begin(session, find)
	data, found, err := r.store.FindCtx(ctx, session)
	var values map[string]any
	if err == nil && found {
		_, values, err = scs.GobCodec{}.Decode(data)
		op.Seen = stateOf(values)
	}
	r.end(op, err)
	if err == nil {
		handle(ctx, time.Duration(r.random.IntN(4))*time.Millisecond)
		goOn(ctx, values, found)
	}
}

// handle takes the time that a handler takes.
func handle(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// commit adds the ID to the session.
func (r *requester) commit(ctx context.Context, session, id string, values map[string]any) {
	op := r.begin(session, commit)
	op.ID, op.Base = id, stateOf(values)
	values[id], values[lastKey] = true, id
	r.end(op, r.put(ctx, session, values))
}

// create makes a session that nobody else knows of until it is there.
func (r *requester) create(ctx context.Context, session, id string) {
	ctx, end := r.store.Begin(ctx)
	defer end()
	op := r.begin(session, create)
	op.ID = id
	if r.end(op, r.put(ctx, session, map[string]any{id: true, lastKey: id})) == done {
		r.mu.Lock()
		r.own = append(r.own, session)
		r.mu.Unlock()
	}
}

func (r *requester) put(ctx context.Context, session string, values map[string]any) error {
	expiry := time.Now().Add(time.Hour)
	data, err := scs.GobCodec{}.Encode(expiry.Add(time.Hour), values)
	if err != nil {
		return err
	}
	return r.store.CommitCtx(ctx, session, data, expiry)
}

func (r *requester) remove(ctx context.Context, session string) {
	op := r.begin(session, remove)
	r.end(op, r.store.DeleteCtx(ctx, session))
}

func (r *requester) begin(session string, kind kind) *operation {
	return &operation{Client: r.client, Session: session, Kind: kind, Call: time.Now().UnixNano()}
}

// end notes what the request was told.
func (r *requester) end(op *operation, err error) outcome {
	op.Return = time.Now().UnixNano()
	op.Outcome = outcomeOf(err)
	if err != nil {
		op.Err = err.Error()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.part.Operations = append(r.part.Operations, *op)
	if err != nil && !expected(err) {
		r.part.Problem = fmt.Sprintf("%s: %v", op.Kind, err)
	}
	return op.Outcome
}

// outcomeOf says what an error tells of an operation.
func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return done
	case errors.Is(err, storage.ErrOutcomeUnknown):
		return unknown
	case errors.Is(err, sessionstore.ErrSessionGone):
		return gone
	case errors.Is(err, sessionstore.ErrLockTimeout), errors.Is(err, sessionstore.ErrLockLost):
		return refused
	case errors.Is(err, storage.ErrConflict):
		return conflict
	default:
		return unknown
	}
}

// expected reports whether an error is one that the faults, or other requests, explain.
func expected(err error) bool {
	for _, target := range []error{
		storage.ErrConflict, storage.ErrOutcomeUnknown, storage.ErrUnavailable, sessionstore.ErrSessionGone,
		sessionstore.ErrLockTimeout, context.Canceled,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
