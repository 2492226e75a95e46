package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
)

const largest = 400_000

var (
	errDown      = errors.New("reference: the backend is down")
	errThrottled = errors.New("reference: too many calls")
	errDamaged   = errors.New("reference: the record is damaged")
	errTooLarge  = errors.New("reference: the data is too large")
)

// backend is what several stores can share.
type backend struct {
	mu      sync.Mutex
	records map[string]record // By namespace and token.
	locks   sync.Map          // Of namespace and token to *hold.
	ahead   atomic.Int64      // How far its clock is before the machine's, in nanoseconds.
}

func (b *backend) now() time.Time { return time.Now().Add(time.Duration(b.ahead.Load())) }

// setReferenceClock is the function for WithClock.
func setReferenceClock(_ *testing.T, store scs.Store, now time.Time) {
	baseOf(store).backend.ahead.Store(int64(time.Until(now)))
}

type record struct {
	data    []byte
	expiry  time.Time
	damaged bool
}

func (r record) expired() bool { return r.expiredAt(time.Now()) }

func (r record) expiredAt(now time.Time) bool { return !now.Before(r.expiry) }

// reference is a store that keeps every rule. Mutants change one thing of it.
type reference struct {
	backend   *backend
	namespace string

	mu    sync.Mutex
	fault conformance.Fault
	hang  chan struct{} // Closed when a hanging backend is repaired.
	seen  []string      // The tokens of all calls, which no message may contain.

	stop     chan struct{}
	stopOnce sync.Once
	stopped  sync.WaitGroup
}

var (
	_ scs.CtxStore         = (*reference)(nil)
	_ scs.IterableStore    = (*reference)(nil)
	_ scs.IterableCtxStore = (*reference)(nil)
)

func newReference() *reference { return onBackend(&backend{records: map[string]record{}}, "") }

func onBackend(b *backend, namespace string) *reference {
	s := &reference{backend: b, namespace: namespace, stop: make(chan struct{})}
	s.stopped.Go(s.cleanUp)
	return s
}

// base is how the functions for options get at the reference in a mutant.
func (s *reference) base() *reference { return s }

func baseOf(store scs.Store) *reference {
	return store.(interface{ base() *reference }).base()
}

func (s *reference) key(token string) string { return s.namespace + token }

// reach is what every call to the backend begins with. A throttled call is tried again once.
func (s *reference) reach(ctx context.Context, token string) error {
	s.mu.Lock()
	s.seen = append(s.seen, token)
	fault, hang := s.fault, s.hang
	if fault == conformance.FaultThrottle {
		s.fault = 0
	}
	s.mu.Unlock()
	if fault == conformance.FaultHang {
		select {
		case <-hang:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	if fault == conformance.FaultDown {
		return errDown
	}
	return nil
}

func (s *reference) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	if err := s.reach(ctx, token); err != nil {
		return nil, false, err
	}
	r, found := s.get(token)
	switch {
	case found && r.damaged:
		return nil, false, errDamaged
	case !found || r.expiredAt(s.backend.now()):
		return nil, false, nil
	}
	return r.data, true, nil
}

func (s *reference) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	if err := s.reach(ctx, token); err != nil {
		return err
	}
	if len(data) > largest {
		return errTooLarge
	}
	s.put(token, record{data: data, expiry: expiry})
	return nil
}

func (s *reference) DeleteCtx(ctx context.Context, token string) error {
	if err := s.reach(ctx, token); err != nil {
		return err
	}
	s.remove(token)
	return nil
}

func (s *reference) AllCtx(ctx context.Context) (map[string][]byte, error) {
	if err := s.reach(ctx, ""); err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for token, r := range s.list() {
		if s.has(conformance.FaultScan) && len(all) > 0 {
			return nil, errDown
		}
		if !r.damaged && !r.expired() {
			all[token] = r.data
		}
	}
	return all, nil
}

func (s *reference) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

func (s *reference) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

func (s *reference) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

func (s *reference) All() (map[string][]byte, error) { return s.AllCtx(context.Background()) }

// Close ends the goroutine.
func (s *reference) Close() error {
	s.stopOnce.Do(func() { close(s.stop) })
	s.stopped.Wait()
	return nil
}

func (s *reference) cleanUp() {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.collect()
		case <-s.stop:
			return
		}
	}
}

func (s *reference) collect() {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	for key, r := range s.backend.records {
		if r.expired() {
			delete(s.backend.records, key)
		}
	}
}

// get, put, remove and list work on the backend. They copy what goes in and out.

func (s *reference) get(token string) (record, bool) {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	r, found := s.backend.records[s.key(token)]
	r.data = bytes.Clone(r.data)
	return r, found
}

func (s *reference) put(token string, r record) {
	r.data = bytes.Clone(r.data)
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	s.backend.records[s.key(token)] = r
}

func (s *reference) remove(token string) {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	delete(s.backend.records, s.key(token))
}

func (s *reference) list() map[string]record {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	records := map[string]record{}
	for key, r := range s.backend.records {
		if token, ours := strings.CutPrefix(key, s.namespace); ours {
			r.data = bytes.Clone(r.data)
			records[token] = r
		}
	}
	return records
}

// inject is the function for WithFault.
func (s *reference) inject(fault conformance.Fault) (repair func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
	hang := make(chan struct{})
	s.hang = hang
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fault = 0
		close(hang)
	}
}

func (s *reference) has(fault conformance.Fault) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault == fault
}

// capabilities declares everything that the reference and its mutants can do. mutate makes a store of a reference.
func capabilities(mutate func(*reference) scs.Store) []conformance.Option {
	return []conformance.Option{
		conformance.WithMaxData(largest),
		conformance.WithPeer(func(t *testing.T, store scs.Store) scs.Store {
			b := baseOf(store)
			return opened(t, mutate, onBackend(b.backend, b.namespace))
		}),
		conformance.WithNamespaces(func(t *testing.T, first, second string) (scs.Store, scs.Store) {
			b := &backend{records: map[string]record{}}
			return opened(t, mutate, onBackend(b, first)), opened(t, mutate, onBackend(b, second))
		}),
		conformance.WithForeignData(func(_ *testing.T, store scs.Store) []string {
			b := baseOf(store)
			b.backend.mu.Lock()
			defer b.backend.mu.Unlock()
			b.backend.records["foreign:key"] = record{damaged: true, expiry: time.Now().Add(time.Hour)}
			return []string{"foreign:key", "key"}
		}),
		conformance.WithCorruption(func(_ *testing.T, store scs.Store, token string) {
			baseOf(store).put(token, record{damaged: true, expiry: time.Now().Add(time.Hour)})
		}),
		conformance.WithCollect(
			func(_ *testing.T, store scs.Store) { store.(interface{ collect() }).collect() },
			func(_ *testing.T, store scs.Store, token string) bool {
				_, found := baseOf(store).get(token)
				return found
			},
		),
		conformance.WithFault(func(_ *testing.T, store scs.Store, fault conformance.Fault) func() {
			return baseOf(store).inject(fault)
		}),
		conformance.WithLocking(lockDelay, lockRules{}.abandon),
	}
}

// opened makes a store of a reference and sees to its end, whatever the mutant makes of Close.
func opened(t *testing.T, mutate func(*reference) scs.Store, r *reference) scs.Store {
	t.Helper()
	t.Cleanup(func() { _ = r.Close() })
	return mutate(r)
}

func unchanged(r *reference) scs.Store { return r }
