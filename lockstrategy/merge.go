package lockstrategy

import (
	"context"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Merge returns the default strategy. All requests run in parallel, as with [Optimistic], but the commit of one whose
// session was changed since it read it is merged with that change, value by value: what only one of the two has changed
// is as that one left it. Where both have changed the same value, sameKey decides, such as [Sum] or [PerKey]; nil is
// [Ours]: the later commit wins, as with plain scs. A session that was deleted, or expired, is not brought back: that
// is [ErrSessionGone].
//
// Merging needs the session manager's codec, which (*sessionstore.Store).LoadAndSave knows, and no further read: the
// write that was refused returned what is stored. Commits of one process to one session take turns, so that they are
// merged before they are written rather than refused. A commit waits 2 seconds for its turn at most, and is then
// written without it, which may cost refused writes; the condition of the write protects what others store.
//
// A commit that cannot be merged, because what is stored does not decode, or because others were faster 32 times or for
// 5 seconds, matches [storage.ErrConflict].
//
// The deadline of a session is merged like a value; where both have changed it, the earlier one holds.
//
// A request costs one read, and one write where it commits; each commit of another process that comes in between costs
// one refused write, billed like a write.
func Merge(sameKey SameKey) Strategy {
	if sameKey == nil {
		sameKey = Ours
	}
	return &merge{sameKey: sameKey, turnWait: turnWait}
}

// turnWait is how long a commit waits for its turn: longer than some commits of one session take in a row, and shorter
// than one that storage does not answer.
const turnWait = 2 * time.Second

type merge struct {
	sameKey  SameKey
	turnWait time.Duration
	turns    turns[latest]
}

// latest is what a process has stored last in a session, as of an instant. The zero value is older than all there is.
type latest struct {
	record storage.Record
	at     time.Time
}

// Load implements Strategy.
func (m *merge) Load(ctx context.Context, request *Request, key string) (Session, error) {
	s := &mergeSession{strategy: m, knownAt: time.Now()}
	line := m.turns.join(sessionKey{request.Backend, key})
	var err error
	if s.Base, err = LoadBase(ctx, request, key, s.merge); err != nil {
		line.part()
		return nil, err
	}
	s.operations = s
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
	s.operations = s
	return s
}

// mergeSession is a session that is merged with what is stored. A commit knows up to four states of it:
//
//	Base.view      what the request has read or last committed          ─┐
//	next           what the request commits now                         ─┼─▶ merged, and written
//	stored         the newer of Base.record, which the request knows,   ─┘   if stored is still there;
//	               and of what the commit before it in line has left         else that is stored, and so on
type mergeSession struct {
	*Base
	strategy *merge
	// line is where the commits of this process to the session take turns. Nil for a session that this request has
	// made.
	line *line[latest]

	// These belong to the operation that runs.

	// renewed is whether the session has left the line, as it has another token.
	renewed bool
	// knownAt is from when Base.record is: a read that began then, or a write that was acknowledged then.
	knownAt time.Time
	// attempted are the values that commits of this request have changed which may have been applied although they
	// failed. What is stored may then have been made from them.
	attempted map[string]struct{}

	released bool // guarded by Base.mu
}

func (s *mergeSession) commit(ctx context.Context, next storage.Record, write writing) error {
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
	stored := s.record
	if !before.at.Before(s.knownAt) {
		stored = before.record
	}
	written, err := s.commitMerged(ctx, stored, next, write)
	if err == nil {
		before = written
	}
	return err
}

// commitMerged writes next, merged with what is stored: stored, as far as this process knows. It returns what the
// session's other requests in this process may take for stored: nothing where the session has got another token.
func (s *mergeSession) commitMerged(
	ctx context.Context, stored, next storage.Record, write writing,
) (written latest, err error) {
	began := time.Now()
	merged, err := s.replace(ctx, stored, next, write)
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
	var sessions [3]contents
	for i, record := range [...]storage.Record{read, next, stored} {
		var err error
		if sessions[i], err = s.decode(record); err != nil {
			return storage.Record{}, err
		}
	}
	base, ours, theirs := sessions[0], sessions[1], sessions[2]
	if s.isUnknown() {
		// What was meant once must not be done twice, nor undo what others have made of it.
		if err := isThere(base, ours, theirs, s.attempted, s.strategy.sameKey); err != nil {
			return storage.Record{}, err
		}
	}
	result, err := merged(base, ours, theirs, s.strategy.sameKey)
	if err != nil {
		return storage.Record{}, err
	}
	next.ExpiresAt = result.expiresAt
	next.Data, err = s.request.Payload.Encode(next.Key, result.deadline, result.values)
	return next, err
}

// decode returns what a record holds, or why it cannot be merged.
func (s *mergeSession) decode(record storage.Record) (contents, error) {
	if s.request.Payload == nil {
		return contents{}, errConflict
	}
	deadline, values, err := s.request.Payload.Decode(record)
	if err != nil {
		return contents{}, errNotMergeable
	}
	return contents{deadline, record.ExpiresAt, values}, nil
}

// attempt notes which values a commit of unknown outcome would have changed.
func (s *mergeSession) attempt(next storage.Record) {
	base, errBase := s.decode(s.view)
	ours, errOurs := s.decode(next)
	if errBase != nil || errOurs != nil { // then nothing is merged
		return
	}
	if s.attempted == nil {
		s.attempted = map[string]struct{}{}
	}
	for key := range keysOf(base.values, ours.values) {
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
