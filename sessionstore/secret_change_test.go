package sessionstore_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// A commit that finds its session moved to another secret meanwhile, by a process that has the secrets in another
// order, is merged with what that has changed. One that finds it ended is refused.
func TestCommitAfterAMoveToAnotherSecret(t *testing.T) {
	t.Parallel()
	older, newer := storetest.Secret(1), storetest.Secret(2)
	withoutLocks(t, func(t *testing.T, d *hooked, v *visitor) {
		token := newVisitor(t, d, sessionstore.WithSecret(older)).begin(map[string]any{"cart": 1})
		slow := newVisitor(t, d, sessionstore.WithSecret(older, newer))
		other := newVisitor(t, d, sessionstore.WithSecret(newer, older))
		for _, test := range []struct {
			meanwhile http.HandlerFunc
			gone      bool
		}{{other.put("moved"), false}, {other.logout, true}} {
			var told error
			slow.sessions.ErrorFunc = func(_ http.ResponseWriter, _ *http.Request, err error) { told = err }
			answer := slow.own(token, func(w http.ResponseWriter, r *http.Request) {
				slow.put("late")(w, r)
				other.visit(token, test.meanwhile)
			})
			if errors.Is(told, sessionstore.ErrSessionGone) != test.gone || !test.gone && told != nil {
				t.Errorf("gone %v: %v", test.gone, told)
			}
			if test.gone {
				continue
			}
			slow.want("the session", answer.token, "cart late moved")
			// The next session is found under the older secret again.
			token = newVisitor(t, d, sessionstore.WithSecret(older)).begin(map[string]any{"cart": 1})
		}
	})
}

// Who has an old secret, and writes to the table, gets no value of another session into this one by way of a merge.
func TestMergeTakesNothingOfAnotherSession(t *testing.T) {
	t.Parallel()
	older, newer := storetest.Secret(1), storetest.Secret(2)
	d := newHooked()
	v := newVisitor(t, d, sessionstore.WithSecret(newer, older))
	token := v.begin(map[string]any{"user": "victim"})
	answer := v.own(token, func(w http.ResponseWriter, r *http.Request) {
		v.put("ours")(w, r)
		forged := sessionsOf(t, d.Driver)[0]
		data, err := v.sessions.Codec.Encode(inAnHour(), map[string]any{"user": "attacker"})
		if err != nil {
			t.Error(err)
		}
		forged.Version = storage.NewVersion()
		forged.Data = sessionstore.SealFormat1(older, forged.Key, "another token", data)
		if err := d.Driver.Put(t.Context(), forged, storage.Always()); err != nil {
			t.Error(err)
		}
	})
	if answer.status != http.StatusConflict {
		t.Errorf("status %d; want 409", answer.status)
	}
	for _, record := range sessionsOf(t, d.Driver) {
		if _, err := sessionstore.Open(record, token, newer, older); err == nil {
			t.Error("the session opens, with what another one has")
		}
	}
}

// A handler that iterates over sessions under the previous secret may change them: they move.
func TestIterateOverThePreviousSecret(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, _ *visitor) {
		older, newer := storetest.Secret(1), storetest.Secret(2)
		token := newVisitor(t, d, sessionstore.WithSecret(older)).begin(map[string]any{"cart": 1})
		v := newVisitor(t, d, sessionstore.WithSecret(newer, older))
		answer := v.own("", func(_ http.ResponseWriter, r *http.Request) {
			err := v.sessions.Iterate(r.Context(), func(ctx context.Context) error {
				v.sessions.Put(ctx, "seen", true)
				_, _, err := v.sessions.Commit(ctx)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		if answer.status != http.StatusOK {
			t.Errorf("status %d", answer.status)
		}
		newVisitor(t, d, sessionstore.WithSecret(newer)).want("the session", token, "cart seen")
	})
}

// The instant at which a previous secret ends makes no session live longer than it would have.
func TestPreviousSecretLengthensNothing(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	old := newVisitor(t, driver, sessionstore.WithSecret(storetest.Secret(1)))
	token := old.begin(map[string]any{"a": 1})
	both := newVisitor(t, driver, sessionstore.WithSecret(storetest.Secret(2)),
		sessionstore.WithPreviousSecret(storetest.Secret(1), time.Now().Add(100*24*time.Hour)))
	deadlineOf := func(v *visitor) time.Time {
		data, found, err := v.store.FindCtx(t.Context(), token)
		if err != nil || !found {
			t.Fatalf("found %v, %v", found, err)
		}
		deadline, _, err := v.sessions.Codec.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		return deadline
	}
	if was, is := deadlineOf(old), deadlineOf(both); !is.Equal(was) {
		t.Errorf("the deadline is %v; want %v", is, was)
	}
}

// The deadline that is sealed is never before the one that scs has set, and less than a microsecond behind it.
func TestSealedDeadlineIsNotEarly(t *testing.T) {
	t.Parallel()
	secret := storetest.Secret(1)
	for _, nanos := range []int64{0, 1, 999, 1000} {
		driver := memory.New()
		store := newStore(t, driver, sessionstore.WithSecret(secret), sessionstore.WithSecretContext("shop"))
		deadline := time.Unix(inAnHour().Unix(), nanos)
		data, err := scs.GobCodec{}.Encode(deadline, map[string]any{"a": 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.CommitCtx(t.Context(), "token", data, deadline); err != nil {
			t.Fatal(err)
		}
		_, _, _, sealed, err := sessionstore.Unseal(records(t, driver)[0], secret, "application:shop")
		if ahead := time.UnixMicro(sealed).Sub(deadline); err != nil || ahead < 0 || ahead >= time.Microsecond {
			t.Errorf("%d ns: sealed is %v, %v behind the deadline; %v", nanos, time.UnixMicro(sealed), ahead, err)
		}
	}
}

// A request that only reads, and would move its session to another secret, is not told that others have changed, moved
// or ended it meanwhile, and sends no cookie of what has ended.
func TestReaderWhileTheSecretChanges(t *testing.T) {
	t.Parallel()
	older, newer := storetest.Secret(1), storetest.Secret(2)
	for _, strategy := range []string{"optimistic", "merge"} {
		d := newHooked()
		for what, meanwhile := range map[string]func(v *visitor) http.HandlerFunc{
			"moved": func(v *visitor) http.HandlerFunc { return v.put("theirs") },
			"ended": func(v *visitor) http.HandlerFunc { return v.logout },
		} {
			token := newVisitor(t, d, sessionstore.WithSecret(older)).begin(map[string]any{"cart": 1})
			v := newVisitor(t, d, sessionstore.WithSecret(newer, older), sessionstore.WithStrategy(strategies[strategy]()))
			v.sessions.IdleTimeout, v.sessions.Lifetime = time.Hour, 24*time.Hour
			answer := v.own(token, func(http.ResponseWriter, *http.Request) { v.visit(token, meanwhile(v)) })
			if answer.status != http.StatusOK || answer.token != "" && (answer.token != token || what == "ended") {
				t.Errorf("%s, %s: %+v; want 200, and no cookie of what has ended", strategy, what, answer)
			}
			v.want(what, token, map[string]string{"moved": "cart theirs", "ended": "none"}[what])
		}
	}
}
