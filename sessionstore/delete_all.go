package sessionstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/storage"
)

// deleteBatch is how many records are deleted by one call to the driver: as many as DynamoDB takes.
const deleteBatch = 25

// DeleteAll deletes all sessions, expired ones included, and returns how many: everybody is logged out. It stays inside
// the prefix and suffix of the store's keys. Sessions that are committed while it runs may remain; to be rid of all,
// change the secret (see [WithSecret]) or stop the application first. Where it fails, it may be called again; what it
// returns then is how many are surely gone; up to 25 more may be.
//
// What may be somebody else's stays: sessions that were sealed for another application, those of another secret, or of
// none where this store has one, what looks sealed where it has none (see [Store.Sessions]), and what the driver cannot
// read, such as other items in a table that is shared. Of all but the first it says so, by [ErrSessionsLeft], when it
// has deleted the others. A damaged session is deleted where its data still begins with what a secret of this store has
// put before the seal. Others log nobody in; they are deleted one by one, by scsdynamo sessions delete or the Delete of
// the driver, or by DynamoDB's TTL.
func (s *Store) DeleteAll(ctx context.Context) (deleted int, err error) {
	request := storage.ScanRequest{Limit: s.pageSize}
	left := 0
	for {
		page, err := s.page(ctx, request)
		if err != nil {
			return deleted, err
		}
		var keys []string
		judge := func(key string, owner origin) {
			switch owner {
			case ours:
				keys = append(keys, key)
			case unknown:
				left++
			case anothers:
			}
		}
		for _, record := range page.Records {
			if record.Ended() { // a tombstone is no session, and in the way of what may arrive late
				session, _, arriving := ended.Arrived(record)
				if !arriving {
					continue
				}
				record = session // whether it has left its old key or will
			}
			judge(record.Key, s.vault.originOf(record, s.codec))
		}
		for _, unreadable := range page.Unreadable {
			judge(unreadable.Key, s.vault.originOfUnreadable(unreadable))
		}
		for batch := range slices.Chunk(keys, deleteBatch) {
			if err := s.backend.Driver.DeleteBatch(ctx, batch); err != nil {
				return deleted, err
			}
			deleted += len(batch)
		}
		switch {
		case page.Next == "" && left > 0:
			return deleted, fmt.Errorf("%w (left: %d)", ErrSessionsLeft, left)
		case page.Next == "":
			return deleted, nil
		}
		request.Start = page.Next
	}
}
