// Package dropin shows that store.LoadAndSave(sessions) stands in for sessions.LoadAndSave: each behaviour of a handler
// is run in two worlds, plain scs on its memstore and ours, over raw TCP. The bytes on the connection, what the handler
// was told, what the server logged and what is stored afterwards must be the same. What differs, and why, is said in
// one place: rules_test.go for whole kinds of requests, differs_test.go for single behaviours.
package dropin

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	// The clean-up of a memstore ends some time after it was told to.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/alexedwards/scs/v2/memstore.(*MemStore).startCleanup"))
}
