package model_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// values are the values of a session. All are strings.
type values = map[string]any

// session is the model of one session: what it should be after all that has been applied.
type session struct {
	name  string // for people; tokens must not be told
	token string
	// malformed says that no session can have this token.
	malformed bool
	known     bool // it has been acknowledged, so that others may know the token
	// successors are the sessions that have taken its place, with a new token, the last one of which its tombstone
	// names, unless that was removed.
	successors []*session
	forgotten  bool
	// states are all that it has been in, the current one last. There is always one.
	states []state
	// asked is when it should have ended, by any of those who wrote it.
	asked []time.Time
}

// state is what a session is between two changes.
type state struct {
	exists    bool
	buried    bool // it was ended by who knew it, not by a collector, whose clock may be wrong
	values    values
	expiresAt time.Time
	version   string
}

func newSession(name, token string) *session {
	return &session{name: name, token: token, states: []state{{}}}
}

func (s *session) String() string {
	if s == nil {
		return "no session"
	}
	return s.name
}

// now is the current state.
func (s *session) now() state { return s.states[len(s.states)-1] }

func (s *session) enter(next state) { s.states = append(s.states, next) }

// unbury notes that nothing is in the way any more of creates that arrive late, and nothing tells any more what has
// replaced the session: a tombstone was removed, by a collector whose clock is ahead, or by a delete that has not
// looked.
func (s *session) unbury() {
	s.forgotten = true
	for i := range s.states {
		s.states[i].buried = false
	}
}

// became reports whether other is what the session was renewed to.
func (s *session) became(other *session) bool {
	return slices.ContainsFunc(s.successors, func(next *session) bool { return next == other || next.became(other) })
}

// successor is the session that the tombstone names, nil for none.
func (s *session) successor() *session {
	if len(s.successors) == 0 || s.forgotten {
		return nil
	}
	return s.successors[len(s.successors)-1]
}

// live reports whether there is a session in this state, at an instant.
func (st state) live(at time.Time) bool { return st.exists && at.Before(st.expiresAt) }

// committed follows a commit that was applied: what the request has changed, and nothing else, is changed now.
func (s *session) committed(p *place, c call, record, before storage.Record, found bool) {
	op, was := c.op, s.now()
	live := found && before.Live(c.sent)
	next := state{exists: true, expiresAt: record.ExpiresAt, version: record.Version}
	switch {
	case s == op.renews: // what it must be is known when it takes the place of the old one
		if live && op.applied == 0 {
			p.violatedf("I1: %v overwrote %v", c, s)
		}
		next.values, _ = p.observe(s)
	case p.kind.strategy == "none":
		next.values = op.values
	case !live && !op.creates:
		p.violatedf("I2: %v brought %v back", c, s)
		next.values = op.values
	case !live && slices.ContainsFunc(s.states, func(st state) bool { return st.buried }):
		p.violatedf("I2: %v made %v once more, which had ended", c, s)
		next.values = op.values
	case !live:
		next.values = op.values
	case op.creates && op.applied == 0:
		p.violatedf("I1: %v overwrote %v, which it has not read", c, s)
	case op.applied > 0: // its response was lost: what others have made of it since stands
		next.values = was.values
	default:
		next.values = apply(was.values, op.base, op.values)
	}
	if op.refused && s != op.renews { // nobody has the token of that
		p.violatedf("I1: %v was applied although its commit was refused", c)
	}
	op.applied++
	s.asked = append(s.asked, op.expiry)
	if s == op.renews {
		s.asked = append(s.asked, op.session.asked...) // with what it is merged with
	}
	if !record.ExpiresAt.Equal(op.expiry) &&
		(p.kind.strategy != "merge" || !slices.ContainsFunc(s.asked, record.ExpiresAt.Equal)) {
		p.violatedf("%v: the session ends at %v, which nobody has asked for", c, record.ExpiresAt.Sub(p.began))
	}
	op.at = len(s.states)
	s.enter(next)
	got, there := p.observe(s)
	switch {
	case !there && time.Now().Before(record.ExpiresAt):
		p.violatedf("I4: %v was applied, but %v is not there", c, s)
	case there && !maps.Equal(got, next.values):
		p.violatedf("I1: %v left %v with\n\t%v; these are the updates that were made:\n\t%v", c, s, show(got),
			show(next.values))
	}
}

// buried follows a write that has put a tombstone in place of the session.
func (s *session) buried(p *place, c call, before storage.Record, found bool) {
	op, was := c.op, s.now()
	if op.renews != nil {
		s.successors, s.forgotten = append(s.successors, op.renews), false
	}
	switch {
	case !was.live(c.sent): // in the place of what has ended, or for a create that may be on its way
		op.ends++
		s.enter(state{buried: true})
		return
	case !found || before.Ended(): // it is under the key of another secret
		return
	}
	op.ends++
	op.at = len(s.states)
	s.enter(state{buried: true})
	if op.logsOut() || p.kind.strategy == "none" {
		return
	}
	moved := op.renews != nil && p.kind.strategy == "optimistic" && maps.Equal(was.values, op.base) // and nothing else
	changed := !moved && !slices.ContainsFunc(s.states[op.readAt:op.readTo+1],
		func(st state) bool { return st.version == before.Version })
	switch {
	case op.refused:
		p.violatedf("I1: %v ended %v although its commit was refused", c, s)
	case changed && p.kind.strategy != "merge":
		p.violatedf("I1: %v ended %v, which was changed since it was read", c, s)
	case op.renews == nil && changed && was.live(op.began):
		p.violatedf("I1: %v ended %v, which others have extended", c, s)
	case op.renews != nil && op.renews.now().live(time.Now()):
		if got, want := op.renews.now().values, apply(was.values, op.base, op.values); !maps.Equal(got, want) {
			p.violatedf("I1: %v put %v in place of %v, with\n\t%v; it should have\n\t%v", c, op.renews, s, show(got), show(want))
		}
	}
}

// touched follows a move of the expiry that was applied.
func (s *session) touched(p *place, c call, change storage.Change, before storage.Record) {
	next := s.now()
	switch {
	case !next.exists || !before.Live(c.sent):
		p.violatedf("I2: %v moved the expiry of %v, which had ended", c, s)
	case !slices.ContainsFunc(s.states[c.op.readAt:c.op.readTo+1],
		func(st state) bool { return st.version == before.Version }):
		p.violatedf("I1: %v moved the expiry of %v, which was changed since it was read", c, s)
	case !change.ExpiresAt.Equal(c.op.expiry):
		p.violatedf("%v moved the expiry of %v to an instant that nobody has asked for", c, s)
	}
	if c.op.visit != nil {
		c.op.visit.touched++
	}
	s.asked = append(s.asked, change.ExpiresAt)
	next.expiresAt = change.ExpiresAt
	s.enter(next)
}

// observe returns what is stored, past all wires.
func (p *place) observe(s *session) (values, bool) {
	data, found, err := p.observer.Find(s.token)
	if err != nil {
		p.violatedf("I4: %v cannot be read: %v", s, err)
	}
	if !found {
		return nil, false
	}
	return decode(data), true
}

// additive is the key of a value to which every commit adds a word. Under the same-key policy add, all of them are
// kept.
const additive = "words"

// apply returns the values with what was changed from base to changed.
func apply(to, base, changed values) values {
	result := maps.Clone(to)
	if result == nil {
		result = values{}
	}
	for key := range base {
		if _, stays := changed[key]; !stays {
			delete(result, key)
		}
	}
	for key, value := range changed {
		switch was, there := base[key]; {
		case there && was == value:
		case key == additive:
			for word := range strings.FieldsSeq(value.(string)) {
				if !slices.Contains(words(base), word) && !slices.Contains(words(result), word) {
					result[additive] = strings.TrimSpace(strings.Join(append(words(result), word), " "))
				}
			}
		default:
			result[key] = value
		}
	}
	return result
}

func words(of values) []string {
	text, _ := of[additive].(string)
	return strings.Fields(text)
}

// add is the same-key policy that keeps the words of both. That a word which is there already is not added again is
// what a policy cannot know about a counter, so it does not try.
func add(key string, base, ours, theirs lockstrategy.Value) (lockstrategy.Value, error) {
	if key != additive {
		return lockstrategy.Ours(key, base, ours, theirs)
	}
	text := func(v lockstrategy.Value) string { s, _ := v.Value.(string); return s }
	added := strings.TrimSpace(strings.TrimPrefix(text(ours), text(base)))
	return lockstrategy.Value{Value: strings.TrimSpace(text(theirs) + " " + added), Present: true}, nil
}

// deadline is that of all sessions: far away.
var deadline = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

func encode(v values) []byte {
	data, err := scs.GobCodec{}.Encode(deadline, v)
	if err != nil {
		panic(err) // not for strings
	}
	return data
}

func decode(data []byte) values {
	_, v, err := scs.GobCodec{}.Decode(data)
	if err != nil {
		return values{"undecodable": err.Error()}
	}
	if v == nil {
		v = values{}
	}
	return v
}

// show prints values in order.
func show(v values) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(v)) {
		b.WriteString(key + "=" + v[key].(string) + " ")
	}
	return b.String()
}
