package lockbench_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// idleTimeout is that of requests with one. By default, the expiry is then written at most once a minute.
const idleTimeout = 20 * time.Minute

// request is a kind of request to a session that nobody else uses.
type request struct {
	name   string
	method string
	modify bool          // whether the handler changes the session
	idle   time.Duration // the session manager's idle timeout
	rested time.Duration // for how long there was no request before
}

// uncontended is what each kind of request costs, in calls to storage.
var uncontended = []struct {
	request
	calls map[string]int // by strategy; the baseline leaves its lock behind where scs saves nothing
}{
	{
		request{"modifying", http.MethodPost, true, 0, 0},
		map[string]int{"baseline": 2, "none": 2, "optimistic": 2, "merge": 2, "lease": 2},
	},
	{
		request{"unmodified", http.MethodPost, false, 0, 0},
		map[string]int{"none": 1, "optimistic": 1, "merge": 1, "lease": 2},
	},
	{
		request{"read-only", http.MethodGet, false, 0, 0},
		map[string]int{"none": 1, "optimistic": 1, "merge": 1, "lease": 1},
	},
	{
		request{"idle timeout, within the touch interval", http.MethodPost, false, idleTimeout, 0},
		map[string]int{"none": 1, "optimistic": 1, "merge": 1, "lease": 2}, // the lease is released
	},
	{
		request{"idle timeout, beyond it", http.MethodPost, false, idleTimeout, 2 * time.Minute},
		map[string]int{"baseline": 2, "none": 2, "optimistic": 2, "merge": 2, "lease": 2},
	},
	{
		request{"idle timeout, read-only, within", http.MethodGet, false, idleTimeout, 0},
		map[string]int{"none": 1, "optimistic": 1, "merge": 1, "lease": 1},
	},
	{
		request{"idle timeout, read-only, beyond", http.MethodGet, false, idleTimeout, 2 * time.Minute},
		map[string]int{"none": 2, "optimistic": 2, "merge": 2, "lease": 2},
	},
}

func TestUncontendedCalls(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range contenders {
				p := engine.open(t, 1)
				for _, kind := range uncontended {
					want, measured := kind.calls[c.name]
					if !measured {
						continue
					}
					for range 3 { // the first after the login, and others
						if got, _ := alone(t, p, c, kind.request); got.Calls != want || got.Refused != 0 {
							t.Errorf("%s: %s: %d calls, %d of them refused; want %d", c.name, kind.name, got.Calls, got.Refused, want)
						}
					}
				}
			}
		})
	}
}

// alone returns the cost of one request to a session that was used before.
func alone(t testing.TB, p *place, c contender, kind request) (count, units) {
	t.Helper()
	ctx := t.Context()
	process, err := newProcess(p.drivers[0], c.new())
	if err != nil {
		t.Fatal(err)
	}
	process.sessions.IdleTimeout = kind.idle
	token, err := process.login(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if kind.rested > 0 {
		change := storage.Change{ExpiresAt: time.Now().Add(kind.idle - kind.rested)}
		if err := p.drivers[0].Update(ctx, process.store.StorageKey(token), change, storage.Always()); err != nil {
			t.Fatal(err)
		}
	}
	p.reset()
	err = process.do(ctx, kind.method, token, func(ctx context.Context) {
		if got := process.sessions.GetString(ctx, "user"); got == "" {
			t.Error("the request has no session")
		}
		if kind.modify {
			process.update(ctx, 0)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return p.cost(t)
}
