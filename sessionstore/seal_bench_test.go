package sessionstore_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// BenchmarkSealed is a request of the session manager over the memory driver, where sealing and opening is most of the
// work: one that reads the session, and one that changes it.
func BenchmarkSealed(b *testing.B) {
	for name, idle := range map[string]time.Duration{"lifetime": 0, "idle": time.Hour} {
		v := newVisitor(b, memory.New(), sessionstore.WithSecret(storetest.Secret(1)))
		v.sessions.IdleTimeout = idle
		token := v.begin(map[string]any{"user": "alice", "cart": strings.Repeat("x", 500), "n": 1})
		b.Run(name+"/read", func(b *testing.B) {
			for b.Loop() {
				v.visit(token, func(_ http.ResponseWriter, r *http.Request) { v.sessions.GetInt(r.Context(), "n") })
			}
		})
		n := 0
		b.Run(name+"/change", func(b *testing.B) {
			for b.Loop() {
				n++
				v.visit(token, func(_ http.ResponseWriter, r *http.Request) { v.sessions.Put(r.Context(), "n", n) })
			}
		})
	}
}
