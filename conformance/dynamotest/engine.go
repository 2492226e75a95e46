package dynamotest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// engine is a DynamoDB that answers.
type engine struct {
	name     string
	endpoint string
	// stop ends what was started. It is nil where nothing was.
	stop func() error
}

// errAbsent says that an engine is not on this machine, as opposed to one that is and does not work.
var errAbsent = errors.New("not there")

// errNone is what a test is skipped for.
var errNone = errors.New("no DynamoDB to test on: start Docker, run `make engines`, or set AWS_ENDPOINT_URL_DYNAMODB")

// running is the engine of this process, once there is one.
var running atomic.Pointer[engine]

// start finds or starts the engine of this process, and always returns the same answer.
var start = sync.OnceValues(func() (*engine, error) {
	began := time.Now()
	e, err := find()
	if err != nil {
		return nil, err
	}
	running.Store(e)
	// On standard error, where `go test -v` and `go test -json` show it: the record of what the tests ran on.
	fmt.Fprintf(os.Stderr, "dynamotest: engine=%s endpoint=%s ready after %d ms\n",
		e.name, e.endpoint, time.Since(began).Milliseconds())
	return e, nil
})

// kinds are the engines that can be started, best first: DynamoDB Local is Amazon's, and its image is what people
// expect.
var kinds = []struct {
	name  string
	start func(timeout time.Duration) (*engine, error)
}{
	{"docker", startContainer},
	{"jar", startJar},
	{"dynoxide", startDynoxide},
}

// find decides by the environment.
func find() (*engine, error) {
	forced := os.Getenv("DYNAMOTEST_ENGINE")
	if address := os.Getenv("AWS_ENDPOINT_URL_DYNAMODB"); address != "" && forced == "" {
		if err := waitReady(address, 10*time.Second, nil); err != nil {
			return nil, fmt.Errorf("AWS_ENDPOINT_URL_DYNAMODB is set: %w", err)
		}
		return &engine{name: "endpoint", endpoint: address}, nil
	}
	var names, reasons []string
	for _, kind := range kinds {
		names = append(names, kind.name)
		if forced != "" && forced != kind.name {
			continue
		}
		e, err := kind.start(time.Minute)
		if err == nil {
			return e, nil
		}
		if forced != "" {
			return nil, fmt.Errorf("DYNAMOTEST_ENGINE=%s: %w", forced, err)
		}
		if !errors.Is(err, errAbsent) {
			fmt.Fprintf(os.Stderr, "dynamotest: going on without %s: %v\n", kind.name, err)
		}
		reasons = append(reasons, kind.name+": "+firstLine(err))
	}
	if forced != "" {
		return nil, fmt.Errorf("DYNAMOTEST_ENGINE=%s: there are %s", forced, strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("%w (%s)", errNone, strings.Join(reasons, "; "))
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// current returns the engine of this process. Without one it skips the test, or fails it if one was asked for.
func current(t testing.TB) *engine {
	t.Helper()
	e, err := start()
	switch {
	case err == nil:
		return e
	case errors.Is(err, errNone) && os.Getenv("REQUIRE_DYNAMODB") != "1":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
	return nil
}

// Endpoint returns the address of a DynamoDB, such as http://127.0.0.1:8000. The package comment says which one. All
// tests of a process get the same, so each must use tables of its own: see [TableName].
//
// Where there is none, the test is skipped. It fails if REQUIRE_DYNAMODB is 1, or if an endpoint or an engine was asked
// for by name and does not come up.
func Endpoint(t testing.TB) string {
	t.Helper()
	return current(t).endpoint
}

// EngineName says what [Endpoint] leads to: "docker" and "jar" are DynamoDB Local, which deletes items whose TTL has
// passed within about ten seconds, "dynoxide" is dynoxide, which does not, and "endpoint" is whatever
// AWS_ENDPOINT_URL_DYNAMODB names.
func EngineName(t testing.TB) string {
	t.Helper()
	return current(t).name
}

// Main runs the tests of a package, stops the engine they started and, if they passed, fails on goroutines that they
// left running. It returns the exit code of the process:
//
//	func TestMain(m *testing.M) { os.Exit(dynamotest.Main(m)) }
//
// Idle connections of HTTP clients are no leak: the SDK offers no way to close them. The options name further
// goroutines to ignore.
func Main(m *testing.M, ignore ...goleak.Option) int {
	code := m.Run()
	if e := running.Load(); e != nil && e.stop != nil {
		if err := e.stop(); err != nil {
			fmt.Fprintf(os.Stderr, "dynamotest: the engine %s cannot be stopped: %v\n", e.name, err)
			code = max(code, 1)
		}
	}
	if code != 0 {
		return code
	}
	ignore = append(ignore,
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
	if err := goleak.Find(ignore...); err != nil {
		fmt.Fprintf(os.Stderr, "dynamotest: the tests passed, but left goroutines running: %v\n", err)
		return 1
	}
	return 0
}

// waitReady returns when something answers HTTP requests at the address. That a port accepts connections says nothing:
// Docker's proxy does so long before the engine in the container. What is answered does not matter: DynamoDB Local
// calls the request a bad one, dynoxide calls it good.
//
// It gives up when the time is over, or at once when gone is closed.
func waitReady(address string, timeout time.Duration, gone <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
		if err != nil {
			return fmt.Errorf("%q is not an address: %w", address, err)
		}
		response, err := client.Do(request)
		if err == nil {
			err = response.Body.Close()
			// Another program may have taken the port that an engine of ours was to get.
			if gone == nil || response.Header.Get("X-Amzn-Requestid") != "" {
				return err
			}
			err = errors.New("what answers is no engine")
		}
		select {
		case <-gone:
			return errors.New("it ended before it answered")
		case <-ctx.Done():
			return fmt.Errorf("nothing answers at %s after %v: %w", address, timeout, err)
		case <-tick.C:
		}
	}
}
