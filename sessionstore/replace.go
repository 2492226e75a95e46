package sessionstore

import (
	"cmp"
	"context"
	"iter"
	"reflect"
	"runtime"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/storage"
)

// replacement says how a session that scs deletes is replaced by another, if it is.
type replacement uint8

const (
	notReplaced replacement = iota
	renewed                 // by itself under a new token, which the next commit brings
	merged                  // by the session of the request, into which it was merged
)

// scs deletes a session in Destroy, in RenewToken and in MergeSession, and only the first means that it ends at once. A
// store is not told which it is, so it looks who calls: docs/decisions/0010.
var (
	renewToken   = nameOf((*scs.SessionManager).RenewToken)
	mergeSession = nameOf((*scs.SessionManager).MergeSession)
	destroy      = nameOf((*scs.SessionManager).Destroy)
	iterate      = nameOf((*scs.SessionManager).Iterate)
)

func nameOf(function any) string {
	return runtime.FuncForPC(reflect.ValueOf(function).Pointer()).Name()
}

// maxFrames bounds how far up a caller is looked for: stores may be wrapped.
const maxFrames = 24

// caller is what scs does as it calls.
type caller struct {
	replaces replacement // what a delete is for
	destroys bool        // whether a session is ended for good, by Destroy
	iterates bool        // whether the session is one that Iterate shows
}

// callerOf returns what scs does.
func callerOf() (c caller) {
	for function := range callers() {
		switch function {
		case renewToken:
			c.replaces = cmp.Or(c.replaces, renewed)
		case mergeSession:
			c.replaces = cmp.Or(c.replaces, merged)
		case destroy:
			c.destroys = true
		case iterate:
			c.iterates = true
		}
	}
	return c
}

// callers returns the names of the functions that are running, the innermost first.
func callers() iter.Seq[string] {
	return func(yield func(string) bool) {
		var pcs [maxFrames]uintptr
		frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
		for {
			frame, more := frames.Next()
			if !yield(frame.Function) || !more {
				return
			}
		}
	}
}

// checkShown reports a session that Iterate has shown outside of a scope, and that is not there under this token. One
// that has ended is: it leaves a tombstone.
func (s *Store) checkShown(ctx context.Context, token string) error {
	if !s.listed.Load() || !callerOf().iterates {
		return nil
	}
	for key := range s.vault.keysOf(token) {
		if _, found, err := s.backend.Driver.Get(ctx, key, storage.Strong); err != nil || found {
			return err
		}
	}
	return ErrNotShown
}
