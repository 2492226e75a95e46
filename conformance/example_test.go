package conformance_test

import (
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/scsdynamo/scsdynamo/conformance"
)

// In the tests of a store, this is func TestStore(t *testing.T).
func ExampleRun() {
	testStore := func(t *testing.T) {
		conformance.Run(t, func(*testing.T) scs.Store {
			return memstore.NewWithCleanupInterval(0)
		},
			conformance.WithSkip("D08", "the store keeps the slice it is given"),
			conformance.WithMaxData(400_000),
		)
	}
	_ = testStore
}
