package sessionstore_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// A renewal that could not be stored leaves the user what he had, and he can try again.
func TestT3_RefusedRenewalKeepsTheSession(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		for what, status := range map[error]int{
			storage.ErrThrottled:                      http.StatusServiceUnavailable,
			&storage.TooLargeError{Size: 2, Limit: 1}: http.StatusInternalServerError,
			// The old session was not touched, whatever has become of the new one: that is no doubt.
			errors.Join(storage.ErrUnavailable, storage.ErrOutcomeUnknown): http.StatusServiceUnavailable,
		} {
			token := v.begin(map[string]any{"cart": 1})
			d.fail(what)
			answer := v.own(token, v.renew(nil))
			d.fail(nil)
			if answer.status != status || answer.token != "" {
				t.Errorf("%v: status %d, cookie %q; want %d and none", what, answer.status, answer.token, status)
			}
			v.want("the session", token, "cart")
			again := v.own(token, v.renew(nil))
			v.want("the renewed session", again.token, "cart user")
			v.want("the old token", token, "none")
		}
	})
}

// Where the new session was stored, and the old one could not be ended, the new one is taken back.
func TestT3_NeverBoth(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		token := v.begin(map[string]any{"cart": 1})
		d.onPut(func(record storage.Record, _ storage.Condition) error {
			if record.Ended() {
				return storage.ErrThrottled
			}
			return nil
		})
		answer := v.own(token, v.renew(nil))
		d.onPut(nil)
		if answer.status != http.StatusServiceUnavailable || answer.token != "" {
			t.Errorf("status %d, cookie %q; want 503 and none", answer.status, answer.token)
		}
		v.want("the session", token, "cart")
		if n := d.live(t); n != 1 {
			t.Errorf("%d sessions; want one", n)
		}
	})
}

// A session that was logged out is not renewed.
func TestT3_EndedSessionIsNotRenewed(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		token := v.begin(map[string]any{"cart": 1})
		answer := v.own(token, v.renew(func() {
			if out := v.visit(token, v.logout); out.status != http.StatusOK || !out.ended {
				t.Errorf("the logout: %+v", out)
			}
		}))
		if answer.status != http.StatusConflict || answer.token != "" {
			t.Errorf("status %d, cookie %q; want 409 and none", answer.status, answer.token)
		}
		if n := d.live(t); n != 0 {
			t.Errorf("%d sessions; want none: it was logged out", n)
		}
	})
}

// Two renewals at once, as a login that was clicked twice, make one session.
func TestT3_TwoRenewalsMakeOneSession(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]map[string]any{"empty": nil, "cart": {"cart": 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// with one, the second waits for the first: see the burst
			withoutLocks(t, func(t *testing.T, d *hooked, v *visitor) {
				token := v.begin(map[string]any{"x": 1})
				if values == nil {
					v.own(token, func(_ http.ResponseWriter, r *http.Request) { _ = v.sessions.Clear(r.Context()) })
				}
				var inner reply
				outer := v.own(token, v.renew(func() { inner = v.visit(token, v.renew(nil)) }))
				if inner.status != http.StatusOK || outer.status != http.StatusConflict || outer.token != "" {
					t.Errorf("status %d and %d, cookie %q; want 200, then 409 and no cookie", inner.status, outer.status, outer.token)
				}
				if n := d.live(t); n != 1 {
					t.Errorf("%d sessions; want one", n)
				}
			})
		})
	}
}

// What another request has changed meanwhile is kept by Merge, and refused by the others.
func TestT3_RenewalMeetsAChange(t *testing.T) {
	t.Parallel()
	withoutLocks(t, func(t *testing.T, d *hooked, v *visitor) {
		token := v.begin(map[string]any{"cart": 1})
		answer := v.own(token, v.renew(func() { v.visit(token, v.put("theirs")) }))
		if kept := answer.status == http.StatusOK; kept != strings.HasSuffix(t.Name(), "/merge") {
			t.Errorf("status %d", answer.status)
		} else if kept {
			v.want("the renewed session", answer.token, "cart theirs user")
		} else {
			v.want("the session", token, "cart theirs")
		}
		if n := d.live(t); n != 1 {
			t.Errorf("%d sessions; want one", n)
		}
	})
}

// A handler that does not get to its end has renewed nothing.
func TestT3_PanicKeepsTheSession(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		token := v.begin(map[string]any{"cart": 1})
		func() {
			defer func() { _ = recover() }()
			v.own(token, v.renew(func() { panic("somewhere") }))
		}()
		v.want("the session", token, "cart")
		if n := d.live(t); n != 1 {
			t.Errorf("%d sessions; want one", n)
		}
	})
}

// A logout in the request that has renewed ends both.
func TestT3_RenewedAndLoggedOut(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		for _, commits := range []bool{false, true} {
			token := v.begin(map[string]any{"cart": 1})
			answer := v.own(token, func(w http.ResponseWriter, r *http.Request) {
				v.renew(nil)(w, r)
				if commits {
					if _, _, err := v.sessions.Commit(r.Context()); err != nil {
						t.Error(err)
					}
				}
				v.logout(w, r)
			})
			if n := d.live(t); n != 0 || !answer.ended || answer.status != http.StatusOK {
				t.Errorf("%d sessions, %+v; want none, and the cookie taken back", n, answer)
			}
		}
	})
}

// Renewing again and again in one request is renewing once.
func TestT3_RenewedTwiceInARequest(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		for _, commits := range []bool{false, true} {
			token := v.begin(map[string]any{"cart": 1})
			answer := v.own(token, func(w http.ResponseWriter, r *http.Request) {
				v.renew(nil)(w, r)
				if commits {
					if _, _, err := v.sessions.Commit(r.Context()); err != nil {
						t.Error(err)
					}
				}
				v.renew(nil)(w, r)
			})
			v.want("the renewed session", answer.token, "cart user")
			v.want("the old token", token, "none")
			if n := d.live(t); n != 1 {
				t.Errorf("%d sessions; want one", n)
			}
			v.own(answer.token, v.logout)
		}
	})
}

// Without a scope it is as in plain scs: the old session goes at once.
func TestRenewalWithoutAScope(t *testing.T) {
	t.Parallel()
	d := newHooked()
	v := newVisitor(t, d)
	token := v.begin(map[string]any{"cart": 1})
	ctx, err := v.sessions.Load(context.Background(), token)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.sessions.RenewToken(ctx); err != nil {
		t.Fatal(err)
	}
	v.want("the session", token, "none")
	renewed, _, err := v.sessions.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	v.want("the renewed session", renewed, "cart")
}

// A request with the old token begins no session for a while: its cookie would log out who has logged in.
func TestT2_OldTokenBeginsNoSession(t *testing.T) {
	t.Parallel()
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newHooked()
				v := newVisitor(t, d, sessionstore.WithStrategy(strategy()))
				token := v.begin(map[string]any{"cart": 1})
				login := v.own(token, v.renew(nil))
				for range 2 {
					poll := v.own(token, v.put("csrf"))
					if poll.status != http.StatusConflict || poll.token != "" {
						t.Errorf("a poll with the old token: status %d, cookie %q; want 409 and none", poll.status, poll.token)
					}
				}
				if read := v.own(token, nothing); read.status != http.StatusOK || read.token != "" || read.ended {
					t.Errorf("a request that only reads: %+v; want 200 and no cookie", read)
				}
				v.want("the renewed session", login.token, "cart user")

				time.Sleep(10 * time.Second) // as documented
				if poll := v.own(token, v.put("csrf")); poll.status != http.StatusOK || poll.token == "" {
					t.Errorf("after the grace: status %d, cookie %q; want a new session", poll.status, poll.token)
				}
			})
		})
	}
}

// Who logs out with the old token, while the login is being answered, is logged out.
func TestI3_LogoutWithTheOldToken(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		token := v.begin(map[string]any{"cart": 1})
		login := v.own(token, v.renew(nil))
		again := v.own(login.token, v.renew(nil))
		out := v.own(token, v.logout)
		if out.status != http.StatusOK || !out.ended {
			t.Errorf("the logout: %+v", out)
		}
		v.want("the session that it was renewed to", again.token, "none")
		if n := d.live(t); n != 0 {
			t.Errorf("%d sessions; want none", n)
		}
	})
}

// A burst of requests that all renew logs nobody out, in whichever order the browser gets the answers.
func TestT3_BurstOfRenewals(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		token := v.begin(map[string]any{"user": 1})
		answers := make(chan reply, 8)
		for range cap(answers) {
			go func() { answers <- v.own(token, v.renew(nil)) }()
		}
		tokens := map[string]bool{}
		for range cap(answers) {
			answer := <-answers
			switch {
			case answer.status == http.StatusOK && answer.token != "":
				tokens[answer.token] = true
			case answer.status != http.StatusConflict || answer.token != "" || answer.ended:
				t.Errorf("%d %q, cookie %q; want 200 with one, or 409 without", answer.status, answer.body, answer.token)
			}
		}
		if len(tokens) != 1 {
			t.Fatalf("%d requests have renewed; want one", len(tokens))
		}
		for token := range maps.Keys(tokens) {
			v.want("the session", token, "user")
		}
	})
}

// MergeSession takes in another session, or leaves both as they were.
func TestT3_MergeSession(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		merge := func(other string, between func()) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				if err := v.sessions.MergeSession(r.Context(), other); err != nil {
					t.Errorf("MergeSession: %v", err)
				}
				if between != nil {
					between()
				}
			}
		}
		own, other := v.begin(map[string]any{"own": 1}), v.begin(map[string]any{"other": 1})
		if answer := v.own(own, merge(other, nil)); answer.status != http.StatusOK {
			t.Errorf("status %d", answer.status)
		}
		v.want("the session", own, "other own")
		v.want("the one that was merged", other, "none")

		for what, between := range map[string]func(other string){
			"logged out": func(other string) { v.visit(other, v.logout) },
			"changed":    func(other string) { v.own(other, v.put("late")) },
			"throttled":  func(string) { d.fail(storage.ErrThrottled) },
			"the end throttled": func(string) {
				d.onPut(func(record storage.Record, _ storage.Condition) error {
					if record.Ended() {
						return storage.ErrThrottled
					}
					return nil
				})
			},
		} {
			own, other := v.begin(map[string]any{"own": 1}), v.begin(map[string]any{"other": 1})
			answer := v.own(own, merge(other, func() { between(other) }))
			d.onPut(nil)
			if answer.status != http.StatusConflict && answer.status != http.StatusServiceUnavailable {
				t.Errorf("%s: status %d; want a refusal", what, answer.status)
			}
			v.want(what+": the session", own, "own")
			left := map[string]string{"logged out": "none", "changed": "late other"}[what]
			if left == "" {
				left = "other"
			}
			v.want(what+": the other one", other, left)
		}
	})
}

// A renewal of which it is not known whether it has ended the old session is told so.
func TestT1_UnknownRenewal(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		token := v.begin(map[string]any{"cart": 1})
		d.onPut(func(record storage.Record, _ storage.Condition) error {
			if record.Ended() {
				return storage.ErrOutcomeUnknown
			}
			return nil
		})
		answer := v.own(token, v.renew(nil))
		if answer.status != http.StatusInternalServerError || answer.token != "" {
			t.Errorf("status %d, cookie %q; want 500 and none", answer.status, answer.token)
		}
	})
}

// With a strategy that wraps another, as for measurements, renewing works as well.
func TestRenewalIsFoundThroughAWrappedStore(t *testing.T) {
	t.Parallel()
	d := newHooked()
	v := newVisitor(t, d, sessionstore.WithStrategy(lockstrategy.Merge(nil)))
	v.sessions.Store = wrapped{v.store}
	token := v.begin(map[string]any{"cart": 1})
	d.fail(storage.ErrThrottled)
	answer := v.own(token, v.renew(nil))
	d.fail(nil)
	if answer.status != http.StatusServiceUnavailable {
		t.Errorf("status %d; want 503", answer.status)
	}
	v.want("the session", token, "cart")
}

type wrapped struct{ *sessionstore.Store }

func (w wrapped) DeleteCtx(ctx context.Context, token string) error {
	return w.Store.DeleteCtx(ctx, token)
}

// A logout ends the session also where other requests have moved it to the key of a new secret, and renewed it there.
func TestI3_LogoutFollowsAMoveAndARenewal(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	old, secret := storetest.Secret(1), storetest.Secret(2)
	v := newVisitor(t, driver, sessionstore.WithSecret(old))
	token, renewed := v.begin(map[string]any{"cart": 1}), ""
	v.store = newStore(t, driver, sessionstore.WithSecret(secret, old))
	v.sessions.Store = v.store
	v.visit(token, func(w http.ResponseWriter, r *http.Request) {
		v.visit(token, v.put("moved"))
		renewed = v.visit(token, v.renew(nil)).token
		v.want("the renewed session", renewed, "cart moved user")
		v.logout(w, r)
	})
	v.want("the renewed session", renewed, "none")
	v.want("the session", token, "none")
}
