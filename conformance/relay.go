package conformance

import (
	"net"
	"sync"
	"testing"
)

// Relay is what stands between one store and its server, and fails when it is told to: the function for [WithFault]
// where the backend is reached by TCP. It makes FaultDown, FaultHang and FaultScan; the others need to know the
// protocol.
//
//	func newStore(t *testing.T) scs.Store {
//		relay := conformance.NewRelay(t, "127.0.0.1:5432")
//		return &relayed{openStore(t, relay.Addr()), relay}
//	}
//
//	conformance.WithFault(func(_ *testing.T, store scs.Store, fault conformance.Fault) (repair func()) {
//		return store.(*relayed).relay.Inject(fault)
//	})
//
// Each store needs a relay and a pool of connections of its own, or a fault meets other cases.
type Relay struct {
	server   string
	listener net.Listener

	mu       sync.Mutex
	fault    Fault         // 0 for none.
	repaired chan struct{} // Closed when the fault is over.
	left     int           // With FaultScan, how many bytes still get through.
	ended    bool
	open     map[net.Conn]struct{}
	working  sync.WaitGroup
}

// NewRelay listens on a port of the loopback interface and passes on what it gets to the server and back. It ends with
// t.
func NewRelay(t testing.TB, server string) *Relay {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("conformance: a relay to %s cannot listen: %v", server, err)
	}
	r := &Relay{server: server, listener: listener, open: map[net.Conn]struct{}{}}
	r.working.Go(r.accept)
	t.Cleanup(r.end)
	return r
}

// Addr is where the store finds its server, as host and port.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Inject makes a fault, and returns the function that ends it. It returns nil for a fault that it cannot make.
func (r *Relay) Inject(fault Fault) (repair func()) {
	const ofScan = 64 << 10 // Less than what FaultScan is used with, and more than a client reads for other reasons.
	switch fault {
	case FaultDown, FaultHang, FaultScan:
	default:
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault, r.repaired, r.left = fault, make(chan struct{}), ofScan
	if fault == FaultDown {
		r.breakAll()
	}
	return r.restore
}

// restore ends the fault, if there is one.
func (r *Relay) restore() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault != 0 {
		r.fault = 0
		close(r.repaired)
	}
}

func (r *Relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.working.Go(func() { r.serve(client) })
	}
}

// serve passes on what one connection says until either side ends it.
func (r *Relay) serve(client net.Conn) {
	if !r.add(client) {
		return
	}
	defer r.drop(client)
	if !r.passes(0) {
		return
	}
	server, err := net.Dial("tcp", r.server) //nolint:noctx // What ends it is drop.
	if err != nil || !r.add(server) {
		return
	}
	defer r.drop(server)
	done := make(chan struct{}, 2)
	pass := func(to, from net.Conn, answer bool) {
		defer func() { done <- struct{}{} }()
		buf := make([]byte, 4<<10)
		for {
			n, err := from.Read(buf)
			counted := 0
			if answer {
				counted = n
			}
			if n > 0 && !r.passes(counted) {
				return
			}
			if n > 0 {
				if _, err := to.Write(buf[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	r.working.Go(func() { pass(server, client, false) })
	r.working.Go(func() { pass(client, server, true) })
	<-done
}

// passes reports whether so many bytes of answers, and what is asked, may pass. Where the backend hangs it waits.
func (r *Relay) passes(answer int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.fault == FaultHang && !r.ended {
		repaired := r.repaired
		r.mu.Unlock()
		<-repaired
		r.mu.Lock()
	}
	if r.fault == FaultScan {
		r.left -= answer
		if r.left < 0 { // From here on it is down: who tries again must not succeed.
			r.fault = FaultDown
			r.breakAll()
		}
	}
	return r.fault != FaultDown && !r.ended
}

// add takes a connection into care, and refuses it where there is nobody to reach.
func (r *Relay) add(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault == FaultDown || r.ended {
		_ = c.Close()
		return false
	}
	r.open[c] = struct{}{}
	return true
}

func (r *Relay) drop(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, c)
	_ = c.Close()
}

// breakAll ends all connections. The caller holds r.mu.
func (r *Relay) breakAll() {
	for c := range r.open {
		_ = c.Close()
	}
}

func (r *Relay) end() {
	_ = r.listener.Close()
	r.mu.Lock()
	r.ended = true
	r.breakAll()
	r.mu.Unlock()
	r.restore()
	r.working.Wait()
}
