package inspect

import (
	"context"

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

// DeleteAll deletes all sessions, as [sessionstore.Store.DeleteAll] does: everybody is logged out. progress is called
// with how many are deleted so far, after each batch; nil for nothing.
func (s *Sessions) DeleteAll(ctx context.Context, progress func(deleted int)) (int, error) {
	store, err := s.newStore(&batches{Driver: s.driver, progress: progress})
	if err != nil {
		return 0, err
	}
	return store.DeleteAll(ctx)
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
