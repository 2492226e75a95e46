// Package storecall calls scs stores as scs.SessionManager does: each operation by its method with a context, if the
// store has that, and by the other else.
package storecall

import (
	"context"
	"time"

	"github.com/alexedwards/scs/v2"
)

// FindCtx is a store that finds with a context. scs looks for each of these methods by itself.
type FindCtx interface {
	FindCtx(ctx context.Context, token string) ([]byte, bool, error)
}

// CommitCtx is a store that commits with a context.
type CommitCtx interface {
	CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error
}

// DeleteCtx is a store that deletes with a context.
type DeleteCtx interface {
	DeleteCtx(ctx context.Context, token string) error
}

// Find calls FindCtx or Find.
func Find(ctx context.Context, store scs.Store, token string) (data []byte, found bool, err error) {
	if store, ok := store.(FindCtx); ok {
		return store.FindCtx(ctx, token)
	}
	return store.Find(token)
}

// Commit calls CommitCtx or Commit.
func Commit(ctx context.Context, store scs.Store, token string, data []byte, expiry time.Time) error {
	if store, ok := store.(CommitCtx); ok {
		return store.CommitCtx(ctx, token, data, expiry)
	}
	return store.Commit(token, data, expiry)
}

// Delete calls DeleteCtx or Delete.
func Delete(ctx context.Context, store scs.Store, token string) error {
	if store, ok := store.(DeleteCtx); ok {
		return store.DeleteCtx(ctx, token)
	}
	return store.Delete(token)
}
