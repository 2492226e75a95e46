package boltstore

import (
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// The expiry index has one key for each record, made of its expiry and its key, in the order of expiry. It is what lets
// a write remove expired records without looking for them.

// sweepAtLeast is how many expired records each transaction may remove, and sweepPerWrite how many for each write in
// it. It takes more than one for each write: else a file with a backlog of expired records would never get rid of it.
const (
	sweepAtLeast  = 16
	sweepPerWrite = 2
)

// expiryKey sorts by expiry: with its sign bit turned, a signed number sorts as its bytes do.
func expiryKey(expiresAt time.Time, key string) []byte {
	b := make([]byte, 0, instantSize+len(key))
	b = appendInstant(b, expiresAt)
	b[0] ^= 0x80
	return append(b, key...)
}

// splitExpiryKey undoes expiryKey. Of bytes that it did not make, it makes an entry of the earliest expiry for no key.
func splitExpiryKey(entry []byte) (expiresAt time.Time, key string) {
	if len(entry) < instantSize {
		return time.Time{}, ""
	}
	b := [instantSize]byte(entry)
	b[0] ^= 0x80
	return instant(b[:]), string(entry[instantSize:])
}

// index replaces the entry of the record before by that of the record after; nil stands for none.
func (t *tables) index(before, after *storage.Record) {
	if before != nil && after != nil && before.ExpiresAt.Equal(after.ExpiresAt) {
		return
	}
	if before != nil {
		t.must(t.expiries.Delete(expiryKey(before.ExpiresAt, before.Key)))
	}
	if after != nil {
		t.must(t.expiries.Put(expiryKey(after.ExpiresAt, after.Key), nil))
	}
}

// sweep removes at most limit records that expired before cutoff.
func (t *tables) sweep(cutoff time.Time, limit int) {
	// Collected first, because a cursor of bbolt must not be used while its bucket changes.
	var due [][]byte
	cursor := t.expiries.Cursor()
	for entry, _ := cursor.First(); entry != nil && len(due) < limit; entry, _ = cursor.Next() {
		if expiresAt, _ := splitExpiryKey(entry); !expiresAt.Before(cutoff) {
			break
		}
		due = append(due, entry)
	}
	for _, entry := range due {
		expiresAt, key := splitExpiryKey(entry)
		current, err := t.get(key)
		// Where a record that cannot be read is overwritten, its entry stays behind, because nobody knows its expiry
		// then: the entry must not take the new record with it.
		if err != nil || (current != nil && current.ExpiresAt.Equal(expiresAt)) {
			t.must(t.records.Delete([]byte(key)))
		}
		t.must(t.expiries.Delete(entry))
	}
}
