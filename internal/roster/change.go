package roster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
	"github.com/scsdynamo/scsdynamo/storage"
)

// patience is how a head is written anew that others have changed meanwhile.
type patience struct {
	tries       int
	first, most time.Duration // of the pauses between them
}

var (
	// polite is for logins: of many, each lets others go on.
	polite = patience{64, 5 * time.Millisecond, 80 * time.Millisecond}
	// urgent is for an end of all: it must come through however many log in meanwhile, be it to be in its way.
	urgent = patience{1024, time.Millisecond, 2 * time.Millisecond}
)

// change reads the head, changes it, and writes it if nobody has changed it meanwhile; else it begins anew.
func (r *Roster) change(
	ctx context.Context, patience patience, change func(head) (next head, changed bool, _ error),
) error {
	h, err := r.read(ctx)
	if err != nil {
		return err
	}
	pause := backoff.Backoff{First: patience.first, Limit: patience.most}
	for range patience.tries {
		next, changed, err := change(h)
		if err != nil || !changed {
			return definite(err)
		}
		unused, made, err := r.fit(ctx, &next)
		if err != nil {
			return definite(err)
		}
		_, current, err := r.write(ctx, next)
		switch {
		case err != nil:
			return definite(err)
		case current == nil:
			_ = r.deletePages(ctx, unused) // They expire, too.
			return nil
		}
		_ = r.deletePages(ctx, made) // likewise
		if err := pause.Wait(ctx); err != nil {
			return err
		}
		if h, err = r.headOf(*current); err != nil {
			return err
		}
	}
	return fmt.Errorf("the roster of an owner is changed all the time: %w", storage.ErrUnavailable)
}

// definite returns an error that says nothing of the roster's own outcome: whoever meets it has not stored a session.
func definite(err error) error {
	if errors.Is(err, storage.ErrOutcomeUnknown) {
		return fmt.Errorf("the roster of an owner got no answer: %w", storage.ErrUnavailable)
	}
	return err
}

// fit makes a head small: it drops the dead, moves what has no room in front of the pages, and rewrites the pages when
// they have become five times as many since they were last rewritten, without the dead. unused are pages that are
// needed no more once the head is written, made those that are needed only then.
func (r *Roster) fit(ctx context.Context, h *head) (unused, made []string, err error) {
	if len(h.Sessions) < 2 || h.size() <= headBytes {
		return nil, nil, nil
	}
	newest, others := h.Sessions[:1], h.Sessions[1:]
	if others, err = r.alive(ctx, others); err != nil {
		return nil, nil, err
	}
	h.Sessions = slices.Concat(newest, others)
	if h.size() <= headBytes {
		return nil, nil, nil
	}
	h.Sessions = newest
	if h.Pages <= 4*h.Least+8 && h.sizeOf(others) <= pageBytes {
		made, err = r.writePages(ctx, &h.list, others)
		return nil, made, err
	}
	var old []sessionJSON
	unused, _, err = r.walkList(ctx, list{Page: h.Page, Pages: h.Pages}, func(s sessionJSON) bool {
		old = append(old, s)
		return true
	})
	if err == nil {
		old, err = r.alive(ctx, old)
	}
	if err != nil {
		return nil, nil, err
	}
	h.list = list{Sessions: newest}
	made, err = r.writePages(ctx, &h.list, append(others, old...))
	h.Least = h.Pages
	return unused, made, err
}

// sizeOf is how large sessions are when stored.
func (h head) sizeOf(sessions []sessionJSON) int { return head{list: list{Sessions: sessions}}.size() }

// alive returns the sessions that are not surely dead.
func (r *Roster) alive(ctx context.Context, sessions []sessionJSON) (alive []sessionJSON, _ error) {
	states, err := r.states(ctx, sessions)
	for i, s := range sessions {
		if err == nil && states[i] != Dead {
			alive = append(alive, s)
		}
	}
	return alive, err
}

// writePages stores the sessions in front of the pages of a list, the newest in front.
func (r *Roster) writePages(ctx context.Context, l *list, sessions []sessionJSON) (made []string, err error) {
	for end := len(sessions); end > 0; {
		begin := end - 1
		for size := 0; begin > 0; begin-- {
			if size += (head{}).sizeOf(sessions[begin-1 : begin]); size+(head{}).sizeOf(sessions[end-1:end]) > pageBytes {
				break
			}
		}
		if err := r.writePage(ctx, l, sessions[begin:end]); err != nil {
			return made, err
		}
		made = append(made, l.Page)
		end = begin
	}
	return made, nil
}

// readers bounds how many sessions are looked at at a time.
const readers = 8

// states returns the states of sessions.
func (r *Roster) states(ctx context.Context, sessions []sessionJSON) ([]State, error) {
	states, errs := make([]State, len(sessions)), make([]error, len(sessions))
	each(len(sessions), func(i int) { states[i], _, errs[i] = r.Sessions.State(ctx, sessions[i].entry()) })
	return states, errors.Join(errs...)
}
