package inspect

import (
	"context"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Delete deletes a session that was found, at once, even if a request uses it. It is no error if it no longer exists.
func (s *Sessions) Delete(ctx context.Context, found Found) error {
	if found.Token == "" {
		return s.driver.Delete(ctx, found.Record.Key, storage.Always())
	}
	// By its token, it is found also where a request moves it to another secret at the same time.
	store, err := s.newStore(s.driver)
	if err != nil {
		return err
	}
	return store.DeleteCtx(ctx, found.Token)
}

// DeleteAll deletes all sessions of the store, as [sessionstore.Store.DeleteAll] does: everybody is logged out.
// progress is called with how many are deleted so far; nil for nothing. Sessions that are committed meanwhile may
// remain. Where it fails, it may be called again.
func (s *Sessions) DeleteAll(ctx context.Context, progress func(deleted int)) (int, error) {
	store, err := s.newStore(&batches{Driver: s.driver, progress: progress})
	if err != nil {
		return 0, err
	}
	return store.DeleteAll(ctx)
}

// Deletion is what DeleteAll would do.
type Deletion struct {
	// Deleted is how many it would delete, Live how many of these are live, and Left how many it would leave, for they
	// are another application's, or of another secret.
	Deleted, Live, Left int
}

// WouldDelete returns what DeleteAll would do, and deletes nothing.
func (s *Sessions) WouldDelete(ctx context.Context, now time.Time, progress func(Deletion)) (Deletion, error) {
	trial := &trial{Driver: s.driver, sessions: s, now: now, progress: progress}
	store, err := s.newStore(trial)
	if err != nil {
		return Deletion{}, err
	}
	if _, err := store.DeleteAll(ctx); err != nil && !errors.Is(err, sessionstore.ErrSessionsLeft) {
		return Deletion{}, err
	}
	return trial.Deletion, nil
}

// trial is a driver that counts what it is to delete.
type trial struct {
	storage.Driver
	Deletion
	sessions *Sessions
	now      time.Time
	progress func(Deletion)
	page     map[string]storage.Record // the last one
}

// Scan implements storage.Driver.
func (d *trial) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	page, err := d.Driver.Scan(ctx, request)
	d.page = map[string]storage.Record{}
	for _, record := range page.Records {
		if session, _, arriving := ended.Arrived(record); arriving {
			record = session
		}
		if !storage.Reserved(record.Key) && !record.Ended() {
			d.page[record.Key] = record
			d.Left++
		}
	}
	return page, err
}

// DeleteBatch implements storage.Driver.
func (d *trial) DeleteBatch(ctx context.Context, keys []string) error {
	for _, key := range keys {
		d.Deleted++
		record, readable := d.page[key]
		if !readable {
			continue
		}
		d.Left--
		if !record.Expired(d.now) && d.sessions.Open(ctx, record).State == Opens {
			d.Live++
		}
	}
	if d.progress != nil {
		d.progress(d.Deletion)
	}
	return ctx.Err()
}

// batches is a driver that tells how many records it has deleted.
type batches struct {
	storage.Driver
	progress func(deleted int)
	deleted  int
}

// DeleteBatch implements storage.Driver.
func (d *batches) DeleteBatch(ctx context.Context, keys []string) error {
	if err := d.Driver.DeleteBatch(ctx, keys); err != nil {
		return err
	}
	d.deleted += len(keys)
	if d.progress != nil {
		d.progress(d.deleted)
	}
	return nil
}
