package boltstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	bolt "go.etcd.io/bbolt"
)

// What tests see of the inside.
var (
	EncodeRecord = encodeRecord
	DecodeRecord = decodeRecord
)

// MaxRecord is the size of record that is refused.
const MaxRecord = maxRecord

// WithClock sets the clock by which expired records are removed.
func WithClock(clock func() time.Time) DriverOption {
	return func(o *options) { o.clock = clock }
}

// Bolt returns the database.
func (d *Driver) Bolt() *bolt.DB { return d.db }

// SetCommit replaces what ends a write transaction.
func (d *Driver) SetCommit(commit func(*bolt.Tx) error) { d.writes.commit = commit }

// Queued returns how many writes wait for their turn.
func (d *Driver) Queued() int {
	d.writes.mu.Lock()
	defer d.writes.mu.Unlock()
	return len(d.writes.queue)
}

// Leading returns 1 while somebody commits, else 0.
func (d *Driver) Leading() int { return len(d.writes.turn) }

// Damage overwrites the stored value under key.
func (d *Driver) Damage(key string, value []byte) error {
	return d.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(recordsBucket).Put([]byte(key), value)
	})
}

// Count returns the number of records and of index entries.
func (d *Driver) Count() (records, entries int, err error) {
	err = d.view(func(t *tables) error {
		records, entries = t.records.Stats().KeyN, t.expiries.Stats().KeyN
		return nil
	})
	return records, entries, err
}

// CheckIndex fails unless the index has the entry of each record, and no other.
func (d *Driver) CheckIndex() error {
	return d.view(func(t *tables) error {
		n := 0
		err := t.records.ForEach(func(key, value []byte) error {
			n++
			record, err := decodeRecord(string(key), value)
			if err != nil {
				return err
			}
			entry := expiryKey(record.ExpiresAt, record.Key)
			if k, _ := t.expiries.Cursor().Seek(entry); !bytes.Equal(k, entry) {
				return errors.New("a record without its entry")
			}
			return nil
		})
		if err != nil {
			return err
		}
		if entries := t.expiries.Stats().KeyN; entries != n {
			return fmt.Errorf("%d entries for %d records", entries, n)
		}
		return nil
	})
}

// Checksummed returns value with a checksum that is right.
func Checksummed(value []byte) []byte {
	if len(value) < headerSize {
		return value
	}
	value = bytes.Clone(value)
	binary.BigEndian.PutUint32(value[1:], crc32.Checksum(value[checkedFrom:], castagnoli))
	return value
}
