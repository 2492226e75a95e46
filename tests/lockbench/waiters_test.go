package lockbench_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
)

// waitingLimit is how many calls to storage each of many requests that wait for one session may cost, on average.
const waitingLimit = 4

// TestManyWaiters has 200 requests of 4 processes wait for one session. With Lease, each gets it in its turn, and at
// little cost; for the baseline it only shows what comes of it.
func TestManyWaiters(t *testing.T) {
	t.Parallel()
	for _, strategy := range []string{"lease", "baseline"} { // one after the other: they would wait for the machine, too
		r := waitInProcesses(t, strategy)
		t.Logf("%s: %s", strategy, r)
		if strategy == "baseline" {
			continue
		}
		const all = waitingProcesses * waitingRequests
		if len(r.waits) != all || r.kept != all || r.inside != 1 {
			t.Errorf("%d of %d requests succeeded, %d updates kept, %d handlers at once; the others: %v",
				len(r.waits), all, r.kept, r.inside, r.failures)
		}
		if r.Calls > waitingLimit*all {
			t.Errorf("%d calls for %d requests; at most %d each", r.Calls, all, waitingLimit)
		}
	}
}

// waiting is what came of requests that waited for one session.
type waiting struct {
	count
	kept, inside int
	waits        []time.Duration // of the requests that succeeded, shortest first
	failures     map[string]int  // by error
	wall         time.Duration
}

func (w waiting) String() string {
	return fmt.Sprintf("%d requests succeeded after waits of %v (median), %v (99 %%), %v (longest); %d updates kept; "+
		"%d handlers at once; %d calls, %d of them refused; %v in all; failures: %v",
		len(w.waits), w.quantile(50), w.quantile(99), w.quantile(100), w.kept, w.inside, w.Calls, w.Refused,
		w.wall.Round(time.Millisecond), w.failures)
}

// quantile returns the wait that so many per cent of the requests did not exceed.
func (w waiting) quantile(percent int) time.Duration {
	if len(w.waits) == 0 {
		return 0
	}
	return w.waits[(len(w.waits)*percent+99)/100-1].Round(time.Millisecond)
}

// waitInProcesses sends the requests from processes of their own.
func waitInProcesses(t testing.TB, strategy string) waiting {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*waitingMaxWait) // then the children are killed
	defer cancel()
	table := createTable(t)
	driver, err := dynamostore.NewDriver(dynamotest.Client(t), table)
	if err != nil {
		t.Fatal(err)
	}
	process, err := newProcess(driver, lockstrategy.None())
	if err != nil {
		t.Fatal(err)
	}
	token, err := process.login(ctx)
	if err != nil {
		t.Fatal(err)
	}

	var children []*childProcess
	for number := range waitingProcesses {
		children = append(children, startChild(ctx, t, strategy, table.Name, token, number))
	}
	for _, c := range children {
		c.readLine(t) // it is ready
	}
	began := time.Now()
	for _, c := range children {
		if _, err := io.WriteString(c.stdin, "go\n"); err != nil {
			t.Fatal(err)
		}
	}
	w := waiting{failures: map[string]int{}}
	var requests []waited
	for _, c := range children {
		var r report
		if err := json.Unmarshal(c.readLine(t), &r); err != nil {
			t.Fatal(err)
		}
		w.Calls += r.Calls
		w.Refused += r.Refused
		requests = append(requests, r.Requests...)
	}
	w.wall = time.Since(began)
	for _, c := range children {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	for _, r := range requests {
		if r.Failed == "" {
			w.waits = append(w.waits, r.wait())
		} else {
			w.failures[r.Failed]++
		}
	}
	slices.Sort(w.waits)
	w.inside = insideAtOnce(requests)
	if w.kept, err = process.kept(ctx, token, len(requests)); err != nil {
		t.Fatal(err)
	}
	return w
}

// childProcess is one of the processes.
type childProcess struct {
	*exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
}

func startChild(ctx context.Context, t testing.TB, strategy, table, token string, number int) *childProcess {
	t.Helper()
	c := &childProcess{Cmd: exec.CommandContext(ctx, os.Args[0])}
	c.Env = append([]string{"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=dynamotest", "AWS_SECRET_ACCESS_KEY=dynamotest"},
		os.Environ()...) // what is set there wins
	c.Env = append(c.Env, "AWS_ENDPOINT_URL_DYNAMODB="+dynamotest.Endpoint(t),
		childStrategy+"="+strategy, childTable+"="+table, childToken+"="+token, fmt.Sprintf("%s=%d", childNumber, number))
	c.Stderr = os.Stderr
	var err error
	if c.stdin, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdout = bufio.NewReader(stdout)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// readLine returns what the child says next.
func (c *childProcess) readLine(t testing.TB) []byte {
	t.Helper()
	line, err := c.stdout.ReadBytes('\n')
	if err != nil {
		t.Fatalf("a child ended before its report: %v", err)
	}
	return line
}
