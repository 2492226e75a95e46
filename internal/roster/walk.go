package roster

import (
	"context"
	"iter"
	"time"
)

// All returns the sessions on the roster, the newest first, each once, also those that have ended, and behind them
// those that are being ended. What was added before is on it, whatever happens meanwhile, unless it was ended.
func (r *Roster) All(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		h, err := r.read(ctx)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		seen, goesOn := map[string]bool{}, true
		show := func(s sessionJSON) bool {
			if goesOn && !seen[s.Key] {
				seen[s.Key] = true
				goesOn = yield(s.entry(), nil)
			}
			return goesOn
		}
		err = r.walk(ctx, h, show)
		for i := len(h.Ending) - 1; i >= 0 && err == nil && goesOn; i-- {
			_, _, err = r.walkList(ctx, h.Ending[i].list, show) // where a page is gone, all of them have ended
		}
		if err != nil {
			yield(Entry{}, err)
		}
	}
}

// Find returns the entry of a session.
func (r *Roster) Find(ctx context.Context, key string) (e Entry, found bool, err error) {
	h, err := r.read(ctx)
	if err != nil {
		return Entry{}, false, err
	}
	err = r.walk(ctx, h, func(s sessionJSON) bool {
		if found = s.Key == key; found {
			e = s.entry()
		}
		return !found
	})
	return e, found, err
}

// Epoch names the time since all sessions were last ended. It is empty where they never were.
func (r *Roster) Epoch(ctx context.Context) (string, error) {
	h, err := r.read(ctx)
	return h.Epoch, err
}

// Expiry returns when the head expires, the zero time where there is none.
func (r *Roster) Expiry(ctx context.Context) (time.Time, error) {
	h, err := r.read(ctx)
	return h.record.ExpiresAt, err
}

// walk visits the sessions of a head that was read. Where a page has gone meanwhile, it goes on with what the head is
// then.
func (r *Roster) walk(ctx context.Context, h head, visit func(sessionJSON) bool) error {
	seen := map[string]bool{}
	for {
		_, gone, err := r.walkList(ctx, h.list, func(s sessionJSON) bool {
			if seen[s.Key] {
				return true
			}
			seen[s.Key] = true
			return visit(s)
		})
		if err != nil || !gone {
			return err
		}
		now, err := r.read(ctx)
		if err != nil || now.Page == h.Page { // it has expired
			return err
		}
		h = now
	}
}

// walkList visits the sessions of a list. ids are the pages that it has read, and gone is whether one was not there.
func (r *Roster) walkList(
	ctx context.Context, l list, visit func(sessionJSON) bool,
) (ids []string, gone bool, _ error) {
	sessions, next := l.Sessions, l.Page
	for pages := l.Pages; ; pages-- {
		for _, s := range sessions {
			if !visit(s) {
				return ids, false, nil
			}
		}
		if next == "" || pages == 0 {
			return ids, false, nil
		}
		p, found, err := r.page(ctx, next)
		if err != nil || !found {
			return ids, true, err
		}
		ids = append(ids, next)
		sessions, next = p.Sessions, p.Page
	}
}
