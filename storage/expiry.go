package storage

import (
	"context"
	"fmt"
	"time"
)

// ExpiryScanner is a driver that can have an index of its records by their expiry. Through it, those that have expired
// are found without looking at any other: what that costs does not depend on how many others there are.
type ExpiryScanner interface {
	// ExpiryShards is into how many shards the index is divided, each of which is walked by itself. 0 says that there
	// is no index.
	ExpiryShards() int
	// ScanExpired returns the next page of a shard, the earliest expiries first. Only this driver's own records are on
	// it.
	//
	// An index may be coarse: records that have expired within the last hour before the cutoff may be missing. It may
	// be behind the records, by seconds. And it may not know records that were stored before there was an index. So an
	// entry says that a record seems to have expired; the condition of a write says whether it has: see
	// [IfExpiredAndFree].
	ScanExpired(ctx context.Context, request ExpiredRequest) (ExpiredPage, error)
}

// MaxExpiryCoarseness is how much later than a record an index may take it for expired.
const MaxExpiryCoarseness = time.Hour

// ExpiredRequest asks for one page of a shard.
type ExpiredRequest struct {
	// Cutoff bounds what is wanted: records that are expired at this instant.
	Cutoff time.Time
	// Shard says which shard: 0 to ExpiryShards-1.
	Shard int
	// Start is where to go on: ExpiredPage.Next of the page before, of the same shard, also in another process and with
	// another cutoff. Empty means from the beginning.
	Start Position
	// Limit bounds the entries that are looked at for this page. 0 leaves it to the driver.
	Limit int
}

// Validate reports a request that no driver with so many shards can serve.
func (r ExpiredRequest) Validate(shards int) error {
	switch {
	case shards == 0:
		return fmt.Errorf("storage: a scan of an expiry index, and there is none")
	case r.Shard < 0 || r.Shard >= shards:
		return fmt.Errorf("storage: shard %d of an expiry index of %d shards; they count from 0", r.Shard, shards)
	case r.Limit < 0:
		return fmt.Errorf("storage: a limit of %d; it must not be negative", r.Limit)
	}
	return nil
}

// ExpiredPage is one page of a shard.
type ExpiredPage struct {
	// Entries are the entries of this page. It may have none although more follow.
	Entries []ExpiryEntry
	// Next is where the shard goes on, empty at its end.
	Next Position
}

// ExpiryEntry is what an expiry index has of a record.
type ExpiryEntry struct {
	// Key is where the record is.
	Key string
	// ExpiredBy is an instant at which the record is expired, as far as the index knows: its expiry, or up to
	// [MaxExpiryCoarseness] later. It is not after the cutoff.
	ExpiredBy time.Time
}
