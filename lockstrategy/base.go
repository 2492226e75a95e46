package lockstrategy

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
	"github.com/scsdynamo/scsdynamo/internal/equal"
	"github.com/scsdynamo/scsdynamo/internal/mark"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Overtaken decides about a commit that finds another record than the one its request has read. read is the session as
// this request sees it: as it was read, or as the request has last committed it. next is what the request commits,
// stored what it finds. It returns what is to be stored instead of next, which is written if stored is then still
// there; or an error, with which the commit is refused. It makes no call, and may be called several times for one
// commit.
type Overtaken func(read, next, stored storage.Record) (storage.Record, error)

// Base is a Session that others are made of, those of your own strategies, too. They differ in what becomes of a commit
// that was overtaken: see [Overtaken].
//
// Commits are written under the condition that the session is live and of the version that was read, or that there is
// none where none was read. So whatever a strategy does, a session that has ended is not brought back. Operations of
// one session wait for each other. After a commit whose outcome is unknown, what the request does next matches
// [storage.ErrOutcomeUnknown], too: commits that fail, and every Touch. That ends with a commit that succeeds, or a
// Delete.
type Base struct {
	request    *Request
	overtaken  Overtaken
	operations operations    // the Base, or the session of this package that embeds it
	busy       chan struct{} // holds a token while an operation runs; it guards view and merged

	// view is the session as this request sees it. merged says that no stored record has its payload.
	view   storage.Record
	merged bool

	mu      sync.Mutex // guards the state below, never held during a call
	record  storage.Record
	found   bool
	gone    bool // was found or committed, then ended by this request
	unknown bool // a commit of this request may have been applied although it failed
}

// Limits of the tries of one commit that is overtaken again and again. Of four processes that write to one session
// without a pause, one commit in some hundreds loses ten times in a row.
const (
	overtakenTries = 32
	overtakenTime  = 5 * time.Second // after this, there is no further try
)

// NewBase returns the session of a record that was read, or of one that has nothing but a key. Without an Overtaken, a
// commit that was overtaken is refused with [storage.ErrConflict].
func NewBase(request *Request, record storage.Record, overtaken Overtaken) *Base {
	b := &Base{
		request: request, overtaken: overtaken, busy: make(chan struct{}, 1),
		view: record, record: record, found: isStored(record) && !record.Ended(),
	}
	b.operations = b
	return b
}

// LoadBase is NewBase with what is stored under key.
func LoadBase(ctx context.Context, request *Request, key string, overtaken Overtaken) (*Base, error) {
	record, found, err := request.Backend.Read(ctx, key)
	if err != nil {
		return nil, err
	}
	if !found && !record.Ended() {
		record = storage.Record{Key: key}
	}
	return NewBase(request, record, overtaken), nil
}

// Record implements Session.
func (b *Base) Record() (storage.Record, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.record, b.found
}

// operations are what sessions differ in. One runs at a time.
type operations interface {
	commit(ctx context.Context, next storage.Record, write writing) error
	touch(ctx context.Context, change storage.Change) error
	delete(ctx context.Context) error
}

// writing is one of the two ways to write a session.
type writing struct {
	call func(
		backend *Backend, ctx context.Context, from string, next storage.Record, condition storage.Condition,
	) (inTheWay *storage.Record, err error)
	renews bool // the session gets a new token
}

var (
	committing = writing{call: (*Backend).Write}
	renewing   = writing{call: (*Backend).Renew, renews: true}
)

// Commit implements Session.
func (b *Base) Commit(ctx context.Context, next storage.Record) error {
	return b.run(ctx, func() error { return b.operations.commit(ctx, next, committing) })
}

// Renew implements Session.
func (b *Base) Renew(ctx context.Context, next storage.Record) error {
	return b.run(ctx, func() error { return b.operations.commit(ctx, next, renewing) })
}

// Touch implements Session.
func (b *Base) Touch(ctx context.Context, change storage.Change) error {
	return b.run(ctx, func() error { return b.operations.touch(ctx, change) })
}

// Delete implements Session. A session leaves a tombstone: the write that has put it under this key may have been sent
// twice, and arrive once more.
func (b *Base) Delete(ctx context.Context) error {
	return b.run(ctx, func() error { return b.operations.delete(ctx) })
}

// Release implements Session for those that hold nothing.
func (b *Base) Release(context.Context) error { return nil }

// run runs an operation once no other one runs on the session.
func (b *Base) run(ctx context.Context, operation func() error) error {
	select {
	case b.busy <- struct{}{}: // with a context that has ended, the operation says so itself
	default:
		select {
		case b.busy <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-b.busy }()
	return operation()
}

func (b *Base) commit(ctx context.Context, next storage.Record, write writing) error {
	_, err := b.replace(ctx, b.record, next, write)
	return err
}

// replace writes next in place of stored, which is what is stored as far as this process knows, and of what it finds
// there instead, until it can be written. merged is whether anything but next was written.
func (b *Base) replace(ctx context.Context, stored, next storage.Record, write writing) (merged bool, err error) {
	backend := b.request.Backend
	switch _, found, gone := b.state(); {
	case gone:
		return false, b.settle(ErrSessionGone)
	case !found:
		return false, b.create(ctx, next, storage.IfAbsent(next.UpdatedAt))
	}
	giveUp := time.Now().Add(overtakenTime)
	pause := backoff.Backoff{First: 10 * time.Millisecond, Limit: 80 * time.Millisecond}
	for try := 1; ; try++ {
		written := next
		if b.merged || stored.Version != b.view.Version {
			switch {
			case !stored.Live(backend.Now()): // what it holds may not open any more
				return false, b.settle(ErrSessionGone)
			case b.overtaken != nil:
				merged = true
				if written, err = b.overtaken(b.view, next, stored); err != nil {
					return false, b.settle(err)
				}
			case !b.hasOnlyMoved(stored, next):
				return false, b.settle(errConflict)
			}
		}
		if try > 1 {
			written.Version = mark.NewVersion(mark.Of(next)) // one is for one write
		}
		from := succeed(&written, stored)
		inTheWay, err := write.call(backend, ctx, from, written, storage.IfVersion(stored.Version, backend.Now()))
		if err == nil {
			b.stored(written)
			b.view, b.merged = written, merged
			if merged {
				b.view = next // what this request knows of it
			}
			return merged, nil
		}
		err = b.settle(err)
		if inTheWay == nil || try == overtakenTries || !time.Now().Before(giveUp) ||
			b.overtaken == nil && !b.hasOnlyMoved(*inTheWay, next) {
			return false, err
		}
		stored = *inTheWay
		if try > 2 { // two in a row are what one other process can cause, more are a crowd
			if err := pause.Wait(ctx); err != nil {
				return false, b.settle(err)
			}
		}
	}
}

// hasOnlyMoved reports whether stored is what this request has read, under another key: another request has moved it
// there, as it does where the secret is changed, and has changed nothing. A commit that ends the session is refused all
// the same: the other request may have extended it.
func (b *Base) hasOnlyMoved(stored, next storage.Record) bool {
	if stored.Key == b.view.Key || next.Ended() || b.request.Payload == nil {
		return false
	}
	deadline, values, err := b.request.Payload.Decode(b.view)
	if err != nil {
		return false
	}
	storedDeadline, storedValues, err := b.request.Payload.Decode(stored)
	return err == nil && storedDeadline.Equal(deadline) && equal.Values(values, storedValues)
}

// create writes the first record of a session.
func (b *Base) create(ctx context.Context, next storage.Record, condition storage.Condition) error {
	next.CreatedAt, next.Lease = next.UpdatedAt, storage.Lease{}
	if _, err := b.request.Backend.Write(ctx, next.Key, next, condition); err != nil {
		return b.settle(err)
	}
	b.stored(next)
	b.view, b.merged = next, false
	return nil
}

// touch applies a change where nobody has written since the session was read. The version, and not only that the
// session is there: whoever changed it may have made it end sooner, and a tombstone must not become a session.
func (b *Base) touch(ctx context.Context, change storage.Change) error {
	record, found, _ := b.state()
	if !found {
		return b.settle(nil)
	}
	backend := b.request.Backend
	condition := storage.IfVersion(record.Version, backend.Now())
	_, err := backend.update(ctx, record.Key, change, condition)
	return b.touched(change, err)
}

// touched notes a change that was applied, and says what err means for the request.
func (b *Base) touched(change storage.Change, err error) error {
	switch {
	case err == nil:
		b.mu.Lock()
		b.record = change.Apply(b.record)
		b.mu.Unlock()
		return b.unsettled()
	case errors.Is(err, ErrSessionGone) || !errors.Is(err, storage.ErrConflict):
		return join(err, b.unsettled())
	default: // another request has changed the session, and moved its expiry with that
		return b.unsettled()
	}
}

func (b *Base) delete(ctx context.Context) error {
	record, found, gone := b.state()
	backend := b.request.Backend
	var err error
	switch {
	case found || record.Ended():
		err = backend.Delete(ctx, record)
	case gone:
	case b.isUnknown():
		_, err = backend.End(ctx, record, "", storage.Always())
	default:
		err = backend.Driver.Delete(ctx, record.Key, storage.Always())
	}
	if err != nil {
		return err
	}
	b.end()
	return nil
}

// state returns what is known of the record.
func (b *Base) state() (record storage.Record, found, gone bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.record, b.found, b.gone
}

// stored notes what has been written.
func (b *Base) stored(record storage.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.record, b.unknown = record, false
	b.found, b.gone = !record.Ended(), record.Ended()
}

// end notes that the session has ended.
func (b *Base) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = b.gone || b.found
	b.found, b.unknown = false, false
}

// settle notes how a commit went that has failed, and returns what the request is told: what was unknown before stays
// so.
func (b *Base) settle(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case errors.Is(err, storage.ErrOutcomeUnknown):
		b.unknown = true
		return err
	case !b.unknown:
		return err
	case err == nil:
		return storage.ErrOutcomeUnknown
	default:
		return errors.Join(err, storage.ErrOutcomeUnknown)
	}
}

// unsettled returns ErrOutcomeUnknown where it is not known whether an earlier commit of this request was applied.
func (b *Base) unsettled() error { return b.settle(nil) }

// isUnknown reports whether a commit of this request may have been applied although it failed.
func (b *Base) isUnknown() bool { return b.settle(nil) != nil }

// succeed makes next the successor of the record, without a lease, and returns the key that the session has until then.
func succeed(next *storage.Record, record storage.Record) (from string) {
	next.CreatedAt, next.Lease = record.CreatedAt, storage.Lease{}
	next.Succeed(record)
	return record.Key
}
