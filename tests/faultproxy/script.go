package faultproxy

import (
	"context"
	"slices"
	"sync"
)

// Match says which attempts a rule is about.
type Match func(*Request) bool

// Any matches every attempt.
func Any(*Request) bool { return true }

// Operation matches the attempts of these operations.
func Operation(names ...string) Match {
	return func(r *Request) bool { return slices.Contains(names, r.Operation) }
}

// Writes matches the attempts that may change an item.
func Writes(r *Request) bool {
	return slices.Contains([]string{"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"},
		r.Operation)
}

// Reads matches the attempts that change nothing.
func Reads(r *Request) bool { return !Writes(r) }

type rule struct {
	match Match
	left  int // negative for no end
	fault Fault
}

// On lets the next n attempts that match meet the fault; a negative n means until remove is called.
func (p *Proxy) On(match Match, n int, fault Fault) (remove func()) {
	added := &rule{match, n, fault}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, added)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.rules = slices.DeleteFunc(p.rules, func(r *rule) bool { return r == added })
	}
}

// Unused returns how many attempts scripted faults have still to strike.
func (p *Proxy) Unused() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, rule := range p.rules {
		n += max(rule.left, 0)
	}
	return n
}

// Held is a rule that holds requests.
type Held struct {
	proxy    *Proxy
	release  chan struct{}
	once     sync.Once
	dropped  bool
	arrived  int
	answered int
}

// Hold keeps the next n attempts that match from the engine until [Held.Release]. A client that has given up meanwhile
// does not keep them from being delivered then.
func (p *Proxy) Hold(match Match, n int) *Held {
	h := p.newHeld()
	p.On(match, n, Fault{
		"hold", h.hold(func(e *exchange) { e.note(0) }, func(e *exchange) { e.respond(e.pass()) }),
		false,
	})
	return h
}

func (p *Proxy) newHeld() *Held {
	h := &Held{proxy: p, release: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = append(p.held, h)
	return h
}

// HoldResponse lets the engine do what the next n attempts that match ask, and keeps the answers back until
// [Held.Release].
func (p *Proxy) HoldResponse(match Match, n int) *Held {
	h := p.newHeld()
	p.On(match, n, Fault{"hold response", func(e *exchange) {
		a := e.pass()
		h.hold(func(*exchange) {}, func(e *exchange) { e.respond(a) })(e)
	}, true})
	return h
}

func (h *Held) hold(before, after func(*exchange)) func(*exchange) {
	return func(e *exchange) {
		before(e)
		h.proxy.count(&h.arrived, 1)
		<-h.release
		h.proxy.mu.Lock()
		dropped := h.dropped
		h.proxy.mu.Unlock()
		if dropped {
			e.reset()
		} else {
			after(e)
		}
		h.proxy.count(&h.answered, 1)
	}
}

// Await returns when n attempts are held, or have been.
func (h *Held) Await(ctx context.Context, n int) error {
	return h.proxy.await(ctx, func() bool { return h.arrived >= n })
}

// Release delivers what is held, and returns when the engine has answered it. It may be called more than once.
func (h *Held) Release(ctx context.Context) error {
	h.once.Do(func() { close(h.release) })
	return h.proxy.await(ctx, func() bool { return h.answered >= h.arrived })
}

// Drop takes all rules out of the script. What is held is lost.
func (p *Proxy) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules, p.random = nil, nil
	for _, h := range p.held {
		h.once.Do(func() {
			h.dropped = true
			close(h.release)
		})
	}
	p.held = nil
}

// Reset takes the faults that have not struck out of the script. What is held stays so.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = nil
}
