// Package roster keeps the list of one owner's sessions, strongly consistent, in records of its own beside the sessions
// (docs/decisions/0015-a-roster-for-each-owner.md). It knows nothing of sessions but their storage keys; what a session
// is, and how it ends, it asks its [Sessions].
//
// A roster is one record, the head, and pages that do not fit into it:
//
//	head   epoch, instant of the last end of all | the newest sessions | the newest page ──▶ page ──▶ page
//	                                             | what is being ended
//
// All decisions are made by one conditional write of the head: a session is added, all are ended, or a limit is kept,
// in whatever order requests come. Pages are never changed, so that whoever has read a head can walk over all of it.
//
// A session is added before it is committed, and stays on the roster when it ends: a roster may name sessions that are
// not there, and never lacks one that is. The dead are dropped when the head is full.
package roster

import (
	"context"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Prefix begins the keys of all rosters. They are no sessions: see [storage.ReservedPrefix].
const Prefix = storage.ReservedPrefix + "owner:"

// Is reports whether a record under the key belongs to a roster.
func Is(key string) bool { return strings.HasPrefix(key, Prefix) }

// Roster is the list of one owner's sessions. It is made for one use, and safe for concurrent use.
type Roster struct {
	// Driver keeps the records.
	Driver storage.Driver
	// Now is the clock by which expiry is judged.
	Now func() time.Time
	// Key is where the head is. It begins with Prefix.
	Key string
	// Seal makes what is stored under a key, and Open undoes that.
	Seal func(key string, plain []byte) ([]byte, error)
	Open func(record storage.Record) ([]byte, error)
	// Sessions are asked about what is on the roster.
	Sessions Sessions
}

// Sessions say what has become of sessions that are on a roster.
type Sessions interface {
	// State says what has become of a session, and under which key it is now.
	State(ctx context.Context, entry Entry) (state State, key string, err error)
	// End ends a session, or sees to it that one which is being committed is refused. It is idempotent. ended is
	// whether there was one.
	End(ctx context.Context, entry Entry) (ended bool, err error)
}

// State is what has become of a session that was put on a roster.
type State uint8

// The states.
const (
	Dead    State = iota // it is not there, and will not be
	Expired              // by this process's clock, which may be wrong
	Pending              // it is not there, and its commit may be under way
	Live
)

// Entry is one session of a roster.
type Entry struct {
	// Key is the storage key of the session.
	Key string
	// AddedAt is when the session was put on the roster.
	AddedAt time.Time
	// Until is when the session ends at the latest.
	Until time.Time
	// Details are what the application shows of the session.
	Details map[string]string
}

// MayBePending reports whether the commit for which the entry was added may still arrive.
func (e Entry) MayBePending(now time.Time) bool {
	return now.Sub(e.AddedAt).Abs() < ended.TombstoneTime
}
