package main

import (
	"context"
	"net/http"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// For the tests.
var (
	Run       = run
	Relative  = relative
	TickStep  = tickStep
	DetailsOf = detailsOf
)

// DemoRequests is how many requests the demonstration sends in each session.
const DemoRequests = demoRequests

// DemoResult is what became of the requests under one strategy.
type DemoResult struct {
	Strategy                    string
	Kept, Lost, Refused, Failed int
	Calls, MostAtOnce           int
	Sentence                    string
}

// RunDemo runs the demonstration with handlers that do the work given.
func RunDemo(
	ctx context.Context, driver storage.Driver, work func(context.Context, string) error,
) (results []DemoResult, err error) {
	d := newDemo(driver)
	d.work = work
	all, err := d.run(ctx)
	for _, r := range all {
		results = append(results, DemoResult{
			Strategy: r.strategy,
			Kept:     r.count(kept), Lost: r.count(lost), Refused: r.count(refused), Failed: r.count(failed),
			Calls: r.calls, MostAtOnce: mostAtOnce(r.requests), Sentence: sentence(r),
		})
	}
	return results, err
}

// Sentence returns what is said about so many requests.
func Sentence(strategy string, kepts, losts, refusals, failures int) string {
	r := result{strategy: strategy}
	for what, n := range map[outcome]int{kept: kepts, lost: losts, refused: refusals, failed: failures} {
		for range n {
			r.requests = append(r.requests, request{outcome: what, ended: time.Second})
		}
	}
	return sentence(r)
}

// DemoLane returns the application of the strategy Merge, the cookie of its session, and how many requests have got in.
func DemoLane(ctx context.Context, driver storage.Driver) (http.Handler, *http.Cookie, func() int, error) {
	d := newDemo(driver)
	l, err := d.open(ctx, contenders[2])
	if err != nil {
		return nil, nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /{request}", l.handler(time.Now(), func(context.Context, string) error { return nil }))
	arrived := func() int {
		n := 0
		for _, request := range l.requests {
			if request.arrived > 0 {
				n++
			}
		}
		return n
	}
	return mux, &http.Cookie{Name: l.sessions.Cookie.Name, Value: l.token}, arrived, nil
}

// NewHandler returns the program's handler, with a demonstration whose handlers do the work given.
func NewHandler(driver storage.Driver, work func(context.Context, string) error) (http.Handler, error) {
	store, err := newStore(driver)
	if err != nil {
		return nil, err
	}
	d := newDemo(driver)
	d.work = work
	return newHandler(store, d, "memory", time.Hour), nil
}
