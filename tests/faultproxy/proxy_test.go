package faultproxy_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scsdynamo/scsdynamo/tests/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine answers each request with its own text, and remembers it.
type engine struct {
	mu   sync.Mutex
	seen []string
}

func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	e.seen = append(e.seen, string(body))
	e.mu.Unlock()
	w.Header().Set("X-Engine", "yes")
	_, _ = w.Write(body)
}

func (e *engine) times(text string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, seen := range e.seen {
		if seen == text {
			n++
		}
	}
	return n
}

// wire is a client, a proxy and an engine.
type wire struct {
	*testing.T
	engine *engine
	proxy  *faultproxy.Proxy
	client *http.Client
}

func newWire(t *testing.T) *wire {
	t.Helper()
	e := &engine{}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return &wire{t, e, faultproxy.New(t, server.URL), client}
}

// send sends a request of an operation.
func (w *wire) send(ctx context.Context, operation, text string) (status int, body string, err error) {
	w.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.proxy.URL(), strings.NewReader(text))
	if err != nil {
		w.Fatal(err)
	}
	request.GetBody = nil // so that nobody sends it twice
	request.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	response, err := w.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	got, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	return response.StatusCode, string(got), err
}

func (w *wire) awaitLate() {
	w.Helper()
	if err := w.proxy.AwaitLate(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// TestFaults checks what each fault does to the client, and what the engine sees.
func TestFaults(t *testing.T) {
	t.Parallel()
	const text = "what was sent"
	for name, c := range map[string]struct {
		fault  faultproxy.Fault
		times  int // the engine sees it
		status int // 0 for no answer
		body   string
	}{
		"pass":           {faultproxy.Pass(), 1, 200, text},
		"lose request":   {faultproxy.LoseRequest(), 0, 0, ""},
		"lose response":  {faultproxy.LoseResponse(), 1, 0, ""},
		"cut":            {faultproxy.Cut(), 1, 200, text[:len(text)/2]},
		"delay":          {faultproxy.Delay(time.Millisecond), 1, 200, text},
		"delay response": {faultproxy.DelayResponse(time.Millisecond), 1, 200, text},
		"late":           {faultproxy.Late(time.Millisecond), 1, 0, ""},
		"twice":          {faultproxy.Twice(), 2, 200, text},
		"twice, late":    {faultproxy.TwiceLate(time.Millisecond), 2, 200, text},
		"throttle":       {faultproxy.Throttle(), 0, 400, "#ProvisionedThroughputExceededException"},
		"refuse":         {faultproxy.Refuse(503, "ServiceUnavailable"), 0, 503, "#ServiceUnavailable"},
		"quote":          {faultproxy.RefuseWith(400, "ValidationException", "not $BODY"), 0, 400, "not " + text},
		"fail after":     {faultproxy.FailAfter(500, "InternalServerError"), 1, 500, "#InternalServerError"},
		"HTML":           {faultproxy.HTML(429), 0, 429, "<html>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			w.proxy.On(faultproxy.Operation("PutItem"), 1, c.fault)
			if status, body, err := w.send(t.Context(), "GetItem", "another"); status != 200 || body != "another" || err != nil {
				t.Errorf("an operation that no fault is for: %d %q, %v", status, body, err)
			}
			if w.proxy.Unused() != 1 {
				t.Error("the fault has struck another operation")
			}
			status, body, err := w.send(t.Context(), "PutItem", text)
			if status != c.status || !strings.Contains(body, c.body) {
				t.Errorf("the client got %d %q, %v; want %d %q", status, body, err, c.status, c.body)
			}
			if broken := name == "cut" || c.status == 0; broken != (err != nil) {
				t.Errorf("the client's error is %v", err)
			}
			w.awaitLate()
			if got := w.engine.times(text); got != c.times {
				t.Errorf("the engine has seen it %d times; want %d", got, c.times)
			}
			if applied := c.times > 0 && name != "late"; c.fault.Applies() != applied {
				t.Errorf("the fault says that it applies: %v; want %v", c.fault.Applies(), applied)
			}
			if status, body, err := w.send(t.Context(), "PutItem", "next"); status != 200 || body != "next" || err != nil {
				t.Errorf("the next request: %d %q, %v", status, body, err)
			}
		})
	}
}

// TestHold checks that what is held arrives when it is released, although its sender has gone.
func TestHold(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	held := w.proxy.Hold(faultproxy.Writes, 1)
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, _, err := w.send(ctx, "PutItem", "held")
		gone <- err
	}()
	if err := held.Await(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the sender got %v", err)
	}
	if _, body, err := w.send(t.Context(), "PutItem", "next"); body != "next" || err != nil {
		t.Errorf("the next one: %q, %v", body, err)
	}
	if w.engine.times("held") != 0 {
		t.Error("the engine has seen it before it was released")
	}
	if err := held.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.engine.times("held") != 1 {
		t.Error("the engine has not seen it after it was released")
	}
	if got := w.proxy.Count("PutItem"); got != 2 {
		t.Errorf("%d requests were counted; want 2", got)
	}
}

// TestHoldResponse checks that the engine does what was asked at once, and that the answer comes when it is released.
func TestHoldResponse(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	held := w.proxy.HoldResponse(faultproxy.Any, 1)
	done := make(chan string, 1)
	go func() {
		_, body, _ := w.send(t.Context(), "PutItem", "held")
		done <- body
	}()
	if err := held.Await(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if w.engine.times("held") != 1 || len(done) != 0 {
		t.Error("it was not done, or is answered")
	}
	if err := held.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if body := <-done; body != "held" {
		t.Errorf("the answer is %q", body)
	}
}

// TestDrop checks that a test which ends leaves nothing behind.
func TestDrop(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	held := w.proxy.Hold(faultproxy.Any, -1)
	done := make(chan error, 1)
	go func() {
		_, _, err := w.send(t.Context(), "PutItem", "held")
		done <- err
	}()
	if err := held.Await(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	w.proxy.Drop()
	if err := <-done; err == nil {
		t.Error("what was dropped was answered")
	}
	if w.engine.times("held") != 0 {
		t.Error("what was dropped has arrived")
	}
}

// TestRandom checks that the same seed makes the same faults, and about as many as it should.
func TestRandom(t *testing.T) {
	t.Parallel()
	const attempts = 400
	faults := func(seed uint64) (names []string) {
		w := newWire(t)
		w.proxy.Random(&faultproxy.Random{Seed: seed, Percent: 25, Outages: 5, Longest: time.Millisecond})
		for range attempts {
			_, _, _ = w.send(t.Context(), "PutItem", "random")
		}
		w.awaitLate()
		for _, entry := range w.proxy.Entries() {
			if !entry.Late {
				names = append(names, entry.Fault)
			}
		}
		return names
	}
	first, again, other := faults(1), faults(1), faults(2)
	if !slices.Equal(slices.Compact(slices.Clone(first)), slices.Compact(slices.Clone(again))) {
		t.Error("the same seed has made other faults")
	}
	if slices.Equal(first, other) {
		t.Error("another seed has made the same faults")
	}
	struck := 0
	for _, name := range first {
		if name != "" {
			struck++
		}
	}
	if percent := struck * 100 / len(first); percent < 15 || percent > 45 {
		t.Errorf("%d of 100 attempts were struck", percent)
	}
}
