package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Strategies runs the scenarios that tell the strategies apart, each with each strategy, over drivers that newDriver
// makes. The requests of a scenario are in one process, and in two.
func Strategies(t *testing.T, newDriver func(t *testing.T) storage.Driver) {
	t.Helper()
	for _, scenario := range scenarios {
		for name, strategy := range compared {
			for _, processes := range []int{1, 2} {
				t.Run(fmt.Sprintf("%s/%s/%d", scenario.name, name, processes), func(t *testing.T) {
					t.Parallel()
					scenario.run(newCell(t, newDriver(t), name, strategy, processes))
				})
			}
		}
	}
}

// lease is how long the leases of the scenarios last: two of them wait for its end.
const lease = 300 * time.Millisecond

var compared = map[string]func() lockstrategy.Strategy{
	"none":         lockstrategy.None,
	"optimistic":   lockstrategy.Optimistic,
	"merge":        func() lockstrategy.Strategy { return lockstrategy.Merge(nil) },
	"merge_theirs": func() lockstrategy.Strategy { return lockstrategy.Merge(lockstrategy.Theirs) },
	"merge_func":   func() lockstrategy.Strategy { return lockstrategy.Merge(both) },
	"lease": func() lockstrategy.Strategy {
		return lockstrategy.Lease(lockstrategy.LeaseOptions{Duration: lease, Renewal: -1, MaxWait: time.Minute})
	},
}

// both is a policy that keeps what both requests made of a value.
func both(_ string, _, ours, theirs lockstrategy.Value) (lockstrategy.Value, error) {
	return lockstrategy.Value{Value: fmt.Sprint(theirs.Value, ours.Value), Present: true}, nil
}

// cell is one scenario with one strategy.
type cell struct {
	*testing.T
	strategy string
	// another opens one more store on the same place.
	another func() *sessionstore.Store
	// one and two are the stores of the first and the second request.
	one, two *sessionstore.Store
	events   chan sessionstore.Event
	// leased is told of each call that has found the session leased to another request.
	leased chan struct{}
}

const (
	token   = "the token of the session"
	renewed = "the token after its renewal"
)

func newCell(t *testing.T, driver storage.Driver, name string, strategy func() lockstrategy.Strategy,
	processes int,
) *cell {
	t.Helper()
	c := &cell{T: t, strategy: name, events: make(chan sessionstore.Event, 100), leased: make(chan struct{}, 100)}
	observed := &leases{driver, c.leased}
	c.another = func() *sessionstore.Store {
		store, err := sessionstore.New(observed, sessionstore.WithStrategy(strategy()), sessionstore.WithObserver(
			func(_ context.Context, e sessionstore.Event) { c.events <- e },
		))
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	c.one = c.another()
	c.two = c.one
	if processes == 2 {
		c.two = c.another()
	}
	first, end := c.one.Begin(t.Context())
	defer end()
	if err := c.one.CommitCtx(first, token, encode(t, nil), expiry()); err != nil {
		t.Fatal(err)
	}
	return c
}

// leases says which calls have found a session leased.
type leases struct {
	storage.Driver
	found chan struct{}
}

func (d *leases) Acquire(
	ctx context.Context, key string, lease storage.Lease, condition storage.Condition,
) (storage.Record, error) {
	record, err := d.Driver.Acquire(ctx, key, lease, condition)
	d.tell(errors.Is(err, storage.ErrConflict))
	return record, err
}

func (d *leases) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	record, found, err := d.Driver.Get(ctx, key, c)
	d.tell(found && !record.Lease.Free())
	return record, found, err
}

func (d *leases) tell(leased bool) {
	if !leased {
		return
	}
	select {
	case d.found <- struct{}{}:
	default:
	}
}

// visit is one request that has read the session.
type visit struct {
	c      *cell
	store  *sessionstore.Store
	ctx    context.Context
	end    func()
	found  bool
	values map[string]any
	data   []byte
}

//nolint:revive // The store is whose request it is.
func (c *cell) visit(store *sessionstore.Store, ctx context.Context) *visit {
	v := &visit{c: c, store: store}
	v.ctx, v.end = store.Begin(ctx)
	var err error
	if v.data, v.found, err = store.FindCtx(v.ctx, token); err != nil {
		c.Errorf("find: %v", err)
	}
	v.values = map[string]any{}
	if v.found {
		if _, v.values, err = (scs.GobCodec{}).Decode(v.data); err != nil {
			c.Errorf("decode: %v", err)
		}
	}
	return v
}

// commit stores the values of the visit and one more, and ends it.
func (v *visit) commit(key, value string) error {
	defer v.end()
	v.values[key] = value
	return v.store.CommitCtx(v.ctx, token, encode(v.c, v.values), expiry())
}

// together makes two requests that both want the session at the same time. With a lease the second gets it after the
// first has ended.
func (c *cell) together(first, second func(v *visit) error) (firstErr, secondErr error) {
	c.Helper()
	one := c.visit(c.one, c.Context())
	if c.strategy != "lease" {
		two := c.visit(c.two, c.Context())
		return first(one), second(two)
	}
	done := make(chan error)
	go func() { done <- second(c.visit(c.two, c.Context())) }()
	if c.one != c.two {
		<-c.leased
	}
	firstErr = first(one)
	return firstErr, <-done
}

// stored returns the values under a token, nil where there is no session.
func (c *cell) stored(token string) map[string]any {
	c.Helper()
	session, found, err := c.one.Lookup(c.Context(), token)
	if err != nil {
		c.Fatal(err)
	}
	if !found {
		return nil
	}
	_, values, err := scs.GobCodec{}.Decode(session.Data)
	if err != nil {
		c.Fatal(err)
	}
	return values
}

func (c *cell) want(what string, got, want error) {
	c.Helper()
	if want == nil && got != nil || !errors.Is(got, want) {
		c.Errorf("%s: %v; want %v", what, got, want)
	}
}

func (c *cell) wantStored(want map[string]any) {
	c.Helper()
	if got := c.stored(token); (got == nil) != (want == nil) || !maps.Equal(got, want) {
		c.Errorf("stored: %v; want %v", got, want)
	}
}

// drain returns the calls of the operations since the last time.
func (c *cell) drain() map[string]int {
	calls := map[string]int{}
	for {
		select {
		case e := <-c.events:
			calls[e.Operation] += e.Usage.Calls
		default:
			return calls
		}
	}
}

func (c *cell) wantEvent(op string) {
	c.Helper()
	if _, seen := c.drain()[op]; !seen {
		c.Errorf("no event %q", op)
	}
}

func encode(t testing.TB, values map[string]any) []byte {
	t.Helper()
	if values == nil {
		values = map[string]any{}
	}
	data, err := scs.GobCodec{}.Encode(deadline, values)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// deadline is that of all sessions: one of its own would be a change.
var deadline = time.Now().Add(24 * time.Hour).UTC()

func expiry() time.Time { return time.Now().Add(time.Hour) }
