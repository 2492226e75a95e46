package main_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

// becomes waits until /readyz has that code, and says something. Whatever it waits for, the process is alive: nothing
// that is wrong with a table is a reason to start it anew.
func (p *process) becomes(when string, code int, says string) {
	p.t.Helper()
	began := time.Now()
	p.eventually(fmt.Sprintf("%s, /readyz is %d and says %q", when, code, says), func() bool {
		if alive, body := p.get("/livez"); alive != http.StatusOK {
			p.t.Fatalf("%s, /livez is %d: %s", when, alive, body)
		}
		return p.answers("/readyz", code, says)()
	})
	p.t.Logf("%s, /readyz is %d after %v", when, code, time.Since(began).Round(time.Millisecond))
}

// collects waits until a run has succeeded, and the process is ready.
func (p *process) collects(when string) {
	p.t.Helper()
	p.eventually(when+", a run has ended",
		func() bool { return p.metric(`gcrunner_runs_total{outcome="completed"}`) >= 1 })
	p.becomes(when, http.StatusOK, "ok")
}

// Where the process behind the endpoint dies, the collector is not ready, and stays alive. When it is back, so is the
// collector, and collects what has expired meanwhile.
func TestProbesWhileTheEngineIsDead(t *testing.T) {
	t.Parallel()
	name, driver := newTable(t, 5, 5)
	engine := startRelay(t, dynamotest.Endpoint(t), "127.0.0.1:0")
	p := serve(t, onDynamoDB(engine.address, name), "--interval", "1s", "--set", "collection.election_lease=2s")
	p.collects("with an engine")
	engine.kill()
	p.becomes("without an engine", http.StatusServiceUnavailable, "not reachable")
	put(t, driver, records(0, 5))
	startRelay(t, dynamotest.Endpoint(t), strings.TrimPrefix(engine.address, "http://"))
	p.becomes("with an engine again", http.StatusOK, "ok")
	p.eventually("what has expired meanwhile is collected", func() bool {
		_, dead := count(t, driver)
		return dead == 0
	})
}

// A table that is deleted is one that cannot be read.
func TestProbesWithoutTheTable(t *testing.T) {
	t.Parallel()
	name, _ := newTable(t, 5, 5)
	p := serve(t, onDynamoDB(dynamotest.Endpoint(t), name), "--interval", "1s", "--set", "collection.election_lease=2s")
	p.collects("with a table")
	if _, err := dynamotest.Client(t).DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
		t.Fatal(err)
	}
	p.becomes("without a table", http.StatusServiceUnavailable, "table not found")
	createTable(t, name)
	p.becomes("with a table again", http.StatusOK, "ok")
}

// Each right of the collector that is lost makes it unready, with a reason that names what is not allowed any more.
func TestProbesWithoutARight(t *testing.T) {
	t.Parallel()
	for operation, says := range map[string]string{
		"GetItem":    "cannot be read",                        // of what /readyz reads itself
		"Scan":       "no run has succeeded for",              // after three intervals
		"UpdateItem": "it cannot be found out who is elected", // what elections are written with
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			name, _ := newTable(t, 5, 0)
			gate := newGate(t, dynamotest.Endpoint(t))
			p := serve(t, onDynamoDB(gate.url, name), "--interval", "1s", "--set", "collection.election_lease=2s")
			p.collects("with all rights")
			gate.denied.Store(operation)
			p.becomes("without "+operation, http.StatusServiceUnavailable, says)
			if _, body := p.get("/readyz"); !strings.Contains(body, operation) || !strings.Contains(body, "access denied") {
				t.Errorf("without %s, /readyz does not say what is denied: %s", operation, body)
			}
			gate.denied.Store("")
			p.becomes("with all rights again", http.StatusOK, "ok")
		})
	}
}

// startRelay starts a process that passes requests on to the endpoint. To a collector, it is a DynamoDB that can be
// killed: the engine of the tests serves others, and would lose their tables.
func startRelay(t *testing.T, endpoint, address string) *process {
	t.Helper()
	p := launch(t, append(environ(), asRelay+"="+endpoint, relayAddress+"="+address))
	p.awaitAddress()
	return p
}

// asRelay makes this test binary such a process, which listens at relayAddress.
const (
	asRelay      = "GCRUNNER_TEST_AS_RELAY"
	relayAddress = "GCRUNNER_TEST_RELAY_ADDRESS"
)

// relay passes requests on until the process ends.
func relay(target string) error {
	endpoint, err := url.Parse(target)
	if err != nil {
		return err
	}
	listener, err := listenAgain(os.Getenv(relayAddress))
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "address=http://%s\n", listener.Addr())
	server := &http.Server{
		Handler:           &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(endpoint) }},
		ReadHeaderTimeout: 10 * time.Second,
	}
	return server.Serve(listener)
}

// listenAgain listens at an address that somebody else may use for a moment, if only to make a connection from.
func listenAgain(address string) (listener net.Listener, err error) {
	for range 100 {
		if listener, err = new(net.ListenConfig).Listen(context.Background(), "tcp", address); err == nil {
			return listener, nil
		}
		<-time.After(100 * time.Millisecond)
	}
	return nil, err
}
