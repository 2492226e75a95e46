package roster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/storage"
)

// How much a record holds, in bytes of JSON.
const (
	// headBytes is how much of a head leaves it within 1 KB, which is one write unit on DynamoDB, with a seal, the
	// longest usual key, and the attributes beside it.
	headBytes = 640
	// pageBytes is as much of a page that is rewritten: 4 KB are one read unit.
	pageBytes = 3600
)

// head is what the record under the roster's key holds.
type head struct {
	Epoch   string `json:"epoch,omitempty"` // drawn each time that all sessions are ended
	EndedAt int64  `json:"ended_at,omitempty"`
	list
	Ending []ending `json:"ending,omitempty"`

	record storage.Record // as it was read; without a version where there is none
}

// list is a list of sessions, the newest first.
type list struct {
	Sessions []sessionJSON `json:"sessions,omitempty"`
	Page     string        `json:"page,omitempty"`  // the newest page, empty for none
	Pages    int           `json:"pages,omitempty"` // how many there are
	Least    int           `json:"least,omitempty"` // how many there were when they were last rewritten
	Deep     int64         `json:"deep,omitempty"`  // when the last session on the pages ends
}

// ending is what is being ended: all that were on the roster, but for those that are kept.
type ending struct {
	ID string `json:"id"`
	list
	Kept []string `json:"kept,omitempty"`
}

// page is what the record of a page holds.
type page struct {
	Sessions []sessionJSON `json:"sessions"`
	Page     string        `json:"page,omitempty"` // the next older one
}

type sessionJSON struct {
	Key     string `json:"key"`
	AddedAt int64  `json:"at"`
	Until   int64  `json:"until"`
	// Of is the beginning of the key of the session that it replaces: they count as one.
	Of      string            `json:"of,omitempty"`
	Details map[string]string `json:"details,omitempty"`
}

// replacedBytes is how much of a key tells the sessions of one owner apart.
const replacedBytes = 10

// replaces reports whether the session takes the place of the other one.
func (s sessionJSON) replaces(other sessionJSON) bool {
	return s.Of != "" && strings.HasPrefix(other.Key, s.Of)
}

func toJSON(e Entry) sessionJSON {
	return sessionJSON{
		Key: e.Key, AddedAt: e.AddedAt.UnixMilli(), Until: ceil(e.Until),
		Details: e.Details,
	}
}

// ceil is the second at which an instant has surely come.
func ceil(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

func (s sessionJSON) entry() Entry {
	return Entry{
		Key: s.Key, AddedAt: time.UnixMilli(s.AddedAt), Until: time.Unix(s.Until, 0),
		Details: s.Details,
	}
}

// clocks is by how much clocks may be wrong before a session is dropped that lives.
const clocks = time.Hour

// over reports whether the session has ended by whichever clock.
func (s sessionJSON) over(now time.Time) bool { return !now.Before(time.Unix(s.Until, 0).Add(clocks)) }

// size returns how large the head is when stored.
func (h head) size() int {
	plain, _ := json.Marshal(h) //nolint:errchkjson // It has nothing that does not marshal.
	return len(plain)
}

// expiry returns when nothing of the head is needed any more.
func (h head) expiry(now time.Time) time.Time {
	until := now.Add(time.Minute)
	later := func(t time.Time) {
		if t.After(until) {
			until = t
		}
	}
	if h.Epoch != "" {
		later(time.Unix(0, h.EndedAt).Add(ended.TombstoneTime))
	}
	lists := []list{h.list}
	for _, e := range h.Ending {
		lists = append(lists, e.list)
	}
	for _, l := range lists {
		if l.Page != "" {
			later(time.Unix(l.Deep, 0).Add(clocks))
		}
		for _, s := range l.Sessions {
			later(time.Unix(s.Until, 0).Add(clocks))
		}
	}
	return until
}

// read returns the head; an empty one where there is none.
func (r *Roster) read(ctx context.Context) (h head, err error) {
	record, found, err := r.Driver.Get(ctx, r.Key, storage.Strong)
	if err != nil || !found {
		return head{}, err
	}
	return r.headOf(record)
}

func (r *Roster) headOf(record storage.Record) (h head, err error) {
	if record.Expired(r.Now()) {
		return head{}, nil
	}
	if err := r.decode(record, &h); err != nil {
		return head{}, err
	}
	h.record = record
	return h, nil
}

// write stores the head in place of the one that was read. current is what was found instead.
func (r *Roster) write(ctx context.Context, h head) (written head, current *storage.Record, err error) {
	now := r.Now()
	next := storage.Record{
		Key: r.Key, UpdatedAt: now, ExpiresAt: h.expiry(now), Version: storage.NewVersion(),
	}
	condition := storage.IfAbsent(now)
	if seen := h.record; seen.Version != "" {
		condition = storage.IfVersion(seen.Version, now)
		next.CreatedAt = seen.CreatedAt
		next.Succeed(seen)
	}
	if next.Data, err = r.encode(r.Key, h); err != nil {
		return head{}, nil, err
	}
	err = r.Driver.Put(ctx, next, condition)
	var conflict *storage.ConflictError
	if errors.As(err, &conflict) && !errors.Is(err, storage.ErrOutcomeUnknown) {
		if conflict.Current == nil {
			return head{}, &storage.Record{}, nil
		}
		return head{}, conflict.Current, nil
	}
	h.record = next
	return h, nil, err
}

// page reads a page. Where it is gone, another process has rewritten the pages, or its sessions have expired.
func (r *Roster) page(ctx context.Context, id string) (p page, found bool, err error) {
	record, found, err := r.Driver.Get(ctx, r.pageKey(id), storage.Strong)
	if err != nil || !found || record.Expired(r.Now()) {
		return page{}, false, err
	}
	return p, true, r.decode(record, &p)
}

// writePage stores a page in front of the others of a list. It expires when the last session on it and on those behind
// it does.
func (r *Roster) writePage(ctx context.Context, l *list, sessions []sessionJSON) error {
	id := storage.NewVersion()[:pageIDBytes]
	for _, s := range sessions {
		l.Deep = max(l.Deep, s.Until)
	}
	now := r.Now()
	record := storage.Record{
		Key: r.pageKey(id), UpdatedAt: now, ExpiresAt: time.Unix(l.Deep, 0).Add(clocks),
		Version: storage.NewVersion(),
	}
	if record.Ended() {
		return nil // all of it is over
	}
	var err error
	if record.Data, err = r.encode(record.Key, page{Sessions: sessions, Page: l.Page}); err != nil {
		return err
	}
	if err := r.Driver.Put(ctx, record, storage.IfAbsent(now)); err != nil {
		return err
	}
	l.Page = id
	l.Pages++
	return nil
}

// pageIDBytes is how much of a random text names a page: 60 bits.
const pageIDBytes = 12

// pageKey returns the key of a page. No head has such a one, whatever its owner is called: the name of no index begins
// with a dot, and neither does what a secret makes.
func (r *Roster) pageKey(id string) string {
	return Prefix + "." + id + ":" + strings.TrimPrefix(r.Key, Prefix)
}

// deletePages removes pages that are needed no more, the last one first: where that fails, those that are left are
// found once more. Each is a call of its own: who writes sessions needs no right to delete many.
func (r *Roster) deletePages(ctx context.Context, ids []string) error {
	for _, id := range slices.Backward(ids) {
		if err := r.Driver.Delete(ctx, r.pageKey(id), storage.Always()); err != nil {
			return err
		}
	}
	return nil
}

func (r *Roster) encode(key string, v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return r.Seal(key, plain)
}

func (r *Roster) decode(record storage.Record, v any) error {
	plain, err := r.Open(record)
	if err == nil {
		err = json.Unmarshal(plain, v)
	}
	if err != nil {
		return fmt.Errorf("the roster of an owner: %w", corrupt(err))
	}
	return nil
}

func corrupt(err error) error {
	if errors.Is(err, storage.ErrCorrupt) {
		return err
	}
	return &storage.CorruptError{Part: "data", Problem: "is no roster"}
}
