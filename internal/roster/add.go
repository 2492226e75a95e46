package roster

import (
	"context"
	"errors"
	"slices"
	"time"
)

// The ways in which a session is not added.
var (
	// ErrEnded says that all sessions of the owner were ended after the request began.
	ErrEnded = errors.New("all sessions of the owner were ended while the request was running")
	// ErrLimit says that the owner has as many sessions as may be.
	ErrLimit = errors.New("the owner has as many sessions as may be")
)

// Limit is how many sessions there may be.
type Limit struct {
	Sessions  int  // 0 for any number
	EndOldest bool // the oldest ends for a new one, which is refused otherwise
}

// loginTime is how long a login may take from being added to its commit before another one may take its place under a
// limit. It is then refused.
const loginTime = 30 * time.Second

// Add puts a session on the roster that is about to be committed, or notes that it lives longer. It returns when it was
// added, as the roster has it, which no other Add of the session has; added is whether it was not there before. Where
// it fails, the session must not be committed. Errors: [ErrEnded], [ErrLimit], and the driver's, of which none matches
// [storage.ErrOutcomeUnknown]: a session that was added and is not committed harms nobody.
func (r *Roster) Add(ctx context.Context, e Entry, login Login, limit Limit) (at time.Time, added bool, err error) {
	err = r.change(ctx, polite, func(h head) (next head, changed bool, _ error) {
		if h, err = r.finish(ctx, h); err != nil {
			return head{}, false, err
		}
		next, added, err = r.with(ctx, h, e, login, limit)
		if err == nil {
			at = next.Sessions[0].entry().AddedAt
		}
		return next, true, err
	})
	return at, added, err
}

// Remove takes a session off the roster that is no longer the owner's, or was not committed, unless it was added once
// more than at the instant that [Roster.Add] or [Roster.Find] have returned: that commit may be under way.
func (r *Roster) Remove(ctx context.Context, key string, at time.Time) error {
	return r.change(ctx, polite, func(h head) (next head, changed bool, _ error) {
		is := func(s sessionJSON) bool { return s.Key == key && s.AddedAt == at.UnixMilli() }
		all, err := r.sessions(ctx, h)
		if err != nil || !slices.ContainsFunc(all, is) {
			return h, false, err
		}
		others := func(sessions []sessionJSON) []sessionJSON {
			return slices.DeleteFunc(slices.Clone(sessions), func(s sessionJSON) bool { return s.Key == key })
		}
		if h.Page == "" || slices.ContainsFunc(h.Sessions, is) {
			h.Sessions = others(h.Sessions)
		} else {
			h.list = list{Sessions: others(all)}
		}
		return h, true, nil
	})
}

// with returns the head with the session in front.
func (r *Roster) with(
	ctx context.Context, h head, e Entry, login Login, limit Limit,
) (next head, added bool, err error) {
	var all []sessionJSON // where they are needed
	goesOn := func(s sessionJSON) bool { return s.Key == e.Key || s.Key == login.Replaces }
	known := slices.ContainsFunc(h.Sessions, goesOn)
	if login.Replaces != "" { // its commit is refused unless that lives, which counts already
		limit = Limit{}
	}
	if admitted := login.admits(h); !known && (!admitted || limit.Sessions > 0) {
		if all, err = r.sessions(ctx, h); err != nil {
			return head{}, false, err
		}
		if known = slices.ContainsFunc(all, goesOn); !known && !admitted {
			epochs.learn(h.Epoch, false)
			return head{}, false, ErrEnded
		}
	}
	if !known && limit.Sessions > 0 && len(all) >= limit.Sessions {
		if h.Sessions, err = r.within(ctx, all, limit); err != nil {
			return head{}, false, err
		}
		h.list = list{Sessions: h.Sessions}
	}
	now := r.Now()
	added = true
	is := func(s sessionJSON) bool { return s.Key == e.Key }
	first := toJSON(e)
	if login.Replaces != e.Key {
		first.Of = login.Replaces[:min(len(login.Replaces), replacedBytes)]
	}
	if i := slices.IndexFunc(all, is); i >= 0 {
		added, first.Details = false, all[i].Details
		first.AddedAt = max(first.AddedAt, all[i].AddedAt+1)
	}
	others := make([]sessionJSON, 0, len(h.Sessions))
	for _, s := range h.Sessions {
		if is(s) {
			added, first.Details = false, s.Details
			first.AddedAt = max(first.AddedAt, s.AddedAt+1)
			continue
		}
		if !s.over(now) {
			others = append(others, s)
		}
	}
	h.Sessions = append([]sessionJSON{first}, others...)
	return h, added, nil
}

// within returns the sessions of the roster that are left when there is room for one more.
func (r *Roster) within(ctx context.Context, all []sessionJSON, limit Limit) (left []sessionJSON, _ error) {
	now := r.Now()
	var counted, expired []sessionJSON // the newest first
	live := map[string]bool{}
	counts := map[string]bool{} // by the keys under which they are now: one that has moved is on the roster twice
	for _, s := range all {
		e := s.entry()
		state, key, err := r.Sessions.State(ctx, e)
		if err == nil && state == Pending && now.Sub(e.AddedAt) > loginTime {
			_, err = r.Sessions.End(ctx, e)
			state = Dead
		}
		if err != nil {
			return nil, err
		}
		switch state {
		case Dead:
			continue
		case Expired:
			expired = append(expired, s)
		case Pending, Live:
			if !counts[key] {
				counts[key], live[s.Key] = true, state == Live
				counted = append(counted, s)
			}
		}
		left = append(left, s)
	}
	for i := 0; i < len(counted); { // what is about to take the place of a session that counts, does not
		s := counted[i]
		if slices.ContainsFunc(counted, func(other sessionJSON) bool { return live[other.Key] && s.replaces(other) }) {
			counted = slices.Delete(counted, i, i+1)
		} else {
			i++
		}
	}
	ends := expired[max(0, min(len(expired), limit.Sessions-1-len(counted))):] // they may live by another clock
	switch {
	case len(counted) < limit.Sessions:
	case !limit.EndOldest:
		return nil, ErrLimit
	default:
		ends = append(ends, counted[limit.Sessions-1:]...)
	}
	for len(ends) > 0 { // with what is about to take the place of one that ends, or has just done so
		s := ends[0]
		ends = ends[1:]
		if _, err := r.Sessions.End(ctx, s.entry()); err != nil {
			return nil, err
		}
		left = slices.DeleteFunc(left, func(other sessionJSON) bool {
			if other.replaces(s) {
				ends = append(ends, other)
			}
			return other.Key == s.Key || other.replaces(s)
		})
	}
	return left, nil
}

// sessions returns all sessions of a head that was read.
func (r *Roster) sessions(ctx context.Context, h head) (all []sessionJSON, _ error) {
	err := r.walk(ctx, h, func(s sessionJSON) bool {
		all = append(all, s)
		return true
	})
	return all, err
}
