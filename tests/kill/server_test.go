package kill_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// setup is what a server is told when it starts.
type setup struct {
	Endpoint string
	Table    string
	Strategy string
}

// What the leases of the servers are like.
const (
	leaseDuration = 500 * time.Millisecond
	clockAllow    = leaseDuration / 10 // the default
	maxPoll       = leaseDuration / 4  // lockstrategy's own
)

// The values of a session: the IDs of all requests, how many they are, and how many each client has sent.
const (
	idsKey       = "ids"
	countKey     = "count"
	clientPrefix = "client "
)

func strategyOf(name string) lockstrategy.Strategy {
	if name == "lease" {
		return lockstrategy.Lease(lockstrategy.LeaseOptions{Duration: leaseDuration, MaxWait: 4 * time.Second})
	}
	return lockstrategy.Merge(addBoth)
}

// addBoth keeps what both requests have added.
func addBoth(key string, base, ours, theirs lockstrategy.Value) (lockstrategy.Value, error) {
	switch {
	case key == idsKey:
		added := ids(ours.Value)[len(ids(base.Value)):]
		return lockstrategy.Value{Value: append(slices.Clone(ids(theirs.Value)), added...), Present: true}, nil
	case key == countKey, strings.HasPrefix(key, clientPrefix):
		return lockstrategy.Value{Value: count(theirs.Value) + count(ours.Value) - count(base.Value), Present: true}, nil
	default:
		return lockstrategy.Ours(key, base, ours, theirs)
	}
}

func ids(value any) []string { of, _ := value.([]string); return of }

func count(value any) int { n, _ := value.(int); return n }

// serve is the main function of a server. It says where it listens, and serves until it is killed, or until nobody is
// there any more who could.
func serve(text string, alive io.Reader) error {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // refused commits are what the test makes
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
		sessionstore.WithStrategy(strategyOf(s.Strategy)), sessionstore.WithSecret(storetest.Secret(1)))
	if err != nil {
		return err
	}
	sessions := storetest.NewManager(store)
	sessions.Cookie.Secure = false // there is no TLS between the servers and the jar
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: store.LoadAndSave(sessions)(add(sessions)), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Println(listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, alive)
		failed <- nil
	}()
	return <-failed
}

// pause lets time pass, as handlers and people do.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// add adds the ID of the request to the session.
func add(sessions *scs.SessionManager) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		pause(ctx, rand.N(15*time.Millisecond))
		sessions.Put(ctx, idsKey, append(slices.Clone(ids(sessions.Get(ctx, idsKey))), r.FormValue("id")))
		for _, key := range []string{countKey, clientPrefix + r.FormValue("client")} {
			sessions.Put(ctx, key, sessions.GetInt(ctx, key)+1)
		}
		_, _ = io.WriteString(w, "ok")
	})
}
