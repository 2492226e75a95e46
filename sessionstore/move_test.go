package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// mishap is what becomes of one call of a process, and of those after it.
type mishap string

const (
	none      mishap = "none"
	diesFirst mishap = "dies before it"
	diesThen  mishap = "dies after it"
	throttled mishap = "throttled"
	lost      mishap = "response lost"
	held      mishap = "held up, and lost"
	diesOfIt  mishap = "held up, and dies"
)

var mishaps = []mishap{none, diesFirst, diesThen, throttled, lost, held, diesOfIt}

// mails are all writes that were sent, so that each can arrive once more.
type mails struct {
	*memory.Driver
	mu   sync.Mutex
	sent []func()
}

// mortal is how one process reaches the storage.
type mortal struct {
	*mails
	meets mishap
	after int // calls before it meets that
	dead  bool
	met   bool
}

// call makes a call, or what becomes of it.
func (d *mortal) call(call func() error, writes bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return storage.ErrUnavailable
	}
	d.after--
	meets := none
	if d.after == -1 {
		meets, d.met = d.meets, d.meets != none
	}
	d.dead = meets == diesFirst || meets == diesThen || meets == diesOfIt
	switch meets {
	case diesFirst:
		return storage.ErrUnavailable
	case throttled:
		return storage.ErrThrottled
	}
	var err error
	if meets == none || meets == diesThen || meets == lost {
		err = call()
	}
	if writes && err == nil { // what was refused has arrived once and for all
		d.sent = append(d.sent, func() { _ = call() })
	}
	if meets == none {
		return err
	}
	if !writes {
		return storage.ErrUnavailable
	}
	return storage.ErrOutcomeUnknown
}

func (d *mortal) Get(ctx context.Context, key string, c storage.Consistency) (r storage.Record, found bool, err error) {
	err = d.call(func() (err error) { r, found, err = d.Driver.Get(ctx, key, c); return err }, false)
	return r, found && err == nil, err
}

func (d *mortal) Put(_ context.Context, r storage.Record, c storage.Condition) error {
	return d.call(func() error { return d.Driver.Put(context.Background(), r, c) }, true)
}

func (d *mortal) Update(_ context.Context, key string, change storage.Change, c storage.Condition) error {
	return d.call(func() error { return d.Driver.Update(context.Background(), key, change, c) }, true)
}

func (d *mortal) Delete(_ context.Context, key string, c storage.Condition) error {
	return d.call(func() error { return d.Driver.Delete(context.Background(), key, c) }, true)
}

func (d *mortal) Acquire(
	_ context.Context, key string, lease storage.Lease, c storage.Condition,
) (r storage.Record, err error) {
	err = d.call(func() (err error) { r, err = d.Driver.Acquire(context.Background(), key, lease, c); return err }, true)
	return r, err
}

// movers are processes that have the same secrets in all orders, and one session.
type movers struct {
	t        rapid.TB
	mails    *mails
	strategy func() lockstrategy.Strategy
	orders   [][]byte
	// possible is what the session may hold, "" where it has ended. afloat is what it may become by a write that is on
	// its way.
	possible, afloat []string
	n                int
}

const moved = "the token of the session that moves"

func (m *movers) store(driver storage.Driver, order []byte) *sessionstore.Store {
	secrets := make([][]byte, len(order))
	for i, n := range order {
		secrets[i] = storetest.Secret(n)
	}
	store, err := sessionstore.New(driver, sessionstore.WithSecret(secrets[0], secrets[1:]...),
		sessionstore.WithStrategy(m.strategy()))
	if err != nil {
		m.t.Fatal(err)
	}
	return store
}

func (m *movers) encode(content string) []byte {
	data, err := scs.GobCodec{}.Encode(time.Now().Add(24*time.Hour).UTC(), map[string]any{"content": content})
	if err != nil {
		m.t.Fatal(err)
	}
	return data
}

func (m *movers) decode(data []byte) string {
	_, values, err := scs.GobCodec{}.Decode(data)
	if err != nil {
		m.t.Fatal(err)
	}
	content, _ := values["content"].(string)
	return content
}

// see returns what a process finds.
func (m *movers) see(store *sessionstore.Store, order []byte) string {
	data, found, err := store.FindCtx(context.Background(), moved)
	if err != nil {
		m.t.Fatalf("%v: %v", order, err)
	}
	seen := ""
	if found {
		seen = m.decode(data)
	}
	all, err := store.AllCtx(context.Background())
	if err != nil || len(all) > 1 || (len(all) == 1) != found || found && m.decode(all[moved]) != seen {
		m.t.Fatalf("%v finds %q, and %d sessions, %v, when it lists them", order, seen, len(all), err)
	}
	return seen
}

// agree checks that all processes find one and the same session, of what is possible.
func (m *movers) agree() {
	first := m.see(m.store(m.mails.Driver, m.orders[0]), m.orders[0])
	for _, order := range m.orders[1:] {
		if seen := m.see(m.store(m.mails.Driver, order), order); seen != first {
			m.t.Fatalf("%v finds %q, and %v finds %q", m.orders[0], first, order, seen)
		}
	}
	m.is(first)
}

// is notes what the session holds.
func (m *movers) is(seen string) {
	if !slices.Contains(m.possible, seen) {
		m.t.Fatalf("the session holds %q; want one of %q", seen, m.possible)
	}
	m.possible = []string{seen}
}

// process draws a process, and what it meets.
func (m *movers) process(t *rapid.T) (*sessionstore.Store, *mortal) {
	d := &mortal{mails: m.mails}
	order := rapid.SampledFrom(m.orders).Draw(t, "order")
	d.meets = rapid.SampledFrom(mishaps).Draw(t, "meets")
	if d.meets != none {
		d.after = rapid.IntRange(0, 12).Draw(t, "after")
	}
	return m.store(d, order), d
}

// commit has a process read and change the session.
func (m *movers) commit(t *rapid.T) {
	m.t = t
	m.commitBy(m.process(t))
}

func (m *movers) commitBy(store *sessionstore.Store, d *mortal) {
	ctx, end := store.Begin(context.Background())
	defer end()
	data, found, err := store.FindCtx(ctx, moved)
	if err != nil {
		return
	}
	if !found {
		m.is("")
		return // scs draws another token
	}
	read := m.decode(data)
	m.is(read)
	m.n++
	next := fmt.Sprint(m.n)
	err = store.CommitCtx(ctx, moved, m.encode(next), time.Now().Add(12*time.Hour))
	m.t.Logf("commit of %s over %s: %v", next, read, err)
	switch {
	case err == nil:
		m.possible, m.afloat = []string{next}, nil
	case errors.Is(err, storage.ErrOutcomeUnknown) || d.dead:
		m.possible, m.afloat = []string{read, next}, append(m.afloat, next)
	case !d.met && len(m.afloat) == 0:
		m.t.Fatalf("nothing was in the way of the commit: %v", err)
	}
	if !d.dead {
		end()
		m.agree()
	}
}

// logout has a process read and end the session.
func (m *movers) logout(t *rapid.T) {
	m.t = t
	m.logoutBy(m.process(t))
}

func (m *movers) logoutBy(store *sessionstore.Store, d *mortal) {
	ctx, end := store.Begin(context.Background())
	defer end()
	if _, found, err := store.FindCtx(ctx, moved); err != nil || !found {
		return
	}
	err := store.DeleteCtx(ctx, moved)
	m.t.Logf("logout: %v", err)
	switch {
	case err == nil:
		m.possible, m.afloat = []string{""}, nil
	case errors.Is(err, storage.ErrOutcomeUnknown) || d.dead:
		m.possible, m.afloat = append(m.possible, ""), append(m.afloat, "")
	}
}

// arrive lets a write that was sent before arrive once more, or at last.
func (m *movers) arrive(t *rapid.T) {
	m.t = t
	m.mails.mu.Lock()
	defer m.mails.mu.Unlock()
	rapid.SampledFrom(m.mails.sent).Draw(t, "write")()
	m.possible = append(m.possible, m.afloat...)
}

// begin makes the session, under the oldest of the secrets.
func (m *movers) begin() {
	store := m.store(&mortal{mails: m.mails, meets: none}, []byte{1})
	ctx, end := store.Begin(context.Background())
	defer end()
	if err := store.CommitCtx(ctx, moved, m.encode("0"), time.Now().Add(12*time.Hour)); err != nil {
		m.t.Fatal(err)
	}
}

// commitWhole has a process of that order commit that nothing happens to.
func (m *movers) commitWhole(order []byte) {
	whole := &mortal{mails: m.mails, meets: none}
	m.commitBy(m.store(whole, order), whole)
	m.agree()
}

// arriveAll lets all writes that were sent arrive once more, or at last.
func (m *movers) arriveAll() {
	for _, late := range m.mails.sent {
		late()
		m.possible = append(m.possible, m.afloat...)
		m.agree()
	}
}

// TestCrashDuringAMove lets each call of a process that moves a session fail in each way, and the process die of it or
// not. All others then find one session, whichever they are, and can change and end it.
func TestCrashDuringAMove(t *testing.T) {
	t.Parallel()
	all := maps.Clone(strategies)
	all["none"] = lockstrategy.None
	orders := [][]byte{{2, 1}, {1, 2}}
	for name, strategy := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, meets := range mishaps {
				for after := range 8 {
					for _, second := range orders {
						for begins, back := range []bool{false, true} { // the session moves to another key, or back
							synctest.Test(t, func(t *testing.T) {
								m := &movers{
									t: t, mails: &mails{Driver: memory.New()}, strategy: strategy, orders: orders, possible: []string{"0"},
								}
								m.begin()
								if back {
									m.commitWhole(orders[1-begins])
								}
								first := &mortal{mails: m.mails, meets: meets, after: after}
								m.commitBy(m.store(first, orders[begins]), first)
								m.agree()
								if name != "none" { // which overwrites whatever there is, also with what arrives late
									m.arriveAll()
								}
								m.commitWhole(second)
								m.commitWhole(orders[0])
								whole := &mortal{mails: m.mails, meets: none}
								m.logoutBy(m.store(whole, second), whole)
								m.agree()
								if name != "none" {
									m.arriveAll()
								}
							})
							if t.Failed() {
								t.Fatalf("%s, %d calls after the beginning, back %v, and then %v", meets, after, back, second)
							}
						}
					}
				}
			}
		})
	}
}

// TestMovesThatMeet has a write of one move held up, while another move of the session is cut short. It then arrives.
func TestMovesThatMeet(t *testing.T) {
	t.Parallel()
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			order := []byte{2, 1}
			for first := range 8 {
				for second := range 12 {
					synctest.Test(t, func(t *testing.T) {
						m := &movers{
							t: t, mails: &mails{Driver: memory.New()}, strategy: strategy, orders: [][]byte{{1, 2}, order},
							possible: []string{"0"},
						}
						m.begin()
						for _, d := range []*mortal{
							{mails: m.mails, meets: diesOfIt, after: first}, {mails: m.mails, meets: diesFirst, after: second},
						} {
							m.commitBy(m.store(d, order), d)
							m.agree()
						}
						m.arriveAll()
						m.commitWhole(order)
						m.arriveAll()
					})
					if t.Failed() {
						t.Fatalf("the one is held up %d calls after its beginning, the other dies after %d", first, second)
					}
				}
			}
		})
	}
}

// TestMovesOfASession checks that there is one session, for processes with the secrets in any order, whatever becomes
// of any call of any of them while it moves from one key to another, and whichever write arrives late or twice: it
// holds what was last acknowledged, or what was under way then, and does not come back once it has ended.
func TestMovesOfASession(t *testing.T) {
	t.Parallel()
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				rapid.SyncTest(t, func(t *rapid.T) {
					m := &movers{t: t, mails: &mails{Driver: memory.New()}, strategy: strategy, possible: []string{"0"}}
					m.orders = rapid.SampledFrom([][][]byte{
						{{2, 1}, {1, 2}}, {{3, 2, 1}, {2, 3, 1}, {1, 2, 3}, {3, 1, 2}},
					}).Draw(t, "orders")
					m.begin()
					t.Repeat(map[string]func(*rapid.T){
						"commit": m.commit, "again": m.commit, "more": m.commit, "logout": m.logout, "arrive": m.arrive,
						"": func(t *rapid.T) { m.t = t; m.agree() },
					})
					if n, err := m.store(m.mails.Driver, m.orders[0]).DeleteAll(context.Background()); err != nil {
						t.Fatalf("%d deleted: %v", n, err)
					}
					m.possible = []string{""}
					m.agree()
				})
			})
		})
	}
}
