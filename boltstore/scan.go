package boltstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"hash/fnv"

	"github.com/scsdynamo/scsdynamo/storage"
)

// defaultPage is how many records a scan looks at for a page when the caller sets no limit, and pageBytes how many
// bytes of them a page holds at most, whatever the limit, save that it always holds one record.
const (
	defaultPage = 1000
	pageBytes   = 1 << 20
)

// Scan implements storage.Driver. It walks in the order of the keys and keeps nothing between two pages. Segments
// divide the keys by a hash: they are of equal size whatever the keys look like, but each walks over all keys, so that
// scanning in segments saves no time here. A page holds about 1 MB at most.
func (d *Driver) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	if err := request.Validate(); err != nil {
		return storage.Page{}, err
	}
	after, err := decodePosition(request.Start)
	if err != nil {
		return storage.Page{}, err
	}
	if err := begin(ctx, storage.Always()); err != nil {
		return storage.Page{}, err
	}
	limit := request.Limit
	if limit == 0 {
		limit = defaultPage
	}
	var page storage.Page
	err = d.view(func(t *tables) error {
		cursor := t.records.Cursor()
		key, value := cursor.Seek(after)
		if after != nil && bytes.Equal(key, after) {
			key, value = cursor.Next()
		}
		var last []byte
		size := 0
		for ; key != nil && limit > 0 && (size == 0 || size+len(value) <= pageBytes); key, value = cursor.Next() {
			last = key
			limit--
			if segmentOf(key, request.Segments) != request.Segment {
				continue
			}
			record, err := decodeRecord(string(key), value)
			switch {
			case err != nil:
				page.Unreadable = append(page.Unreadable, storage.Unreadable{Key: string(key), Err: err})
				continue
			case request.WithoutData:
				record.Data = nil
				size += headerSize
			default:
				record.Data = bytes.Clone(record.Data)
				size += len(value)
			}
			page.Records = append(page.Records, record)
		}
		if key != nil {
			page.Next = encodePosition(last)
		}
		return nil
	})
	return page, err
}

// A position is the key that was looked at last, in an alphabet that survives any place it is kept in.

func encodePosition(key []byte) storage.Position {
	return storage.Position(base64.RawURLEncoding.EncodeToString(key))
}

func decodePosition(p storage.Position) ([]byte, error) {
	if p == "" {
		return nil, nil
	}
	key, err := base64.RawURLEncoding.DecodeString(string(p))
	if err != nil {
		return nil,
			errors.New("boltstore: the position is not one that a scan of this driver returned; start again without it")
	}
	return key, nil
}

// segmentOf assigns each key to one of so many segments.
func segmentOf(key []byte, segments int) int {
	if segments <= 1 {
		return 0
	}
	hash := fnv.New32a()
	_, _ = hash.Write(key)
	return int(hash.Sum32() % uint32(segments)) //nolint:gosec // The interface bounds segments to a million.
}
