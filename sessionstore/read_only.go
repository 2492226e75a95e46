package sessionstore

import (
	"context"
	"net/http"
	"slices"
)

// ReadOnly returns a context for a request that only reads its session: a strategy that locks takes no lock for it, and
// it never waits. It must be set before the session is loaded. A commit in such a request is refused with
// [storage.ErrConflict] if the session was changed since it was read; see also [WithReadOnly].
func ReadOnly(ctx context.Context) context.Context {
	return context.WithValue(ctx, readOnlyKey{}, true)
}

type readOnlyKey struct{}

func isReadOnly(ctx context.Context) bool {
	readOnly, _ := ctx.Value(readOnlyKey{}).(bool)
	return readOnly
}

// Paths returns a predicate for [WithReadOnly] that takes requests for these paths, exactly as given, for such that
// only read their session, or end it.
func Paths(paths ...string) func(*http.Request) bool {
	return func(r *http.Request) bool { return slices.Contains(paths, r.URL.Path) }
}

// SafeMethods is a predicate for [WithReadOnly] that takes GET, HEAD and OPTIONS requests for such that only read, as
// RFC 9110, section 9.2.1, has it. It is right where no handler of these changes the session.
func SafeMethods(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	default:
		return false
	}
}
