package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

const (
	// demoRequests is how many requests are sent at once, in one session for each strategy.
	demoRequests = 8
	// demoWork is how long each of them takes to be answered.
	demoWork = 200 * time.Millisecond
	// demoTimeout ends a run, so that neither the response nor the end of the program has to wait for it for long.
	demoTimeout = 5 * time.Second
	// demoLifetime is how long a session of the demonstration lasts if it cannot be deleted.
	demoLifetime = time.Minute
	// demoRuns is how many runs may go on at the same time. Two, so that a second click on the button replaces the first.
	demoRuns = 2
)

// contender is a strategy in the demonstration.
type contender struct {
	name     string
	strategy func() lockstrategy.Strategy
}

var contenders = []contender{
	{"None", lockstrategy.None},
	{"Optimistic", lockstrategy.Optimistic},
	{"Merge", func() lockstrategy.Strategy { return lockstrategy.Merge(nil) }},
	{"Lease", func() lockstrategy.Strategy { return lockstrategy.Lease(lockstrategy.LeaseOptions{}) }},
}

// demo sends the same requests at once under each strategy. They are HTTP requests through the middleware that the page
// uses, on the driver that keeps the page's sessions, and from this program to itself: a browser sends no more than six
// at a time over HTTP/1.1.
type demo struct {
	driver   storage.Driver
	sessions *scs.SessionManager // copied for each strategy: every scs.New leaves a goroutine behind
	// work is what a request does before it adds its value: it takes time.
	work func(ctx context.Context, strategy string) error
	runs chan struct{} // holds a token for each run
}

func newDemo(driver storage.Driver) *demo {
	sessions := scs.New()
	sessions.Lifetime = demoLifetime
	sessions.ErrorFunc = refuse
	return &demo{driver: driver, sessions: sessions, work: takeTime, runs: make(chan struct{}, demoRuns)}
}

// takeTime is what a handler does that asks another service, for example.
func takeTime(ctx context.Context, _ string) error {
	timer := time.NewTimer(demoWork)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// admit reports whether another run may begin. Who is admitted calls leave.
func (d *demo) admit() (leave func(), ok bool) {
	select {
	case d.runs <- struct{}{}:
		return func() { <-d.runs }, true
	default:
		return nil, false
	}
}

// run returns what became of the requests under each strategy. It returns when all of them have ended and their
// sessions are deleted, also where ctx ends.
func (d *demo) run(ctx context.Context) (_ []result, err error) {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	var lanes []*lane
	defer func() { err = errors.Join(err, closeAll(ctx, lanes)) }()
	for _, contender := range contenders {
		lane, err := d.open(ctx, contender)
		if err != nil {
			return nil, err
		}
		lanes = append(lanes, lane)
	}
	if err := d.send(ctx, lanes); err != nil {
		return nil, err
	}
	results := make([]result, len(lanes))
	for i, lane := range lanes {
		results[i], err = lane.result(ctx)
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

// send serves the lanes on a port of their own, sends all requests to it, and waits until they have ended.
func (d *demo) send(ctx context.Context, lanes []*lane) (err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	began := time.Now()
	for _, lane := range lanes {
		mux.Handle("POST /"+lane.name+"/{request}", lane.handler(began, d.work))
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: demoTimeout}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	// Without keep-alive no connection is left that the server would have to wait for.
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: transport}
	var sent sync.WaitGroup
	for _, lane := range lanes {
		for n := range lane.requests {
			address := fmt.Sprintf("http://%s/%s/%d", listener.Addr(), lane.name, n)
			sent.Go(func() { lane.requests[n].status, lane.requests[n].err = lane.post(ctx, client, address) })
		}
	}
	sent.Wait()

	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := server.Shutdown(ending); err != nil { // waits for the handlers, which may still be at their last line
		return errors.Join(err, server.Close())
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// post sends one request in the session of the lane.
func (l *lane) post(ctx context.Context, client *http.Client, address string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Cookie", l.sessions.Cookie.Name+"="+l.token)
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// handler is the application: it works, then adds a value of its own to the session.
func (l *lane) handler(began time.Time, work func(context.Context, string) error) http.Handler {
	application := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("request")) // was looked at below
		l.requests[n].entered = time.Since(began)
		if err := work(r.Context(), l.name); err != nil {
			http.Error(w, "The request was given up.", http.StatusServiceUnavailable)
			return
		}
		l.requests[n].worked = time.Since(began)
		l.sessions.Put(r.Context(), keyOf(n), n)
		w.WriteHeader(http.StatusNoContent)
	})
	withSession := l.store.LoadAndSave(l.sessions)(application)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("request"))
		// Anybody on this machine can reach the port, but only this program knows the session.
		cookie, missing := r.Cookie(l.sessions.Cookie.Name)
		if err != nil || n < 0 || n >= len(l.requests) || missing != nil || cookie.Value != l.token {
			http.NotFound(w, r)
			return
		}
		l.requests[n].arrived = time.Since(began)
		withSession.ServeHTTP(w, r)
		l.requests[n].ended = time.Since(began)
	})
}

// keyOf is the key under which a request adds its value.
func keyOf(request int) string { return "request " + strconv.Itoa(request) }
