package lockstrategy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Merge returns the default strategy. All requests run in parallel, as with [Optimistic], but the commit of one whose
// session was changed since it read it is merged with that change, value by value: what only one of the two has changed
// is as that one left it. Where both have changed the same value, the same-key policy decides; by default the later
// commit wins, as with plain scs. A session that was deleted, or expired, is not brought back: that is
// [ErrSessionGone].
//
// Merging needs the session manager's codec, which (*sessionstore.Store).LoadAndSave knows, and no further read: the
// write that was refused returned what is stored. Commits of one process to one session take turns, so that they are
// merged before they are written rather than refused. A commit waits for its turn at most as long as [WithTurnWait]
// allows, and is then written without it; the condition of the write protects what others store.
//
// A commit that cannot be merged, because what is stored does not decode, or because others were faster 32 times or for
// 5 seconds, matches [storage.ErrConflict].
//
// The deadline of a session is merged like a value; where both have changed it, the earlier one holds.
//
// A request costs one read, and one write where it commits; each commit of another process that comes in between costs
// one refused write, billed like a write.
func Merge(options ...MergeOption) Strategy {
	m := &merge{sameKey: Ours, turnWait: DefaultTurnWait}
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

// WithTurnWait sets how long a commit waits for the other commits of its process to the same session before it is
// written without its turn. That costs refused writes, each billed like a write. Default: [DefaultTurnWait].
func WithTurnWait(d time.Duration) MergeOption {
	return func(m *merge) { m.turnWait = d }
}

// DefaultTurnWait is how long a commit waits for its turn without [WithTurnWait]: longer than some commits of one
// session take in a row, and shorter than one that storage does not answer.
const DefaultTurnWait = 2 * time.Second

type merge struct {
	sameKey  SameKey
	turnWait time.Duration
	turns    turns[latest]
}

// latest is what a process has stored last in a session, as of an instant.
type latest struct {
	record storage.Record
	at     time.Time
}

// Load implements Strategy.
func (m *merge) Load(ctx context.Context, request *Request, key string) (Session, error) {
	s := &mergeSession{strategy: m, knownAt: time.Now()}
	line := m.turns.join(place{request.Backend, key})
	var err error
	s.Base, err = LoadBase(ctx, request, key, s.merge)
	if err != nil {
		line.part()
		return nil, err
	}
	if _, found := s.Record(); !found {
		line.part()
		return s, nil
	}
	s.line = line
	return s, nil
}

// New implements Strategy.
func (m *merge) New(request *Request, record storage.Record) Session {
	s := &mergeSession{strategy: m, knownAt: time.Now()}
	s.Base = NewBase(request, record, s.merge)
	return s
}

// mergeSession is a session that is merged with what is stored.
type mergeSession struct {
	*Base
	strategy *merge
	// line is where the commits of this process to the session take turns. Nil for a session that this request has
	// made.
	line *line[latest]

	// What follows is the operation's that runs.

	// renewed is whether the session has left the line, as it has another token.
	renewed bool
	// knownAt is from when the record is: a read that began then, or a write that was acknowledged then, returned it.
	knownAt time.Time
	// attempted are the values that commits of this request have changed which may have been applied although they
	// failed. What is stored may then have been made from them.
	attempted map[string]struct{}

	released bool // guarded by Base.mu
}

// Commit implements Session.
func (s *mergeSession) Commit(ctx context.Context, next storage.Record) error {
	return s.commit(ctx, next, committing)
}

// Renew implements Session.
func (s *mergeSession) Renew(ctx context.Context, next storage.Record) error {
	return s.commit(ctx, next, renewing)
}

func (s *mergeSession) commit(ctx context.Context, next storage.Record, write writing) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if s.line == nil || s.renewed {
		_, err := s.commitMerged(ctx, s.record, next, write)
		return err
	}
	wait, cancel := context.WithTimeout(ctx, s.strategy.turnWait)
	before, _, err := s.line.take(wait)
	cancel()
	switch {
	case ctx.Err() != nil && err != nil:
		return ctx.Err()
	case err != nil: // those before it take too long
		_, err := s.commitMerged(ctx, s.record, next, write)
		return err
	}
	defer func() { s.line.give(before) }() // also where a policy or a codec panics
	known := latest{s.record, s.knownAt}
	if before.record.Version != "" && !before.at.Before(known.at) {
		known = before
	}
	written, err := s.commitMerged(ctx, known.record, next, write)
	if err == nil {
		before = written
	}
	return err
}

// commitMerged writes next, merged with what is stored: stored, as far as this process knows. It returns what the
// session's other requests here may take for stored: nothing where the session has another token since.
func (s *mergeSession) commitMerged(
	ctx context.Context, stored, next storage.Record, write writing,
) (written latest, err error) {
	began := time.Now()
	merged, err := s.commitOver(ctx, stored, next, write)
	if err != nil {
		if s.isUnknown() {
			s.attempt(next)
		}
		return latest{}, err
	}
	if merged {
		s.request.notify(Notice{Event: Merged, Duration: time.Since(began)})
	}
	s.knownAt, s.attempted = time.Now(), nil
	record, found := s.Record()
	s.renewed = s.renewed || write.renews
	if s.renewed || !found {
		return latest{}, nil
	}
	return latest{record, s.knownAt}, nil
}

// merge implements Overtaken: it returns next with what others have stored since this request has read the session.
func (s *mergeSession) merge(read, next, stored storage.Record) (storage.Record, error) {
	payload := s.request.Payload
	if payload == nil {
		return storage.Record{}, errConflict
	}
	var versions [3]version
	for i, record := range [...]storage.Record{read, next, stored} {
		var err error
		versions[i].expiresAt = record.ExpiresAt
		versions[i].deadline, versions[i].values, err = payload.Decode(record)
		if err != nil {
			return storage.Record{}, errNotMergeable
		}
	}
	base, ours, theirs := versions[0], versions[1], versions[2]
	if s.isUnknown() {
		// Doing twice what was meant once must not happen, nor may it undo what others have made of it.
		if err := isThere(base, ours, theirs, s.attempted, s.strategy.sameKey); err != nil {
			return storage.Record{}, err
		}
	}
	result, err := merged(base, ours, theirs, s.strategy.sameKey)
	if err != nil {
		return storage.Record{}, err
	}
	next.ExpiresAt = result.expiresAt
	next.Data, err = payload.Encode(next.Key, result.deadline, result.values)
	return next, err
}

// attempt notes which values a commit of unknown outcome would have changed.
func (s *mergeSession) attempt(next storage.Record) {
	payload := s.request.Payload
	if payload == nil { // then nothing is merged
		return
	}
	_, before, errBefore := payload.Decode(s.view)
	_, after, errAfter := payload.Decode(next)
	if errBefore != nil || errAfter != nil { // nor here
		return
	}
	if s.attempted == nil {
		s.attempted = map[string]struct{}{}
	}
	base, ours := version{values: before}, version{values: after}
	for key := range keysOf(before, after) {
		if !same(valueOf(base, key), valueOf(ours, key)) {
			s.attempted[key] = struct{}{}
		}
	}
}

// Release implements Session. It makes no call.
func (s *mergeSession) Release(context.Context) error {
	s.mu.Lock()
	leaves := !s.released
	s.released = true
	s.mu.Unlock()
	if leaves && s.line != nil {
		s.line.part()
	}
	return nil
}

// Validate reports options that cannot be.
func (m *merge) Validate(*Backend) error {
	var problems []error
	if m.sameKey == nil {
		problems = append(problems,
			errors.New("lockstrategy: WithSameKey: the policy is nil; leave the option out for the default"))
	}
	if m.turnWait <= 0 {
		problems = append(problems, fmt.Errorf("lockstrategy: WithTurnWait: %v; it must be positive", m.turnWait))
	}
	return errors.Join(problems...)
}
