package sessionstore_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// A handler that only changes its session may run more than once. Then two clicks at the same time both count, and
// neither is answered with an error.
func ExampleStore_Retry() {
	store, err := sessionstore.New(memory.New(), sessionstore.WithStrategy(lockstrategy.Optimistic()))
	if err != nil {
		panic(err)
	}
	sessions := scs.New()
	sessions.Store = store
	sessions.ErrorFunc = sessionstore.HandleError

	add := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		items := sessions.GetInt(r.Context(), "items") + 1
		sessions.Put(r.Context(), "items", items)
		_, _ = fmt.Fprintf(w, "items in the cart: %d", items)
	})
	mux := http.NewServeMux()
	mux.Handle("POST /cart", store.Retry(sessions)(add))
	mux.Handle("/", store.LoadAndSave(sessions)(http.NotFoundHandler()))

	click := func(cookie string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/cart", nil)
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w
	}
	first := click("")
	fmt.Println(first.Code, first.Body)

	var both sync.WaitGroup
	var lines [2]string
	for i := range lines {
		both.Go(func() {
			w := click(first.Header().Get("Set-Cookie"))
			lines[i] = fmt.Sprint(w.Code, " ", w.Body)
		})
	}
	both.Wait()
	fmt.Println(lines[0])
	fmt.Println(lines[1])
	// Unordered output:
	// 200 items in the cart: 1
	// 200 items in the cart: 2
	// 200 items in the cart: 3
}
