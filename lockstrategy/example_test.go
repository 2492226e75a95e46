package lockstrategy_test

import (
	"context"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// lastWins is a strategy of one's own: the last commit wins, as with None, but a session that has ended is not brought
// back. It suits sessions that hold one thing only, such as the page that was visited last.
type lastWins struct{}

// Load reads the session.
func (lastWins) Load(ctx context.Context, request *lockstrategy.Request, key string) (lockstrategy.Session, error) {
	return lockstrategy.LoadBase(ctx, request, key, overwrite)
}

// New is for a session that this request makes, or has read in a list.
func (lastWins) New(request *lockstrategy.Request, record storage.Record) lockstrategy.Session {
	return lockstrategy.NewBase(request, record, overwrite)
}

// overwrite says what becomes of a commit that was overtaken. That is what a strategy is about.
func overwrite(_, next, _ storage.Record) (storage.Record, error) { return next, nil }

// A strategy of one's own is used like those of this package.
func Example_strategyOfYourOwn() {
	ctx := context.Background()
	store, err := sessionstore.New(memory.New(), sessionstore.WithStrategy(lastWins{}))
	if err != nil {
		panic(err)
	}
	expiry := time.Now().Add(time.Hour)

	begin := func() (commit func(data string) error, end func()) {
		scoped, end := store.Begin(ctx)
		_, _, _ = store.FindCtx(scoped, "token")
		return func(data string) error { return store.CommitCtx(scoped, "token", []byte(data), expiry) }, end
	}
	first, end := begin()
	fmt.Println("a new session:", first("page 1"))
	end()

	one, endOne := begin()
	two, endTwo := begin()
	fmt.Println("two at a time:", one("page 2"), two("page 3"))
	_ = store.DeleteCtx(ctx, "token")
	fmt.Println("after logout:", two("page 4"))
	endOne()
	endTwo()
	// Output:
	// a new session: <nil>
	// two at a time: <nil> <nil>
	// after logout: the session was ended while the request was running, and is not brought back
}

// A counter: what two requests have both changed is added up instead of chosen.
func ExampleMerge() {
	store, err := sessionstore.New(memory.New(),
		sessionstore.WithStrategy(lockstrategy.Merge(lockstrategy.PerKey(
			map[string]lockstrategy.SameKey{"visits": lockstrategy.Sum}))))
	if err != nil {
		panic(err)
	}

	ctx, codec, expiry := context.Background(), scs.GobCodec{}, time.Now().Add(time.Hour)
	visit := func() (commit func(), end func()) {
		scoped, end := store.Begin(ctx)
		values := map[string]any{}
		if data, found, _ := store.FindCtx(scoped, "token"); found {
			_, values, _ = codec.Decode(data)
		}
		return func() {
			visits, _ := values["visits"].(int)
			values["visits"] = visits + 1
			data, _ := codec.Encode(expiry, values)
			fmt.Println(store.CommitCtx(scoped, "token", data, expiry))
		}, end
	}
	first, end := visit()
	first()
	end()
	one, endOne := visit()
	two, endTwo := visit() // has read the same as one
	one()
	two()
	endOne()
	endTwo()

	data, _, _ := store.FindCtx(ctx, "token")
	_, values, _ := codec.Decode(data)
	fmt.Println(values["visits"])
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// 3
}

// One request at a time, and what that may take.
func ExampleLease() {
	store, err := sessionstore.New(memory.New(),
		sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{
			MaxWait:  3 * time.Second, // then 503 and Retry-After
			Duration: 10 * time.Second,
		})),
		sessionstore.WithReadOnly(sessionstore.SafeMethods), // GET, HEAD and OPTIONS never wait
	)
	fmt.Println(store != nil, err)

	_, err = sessionstore.New(memory.New(), sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{
		Renewal: time.Minute, MaxWait: time.Millisecond,
	})))
	fmt.Println(err)
	// Output:
	// true <nil>
	// lockstrategy: LeaseOptions.MaxWait: 1ms; at least 20ms are needed for one call to storage
	// lockstrategy: LeaseOptions.Renewal: every 1m0s is too late for a lease of 5s; a third of it is usual
}
