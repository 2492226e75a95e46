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
	_ = testWithFaults
	_ = knownFailures
)

type sqlStore struct {
	scs.Store
	db *sql.DB
}

func (s *sqlStore) deleteExpired(context.Context) error { return nil }

func openStore(*testing.T, string) *sqlStore { return nil }

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
				const query = "SELECT count(*) > 0 FROM sessions WHERE token = $1"
				row := store.(*sqlStore).db.QueryRowContext(t.Context(), query, token)
				if err := row.Scan(&stored); err != nil {
					t.Error(err)
				}
				return stored
			},
		))
}

// relayed is a store that reaches its server through a relay.
type relayed struct {
	scs.Store
	relay *conformance.Relay
}

func testWithFaults(t *testing.T, server string) {
	newStore := func(t *testing.T) scs.Store {
		relay := conformance.NewRelay(t, server)
		return &relayed{openStore(t, relay.Addr()), relay}
	}
	conformance.Run(t, newStore, conformance.WithFault(
		func(_ *testing.T, store scs.Store, fault conformance.Fault) (repair func()) {
			return store.(*relayed).relay.Inject(fault) // Nil for one that it cannot make: its cases are skipped.
		}))
}

func knownFailures(t *testing.T, server string) {
	conformance.Run(t, func(t *testing.T) scs.Store { return openStore(t, server) },
		conformance.WithSkip("B11", "the collation of the table ignores case"),
		conformance.WithSkip("E12", "TIMESTAMP ends in January 2038"),
	)
}
