package sessionstore

import (
	"reflect"
	"runtime"

	"github.com/alexedwards/scs/v2"
)

// replacement says how a session that scs deletes is replaced by another, if it is.
type replacement uint8

const (
	notReplaced replacement = iota
	renewed                 // by itself under a new token, which the next commit brings
	merged                  // by the session of the request, into which it was merged
)

// scs deletes a session in Destroy, in RenewToken and in MergeSession, and only the first means that it ends at once. A store
// is not told which it is, so it looks who calls: docs/decisions/0010.
var replacements = map[string]replacement{
	nameOf((*scs.SessionManager).RenewToken):   renewed,
	nameOf((*scs.SessionManager).MergeSession): merged,
}

func nameOf(function any) string {
	return runtime.FuncForPC(reflect.ValueOf(function).Pointer()).Name()
}

// maxFrames bounds how far up a caller is looked for: stores may be wrapped.
const maxFrames = 24

// callersReplacement returns what the caller means by a delete.
func callersReplacement() replacement {
	var pcs [maxFrames]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		frame, more := frames.Next()
		if r, found := replacements[frame.Function]; found {
			return r
		}
		if !more {
			return notReplaced
		}
	}
}
