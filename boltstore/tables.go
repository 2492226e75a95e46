package boltstore

import (
	"bytes"

	bolt "go.etcd.io/bbolt"

	"github.com/scsdynamo/scsdynamo/storage"
)

var (
	recordsBucket  = []byte("sessions")
	expiriesBucket = []byte("expiries")
)

// tables are the two buckets within one transaction: the records by their key, and the expiry index.
type tables struct {
	records, expiries *bolt.Bucket
	// changed says that there is something to commit.
	changed bool
	// failure is the first error of the engine. The transaction must not be committed after it.
	failure error
}

func openTables(tx *bolt.Tx) *tables {
	return &tables{records: tx.Bucket(recordsBucket), expiries: tx.Bucket(expiriesBucket)}
}

func createTables(tx *bolt.Tx) error {
	for _, name := range [][]byte{recordsBucket, expiriesBucket} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

// must keeps the first error of the engine, and notes that something was written.
func (t *tables) must(err error) {
	t.changed = true
	if t.failure == nil {
		t.failure = err
	}
}

// get returns the record under key, nil for none. Its payload is the database's own memory: it is valid until the end
// of the transaction, and must not be written to.
func (t *tables) get(key string) (*storage.Record, error) {
	value := t.records.Get([]byte(key))
	if value == nil {
		return nil, nil //nolint:nilnil // No record is no error here.
	}
	record, err := decodeRecord(key, value)
	if err != nil {
		return nil, err
	}
	return &record, nil
}

// check returns the record under key, and a conflict where the condition does not hold for it. A record that cannot be
// read gives way to Always, so that it can be replaced and deleted; for any other condition it is an error.
func (t *tables) check(key string, condition storage.Condition) (*storage.Record, error) {
	current, err := t.get(key)
	if err != nil {
		if condition.Kind == storage.KindAlways {
			return nil, nil //nolint:nilnil // See above.
		}
		return nil, err
	}
	if !condition.Holds(current) {
		return nil, conflict(current)
	}
	return current, nil
}

// put stores the record in place of current, nil for none.
func (t *tables) put(record storage.Record, current *storage.Record) error {
	value, err := encodeRecord(record)
	if err != nil {
		return err
	}
	t.must(t.records.Put([]byte(record.Key), value))
	t.index(current, &record)
	return nil
}

// delete removes the record under key if the condition holds. That there is none is success.
func (t *tables) delete(key string, condition storage.Condition) error {
	if t.records.Get([]byte(key)) == nil {
		return nil
	}
	current, err := t.check(key, condition)
	if err != nil {
		return err
	}
	t.remove(key, current)
	return nil
}

// remove deletes what is under key, which is current where that can be read.
func (t *tables) remove(key string, current *storage.Record) {
	t.must(t.records.Delete([]byte(key)))
	t.index(current, nil)
}

// conflict is the error of a condition that does not hold for current, with a copy that outlives the transaction.
func conflict(current *storage.Record) error {
	if current == nil {
		return &storage.ConflictError{}
	}
	kept := *current
	kept.Data = bytes.Clone(kept.Data)
	return &storage.ConflictError{Current: &kept}
}
