package owners_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/internal/tap"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

var strategies = map[string]func() lockstrategy.Strategy{
	"none":       lockstrategy.None,
	"optimistic": lockstrategy.Optimistic,
	"merge":      func() lockstrategy.Strategy { return lockstrategy.Merge(nil) },
	"lease":      func() lockstrategy.Strategy { return lockstrategy.Lease(lockstrategy.LeaseOptions{}) },
}

// The values of a session: who has logged in, with the number of the login behind it, and which session it is.
const (
	whoKey = "who"
	sidKey = "sid"
)

// settings are what a world is like.
type settings struct {
	strategy string
	limit    int // 0 for none
	then     sessionstore.OwnerLimit
	faults   bool
	secrets  int // 0 for none; with 2, processes have them in either order
	skew     time.Duration
}

func (s settings) String() string {
	return fmt.Sprintf("%s, limit %d, kind %d, %d secrets, clocks %v apart", s.strategy, s.limit, s.then,
		s.secrets, s.skew)
}

// world is some processes on one storage, and all that has happened.
type world struct {
	t      *testing.T
	draw   *rand.Rand
	is     settings
	driver *memory.Driver
	judges []*sessionstore.Store // on the storage itself, with the secrets in each order
	over   chan struct{}         // closed when it is all over, and the dead may go

	mu       sync.Mutex
	pending  []*waiting
	seq      int
	trace    []string
	problems []string

	ops       []*op
	late      []late
	stored    map[string]session // what lives, by token
	ids       map[string]string  // the ID of each session that ever lived, by its storage keys, to its token
	sids      map[string]string  // which session a token is of
	crowded   []crowd
	seenUnder map[string]map[string]bool // the tokens under which each login was seen
}

// session is what lives under a token.
type session struct {
	user, login, sid string
}

// crowd is an instant at which there were more sessions of somebody than may be.
type crowd struct {
	at     int
	user   string
	tokens []string
}

// late is a write that arrives after its answer.
type late struct {
	due  time.Time
	what string
	do   func() error
}

// turn is what becomes of a call.
type turn func(next func(late bool) error) error

// waiting is a call that waits for its turn.
type waiting struct {
	op   *op
	call tap.Call
	turn chan turn
}

// process is one process. It never comes back once it is dead; a new one takes its place.
type process struct {
	sessions *scs.SessionManager
	store    *sessionstore.Store
	dead     bool
}

// op is one request.
type op struct {
	id         string
	does, user string
	id2        string // of the session to end
	renews     bool
	token      string
	process    *process
	start, end int
	status     int
	err        error
	got        string // the token of its cookie
	saw        session
	listed     []sessionstore.OwnedSession
	n          int // how many it has ended
	faulted    bool
	ended      atomic.Bool // what it was told is there
	// While it lists: what the owner had after each write, as sessions by token; and the IDs of all that ever lived.
	states   []map[string]string
	everSeen map[string]bool
}

type opKey struct{}

func newWorld(t *testing.T, draw *rand.Rand, is settings) *world {
	t.Helper()
	w := &world{
		t: t, draw: draw, is: is, driver: memory.New(), over: make(chan struct{}),
		stored: map[string]session{}, ids: map[string]string{}, sids: map[string]string{},
		seenUnder: map[string]map[string]bool{},
	}
	for _, order := range w.orders() {
		w.judges = append(w.judges, w.store(w.driver, order, 0))
	}
	return w
}

func (w *world) orders() [][][]byte {
	one, two := storetest.Secret(1), storetest.Secret(2)
	return [][][][]byte{{nil}, {{one}}, {{one, two}, {two, one}}}[w.is.secrets]
}

func who(values map[string]any) string {
	text, _ := values[whoKey].(string)
	user, _, _ := strings.Cut(text, "#")
	return user
}

func (w *world) store(driver storage.Driver, secrets [][]byte, skew time.Duration) *sessionstore.Store {
	w.t.Helper()
	options := []sessionstore.Option{
		sessionstore.WithStrategy(strategies[w.is.strategy]()), sessionstore.WithTouchInterval(0),
		sessionstore.WithLogger(slog.New(slog.DiscardHandler)), sessionstore.WithOwner("user", who),
		sessionstore.WithClock(func() time.Time { return time.Now().Add(skew) }),
		sessionstore.WithOwnerDetails(func(_ *http.Request, values map[string]any) map[string]string {
			return map[string]string{sidKey: fmt.Sprint(values[sidKey])}
		}),
	}
	if len(secrets) > 0 {
		options = append(options, sessionstore.WithSecret(secrets[0], secrets[1:]...))
	}
	if w.is.limit > 0 {
		options = append(options, sessionstore.WithOwnerLimit("user", w.is.limit, w.is.then))
	}
	store, err := sessionstore.New(driver, options...)
	if err != nil {
		w.t.Fatal(err)
	}
	return store
}

// start starts a process.
func (w *world) start() *process {
	skew := time.Duration(0)
	if w.is.skew > 0 {
		skew = time.Duration(w.draw.Int64N(int64(w.is.skew))) - w.is.skew/2
	}
	orders := w.orders()
	order := orders[w.draw.IntN(len(orders))]
	p := &process{}
	own := &op{id: "a lease", process: p}
	p.store = w.store(&tap.Driver{Driver: w.driver, Around: func(
		ctx context.Context, call tap.Call, next func(context.Context) error,
	) error {
		o, ok := ctx.Value(opKey{}).(*op)
		if !ok {
			o = own // which no request waits for
		}
		turn := w.await(o, call)
		if turn == nil {
			return errDead
		}
		return turn(func(late bool) error {
			if late {
				return next(context.WithoutCancel(ctx))
			}
			return next(ctx)
		})
	}}, order, skew)
	p.sessions = storetest.NewManager(p.store)
	if w.draw.IntN(2) == 0 {
		p.sessions.IdleTimeout = 12 * time.Hour
	}
	return p
}

var errDead = errors.New("the process is dead")

// await waits for a turn. Nil is that of the dead.
func (w *world) await(o *op, call tap.Call) turn {
	waits := &waiting{op: o, call: call, turn: make(chan turn, 1)}
	w.mu.Lock()
	dead := o.process.dead
	if !dead {
		w.pending = append(w.pending, waits)
	}
	w.mu.Unlock()
	if dead {
		<-w.over
		return nil
	}
	select {
	case turn := <-waits.turn:
		return turn
	case <-w.over:
		return nil
	}
}

// kill lets a process die: none of its requests goes on.
func (w *world) kill(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p.dead = true
	w.pending = slices.DeleteFunc(w.pending, func(waits *waiting) bool { return waits.op.process == p })
	for _, o := range w.ops {
		if o.process == p && !o.ended.Load() {
			o.faulted = true
		}
	}
	w.trace = append(w.trace, "  a process dies")
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, fmt.Sprintf("%5d  ", w.seq)+fmt.Sprintf(format, args...))
}

func (w *world) problem(format string, args ...any) {
	w.note("PROBLEM: "+format, args...)
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

func (w *world) next() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq++
	return w.seq
}

// begin begins a request.
func (w *world) begin(o *op) {
	o.id = strconv.Itoa(len(w.ops))
	o.everSeen = map[string]bool{}
	state := map[string]string{}
	for token, s := range w.stored {
		if s.user == o.user {
			w.sawWhile(o, token)
			state[token] = s.sid
		}
	}
	o.states = []map[string]string{state}
	w.ops = append(w.ops, o)
	o.start = w.next()
	w.note("%s %s begins: %s, renews %v, with %.4s %s", o.id, o.does, o.user, o.renews, o.token, o.id2)
	go func() {
		w.visit(o)
		o.end = w.next()
		w.note("%s %s: %d, saw %+v, got %.4s, %v", o.id, o.does, o.status, o.saw, o.got, o.err)
		o.ended.Store(true)
	}()
}

func (w *world) sawWhile(o *op, token string) {
	for id, of := range w.ids {
		if of == token {
			o.everSeen[id] = true
		}
	}
}

// visit makes a request.
func (w *world) visit(made *op) {
	sessions := *made.process.sessions
	sessions.ErrorFunc = func(rw http.ResponseWriter, r *http.Request, err error) {
		made.err = err
		sessionstore.HandleError(rw, r, err)
	}
	ctx := context.WithValue(context.Background(), opKey{}, made)
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil)
	if made.token != "" {
		r.AddCookie(&http.Cookie{Name: sessions.Cookie.Name, Value: made.token})
	}
	rw := httptest.NewRecorder()
	sessionstore.LoadAndSave(&sessions)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := w.handle(r.Context(), &sessions, made); err != nil {
			sessions.ErrorFunc(rw, r, err)
		}
	})).ServeHTTP(rw, r)
	result := rw.Result()
	made.status = result.StatusCode
	for _, cookie := range result.Cookies() {
		made.got = cookie.Value
	}
}

func sessionOf(values func(key string) string) session {
	user, login, _ := strings.Cut(values(whoKey), "#")
	return session{user, login, values(sidKey)}
}

// handle is the handler.
func (w *world) handle(ctx context.Context, sessions *scs.SessionManager, made *op) (err error) {
	made.saw = sessionOf(func(key string) string { return sessions.GetString(ctx, key) })
	owner := made.process.store.Owner("user", made.user)
	if made.renews {
		if err := sessions.RenewToken(ctx); err != nil {
			return err
		}
	}
	switch made.does {
	case "login":
		sessions.Put(ctx, whoKey, made.user+"#"+made.id)
	case "leave":
		sessions.Remove(ctx, whoKey)
	case "logout":
		return sessions.Destroy(ctx)
	case "endall":
		made.n, err = owner.EndAll(ctx)
	case "endothers":
		made.n, err = owner.EndOthers(ctx)
	case "end":
		_, err = owner.End(ctx, made.id2)
	case "list":
		for listed, err := range owner.Sessions(ctx) {
			if err != nil {
				return err
			}
			made.listed = append(made.listed, listed)
		}
	case "change", "begin":
		sessions.Put(ctx, "changed by "+made.id, true)
	}
	if (made.does == "login" || made.does == "begin") && made.saw.sid == "" {
		sessions.Put(ctx, sidKey, "s"+made.id)
	}
	return err
}

// running returns the requests that run in processes that live.
func (w *world) running() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.ops {
		if !o.ended.Load() && !o.process.dead {
			n++
		}
	}
	return n
}

// step lets one call have its turn, and reports whether there was one.
func (w *world) step(fault func(waits *waiting) turn) bool {
	synctest.Wait()
	w.mu.Lock()
	slices.SortStableFunc(w.pending, func(a, b *waiting) int { return strings.Compare(a.op.id, b.op.id) })
	var waits *waiting
	if n := len(w.pending); n > 0 {
		i := w.draw.IntN(n)
		waits = w.pending[i]
		w.pending = slices.Delete(w.pending, i, i+1)
	}
	w.mu.Unlock()
	if waits == nil {
		return false
	}
	waits.turn <- fault(waits)
	synctest.Wait()
	if !waits.call.Reads() {
		w.look()
	}
	return true
}

// plainly is the turn of a call that meets no fault.
func (w *world) plainly(waits *waiting) turn {
	return func(next func(late bool) error) error {
		err := next(false)
		w.note("%s %s: %s %.28s: %v", waits.op.id, waits.op.does, waits.call.Method, waits.call.Key, err)
		return err
	}
}

// look looks at all that is stored.
func (w *world) look() {
	now := map[string]session{}
	for s, err := range w.judges[0].Sessions(context.Background()) {
		if err != nil {
			w.problem("what is stored cannot be read: %v", err)
			continue
		}
		_, values, err := scs.GobCodec{}.Decode(s.Data)
		if err != nil {
			w.problem("what is stored does not decode: %v", err)
			continue
		}
		now[s.Token] = sessionOf(func(key string) string { text, _ := values[key].(string); return text })
	}
	seq := w.next()
	w.stored = now
	counts := map[string]map[string]string{}
	for token, s := range now {
		for _, judge := range w.judges {
			w.ids[fingerprint.Of(judge.StorageKey(token))] = token
		}
		w.sids[token] = s.sid
		if s.user == "" {
			continue
		}
		if counts[s.user] == nil {
			counts[s.user] = map[string]string{}
		}
		counts[s.user][token] = s.sid
		if w.seenUnder[s.login] == nil {
			w.seenUnder[s.login] = map[string]bool{}
		}
		w.seenUnder[s.login][token] = true
	}
	for user, of := range counts {
		if w.is.limit > 0 && len(of) > w.is.limit {
			w.crowded = append(w.crowded, crowd{seq, user, slices.Sorted(maps.Keys(of))})
		}
	}
	for _, o := range w.ops {
		if o.does != "list" || o.ended.Load() {
			continue
		}
		for token := range counts[o.user] {
			w.sawWhile(o, token)
		}
		o.states = append(o.states, counts[o.user])
	}
	w.checkEnds(seq)
}

// acked reports whether the request was told that all is well.
func (o *op) acked() bool { return o.ended.Load() && o.status == http.StatusOK && o.err == nil }

// refused reports whether the request was told that nothing was stored.
func (o *op) refused() bool {
	return o.ended.Load() && o.err != nil && !errors.Is(o.err, storage.ErrOutcomeUnknown)
}

func (w *world) byID(login string) *op {
	i, err := strconv.Atoi(login)
	if err != nil || i >= len(w.ops) {
		return nil
	}
	return w.ops[i]
}

// known are the tokens that somebody has got.
func (w *world) known() map[string]bool {
	known := map[string]bool{}
	for _, o := range w.ops {
		if o.ended.Load() && o.got != "" {
			known[o.got] = true
		}
	}
	return known
}

// checkEnds checks that what was ended stays so.
func (w *world) checkEnds(seq int) {
	for _, e := range w.ops {
		if !e.acked() || e.does != "endall" && e.does != "endothers" {
			continue
		}
		for token, s := range w.stored {
			login := w.byID(s.login)
			if s.user != e.user || login == nil || login.start > e.start || e.end > seq ||
				e.does == "endothers" && (e.saw.sid == s.sid || e.token == login.token) {
				continue
			}
			if w.known()[token] {
				w.problem("%s has ended all of %s, and the login %s lives under %.4s", e.id, e.user, s.login, token)
			}
		}
	}
}

// settle lets all late writes arrive and the dead go, and judges.
func (w *world) settle() {
	time.Sleep(20 * time.Minute)
	for w.arrive() {
	}
	w.look()
	w.checkLists()
	w.checkLimits()
	w.checkRefusals()
	w.checkOthers()
	if w.is.limit == 0 || w.is.then == sessionstore.DenyNew {
		w.checkLost()
	}
	close(w.over)
	time.Sleep(10 * time.Minute) // some of the dead wait for each other
}

// arrive applies a late write whose time has come.
func (w *world) arrive() bool {
	for i, l := range w.late {
		if time.Now().Before(l.due) {
			continue
		}
		w.late = slices.Delete(w.late, i, i+1)
		w.note("%s arrives late: %v", l.what, l.do())
		w.look()
		return true
	}
	return false
}

// checkLists checks what requests were shown, and what each process shows at last.
func (w *world) checkLists() {
	known := w.known()
	for _, o := range w.ops {
		if o.does != "list" || !o.acked() {
			continue
		}
		tokens, sids := map[string]bool{}, map[string]bool{}
		for _, listed := range o.listed {
			token := w.ids[listed.ID]
			sid := w.sids[token]
			switch {
			case !o.everSeen[listed.ID] && known[token]:
				w.problem("%s is shown a session of %s that is dead or foreign: %.4s", o.id, o.user, token)
			case tokens[token], sids[sid] && !w.ghosts(sid, o):
				w.problem("%s is shown the session %s of %s twice", o.id, sid, o.user)
			}
			tokens[token], sids[sid] = true, true
		}
		for sid := range w.always(o) {
			if !sids[sid] {
				w.problem("%s is not shown the session %s of %s", o.id, sid, o.user)
			}
		}
	}
	for i, judge := range w.judges {
		for _, user := range users {
			want, got := []string{}, []string{}
			for token, s := range w.stored {
				if s.user == user {
					want = append(want, token)
				}
			}
			for listed, err := range judge.Owner("user", user).Sessions(context.Background()) {
				if err != nil {
					w.problem("at last, the sessions of %s cannot be listed: %v", user, err)
				}
				if token := w.ids[listed.ID]; known[token] || w.stored[token].user == user {
					got = append(got, token)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			want = slices.DeleteFunc(want, func(token string) bool {
				return !w.known()[token] && !slices.Contains(got, token) // of a renewal that was cut short
			})
			if !slices.Equal(want, got) {
				w.problem("at last, by %d, %s has %.4q; shown are %.4q", i, user, want, got)
			}
		}
	}
}

// always returns the sessions that lived all the time while the request made a list, under tokens that somebody has.
func (w *world) always(o *op) map[string]bool {
	known := w.known()
	var always map[string]bool
	for i, state := range o.states {
		lives := map[string]bool{}
		for token, sid := range state {
			lives[sid] = lives[sid] || known[token]
		}
		if i == 0 {
			always = lives
		}
		maps.DeleteFunc(always, func(sid string, _ bool) bool { return !lives[sid] })
	}
	return always
}

// ghosts reports whether a renewal of the session was cut short, or was overtaken by another request while the list was
// made: so it may have been there twice, under a token that nobody has.
func (w *world) ghosts(sid string, list *op) bool {
	var meanwhile, renewals int
	for _, o := range w.ops {
		switch {
		case w.sids[o.token] != sid:
		case o.faulted:
			return true
		case o.start < list.end && o.end > list.start:
			meanwhile++
			switch {
			case o.renews && !o.acked():
				return true
			case o.renews:
				renewals++
			}
		}
	}
	return renewals > 0 && (meanwhile > 1 || w.is.skew > 0)
}

func (w *world) checkLimits() {
	known := w.known()
	for _, c := range w.crowded {
		sids := map[string]bool{}
		for _, token := range c.tokens {
			if known[token] {
				sids[w.sids[token]] = true
			}
		}
		if len(sids) > w.is.limit {
			w.problem("at %d, %s has %d sessions: %.4q", c.at, c.user, len(sids), c.tokens)
		}
	}
}

// checkRefusals checks that nobody has the session of a login that was refused.
func (w *world) checkRefusals() {
	known := w.known()
	for _, o := range w.ops {
		if o.does != "login" || !o.refused() {
			continue
		}
		for token := range w.seenUnder[o.id] {
			if known[token] {
				w.problem("the login %s was refused, and is seen under %.4s", o.id, token)
			}
		}
	}
	for _, o := range w.ops {
		if o.does == "login" && errors.Is(o.err, storage.ErrOutcomeUnknown) && !o.faulted {
			w.problem("the login %s met no fault, and its outcome is not known", o.id)
		}
	}
}

// checkOthers checks that sessions are there that nobody has ended, as they were left.
func (w *world) checkOthers() {
	for _, login := range w.ops {
		if login.does != "login" || !login.acked() || login.got == "" {
			continue
		}
		sid := w.sids[login.got]
		involved := map[string]bool{}
		for _, o := range w.ops {
			if o.does == "login" && (w.sids[o.token] == sid || o == login) {
				involved[o.user] = true
			}
		}
		if w.is.limit > 0 && w.is.then == sessionstore.EndOldest || slices.ContainsFunc(w.ops, func(o *op) bool {
			touches := o.token != "" && (w.sids[o.token] == sid || o.token == login.token) && o != login
			ends := strings.HasPrefix(o.does, "end") && involved[o.user]
			return ends || touches && (o.does == "login" || o.does == "leave" || o.does == "logout" ||
				o.renews && o.faulted)
		}) {
			continue
		}
		left := false
		for _, s := range w.stored {
			left = left || s.sid == sid && s.user == login.user && s.login == login.id
		}
		if !left {
			w.problem("the login %s, the session %s of %s, is lost; nobody has ended it", login.id, sid, login.user)
		}
	}
}

// checkLost checks that whoever was refused has what he had.
func (w *world) checkLost() {
	for _, o := range w.ops {
		sid := w.sids[o.token]
		if o.does != "login" || !o.refused() || o.saw.sid == "" || sid == "" {
			continue
		}
		others := slices.ContainsFunc(w.ops, func(other *op) bool {
			touches := other != o && other.token != "" && w.sids[other.token] == sid
			ends := strings.HasPrefix(other.does, "end") && (other.user == o.saw.user || other.user == o.user)
			return touches && other.does != "change" && other.does != "list" || ends
		})
		if s, lives := w.stored[o.token]; !others && !o.faulted && (!lives || s != o.saw) {
			w.problem("the login %s was refused, and %.4s is %+v, %v; it was %+v", o.id, o.token, s, lives, o.saw)
		}
	}
}

var users = []string{"alice", "bob"}

// seeds returns n seeds that are drawn, or the one that the environment names.
func seeds(t *testing.T, n int) (all []uint64) {
	t.Helper()
	if text := os.Getenv("OWNERS_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return []uint64{seed}
	}
	for range n {
		all = append(all, rand.Uint64())
	}
	return all
}

// report fails the test for what must not have been.
func (w *world) report(seed uint64) {
	w.t.Helper()
	if len(w.problems) == 0 {
		return
	}
	w.t.Errorf("OWNERS_SEED=%d (%s):\n%s\n%s", seed, w.is, strings.Join(w.problems, "\n"), strings.Join(w.trace, "\n"))
}
