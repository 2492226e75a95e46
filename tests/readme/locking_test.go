package readme_test

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// The code of docs/locking.md.

func _(client dynamostore.Client, table dynamostore.Table) error {
	store, err := dynamostore.New(client, table,
		sessionstore.WithStrategy(lockstrategy.Optimistic()))
	if err != nil {
		return err
	}
	return store.Close()
}

func _() []lockstrategy.Strategy {
	merge := lockstrategy.Merge(lockstrategy.PerKey(map[string]lockstrategy.SameKey{
		"visits": lockstrategy.Sum,
		"cart":   lockstrategy.Union,
	}))
	longest := lockstrategy.Merge(
		func(key string, base, ours, theirs lockstrategy.Value) (lockstrategy.Value, error) {
			our, _ := ours.Value.(string)
			their, _ := theirs.Value.(string)
			if key == "comment" && len(their) > len(our) {
				return theirs, nil
			}
			return ours, nil
		})
	lease := lockstrategy.Lease(lockstrategy.LeaseOptions{
		Duration: 5 * time.Second,
		MaxWait:  10 * time.Second,
	})
	return []lockstrategy.Strategy{merge, longest, lease}
}

func _(mux *http.ServeMux, store *sessionstore.Store, sessions *scs.SessionManager, search, cart, rest http.Handler) {
	readOnly := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(sessionstore.ReadOnly(r.Context())))
		})
	}
	mux.Handle("POST /search", readOnly(store.LoadAndSave(sessions)(search)))

	mux.Handle("POST /cart", store.Retry(sessions)(cart))
	mux.Handle("/", store.LoadAndSave(sessions)(rest))
}

func _(
	client dynamostore.Client, table dynamostore.Table, mux *http.ServeMux, sessions *scs.SessionManager, pay,
	rest http.Handler,
) error {
	driver, err := dynamostore.NewDriver(client, table)
	if err != nil {
		return err
	}
	merging, err := sessionstore.New(driver)
	if err != nil {
		return err
	}
	locking, err := sessionstore.New(driver, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{})))
	if err != nil {
		return err
	}
	sessions.Store = merging
	checkout := *sessions
	checkout.Store = locking
	mux.Handle("POST /checkout", locking.LoadAndSave(&checkout)(pay))
	mux.Handle("/", merging.LoadAndSave(sessions)(rest))
	return nil
}

func _(r *http.Request) {
	if errors.Is(context.Cause(r.Context()), sessionstore.ErrLockLost) {
		return // another request has the session now; nothing of this one will be saved
	}
}
