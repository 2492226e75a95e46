package sessionstore

import (
	"context"

	"github.com/scsdynamo/scsdynamo/storage"
)

// DeleteAll deletes all sessions, expired and unreadable ones included, and returns how many: everybody is logged out. It stays inside the
// key prefix of the store. Sessions that are committed while it runs may remain; to be rid of all, change the secret (see
// [WithSecret]) or stop the application first. Where it fails, it may be called again.
func (s *Store) DeleteAll(ctx context.Context) (deleted int, err error) {
	scanner, ok := s.backend.Driver.(storage.Scanner)
	if !ok {
		return 0, ErrNotIterable
	}
	request := storage.ScanRequest{Limit: s.pageSize, Fields: storage.WithoutData}
	for {
		page, err := s.page(ctx, scanner, request)
		if err != nil {
			return deleted, err
		}
		keys := make([]string, 0, len(page.Records)+len(page.Unreadable))
		for _, record := range page.Records {
			if !record.Ended() { // a tombstone is no session, and in the way of what may arrive late
				keys = append(keys, record.Key)
			}
		}
		for _, unreadable := range page.Unreadable {
			keys = append(keys, unreadable.Key)
		}
		n, err := s.deleteKeys(ctx, keys)
		deleted += n
		if err != nil || page.Next == "" {
			return deleted, err
		}
		request.Start = page.Next
	}
}

// deleteKeys deletes records in as few calls as the driver can, and returns how many are surely gone.
func (s *Store) deleteKeys(ctx context.Context, keys []string) (int, error) {
	if batch, ok := s.backend.Driver.(storage.BatchDeleter); ok {
		if err := batch.DeleteBatch(ctx, keys); err != nil {
			return 0, err
		}
		return len(keys), nil
	}
	for i, key := range keys {
		if err := s.backend.Driver.Delete(ctx, key, storage.Always()); err != nil {
			return i, err
		}
	}
	return len(keys), nil
}
