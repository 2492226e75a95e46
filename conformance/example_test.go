package conformance_test

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
)

// A notebook is a store in twenty lines. Several can share a shelf, as instances of an application share a database.
type notebook struct{ *shelf }

type shelf struct{ pages sync.Map }

type page struct {
	data   []byte
	expiry time.Time
}

func (n notebook) Find(token string) ([]byte, bool, error) {
	found, ok := n.pages.Load(token)
	if !ok || !time.Now().Before(found.(page).expiry) {
		return nil, false, nil
	}
	return bytes.Clone(found.(page).data), true, nil
}

func (n notebook) Commit(token string, b []byte, expiry time.Time) error {
	n.pages.Store(token, page{bytes.Clone(b), expiry})
	return nil
}

func (n notebook) Delete(token string) error {
	n.pages.Delete(token)
	return nil
}

// In the tests of a store, the function is called TestStore.
func ExampleRun() {
	testStore := func(t *testing.T) {
		conformance.Run(t, func(*testing.T) scs.Store { return notebook{&shelf{}} },
			conformance.WithPeer(func(_ *testing.T, store scs.Store) scs.Store {
				return notebook{store.(notebook).shelf}
			}),
			conformance.WithMaxData(1<<20),
		)
	}
	_ = testStore
}
