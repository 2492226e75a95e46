// Package inspect looks at sessions as they are stored, and deletes them, for operators: one session by what
// an operator knows of it, or all of them, a page at a time.
package inspect

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Sessions are the sessions of one store. They are safe for concurrent use.
type Sessions struct {
	driver   storage.Driver
	newStore StoreFunc
	sealed   bool
	// Over the one record that a context has: as the application opens it, whatever its expiry; whatever ends it; and
	// as one that deletes it judges whose it is.
	opener, ever, owner *sessionstore.Store
}

// StoreFunc returns the store over a driver, with the options of the application and these behind them.
type StoreFunc func(driver storage.Driver, options ...sessionstore.Option) (*sessionstore.Store, error)

// New returns the sessions that a driver keeps. sealed says whether the store has a secret. Errors are those of the
// function.
func New(driver storage.Driver, newStore StoreFunc, sealed bool) (*Sessions, error) {
	s := &Sessions{driver: driver, newStore: newStore, sealed: sealed}
	var all [3]error
	s.opener, all[0] = newStore(oneRecord{Driver: driver, lifted: true})
	s.ever, all[1] = s.timeless(oneRecord{Driver: driver})
	s.owner, all[2] = newStore(oneRecord{Driver: driver})
	if err := cmp.Or(all[:]...); err != nil {
		return nil, err
	}
	return s, nil
}

// timeless returns a store to which no session is over: an operator wants to see everything that is stored.
func (s *Sessions) timeless(driver storage.Driver) (*sessionstore.Store, error) {
	return s.newStore(driver, sessionstore.WithClock(func() time.Time { return time.Time{} }),
		sessionstore.WithSealedSince(time.Time{}))
}

// Name returns what a session may be called where others look on: its storage key where its record opens with a secret,
// for then that is a keyed hash of its token; else its fingerprint. A record that was stored without a secret has its
// token as storage key, whatever is configured now.
func (s *Sessions) Name(found Found) string {
	if s.sealed && found.Err == nil && found.Token != "" && found.Token != found.Record.Key {
		return found.Record.Key
	}
	return fingerprint.Of(found.Record.Key)
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
			page.Records = slices.DeleteFunc(page.Records,
				func(r storage.Record) bool { return storage.Reserved(r.Key) || r.Ended() })
			page.Unreadable = slices.DeleteFunc(page.Unreadable,
				func(u storage.Unreadable) bool { return storage.Reserved(u.Key) })
			if !yield(page, nil) || page.Next == "" || n == most {
				return
			}
			request.Start = page.Next
		}
	}
}

// Count is how many sessions there are, and how large they are.
type Count struct {
	// Live and Expired are how many there are by whether their expiry has passed. Over, Another and Unopened would be
	// live by that, and are not to the application: see the states Over, OfAnother, and the further ones. Unreadable is
	// how many the driver cannot read.
	Live, Expired, Over, Another, Unopened, Unreadable int
	// Leased is how many of the live ones have a lease on them, whether or not its holder is alive.
	Leased int
	// These are the sizes of their data; Largest is the size of the largest.
	LiveBytes, ExpiredBytes, OverBytes, AnotherBytes, UnopenedBytes, Largest int64
	// OldestExpired is the earliest expiry that has passed: how far tidying up is behind. Zero where nothing has
	// expired.
	OldestExpired time.Time
}

// Total is how many there are.
func (c Count) Total() int {
	return c.Live + c.Expired + c.Over + c.Another + c.Unopened + c.Unreadable
}

// Bytes is the size of them all.
func (c Count) Bytes() int64 {
	return c.LiveBytes + c.ExpiredBytes + c.OverBytes + c.AnotherBytes + c.UnopenedBytes
}

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
			count.add(ctx, s, record, now)
		}
		if progress != nil {
			progress(count)
		}
	}
	return count, nil
}

func (c *Count) add(ctx context.Context, s *Sessions, record storage.Record, now time.Time) {
	size := int64(len(record.Data))
	c.Largest = max(c.Largest, size)
	if record.Expired(now) {
		c.Expired++
		c.ExpiredBytes += size
		if c.OldestExpired.IsZero() || record.ExpiresAt.Before(c.OldestExpired) {
			c.OldestExpired = record.ExpiresAt
		}
		return
	}
	switch s.Open(ctx, record).State {
	case Opens:
		c.Live++
		c.LiveBytes += size
		if !record.Lease.Free() {
			c.Leased++
		}
	case Over:
		c.Over++
		c.OverBytes += size
	case OfAnother:
		c.Another++
		c.AnotherBytes += size
	default:
		c.Unopened++
		c.UnopenedBytes += size
	}
}
