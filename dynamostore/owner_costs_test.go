package dynamostore_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// What owners cost is a promise of docs/owners.md: a login pays for the roster, and a request nothing. A list costs a
// read of the roster and of each session; an end of all, a read and two writes of the roster, and of each session one
// each.
func TestCostsOfOwners(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]sessionstore.Option{
		"plain": nil, "secret": {sessionstore.WithSecret(storetest.Secret(1))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, dynamostore.Table{}, append(options,
				sessionstore.WithOwner("user", sessionstore.OwnerFrom("user")))...)
			sessions := storetest.NewManager(f.store)
			token := ""
			request := func(handler http.HandlerFunc) func() {
				return func() {
					r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
					if token != "" {
						r.AddCookie(&http.Cookie{Name: sessions.Cookie.Name, Value: token})
					}
					w := httptest.NewRecorder()
					f.store.LoadAndSave(sessions)(handler).ServeHTTP(w, r)
					if w.Code != http.StatusOK {
						t.Fatalf("answered with %d", w.Code)
					}
					for _, cookie := range w.Result().Cookies() {
						token = cookie.Value
					}
				}
			}
			login := request(func(_ http.ResponseWriter, r *http.Request) { logIn(t, sessions, r) })
			owner := f.store.Owner("user", "alice")
			list := func(want int) func() {
				return func() {
					n := 0
					for _, err := range owner.Sessions(t.Context()) {
						must(t, err)
						n++
					}
					if n != want {
						t.Fatalf("%d sessions are listed; want %d", n, want)
					}
				}
			}
			end := func(want int) func() {
				return func() {
					if n, err := owner.EndAll(t.Context()); n != want || err != nil {
						t.Fatalf("EndAll has ended %d, %v; want %d", n, err, want)
					}
				}
			}
			costs := func(what string, do func(), calls map[string]int, reads, writes float64) {
				t.Helper()
				f.recorder.Reset()
				do()
				if got := f.recorder.Calls(); !maps.Equal(got, calls) {
					t.Errorf("%s: calls %v; want %v", what, got, calls)
				}
				var units [2]float64
				for operation := range calls {
					kind := 1
					if operation == "GetItem" {
						kind = 0
					}
					units[kind] += f.recorder.Units(operation)
				}
				if units != [2]float64{reads, writes} {
					t.Errorf("%s: %v read and write units; want %v and %v", what, units, reads, writes)
				}
			}
			costs("a session that nobody owns", request(func(_ http.ResponseWriter, r *http.Request) {
				sessions.Put(r.Context(), "cart", 1)
			}), map[string]int{"PutItem": 1}, 0, 1)
			token = ""
			costs("a login", login, map[string]int{"GetItem": 1, "PutItem": 2}, 1, 2)
			costs("a request that reads", request(func(_ http.ResponseWriter, r *http.Request) {
				sessions.GetString(r.Context(), "user")
			}), map[string]int{"GetItem": 1}, 1, 0)
			costs("a change", request(func(_ http.ResponseWriter, r *http.Request) {
				sessions.Put(r.Context(), "cart", 1)
			}), map[string]int{"GetItem": 1, "PutItem": 1}, 1, 1)
			costs("a list of 1", list(1), map[string]int{"GetItem": 2}, 2, 0)
			costs("a logout", request(func(_ http.ResponseWriter, r *http.Request) {
				must(t, sessions.Destroy(r.Context()))
			}), map[string]int{"GetItem": 1, "PutItem": 1}, 1, 1)
			token = ""
			costs("an end of none, beside one that has ended", end(0), map[string]int{"GetItem": 3, "PutItem": 2}, 3, 2)
			login()
			costs("an end of 1", end(1), map[string]int{"GetItem": 3, "PutItem": 3}, 3, 3)
			many := func(n int) func() {
				return func() {
					for range n {
						token = ""
						login()
					}
				}
			}
			costs("10 logins", many(10), map[string]int{"GetItem": 16, "PutItem": 21}, 16, 21)
			costs("a list of 10", list(10), map[string]int{"GetItem": 12}, 12, 0)
			costs("an end of 10", end(10), map[string]int{"GetItem": 13, "PutItem": 12, "DeleteItem": 1}, 13, 13)
			if name == "plain" {
				return
			}
			costs("1,000 logins", many(1000), map[string]int{"GetItem": 3614, "PutItem": 2241, "DeleteItem": 153},
				3614, 2603)
			costs("a list of 1,000", list(1000), map[string]int{"GetItem": 1089}, 1089, 0)
			costs("an end of 1,000", end(1000), map[string]int{"GetItem": 1090, "PutItem": 1002, "DeleteItem": 88},
				1090, 1149)
		})
	}
}

func logIn(t *testing.T, sessions *scs.SessionManager, r *http.Request) {
	t.Helper()
	must(t, sessions.RenewToken(r.Context()))
	sessions.Put(r.Context(), "user", "alice")
}
