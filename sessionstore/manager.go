package sessionstore

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/mark"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Session managers that share a store are told apart by the names of their cookies: what one of them commits has a
// mark, and is not there for another. A session without one, as of an earlier version or of a scope that knows no
// manager, is everybody's: see docs/decisions/0013.

// markBytes is how much of a hash is enough to tell a few names apart.
const markBytes = 4

// markOf returns the mark of a manager's sessions. Managers with one cookie name, as where an application makes one for
// each router, share them.
func markOf(sm *scs.SessionManager) string {
	hash := sha256.Sum256([]byte("session manager:" + sm.Cookie.Name))
	return base64.RawURLEncoding.EncodeToString(hash[:markBytes])
}

// sameManager reports whether two managers have the same sessions, as far as is known of them.
func sameManager(a, b *scs.SessionManager) bool {
	return a == nil || b == nil || a.Cookie.Name == b.Cookie.Name
}

// accepts reports whether a record may be the session of this layer's manager.
func (l *layer) accepts(record storage.Record) bool {
	mark := managerMarkOf(record)
	return mark == "" || l.manager == nil || mark == markOf(l.manager)
}

// managerMark returns the mark for what is written in place of a record.
func (l *layer) managerMark(before storage.Record) string {
	if l.manager == nil {
		return managerMarkOf(before)
	}
	return markOf(l.manager)
}

// managerMarkOf returns the mark of the manager whose session a record is.
func managerMarkOf(record storage.Record) string {
	manager, _, _ := strings.Cut(sealedMarkOf(record), ownerTag)
	return manager
}

// sealedMarkOf returns what the seal of a record is bound to: whose session it is among managers, and among owners.
func sealedMarkOf(record storage.Record) string { return strings.TrimPrefix(mark.Of(record), sealMark) }

// sealMark begins the marks of records that are sealed, so that a store without a secret knows them: their data may
// look like any.
const sealMark = "+"

// mark returns the mark of a record that this vault seals, or does not.
func (v *vault) mark(manager string) string {
	if v.seals() {
		return sealMark + manager
	}
	return manager
}

func markedSealed(record storage.Record) bool { return strings.HasPrefix(mark.Of(record), sealMark) }
