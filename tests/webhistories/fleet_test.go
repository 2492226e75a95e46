package webhistories_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/tests/faultproxy"
	"github.com/scsdynamo/scsdynamo/tests/webapp"
)

const (
	processes = 3
	clients   = 8
	users     = 3
	perClient = 9

	percent     = 25                     // of the calls to storage meet a fault
	outages     = 5                      // of the runs of calls do, as a whole
	longestLate = 600 * time.Millisecond // how long requests are held up at most
	frozen      = 500 * time.Millisecond // how long a process is stopped
	hang        = 20 * time.Second       // when a client gives up
)

// fleet is processes that make one history after the other.
type fleet struct {
	procs []*webapp.Process
	table string
}

func newFleet(t *testing.T, table string) *fleet {
	t.Helper()
	f := &fleet{table: table}
	for range processes {
		f.procs = append(f.procs, webapp.Start(t))
	}
	return f
}

// play is one history in the making.
type play struct {
	t      *testing.T
	fleet  *fleet
	random *rand.Rand
	config webapp.Config
	skew   time.Duration // of the last process

	proxies  []*faultproxy.Proxy
	browsers []*webapp.Browser

	mu      sync.Mutex
	servers [processes]string
	secrets [processes][]byte
	h       *history
	events  map[int]func() // after so many requests
	running sync.WaitGroup // events
	event   sync.Mutex     // held during one, and never with mu
}

// record makes one history. Everything but the moments is drawn from the seed.
func (f *fleet) record(t *testing.T, seed uint64, strategy string) *history {
	t.Helper()
	p := &play{
		t: t, fleet: f, random: rand.New(rand.NewPCG(seed, 0)),
		h: &history{Seed: seed, Strategy: strategy, Left: map[string]webapp.Reply{}}, events: map[int]func(){},
	}
	p.config = webapp.Config{
		Table: f.table, Prefix: fmt.Sprintf("%d %s ", seed, t.Name()), Strategy: strategy,
		Lease: 300 * time.Millisecond, MaxWait: 2 * time.Second,
		AttemptTimeout: 300 * time.Millisecond, OperationTimeout: 1500 * time.Millisecond, Pause: 10 * time.Millisecond,
	}
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	p.draw(transport)
	for i := range processes {
		proxy := faultproxy.New(t, dynamotest.Endpoint(t))
		proxy.Random(&faultproxy.Random{
			Seed: seed*processes + uint64(i), Percent: percent, Outages: outages,
			Longest: longestLate,
		})
		p.proxies = append(p.proxies, proxy)
		p.deploy(i)
	}
	var all sync.WaitGroup
	for client := range clients {
		random := rand.New(rand.NewPCG(seed, uint64(client)+1))
		all.Go(func() {
			for n := range perClient {
				p.request(client, n, random, transport)
			}
		})
	}
	all.Wait()
	p.running.Wait()
	for _, proxy := range p.proxies {
		proxy.Random(nil)
		if err := proxy.AwaitLate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i, proxy := range p.proxies {
		for _, entry := range proxy.Entries() {
			p.h.Calls = append(p.h.Calls, call{i, entry})
		}
	}
	p.lookBack(transport)
	return p.h
}

// draw decides what kind of history it is.
func (p *play) draw(transport http.RoundTripper) {
	for range users {
		p.browsers = append(p.browsers, webapp.NewBrowser(transport))
	}
	requests := clients * perClient
	moment := func(from, to int) int { return (from + p.random.IntN(to-from)) * requests / 100 }
	p.skew = []time.Duration{0, 20 * time.Minute, -20 * time.Minute, time.Hour, -time.Hour}[p.random.IntN(5)]
	p.h.Skew = p.skew
	if p.random.IntN(2) == 0 {
		p.config.IdleTimeout = 6 * time.Hour
	}
	p.config.Lifetime = 24 * time.Hour
	victim := p.random.IntN(processes)
	switch p.random.IntN(3) {
	case 0:
		p.events[moment(10, 90)] = func() { p.kill(victim) }
	case 1:
		p.events[moment(10, 80)] = func() { p.freeze(victim) }
	}
	if p.random.IntN(3) == 0 {
		return // no secret
	}
	p.config.Secrets = []byte{1}
	if p.random.IntN(2) == 0 { // the secret is changed: all learn the new one, and then it comes first
		order := p.random.Perm(processes)
		p.events[moment(5, 20)] = func() { p.roll(order, []byte{1, 2}) }
		for i, process := range order {
			p.events[25*requests/100+moment(0, 10)+i*requests/6] = func() { p.roll([]int{process}, []byte{2, 1}) }
		}
	}
}

// deploy makes the application in a process, with the secrets that it has now.
func (p *play) deploy(process int) {
	config := p.config
	config.Endpoint = p.proxies[process].URL()
	if process == processes-1 {
		config.Skew = p.skew
	}
	p.mu.Lock()
	if p.secrets[process] != nil {
		config.Secrets = p.secrets[process]
	}
	p.mu.Unlock()
	server := p.fleet.procs[process].Deploy(p.t, config)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.servers[process] = server
	p.h.Deploys = append(p.h.Deploys, deploy{time.Now(), process, config.Secrets, config.Skew})
}

func (p *play) roll(order []int, secrets []byte) {
	for _, process := range order {
		p.mu.Lock()
		p.secrets[process] = secrets
		p.mu.Unlock()
		p.deploy(process)
	}
}

func (p *play) kill(process int) {
	p.fleet.procs[process].Kill(p.t)
	p.fleet.procs[process].Restart(p.t)
	p.deploy(process)
}

func (p *play) freeze(process int) {
	if p.fleet.procs[process].Freeze(p.t) {
		pause(p.t.Context(), frozen)
		p.fleet.procs[process].Thaw(p.t)
	}
}

// pause lets time pass, as people do.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// request is the n-th request of a client.
func (p *play) request(client, n int, random *rand.Rand, transport http.RoundTripper) {
	o := operation{
		Client: client, Browser: client % users, Process: random.IntN(processes), ID: fmt.Sprintf("r%d.%d", client, n),
	}
	method, target := http.MethodPost, ""
	switch draw := random.IntN(100); {
	case draw < 45:
		o.Kind, o.Counter = "inc", string('a'+rune(random.IntN(3)))
		target = "/inc?k=" + o.Counter
	case draw < 60:
		o.Kind, method, target = "get", http.MethodGet, "/get?"
	case draw < 70:
		o.Kind, method, target = "touch", http.MethodGet, "/touch?work=30ms"
	case draw < 82:
		o.Kind, target = "login", fmt.Sprintf("/login?user=confidential-%d-%d", p.h.Seed, o.Browser)
	case draw < 94:
		o.Kind, target = "renew", "/renew?"
	default:
		o.Kind, target = "logout", "/logout?"
	}
	target += fmt.Sprintf("&id=%s&work=%dms", o.ID, random.IntN(8))
	p.mu.Lock()
	server := p.servers[o.Process]
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(p.t.Context(), hang)
	defer cancel()
	o.Start = time.Now()
	response, err := p.browsers[o.Browser].Do(ctx, method, server, target)
	o.End, o.Response = time.Now(), response
	if err != nil {
		o.Err = err.Error()
	}
	p.note(o)
	pause(ctx, time.Duration(random.IntN(10))*time.Millisecond)
}

// note keeps what a client was told, and lets happen what was to happen then.
func (p *play) note(o operation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.h.Ops = append(p.h.Ops, o)
	if event := p.events[len(p.h.Ops)]; event != nil {
		p.running.Go(func() {
			p.event.Lock()
			defer p.event.Unlock()
			event()
		})
	}
}

// lookBack tries every token, with an application that meets no fault and knows all secrets.
func (p *play) lookBack(transport http.RoundTripper) {
	config := p.config
	config.Endpoint = dynamotest.Endpoint(p.t)
	if len(config.Secrets) > 0 {
		config.Secrets = []byte{2, 1}
	}
	config.AttemptTimeout, config.OperationTimeout = 0, 0
	judge := p.fleet.procs[0].Deploy(p.t, config)
	slices.SortStableFunc(p.h.Ops, func(a, b operation) int { return a.Start.Compare(b.Start) })
	for _, o := range p.h.Ops {
		if o.Got == "" {
			continue
		}
		if _, done := p.h.Left[o.Got]; done {
			continue
		}
		response, _, err := webapp.Send(p.t.Context(), transport, http.MethodGet, judge+"/get", o.Got)
		if err != nil || !response.OK() {
			p.t.Fatalf("look at the end: %d %s, %v", response.Status, response.Body, err)
		}
		p.h.Confidential = append(p.h.Confidential, o.Got)
		if response.Live() {
			p.h.Left[o.Got] = response.Reply
		}
	}
	p.h.Confidential = append(p.h.Confidential, fmt.Sprintf("confidential-%d-", p.h.Seed))
	for _, process := range p.fleet.procs {
		p.h.Logs += process.Log(p.t)
	}
}
