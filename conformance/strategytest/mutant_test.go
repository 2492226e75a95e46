package strategytest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// brokenStrategy is a strategy of this project with some steps replaced.
type brokenStrategy struct {
	lockstrategy.Strategy
	// driver changes what the strategy works with.
	driver func(storage.Driver) storage.Driver
	// load replaces Load; next is the one of the strategy.
	load func(ctx context.Context, r *lockstrategy.Request, key string, next loadFunc) (lockstrategy.Session, error)
	// session changes the sessions.
	session func(s *brokenSession)
	// drawn is called by New.
	drawn func(r *lockstrategy.Request, key string)

	backends sync.Map // of *lockstrategy.Backend, as given, to the one that is used
}

type loadFunc func(ctx context.Context, r *lockstrategy.Request, key string) (lockstrategy.Session, error)

// of returns the request as the inner strategy gets it.
func (b *brokenStrategy) of(r *lockstrategy.Request) *lockstrategy.Request {
	if b.driver == nil {
		return r
	}
	changed := *r.Backend
	changed.Driver = b.driver(changed.Driver)
	backend, _ := b.backends.LoadOrStore(r.Backend, &changed)
	request := *r
	request.Backend = backend.(*lockstrategy.Backend)
	return &request
}

func (b *brokenStrategy) wrap(r *lockstrategy.Request, key string, s lockstrategy.Session) lockstrategy.Session {
	if s == nil || b.session == nil {
		return s
	}
	broken := &brokenSession{Session: s, request: r, key: key}
	b.session(broken)
	return broken
}

func (b *brokenStrategy) Load(ctx context.Context, r *lockstrategy.Request, key string) (lockstrategy.Session, error) {
	load := loadFunc(b.Strategy.Load)
	if b.load != nil {
		load = func(ctx context.Context, r *lockstrategy.Request, key string) (lockstrategy.Session, error) {
			return b.load(ctx, r, key, b.Strategy.Load)
		}
	}
	s, err := load(ctx, b.of(r), key)
	return b.wrap(r, key, s), err
}

func (b *brokenStrategy) New(r *lockstrategy.Request, record storage.Record) lockstrategy.Session {
	if b.drawn != nil {
		b.drawn(r, record.Key)
	}
	return b.wrap(r, record.Key, b.Strategy.New(b.of(r), record))
}

// brokenSession is a session with some methods replaced.
type brokenSession struct {
	lockstrategy.Session
	request *lockstrategy.Request
	key     string
	record  func() (storage.Record, bool)
	commit  func(ctx context.Context, next storage.Record) error
	renew   func(ctx context.Context, next storage.Record) error
	delete  func(ctx context.Context) error
	release func(ctx context.Context) error
	touch   func(ctx context.Context, change storage.Change) error
}

func (s *brokenSession) Record() (storage.Record, bool) {
	if s.record != nil {
		return s.record()
	}
	return s.Session.Record()
}

func (s *brokenSession) Commit(ctx context.Context, next storage.Record) error {
	if s.commit != nil {
		return s.commit(ctx, next)
	}
	return s.Session.Commit(ctx, next)
}

func (s *brokenSession) Renew(ctx context.Context, next storage.Record) error {
	if s.renew != nil {
		return s.renew(ctx, next)
	}
	return s.Session.Renew(ctx, next)
}

func (s *brokenSession) Delete(ctx context.Context) error {
	if s.delete != nil {
		return s.delete(ctx)
	}
	return s.Session.Delete(ctx)
}

func (s *brokenSession) Release(ctx context.Context) error {
	if s.release != nil {
		return s.release(ctx)
	}
	return s.Session.Release(ctx)
}

func (s *brokenSession) Touch(ctx context.Context, change storage.Change) error {
	if s.touch != nil {
		return s.touch(ctx, change)
	}
	return s.Session.Touch(ctx, change)
}

// driver returns what the request works with.
func (s *brokenSession) driver() storage.Driver { return s.request.Backend.Driver }

// alteredDriver is a driver to which a strategy sends something else than it should.
type alteredDriver struct {
	storage.Driver
	write  func(storage.Record, storage.Condition) (storage.Record, storage.Condition)
	update func(storage.Change, storage.Condition) (storage.Change, storage.Condition)
}

func (d alteredDriver) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	if d.write != nil {
		r, c = d.write(r, c)
	}
	return d.Driver.Put(ctx, r, c)
}

func (d alteredDriver) Update(ctx context.Context, key string, change storage.Change, c storage.Condition) error {
	if d.update != nil {
		change, c = d.update(change, c)
	}
	return d.Driver.Update(ctx, key, change, c)
}

func (d alteredDriver) Acquire(
	ctx context.Context, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	return d.Driver.Acquire(ctx, key, lease, c)
}

// mutation is one realistic defect of a strategy, and the cases that must see it.
type mutation struct {
	name    string
	killers []string
	broken  func() *brokenStrategy
	locks   bool // The strategy is a lease.
}

const lease = 200 * time.Millisecond

func shortLease() lockstrategy.Strategy {
	return lockstrategy.Lease(lockstrategy.LeaseOptions{Duration: lease})
}

func mutations() []mutation {
	// writes changes the records and conditions of the commits of an optimistic strategy.
	writes := func(alter func(storage.Record,
		storage.Condition) (storage.Record, storage.Condition),
	) func() *brokenStrategy {
		return func() *brokenStrategy {
			return &brokenStrategy{Strategy: lockstrategy.Optimistic(), driver: func(d storage.Driver) storage.Driver {
				return alteredDriver{Driver: d, write: alter}
			}}
		}
	}
	updates := func(s func() lockstrategy.Strategy,
		alter func(storage.Change, storage.Condition) (storage.Change, storage.Condition),
	) func() *brokenStrategy {
		return func() *brokenStrategy {
			return &brokenStrategy{Strategy: s(), driver: func(d storage.Driver) storage.Driver {
				return alteredDriver{Driver: d, update: alter}
			}}
		}
	}
	sessions := func(s func() lockstrategy.Strategy, alter func(s *brokenSession)) func() *brokenStrategy {
		return func() *brokenStrategy { return &brokenStrategy{Strategy: s(), session: alter} }
	}
	optimistic, merge := lockstrategy.Optimistic, func() lockstrategy.Strategy { return lockstrategy.Merge(nil) }
	return []mutation{
		{
			name: "a commit asks nothing", killers: []string{
				"L-I1-01", "L-I1-02", "L-I1-03", "L-I1-04", "L-I1-05",
				"L-I1-06", "L-I2-01",
			},
			broken: writes(func(r storage.Record, _ storage.Condition) (storage.Record, storage.Condition) {
				return r, storage.Always()
			}),
		},
		{
			name: "a commit asks only whether the session is there", killers: []string{"L-I1-01", "L-I1-03", "L-I1-06"},
			broken: writes(func(r storage.Record, c storage.Condition) (storage.Record, storage.Condition) {
				if c.Kind == storage.KindVersion {
					c = storage.IfLive(r.UpdatedAt)
				}
				return r, c
			}),
		},
		{
			name: "a first commit asks nothing", killers: []string{"L-I1-04"},
			broken: writes(func(r storage.Record, c storage.Condition) (storage.Record, storage.Condition) {
				if c.Kind == storage.KindAbsent {
					c = storage.Always()
				}
				return r, c
			}),
		},
		{
			name: "a commit stores what was deleted as if it were new", killers: []string{"L-I2-01", "L-I2-03", "L-I2-04"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.commit = func(ctx context.Context, next storage.Record) error {
					err := s.Session.Commit(ctx, next)
					if errors.Is(err, lockstrategy.ErrSessionGone) {
						return s.driver().Put(ctx, next, storage.IfAbsent(next.UpdatedAt))
					}
					return err
				}
			}),
		},
		{
			name: "a commit does not ask whether the session has expired", killers: []string{"L-I2-02"},
			broken: writes(func(r storage.Record, c storage.Condition) (storage.Record, storage.Condition) {
				if c.Kind == storage.KindVersion {
					c.At = time.Time{}
				}
				return r, c
			}),
		},
		{
			name: "a move of an ended session stores it anew", killers: []string{"L-I2-05"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.commit = func(ctx context.Context, next storage.Record) error {
					err := s.Session.Commit(ctx, next)
					if err != nil && next.Key != s.key {
						return s.driver().Put(ctx, next, storage.Always())
					}
					return err
				}
			}),
		},
		{
			name: "a commit is written later", killers: []string{"L-I4-01", "L-SES-01", "L-SES-02"},
			broken: sessions(merge, func(s *brokenSession) {
				s.commit = func(context.Context, storage.Record) error { return nil }
			}),
		},
		{
			name: "a commit keeps the expiry that was read", killers: []string{"L-I4-01"},
			broken: writes(func(r storage.Record, c storage.Condition) (storage.Record, storage.Condition) {
				if c.Kind == storage.KindVersion {
					r.ExpiresAt = r.ExpiresAt.Add(time.Second)
				}
				return r, c
			}),
		},
		{
			name: "an outcome that is not known is taken for a conflict", killers: []string{"L-I4-02"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.commit = func(ctx context.Context, next storage.Record) error {
					err := s.Session.Commit(ctx, next)
					if errors.Is(err, storage.ErrOutcomeUnknown) {
						return storage.ErrConflict
					}
					return err
				}
			}),
		},
		{
			name: "a failed commit is swallowed", killers: []string{"L-I4-03"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.commit = func(ctx context.Context, next storage.Record) error {
					if err := s.Session.Commit(ctx, next); !errors.Is(err, storage.ErrUnavailable) {
						return err
					}
					return nil
				}
			}),
		},
		{
			name: "a failed read is a miss", killers: []string{"L-I4-03"},
			broken: func() *brokenStrategy {
				b := &brokenStrategy{Strategy: lockstrategy.Optimistic()}
				b.load = func(ctx context.Context, r *lockstrategy.Request, key string,
					next loadFunc,
				) (lockstrategy.Session, error) {
					s, err := next(ctx, r, key)
					if errors.Is(err, storage.ErrUnavailable) {
						return b.Strategy.New(r, storage.Record{Key: key}), nil
					}
					return s, err
				}
				return b
			},
		},
		{
			name: "a delete waits for its turn", killers: []string{"L-I3-01"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.delete = func(context.Context) error { return lockstrategy.ErrLockTimeout }
			}),
		},
		{
			name: "a delete is only marked", killers: []string{"L-I3-01", "L-SES-03"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.delete = func(context.Context) error { return nil }
			}),
		},
		{
			name: "a commit keeps the version and expires when it did", killers: []string{"L-I7-01", "L-SES-05"},
			broken: func() *brokenStrategy {
				return &brokenStrategy{Strategy: lockstrategy.None(), session: func(s *brokenSession) {
					before, found := s.Session.Record()
					s.commit = func(ctx context.Context, next storage.Record) error {
						if found {
							next.Version = before.Version
							next.ExpiresAt = before.ExpiresAt
						}
						return s.Session.Commit(ctx, next)
					}
				}}
			},
		},
		{
			name: "a touch writes nothing", killers: []string{"L-I7-02", "L-SES-06"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.touch = func(context.Context, storage.Change) error { return nil }
			}),
		},
		{
			name: "a touch is a commit", killers: []string{"L-SES-06"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.touch = func(ctx context.Context, change storage.Change) error {
					record, _ := s.Session.Record()
					record = change.Apply(record)
					record.Version = storage.NewVersion()
					return s.Session.Commit(ctx, record)
				}
			}),
		},
		{
			name: "a touch asks nothing", killers: []string{"L-SES-07"},
			broken: updates(optimistic, func(change storage.Change, _ storage.Condition) (storage.Change, storage.Condition) {
				return change, storage.Always()
			}),
		},
		{
			name: "a touch of a session that has ended says nothing", killers: []string{"L-SES-07"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.touch = func(ctx context.Context, change storage.Change) error {
					if err := s.Session.Touch(ctx, change); !errors.Is(err, lockstrategy.ErrSessionGone) {
						return err
					}
					return nil
				}
			}),
		},
		{
			name: "a touch makes a session of a tombstone", killers: []string{"L-SES-07"},
			broken: updates(optimistic, func(change storage.Change, c storage.Condition) (storage.Change, storage.Condition) {
				return change, storage.IfLive(c.At)
			}),
		},
		{
			name: "a renewal is a delete and a commit", killers: []string{"L-REN-01", "L-REN-02", "L-REN-03"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.renew = func(ctx context.Context, next storage.Record) error {
					if err := s.driver().Delete(ctx, s.key, storage.Always()); err != nil {
						return err
					}
					return s.driver().Put(ctx, next, storage.IfAbsent(next.UpdatedAt))
				}
			}),
		},
		{
			name: "a renewal is a move", killers: []string{"L-REN-01"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.renew = s.Session.Commit
			}),
		},
		{
			name:    "a renewal does not ask what has become of the old session",
			killers: []string{"L-REN-02", "L-REN-03", "L-REN-04"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.renew = func(ctx context.Context, next storage.Record) error {
					if err := s.driver().Put(ctx, next, storage.IfAbsent(next.UpdatedAt)); err != nil {
						return err
					}
					return s.driver().Put(ctx, ended.Tombstone(storage.Record{Key: s.key}, next.Key, next.UpdatedAt), storage.Always())
				}
			}),
		},
		{
			name: "a renewal that is refused leaves the new session", killers: []string{"L-REN-02", "L-REN-03", "L-REN-04"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.renew = func(ctx context.Context, next storage.Record) error {
					err := s.Session.Renew(ctx, next)
					if errors.Is(err, storage.ErrConflict) || errors.Is(err, lockstrategy.ErrSessionGone) {
						_ = s.driver().Put(ctx, next, storage.Always())
					}
					return err
				}
			}),
		},
		{
			name: "a commit after a renewal follows the session", killers: []string{"L-REN-05"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.commit = func(ctx context.Context, next storage.Record) error {
					err := s.Session.Commit(ctx, next)
					if !errors.Is(err, lockstrategy.ErrSessionGone) {
						return err
					}
					record, _, err := s.driver().Get(ctx, s.key, storage.Strong)
					if err != nil || ended.Successor(record) == "" {
						return errors.Join(err, lockstrategy.ErrSessionGone)
					}
					next.Key = ended.Successor(record)
					return s.driver().Put(ctx, next, storage.Always())
				}
			}),
		},
		{
			name: "leases are never taken over", killers: []string{"L-I5-01", "L-I5-02"}, locks: true,
			broken: func() *brokenStrategy {
				return &brokenStrategy{Strategy: lockstrategy.Lease(lockstrategy.LeaseOptions{
					Duration: time.Minute, MaxWait: 300 * time.Millisecond,
				})}
			},
		},
		{
			name: "leases end by the clock of who holds them", killers: []string{"L-I5-02"}, locks: true,
			broken: func() *brokenStrategy {
				return &brokenStrategy{
					Strategy: lockstrategy.Lease(lockstrategy.LeaseOptions{Duration: lease, MaxWait: 5 * time.Second}),
					load: func(ctx context.Context, r *lockstrategy.Request, key string, next loadFunc) (lockstrategy.Session, error) {
						record, found, err := r.Backend.Driver.Get(ctx, key, storage.Strong)
						if err == nil && found && r.Lock && record.Lease.ExpiresAt.After(r.Backend.Now().Add(10*lease)) {
							<-time.After(2500 * time.Millisecond)
							return nil, lockstrategy.ErrLockTimeout
						}
						return next(ctx, r, key)
					},
				}
			},
		},
		{
			name: "a release frees whatever lease there is", killers: []string{"L-I6-01"}, locks: true,
			broken: sessions(shortLease, func(s *brokenSession) {
				_, held := s.Session.Record()
				s.release = func(ctx context.Context) error {
					if err := s.Session.Release(ctx); err != nil || !held || !s.request.Lock {
						return err
					}
					held = false
					err := s.driver().Update(ctx, s.key, storage.Change{Lease: &storage.Lease{}}, storage.Always())
					if errors.Is(err, storage.ErrConflict) {
						return nil
					}
					return err
				}
			}),
		},
		{
			name: "a request that commits nothing keeps its lease", killers: []string{"L-I6-02", "L-CTX-04"}, locks: true,
			broken: sessions(shortLease, func(s *brokenSession) {
				s.release = func(context.Context) error { return nil }
			}),
		},
		{
			name: "a request that only reads takes the lease", killers: []string{"L-I6-03"}, locks: true,
			broken: func() *brokenStrategy {
				return &brokenStrategy{
					Strategy: lockstrategy.Lease(lockstrategy.LeaseOptions{Duration: lease, MaxWait: 300 * time.Millisecond}),
					load: func(ctx context.Context, r *lockstrategy.Request, key string, next loadFunc) (lockstrategy.Session, error) {
						r.Lock = true
						return next(ctx, r, key)
					},
				}
			},
		},
		{
			name: "requests do not wait for each other", killers: []string{"L-I6-04", "L-CTX-03"}, locks: true,
			broken: func() *brokenStrategy { return &brokenStrategy{Strategy: lockstrategy.Merge(nil)} },
		},
		{
			name: "waiting does not end with the context", killers: []string{"L-CTX-03"}, locks: true,
			broken: func() *brokenStrategy {
				return &brokenStrategy{
					Strategy: lockstrategy.Lease(lockstrategy.LeaseOptions{Duration: lease, MaxWait: 500 * time.Millisecond}),
					load: func(ctx context.Context, r *lockstrategy.Request, key string, next loadFunc) (lockstrategy.Session, error) {
						return next(context.WithoutCancel(ctx), r, key)
					},
				}
			},
		},
		{
			name: "a load writes what it did not find", killers: []string{"L-I8-01"},
			broken: func() *brokenStrategy {
				b := &brokenStrategy{Strategy: lockstrategy.Optimistic()}
				b.load = func(ctx context.Context, r *lockstrategy.Request, key string,
					next loadFunc,
				) (lockstrategy.Session, error) {
					s, err := next(ctx, r, key)
					if err != nil {
						return s, err
					}
					if _, found := s.Record(); !found && storage.ValidKey(key, 2048) {
						_ = r.Backend.Driver.Put(ctx, storage.Record{Key: key, Version: storage.NewVersion()}, storage.Always())
					}
					return s, nil
				}
				return b
			},
		},
		{
			name: "a miss is an error", killers: []string{"L-I8-01"},
			broken: func() *brokenStrategy {
				return &brokenStrategy{
					Strategy: lockstrategy.Optimistic(),
					load: func(ctx context.Context, r *lockstrategy.Request, key string, next loadFunc) (lockstrategy.Session, error) {
						s, err := next(ctx, r, key)
						if err == nil && !storage.ValidKey(key, 2048) {
							err = storage.ErrInvalidKey
						}
						return s, err
					},
				}
			},
		},
		{
			name: "New looks whether there is a session", killers: []string{"L-I8-02"},
			broken: func() *brokenStrategy {
				return &brokenStrategy{Strategy: lockstrategy.Optimistic(), drawn: func(r *lockstrategy.Request, key string) {
					_, _, _ = r.Backend.Driver.Get(context.Background(), key, storage.Strong)
				}}
			},
		},
		{
			name: "errors contain the key", killers: []string{"L-I9-01", "L-I1-01"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.commit = func(ctx context.Context, next storage.Record) error {
					if err := s.Session.Commit(ctx, next); err != nil {
						return fmt.Errorf("committing %s: %w", next.Key, err)
					}
					return nil
				}
			}),
		},
		{
			name: "errors quote the codec", killers: []string{"L-I9-01"},
			broken: sessions(merge, func(s *brokenSession) {
				s.commit = func(ctx context.Context, next storage.Record) error {
					err := s.Session.Commit(ctx, next)
					if err != nil && s.request.Payload != nil {
						if _, _, decoding := s.request.Payload.Decode(next); decoding != nil {
							return errors.Join(err, decoding)
						}
					}
					return err
				}
			}),
		},
		{
			name: "Record tells what was read, not what was committed", killers: []string{"L-SES-01", "L-I4-01"},
			broken: sessions(optimistic, func(s *brokenSession) {
				record, found := s.Session.Record()
				s.record = func() (storage.Record, bool) { return record, found }
			}),
		},
		{
			name: "a second commit is refused", killers: []string{"L-SES-01", "L-SES-02"},
			broken: sessions(optimistic, func(s *brokenSession) {
				committed := false
				s.commit = func(ctx context.Context, next storage.Record) error {
					if committed {
						return storage.ErrConflict
					}
					committed = true
					return s.Session.Commit(ctx, next)
				}
			}),
		},
		{
			name: "the own delete is forgotten", killers: []string{"L-SES-03"},
			broken: func() *brokenStrategy {
				b := &brokenStrategy{Strategy: lockstrategy.Optimistic()}
				b.session = func(s *brokenSession) {
					s.delete = func(ctx context.Context) error {
						_ = s.Session.Delete(ctx)
						s.Session = b.Strategy.New(b.of(s.request), storage.Record{Key: s.key})
						return s.driver().Delete(ctx, s.key, storage.Always())
					}
				}
				return b
			},
		},
		{
			name: "a second release panics", killers: []string{"L-SES-04"},
			broken: sessions(optimistic, func(s *brokenSession) {
				released := make(chan struct{})
				s.release = func(context.Context) error { close(released); return nil }
			}),
		},
		{
			name: "a commit forgets when the session was made", killers: []string{"L-SES-05"},
			broken: writes(func(r storage.Record, c storage.Condition) (storage.Record, storage.Condition) {
				r.CreatedAt = r.UpdatedAt
				return r, c
			}),
		},
		{
			name: "a commit does not say what it was made from", killers: []string{"L-SES-05"},
			broken: writes(func(r storage.Record, c storage.Condition) (storage.Record, storage.Condition) {
				r.Ancestry = ""
				return r, c
			}),
		},
		{
			name: "every request is told of a commit", killers: []string{"L-SES-08"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.commit = func(ctx context.Context, next storage.Record) error {
					err := s.Session.Commit(ctx, next)
					s.request.Notify(lockstrategy.Notice{Event: lockstrategy.Merged, Err: err})
					return err
				}
			}),
		},
		{
			name: "a session is used by one goroutine only", killers: []string{"L-SES-09"},
			broken: sessions(merge, func(s *brokenSession) {
				busy := make(chan struct{}, 1)
				s.commit = func(ctx context.Context, next storage.Record) error {
					select {
					case busy <- struct{}{}:
					default:
						panic("concurrent use")
					}
					defer func() { <-busy }()
					widen()
					return s.Session.Commit(ctx, next)
				}
			}),
		},
		{
			name: "a move leaves the old record", killers: []string{"L-SES-10"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.commit = func(ctx context.Context, next storage.Record) error {
					if next.Key == s.key {
						return s.Session.Commit(ctx, next)
					}
					return s.driver().Put(ctx, next, storage.Always())
				}
			}),
		},
		{
			name: "a cancelled load reads all the same", killers: []string{"L-CTX-01"},
			broken: func() *brokenStrategy {
				return &brokenStrategy{
					Strategy: lockstrategy.Optimistic(),
					load: func(ctx context.Context, r *lockstrategy.Request, key string, next loadFunc) (lockstrategy.Session, error) {
						return next(context.WithoutCancel(ctx), r, key)
					},
				}
			},
		},
		{
			name: "a cancelled commit is written", killers: []string{"L-CTX-02"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.commit = func(ctx context.Context, next storage.Record) error {
					return s.Session.Commit(context.WithoutCancel(ctx), next)
				}
			}),
		},
		{
			name: "the error of a cancelled commit says nothing of it", killers: []string{"L-CTX-02"},
			broken: sessions(optimistic, func(s *brokenSession) {
				s.commit = func(ctx context.Context, next storage.Record) error {
					if err := s.Session.Commit(ctx, next); err != nil {
						return errors.New("the session could not be stored")
					}
					return nil
				}
			}),
		},
		{
			name: "each load leaves a goroutine", killers: []string{"L-END-01"},
			broken: func() *brokenStrategy {
				return &brokenStrategy{
					Strategy: lockstrategy.Optimistic(),
					load: func(ctx context.Context, r *lockstrategy.Request, key string, next loadFunc) (lockstrategy.Session, error) {
						go waitLong()
						return next(ctx, r, key)
					},
				}
			},
		},
	}
}

// waitLong goes on for longer than a case looks.
func waitLong() { <-time.After(20 * time.Second) }

// widen gives another goroutine the time to get between two steps of a mutant that should have been one.
func widen() {
	timer := time.NewTimer(5 * time.Millisecond)
	<-timer.C
}
