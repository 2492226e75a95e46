package lockstrategy

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Merge returns the default strategy. All requests run in parallel, as with [Optimistic], but the commit of one whose
// session was changed since it read it is merged with that change, value by value: what only one of the two has changed is
// as that one left it. Where both have changed the same value, the same-key policy decides; by default the later commit
// wins, as with plain scs. A session that was deleted, or expired, is not brought back: that is [ErrSessionGone].
//
// Merging needs the session manager's codec, which (*sessionstore.Store).LoadAndSave knows, and no further read: the write
// that was refused returned what is stored. Commits of one process to one session are lined up, so that they are merged
// before they are written rather than refused. A commit that cannot be merged, because what is stored does not decode, or
// because others were faster time and again, matches [storage.ErrConflict].
//
// The deadline of a session is merged like a value; where both have changed it, the earlier one holds.
//
// A request costs one read, and one write where it commits; each commit of another process that comes in between costs one
// refused write, billed like a write.
func Merge(options ...MergeOption) Strategy {
	m := &merge{sameKey: Ours, lines: map[place]*line{}}
	for _, option := range options {
		option(m)
	}
	return m
}

// MergeOption is a setting of [Merge].
type MergeOption func(*merge)

// WithSameKey sets the policy for a value that both requests have changed. Default: [Ours].
func WithSameKey(policy SameKey) MergeOption {
	return func(m *merge) { m.sameKey = policy }
}

// mergeTries bounds how often a commit is merged anew because others were faster. Of four processes that write to one session
// without a pause, one commit in some hundreds loses ten times in a row.
const mergeTries = 32

type merge struct {
	sameKey SameKey

	mu    sync.Mutex // never held during a call
	lines map[place]*line
}

// place is a session: strategies may be shared by stores.
type place struct {
	backend *Backend
	key     string
}

// line is where the commits of this process to one session line up. It is there as long as a request has the session.
type line struct {
	requests int           // that have the session; guarded by merge.mu
	turn     chan struct{} // holds one token, which who commits has taken
	// latest is what this process has stored last, and when that was known; guarded by the turn.
	latest   storage.Record
	latestAt time.Time
}

// Load implements Strategy.
func (m *merge) Load(ctx context.Context, request *Request, key string) (Session, error) {
	at := place{request.Backend, key}
	s := &mergeSession{session: newSession(request, storage.Record{Key: key}), strategy: m, place: at, line: m.join(at), knownAt: time.Now()}
	if err := s.read(ctx); err != nil || !s.found {
		m.part(at)
		s.line = newLine()
		s.released = true
		return s, err
	}
	s.view = s.record
	return s, nil
}

// New implements Strategy.
func (m *merge) New(request *Request, record storage.Record) Session {
	return &mergeSession{session: newSession(request, record), strategy: m, line: newLine(), view: record, released: true}
}

func newLine() *line { return &line{turn: make(chan struct{}, 1)} }

// join returns the line of the session.
func (m *merge) join(at place) *line {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.lines[at]
	if l == nil {
		l = newLine()
		m.lines[at] = l
	}
	l.requests++
	return l
}

// part leaves the line, which goes with the last request.
func (m *merge) part(at place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.lines[at]
	if l.requests--; l.requests == 0 {
		delete(m.lines, at)
	}
}

// mergeSession is a session that is merged with what is stored.
type mergeSession struct {
	session
	strategy *merge
	place    place
	line     *line

	// The session's record is what is stored as far as this request knows. What follows is guarded by the line's turn.

	// view is the session as this request sees it: as it was read or last committed, before it was merged. Its version is
	// that of the stored record which has the same payload, or none.
	view storage.Record
	// knownAt is from when the record is: a read that began then, or a write that was acknowledged then, returned it.
	knownAt time.Time
	// unknown is whether a commit of this request may have been applied although it failed. What is stored may then have been
	// made from it.
	unknown bool

	released bool // guarded by session.mu
}

// Commit implements Session.
func (s *mergeSession) Commit(ctx context.Context, next storage.Record) error {
	return s.commit(ctx, next, s.request.Backend.Write)
}

// Renew implements Session.
func (s *mergeSession) Renew(ctx context.Context, next storage.Record) error {
	return s.commit(ctx, next, s.request.Backend.Renew)
}

func (s *mergeSession) commit(ctx context.Context, next storage.Record, write writer) error {
	select {
	case s.line.turn <- struct{}{}:
		defer func() { <-s.line.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	record, found, gone := s.state()
	switch {
	case gone:
		return ErrSessionGone
	case !found:
		written, err := s.write(ctx, next, storage.IfAbsent(next.UpdatedAt), write)
		if err == nil {
			s.committed(written, written, false)
		}
		return err
	}
	if latest := s.line.latest; latest.Version != "" && !s.line.latestAt.Before(s.knownAt) {
		record = latest
	}
	return s.commitOver(ctx, record, next, write)
}

// commitOver merges next with what is stored until it can be written. stored is what that is as far as this process knows.
func (s *mergeSession) commitOver(ctx context.Context, stored, next storage.Record, write writer) (err error) {
	defer func() {
		if err != nil && s.unknown {
			err = errors.Join(err, storage.ErrOutcomeUnknown)
		}
	}()
	backend := s.request.Backend
	began := time.Now()
	pause := backoff.Backoff{First: 10 * time.Millisecond, Limit: 80 * time.Millisecond}
	for try := 1; ; try++ {
		merged, changed, err := s.merge(stored, next)
		if err != nil {
			return err
		}
		if try > 1 {
			merged.Version = storage.NewVersion()
		}
		from := succeed(&merged, stored, true)
		inTheWay, err := write(ctx, from, merged, storage.IfVersion(stored.Version, backend.Now()))
		if err == nil {
			s.committed(merged, next, changed)
			if changed {
				s.request.notify(Notice{Event: Merged, Duration: time.Since(began)})
			}
			return nil
		}
		s.unknown = s.unknown || errors.Is(err, storage.ErrOutcomeUnknown)
		if inTheWay == nil || try == mergeTries {
			return err
		}
		stored = *inTheWay
		if try > 2 { // two in a row are what one other process can cause, more are a crowd
			if err := pause.Wait(ctx); err != nil {
				return err
			}
		}
	}
}

// merge returns next with what others have stored since this request read the session, and whether there was anything.
func (s *mergeSession) merge(stored, next storage.Record) (_ storage.Record, changed bool, err error) {
	if stored.Version == s.view.Version {
		return next, false, nil
	}
	payload := s.request.Payload
	if payload == nil {
		return storage.Record{}, false, errConflict
	}
	var versions [3]version
	for i, record := range [...]storage.Record{s.view, next, stored} {
		versions[i].expiresAt = record.ExpiresAt
		versions[i].deadline, versions[i].values, err = payload.Decode(record)
		if err != nil {
			return storage.Record{}, false, errNotMergeable
		}
	}
	base, ours, theirs := versions[0], versions[1], versions[2]
	if s.unknown {
		// Doing twice what was meant once must not happen, nor may it undo what others have made of it.
		if err := isThere(base, ours, theirs, s.strategy.sameKey); err != nil {
			return storage.Record{}, false, err
		}
	}
	result, err := merged(base, ours, theirs, s.strategy.sameKey)
	if err != nil {
		return storage.Record{}, false, err
	}
	next.ExpiresAt = result.expiresAt
	next.Data, err = payload.Encode(next.Key, result.deadline, result.values)
	return next, true, err
}

// committed notes that written is stored, which this request sees as view.
func (s *mergeSession) committed(written, view storage.Record, merged bool) {
	s.stored(written)
	s.view, s.knownAt, s.unknown = view, time.Now(), false
	if merged {
		s.view.Version = "" // no stored record has this payload
	}
	s.line.latest, s.line.latestAt = written, s.knownAt
}

// Touch implements Toucher.
func (s *mergeSession) Touch(ctx context.Context, change storage.Change) error {
	return s.touch(ctx, change)
}

// Release implements Session. It makes no call.
func (s *mergeSession) Release(context.Context) error {
	s.mu.Lock()
	leaves := !s.released
	s.released = true
	s.mu.Unlock()
	if leaves {
		s.strategy.part(s.place)
	}
	return nil
}

// Validate reports options that cannot be.
func (m *merge) Validate(*Backend) error {
	if m.sameKey == nil {
		return errors.New("lockstrategy: WithSameKey: the policy is nil; leave the option out for the default")
	}
	return nil
}
