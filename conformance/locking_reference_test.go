package conformance_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

const (
	// lockDelay is what the reference declares, and lease how long its locks outlive who has them.
	lockDelay = 2 * time.Second
	lease     = 100 * time.Millisecond
	// tooLong is for how long a mutant keeps others waiting who should not have to.
	tooLong = lockDelay * 9 / 10
)

var (
	errLockLost = errors.New("reference: the lock was lost")
	errGone     = errors.New("reference: the session was ended")
)

// lockRules are the locks of the reference: its zero value keeps every rule. Mutants break one.
type lockRules struct {
	free        bool // No request waits for another.
	revives     bool // A commit stores a session that was deleted.
	unfenced    bool // A commit does not ask whether the lock is still there.
	lasts       time.Duration
	keepsUnread bool // A request that commits nothing keeps its lock.
	keepsPanic  bool // One that panics does.
	stubborn    bool // Waiting does not end with the context.
}

// hold is one acquisition of a session.
type hold struct {
	released chan struct{}
	// ends is when it is over, the zero time for one whose holder lives.
	ends time.Time
}

// lock waits for a session.
func (l lockRules) lock(ctx context.Context, r *reference, token string, ends time.Time) (*hold, error) {
	mine := &hold{released: make(chan struct{}), ends: ends}
	if l.stubborn {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), tooLong)
		defer cancel()
	}
	for {
		other, held := r.backend.locks.LoadOrStore(r.key(token), mine)
		if !held || l.free {
			return mine, nil
		}
		var over <-chan time.Time
		if ends := other.(*hold).ends; !ends.IsZero() {
			over = time.After(time.Until(ends))
		}
		select {
		case <-other.(*hold).released:
		case <-over:
			if r.backend.locks.CompareAndSwap(r.key(token), other, mine) {
				return mine, nil
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l lockRules) unlock(r *reference, token string, mine *hold) {
	r.backend.locks.CompareAndDelete(r.key(token), mine)
	close(mine.released)
}

// keep is what mutants do instead: the lock ends by itself, some time later.
func (l lockRules) keep(r *reference, token string, mine *hold) {
	r.backend.locks.CompareAndSwap(r.key(token), mine, &hold{released: make(chan struct{}), ends: time.Now().Add(tooLong)})
	close(mine.released)
}

// lockedStore is the store as one request sees it that has locked a session.
type lockedStore struct {
	scs.CtxStore
	rules     lockRules
	base      *reference
	token     string
	hold      *hold
	found     bool
	committed bool
}

func (s *lockedStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	data, found, err := s.CtxStore.FindCtx(ctx, token)
	if token == s.token {
		s.found = found
	}
	return data, found, err
}

func (s *lockedStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	if token == s.token && s.found {
		if current, _ := s.base.backend.locks.Load(s.base.key(token)); current != s.hold && !s.rules.unfenced {
			return errLockLost
		}
		if _, found := s.base.get(token); !found && !s.rules.revives {
			return errGone
		}
	}
	s.committed = true
	return s.CtxStore.CommitCtx(ctx, token, data, expiry)
}

// scope is the middleware that lets requests of one session in one after the other.
func (l lockRules) scope(store scs.Store, sessions *scs.SessionManager) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			cookie, err := r.Cookie(sessions.Cookie.Name)
			if err != nil || len(cookie.Value) != 43 {
				sessions.LoadAndSave(next).ServeHTTP(w, r)
				return
			}
			base := baseOf(store)
			mine, err := l.lock(r.Context(), base, cookie.Value, time.Time{})
			if err != nil {
				http.Error(w, "locked", http.StatusServiceUnavailable)
				return
			}
			locked := &lockedStore{
				CtxStore: sessions.Store.(scs.CtxStore), rules: l, base: base, token: cookie.Value, hold: mine,
			}
			finished := false
			defer func() {
				if l.keepsUnread && !locked.committed || l.keepsPanic && !finished {
					l.keep(base, cookie.Value, mine)
					return
				}
				l.unlock(base, cookie.Value, mine)
			}()
			manager := *sessions
			manager.Store = locked
			manager.LoadAndSave(next).ServeHTTP(w, r)
			finished = true
		})
	}
}

// abandon is a request that dies: its lock ends by itself.
func (l lockRules) abandon(t *testing.T, store scs.Store, token string) func([]byte, time.Time) error {
	t.Helper()
	base := baseOf(store)
	lasts := lease
	if l.lasts > 0 {
		lasts = l.lasts
	}
	mine, err := l.lock(t.Context(), base, token, time.Now().Add(lasts))
	if err != nil {
		t.Fatal(err)
	}
	locked := &lockedStore{CtxStore: base, rules: l, base: base, token: token, hold: mine, found: true}
	return func(data []byte, expiry time.Time) error { return locked.CommitCtx(t.Context(), token, data, expiry) }
}
