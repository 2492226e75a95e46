package owners_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// orders is how many orders are drawn for each schedule and each strategy.
const orders = 60

// schedule is some requests whose calls to storage are made in any order.
type schedule struct {
	is settings
	// before are made one after the other. The token of the first is that of those which have one.
	before []like
	races  []like
	// check says what else must not be, when all have ended.
	check func(w *world, races []*op)
}

// like is what a request is like.
type like struct {
	does, user, token string
	renews            bool
}

func login(user string, renews bool) like { return like{does: "login", user: user, renews: renews} }

// with is the request with the token of the first one before.
func with(o like) like { o.token = "first"; return o }

var alice = login("alice", false)

// wantLive checks how many sessions alice has.
func wantLive(least, most int) func(w *world, races []*op) {
	return func(w *world, _ []*op) {
		n := 0
		for _, s := range w.stored {
			if s.user == "alice" {
				n++
			}
		}
		if n < least || n > most {
			w.problem("alice has %d sessions; want %d to %d", n, least, most)
		}
	}
}

// wantDenied checks that all logins but one were refused for the limit.
func wantDenied(w *world, races []*op) {
	denied := 0
	for _, o := range races {
		if o.status != 200 {
			denied++
		}
	}
	if denied != len(races)-1 {
		w.problem("%d of %d logins are refused", denied, len(races))
	}
}

var schedules = map[string]schedule{
	"a login and an end of all": {
		before: []like{alice}, races: []like{alice, {does: "endall", user: "alice"}}, check: wantLive(0, 1),
	},
	"a login with the token it has, twice, and an end of all": {
		before: []like{{does: "begin"}}, races: []like{with(alice), with(alice), {does: "endall", user: "alice"}},
	},
	"two logins with the token they have": {
		before: []like{{does: "begin"}}, races: []like{with(alice), with(alice)}, check: wantLive(1, 1),
	},
	"a change of the user, and back": {
		before: []like{alice}, races: []like{with(login("bob", false)), with(alice), with(like{does: "leave"})},
	},
	"a renewed login and two ends": {
		before: []like{{does: "begin"}},
		races: []like{
			with(login("alice", true)), {does: "endall", user: "alice"}, {does: "endall", user: "alice"},
		},
	},
	"a change and an end of all": {
		before: []like{alice}, races: []like{with(like{does: "change"}), {does: "endall", user: "alice"}},
		check: wantLive(0, 0),
	},
	"a renewal and an end of all": {
		before: []like{alice}, races: []like{with(like{does: "change", renews: true}), {does: "endall", user: "alice"}},
		check: wantLive(0, 0),
	},
	"a move and an end of all": {
		is: settings{secrets: 2}, before: []like{alice},
		races: []like{with(like{does: "change"}), with(like{does: "change"}), {does: "endall", user: "alice"}},
		check: wantLive(0, 0),
	},
	"a move and an end of the others": {
		is: settings{secrets: 2}, before: []like{alice, alice},
		races: []like{with(like{does: "change"}), with(like{does: "endothers", user: "alice"})}, check: wantLive(1, 1),
	},
	"a move, a renewal and a list": {
		is: settings{secrets: 2}, before: []like{alice, alice},
		races: []like{with(like{does: "change"}), with(like{does: "change", renews: true}), {does: "list", user: "alice"}},
	},
	"two logins where one is allowed": {
		is: settings{limit: 1, then: sessionstore.DenyNew}, races: []like{alice, alice},
		check: func(w *world, races []*op) { wantLive(1, 1)(w, races); wantDenied(w, races) },
	},
	"two logins where the latest counts": {
		is: settings{limit: 1, then: sessionstore.EndOldest}, before: []like{alice}, races: []like{alice, alice},
		check: wantLive(0, 1),
	},
	"a renewal and a login where one is allowed": {
		is: settings{limit: 1, then: sessionstore.DenyNew}, before: []like{alice},
		races: []like{with(like{does: "change", renews: true}), alice}, check: wantLive(1, 1),
	},
	"a login and a move where two are allowed": {
		is:     settings{limit: 2, then: sessionstore.EndOldest, secrets: 2},
		before: []like{alice}, races: []like{with(like{does: "change"}), alice}, check: wantLive(2, 2),
	},
	"a login and a list": {
		before: []like{alice, login("bob", false)}, races: []like{alice, {does: "list", user: "alice"}},
	},
	"a renewal and a list": {
		before: []like{alice}, races: []like{with(like{does: "change", renews: true}), {does: "list", user: "alice"}},
	},
	"an end of all and a list": {
		before: []like{alice, alice}, races: []like{{does: "endall", user: "alice"}, {does: "list", user: "alice"}},
	},
}

// T6: in each order of their calls.
func TestT6_EveryOrder(t *testing.T) {
	t.Parallel()
	for name, s := range schedules {
		for _, strategy := range slices.Sorted(maps.Keys(strategies)) {
			t.Run(name+"/"+strategy, func(t *testing.T) {
				t.Parallel()
				for _, seed := range seeds(t, orders) {
					t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { s.run(t, seed, strategy) })
					})
				}
			})
		}
	}
}

func (s schedule) run(t *testing.T, seed uint64, strategy string) {
	t.Helper()
	s.is.strategy = strategy
	w := newWorld(t, rand.New(rand.NewPCG(seed, 2)), s.is)
	first := ""
	start := func(is like) *op {
		o := &op{process: w.start(), does: is.does, user: is.user, renews: is.renews}
		if is.token != "" {
			o.token = first
		}
		w.begin(o)
		return o
	}
	for _, o := range s.before {
		made := start(o)
		w.run()
		if made.status != 200 {
			t.Fatalf("%s is answered with %d, %v", o.does, made.status, made.err)
		}
		if first == "" {
			first = made.got
		}
	}
	var races []*op
	for _, o := range s.races {
		races = append(races, start(o))
	}
	w.run()
	if s.check != nil {
		s.check(w, races)
	}
	w.settle()
	w.report(seed)
}

// run goes on until no request runs any more.
func (w *world) run() {
	for w.running() > 0 {
		if !w.step(w.plainly) {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Millisecond)
	}
}
