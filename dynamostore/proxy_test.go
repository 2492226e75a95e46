package dynamostore_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
)

// proxy stands between the SDK and the engine, and does to requests and answers what a network does.
type proxy struct {
	*httptest.Server
	engine string

	mu     sync.Mutex
	script map[string][]proxyFault
	held   []func() // what was kept back and has not arrived
	seen   map[string]int
}

// proxyFault is what becomes of a request. forward sends it to the engine, and returns the answer and its body.
type proxyFault func(w http.ResponseWriter, forward func() (*http.Response, []byte))

func newProxy(t testing.TB) *proxy {
	t.Helper()
	p := &proxy{engine: dynamotest.Endpoint(t), script: map[string][]proxyFault{}, seen: map[string]int{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// newProxyFixture is newFixture with the proxy on the way, and the options that applications use.
func newProxyFixture(t testing.TB) (*fixture, *proxy) {
	t.Helper()
	p := newProxy(t)
	f := newFixture(t, dynamostore.Table{})
	f.client = appClient(t, dynamostore.TuneClient, f.recorder.Install, func(o *dynamodb.Options) {
		o.BaseEndpoint = aws.String(p.URL)
		o.RetryMaxAttempts = 3 // for less to wait for
	})
	var err error
	if f.driver, err = dynamostore.NewDriver(f.client, f.table); err != nil {
		t.Fatal(err)
	}
	if f.store, err = dynamostore.New(f.client, f.table); err != nil {
		t.Fatal(err)
	}
	return f, p
}

// strike lets a fault meet the next n requests of an operation.
func (p *proxy) strike(operation string, n int, fault proxyFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range n {
		p.script[operation] = append(p.script[operation], fault)
	}
}

// deliver lets those requests arrive that were held.
func (p *proxy) deliver() {
	p.mu.Lock()
	held := p.held
	p.held = nil
	p.mu.Unlock()
	for _, late := range held {
		late()
	}
}

// requests returns how many requests of the operation came.
func (p *proxy) requests(operation string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[operation]
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	forward := func() (*http.Response, []byte) {
		out, err := http.NewRequest(r.Method, p.engine+r.URL.Path, bytes.NewReader(body)) //nolint:noctx // It outlives r.
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		out.Header, out.Host = r.Header.Clone(), r.Host
		response, err := http.DefaultClient.Do(out)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer func() { _ = response.Body.Close() }()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		return response, answer
	}
	fault := proxyFault(pass)
	p.mu.Lock()
	p.seen[operation]++
	if script := p.script[operation]; len(script) > 0 {
		fault, p.script[operation] = script[0], script[1:]
	}
	p.mu.Unlock()
	fault(w, forward)
}

func pass(w http.ResponseWriter, forward func() (*http.Response, []byte)) {
	response, body := forward()
	copyHeader(w, response)
	_, _ = w.Write(body)
}

func copyHeader(w http.ResponseWriter, response *http.Response) {
	maps.Copy(w.Header(), response.Header)
	w.WriteHeader(response.StatusCode)
}

// lost does what is asked, and closes the connection.
func lost(_ http.ResponseWriter, forward func() (*http.Response, []byte)) {
	forward()
	panic(http.ErrAbortHandler)
}

// doubled does what is asked twice, and tells what came of the second time.
func doubled(w http.ResponseWriter, forward func() (*http.Response, []byte)) {
	forward()
	pass(w, forward)
}

// cut does what is asked, and closes the connection in the middle of the answer.
func cut(w http.ResponseWriter, forward func() (*http.Response, []byte)) {
	response, body := forward()
	copyHeader(w, response) // with the length of the whole
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// emptied does what is asked, and answers with nothing, as where a proxy without lengths is cut off.
func emptied(w http.ResponseWriter, forward func() (*http.Response, []byte)) {
	response, _ := forward()
	w.WriteHeader(response.StatusCode)
}

// held closes the connection, and keeps the request for deliver.
func (p *proxy) hold(_ http.ResponseWriter, forward func() (*http.Response, []byte)) {
	p.mu.Lock()
	p.held = append(p.held, func() { forward() })
	p.mu.Unlock()
	panic(http.ErrAbortHandler)
}

// page answers with a page of HTML in the engine's place.
func page(status int) proxyFault {
	return func(w http.ResponseWriter, _ func() (*http.Response, []byte)) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<html><body>"+http.StatusText(status)+"</body></html>")
	}
}

// pageAfter does what is asked, and answers with a page of HTML all the same.
func pageAfter(status int) proxyFault {
	return func(w http.ResponseWriter, forward func() (*http.Response, []byte)) {
		forward()
		page(status)(w, forward)
	}
}
