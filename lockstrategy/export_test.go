package lockstrategy

import (
	"context"
	"time"
)

// Remembered returns how many sessions a strategy remembers because requests have them: that must go with them.
func Remembered(s Strategy) int {
	switch s := s.(type) {
	case *merge:
		return s.turns.size()
	case *lease:
		return s.turns.size()
	default:
		return 0
	}
}

// Observed returns how many leases of others a strategy remembers.
func Observed(s Strategy) int {
	l := s.(*lease)
	l.memory.observed.mu.Lock()
	defer l.memory.observed.mu.Unlock()
	return len(l.memory.observed.byAt)
}

// Known returns how many sessions a strategy knows to exist.
func Known(s Strategy) int {
	l := s.(*lease)
	k := l.memory.known
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.recent) + len(k.older)
}

// Know tells a strategy that a session exists.
func Know(s Strategy, backend *Backend, key string) {
	s.(*lease).memory.known.exists(sessionKey{backend, key})
}

// The bounds of what is remembered.
const (
	MaxObservations = maxObservations
	KnownSessions   = knownSessions
)

// MergeWithTurnWait is Merge with another limit of how long a commit waits for its turn.
func MergeWithTurnWait(sameKey SameKey, wait time.Duration) Strategy {
	m := Merge(sameKey).(*merge)
	m.turnWait = wait
	return m
}

// Turns are turns to which requests leave texts.
type Turns struct{ turns turns[string] }

// NewTurns returns turns for which so many may wait.
func NewTurns(limit int) *Turns {
	t := &Turns{}
	t.turns.limit = limit
	return t
}

// Size returns how many lines there are.
func (t *Turns) Size() int { return t.turns.size() }

func (t *turns[T]) size() (n int) {
	t.lines.Range(func(any, any) bool { n++; return true })
	return n
}

// Turn is the turn at one session.
type Turn struct{ line *line[string] }

// Take waits for the turn.
func (t *Turns) Take(ctx context.Context, key string) (_ Turn, got string, waited bool, err error) {
	line, got, waited, err := t.turns.take(ctx, sessionKey{key: key})
	return Turn{line}, got, waited, err
}

// Join keeps the line until Part.
func (t *Turns) Join(key string) Turn { return Turn{t.turns.join(sessionKey{key: key})} }

// Take waits for the turn.
func (t Turn) Take(ctx context.Context) (got string, waited bool, err error) { return t.line.take(ctx) }

// Give passes the turn on.
func (t Turn) Give(leave string) { t.line.give(leave) }

// TryGive passes the turn on if somebody waits.
func (t Turn) TryGive(leave string) bool { return t.line.tryGive(leave) }

// Part leaves the line.
func (t Turn) Part() { t.line.part() }

// Dismiss answers those who wait since before an instant.
func (t Turn) Dismiss(before time.Time, answer string) { t.line.dismiss(before, answer) }

// Waiting returns how many wait.
func (t Turn) Waiting() int {
	t.line.mu.Lock()
	defer t.line.mu.Unlock()
	return t.line.waiting.Len()
}

// Locked calls f while the lock of this session's line is held.
func (t Turn) Locked(f func()) {
	t.line.mu.Lock()
	defer t.line.mu.Unlock()
	f()
}

// ErrTooMany is the error of Take where so many wait as may.
var ErrTooMany = errTooMany
