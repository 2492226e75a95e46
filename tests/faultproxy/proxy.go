package faultproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Request is one attempt of the SDK.
type Request struct {
	// Operation is its name in the API, such as "PutItem".
	Operation string
	// Body is the JSON document as it was sent.
	Body []byte

	header http.Header
	host   string
}

// Contains reports whether the body contains the text.
func (r *Request) Contains(text string) bool { return bytes.Contains(r.Body, []byte(text)) }

// Entry is what became of one attempt.
type Entry struct {
	At        time.Time
	Operation string
	Fault     string // empty where none struck
	Status    int    // of the engine, 0 where it was not asked
	Late      bool   // delivered after its fault had struck
}

// Proxy passes requests on to an engine, but for those that meet a fault. It is safe for concurrent use.
type Proxy struct {
	target string
	client *http.Client
	server *httptest.Server

	mu      sync.Mutex
	rules   []*rule
	held    []*Held
	random  *Random
	counts  map[string]int
	entries []Entry
	late    int           // deliveries that nobody waits for
	changed chan struct{} // closed, and replaced, with every change of the counts
}

// New starts a proxy to the engine at target. It ends with the test: what is held then is dropped.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	p := &Proxy{
		target: target, client: &http.Client{Transport: transport, Timeout: 30 * time.Second},
		counts: map[string]int{}, changed: make(chan struct{}),
	}
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	p.server.Config.ErrorLog = nil
	p.server.Start()
	t.Cleanup(func() {
		p.Drop()
		p.server.CloseClientConnections()
		p.server.Close()
		if err := p.AwaitLate(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
	})
	return p
}

// URL is the endpoint for clients.
func (p *Proxy) URL() string { return p.server.URL }

// Count returns how many attempts of an operation have arrived.
func (p *Proxy) Count(operation string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[operation]
}

// Await returns when n attempts of the operation have arrived, or with the context's error.
func (p *Proxy) Await(ctx context.Context, operation string, n int) error {
	return p.await(ctx, func() bool { return p.counts[operation] >= n })
}

func (p *Proxy) await(ctx context.Context, ok func() bool) error {
	for {
		p.mu.Lock()
		done, changed := ok(), p.changed
		p.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// notify wakes who awaits a change. The mutex is held.
func (p *Proxy) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Entries returns what became of the attempts that are over.
func (p *Proxy) Entries() []Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Entry(nil), p.entries...)
}

func (p *Proxy) note(request *Request, fault string, status int, late bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.entries = append(p.entries, Entry{time.Now(), request.Operation, fault, status, late})
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	request := &Request{Operation: operation, Body: body, header: r.Header.Clone(), host: r.Host}
	fault := p.next(request)
	fault.strike(&exchange{proxy: p, request: request, fault: fault.name, w: w, left: r.Context()})
}

// next counts the request, and takes its fault from the script or from the seed.
func (p *Proxy) next(request *Request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[request.Operation]++
	p.notify()
	for _, rule := range p.rules {
		if rule.left != 0 && rule.match(request) {
			if rule.left > 0 {
				rule.left--
			}
			return rule.fault
		}
	}
	if p.random != nil {
		return p.random.draw(request, p.counts[request.Operation])
	}
	return Pass()
}

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// deliver sends the request to the engine, whatever becomes of its sender.
func (p *Proxy) deliver(request *Request) (answer, error) {
	out, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.target, bytes.NewReader(request.Body))
	if err != nil {
		return answer{}, err
	}
	out.Header, out.Host = request.header.Clone(), request.host
	response, err := p.client.Do(out)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, body}, err
}

// exchange is an attempt and the connection that waits for its answer.
type exchange struct {
	proxy   *Proxy
	request *Request
	fault   string
	w       http.ResponseWriter
	left    context.Context // ends when the client has gone
}

// pass asks the engine.
func (e *exchange) pass() answer {
	a, err := e.proxy.deliver(e.request)
	if err != nil {
		a = refusal(http.StatusBadGateway, "BadGateway", err.Error())
	}
	e.note(a.status)
	return a
}

// passLate asks the engine in a goroutine of its own, after a while.
func (e *exchange) passLate(d time.Duration) {
	p := e.proxy
	p.count(&p.late, 1)
	timer := time.NewTimer(d)
	go func() {
		defer p.count(&p.late, -1)
		<-timer.C
		a, err := p.deliver(e.request)
		if err == nil {
			p.note(e.request, e.fault, a.status, true)
		}
	}()
}

// count adds to one of the counts that somebody may await.
func (p *Proxy) count(what *int, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*what += n
	p.notify()
}

func (e *exchange) note(status int) { e.proxy.note(e.request, e.fault, status, false) }

// respond writes the whole answer.
func (e *exchange) respond(a answer) {
	maps.Copy(e.w.Header(), a.header)
	e.w.WriteHeader(a.status)
	_, _ = e.w.Write(a.body)
}

// cut writes the header of the answer and half of its body, and closes the connection.
func (e *exchange) cut(a answer) {
	connection, buffer, err := http.NewResponseController(e.w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = connection.Close() }()
	head := &http.Response{
		StatusCode: a.status, ProtoMajor: 1, ProtoMinor: 1, Header: a.header, ContentLength: int64(len(a.body)),
		Body: io.NopCloser(bytes.NewReader(a.body[:len(a.body)/2])),
	}
	_ = head.Write(buffer) // it says that the body is too short, which it is to be
	_ = buffer.Flush()
}

// reset breaks the connection off.
func (e *exchange) reset() {
	connection, _, err := http.NewResponseController(e.w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}

// refusal is an error of the service.
func refusal(status int, code, message string) answer {
	body, err := json.Marshal(map[string]string{"__type": "com.amazonaws.dynamodb.v20120810#" + code, "message": message})
	if err != nil {
		panic(err) // strings always marshal
	}
	return answer{status, http.Header{
		"Content-Type":     {"application/x-amz-json-1.0"},
		"X-Amzn-Requestid": {"FAULTPROXY"},
	}, body}
}
