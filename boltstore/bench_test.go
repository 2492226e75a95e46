package boltstore_test

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/scsdynamo/scsdynamo/storage"
)

// BenchmarkPut measures durable writes of 600 bytes, by one writer and by 32 at once: of the driver, and, to compare
// with, of what bbolt offers. db.Batch makes a lone writer wait for company; db.Update makes every writer wait for the
// disk alone.
func BenchmarkPut(b *testing.B) {
	for _, writers := range []int{1, 32} {
		for _, way := range []struct {
			name string
			put  func(b *testing.B) func() error
		}{
			{"driver", driverPut},
			{"update", func(b *testing.B) func() error { b.Helper(); return boltPut(b, (*bolt.DB).Update, 0) }},
			{
				"batch10ms",
				func(b *testing.B) func() error { b.Helper(); return boltPut(b, (*bolt.DB).Batch, 10*time.Millisecond) },
			},
			{"batch1ms", func(b *testing.B) func() error { b.Helper(); return boltPut(b, (*bolt.DB).Batch, time.Millisecond) }},
		} {
			b.Run(fmt.Sprintf("%s/writers=%d", way.name, writers), func(b *testing.B) {
				put := way.put(b)
				turns := make(chan struct{}, b.N)
				for range b.N {
					turns <- struct{}{}
				}
				close(turns)
				b.ResetTimer()
				var group sync.WaitGroup
				for range writers {
					group.Go(func() {
						for range turns {
							if err := put(); err != nil {
								b.Error(err)
							}
						}
					})
				}
				group.Wait()
			})
		}
	}
}

var benchData = strings.Repeat("d", 600)

func driverPut(b *testing.B) func() error {
	b.Helper()
	driver := open(b)
	return func() error { return driver.Put(b.Context(), record(rand.Text(), benchData), storage.Always()) }
}

// boltPut writes what the driver writes: a record, and an index entry.
func boltPut(b *testing.B, transact func(*bolt.DB, func(*bolt.Tx) error) error, delay time.Duration) func() error {
	b.Helper()
	db, err := bolt.Open(filepath.Join(b.TempDir(), "bench.db"), 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	db.MaxBatchDelay = delay
	return func() error {
		key := []byte(rand.Text())
		return transact(db, func(tx *bolt.Tx) error {
			for bucket, value := range map[string]string{"records": benchData, "index": ""} {
				b, err := tx.CreateBucketIfNotExists([]byte(bucket))
				if err != nil {
					return err
				}
				if err := b.Put(key, []byte(value)); err != nil {
					return err
				}
			}
			return nil
		})
	}
}
