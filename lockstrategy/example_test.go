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

// Load reads the session. Request.Backend judges expiry and knows how fresh reads are to be.
func (lastWins) Load(ctx context.Context, request *lockstrategy.Request, key string) (lockstrategy.Session, error) {
	record, found, err := request.Backend.Read(ctx, key)
	if err != nil {
		return nil, err
	}
	record.Key = key // where nothing was found
	return &lastWinsSession{backend: request.Backend, record: record, found: found}, nil
}

// New is for a session that this request has drawn.
func (lastWins) New(request *lockstrategy.Request, key string) lockstrategy.Session {
	return &lastWinsSession{backend: request.Backend, record: storage.Record{Key: key}}
}

// lastWinsSession is used by one goroutine only here; one that is to be used by several needs a mutex.
type lastWinsSession struct {
	backend *lockstrategy.Backend
	record  storage.Record
	found   bool
	gone    bool
}

func (s *lastWinsSession) Record() (storage.Record, bool) { return s.record, s.found }

// Commit chooses the condition. That is what a strategy is about.
func (s *lastWinsSession) Commit(ctx context.Context, next storage.Record) error {
	if s.gone {
		return lockstrategy.ErrSessionGone
	}
	from, condition := next.Key, storage.IfAbsent(next.UpdatedAt) // a new session overwrites nothing
	if s.found {
		from, condition = s.record.Key, storage.IfLive(next.UpdatedAt) // any version will do
		next.CreatedAt = s.record.CreatedAt
		next.Succeed(s.record)
	}
	if _, err := s.backend.Write(ctx, from, next, condition); err != nil {
		return err
	}
	s.record, s.found = next, true
	return nil
}

func (s *lastWinsSession) Delete(ctx context.Context) error {
	if err := s.backend.Driver.Delete(ctx, s.record.Key, storage.Always()); err != nil {
		return err
	}
	s.found, s.gone = false, true
	return nil
}

// Release has nothing to give back.
func (s *lastWinsSession) Release(context.Context) error { return nil }

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

// A shopping cart and a counter: values that two requests change are added up instead of chosen.
func ExampleWithSameKey() {
	addUp := func(key string, base, ours, theirs lockstrategy.Value) (lockstrategy.Value, error) {
		our, isNumber := ours.Value.(int)
		if !isNumber {
			return lockstrategy.Ours(key, base, ours, theirs)
		}
		was, _ := base.Value.(int) // 0 where there was none
		their, _ := theirs.Value.(int)
		return lockstrategy.Value{Value: our + their - was, Present: true}, nil
	}
	store, err := sessionstore.New(memory.New(),
		sessionstore.WithStrategy(lockstrategy.Merge(lockstrategy.WithSameKey(addUp))))
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
		sessionstore.WithStrategy(lockstrategy.Lease(
			lockstrategy.WithMaxWait(3*time.Second), // then 503 and Retry-After
			lockstrategy.WithDuration(10*time.Second),
		)),
		sessionstore.WithReadOnly(sessionstore.SafeMethods), // GET, HEAD and OPTIONS never wait
	)
	fmt.Println(store != nil, err)

	_, err = sessionstore.New(memory.New(), sessionstore.WithStrategy(lockstrategy.Lease(
		lockstrategy.WithRenewal(time.Minute), lockstrategy.WithMaxWait(0))))
	fmt.Println(err)
	// Output:
	// true <nil>
	// lockstrategy: WithMaxWait: 0s; at least 20ms are needed for one call to storage
	// lockstrategy: WithRenewal: every 1m0s is too late for a lease of 5s; a third of it is usual
}
