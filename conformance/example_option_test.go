package conformance_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
)

// The code of README.md. Its first test is run, on the store of the example; the rest needs servers, and is compiled.

func newStore(*testing.T) scs.Store { return notebook{&shelf{}} }

func TestStore(t *testing.T) {
	conformance.Run(t, newStore,
		conformance.WithExpiryResolution(10*time.Millisecond), // how exactly the backend keeps time
		conformance.WithMaxData(64_000),                       // the largest session it holds, in bytes
	)
}

// TestSharedNotebook shows the option of ExampleRun at work, and that a backend which all cases share is as good.
func TestSharedNotebook(t *testing.T) {
	t.Parallel()
	shared := &shelf{}
	conformance.Run(t, func(*testing.T) scs.Store { return notebook{shared} },
		conformance.WithPeer(func(_ *testing.T, store scs.Store) scs.Store {
			return notebook{store.(notebook).shelf}
		}))
}

var (
	_ = testOverDatabase
	_ = knownFailures
)

type sqlStore struct {
	scs.Store
	db *sql.DB
}

func (s *sqlStore) deleteExpired(context.Context) error { return nil }

func openStore(*testing.T, string) *sqlStore { return nil }

func listenBetween(*testing.T, string) *breakable { return nil }

type breakable struct{}

func (*breakable) address() string { return "" }

func (*breakable) refuse() {}

func (*breakable) stall() {}

func (*breakable) restore() {}

func testOverDatabase(t *testing.T, server string) {
	conformance.Run(t, func(t *testing.T) scs.Store { return openStore(t, server) },
		conformance.WithPeer(func(t *testing.T, _ scs.Store) scs.Store { return openStore(t, server) }),
		conformance.WithCollect(
			func(t *testing.T, store scs.Store) {
				if err := store.(*sqlStore).deleteExpired(t.Context()); err != nil {
					t.Error(err)
				}
			},
			func(t *testing.T, store scs.Store, token string) (stored bool) {
				row := store.(*sqlStore).db.QueryRowContext(t.Context(), "SELECT count(*) > 0 FROM sessions WHERE token = $1", token)
				if err := row.Scan(&stored); err != nil {
					t.Error(err)
				}
				return stored
			},
		))
}

// proxied is a store that reaches its server through a listener of the test.
type proxied struct {
	scs.Store
	between *breakable
}

func openProxied(t *testing.T, server string) scs.Store {
	t.Helper()
	between := listenBetween(t, server)
	return &proxied{openStore(t, between.address()), between}
}

func withFaults() conformance.Option {
	return conformance.WithFault(func(_ *testing.T, store scs.Store, fault conformance.Fault) (repair func()) {
		between := store.(*proxied).between
		switch fault {
		case conformance.FaultDown:
			between.refuse()
		case conformance.FaultHang:
			between.stall()
		default:
			return nil // The cases that need another fault are skipped.
		}
		return between.restore
	})
}

func knownFailures(t *testing.T, server string) {
	conformance.Run(t, func(t *testing.T) scs.Store { return openProxied(t, server) }, withFaults(),
		conformance.WithSkip("B11", "the collation of the table ignores case"),
		conformance.WithSkip("E12", "TIMESTAMP ends in January 2038"),
	)
}
