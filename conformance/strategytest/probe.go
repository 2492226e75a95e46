package strategytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// probe is one run of a case.
type probe struct {
	*trial.Trial

	t           *testing.T      // For the caller's functions only.
	ctx         context.Context //nolint:containedctx // A probe lives as long as one case.
	options     Options
	newStrategy func(*testing.T) lockstrategy.Strategy
	driver      storage.Driver
	key         string
	secret      string       // Is in all session data.
	passed      atomic.Int64 // How far all clocks were moved, in nanoseconds.

	mu     sync.Mutex
	visits []*visit
}

func newProbe(t *testing.T, c *trial.Trial, newStrategy func(*testing.T) lockstrategy.Strategy, o Options) *probe {
	p := &probe{Trial: c, t: t, ctx: c.Context(), options: o, newStrategy: newStrategy}
	if o.NewDriver != nil {
		p.driver = o.NewDriver(t)
	} else {
		p.driver = memory.New()
	}
	p.key, p.secret = c.Alias(trial.NewToken(), "the session"), c.Alias(trial.NewToken(), "data")
	return p
}

// now is the time as everybody sees it whose clock is right.
func (p *probe) now() time.Time { return time.Now().Add(time.Duration(p.passed.Load())) }

// pass moves all clocks.
func (p *probe) pass(d time.Duration) {
	p.passed.Add(int64(d))
	p.Note(fmt.Sprintf("%v pass", d), "done")
}

// process makes a process with a strategy of its own.
func (p *probe) process(name string) *process {
	proc := &process{p: p, name: name, strategy: p.newStrategy(p.t), link: &link{driver: p.driver}}
	if proc.strategy == nil {
		p.Fatalf("newStrategy returned nil")
	}
	proc.backend = &lockstrategy.Backend{
		Driver: proc.link.wrap(),
		Now:    func() time.Time { return p.now().Add(proc.clock) },
	}
	if s, ok := proc.strategy.(lockstrategy.Validator); ok {
		if err := s.Validate(proc.backend); err != nil {
			p.Fatalf("the strategy cannot work: %v", err)
		}
	}
	return proc
}

// oneAndTwo calls f with two processes that are the same one, and with two.
func (p *probe) oneAndTwo(f func(first, second *process)) {
	both := p.process("one process")
	f(both, both)
	f(p.process("first"), p.process("second"))
}

// process is one process of an application.
type process struct {
	p        *probe
	name     string
	strategy lockstrategy.Strategy
	link     *link
	backend  *lockstrategy.Backend
	clock    time.Duration // By how much its clock is wrong; set before it is used.
}

// visit is one request.
type visit struct {
	proc    *process
	ctx     context.Context
	request *lockstrategy.Request
	session lockstrategy.Session
	values  map[string]string
}

// visit begins a request. configure may change what the strategy is told of it.
func (proc *process) visit(configure ...func(*lockstrategy.Request)) *visit {
	ctx, cancel := context.WithCancelCause(proc.p.ctx)
	v := &visit{proc: proc, ctx: ctx, values: map[string]string{}}
	v.request = &lockstrategy.Request{
		Backend: proc.backend, Lock: true, Payload: jsonPayload{}, Cancel: cancel,
		Notify: func(n lockstrategy.Notice) { proc.p.inspect("a notice", n.Err) },
	}
	for _, f := range configure {
		f(v.request)
	}
	proc.p.mu.Lock()
	defer proc.p.mu.Unlock()
	proc.p.visits = append(proc.p.visits, v)
	return v
}

func reading(r *lockstrategy.Request) { r.Lock = false }

// tryOpen begins a request and loads the session.
func (proc *process) tryOpen(configure ...func(*lockstrategy.Request)) (v *visit, found bool, err error) {
	v = proc.visit(configure...)
	found, err = v.load(v.ctx)
	return v, found, err
}

// open is tryOpen where the session must be found.
func (proc *process) open(configure ...func(*lockstrategy.Request)) *visit {
	v, found, err := proc.tryOpen(configure...)
	switch {
	case err != nil:
		proc.p.Fatalf("%s: loading the session failed: %v", proc.name, err)
	case !found:
		proc.p.Fatalf("%s: the session was not found", proc.name)
	}
	return v
}

// draw begins a request that makes the session.
func (proc *process) draw() *visit {
	v := proc.visit()
	step := proc.p.Begin("%s: New", proc.name)
	v.session = proc.strategy.New(v.request, storage.Record{Key: proc.p.key})
	proc.p.End(step, "done")
	if v.session == nil {
		proc.p.Fatalf("New returned nil")
	}
	return v
}

func (v *visit) load(ctx context.Context) (found bool, err error) {
	p := v.proc.p
	step := p.Begin("%s: Load(%s)", v.proc.name, trial.State(ctx))
	session, err := v.proc.strategy.Load(ctx, v.request, p.key)
	if err != nil {
		p.End(step, "%v", err)
		p.inspect("Load", err)
		return false, err
	}
	if session == nil {
		p.Fatalf("Load returned neither a session nor an error")
	}
	v.session = session
	record, found := session.Record()
	p.End(step, "found %t", found)
	if found {
		if v.values, err = decodeValues(record); err != nil {
			p.Fatalf("the record that was loaded holds other data than what is stored")
		}
	}
	return found, nil
}

// commit sets a value, and stores the session until an hour from now.
func (v *visit) commit(name string) error {
	return v.commitAs(v.ctx, v.proc.p.key, name, v.proc.backend.Now().Add(time.Hour))
}

func (v *visit) commitAs(ctx context.Context, key, name string, expiry time.Time) error {
	p := v.proc.p
	v.values[name] = p.secret
	step := p.Begin("%s: Commit(%s%s)", v.proc.name, trial.State(ctx), name)
	err := v.session.Commit(ctx, storage.Record{
		Key: key, Data: encodeValues(v.values), Version: storage.NewVersion(),
		UpdatedAt: v.proc.backend.Now(), ExpiresAt: expiry,
	})
	p.End(step, "%v", err)
	p.inspect("Commit", err)
	return err
}

// mustCommit is commit where nothing is in the way.
func (v *visit) mustCommit(name string) {
	if err := v.commit(name); err != nil {
		v.proc.p.Fatalf("%s: committing %s failed: %v", v.proc.name, name, err)
	}
}

func (v *visit) delete(ctx context.Context) error {
	p := v.proc.p
	step := p.Begin("%s: Delete(%s)", v.proc.name, trial.State(ctx))
	err := v.session.Delete(ctx)
	p.End(step, "%v", err)
	p.inspect("Delete", err)
	return err
}

// touch moves the expiry to so much later than now.
func (v *visit) touch(later time.Duration) error {
	p, now := v.proc.p, v.proc.backend.Now()
	step := p.Begin("%s: Touch", v.proc.name)
	err := v.session.Touch(v.ctx, storage.Change{ExpiresAt: now.Add(later), UpdatedAt: now})
	p.End(step, "%v", err)
	p.inspect("Touch", err)
	return err
}

// mustTouch is touch where nothing is in the way.
func (v *visit) mustTouch(later time.Duration) {
	if err := v.touch(later); err != nil {
		v.proc.p.Fatalf("Touch failed: %v", err)
	}
}

// end releases the session, as a store does whatever became of the request.
func (v *visit) end() {
	if v.session == nil {
		return
	}
	p := v.proc.p
	step := p.Begin("%s: Release", v.proc.name)
	err := v.session.Release(context.WithoutCancel(v.ctx))
	p.End(step, "%v", err)
	p.inspect("Release", err)
	if err != nil && !v.proc.link.isCut() {
		p.Fatalf("releasing failed: %v", err)
	}
}

// endAll releases what the case has left open: strategies may keep a lease alive until then.
func (p *probe) endAll() {
	p.mu.Lock()
	visits := slices.Clone(p.visits)
	p.mu.Unlock()
	for _, v := range visits {
		v.proc.link.heal()
		if v.session != nil {
			_ = v.session.Release(context.WithoutCancel(v.ctx))
		}
	}
}

// inspect looks for what no error may contain. It is L-I9, in every case.
func (p *probe) inspect(where string, err error) {
	if err == nil {
		return
	}
	text := err.Error()
	if strings.Contains(text, p.key) || strings.Contains(text, p.secret) {
		p.Failf("the error of %s contains the key, or session data", where)
	}
}

// start stores a session as some other process did, with one value.
func (p *probe) start(name string) storage.Record {
	now := p.now()
	record := storage.Record{
		Key: p.key, Data: encodeValues(map[string]string{name: p.secret}), Version: storage.NewVersion(),
		CreatedAt: now.Add(-time.Hour).Round(0), UpdatedAt: now, ExpiresAt: now.Add(24 * time.Hour),
	}
	p.write("another process stores the session with "+name, p.driver.Put(p.ctx, record, storage.Always()))
	return record
}

// foreign changes one value of the stored session as a request of another process does.
func (p *probe) foreign(name string) {
	record, values := p.stored(p.key)
	if values == nil {
		p.Fatalf("there is no session to be changed")
	}
	values[name] = p.secret
	next := record
	next.Succeed(record)
	next.Data, next.Version = encodeValues(values), storage.NewVersion()
	next.UpdatedAt, next.Lease = p.now(), storage.Lease{}
	p.write("another process commits "+name, p.driver.Put(p.ctx, next, storage.IfVersion(record.Version, p.now())))
}

// remove deletes the session as another process does.
func (p *probe) remove() {
	p.write("another process deletes the session", p.driver.Delete(p.ctx, p.key, storage.Always()))
}

func (p *probe) write(what string, err error) {
	p.Note(what, fmt.Sprint(err))
	if err != nil {
		p.Fatalf("the driver failed: %v", err)
	}
}

// stored returns what is under a key; the values are nil where there is no session.
func (p *probe) stored(key string) (storage.Record, map[string]string) {
	record, found, err := p.driver.Get(p.ctx, key, storage.Strong)
	if err != nil {
		p.Fatalf("the driver failed: %v", err)
	}
	if !found || record.Ended() {
		return record, nil
	}
	values, err := decodeValues(record)
	if err != nil {
		p.Fatalf("what is stored is no session any more")
	}
	return record, values
}

// wantStored expects exactly these values; none means that there is no session.
func (p *probe) wantStored(names ...string) storage.Record {
	record, values := p.stored(p.key)
	if values == nil && len(names) > 0 {
		p.Fatalf("there is no session; it should have %v", names)
	}
	if values != nil && len(names) == 0 {
		p.Fatalf("there is a session; it should be gone")
	}
	if got := namesOf(values); !slices.Equal(got, slices.Sorted(slices.Values(names))) {
		p.Fatalf("the session has the values %v; it should have %v", got, names)
	}
	return record
}

// wantFair judges a commit of the value own over a session in which somebody has stored the value theirs meanwhile: it
// was refused, or both are there.
func (p *probe) wantFair(err error, own, theirs string) {
	_, values := p.stored(p.key)
	_, kept := values[theirs]
	_, written := values[own]
	switch {
	case err == nil && (!kept || !written):
		p.Fatalf("the commit of %s succeeded, and the session has the values %v; it should have %s, too",
			own, namesOf(values), theirs)
	case err != nil && !errors.Is(err, storage.ErrConflict):
		p.Fatalf("the error does not match storage.ErrConflict: %v", err)
	case err != nil && (written || !kept):
		p.Fatalf("the commit was refused, and the session has the values %v; it should have %s and not %s",
			namesOf(values), theirs, own)
	}
}

// wantGone expects a commit to have been refused because the session was ended.
func (p *probe) wantGone(err error) {
	if !errors.Is(err, lockstrategy.ErrSessionGone) {
		p.Fatalf("the error is %v; it should match ErrSessionGone", err)
	}
}

// wantFree expects nobody to have a lease on the session.
func (p *probe) wantFree(when string) {
	if record, values := p.stored(p.key); values != nil && !record.Lease.Free() {
		p.Fatalf("%s there is a lease on the session", when)
	}
}

func namesOf(values map[string]string) []string {
	names := []string{}
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// jsonPayload is the payload of all records here.
type jsonPayload struct{}

func (jsonPayload) Decode(record storage.Record) (time.Time, map[string]any, error) {
	values, err := decodeValues(record)
	result := map[string]any{}
	for name, value := range values {
		result[name] = value
	}
	return record.ExpiresAt, result, err
}

func (jsonPayload) Encode(_ string, _ time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(values)
}

func encodeValues(values map[string]string) []byte {
	data, _ := json.Marshal(values) // Strings never fail.
	return data
}

func decodeValues(record storage.Record) (values map[string]string, err error) {
	err = json.Unmarshal(record.Data, &values)
	return values, err
}
