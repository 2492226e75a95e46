package gcrunner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Source is how a collector finds what it deletes: [SourceScan] or [SourceIndex].
type Source string

const (
	// SourceScan reads everything, expired or not. It serves all rules.
	SourceScan Source = "scan"
	// SourceIndex asks an index by expiry (storage.ExpiryScanner) for what has expired, and reads nothing else: what a
	// run reads does not depend on how many sessions live. The index may be an hour late, serves no rule but Expired,
	// and does not know sessions that were stored before there was an index.
	SourceIndex Source = "index"
)

// ErrNoIndex says that [SourceIndex] was asked for, and the driver has no index by expiry.
var ErrNoIndex = errors.New(
	"gcrunner: the driver has no index by expiry; use SourceScan, or give the table an ExpiryIndex")

// choose returns what finds sessions, once the options are known.
func (s Source) choose(driver storage.Driver, rules Rules) (source, error) {
	if driver == nil {
		return nil, errors.New("gcrunner: NewCollector: the driver is nil")
	}
	index, ok := driver.(storage.ExpiryScanner)
	indexed := ok && index.ExpiryShards() > 0
	byExpiry := rules.MaxAge <= 0 && rules.MaxStale <= 0
	switch {
	case s == SourceIndex && !indexed:
		return nil, ErrNoIndex
	case s == SourceIndex && !byExpiry:
		return nil, errors.New("gcrunner: CollectorOptions.Source: an index by expiry knows nothing of Rules.MaxAge and " +
			"Rules.MaxStale; leave them out, or use SourceScan, in a second collector that runs less often")
	case s == SourceIndex, s == "" && indexed && byExpiry:
		return indexSource{index, rules.Grace}, nil
	case s == SourceScan, s == "":
		return scanSource{driver}, nil
	default:
		return nil, fmt.Errorf("gcrunner: CollectorOptions.Source: %q is neither %q nor %q", s, SourceScan, SourceIndex)
	}
}

// source reads what may have to be deleted, a page at a time.
type source interface {
	kind() Source
	// segments is into how many segments it is divided, 0 where that can be chosen.
	segments() int
	read(ctx context.Context, at place, now time.Time) (page, error)
}

// place is where a page begins, and how many records it has at most.
type place struct {
	segment, segments int
	start             storage.Position
	limit             int
}

// page is what was read. A scan has records, an index entries.
type page struct {
	storage.Page
	entries []storage.ExpiryEntry
	cutoff  time.Time // at which the entries are expired
}

// size is how many records of the driver's own are on the page.
func (p page) size() int { return len(p.Records) + len(p.Unreadable) + len(p.entries) }

// scanSource reads everything.
type scanSource struct{ driver storage.Driver }

func (scanSource) kind() Source  { return SourceScan }
func (scanSource) segments() int { return 0 }

// read reads eventually consistent, for half the price: what that misses, the condition of the delete sees.
func (s scanSource) read(ctx context.Context, at place, _ time.Time) (page, error) {
	scanned, err := s.driver.Scan(ctx, storage.ScanRequest{
		Segments: at.segments, Segment: at.segment, Start: at.start, Limit: at.limit,
		WithoutData: true, Consistency: storage.Eventual,
	})
	return page{Page: scanned}, err
}

// indexSource reads what has expired.
type indexSource struct {
	driver storage.ExpiryScanner
	grace  time.Duration
}

func (indexSource) kind() Source    { return SourceIndex }
func (s indexSource) segments() int { return s.driver.ExpiryShards() }

func (s indexSource) read(ctx context.Context, at place, now time.Time) (page, error) {
	cutoff := now.Add(-s.grace)
	expired, err := s.driver.ScanExpired(ctx, storage.ExpiredRequest{
		Cutoff: cutoff, Shard: at.segment, Start: at.start, Limit: at.limit,
	})
	return page{Page: storage.Page{Next: expired.Next}, entries: expired.Entries, cutoff: cutoff}, err
}
