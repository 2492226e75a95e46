package lockstrategy_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

const key = "the session"

// spy counts the calls to a driver, and does to them what a test wants.
type spy struct {
	*memory.Driver

	mu     sync.Mutex
	calls  map[string]int
	failed int // writes that were refused
	// versions are those of all puts.
	versions map[string]bool
	// before is called before each call that is not done yet, and fails it where it returns an error.
	before func(call string) error
	// after is called after each call, and may change its error.
	after func(call string, err error) error
}

func newSpy(driver *memory.Driver) *spy {
	return &spy{Driver: driver, calls: map[string]int{}, versions: map[string]bool{}}
}

func (s *spy) do(call string, f func() error) error {
	s.mu.Lock()
	s.calls[call]++
	before, after := s.before, s.after
	s.mu.Unlock()
	if before != nil {
		if err := before(call); err != nil {
			return err
		}
	}
	err := f()
	if errors.Is(err, storage.ErrConflict) {
		s.mu.Lock()
		s.failed++
		s.mu.Unlock()
	}
	if after != nil {
		err = after(call, err)
	}
	return err
}

func (s *spy) set(before func(string) error, after func(string, error) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

// take returns the calls since the last take.
func (s *spy) take() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = map[string]int{}
	return calls
}

func (s *spy) Get(ctx context.Context, key string, c storage.Consistency) (r storage.Record, found bool, err error) {
	call := "get"
	if c == storage.Eventual {
		call = "poll"
	}
	err = s.do(call, func() error { r, found, err = s.Driver.Get(ctx, key, c); return err })
	return r, found, err
}

func (s *spy) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	s.mu.Lock()
	if s.versions[r.Version] {
		return errors.New("a version was used for two writes")
	}
	s.versions[r.Version] = true
	s.mu.Unlock()
	return s.do("put", func() error { return s.Driver.Put(ctx, r, c) })
}

func (s *spy) Update(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	return s.do("update", func() error { return s.Driver.Update(ctx, key, change, c) })
}

func (s *spy) Delete(ctx context.Context, key string, c storage.Condition) error {
	return s.do("delete", func() error { return s.Driver.Delete(ctx, key, c) })
}

func (s *spy) Acquire(
	ctx context.Context, key string, lease storage.Lease, c storage.Condition,
) (r storage.Record, err error) {
	err = s.do("acquire", func() error { r, err = s.Driver.Acquire(ctx, key, lease, c); return err })
	return r, err
}

// process is one process with a strategy of its own.
type process struct {
	t        testing.TB
	strategy lockstrategy.Strategy
	backend  *lockstrategy.Backend
	spy      *spy
	clock    time.Duration // by how much its clock is wrong
	// abandoned is how many of its sessions are never given back.
	abandoned int

	mu      sync.Mutex
	notices []lockstrategy.Notice
}

func newProcess(t testing.TB, driver *memory.Driver, strategy lockstrategy.Strategy) *process {
	p := &process{t: t, strategy: strategy, spy: newSpy(driver)}
	p.backend = &lockstrategy.Backend{Driver: p.spy, Now: func() time.Time { return time.Now().Add(p.clock) }}
	t.Cleanup(func() {
		if n := lockstrategy.Remembered(strategy); n != p.abandoned {
			t.Errorf("the strategy remembers %d sessions after the end of all requests", n)
		}
	})
	return p
}

// noticed returns the events that the strategy has told of.
func (p *process) noticed(event lockstrategy.NoticeEvent) (found []lockstrategy.Notice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.notices {
		if n.Event == event {
			found = append(found, n)
		}
	}
	return found
}

// visit is one request of a process.
type visit struct {
	p       *process
	ctx     context.Context
	key     string // under which it commits
	session lockstrategy.Session
	values  map[string]any
	crashed bool
	// deadline and expiry are what it commits.
	deadline, expiry time.Time
}

func (p *process) request(ctx context.Context) (context.Context, *lockstrategy.Request) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &lockstrategy.Request{
		Backend: p.backend, Lock: true, Payload: jsonPayload{}, Cancel: cancel,
		Notify: func(n lockstrategy.Notice) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.notices = append(p.notices, n)
		},
	}
}

// open loads the session. A session that is not found gives no values.
func (p *process) open() (*visit, error) {
	ctx, request := p.request(p.t.Context())
	return p.load(ctx, request)
}

// readOnly loads the session for a request that only reads.
func (p *process) readOnly() (*visit, error) {
	ctx, request := p.request(p.t.Context())
	request.Lock = false
	return p.load(ctx, request)
}

// visited lets the process know the session.
func (p *process) visited() {
	p.t.Helper()
	p.mustOpen().end()
	p.spy.take()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notices = nil
}

// draw begins a request that makes the session.
func (p *process) draw() *visit {
	ctx, request := p.request(p.t.Context())
	return &visit{
		p: p, ctx: ctx, key: key, session: p.strategy.New(request, storage.Record{Key: key}),
		values: map[string]any{}, deadline: inAnHour().UTC(), expiry: inAnHour(),
	}
}

func (p *process) load(ctx context.Context, request *lockstrategy.Request) (*visit, error) {
	return p.loadAt(ctx, request, key)
}

func (p *process) loadAt(ctx context.Context, request *lockstrategy.Request, key string) (*visit, error) {
	session, err := p.strategy.Load(ctx, request, key)
	if err != nil {
		return nil, err
	}
	v := &visit{p: p, ctx: ctx, key: key, session: session}
	if record, found := session.Record(); found {
		if v.deadline, v.values, err = (jsonPayload{}).Decode(record); err != nil {
			p.t.Error(err)
		}
		v.expiry = record.ExpiresAt
	}
	return v, nil
}

func (p *process) mustOpen() *visit {
	p.t.Helper()
	return p.mustOpenAt(key)
}

func (p *process) mustOpenAt(key string) *visit {
	p.t.Helper()
	ctx, request := p.request(p.t.Context())
	v, err := p.loadAt(ctx, request, key)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// commit stores the values of the visit.
func (v *visit) commit() error { return v.write(v.session.Commit) }

// renew stores the values of the visit under a new key.
func (v *visit) renew(key string) error {
	old := v.key
	v.key = key
	err := v.write(v.session.Renew)
	if err != nil {
		v.key = old
	}
	return err
}

func (v *visit) write(write func(context.Context, storage.Record) error) error {
	data, err := (jsonPayload{}).Encode(v.key, v.deadline, v.values)
	if err != nil {
		return err
	}
	return write(v.ctx, storage.Record{
		Key: v.key, Data: data, UpdatedAt: v.p.backend.Now(), ExpiresAt: v.expiry, Version: storage.NewVersion(),
	})
}

func (v *visit) set(name string, value any) error {
	v.values[name] = value
	return v.commit()
}

func (v *visit) end() {
	if v.crashed { // and come back
		v.p.abandoned = 0
	}
	if err := v.session.Release(context.WithoutCancel(v.ctx)); err != nil {
		v.p.t.Errorf("Release: %v", err)
	}
}

// jsonPayload keeps values as JSON, so that numbers become float64.
type jsonPayload struct{}

type jsonValues struct {
	Deadline time.Time
	Values   map[string]any
}

func (jsonPayload) Decode(record storage.Record) (time.Time, map[string]any, error) {
	var v jsonValues
	err := json.Unmarshal(record.Data, &v)
	return v.Deadline, v.Values, err
}

func (jsonPayload) Encode(_ string, deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(jsonValues{deadline, values})
}

func inAnHour() time.Time { return time.Now().Add(time.Hour) }

// store puts a session into the driver.
func store(t testing.TB, driver *memory.Driver, values map[string]any) storage.Record {
	t.Helper()
	deadline := time.Now().Add(24 * time.Hour).UTC()
	data, err := (jsonPayload{}).Encode(key, deadline, values)
	if err != nil {
		t.Fatal(err)
	}
	r := record(key, deadline)
	r.Data, r.CreatedAt = data, time.Now()
	if err := driver.Put(t.Context(), r, storage.Always()); err != nil {
		t.Fatal(err)
	}
	return r
}

// stocked returns a driver with a session in it.
func stocked(t testing.TB, values map[string]any) *memory.Driver {
	t.Helper()
	driver := memory.New()
	store(t, driver, values)
	return driver
}

// stored returns what is in the driver: values where that is a session.
func stored(t testing.TB, driver *memory.Driver) (record storage.Record, values map[string]any) {
	t.Helper()
	record, found, err := driver.Get(context.WithoutCancel(t.Context()), key, storage.Strong)
	if err != nil {
		t.Fatal(err)
	}
	if found && !record.Ended() {
		if _, values, err = (jsonPayload{}).Decode(record); err != nil {
			t.Fatal(err)
		}
	}
	return record, values
}
