package storetest

import (
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// Iterate walks over all sessions of a store, checks that there are want, each once, and returns by how much the heap
// grew at most meanwhile, in bytes, garbage included.
func Iterate(t testing.TB, store *sessionstore.Store, want int) (grown uint64) {
	t.Helper()
	seen := make(map[string]struct{}, want)
	runtime.GC()
	start := heap()
	for session, err := range store.Sessions(t.Context()) {
		if err != nil {
			t.Fatalf("after %d sessions: %v", len(seen), err)
		}
		seen[session.Token] = struct{}{}
		if len(seen)%500 == 0 {
			if now := heap(); now > start+grown {
				grown = now - start
			}
		}
	}
	if len(seen) != want {
		t.Errorf("%d sessions; want %d", len(seen), want)
	}
	return grown
}

func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
