package sessionstore_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/scsdynamo/scsdynamo/storage"
)

// After a MergeSession that was refused, the same request can still end the other session.
func TestLogoutAfterARefusedMergeSession(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		own, other := v.begin(map[string]any{"own": 1}), v.begin(map[string]any{"other": 1})
		v.own(own, func(_ http.ResponseWriter, r *http.Request) {
			if err := v.sessions.MergeSession(r.Context(), other); err != nil {
				t.Error(err)
			}
			d.onPut(func(record storage.Record, _ storage.Condition) error {
				if record.Ended() {
					return storage.ErrThrottled
				}
				return nil
			})
			if _, _, err := v.sessions.Commit(r.Context()); !errors.Is(err, storage.ErrThrottled) {
				t.Errorf("the merge: %v; want ErrThrottled", err)
			}
			d.onPut(nil)
			if err := v.store.DeleteCtx(r.Context(), other); err != nil {
				t.Error(err)
			}
			v.want("the other session", other, "none")
		})
	})
}

// A visitor without a session who merges another one has begun none where that is refused, and is told what is so.
func TestRefusedMergeIntoANewSession(t *testing.T) {
	t.Parallel()
	for undone, want := range map[bool]int{true: http.StatusServiceUnavailable, false: http.StatusInternalServerError} {
		everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
			other := v.begin(map[string]any{"other": 1})
			answer := v.own("", func(_ http.ResponseWriter, r *http.Request) {
				if err := v.sessions.MergeSession(r.Context(), other); err != nil {
					t.Error(err)
				}
				d.onPut(func(record storage.Record, _ storage.Condition) error {
					if record.Ended() && (record.Key == other || !undone) {
						return storage.ErrThrottled
					}
					return nil
				})
			})
			d.onPut(nil)
			if answer.status != want || answer.token != "" {
				t.Errorf("taken back %v: %+v; want %d and no cookie", undone, answer, want)
			}
			v.want("the other session", other, "other")
			if n := d.live(t); undone && n != 1 {
				t.Errorf("%d sessions; want the other one alone", n)
			}
		})
	}
}
