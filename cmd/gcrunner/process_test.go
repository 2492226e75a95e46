package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/boltstore"
	main "github.com/scsdynamo/scsdynamo/cmd/gcrunner"
	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// asCommand makes this test binary the command. A binary of its own would be built in each run, and results of tests
// would be kept although it has changed.
const asCommand = "GCRUNNER_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if target := os.Getenv(asRelay); target != "" {
		fmt.Fprintln(os.Stderr, relay(target))
		os.Exit(1)
	}
	if os.Getenv(asCommand) == "1" {
		main.Main() // does not return
	}
	os.Exit(dynamotest.Main(m))
}

// environ returns the environment of a process: nothing of the configuration of whoever runs the tests.
func environ(more ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "AWS_") || strings.HasPrefix(variable, "SCSDYNAMO_")
	})
	return append(append(env, asCommand+"=1"), more...)
}

// onBolt returns the environment for sessions in a file.
func onBolt(path string) []string {
	return environ("SCSDYNAMO_DRIVER=bolt", "SCSDYNAMO_BOLT_PATH="+path, "SCSDYNAMO_BOLT_GRACE=100h")
}

// onDynamoDB returns the environment for sessions in a table.
func onDynamoDB(endpoint, table string) []string {
	return environ("AWS_ENDPOINT_URL_DYNAMODB="+endpoint, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=local",
		"AWS_SECRET_ACCESS_KEY=local", "SCSDYNAMO_TABLE_NAME="+table)
}

// result is what a process has left.
type result struct {
	code           int
	stdout, stderr string
	took           time.Duration
}

// invoke runs the command to its end.
func invoke(t *testing.T, env []string, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env, cmd.Dir = env, t.TempDir()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), time.Since(began)}
}

// process is the command while it runs.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string // of its pages
	ended   chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

// Write collects what the process logs.
func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(text)
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// launch starts the command, which the test ends if it has not ended before.
func launch(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, ended: make(chan struct{})}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], args...)
	p.cmd.Env, p.cmd.Dir, p.cmd.Stderr = env, t.TempDir(), p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // how it has ended is in its state
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
		if t.Failed() {
			t.Logf("a process has logged:\n%s", p.logged())
		}
	})
	return p
}

// serve is launch for a process with a schedule. It waits until its pages are there.
func serve(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := launch(t, env, append([]string{"--listen", "127.0.0.1:0"}, args...)...)
	p.awaitAddress()
	return p
}

// awaitAddress waits until the process has logged where it listens.
func (p *process) awaitAddress() {
	p.t.Helper()
	p.eventually("it listens", func() bool {
		found := regexp.MustCompile(`address"?[=:]"?(http://[^\s"]+)`).FindStringSubmatch(p.logged())
		if found != nil {
			p.address = found[1]
		}
		return found != nil
	})
}

// eventually waits for what must become so.
func (p *process) eventually(what string, is func() bool) {
	p.t.Helper()
	p.within(30*time.Second, what, is)
}

// within waits for what must become so within a time.
func (p *process) within(limit time.Duration, what string, is func() bool) {
	p.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	over := time.After(limit)
	for !is() {
		select {
		case <-tick.C:
		case <-over:
			p.t.Fatalf("it does not come to pass within %v that %s", limit, what)
		}
	}
}

// get asks one of its pages. The code is 0 where nobody answers.
func (p *process) get(path string) (code int, body string) {
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.address+path, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}

// answers reports whether a page has that code, and says something.
func (p *process) answers(path string, want int, says string) func() bool {
	return func() bool {
		code, body := p.get(path)
		return code == want && strings.Contains(body, says)
	}
}

// metric returns the value of a metric, -1 where there is none.
func (p *process) metric(name string) float64 {
	_, body := p.get("/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			number, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return number
		}
	}
	return -1
}

// signal sends a signal.
func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if runtime.GOOS == "windows" {
		p.t.Skip("there are no signals to end a process in order on Windows")
	}
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the end, and returns the exit code: -1 where a signal has ended it.
func (p *process) exit(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		p.t.Fatalf("it goes on after %v", limit)
		return 0
	}
}

// waitToEnd is how long a process may take to end in order, on a machine that has other things to do.
const waitToEnd = 20 * time.Second

// kill ends the process without a word.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.ended
}

// records returns live sessions and dead ones, whose keys begin so.
func records(live, dead int) []storage.Record {
	now := time.Now()
	var all []storage.Record
	for i := range live + dead {
		record := storage.Record{
			Key: fmt.Sprintf("live-secret-%d", i), Data: []byte("secret-data"), Version: storage.NewVersion(),
			CreatedAt: now.Add(-2 * time.Hour), UpdatedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour),
		}
		if i < dead {
			record.Key, record.ExpiresAt = fmt.Sprintf("dead-secret-%d", i), now.Add(-time.Duration(i+1)*time.Second)
		}
		all = append(all, record)
	}
	return all
}

func put(t *testing.T, driver storage.Driver, all []storage.Record) {
	t.Helper()
	work := make(chan storage.Record)
	failed := make(chan error, len(all))
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for record := range work {
				failed <- driver.Put(t.Context(), record, storage.Always())
			}
		})
	}
	for _, record := range all {
		work <- record
	}
	close(work)
	workers.Wait()
	for range all {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
}

// count returns how many live and dead sessions are stored.
func count(t *testing.T, driver storage.Driver) (live, dead int) {
	t.Helper()
	for request := (storage.ScanRequest{}); ; {
		page, err := driver.Scan(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range page.Records {
			switch {
			case strings.HasPrefix(record.Key, "live-"):
				live++
			case strings.HasPrefix(record.Key, "dead-"):
				dead++
			}
		}
		if page.Next == "" {
			return live, dead
		}
		request.Start = page.Next
	}
}

// reserved returns how many records there are that are no sessions.
func reserved(t *testing.T, driver storage.Driver) int {
	t.Helper()
	page, err := driver.Scan(t.Context(), storage.ScanRequest{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, record := range page.Records {
		if storage.Reserved(record.Key) {
			n++
		}
	}
	return n
}

// newFile returns the path of a file with sessions.
func newFile(t *testing.T, live, dead int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sessions.db")
	withFile(t, path, func(driver *boltstore.Driver) { put(t, driver, records(live, dead)) })
	return path
}

// withFile opens the file for as long as fn takes.
func withFile(t *testing.T, path string, fn func(*boltstore.Driver)) {
	t.Helper()
	driver, err := boltstore.OpenDriver(path, boltstore.WithGrace(100*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := driver.Close(); err != nil {
			t.Error(err)
		}
	}()
	fn(driver)
}

// stored returns how many live and dead sessions are in the file.
func stored(t *testing.T, path string) (live, dead int) {
	t.Helper()
	withFile(t, path, func(driver *boltstore.Driver) { live, dead = count(t, driver) })
	return live, dead
}

// newTable returns a table with sessions, and a driver for it.
func newTable(t *testing.T, live, dead int) (name string, driver *dynamostore.Driver) {
	t.Helper()
	client := dynamotest.Client(t)
	table := dynamostore.Table{Name: dynamotest.TableName(t, client)}
	createTable(t, table.Name)
	driver, err := dynamostore.NewDriver(client, table)
	if err != nil {
		t.Fatal(err)
	}
	put(t, driver, records(live, dead))
	return table.Name, driver
}

// createTable makes a table without sessions.
func createTable(t *testing.T, name string) {
	t.Helper()
	// With its TTL on, DynamoDB Local deletes expired items within seconds.
	client := dynamotest.WithoutTTL(dynamotest.Client(t))
	if err := (dynamostore.Table{Name: name}).Create(t.Context(), client); err != nil {
		t.Fatal(err)
	}
}

// takenAddress returns an address that somebody listens on until the test ends.
func takenAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}
