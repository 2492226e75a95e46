package sessionstore_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// A page "my devices", on which a user sees where they are logged in, and a button that logs the others out.
func ExampleStore_Owner() {
	store, err := sessionstore.New(memory.New(), // or dynamostore.New, or boltstore.Open
		// Whose a session is, your login puts into it anyway. Where it was, you say yourself.
		sessionstore.WithOwner("user", sessionstore.OwnerFrom("userID")),
		sessionstore.WithOwnerDetails(func(r *http.Request, _ map[string]any) map[string]string {
			if r == nil { // a commit outside of store.LoadAndSave
				return nil
			}
			return map[string]string{"browser": r.UserAgent()}
		}))
	if err != nil {
		panic(err)
	}
	sessions := scs.New()
	sessions.Store = store
	sessions.ErrorFunc = sessionstore.HandleError

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.RenewToken(r.Context()); err != nil { // after the password was checked
			sessionstore.HandleError(w, r, err)
			return
		}
		sessions.Put(r.Context(), "userID", "alice")
	})
	mux.HandleFunc("GET /devices", func(w http.ResponseWriter, r *http.Request) {
		me := store.Owner("user", sessions.GetString(r.Context(), "userID"))
		for device, err := range me.Sessions(r.Context()) { // the latest login first
			if err != nil {
				sessionstore.HandleError(w, r, err)
				return
			}
			_, _ = fmt.Fprintf(w, "%s, this device: %v\n", device.Details["browser"], device.Current)
		}
	})
	mux.HandleFunc("POST /devices/others", func(w http.ResponseWriter, r *http.Request) {
		me := store.Owner("user", sessions.GetString(r.Context(), "userID"))
		ended, err := me.EndOthers(r.Context())
		if err != nil {
			sessionstore.HandleError(w, r, err)
			return
		}
		_, _ = fmt.Fprintln(w, "others logged out:", ended)
	})
	handler := store.LoadAndSave(sessions)(mux)

	// Two browsers, of which the first has lost the second on a train.
	cookies := map[string]*http.Cookie{}
	send := func(browser, method, path string) {
		r := httptest.NewRequestWithContext(context.Background(), method, path, nil)
		r.Header.Set("User-Agent", browser)
		if cookie := cookies[browser]; cookie != nil {
			r.AddCookie(cookie)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		for _, cookie := range answer.Result().Cookies() {
			cookies[browser] = cookie
		}
		fmt.Print(answer.Body)
	}
	send("laptop", "POST", "/login")
	send("phone", "POST", "/login")
	send("laptop", "GET", "/devices")
	send("laptop", "POST", "/devices/others")
	send("laptop", "GET", "/devices")
	// Output:
	// phone, this device: false
	// laptop, this device: true
	// others logged out: 1
	// laptop, this device: true
}

// End all sessions of somebody whose account was taken over, from wherever that is known.
func ExampleOwner_EndAll() {
	ctx := context.Background()
	store, err := sessionstore.New(memory.New(),
		sessionstore.WithOwner("user", sessionstore.OwnerFrom("userID")))
	if err != nil {
		panic(err)
	}
	expiry := time.Now().Add(time.Hour)
	data, err := scs.GobCodec{}.Encode(expiry, map[string]any{"userID": "alice"}) // as a session manager does
	if err != nil {
		panic(err)
	}
	_ = store.CommitCtx(ctx, "token", data, expiry)

	ended, err := store.Owner("user", "alice").EndAll(ctx) // logins that are under way are refused
	fmt.Println(ended, err)
	_, found, _ := store.FindCtx(ctx, "token")
	fmt.Println(found)
	// Output:
	// 1 <nil>
	// false
}
