package boltstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/scsdynamo/scsdynamo/storage"
)

// maxBatch and maxBatchBytes bound the writes of one transaction, and with them the memory it takes.
const (
	maxBatch      = 256
	maxBatchBytes = 4 << 20
)

// committer makes transactions of writes. Each transaction costs a wait for the disk, so writes that arrive during
// one wait share the next. It has no goroutine and no timer: the write that finds the turn free commits for all that
// are in the queue, and a lone writer never waits for company.
type committer struct {
	db    *bolt.DB
	grace time.Duration
	clock func() time.Time
	// commit ends a transaction; tests make it fail.
	commit func(*bolt.Tx) error

	// turn has room for one token: the write that puts its token there commits.
	turn chan struct{}

	mu    sync.Mutex
	queue []*write
}

// write is one operation that changes the file.
type write struct {
	// apply judges the condition and makes the change. It may run more than once, each time in another transaction.
	// Where it returns an error, it has changed nothing.
	apply func(*tables) error
	// size is about how many bytes it writes.
	size int

	done chan struct{} // closed when err is final
	err  error
}

// do returns when the write is on the disk, has failed, or was withdrawn because ctx ended before its turn came.
func (c *committer) do(ctx context.Context, size int, apply func(*tables) error) error {
	w := &write{apply: apply, size: size, done: make(chan struct{})}
	c.mu.Lock()
	c.queue = append(c.queue, w)
	c.mu.Unlock()
	for {
		select {
		case c.turn <- struct{}{}:
			c.lead()
		case <-w.done:
		case <-ctx.Done():
			if c.withdraw(w) {
				return ctx.Err()
			}
			<-w.done // It is being committed: what comes of it is known in a moment.
		}
		select {
		case <-w.done:
			return w.err
		default:
		}
	}
}

// lead commits the next writes of the queue and gives the turn back.
func (c *committer) lead() {
	batch := c.next()
	defer func() {
		for _, w := range batch {
			close(w.done)
		}
		<-c.turn
	}()
	c.settle(batch)
}

// next takes writes from the front of the queue.
func (c *committer) next() []*write {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, size := 0, 0
	for n < len(c.queue) && n < maxBatch && (n == 0 || size+c.queue[n].size <= maxBatchBytes) {
		size += c.queue[n].size
		n++
	}
	batch := slices.Clone(c.queue[:n])
	c.queue = slices.Delete(c.queue, 0, n)
	return batch
}

// withdraw takes w out of the queue and reports whether it was still there.
func (c *committer) withdraw(w *write) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.queue, w)
	if i < 0 {
		return false
	}
	c.queue = slices.Delete(c.queue, i, i+1)
	return true
}

// errAbandoned is what the other writes of a transaction get where one of them panics, such as on a damaged page.
var errAbandoned = errors.New("boltstore: another write of the same transaction broke off; nothing was written")

// settle gives each write its result.
func (c *committer) settle(batch []*write) {
	for _, w := range batch {
		w.err = errAbandoned
	}
	err := c.transact(batch)
	switch {
	case err == nil:
	case len(batch) == 1 || errors.Is(err, storage.ErrOutcomeUnknown):
		for _, w := range batch {
			w.err = err
		}
	default:
		// What one of them cannot do, such as find room on a full disk, must not keep the others from it.
		for i := range batch {
			c.settle(batch[i : i+1])
		}
	}
}

// transact runs the writes in one transaction. Its error is the engine's, and concerns all of them; what each of them
// came to by itself is in its err.
func (c *committer) transact(batch []*write) error {
	tx, err := c.db.Begin(true)
	if err != nil {
		return engineError(c.db.Path(), err)
	}
	defer func() { _ = tx.Rollback() }() // Does nothing after a commit.
	t := openTables(tx)
	results := make([]error, len(batch))
	for i, w := range batch {
		results[i] = w.apply(t)
	}
	// Where no condition held, nothing was changed, and there is no disk to wait for.
	if t.changed {
		t.sweep(c.clock().Add(-c.grace), max(sweepAtLeast, sweepPerWrite*len(batch)))
		if err := c.finish(tx, t); err != nil {
			return err
		}
	}
	for i, w := range batch {
		w.err = results[i]
	}
	return nil
}

// finish commits the transaction.
func (c *committer) finish(tx *bolt.Tx, t *tables) error {
	if t.failure != nil {
		return engineError(c.db.Path(), t.failure)
	}
	id := tx.ID()
	err := c.commit(tx)
	switch {
	case err == nil:
		return nil
	case c.visible(id):
		return fmt.Errorf("%w: %w", storage.ErrOutcomeUnknown, engineError(c.db.Path(), err))
	default:
		return engineError(c.db.Path(), err)
	}
}

// visible reports whether readers see the transaction. After a commit that failed they do where only its last wait for
// the disk failed: then it is there now, and nobody knows whether it will be after a crash.
func (c *committer) visible(id int) bool {
	tx, err := c.db.Begin(false)
	if err != nil {
		return true
	}
	defer func() { _ = tx.Rollback() }()
	return tx.ID() >= id
}
