package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/tap"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// What a handler does after a RenewToken, by what it is. others is the token of another session, which has the value
// "other".
var afterRenewal = map[string]func(v *visitor, ctx context.Context, own, other string) error{
	"nothing":      func(*visitor, context.Context, string, string) error { return nil },
	"renews again": func(v *visitor, ctx context.Context, _, _ string) error { return v.sessions.RenewToken(ctx) },
	"deletes another": func(v *visitor, ctx context.Context, _,
		other string,
	) error {
		return v.store.DeleteCtx(ctx, other)
	},
	"deletes an unknown": func(v *visitor, ctx context.Context, _,
		_ string,
	) error {
		return v.store.DeleteCtx(ctx, "unknown")
	},
	"deletes the new token": func(v *visitor, ctx context.Context, _, _ string) error {
		return v.store.DeleteCtx(ctx, v.sessions.Token(ctx))
	},
	"ends others": func(v *visitor, ctx context.Context, _, _ string) error {
		return v.iterateOthers(ctx, func(ctx context.Context) error { return v.sessions.Destroy(ctx) })
	},
	"renews others": func(v *visitor, ctx context.Context, _, _ string) error {
		return v.iterateOthers(ctx, func(ctx context.Context) error {
			if err := v.sessions.RenewToken(ctx); err != nil {
				return err
			}
			_, _, err := v.sessions.Commit(ctx)
			return err
		})
	},
	"renews and ends others": func(v *visitor, ctx context.Context, _, _ string) error {
		return v.iterateOthers(ctx, func(ctx context.Context) error {
			return errors.Join(v.sessions.RenewToken(ctx), v.sessions.Destroy(ctx))
		})
	},
}

// iterateOthers calls f for the sessions that have the value "other".
func (v *visitor) iterateOthers(ctx context.Context, f func(context.Context) error) error {
	return v.sessions.Iterate(ctx, func(ctx context.Context) error {
		if !v.sessions.Exists(ctx, "other") {
			return nil
		}
		return f(ctx)
	})
}

// Whatever else a handler does after a RenewToken, the renewal is one step: with the commit, and not before.
func TestT3_RenewalAndMore(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		for what, more := range afterRenewal {
			for event, happens := range map[string]func(token string){
				"nothing":   func(string) {},
				"panic":     func(string) { panic("somewhere") },
				"refused":   func(string) { d.fail(storage.ErrThrottled) },
				"logout":    func(token string) { v.visit(token, v.logout) },
				"too late":  nil, // a request with the old token, when all is over
				"in doubt":  func(string) { d.fail(errors.Join(storage.ErrUnavailable, storage.ErrOutcomeUnknown)) },
				"too large": func(string) { d.fail(&storage.TooLargeError{Size: 2, Limit: 1}) },
			} {
				token, other := v.begin(map[string]any{"cart": 1}), v.begin(map[string]any{"other": 1})
				before := d.live(t)
				var answer reply
				func() {
					defer func() { _ = recover() }()
					answer = v.own(token, func(w http.ResponseWriter, r *http.Request) {
						v.renew(nil)(w, r)
						if err := more(v, r.Context(), token, other); err != nil {
							t.Errorf("%s: %v", what, err)
						}
						if happens != nil {
							happens(token)
						}
					})
				}()
				d.onPut(nil)
				name := what + ", " + event
				kept := 1
				switch event {
				case "nothing", "too late":
					if answer.status != http.StatusOK {
						t.Errorf("%s: status %d", name, answer.status)
					}
					v.want(name+": the renewed session", answer.token, "cart user")
					v.want(name+": the old token", token, "none")
					if late := v.visit(token, v.put("late")); event == "too late" &&
						(late.status != http.StatusConflict || late.token != "") {
						t.Errorf("%s: a request with the old token: %+v; want 409", name, late)
					}
				case "logout":
					if answer.status != http.StatusConflict || answer.token != "" {
						t.Errorf("%s: %+v; want 409 and no cookie", name, answer)
					}
					kept = 0
				default:
					if answer.token != "" {
						t.Errorf("%s: a cookie: %+v", name, answer)
					}
					v.want(name+": the session", token, "cart")
				}
				others := 1
				if strings.Contains(what, "ends others") || what == "deletes another" {
					others = 0
				}
				if n := d.live(t); n != before-2+kept+others {
					t.Errorf("%s: %d sessions; want %d", name, n, before-2+kept+others)
				}
				d.clear(t)
			}
		}
	})
}

// Where the application deletes the old token by hand, as to be on the safe side, it ends with the renewal, and also
// where none comes.
func TestT3_OldTokenDeletedByHand(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		for _, panics := range []bool{false, true} {
			token := v.begin(map[string]any{"cart": 1})
			var answer reply
			func() {
				defer func() { _ = recover() }()
				answer = v.own(token, func(w http.ResponseWriter, r *http.Request) {
					v.renew(nil)(w, r)
					if err := v.store.DeleteCtx(r.Context(), token); err != nil {
						t.Error(err)
					}
					if panics {
						panic("somewhere")
					}
				})
			}()
			v.want("the old token", token, "none")
			if panics {
				if n := d.live(t); n != 0 {
					t.Errorf("%d sessions; want none: it was deleted", n)
				}
				continue
			}
			v.want("the renewed session", answer.token, "cart user")
			v.own(answer.token, v.logout)
		}
	})
}

// Of several sessions that are renewed in one scope, none gets the values of another.
func TestT3_SeveralRenewalsInAScope(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		a, b := v.begin(map[string]any{"a": 1}), v.begin(map[string]any{"b": 1})
		scoped, end := v.store.Begin(t.Context())
		contexts := map[string]context.Context{}
		for _, token := range []string{a, b} {
			ctx, err := v.sessions.Load(scoped, token)
			if err == nil {
				err = v.sessions.RenewToken(ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			contexts[token] = ctx
		}
		for _, ctx := range contexts {
			if _, _, err := v.sessions.Commit(ctx); err == nil || !strings.Contains(err.Error(), "commit each") {
				t.Errorf("got %v; want what to do", err)
			}
		}
		end()
		v.want("a", a, "a")
		v.want("b", b, "b")
		if n := d.live(t); n != 2 {
			t.Errorf("%d sessions; want two", n)
		}
		scoped, end = v.store.Begin(t.Context())
		defer end()
		for _, token := range []string{a, b} { // one after the other
			ctx, err := v.sessions.Load(scoped, token)
			if err == nil {
				err = v.sessions.RenewToken(ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			renewed, _, err := v.sessions.Commit(ctx)
			if err != nil {
				t.Fatal(err)
			}
			v.want("the renewed session", renewed, map[string]string{a: "a", b: "b"}[token])
			v.want("the old token", token, "none")
		}
	})
}

// A session that was renewed in a request which is refused afterwards is not lost: its cookie comes with the error.
func TestT2_ErrorAfterARenewalHasTheCookie(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		token := v.begin(map[string]any{"cart": 1})
		answer := v.own(token, func(w http.ResponseWriter, r *http.Request) {
			v.renew(nil)(w, r)
			if _, _, err := v.sessions.Commit(r.Context()); err != nil {
				t.Error(err)
			}
			v.sessions.Put(r.Context(), "more", true)
			d.fail(storage.ErrThrottled)
		})
		d.fail(nil)
		if answer.status != http.StatusServiceUnavailable || answer.token == "" {
			t.Fatalf("%+v; want 503 and the cookie of what was stored", answer)
		}
		v.want("the session", answer.token, "cart user")
	})
}

// A login that renews the token and takes in another session is refused as a whole, where that one is not as it was:
// the user has what he had, under the new token.
func TestT3_RenewedAndMerged(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]sessionstore.Option{
		"plain": nil, "sealed": {sessionstore.WithSecret(storetest.Secret(1))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for strategy, newStrategy := range strategies {
				d := newHooked()
				v := newVisitor(t, d, append(slices.Clone(options), sessionstore.WithStrategy(newStrategy()))...)
				for what, between := range map[string]func(first, second string){
					"changed":    func(_, second string) { v.own(second, v.put("late")) },
					"logged out": func(_, second string) { v.own(second, v.logout) },
					"the first":  func(first, _ string) { v.own(first, v.put("late")) },
				} {
					own := v.begin(map[string]any{"own": 1})
					first, second := v.begin(map[string]any{"first": 1}), v.begin(map[string]any{"second": 1})
					answer := v.own(own, func(w http.ResponseWriter, r *http.Request) {
						v.renew(nil)(w, r)
						for _, other := range []string{first, second} {
							if err := v.sessions.MergeSession(r.Context(), other); err != nil {
								t.Error(err)
							}
						}
						between(first, second)
					})
					what = fmt.Sprintf("%s, %s", strategy, what)
					if answer.status != http.StatusConflict || answer.token == "" {
						t.Errorf("%s: %+v; want 409 and the cookie", what, answer)
						continue
					}
					v.want(what+": the session", answer.token, "own")
					left := map[string]string{first: "first", second: "second"}
					for _, token := range slices.Sorted(maps.Keys(left)) {
						want := left[token]
						switch {
						case strings.HasSuffix(what, "logged out") && token == second:
							want = "none"
						case strings.HasSuffix(what, "changed") && token == second, strings.HasSuffix(what, "the first") &&
							token == first:
							want = strings.Join(slices.Sorted(slices.Values([]string{"late", want})), " ")
						}
						v.want(what+": another session", token, want)
					}
				}
			}
		})
	}
}

// A logout after a MergeSession ends what was merged, too.
func TestI3_MergedAndLoggedOut(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		own, other := v.begin(map[string]any{"own": 1}), v.begin(map[string]any{"other": 1})
		answer := v.own(own, func(w http.ResponseWriter, r *http.Request) {
			if err := v.sessions.MergeSession(r.Context(), other); err != nil {
				t.Error(err)
			}
			v.logout(w, r)
		})
		if n := d.live(t); n != 0 || !answer.ended {
			t.Errorf("%d sessions, %+v; want none", n, answer)
		}
	})
}

// A session that is deleted without having been read stays deleted, although the write that has made it arrives once
// more.
func TestI2_UnreadSessionStaysDeleted(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		for _, scoped := range []bool{false, true} {
			var created storage.Record
			var condition storage.Condition
			d.onPut(func(r storage.Record, c storage.Condition) error { created, condition = r, c; return nil })
			token := v.begin(map[string]any{"cart": 1})
			d.onPut(nil)
			ctx, end := t.Context(), func() {}
			if scoped {
				ctx, end = v.store.Begin(ctx)
			}
			if err := v.store.DeleteCtx(ctx, token); err != nil {
				t.Error(err)
			}
			end()
			if err := d.Driver.Put(t.Context(), created, condition); !errors.Is(err, storage.ErrConflict) {
				t.Errorf("the late create: %v; want a conflict", err)
			}
			v.want("the session", token, "none")
		}
	})
}

// A script that deletes the old token of a session leaves the renewed one alone.
func TestT3_OldTokenDeletedLater(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, _ *hooked, v *visitor) {
		token := v.begin(map[string]any{"cart": 1})
		renewed := v.own(token, v.renew(nil)).token
		if err := v.store.Delete(token); err != nil {
			t.Error(err)
		}
		v.want("the renewed session", renewed, "cart user")
		if late := v.visit(token, v.put("late")); late.status != http.StatusConflict {
			t.Errorf("a request with the old token: %+v; want 409", late)
		}
	})
}

// The old token of one manager's session means nothing to another manager, whose cookie has another name.
func TestManagersDoNotEndEachOthersSuccessors(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		admin := &visitor{t: t, store: v.store, sessions: scs.New()}
		admin.sessions.Store, admin.sessions.Cookie.Name = v.store, "admin"
		token := v.begin(map[string]any{"cart": 1})
		renewed := v.own(token, v.renew(nil)).token
		admin.own(token, admin.logout)
		v.want("the user's session", renewed, "cart user")
		if answer := admin.own(token, admin.put("own")); answer.status != http.StatusOK || answer.token == "" {
			t.Errorf("an unknown token: %+v; want a session of its own", answer)
		}
	})
}

// A session that others move from one secret to another and back, while it is looked for, is found.
func TestSecretChangeHidesNoSession(t *testing.T) {
	t.Parallel()
	for name, newStrategy := range strategies {
		for what, request := range map[string]func(v *visitor, token string) bool{
			"read": func(v *visitor, token string) (ok bool) {
				v.visit(token, func(_ http.ResponseWriter, r *http.Request) { ok = v.sessions.Exists(r.Context(), "cart") })
				return ok
			},
			"look up": func(v *visitor, token string) bool { return v.keys(token) != "none" },
			"log out": func(v *visitor, token string) bool {
				return v.own(token, v.logout).ended && v.keys(token) == "none"
			},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				d := newHooked()
				process := func(driver storage.Driver, secrets ...[]byte) *visitor {
					return newVisitor(t, driver, sessionstore.WithStrategy(newStrategy()),
						sessionstore.WithSecret(secrets[0], secrets[1:]...))
				}
				one, two := storetest.Secret(1), storetest.Secret(2)
				toOne, toTwo := process(d, one, two), process(d, two, one)
				token := toTwo.begin(map[string]any{"cart": 1})
				reads := 0
				moving := &tap.Driver{Driver: d, Around: func(ctx context.Context, call tap.Call,
					next func(context.Context) error,
				) error {
					if call.Method == "Get" {
						switch reads++; reads {
						case 2:
							toOne.visit(token, toOne.put("moved"))
						case 3:
							toTwo.visit(token, toTwo.put("moved again"))
						}
					}
					return next(ctx)
				}}
				if !request(process(moving, one, two), token) {
					t.Errorf("the session was not found, after %d reads", reads)
				}
			})
		}
	}
}

// While the secret is being changed, a request that only reads moves the session, and is in the way of none that
// writes.
func TestSecretChangeReadersAreInNobodysWay(t *testing.T) {
	t.Parallel()
	one, two := storetest.Secret(1), storetest.Secret(2)
	for name, newStrategy := range strategies {
		if name == "lease" { // with which a writer is alone
			continue
		}
		for what, secrets := range map[string][2][2][]byte{
			"at the end of the change": {{two, one}, {two, one}}, "during a roll": {{one, two}, {two, one}},
		} {
			for _, renews := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, renews %v", name, what, renews), func(t *testing.T) {
					t.Parallel()
					d := newHooked()
					process := func(secrets ...[]byte) *visitor {
						v := newVisitor(t, d, sessionstore.WithStrategy(newStrategy()),
							sessionstore.WithSecret(secrets[0], secrets[1:]...),
							sessionstore.WithTouchInterval(0))
						v.sessions.IdleTimeout = time.Minute
						return v
					}
					token := process(one).begin(map[string]any{"cart": 1})
					writer, reader := process(secrets[0][0], secrets[0][1]), process(secrets[1][0], secrets[1][1])
					handler := writer.put("own")
					if renews {
						handler = writer.renew(nil)
					}
					answer := writer.own(token, func(w http.ResponseWriter, r *http.Request) {
						handler(w, r)
						if read := reader.visit(token, func(http.ResponseWriter, *http.Request) {}); read.status != http.StatusOK {
							t.Errorf("the reader: status %d", read.status)
						}
					})
					if answer.status != http.StatusOK {
						t.Fatalf("the writer: status %d, %s", answer.status, answer.body)
					}
					want := "cart own"
					if renews {
						want = "cart user"
					}
					writer.want("the session", answer.token, want)
					if n := d.live(t); n != 1 {
						t.Errorf("%d sessions; want one", n)
					}
				})
			}
		}
	}
}

// Who looks at another session's old token, and logs out, ends his own session alone.
func TestI3_LookingAtAnOldTokenEndsNothing(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, _ *hooked, v *visitor) {
		old := v.begin(map[string]any{"alice": 1})
		alice := v.own(old, v.renew(nil)).token
		looks := map[string]func(ctx context.Context) error{
			"merge": func(ctx context.Context) error { return v.sessions.MergeSession(ctx, old) },
			"find":  func(ctx context.Context) error { _, _, err := v.store.FindCtx(ctx, old); return err },
		}
		for what, look := range looks {
			bob := v.begin(map[string]any{"bob": 1})
			v.own(bob, func(w http.ResponseWriter, r *http.Request) {
				if err := look(r.Context()); err != nil {
					t.Errorf("%s: %v", what, err)
				}
				v.logout(w, r)
			})
			v.want(what+": the session of alice", alice, "alice user")
			v.want(what+": the session of bob", bob, "none")
			if answer := v.own("", func(w http.ResponseWriter, r *http.Request) {
				if err := look(r.Context()); err != nil {
					t.Errorf("%s: %v", what, err)
				}
				v.put("carol")(w, r)
			}); answer.status != http.StatusOK || answer.token == "" {
				t.Errorf("%s: a visitor without a session: %+v", what, answer)
			}
		}
	})
}

// A copy of a manager is that manager.
func TestT3_CopiedManagers(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		copied := *v.sessions
		for what, handler := range map[string]http.HandlerFunc{
			"the copy renews": func(_ http.ResponseWriter, r *http.Request) {
				if err := copied.RenewToken(r.Context()); err != nil {
					t.Error(err)
				}
			},
			"it renews": func(w http.ResponseWriter, r *http.Request) { v.renew(nil)(w, r) },
		} {
			token := v.begin(map[string]any{"cart": 1})
			answer := v.own(token, func(w http.ResponseWriter, r *http.Request) {
				v.store.LoadAndSave(&copied)(handler).ServeHTTP(w, r)
			})
			v.want(what+": the old token", token, "none")
			if n := d.live(t); n != 1 || answer.status != http.StatusOK {
				t.Errorf("%s: %d sessions, %+v; want one", what, n, answer)
			}
			d.clear(t)
		}
	})
}

// A RenewToken that comes when the request is over leaves the session as it is.
func TestT3_RenewalAfterTheRequest(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, _ *hooked, v *visitor) {
		token := v.begin(map[string]any{"cart": 1})
		var late context.Context
		v.own(token, func(_ http.ResponseWriter, r *http.Request) { late = context.WithoutCancel(r.Context()) })
		_ = v.sessions.RenewToken(late) // whatever it says
		if _, _, err := v.sessions.Commit(late); !errors.Is(err, sessionstore.ErrScopeEnded) {
			t.Errorf("the commit: %v; want ErrScopeEnded", err)
		}
		v.want("the session", token, "cart")
	})
}

// A session that Iterate shows is renewed in one step, too, and the request's own within it.
func TestT3_RenewalsWithinIterate(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		for what, refused := range map[string]error{"refused": storage.ErrThrottled, "stored": nil} {
			own, other := v.begin(map[string]any{"own": 1}), v.begin(map[string]any{"other": 1})
			renewed := ""
			v.own(own, func(_ http.ResponseWriter, r *http.Request) {
				if err := v.iterateOthers(r.Context(), func(ctx context.Context) error {
					if err := v.sessions.RenewToken(ctx); err != nil {
						return err
					}
					d.fail(refused)
					var err error
					if renewed, _, err = v.sessions.Commit(ctx); (err != nil) != (refused != nil) {
						t.Errorf("%s: %v", what, err)
					}
					d.fail(nil)
					return nil
				}); err != nil {
					t.Error(err)
				}
			})
			if refused != nil {
				v.want(what+": the other session", other, "other")
			} else {
				v.want(what+": the renewed session", renewed, "other")
				v.want(what+": its old token", other, "none")
				if late := v.visit(other, v.put("late")); late.status != http.StatusConflict {
					t.Errorf("%s: a request with the old token: %+v; want 409", what, late)
				}
			}
			v.want(what+": the own session", own, "own")
			d.clear(t)
		}
		for what, end := range map[string]func(ctx context.Context) error{
			"destroyed": v.sessions.Destroy,
			"committed": func(ctx context.Context) error { _, _, err := v.sessions.Commit(ctx); return err },
		} {
			own := v.begin(map[string]any{"own": 1})
			v.begin(map[string]any{"other": 1})
			v.own(own, func(w http.ResponseWriter, r *http.Request) {
				v.renew(nil)(w, r)
				if err := v.iterateOthers(r.Context(), func(context.Context) error { return end(r.Context()) }); err != nil {
					t.Error(err)
				}
			})
			v.want(what+": the old token", own, "none")
		}
	})
}

// Within the middlewares of two managers, what a handler commits by hand is the session of the manager that it is of.
func TestManagersWithinEachOther(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, _ *hooked, v *visitor) {
		admin := &visitor{t: t, store: v.store, sessions: scs.New()}
		admin.sessions.Store, admin.sessions.Cookie.Name = v.store, "admin"
		for what, handler := range map[string]http.HandlerFunc{
			"commit": func(_ http.ResponseWriter, r *http.Request) {
				v.sessions.Put(r.Context(), "more", true)
				if _, _, err := v.sessions.Commit(r.Context()); err != nil {
					t.Error(err)
				}
			},
			"renewal": func(_ http.ResponseWriter, r *http.Request) {
				if err := v.sessions.RenewToken(r.Context()); err != nil {
					t.Error(err)
				}
			},
			"renewal and commit": func(_ http.ResponseWriter, r *http.Request) {
				if err := v.sessions.RenewToken(r.Context()); err != nil {
					t.Error(err)
				}
				if _, _, err := v.sessions.Commit(r.Context()); err != nil && !strings.Contains(err.Error(), "whose session") {
					t.Error(err)
				}
			},
		} {
			token := v.begin(map[string]any{"cart": 1})
			answer := v.own(token, func(w http.ResponseWriter, r *http.Request) {
				v.store.LoadAndSave(admin.sessions)(handler).ServeHTTP(w, r)
			})
			if answer.token != "" && answer.token != token {
				v.want(what+": the old token", token, "none")
			}
			there := false
			v.own(answer.token, func(_ http.ResponseWriter, r *http.Request) { there = v.sessions.Exists(r.Context(), "cart") })
			if !there {
				t.Errorf("%s: its manager does not find the session any more: %+v", what, answer)
			}
			admin.own(answer.token, func(_ http.ResponseWriter, r *http.Request) {
				if len(admin.sessions.Keys(r.Context())) > 0 {
					t.Errorf("%s: the other manager accepts the session", what)
				}
			})
		}
	})
}

// Of two managers within each other, one begins its session in the request in which the other renews its own. The
// middleware of the one commits what is its own; a commit by hand, behind the response, is of what was renewed.
func TestT3_BeginningBesideARenewal(t *testing.T) {
	t.Parallel()
	for name, begun := range map[string]bool{"by the middleware": false, "and by hand, behind the response": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyStrategy(t, func(t *testing.T, _ *hooked, v *visitor) {
				admin := v.another("admin")
				token := v.begin(map[string]any{"cart": 1})
				answer := v.own(token, func(w http.ResponseWriter, r *http.Request) {
					v.store.LoadAndSave(admin.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						admin.sessions.Put(r.Context(), "role", "admin")
						if begun {
							w.WriteHeader(http.StatusOK)
						}
						if err := v.sessions.RenewToken(r.Context()); err != nil {
							t.Error(err)
						}
						if begun {
							if _, _, err := v.sessions.Commit(r.Context()); err != nil {
								t.Error(err)
							}
							v.want("the old token", token, "none")
							v.want("the new token", v.sessions.Token(r.Context()), "cart")
						}
					})).ServeHTTP(w, r)
				})
				begins := ""
				for _, cookie := range (&http.Response{Header: answer.header}).Cookies() {
					if cookie.Name == "admin" {
						begins = cookie.Value
					}
				}
				if answer.status != http.StatusOK || begins == "" {
					t.Fatalf("%+v; want the cookie of the session that begins", answer)
				}
				v.want("the session that begins", begins, "role")
				if !begun {
					v.want("the old token", token, "none")
					v.want("the new token", answer.token, "cart")
				}
			})
		})
	}
}

// Where a merge is refused and taken back, the handler may run again.
func TestRetryAfterARefusedMergeSession(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, _ *hooked, v *visitor) {
		own, other := v.begin(map[string]any{"own": 1}), v.begin(map[string]any{"other": 1})
		tries := 0
		handler := v.store.Retry(v.sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := v.sessions.MergeSession(r.Context(), other); err != nil {
				t.Error(err)
			}
			if tries++; tries == 1 {
				v.own(other, v.put("late"))
			}
		}))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/own", nil)
		r.AddCookie(&http.Cookie{Name: v.sessions.Cookie.Name, Value: own})
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK || tries != 2 {
			t.Errorf("status %d after %d tries; want 200 after two", w.Code, tries)
		}
		v.want("the session", own, "late other own")
	})
}

// A commit that ends the session is refused where another request has moved it to another secret, and extended it.
func TestI1_EndOfASessionThatHasMoved(t *testing.T) {
	t.Parallel()
	one, two := storetest.Secret(1), storetest.Secret(2)
	for name, newStrategy := range map[string]func() lockstrategy.Strategy{
		"optimistic": lockstrategy.Optimistic, "merge": func() lockstrategy.Strategy { return lockstrategy.Merge(nil) },
	} {
		d := newHooked()
		process := func(secrets ...[]byte) *visitor {
			v := newVisitor(t, d, sessionstore.WithStrategy(newStrategy()), sessionstore.WithSecret(secrets[0], secrets[1:]...),
				sessionstore.WithTouchInterval(0))
			v.sessions.IdleTimeout = time.Minute
			return v
		}
		token := process(one).begin(map[string]any{"cart": 1})
		ends, reads := process(one, two), process(two, one)
		answer := ends.own(token, func(_ http.ResponseWriter, r *http.Request) {
			ends.sessions.SetDeadline(r.Context(), time.Now().Add(-time.Second))
			reads.visit(token, func(http.ResponseWriter, *http.Request) {})
		})
		if name == "optimistic" && answer.status != http.StatusConflict {
			t.Errorf("%s: status %d; want 409", name, answer.status)
		}
		if name == "optimistic" {
			reads.want(name+": the session", token, "cart")
		}
	}
}

// What was merged into the request's own session ends with the commit of that, and with none of another session.
func TestT3_MergedEndsWithItsOwnCommit(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		own, merged := v.begin(map[string]any{"own": 1}), v.begin(map[string]any{"merged": 1})
		v.begin(map[string]any{"other": 1})
		func() {
			defer func() { _ = recover() }()
			v.own(own, func(_ http.ResponseWriter, r *http.Request) {
				if err := v.sessions.MergeSession(r.Context(), merged); err != nil {
					t.Error(err)
				}
				if err := v.iterateOthers(r.Context(), func(ctx context.Context) error {
					v.sessions.Put(ctx, "more", true)
					_, _, err := v.sessions.Commit(ctx)
					return err
				}); err != nil {
					t.Error(err)
				}
				panic("somewhere")
			})
		}()
		v.want("the own session", own, "own")
		v.want("the one that was to be merged", merged, "merged")
		if n := d.live(t); n != 3 {
			t.Errorf("%d sessions; want three", n)
		}
	})
}

// Within the middlewares of two managers, a logout after a renewal ends the session, or says that it does not.
func TestI3_LogoutWithinAnotherManager(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, _ *hooked, v *visitor) {
		admin := &visitor{t: t, store: v.store, sessions: scs.New()}
		admin.sessions.Store, admin.sessions.Cookie.Name = v.store, "admin"
		token := v.begin(map[string]any{"cart": 1})
		var told error
		v.own(token, func(w http.ResponseWriter, r *http.Request) {
			v.store.LoadAndSave(admin.sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if err := v.sessions.RenewToken(r.Context()); err != nil {
					t.Error(err)
				}
				told = v.sessions.Destroy(r.Context())
			})).ServeHTTP(w, r)
		})
		if left := v.keys(token); left != "none" && told == nil {
			t.Errorf("the logout was acknowledged, and the session has %q", left)
		}
	})
}
