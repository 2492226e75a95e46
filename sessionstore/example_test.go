package sessionstore_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// Work on a session outside of a web server, with the same guarantees: of two that read the same version, the
// optimistic strategy refuses the second.
func ExampleStore_Begin() {
	ctx := context.Background()
	store, err := sessionstore.New(memory.New(), sessionstore.WithStrategy(lockstrategy.Optimistic()))
	if err != nil {
		panic(err)
	}
	expiry := time.Now().Add(time.Hour)
	_ = store.CommitCtx(ctx, "token", []byte("cart: 1"), expiry)

	mine, end := store.Begin(ctx)
	defer end()
	data, _, _ := store.FindCtx(mine, "token")

	// Meanwhile, somebody else:
	theirs, endTheirs := store.Begin(ctx)
	_, _, _ = store.FindCtx(theirs, "token")
	fmt.Println(store.CommitCtx(theirs, "token", []byte("cart: 2"), expiry))
	endTheirs()

	fmt.Println(store.CommitCtx(mine, "token", append(data, '!'), expiry))
	// Output:
	// <nil>
	// another request changed the session while this one was running: storage: the condition of the write does not hold
}

// Walk over all sessions, a page at a time.
func ExampleStore_Sessions() {
	ctx := context.Background()
	store, err := sessionstore.New(memory.New())
	if err != nil {
		panic(err)
	}
	_ = store.CommitCtx(ctx, "token", []byte("data"), time.Now().Add(time.Hour))
	for session, err := range store.Sessions(ctx) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(session.Token, string(session.Data))
	}
	// Output: token data
}

// The middleware, over any driver: requests of one session keep each other's updates, and errors become answers.
func ExampleLoadAndSave() {
	store, err := sessionstore.New(memory.New()) // or dynamostore.New, or boltstore.Open
	if err != nil {
		panic(err)
	}
	sessions := scs.New()
	sessions.Store = store
	sessions.ErrorFunc = sessionstore.HandleError

	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		visits := sessions.GetInt(r.Context(), "visits") + 1
		sessions.Put(r.Context(), "visits", visits)
		_, _ = fmt.Fprintln(w, "visits:", visits)
	})
	handler := sessionstore.LoadAndSave(sessions)(mux)

	request := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
	for range 2 {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		for _, cookie := range answer.Result().Cookies() {
			request.AddCookie(cookie)
		}
		fmt.Print(answer.Body)
	}
	// Output:
	// visits: 1
	// visits: 2
}

// What a request is told about a commit that was refused.
func ExampleHandleError() {
	request := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", nil)
	for _, err := range []error{
		sessionstore.ErrConflict, sessionstore.ErrSessionGone, sessionstore.ErrThrottled,
		sessionstore.ErrTooLarge,
	} {
		answer := httptest.NewRecorder()
		sessionstore.HandleError(answer, request, err)
		fmt.Printf("%d, Retry-After %q\n", answer.Code, answer.Header().Get("Retry-After"))
	}
	// Output:
	// 409, Retry-After ""
	// 409, Retry-After ""
	// 503, Retry-After "1"
	// 500, Retry-After ""
}
