package owners_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// childSetup tells the test binary that it is one of the processes that are killed.
const childSetup = "OWNERS_TEST_SETUP"

type setup struct{ Endpoint, Table string }

// answer is what a process says of a login: when its request was running, and the token that it got.
type answer struct {
	Ran   time.Time
	Token string
}

func newTable(t *testing.T, options ...sessionstore.Option) (*sessionstore.Store, setup) {
	t.Helper()
	client := dynamotest.Client(t)
	table := dynamostore.Table{Name: dynamotest.TableName(t, client)}
	if err := table.Create(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	store, err := dynamostore.New(client, table, append(options, sessionstore.WithSecret(storetest.Secret(1)),
		sessionstore.WithOwner("user", who))...)
	if err != nil {
		t.Fatal(err)
	}
	return store, setup{dynamotest.Endpoint(t), table.Name}
}

// logIn logs alice in, with a session that she has before.
func logIn(ctx context.Context, sessions *scs.SessionManager) (got answer) {
	visit := func(token string, handler http.HandlerFunc) string {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil)
		if token != "" {
			r.AddCookie(&http.Cookie{Name: sessions.Cookie.Name, Value: token})
		}
		w := httptest.NewRecorder()
		sessionstore.LoadAndSave(sessions)(handler).ServeHTTP(w, r)
		for _, cookie := range w.Result().Cookies() {
			return cookie.Value
		}
		return ""
	}
	token := visit("", func(_ http.ResponseWriter, r *http.Request) { sessions.Put(r.Context(), "cart", 1) })
	got.Token = visit(token, func(w http.ResponseWriter, r *http.Request) {
		got.Ran = time.Now()
		if err := sessions.RenewToken(r.Context()); err != nil {
			sessions.ErrorFunc(w, r, err)
			return
		}
		sessions.Put(r.Context(), whoKey, "alice#")
	})
	return got
}

// serve is the main function of a process: it logs in for each line, until nobody is there any more to send one.
func serve(text string, in io.Reader, out io.Writer) error {
	var s setup
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	client := dynamodb.New(dynamodb.Options{
		BaseEndpoint: &s.Endpoint,
		Region:       cmp.Or(os.Getenv("AWS_REGION"), "us-east-1"),
		Credentials: credentials.NewStaticCredentialsProvider(cmp.Or(os.Getenv("AWS_ACCESS_KEY_ID"), "dynamotest"),
			cmp.Or(os.Getenv("AWS_SECRET_ACCESS_KEY"), "dynamotest"), os.Getenv("AWS_SESSION_TOKEN")),
	}, dynamostore.TuneClient)
	store, err := dynamostore.New(client, dynamostore.Table{Name: s.Table},
		sessionstore.WithSecret(storetest.Secret(1)), sessionstore.WithOwner("user", who))
	if err != nil {
		return err
	}
	sessions := storetest.NewManager(store)
	lines, answers := bufio.NewScanner(in), json.NewEncoder(out)
	for lines.Scan() {
		switch lines.Text() {
		case "login":
			err = answers.Encode(logIn(context.Background(), sessions))
		default:
			if _, err := store.Owner("user", "alice").EndAll(context.Background()); err != nil {
				return err
			}
			err = answers.Encode(answer{Ran: time.Now()})
		}
		if err != nil {
			return err
		}
	}
	return lines.Err()
}

// child is one process, which is killed and started again.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func start(t *testing.T, setup string) *child {
	t.Helper()
	c := &child{cmd: exec.CommandContext(t.Context(), os.Args[0])}
	c.cmd.Env = append(os.Environ(), childSetup+"="+setup)
	c.cmd.Stderr = io.Discard
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.in, c.out = in, json.NewDecoder(out)
	return c
}

// ask has the process do something. False where it was killed meanwhile.
func (c *child) ask(what string) (got answer, ok bool) {
	if _, err := fmt.Fprintln(c.in, what); err != nil {
		return answer{}, false
	}
	return got, c.out.Decode(&got) == nil
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

const (
	children = 3
	ends     = 8
	kills    = 2 // for each end
)

// T6: processes are killed while they log in, and while they end all sessions.
func TestT6_KillNine(t *testing.T) {
	t.Parallel()
	store, s := newTable(t)
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var acked []answer
	stop := make(chan struct{})
	var all sync.WaitGroup
	hits := make(chan struct{}) // each kills a process
	for i := range children {
		all.Go(func() {
			c := start(t, string(text))
			for ended := false; !ended; {
				answered := make(chan struct{})
				var got answer
				var ok bool
				go func() {
					defer close(answered)
					what := "login"
					if i == 0 && rand.IntN(4) == 0 {
						what = "end"
					}
					got, ok = c.ask(what)
				}()
				select {
				case <-answered:
				case <-hits:
					c.kill()
					<-answered
					c = start(t, string(text))
				}
				if ok && got.Token != "" {
					mu.Lock()
					acked = append(acked, got)
					mu.Unlock()
				}
				select {
				case <-stop:
					ended = true
				default:
				}
			}
			c.kill()
		})
	}
	number := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acked)
	}
	var last time.Time
	for range ends {
		for range kills {
			hits <- struct{}{}
		}
		for least := number() + 3; number() < least; { // some log in
			hits <- struct{}{}
			waitForAnswer(t)
		}
		began := time.Now()
		if _, err := store.Owner("user", "alice").EndAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		last = began
		mu.Lock()
		before := append([]answer{}, acked...)
		mu.Unlock()
		for _, a := range before {
			if _, found, err := store.Lookup(t.Context(), a.Token); err != nil || found && a.Ran.Before(began) {
				t.Errorf("a session that began %v before the end of all is accepted: %v", began.Sub(a.Ran), err)
			}
		}
	}
	close(stop)
	all.Wait()
	listed := 0
	for _, err := range store.Owner("user", "alice").Sessions(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		listed++
	}
	live := 0
	for _, a := range acked {
		_, found, err := store.Lookup(t.Context(), a.Token)
		if err != nil || found && a.Ran.Before(last) {
			t.Errorf("a session that began %v before the last end of all is accepted: %v", last.Sub(a.Ran), err)
		}
		if found {
			live++
		}
	}
	if listed < live {
		t.Errorf("%d sessions are listed, and %d live", listed, live)
	}
	t.Logf("%s: %d logins were acknowledged", dynamotest.EngineName(t), len(acked))
}

// waitForAnswer lets the processes do something.
func waitForAnswer(t *testing.T) {
	t.Helper()
	select {
	case <-time.After(300 * time.Millisecond):
	case <-t.Context().Done():
	}
}

// T6: a limit holds on the engine, too, and nobody else is touched.
func TestT6_LimitOnAnEngine(t *testing.T) {
	t.Parallel()
	const limit = 2
	for name, then := range map[string]sessionstore.OwnerLimit{
		"deny": sessionstore.DenyNew, "end the oldest": sessionstore.EndOldest,
	} {
		store, _ := newTable(t, sessionstore.WithOwnerLimit("user", limit, then))
		sessions := storetest.NewManager(store)
		sessions.ErrorFunc = sessionstore.HandleError
		var all sync.WaitGroup
		var mu sync.Mutex
		var tokens []string
		for range 8 {
			all.Go(func() {
				if got := logIn(t.Context(), sessions); got.Token != "" {
					mu.Lock()
					tokens = append(tokens, got.Token)
					mu.Unlock()
				}
			})
		}
		all.Wait()
		live := 0
		for _, token := range tokens {
			if _, found, err := store.Lookup(t.Context(), token); err != nil {
				t.Error(err)
			} else if found {
				live++
			}
		}
		if live > limit || live == 0 || then == sessionstore.DenyNew && len(tokens) != limit {
			t.Errorf("%s: of %d logins that were let in, %d live", name, len(tokens), live)
		}
		listed := 0
		for _, err := range store.Owner("user", "alice").Sessions(t.Context()) {
			if err != nil {
				t.Error(err)
			}
			listed++
		}
		if listed != live {
			t.Errorf("%s: %d sessions are listed, and %d live", name, listed, live)
		}
		if n, err := store.Owner("user", "alice").EndAll(t.Context()); n != live || err != nil {
			t.Errorf("%s: EndAll has ended %d of %d, %v", name, n, live, err)
		}
	}
}
