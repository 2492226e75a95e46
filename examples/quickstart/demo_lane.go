package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// lane is one strategy's part of a run: a store, and in it a session.
type lane struct {
	name     string
	store    *sessionstore.Store
	sessions *scs.SessionManager
	token    string
	calls    atomic.Int64 // to storage
	requests [demoRequests]request
}

// request is one of the requests in a lane. Instants count from the beginning of the run.
type request struct {
	arrived time.Duration // at the server
	entered time.Duration // the handler, with the session loaded; 0 for one that was turned away
	worked  time.Duration // to its end, with the session still to be saved
	ended   time.Duration // with the session saved, or refused
	status  int
	err     error // why there is no status
	outcome outcome
}

// outcome is what became of the value that a request has added.
type outcome string

const (
	kept    outcome = "kept"
	lost    outcome = "lost"    // although the request was told that all is well
	refused outcome = "refused" // and the request was told so
	failed  outcome = "failed"  // for another reason
)

// result is what became of a lane.
type result struct {
	strategy string
	requests []request // in the order in which their handlers began
	calls    int
}

// open makes the store of a strategy, and stores the session.
func (d *demo) open(ctx context.Context, contender contender) (*lane, error) {
	l := &lane{name: contender.name}
	var err error
	l.store, err = sessionstore.New(d.driver,
		sessionstore.WithStrategy(contender.strategy()),
		sessionstore.WithObserver(func(_ context.Context, e sessionstore.Event) { l.calls.Add(int64(e.Usage.Calls)) }))
	if err != nil {
		return nil, err
	}
	sessions := *d.sessions
	sessions.Store = l.store
	l.sessions = &sessions

	ctx, end := l.store.Begin(ctx)
	defer end()
	if ctx, err = sessions.Load(ctx, ""); err != nil {
		return nil, err
	}
	if l.token, _, err = sessions.Commit(ctx); err != nil {
		return nil, err
	}
	l.calls.Store(0)
	return l, nil
}

// closeAll deletes the sessions, also where ctx has ended. The stores stay open: their driver is the page's.
func closeAll(ctx context.Context, lanes []*lane) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	var problems []error
	for _, l := range lanes {
		problems = append(problems, l.store.DeleteCtx(ctx, l.token))
	}
	return errors.Join(problems...)
}

// result compares what the requests were told with what is stored. All of them have ended.
func (l *lane) result(ctx context.Context) (result, error) {
	calls := int(l.calls.Load())
	session, found, err := l.store.Lookup(ctx, l.token)
	if err != nil {
		return result{}, err
	}
	if !found {
		return result{}, errors.New("somebody has deleted the session of the demonstration")
	}
	_, values, err := l.sessions.Codec.Decode(session.Data)
	if err != nil {
		return result{}, err
	}
	requests := slices.Clone(l.requests[:])
	failures, status := 0, 0
	for n := range requests {
		r := &requests[n]
		_, stored := values[keyOf(n)]
		switch {
		case r.status == http.StatusConflict:
			r.outcome = refused
		case r.status != http.StatusNoContent:
			r.outcome = failed
			failures++
			status, err = r.status, r.err
		case stored:
			r.outcome = kept
		default:
			r.outcome = lost
		}
	}
	if failures > 0 {
		slog.ErrorContext(ctx, "requests of the demonstration failed",
			"strategy", l.name, "requests", failures, "status", status, "error", err)
	}
	slices.SortFunc(requests, func(a, b request) int {
		return cmp.Or(cmp.Compare(a.began(), b.began()), cmp.Compare(a.ended, b.ended))
	})
	return result{strategy: l.name, requests: requests, calls: calls}, nil
}

// began is when the handler began, or the request was turned away.
func (r request) began() time.Duration {
	if r.entered == 0 {
		return r.ended
	}
	return r.entered
}

// count returns how many values came to that.
func (r result) count(what outcome) int {
	n := 0
	for _, request := range r.requests {
		if request.outcome == what {
			n++
		}
	}
	return n
}

// took returns when the last request had ended.
func (r result) took() time.Duration {
	var last time.Duration
	for _, request := range r.requests {
		last = max(last, request.ended)
	}
	return last
}

// longestWait returns for how long the most patient request waited for its session.
func (r result) longestWait() time.Duration {
	var longest time.Duration
	for _, request := range r.requests {
		longest = max(longest, request.began()-request.arrived)
	}
	return longest
}

// refuse is sessionstore.HandleError without a log line for what the demonstration is about.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case r.Context().Err() != nil: // nobody is there to be told
	case errors.Is(err, storage.ErrConflict):
		http.Error(w, "Another request was faster. Nothing was saved.", http.StatusConflict)
	default:
		sessionstore.HandleError(w, r, err)
	}
}
