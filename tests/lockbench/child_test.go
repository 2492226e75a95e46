package lockbench_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
)

// Where these variables are set, the test binary is one of the processes whose requests wait for one session.
const (
	childStrategy = "LOCKBENCH_STRATEGY"
	childTable    = "LOCKBENCH_TABLE"
	childToken    = "LOCKBENCH_TOKEN"
	childNumber   = "LOCKBENCH_NUMBER" // of the process
)

const (
	waitingProcesses = 4
	waitingRequests  = 50 // of each process
	waitingHandler   = 20 * time.Millisecond
	waitingMaxWait   = 30 * time.Second
)

// waitingStrategies are the strategies whose waits are measured.
var waitingStrategies = map[string]func() lockstrategy.Strategy{
	"baseline": newBaseline,
	"lease": func() lockstrategy.Strategy {
		return lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: waitingMaxWait})
	},
}

// report is what a child tells of its requests.
type report struct {
	Requests []waited
	count
}

// waited is one request.
type waited struct {
	Sent, Entered, Left time.Time // when it was sent, and its handler had the session
	Failed              string    // why it was not answered
}

func (w waited) wait() time.Duration { return w.Entered.Sub(w.Sent) }

// child says that it is ready, sends its requests once there is a line to read, and writes its report.
func child(strategy, table, token, number string, in io.Reader, out io.Writer) error {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	driver, err := dynamostore.NewDriver(dynamodb.NewFromConfig(cfg, dynamostore.TuneClient),
		dynamostore.Table{Name: table})
	if err != nil {
		return err
	}
	calls := &tally{}
	p, err := newProcess(counted(driver, calls, 0), waitingStrategies[strategy]())
	if err != nil {
		return err
	}
	first := 0
	if _, err := fmt.Sscan(number, &first); err != nil {
		return err
	}
	first *= waitingRequests

	if _, err := fmt.Fprintln(out, "ready"); err != nil {
		return err
	}
	if _, err := bufio.NewReader(in).ReadString('\n'); err != nil {
		return err // whoever was to say it is gone
	}
	r := report{Requests: make([]waited, waitingRequests)}
	var all sync.WaitGroup
	for i := range r.Requests {
		all.Go(func() { r.Requests[i] = p.wait(ctx, token, first+i) })
	}
	all.Wait()
	r.count = calls.read()
	return json.NewEncoder(out).Encode(r)
}

// wait sends the n-th request, which updates the session.
func (p *process) wait(ctx context.Context, token string, n int) waited {
	w := waited{Sent: time.Now()}
	err := p.do(ctx, http.MethodPost, token, func(ctx context.Context) {
		w.Entered = time.Now()
		<-time.After(waitingHandler)
		p.update(ctx, n)
		w.Left = time.Now()
	})
	if err != nil {
		w.Failed = err.Error()
	}
	return w
}

// insideAtOnce returns how many handlers had the session at once.
func insideAtOnce(requests []waited) int {
	type event struct {
		at    time.Time
		enter int
	}
	var events []event
	for _, r := range requests {
		if !r.Entered.IsZero() {
			events = append(events, event{r.Entered, 1}, event{r.Left, -1})
		}
	}
	slices.SortFunc(events, func(a, b event) int { return cmp.Or(a.at.Compare(b.at), a.enter-b.enter) })
	inside, most := 0, 0
	for _, e := range events {
		inside += e.enter
		most = max(most, inside)
	}
	return most
}
