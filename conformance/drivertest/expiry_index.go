package drivertest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// expiryIndexCases are about ScanExpired. An index may be behind by seconds, so that what must be there is waited for;
// other records may be in the same backend, and the cases look at their own only.
func expiryIndexCases() []testCase {
	return []testCase{
		{
			id: "D-INDEX-01", name: "FindsExpired", needs: needsExpiryIndex,
			rule: "The shards of an expiry index together have each record that expired an hour before the cutoff, or " +
				"earlier, exactly once, whatever the pages.",
			run: func(p *probe) {
				cutoff, due, _ := p.expiries()
				for _, limit := range []int{0, 1, 7, 1000} {
					p.untilIndexed(cutoff, limit, due, nil)
				}
			},
		},
		{
			id: "D-INDEX-02", name: "LeavesOutLive", needs: needsExpiryIndex,
			rule: "An expiry index has no record, at a cutoff, that lives longer; what it says of one is its expiry or up to " +
				"an hour later, and not after the cutoff.",
			run: func(p *probe) {
				cutoff, due, live := p.expiries()
				p.untilIndexed(cutoff, 0, due, nil) // so that the index is not just behind
				of := byKey(append(due, live...))
				for shard, entries := range p.scanExpired(cutoff, 3) {
					last := time.Time{}
					for _, e := range entries {
						if e.ExpiredBy.Before(last) {
							p.Fatalf("shard %d is not in the order of expiry", shard)
						}
						last = e.ExpiredBy
						r, own := of[e.Key]
						switch late := e.ExpiredBy.Sub(r.ExpiresAt); {
						case e.ExpiredBy.After(cutoff):
							p.Fatalf("an entry says %v, %v after the cutoff", e.ExpiredBy, e.ExpiredBy.Sub(cutoff))
						case own && !r.Expired(cutoff):
							p.Fatalf("a record is there that lives for %v after the cutoff", r.ExpiresAt.Sub(cutoff))
						case own && (late < 0 || late > storage.MaxExpiryCoarseness):
							p.Fatalf("an entry says an instant %v after the expiry", late)
						}
					}
				}
			},
		},
		{
			id: "D-INDEX-03", name: "FollowsWrites", needs: needsExpiryIndex,
			rule: "An expiry index follows the expiry of each record: what is extended or deleted leaves it, what is " +
				"shortened or overwritten with an earlier expiry enters it.",
			run: func(p *probe) {
				cutoff, due, live := p.expiries()
				p.untilIndexed(cutoff, 0, due, nil)
				later := cutoff.Add(48 * time.Hour)
				extended, recommitted, deleted, rest := due[0], due[1], due[2], due[3:]
				p.update(extended.Key, storage.Change{ExpiresAt: later}, storage.Always())
				recommitted.Version, recommitted.ExpiresAt, recommitted.CreatedAt = storage.NewVersion(), later, time.Time{}
				p.put(recommitted, storage.Always())
				p.delete(deleted.Key, storage.Always())
				shortened, overwritten := live[0], live[1]
				p.update(shortened.Key, storage.Change{ExpiresAt: rest[0].ExpiresAt}, storage.Always())
				overwritten.Version, overwritten.ExpiresAt = storage.NewVersion(), rest[0].ExpiresAt
				p.put(overwritten, storage.IfVersion(live[1].Version, p.now))
				p.untilIndexed(cutoff, 0, append(rest, shortened, overwritten), []storage.Record{extended, recommitted, deleted})
			},
		},
		{
			id: "D-INDEX-05", name: "KeepsWhatIsLeased", needs: needsExpiryIndex | needsLeaser,
			rule: "A record stays in the expiry index while it is leased, and when it is released: it is for the condition " +
				"of a delete to spare it.",
			run: func(p *probe) {
				cutoff, due, _ := p.expiries()
				r := p.acquire(due[0].Key, storage.IfFree(p.now))
				p.untilIndexed(cutoff, 0, due, nil)
				p.release(r)
				p.untilIndexed(cutoff, 0, due, nil)
			},
		},
		{
			id: "D-INDEX-06", name: "PositionResumes", needs: needsExpiryIndex,
			rule: "A position is where its shard goes on, also when the record that was looked at last is gone, and with " +
				"another limit and a later cutoff.",
			run: func(p *probe) {
				cutoff, due, _ := p.expiries()
				p.untilIndexed(cutoff, 0, due, nil)
				left := byKey(due)
				for shard := range p.index().ExpiryShards() {
					request := storage.ExpiredRequest{Cutoff: cutoff, Shard: shard, Limit: 1}
					for {
						page := p.expiredPage(request)
						for _, e := range page.Entries {
							if _, own := left[e.Key]; own {
								p.delete(e.Key, storage.Always())
								delete(left, e.Key)
							}
						}
						if page.Next == "" {
							break
						}
						request.Start, request.Limit = page.Next, request.Limit%3+1
						request.Cutoff = request.Cutoff.Add(time.Second)
					}
				}
				if len(left) > 0 {
					p.Fatalf("%d of %d records were not found by a scan that deletes what it has found", len(left), len(due))
				}
			},
		},
		{
			id: "D-INDEX-07", name: "LimitBoundsPage", needs: needsExpiryIndex,
			rule: "A page of an expiry index has no more entries than the limit.",
			run: func(p *probe) {
				cutoff, due, _ := p.expiries()
				p.untilIndexed(cutoff, 0, due, nil)
				for shard := range p.index().ExpiryShards() {
					page := p.expiredPage(storage.ExpiredRequest{Cutoff: cutoff, Shard: shard, Limit: 2})
					if n := len(page.Entries); n > 2 {
						p.Fatalf("a page with a limit of 2 has %d entries", n)
					}
				}
			},
		},
		{
			id: "D-INDEX-08", name: "InvalidRequests", needs: needsExpiryIndex,
			rule: "A request for a shard that there is not, with a negative limit, or from a position that is none is an error.",
			run: func(p *probe) {
				shards := p.index().ExpiryShards()
				for _, request := range []storage.ExpiredRequest{
					{Cutoff: p.now, Shard: -1},
					{Cutoff: p.now, Shard: shards},
					{Cutoff: p.now, Limit: -1},
					{Cutoff: p.now, Start: "\xff no position"},
				} {
					if page, err := p.tryScanExpired(p.ctx, request); err == nil {
						p.Fatalf("shard %d of %d, limit %d, start %q: %d entries and no error",
							request.Shard, shards, request.Limit, request.Start, len(page.Entries))
					}
				}
			},
		},
		{
			id: "D-INDEX-09", name: "EndedContext", needs: needsExpiryIndex,
			rule: "A scan of an expiry index whose context has ended returns an error that matches the context's.",
			run: func(p *probe) {
				ctx, cancel := context.WithCancel(p.ctx)
				cancel()
				if _, err := p.tryScanExpired(ctx, storage.ExpiredRequest{Cutoff: p.now}); !errors.Is(err, context.Canceled) {
					p.Fatalf("the error was %v", err)
				}
			},
		},
	}
}

func (p *probe) index() storage.ExpiryScanner {
	return p.driver.(storage.ExpiryScanner) //nolint:forcetypeassert // The case says that it needs it.
}

// expiries stores records around a cutoff: those that are expired an hour before it, and those that live at it. In
// reality all are live, so that no backend removes them.
func (p *probe) expiries() (cutoff time.Time, due, live []storage.Record) {
	cutoff = p.now.Add(100*time.Hour + 17*time.Minute)
	hour := cutoff.Truncate(time.Hour)
	for i, expiry := range []time.Time{
		cutoff.Add(-storage.MaxExpiryCoarseness), cutoff.Add(-storage.MaxExpiryCoarseness - 1), hour.Add(-time.Hour),
		hour.Add(-time.Hour - 1), hour.Add(-2 * time.Hour), hour.Add(-50 * time.Hour), hour.Add(-50 * time.Hour),
		cutoff.Add(1), cutoff.Add(time.Hour), hour.Add(time.Hour), hour.Add(48 * time.Hour),
		time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	} {
		r := p.record(p.key())
		r.ExpiresAt = expiry
		p.put(r, storage.Always())
		if i < 7 {
			due = append(due, r)
		} else {
			live = append(live, r)
		}
	}
	return cutoff, due, live
}

func (p *probe) tryScanExpired(ctx context.Context, request storage.ExpiredRequest) (storage.ExpiredPage, error) {
	step := p.Begin("ScanExpired(shard %d, limit %d)", request.Shard, request.Limit)
	page, err := p.index().ScanExpired(ctx, request)
	p.done(step, err, nil, "%d entries, %v", len(page.Entries), err)
	return page, err
}

func (p *probe) expiredPage(request storage.ExpiredRequest) storage.ExpiredPage {
	page, err := p.tryScanExpired(p.ctx, request)
	p.noError("ScanExpired", err)
	return page
}

// scanExpired returns the entries of each shard.
func (p *probe) scanExpired(cutoff time.Time, limit int) [][]storage.ExpiryEntry {
	shards := make([][]storage.ExpiryEntry, p.index().ExpiryShards())
	for shard := range shards {
		request := storage.ExpiredRequest{Cutoff: cutoff, Shard: shard, Limit: limit}
		before := map[storage.Position]bool{}
		for {
			page := p.expiredPage(request)
			shards[shard] = append(shards[shard], page.Entries...)
			if page.Next == "" {
				break
			}
			if before[page.Next] {
				p.Fatalf("shard %d comes back to a position where it was before", shard)
			}
			before[page.Next] = true
			request.Start = page.Next
		}
	}
	return shards
}

// untilIndexed waits until the index has, at the cutoff, each of the records in due once, and none of those in gone.
func (p *probe) untilIndexed(cutoff time.Time, limit int, due, gone []storage.Record) {
	lag := cmp.Or(p.options.IndexLag, 10*time.Second)
	deadline := time.Now().Add(lag)
	for {
		wrong := p.indexed(cutoff, limit, due, gone)
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			p.Fatalf("with a limit of %d, after %v: %s", limit, lag, wrong)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-p.ctx.Done():
			p.Fatalf("with a limit of %d: %s", limit, wrong)
		}
	}
}

// indexed says what is wrong with what the index has.
func (p *probe) indexed(cutoff time.Time, limit int, due, gone []storage.Record) string {
	counts := map[string]int{}
	for _, entries := range p.scanExpired(cutoff, limit) {
		for _, e := range entries {
			counts[e.Key]++
		}
	}
	for _, r := range due {
		if n := counts[r.Key]; n != 1 {
			return fmt.Sprintf("a record that expired %v before the cutoff is there %d times", cutoff.Sub(r.ExpiresAt), n)
		}
	}
	for _, r := range gone {
		if counts[r.Key] > 0 {
			return "a record is there that was extended, moved or deleted"
		}
	}
	return ""
}
