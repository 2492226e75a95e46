package roster

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/scsdynamo/scsdynamo/storage"
)

// EndAll ends all sessions on the roster but those under the kept keys, and refuses those whose login began before.
// When it has returned, none of them is there, nor will be. ended is how many there were. It may be called again where
// it has failed, and goes on then; so does whoever adds a session.
func (r *Roster) EndAll(ctx context.Context, kept []string) (ended int, epoch string, err error) {
	var made head
	err = r.change(ctx, urgent, func(h head) (next head, changed bool, _ error) {
		var stay []sessionJSON
		if len(kept) > 0 {
			all, err := r.sessions(ctx, h)
			if err != nil {
				return head{}, false, err
			}
			stay = slices.DeleteFunc(all, func(s sessionJSON) bool { return !slices.Contains(kept, s.Key) })
		}
		epoch = storage.NewVersion()
		next = head{Epoch: epoch, EndedAt: r.Now().UnixNano(), Ending: h.Ending, record: h.record}
		next.Sessions = stay
		if len(h.Sessions) > 0 || h.Page != "" {
			next.Ending = append(slices.Clone(h.Ending), ending{ID: epoch, list: h.list, Kept: kept})
		}
		made = next
		return next, true, nil
	})
	if err != nil {
		return 0, "", err
	}
	epochs.learn(epoch, true)
	if len(made.Ending) == 0 {
		return 0, epoch, nil
	}
	ended, err = r.endEnding(ctx, made)
	if err != nil {
		return ended, epoch, err
	}
	return ended, epoch, r.forget(ctx, made.Ending)
}

// finish ends what another process has begun to end, which may have died.
func (r *Roster) finish(ctx context.Context, h head) (head, error) {
	_, err := r.endEnding(ctx, h)
	h.Ending = nil
	return h, err
}

// endEnding ends what is being ended, and then removes the pages on which it is. It returns how many sessions there
// were.
func (r *Roster) endEnding(ctx context.Context, h head) (int, error) {
	var ended atomic.Int64
	for _, e := range h.Ending {
		var sessions []sessionJSON
		ids, _, err := r.walkList(ctx, e.list, func(s sessionJSON) bool {
			if !slices.Contains(e.Kept, s.Key) {
				sessions = append(sessions, s)
			}
			return true
		})
		if err != nil {
			return int(ended.Load()), err
		}
		var failed error
		var once sync.Once
		each(len(sessions), func(i int) {
			switch was, err := r.Sessions.End(ctx, sessions[i].entry()); {
			case err != nil:
				once.Do(func() { failed = err })
			case was:
				ended.Add(1)
			}
		})
		if failed != nil {
			return int(ended.Load()), failed
		}
		if err := r.deletePages(ctx, ids); err != nil {
			return int(ended.Load()), err
		}
	}
	return int(ended.Load()), nil
}

// forget takes off the roster what has ended.
func (r *Roster) forget(ctx context.Context, all []ending) error {
	return r.change(ctx, urgent, func(h head) (next head, changed bool, _ error) {
		left := slices.DeleteFunc(slices.Clone(h.Ending), func(e ending) bool {
			return slices.ContainsFunc(all, func(other ending) bool { return other.ID == e.ID })
		})
		changed = len(left) < len(h.Ending)
		h.Ending = left
		return h, changed, nil
	})
}

// each calls a function for 0 to n-1, some at a time. A panic is the caller's.
func each(n int, call func(int)) {
	var wg sync.WaitGroup
	var panicked atomic.Pointer[any]
	next := make(chan int)
	for range min(n, readers) {
		wg.Go(func() {
			for i := range next {
				func() {
					defer func() {
						if p := recover(); p != nil {
							panicked.CompareAndSwap(nil, &p)
						}
					}()
					call(i)
				}()
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	if p := panicked.Load(); p != nil {
		panic(*p)
	}
}
