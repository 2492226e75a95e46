package memory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// ExpiryShards implements storage.ExpiryScanner. It is 0 without [WithExpiryIndex].
func (d *Driver) ExpiryShards() int { return d.shards }

// ScanExpired implements storage.ExpiryScanner. The index is exact, and never behind.
func (d *Driver) ScanExpired(ctx context.Context, request storage.ExpiredRequest) (storage.ExpiredPage, error) {
	if err := request.Validate(d.shards); err != nil {
		return storage.ExpiredPage{}, err
	}
	after, err := parsePosition(request.Start)
	if err != nil {
		return storage.ExpiredPage{}, err
	}
	if err := begin(ctx, storage.Always()); err != nil {
		return storage.ExpiredPage{}, err
	}
	limit := request.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var due []storage.ExpiryEntry
	for key, record := range d.records {
		entry := storage.ExpiryEntry{Key: key, ExpiredBy: record.ExpiresAt}
		if record.Expired(request.Cutoff) && segmentOf(key, d.shards) == request.Shard &&
			(request.Start == "" || compareEntries(entry, after) > 0) {
			due = append(due, entry)
		}
	}
	slices.SortFunc(due, compareEntries)
	if len(due) <= limit {
		return storage.ExpiredPage{Entries: due}, nil
	}
	due = due[:limit]
	return storage.ExpiredPage{Entries: due, Next: positionOf(due[limit-1])}, nil
}

// compareEntries orders by expiry, and then by key.
func compareEntries(a, b storage.ExpiryEntry) int {
	return cmp.Or(a.ExpiredBy.Compare(b.ExpiredBy), strings.Compare(a.Key, b.Key))
}

func positionOf(entry storage.ExpiryEntry) storage.Position {
	return storage.Position(entry.ExpiredBy.UTC().Format(time.RFC3339Nano) + " " + entry.Key)
}

func parsePosition(p storage.Position) (storage.ExpiryEntry, error) {
	if p == "" {
		return storage.ExpiryEntry{}, nil
	}
	expiry, key, _ := strings.Cut(string(p), " ")
	at, err := time.Parse(time.RFC3339Nano, expiry)
	if err != nil {
		return storage.ExpiryEntry{}, errors.New("memory: this is not a position of an expiry index")
	}
	return storage.ExpiryEntry{Key: key, ExpiredBy: at}, nil
}
