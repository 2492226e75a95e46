package sessionstore

import (
	"context"
	"fmt"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/storage"
)

// DeleteAll deletes all sessions, expired and damaged ones included, and returns how many: everybody is logged out. It stays
// inside the prefix and suffix of the store's keys. Sessions that are committed while it runs may remain; to be rid of all, change
// the secret (see [WithSecret]) or stop the application first. Where it fails, it may be called again.
//
// What may be somebody else's stays: sessions that were sealed for another application, and those of another secret, or of none
// where this store has one. Of the latter it says so, by [ErrSessionsLeft], when it has deleted the others.
func (s *Store) DeleteAll(ctx context.Context) (deleted int, err error) {
	request := storage.ScanRequest{Limit: s.pageSize}
	left := 0
	for {
		page, err := s.page(ctx, request)
		if err != nil {
			return deleted, err
		}
		keys := make([]string, 0, len(page.Records)+len(page.Unreadable))
		for _, record := range page.Records {
			if record.Ended() { // a tombstone is no session, and in the way of what may arrive late
				session, _, arriving := ended.Arrived(record)
				if !arriving {
					continue
				}
				record = session // whether it has left its old key or will
			}
			switch s.vault.ownerOf(record) {
			case ours:
				keys = append(keys, record.Key)
			case unknown:
				left++
			case anothers:
			}
		}
		for _, unreadable := range page.Unreadable {
			keys = append(keys, unreadable.Key)
		}
		if err := s.backend.Driver.DeleteBatch(ctx, keys); err != nil {
			return deleted, err
		}
		deleted += len(keys)
		switch {
		case page.Next == "" && left > 0:
			return deleted, fmt.Errorf("%w (sessions left: %d)", ErrSessionsLeft, left)
		case page.Next == "":
			return deleted, nil
		}
		request.Start = page.Next
	}
}
