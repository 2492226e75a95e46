package lockbench_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// process is what one web server has: a store with a strategy of its own, and a session manager.
type process struct {
	store    *sessionstore.Store
	sessions *scs.SessionManager
}

func newProcess(driver storage.Driver, strategy lockstrategy.Strategy) (*process, error) {
	store, err := sessionstore.New(driver,
		sessionstore.WithStrategy(strategy), sessionstore.WithReadOnly(sessionstore.SafeMethods))
	if err != nil {
		return nil, err
	}
	return &process{store, &scs.SessionManager{ // not scs.New, which leaves a goroutine behind
		Store:    store,
		Lifetime: 24 * time.Hour,
		Codec:    scs.GobCodec{},
		Cookie:   scs.SessionCookie{Name: "session", Path: "/"},
		ErrorFunc: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		},
	}}, nil
}

// do serves one request with the session of the token, and returns how it failed.
func (p *process) do(ctx context.Context, method, token string, handle func(ctx context.Context)) error {
	_, err := p.serve(ctx, method, token, handle)
	return err
}

// login makes a session and returns its token.
func (p *process) login(ctx context.Context) (string, error) {
	response, err := p.serve(ctx, http.MethodPost, "",
		func(ctx context.Context) { p.sessions.Put(ctx, "user", "somebody") })
	if err != nil {
		return "", err
	}
	for _, cookie := range response.Cookies() {
		if cookie.Name == p.sessions.Cookie.Name {
			return cookie.Value, nil
		}
	}
	return "", errors.New("the response has no session")
}

func (p *process) serve(
	ctx context.Context, method, token string, handle func(ctx context.Context),
) (*http.Response, error) {
	request := httptest.NewRequestWithContext(ctx, method, "/", http.NoBody)
	if token != "" {
		request.AddCookie(&http.Cookie{Name: p.sessions.Cookie.Name, Value: token})
	}
	recorder := httptest.NewRecorder()
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { handle(r.Context()) })
	p.store.LoadAndSave(p.sessions)(handler).ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK {
		return nil, errors.New(strings.TrimSpace(recorder.Body.String()))
	}
	return recorder.Result(), nil
}

// update is what the n-th request does with the session: it sets a value of its own.
func (p *process) update(ctx context.Context, n int) { p.sessions.Put(ctx, updateKey(n), true) }

// kept returns how many of n updates are in the session.
func (p *process) kept(ctx context.Context, token string, n int) (int, error) {
	session, found, err := p.store.Lookup(ctx, token)
	if err != nil || !found {
		return 0, errors.Join(err, errors.New("the session is gone"))
	}
	_, values, err := p.sessions.Codec.Decode(session.Data)
	kept := 0
	for i := range n {
		if values[updateKey(i)] == true {
			kept++
		}
	}
	return kept, err
}

func updateKey(n int) string { return fmt.Sprint("update", n) }
