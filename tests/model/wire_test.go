package model_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// fault is what can happen to one call.
type fault struct {
	kind faultKind
	// on is the call that it strikes, empty for any.
	on string
	// delay is for how long a slow or late call is on its way.
	delay time.Duration
	// then is what happens in the moment in which a call is answered that nothing else strikes.
	then func()
}

type faultKind string

const (
	// down refuses the call.
	down faultKind = "down"
	// throttled and denied refuse the call, too, for reasons that pass and that do not.
	throttled faultKind = "throttled"
	denied    faultKind = "denied"
	// slow applies the call after the delay, or not at all if the caller has given up by then.
	slow faultKind = "slow"
	// late tells the caller at once that this is not known, and applies the call after the delay.
	late faultKind = "late"
	// lost applies the call, and tells the caller that this is not known.
	lost faultKind = "lost"
	// unsent does not apply the call, and tells the caller that this is not known.
	unsent faultKind = "unsent"
	// repeated applies the call, loses the response and applies the call once more after the delay, as the SDK does.
	// The caller gets what a driver makes of that.
	repeated faultKind = "repeated"
	// meanwhile applies the call as ever; only something else happens at the same time.
	meanwhile faultKind = "meanwhile"
)

var (
	errDown      = fmt.Errorf("model: refused: %w", storage.ErrUnavailable)
	errUnknown   = fmt.Errorf("model: the response was lost: %w; %w", storage.ErrOutcomeUnknown, storage.ErrUnavailable)
	errThrottled = fmt.Errorf("model: refused: %w", storage.ErrThrottled)
	errDenied    = errors.New("model: refused: access denied")
	errCrashed   = errors.New("model: the process is dead")
)

// wire is the way of one process to the place.
type wire struct {
	client *client
	place  *place

	mu    sync.Mutex
	armed []fault
	dead  chan struct{} // closed when the process has died
}

func newWire(c *client, p *place) *wire { return &wire{client: c, place: p, dead: make(chan struct{})} }

var _ storage.Driver = (*wire)(nil)

// arm lets a fault strike the next call that it is for.
func (w *wire) arm(f fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = append(w.armed, f)
}

func (w *wire) disarm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = nil
}

// strikes takes the fault for a call.
func (w *wire) strikes(name string) (fault, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, f := range w.armed {
		if f.on == "" || f.on == name {
			w.armed = append(w.armed[:i:i], w.armed[i+1:]...)
			return f, true
		}
	}
	return fault{}, false
}

// send makes a call, with what happens to it on the way. apply does it in the place. again says what a driver makes of
// the error of a call that was applied before, and whose response was lost.
func (w *wire) send(ctx context.Context, name string, apply func(context.Context, call) error,
	again func(error) error,
) error {
	c := call{client: w.client, op: operationFrom(ctx), name: name, sent: time.Now()}
	select {
	case <-w.dead:
		return errCrashed
	default:
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.op != nil && c.op.session.malformed {
		w.place.asked(c)
	}
	f, struck := w.strikes(name)
	if !struck {
		return apply(ctx, c)
	}
	if f.kind == meanwhile {
		defer f.then()
		return apply(ctx, c)
	}
	w.place.strike(c, f)
	detached := context.WithoutCancel(ctx)
	switch f.kind {
	case down:
		return errDown
	case throttled:
		return errThrottled
	case denied:
		return errDenied
	case slow:
		if err := w.wait(ctx, f.delay); err != nil {
			return err
		}
		return apply(detached, c)
	case late:
		c.late = true
		time.AfterFunc(f.delay, func() { _ = apply(detached, c) })
		if name == "Get" {
			return errDown
		}
		return errUnknown
	case lost:
		if err := apply(detached, c); err != nil && !errors.Is(err, storage.ErrConflict) {
			return err
		}
		return errUnknown
	case unsent:
		return errUnknown
	case repeated:
		if err := apply(detached, c); err != nil {
			return err
		}
		if err := w.wait(ctx, f.delay); errors.Is(err, errCrashed) {
			return err
		}
		return again(apply(detached, c))
	default:
		panic("model: unknown fault " + f.kind)
	}
}

// wait lets time pass on the wire.
func (w *wire) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-w.dead:
		return errCrashed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Get implements storage.Driver.
func (w *wire) Get(ctx context.Context, key string,
	_ storage.Consistency,
) (record storage.Record, found bool, err error) {
	read := func(_ context.Context, c call) (err error) {
		if !c.late {
			record, found, err = w.place.get(key)
		}
		return err
	}
	if err := w.send(ctx, "Get", read, func(err error) error { return err }); err != nil {
		return storage.Record{}, false, err
	}
	return record, found, nil
}

// Put implements storage.Driver.
func (w *wire) Put(ctx context.Context, record storage.Record, condition storage.Condition) error {
	return w.send(ctx, "Put",
		func(ctx context.Context, c call) error { return w.place.put(ctx, c, record, condition) },
		func(err error) error {
			current, found, _ := w.place.get(record.Key)
			return settle(err, found && current.Descends(record.Version))
		})
}

// Update implements storage.Driver.
func (w *wire) Update(ctx context.Context, key string, change storage.Change, condition storage.Condition) error {
	return w.send(ctx, "Update",
		func(ctx context.Context, c call) error { return w.place.update(ctx, c, key, change, condition) },
		func(err error) error {
			current, found, _ := w.place.get(key)
			after := change.Apply(current)
			return settle(err, found && current.Lease.ID == after.Lease.ID && current.ExpiresAt.Equal(after.ExpiresAt) &&
				current.UpdatedAt.Equal(after.UpdatedAt) && current.Lease.ExpiresAt.Equal(after.Lease.ExpiresAt))
		})
}

// Acquire implements storage.Driver.
func (w *wire) Acquire(
	ctx context.Context, key string, lease storage.Lease, condition storage.Condition,
) (record storage.Record, err error) {
	err = w.send(ctx, "Acquire",
		func(ctx context.Context, c call) error {
			acquired, err := w.place.acquire(ctx, c, key, lease, condition)
			if !c.late {
				record = acquired
			}
			return err
		},
		func(err error) error { return settle(err, false) })
	if err != nil {
		return storage.Record{}, err
	}
	return record, nil
}

// Delete implements storage.Driver.
func (w *wire) Delete(ctx context.Context, key string, condition storage.Condition) error {
	return w.send(ctx, "Delete",
		func(ctx context.Context, c call) error { return w.place.delete(ctx, c, key, condition) },
		func(err error) error { return settle(err, false) })
}

// DeleteBatch implements storage.Driver.
func (w *wire) DeleteBatch(context.Context, []string) error { panic("model: nothing deletes batches") }

// Namespace implements storage.Driver.
func (w *wire) Namespace() string { return "" }

// Scan implements storage.Driver.
func (w *wire) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	return w.place.driver.Scan(ctx, request)
}

// settle is what a driver makes of the error of a write whose first attempt may have been applied. ours is whether what
// is stored says that it was.
func settle(err error, ours bool) error {
	if err == nil || ours {
		return nil
	}
	return errors.Join(err, storage.ErrOutcomeUnknown)
}
