package conformance

import (
	"reflect"
	"sync"

	"github.com/alexedwards/scs/v2"
)

// madeStores remembers the stores that newStore has made, to tell a factory that returns one store for all cases. It
// matters only where stores can be stopped: a case that stops its own would then break the others.
type madeStores struct {
	mu   sync.Mutex
	seen map[scs.Store]struct{} // This also keeps an address from being used again.
}

// first reports whether newStore has not returned this very store before, as far as that matters and can be told.
func (m *madeStores) first(store scs.Store) bool {
	t := reflect.TypeOf(store)
	if t.Kind() != reflect.Pointer || t.Elem().Size() == 0 || stopOf(store) == nil {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, again := m.seen[store]; again {
		return false
	}
	if m.seen == nil {
		m.seen = map[scs.Store]struct{}{}
	}
	m.seen[store] = struct{}{}
	return true
}
