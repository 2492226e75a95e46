package kill_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// childSetup tells the test binary that it is one of the servers.
const childSetup = "KILLTEST_SETUP"

func TestMain(m *testing.M) {
	if text := os.Getenv(childSetup); text != "" {
		if err := serve(text, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(dynamotest.Main(m))
}

const (
	servers  = 4
	sessions = 3
	clients  = 3 // of each session
	kills    = 40

	frozen = 2 * leaseDuration

	// hang is how long a session may be out of reach before the test gives up. It says nothing of speed.
	hang = 20 * time.Second
)

// TestI4I5_KillNine kills servers while their sessions are used.
func TestI4I5_KillNine(t *testing.T) {
	for _, strategy := range []string{"lease", "merge"} {
		t.Run(strategy, func(t *testing.T) { killAll(t, strategy) })
	}
}

func killAll(t *testing.T, strategy string) {
	t.Helper()
	client := dynamotest.Client(t)
	table := dynamostore.Table{Name: dynamotest.TableName(t, client)}
	if err := table.Create(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(setup{Endpoint: dynamotest.Endpoint(t), Table: table.Name, Strategy: strategy})
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{setup: string(text)}
	for i := range servers {
		f.start(t, i)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: sessions * clients}
	defer transport.CloseIdleConnections()
	var users []*user
	for i := range sessions {
		users = append(users, newUser(t, i, f, transport))
	}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var all sync.WaitGroup
	for _, u := range users {
		for i := range clients {
			all.Go(func() { u.use(ctx, i) })
		}
	}
	for n := range kills {
		if n%3 == 0 {
			f.freeze(t, rand.IntN(servers), &all)
		}
		pause(ctx, 50*time.Millisecond+rand.N(250*time.Millisecond))
		i := rand.IntN(servers)
		f.kill(t, i)
		f.start(t, i)
	}
	leave()
	all.Wait()
	for _, u := range users {
		u.lastTime(t)
	}
	for i := range servers {
		f.kill(t, i)
	}
	store, err := dynamostore.New(client, table, sessionstore.WithSecret(storetest.Secret(1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		u.check(t, store)
	}
	t.Logf("%s on %s: %d servers were killed; with a lease, the next one may go on after %v", strategy,
		dynamotest.EngineName(t), kills, leaseDuration+clockAllow+maxPoll)
}

// fleet is the servers that are running.
type fleet struct {
	setup string

	mu        sync.Mutex
	processes [servers]*exec.Cmd
	addresses [servers]string // empty where there is none
}

// start starts a server and waits until it listens. It ends with the test, however that ends: what it reads is closed
// then.
func (f *fleet) start(t *testing.T, i int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childSetup+"="+f.setup)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("a server does not start: %v", errors.Join(err, cmd.Wait()))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.processes[i], f.addresses[i] = cmd, strings.TrimSpace(address)
}

// kill ends a server as a power cut does.
func (f *fleet) kill(t *testing.T, i int) {
	t.Helper()
	f.mu.Lock()
	cmd := f.processes[i]
	f.addresses[i] = ""
	f.mu.Unlock()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatalf("a server was not there to be killed: %v", err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("a server was not killed, but ended with %v", err)
	}
}

// freeze stops a server for longer than its leases last, and lets it go on then: it may believe that it still has them.
func (f *fleet) freeze(t *testing.T, i int, all *sync.WaitGroup) {
	t.Helper()
	f.mu.Lock()
	process := f.processes[i].Process
	f.mu.Unlock()
	if !stop(t, process) {
		return
	}
	all.Go(func() {
		pause(t.Context(), frozen)
		resume(t, process)
	})
}

// any returns the address of a server.
func (f *fleet) any() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		if address := f.addresses[rand.IntN(servers)]; address != "" {
			return address
		}
	}
}

// user is one session: a cookie jar, and all that its clients have done.
type user struct {
	number int
	fleet  *fleet
	client *http.Client
	jar    http.CookieJar

	mu           sync.Mutex
	sent         int
	acknowledged []string
	failed       map[string]int
	last         time.Time     // when a request was acknowledged last
	longest      time.Duration // between two of them
}

// newUser begins a session, with its first request.
func newUser(t *testing.T, number int, f *fleet, transport http.RoundTripper) *user {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	u := &user{
		number: number, fleet: f, jar: jar, failed: map[string]int{},
		client: &http.Client{Transport: transport, Jar: jar, Timeout: hang},
	}
	if err := u.add(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last = time.Now()
	return u
}

// use sends requests until ctx ends.
func (u *user) use(ctx context.Context, client int) {
	for ctx.Err() == nil {
		err := u.add(context.WithoutCancel(ctx), client) // the last one, too, is to be answered
		u.mu.Lock()
		if err != nil {
			u.failed[reason(err)]++
		}
		u.mu.Unlock()
		pause(ctx, 2*time.Millisecond+rand.N(8*time.Millisecond))
	}
}

// answer is that of a server that refuses.
type answer int

func (a answer) Error() string { return fmt.Sprintf("%d %s", int(a), http.StatusText(int(a))) }

// reason says in a word why a request failed.
func reason(err error) string {
	var refused answer
	if errors.As(err, &refused) {
		return refused.Error()
	}
	return "no answer"
}

// add sends one request to any server.
func (u *user) add(ctx context.Context, client int) error {
	u.mu.Lock()
	u.sent++
	id := fmt.Sprintf("%d.%d", client, u.sent)
	u.mu.Unlock()
	target := "http://" + u.fleet.any() + "/?" + url.Values{"id": {id}, "client": {strconv.Itoa(client)}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, http.NoBody)
	if err != nil {
		return err
	}
	response, err := u.client.Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return answer(response.StatusCode)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	if !u.last.IsZero() {
		u.longest = max(u.longest, now.Sub(u.last))
	}
	u.last = now
	u.acknowledged = append(u.acknowledged, id)
	return nil
}

// lastTime checks that the session can be used after all that.
func (u *user) lastTime(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(hang)
	for {
		err := u.add(t.Context(), 0)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("session %d is out of reach: %v", u.number, err)
		}
	}
}

// check checks what has become of the session.
func (u *user) check(t *testing.T, store *sessionstore.Store) {
	t.Helper()
	base, err := url.Parse("http://127.0.0.1/")
	if err != nil {
		t.Fatal(err)
	}
	cookies := u.jar.Cookies(base)
	if len(cookies) != 1 {
		t.Fatalf("session %d has %d cookies; want 1", u.number, len(cookies))
	}
	data, found, err := store.FindCtx(t.Context(), cookies[0].Value)
	if err != nil || !found {
		t.Fatalf("session %d: found=%v, %v", u.number, found, err)
	}
	_, values, err := scs.GobCodec{}.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, id := range ids(values[idsKey]) {
		if times[id]++; times[id] == 2 {
			t.Errorf("session %d: request %s was applied more than once", u.number, id)
		}
	}
	for _, id := range u.acknowledged {
		if times[id] == 0 {
			t.Errorf("session %d: request %s was acknowledged, and is lost", u.number, id)
		}
	}
	sum := 0
	for i := range clients {
		sum += count(values[clientPrefix+strconv.Itoa(i)])
	}
	if n := count(values[countKey]); n != len(ids(values[idsKey])) || n != sum {
		t.Errorf("session %d: the counter says %d, and those of the clients %d, after %d requests", u.number, n, sum,
			len(ids(values[idsKey])))
	}
	if len(u.acknowledged) < kills/2 {
		t.Errorf("session %d: only %d requests were acknowledged: too few to tell anything", u.number, len(u.acknowledged))
	}
	if u.longest > hang {
		t.Errorf("session %d was out of reach for %v", u.number, u.longest)
	}
	t.Logf("session %d: %d requests, %d acknowledged, %d applied, failed: %v; longest time between two: %v",
		u.number, u.sent,
		len(u.acknowledged), len(times), u.failed, u.longest.Round(time.Millisecond))
}
