// Package inspect looks at sessions as they are stored, and deletes them, for operators: one session by what
// an operator knows of it, or all of them, a page at a time.
package inspect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"slices"
	"time"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Sessions are the sessions of one store. They are safe for concurrent use.
type Sessions struct {
	driver   storage.Driver
	newStore StoreFunc
	opener   *sessionstore.Store // over the one record that a context has
	sealed   bool
}

// StoreFunc returns the store over a driver, with the options of the application and these behind them.
type StoreFunc func(driver storage.Driver, options ...sessionstore.Option) (*sessionstore.Store, error)

// New returns the sessions that a driver keeps. sealed says whether the store has a secret. Errors are those of the
// function.
func New(driver storage.Driver, newStore StoreFunc, sealed bool) (*Sessions, error) {
	s := &Sessions{driver: driver, newStore: newStore, sealed: sealed}
	var err error
	if s.opener, err = s.timeless(oneRecord{driver}); err != nil {
		return nil, err
	}
	return s, nil
}

// timeless returns a store that takes no session for expired: an operator wants to see everything that is stored.
func (s *Sessions) timeless(driver storage.Driver) (*sessionstore.Store, error) {
	return s.newStore(driver, sessionstore.WithClock(func() time.Time { return time.Time{} }))
}

// fingerprintPrefix begins all fingerprints, and no token or key.
const fingerprintPrefix = "sha256:"

// fingerprintDigits is how much of the hash is shown: enough to tell millions of sessions apart.
const fingerprintDigits = 16

// Fingerprint tells a session apart from others without telling its key: "sha256:" and the beginning of the hash of the
// key, from which a token of random letters cannot be found.
func Fingerprint(key string) string {
	hash := sha256.Sum256([]byte(key))
	return fingerprintPrefix + hex.EncodeToString(hash[:])[:fingerprintDigits]
}

// Name returns what a session may be called where others look on: its storage key where its record opens with a secret,
// for then that is a keyed hash of its token; else its fingerprint. A record that was stored without a secret has its
// token as storage key, whatever is configured now.
func (s *Sessions) Name(found Found) string {
	if s.sealed && found.Err == nil && found.Token != "" && found.Token != found.Record.Key {
		return found.Record.Key
	}
	return Fingerprint(found.Record.Key)
}

// Pages reads all records, a page at a time, expired ones included. It holds one page. What a store keeps beside the
// sessions is left out, and so are the tombstones of those that have ended. Reads are eventually consistent: they cost
// half.
func (s *Sessions) Pages(ctx context.Context, withoutData bool) iter.Seq2[storage.Page, error] {
	return s.pages(ctx, storage.ScanRequest{WithoutData: withoutData}, 0)
}

// Sample is Pages for a few of them: for pages of so many items, sessions or not.
func (s *Sessions) Sample(ctx context.Context, items int) iter.Seq2[storage.Page, error] {
	const pages = 3 // In a table that is shared, there may be none of ours on the first.
	return s.pages(ctx, storage.ScanRequest{Limit: items}, pages)
}

// pages reads so many pages; 0 is for all.
func (s *Sessions) pages(ctx context.Context, request storage.ScanRequest, most int) iter.Seq2[storage.Page, error] {
	request.Consistency = storage.Eventual
	return func(yield func(storage.Page, error) bool) {
		for n := 1; ; n++ {
			page, err := s.driver.Scan(ctx, request)
			if err != nil {
				yield(storage.Page{}, err)
				return
			}
			page.Records = slices.DeleteFunc(page.Records, func(r storage.Record) bool { return storage.Reserved(r.Key) || r.Ended() })
			page.Unreadable = slices.DeleteFunc(page.Unreadable, func(u storage.Unreadable) bool { return storage.Reserved(u.Key) })
			if !yield(page, nil) || page.Next == "" || n == most {
				return
			}
			request.Start = page.Next
		}
	}
}

// Count is how many sessions there are, and how large they are.
type Count struct {
	// Live and Expired are how many there are by whether their expiry has passed. Unopened is how many would be live,
	// but do not open with the secrets that are configured; Unreadable is how many the driver cannot read.
	Live, Expired, Unopened, Unreadable int
	// Leased is how many of the live ones have a lease on them, whether or not its holder is alive.
	Leased int
	// LiveBytes, ExpiredBytes and UnopenedBytes are the sizes of their data; Largest is the size of the largest.
	LiveBytes, ExpiredBytes, UnopenedBytes, Largest int64
	// OldestExpired is the earliest expiry that has passed: how far tidying up is behind. Zero where nothing has
	// expired.
	OldestExpired time.Time
}

// Total is how many there are.
func (c Count) Total() int { return c.Live + c.Expired + c.Unopened + c.Unreadable }

// Count counts the sessions. progress is called after each page; nil for nothing. Where it fails, it returns what it
// has counted until then.
func (s *Sessions) Count(ctx context.Context, now time.Time, progress func(Count)) (Count, error) {
	var count Count
	for page, err := range s.Pages(ctx, false) {
		if err != nil {
			return count, err
		}
		count.Unreadable += len(page.Unreadable)
		for _, record := range page.Records {
			opens := record.Expired(now) || s.Open(ctx, record).Err == nil
			count.add(record, now, opens)
		}
		if progress != nil {
			progress(count)
		}
	}
	return count, nil
}

func (c *Count) add(record storage.Record, now time.Time, opens bool) {
	size := int64(len(record.Data))
	c.Largest = max(c.Largest, size)
	switch {
	case record.Expired(now):
		c.Expired++
		c.ExpiredBytes += size
		if c.OldestExpired.IsZero() || record.ExpiresAt.Before(c.OldestExpired) {
			c.OldestExpired = record.ExpiresAt
		}
	case !opens:
		c.Unopened++
		c.UnopenedBytes += size
	default:
		c.Live++
		c.LiveBytes += size
		if !record.Lease.Free() {
			c.Leased++
		}
	}
}
