package storage

import "strings"

// ReservedPrefix begins the keys of records that are no sessions: what programs around a store keep beside it, such as
// the lease by which collectors elect one of themselves. No token that scs draws and no key that a secret makes begins
// so. A store neither finds nor lists nor deletes such records; see
// docs/decisions/0008-records-that-are-no-sessions.md.
const ReservedPrefix = "scsdynamo:"

// Reserved reports whether a record under key is no session. The prefix without its last character is reserved, too: a
// driver may have keys from which such a record of somebody else could be cut so.
func Reserved(key string) bool { return strings.HasPrefix(key+":", ReservedPrefix) }
