package roster_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/roster"
	"github.com/scsdynamo/scsdynamo/internal/tap"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// sessions are the sessions of an owner.
type sessions struct {
	mu     sync.Mutex
	states map[string]roster.State // dead where there is none
	at     map[string]string       // the key under which one is now, where it has moved
}

func (s *sessions) State(_ context.Context, e roster.Entry) (roster.State, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := e.Key
	if s.at[key] != "" {
		key = s.at[key]
	}
	return s.states[key], key, nil
}

func (s *sessions) End(_ context.Context, e roster.Entry) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.states[e.Key] == roster.Live
	delete(s.states, e.Key)
	return was, nil
}

func (s *sessions) set(state roster.State, keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		s.states[key] = state
	}
}

func (s *sessions) live() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Sorted(maps.Keys(s.states))
	return slices.DeleteFunc(all, func(key string) bool { return s.states[key] == roster.Dead })
}

// place is a roster whose calls can be made to fail, or to be followed by something.
type place struct {
	*roster.Roster
	t        *testing.T
	memory   *memory.Driver
	sessions *sessions
	mu       sync.Mutex
	calls    int
	before   func(n int, call tap.Call) error
}

const owner = roster.Prefix + "user:alice"

func newPlace(t *testing.T) *place {
	t.Helper()
	all := &sessions{states: map[string]roster.State{}, at: map[string]string{}}
	p := &place{t: t, memory: memory.New(), sessions: all}
	p.Roster = &roster.Roster{
		Driver: &tap.Driver{Driver: p.memory, Around: func(
			ctx context.Context, call tap.Call, next func(context.Context) error,
		) error {
			p.mu.Lock()
			p.calls++
			n, before := p.calls, p.before
			p.mu.Unlock()
			if before != nil {
				if err := before(n, call); err != nil {
					return err
				}
			}
			return next(ctx)
		}},
		Now: time.Now, Key: owner, Sessions: p.sessions,
		Seal: func(_ string, plain []byte) ([]byte, error) { return plain, nil },
		Open: func(record storage.Record) ([]byte, error) { return record.Data, nil },
	}
	return p
}

// meets sets what happens before each call from now on, which are counted from 1.
func (p *place) meets(before func(n int, call tap.Call) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls, p.before = 0, before
}

func entry(key string) roster.Entry {
	return roster.Entry{Key: key, AddedAt: time.Now(), Until: time.Now().Add(24 * time.Hour)}
}

func now() roster.Login { return roster.Login{Began: time.Now(), Moment: roster.Now()} }

// add adds sessions that live.
func (p *place) add(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		if _, _, err := p.Add(p.t.Context(), entry(key), now(), roster.Limit{}); err != nil {
			p.t.Fatal(err)
		}
		p.sessions.set(roster.Live, key)
	}
}

// listed returns the keys on the roster.
func (p *place) listed() (keys []string) {
	p.t.Helper()
	for e, err := range p.All(p.t.Context()) {
		if err != nil {
			p.t.Fatal(err)
		}
		keys = append(keys, e.Key)
	}
	return keys
}

// records returns how many records there are, and their bytes.
func (p *place) records() (n, size int) {
	p.t.Helper()
	page, err := p.memory.Scan(p.t.Context(), storage.ScanRequest{})
	for _, record := range page.Records {
		n, size = n+1, size+len(record.Data)
	}
	if err != nil || page.Next != "" {
		p.t.Fatal("there are more records than a page", err)
	}
	return n, size
}

func keys(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s%03d-%s", prefix, i, strings.Repeat("x", 36)))
	}
	return all
}

// Whatever does not fit into the head is on pages, the newest in front; and the dead are dropped.
func TestPages(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	all := keys("s", 300)
	for i, key := range all {
		p.add(key)
		if got := p.listed(); len(got) != i+1 || got[0] != key || got[i] != all[0] {
			t.Fatalf("after %d sessions, %d are listed", i+1, len(got))
		}
	}
	got := p.listed()
	slices.Reverse(got)
	if !slices.Equal(got, all) {
		t.Error("they are not listed in the order of their logins")
	}
	if n, size := p.records(); n > 60 || size > 300*130 {
		t.Errorf("300 sessions take %d records and %d bytes", n, size)
	}
	p.sessions.set(roster.Dead, all[1:]...)
	p.add(keys("t", 300)...)
	if got := p.listed(); len(got) > 450 || !slices.Contains(got, all[0]) {
		t.Errorf("%d of 300 that have ended and 301 that live are listed", len(got))
	}
}

// A page that is gone while the roster is read, because others rewrite it, takes nothing from the list.
func TestPagesThatAreRewritten(t *testing.T) {
	t.Parallel()
	for read := 2; read < 12; read++ {
		p := newPlace(t)
		all := keys("s", 60)
		p.add(all...)
		others := newPlace(t)
		others.Roster, others.memory, others.sessions = p.Roster, p.memory, p.sessions
		direct := *p.Roster
		direct.Driver = p.memory
		others.Roster = &direct
		p.meets(func(n int, _ tap.Call) error {
			if n == read {
				added := keys("t", 120)
				others.add(added...)
				p.sessions.set(roster.Dead, added...)
				others.add(keys("u", 60)...)
			}
			return nil
		})
		got := p.listed()
		if missing := slices.DeleteFunc(all, func(key string) bool { return slices.Contains(got, key) }); len(missing) > 0 {
			t.Errorf("read %d: %d sessions are not listed", read, len(missing))
		}
		if sorted := slices.Sorted(slices.Values(got)); len(slices.Compact(sorted)) != len(got) {
			t.Errorf("read %d: sessions are listed twice", read)
		}
	}
}

var errKilled = errors.New("the process has died")

// Whoever ends all sessions may die after each call: who comes next ends the rest, and none of those that are kept.
func TestEndAllThatIsCutShort(t *testing.T) {
	t.Parallel()
	resume := map[string]func(p *place) error{
		"end of all": func(p *place) error { _, _, err := p.EndAll(p.t.Context(), []string{"kept"}); return err },
		"login": func(p *place) error {
			_, _, err := p.Add(p.t.Context(), entry("new"), now(), roster.Limit{})
			p.sessions.set(roster.Live, "new")
			return err
		},
	}
	for name, goOn := range resume {
		for _, n := range []int{3, 40} {
			for dies := 1; ; dies++ {
				p := newPlace(t)
				p.add("kept")
				p.add(keys("s", n)...)
				p.meets(func(call int, _ tap.Call) error {
					if call > dies {
						return errKilled
					}
					return nil
				})
				_, _, err := p.EndAll(t.Context(), []string{"kept"})
				p.meets(nil)
				epoch, epochErr := p.Epoch(t.Context())
				if epochErr != nil {
					t.Fatal(epochErr)
				}
				if listed := p.listed(); !subset(p.sessions.live(), listed) {
					t.Errorf("%s, %d sessions, after %d calls: some live that are not listed", name, n, dies)
				}
				if err := goOn(p); err != nil {
					t.Fatal(err)
				}
				left := slices.DeleteFunc(p.sessions.live(), func(key string) bool { return key == "new" })
				if (epoch != "" || name == "end of all") && !slices.Equal(left, []string{"kept"}) {
					t.Errorf("%s, %d sessions, after %d calls: %v live; want the one that is kept", name, n, dies, left)
				}
				if !slices.Contains(p.listed(), "kept") {
					t.Errorf("%s, %d sessions, after %d calls: what is kept is on the roster no more", name, n, dies)
				}
				if err == nil {
					break
				}
			}
		}
	}
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(key string) bool { return !slices.Contains(all, key) })
}

// What was added again, by another request, is not taken off by the one that has failed.
func TestRemove(t *testing.T) {
	t.Parallel()
	for _, more := range []int{0, 60} {
		p := newPlace(t)
		p.sessions.set(roster.Live, "key")
		first, added, err := p.Add(t.Context(), entry("key"), now(), roster.Limit{})
		if err != nil || !added {
			t.Fatal(added, err)
		}
		second, added, err := p.Add(t.Context(), entry("key"), now(), roster.Limit{})
		if err != nil || added || !second.After(first) {
			t.Fatalf("added again: %v, at %v after %v, %v", added, second, first, err)
		}
		p.add(keys("s", more)...)
		if err := p.Remove(t.Context(), "key", first); err != nil || !slices.Contains(p.listed(), "key") {
			t.Errorf("with %d others: what another request has added is removed: %v", more, err)
		}
		if e, found, err := p.Find(t.Context(), "key"); err != nil || !found || !e.AddedAt.Equal(second) {
			t.Errorf("with %d others: Find: %+v, %v, %v", more, e, found, err)
		}
		if err := p.Remove(t.Context(), "key", second); err != nil || slices.Contains(p.listed(), "key") {
			t.Errorf("with %d others: it is not removed: %v", more, err)
		}
		if got := p.listed(); len(got) != more {
			t.Errorf("%d of %d others are left", len(got), more)
		}
	}
}

// A limit counts what lives, and what may be about to; what has moved, or is being renewed, is one session.
func TestLimits(t *testing.T) {
	t.Parallel()
	old := func(key string) roster.Entry {
		e := entry(key)
		e.AddedAt = e.AddedAt.Add(-time.Minute)
		return e
	}
	for name, test := range map[string]struct {
		states   map[string]roster.State
		at       map[string]string
		old      []string // added a minute ago
		replaces map[string]string
		limit    int
		denied   bool
		ended    []string // by a login that ends the oldest
	}{
		"all live":    {states: states("a", "b"), limit: 2, denied: true, ended: []string{"a"}},
		"one more":    {states: states("a", "b"), limit: 3},
		"far more":    {states: states("a", "b", "c"), limit: 1, denied: true, ended: []string{"a", "b", "c"}},
		"one is dead": {states: states("a"), limit: 2},
		"one is pending": {
			states: map[string]roster.State{"a": roster.Live, "b": roster.Pending},
			limit:  2, denied: true, ended: []string{"a"},
		},
		"one was pending": {
			states: map[string]roster.State{"a": roster.Live, "b": roster.Pending},
			old:    []string{"b"}, limit: 2, ended: []string{"b"},
		},
		"one has expired": {
			states: map[string]roster.State{"a": roster.Live, "b": roster.Expired},
			limit:  2, ended: []string{"b"},
		},
		"one is expired": {states: map[string]roster.State{"a": roster.Live, "b": roster.Expired}, limit: 3},
		"one has moved":  {states: states("b"), at: map[string]string{"a": "b"}, limit: 2},
		"one is renewed": {
			states:   map[string]roster.State{"a": roster.Live, "b": roster.Pending},
			replaces: map[string]string{"b": "a"}, limit: 2,
		},
		"one moved back": {
			states:   states("a", "b"),
			replaces: map[string]string{"b": "a", "a": "b"}, limit: 1, denied: true, ended: []string{"a", "b"},
		},
		"one is, of three": {
			states:   map[string]roster.State{"a": roster.Live, "b": roster.Pending, "c": roster.Live},
			replaces: map[string]string{"b": "a"}, limit: 2, denied: true, ended: []string{"a", "b"},
		},
	} {
		for _, oldest := range []bool{false, true} {
			p := newPlace(t)
			for _, key := range []string{"a", "b", "c"} {
				e := entry(key)
				if slices.Contains(test.old, key) {
					e = old(key)
				}
				login := now()
				login.Replaces = test.replaces[key]
				if _, _, err := p.Add(t.Context(), e, login, roster.Limit{}); err != nil {
					t.Fatal(err)
				}
			}
			p.sessions.states, p.sessions.at = maps.Clone(test.states), test.at
			_, _, err := p.Add(t.Context(), entry("new"), now(), roster.Limit{Sessions: test.limit, EndOldest: oldest})
			if refused := errors.Is(err, roster.ErrLimit); refused != (test.denied && !oldest) || err != nil && !refused {
				t.Errorf("%s, ends the oldest %v: %v", name, oldest, err)
			}
			var ended []string
			for key, state := range test.states {
				if state != roster.Dead && p.sessions.states[key] == roster.Dead {
					ended = append(ended, key)
				}
			}
			slices.Sort(ended)
			want := test.ended
			if test.denied && !oldest {
				want = nil
			}
			if !slices.Equal(ended, want) {
				t.Errorf("%s, ends the oldest %v: %v have ended; want %v", name, oldest, ended, want)
			}
		}
	}
}

func states(live ...string) map[string]roster.State {
	all := map[string]roster.State{}
	for _, key := range live {
		all[key] = roster.Live
	}
	return all
}

// A renewal of what lives is let in, whatever the limit; it is not a login.
func TestRenewalsAreNoLogins(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.add("a", "b")
	login := now()
	login.Replaces = "a"
	limit := roster.Limit{Sessions: 1, EndOldest: true}
	if _, _, err := p.Add(t.Context(), entry("c"), login, limit); err != nil || len(p.sessions.live()) != 2 {
		t.Errorf("a renewal is answered with %v, and %v live", err, p.sessions.live())
	}
	login.Replaces = "gone"
	if _, _, err := p.Add(t.Context(), entry("d"), login, limit); err != nil || len(p.sessions.live()) != 2 {
		t.Errorf("the renewal of what another one has ended is answered with %v, and %v live", err, p.sessions.live())
	}
}

// What is damaged is an error that says so, and nothing is lost by it.
func TestDamagedRosters(t *testing.T) {
	t.Parallel()
	for name, damages := range map[string]func(key string) bool{
		"head": func(key string) bool { return key == owner }, "pages": func(key string) bool { return key != owner },
	} {
		p := newPlace(t)
		p.add(keys("s", 60)...)
		page, err := p.memory.Scan(t.Context(), storage.ScanRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range page.Records {
			if damages(record.Key) {
				record.Data = []byte("{")
				if err := p.memory.Put(t.Context(), record, storage.Always()); err != nil {
					t.Fatal(err)
				}
			}
		}
		before, _ := p.records()
		for what, call := range map[string]func() error{
			"Add": func() error {
				_, _, err := p.Add(t.Context(), entry("new"), now(), roster.Limit{Sessions: 1})
				return err
			},
			"Remove": func() error { return p.Remove(t.Context(), "none", time.Now()) },
			"EndAll": func() error { _, _, err := p.EndAll(t.Context(), []string{"none"}); return err },
			"Find":   func() error { _, _, err := p.Find(t.Context(), "none"); return err },
			"All": func() error {
				for _, err := range p.All(t.Context()) {
					if err != nil {
						return err
					}
				}
				return nil
			},
		} {
			if err := call(); !errors.Is(err, storage.ErrCorrupt) {
				t.Errorf("%s: %s: %v; want ErrCorrupt", name, what, err)
			}
		}
		if n, _ := p.records(); n != before || len(p.sessions.live()) != 60 {
			t.Errorf("%s: %d records of %d are left, and %d sessions", name, n, before, len(p.sessions.live()))
		}
	}
}

// A login that began before all was ended is refused, whichever clock is wrong, where the process or the login knows.
func TestLoginsThatBeganBefore(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	before, expects := now(), now()
	before.Began = before.Began.Add(time.Hour)
	expects.Began, expects.Expects, expects.Epochs = before.Began, true, []string{""}
	_, epoch, err := p.EndAll(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	own := before
	own.Epochs = []string{epoch}
	after := now()
	after.Began = after.Began.Add(-time.Hour)
	for name, test := range map[string]struct {
		login roster.Login
		want  error
	}{
		"before": {before, roster.ErrEnded}, "expects": {expects, roster.ErrEnded},
		"its own": {own, nil}, "after": {after, nil},
	} {
		if _, _, err := p.Add(t.Context(), entry(name), test.login, roster.Limit{}); !errors.Is(err, test.want) {
			t.Errorf("%s: %v; want %v", name, err, test.want)
		}
	}
}

// The end of all fails where a page stays, and removes it when it is called again: what names an owner's sessions is to
// be gone when it says so.
func TestPagesThatStay(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for i := range 40 {
		e := entry(fmt.Sprintf("session-%03d", i))
		p.sessions.states[e.Key] = roster.Live
		if _, _, err := p.Add(t.Context(), e, now(), roster.Limit{}); err != nil {
			t.Fatal(err)
		}
	}
	driver := p.Driver
	p.Driver = tap.Without(driver, "Delete")
	if _, _, err := p.EndAll(t.Context(), nil); err == nil {
		t.Error("pages stay, and nothing says so")
	}
	p.Driver = driver
	if _, _, err := p.EndAll(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	page, err := driver.Scan(t.Context(), storage.ScanRequest{})
	if err != nil || len(page.Records) != 1 {
		t.Errorf("%d records are left, %v; want the head alone", len(page.Records), err)
	}
}

// The end of all comes through, however many log in meanwhile: here, one before each of its writes.
func TestEndAllBesideManyLogins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const logins = 200
		p := newPlace(t)
		other := *p.Roster
		other.Driver = p.memory
		n := 0
		p.before = func(_ int, call tap.Call) error {
			if call.Method != "Put" || n == logins {
				return nil
			}
			n++
			_, _, err := other.Add(t.Context(), entry(storage.NewVersion()), now(), roster.Limit{})
			return err
		}
		if _, _, err := p.EndAll(t.Context(), nil); err != nil || n != logins {
			t.Errorf("after %d logins: %v", n, err)
		}
	})
}
