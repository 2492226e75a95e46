package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// A slow request that only reads sends no cookie of a session that was renewed, or ended, meanwhile: it would log out
// who has logged in.
func TestT2_SlowReaderSendsNoOldCookie(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{0, time.Minute} {
		for name, meanwhile := range map[string]func(v *visitor, token string){
			"login":  func(v *visitor, token string) { v.visit(token, v.renew(nil)) },
			"logout": func(v *visitor, token string) { v.visit(token, v.logout) },
		} {
			t.Run(fmt.Sprint(interval, name), func(t *testing.T) {
				t.Parallel()
				withoutLocks(t, func(t *testing.T, d *hooked, v *visitor) {
					v.store = newStore(t, d, sessionstore.WithTouchInterval(interval))
					v.sessions.Store, v.sessions.IdleTimeout = v.store, time.Hour
					v.sessions.Lifetime = 24 * time.Hour // else the expiry does not move, and nothing is written
					token := v.begin(map[string]any{"cart": 1})
					answer := v.own(token, func(http.ResponseWriter, *http.Request) { meanwhile(v, token) })
					if answer.status != http.StatusOK || answer.token != "" || answer.ended {
						t.Errorf("%+v; want 200 and no cookie", answer)
					}
					v.want("the session", token, "none")
				})
			})
		}
	}
}

// The cookie of an idle session is sent where its expiry was moved, and not in between.
func TestT2_CookieMovesWithTheExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVisitor(t, newHooked())
		v.sessions.IdleTimeout = time.Hour
		v.sessions.Lifetime = 24 * time.Hour
		token := v.begin(map[string]any{"cart": 1})
		if answer := v.own(token, nothing); answer.token != "" {
			t.Error("a cookie although nothing was stored")
		}
		time.Sleep(time.Minute) // the touch interval
		if answer := v.own(token, nothing); answer.token != token {
			t.Errorf("cookie %q although the expiry was moved; want that of the session", answer.token)
		}
	})
}

// A request that ends after the deadline which it knows deletes nothing that another request has extended.
func TestI1_PassedDeadlineDeletesNothing(t *testing.T) {
	t.Parallel()
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := newVisitor(t, newHooked(), sessionstore.WithStrategy(strategy()))
				v.sessions.IdleTimeout = time.Hour
				v.sessions.Lifetime = time.Minute
				token := v.begin(map[string]any{"cart": 1})
				slow := v.visit(token, func(http.ResponseWriter, *http.Request) {
					v.own(token, func(_ http.ResponseWriter, r *http.Request) {
						v.sessions.SetDeadline(r.Context(), time.Now().Add(time.Hour))
						v.sessions.Put(r.Context(), "n", 41)
					})
					time.Sleep(2 * time.Minute)
				})
				if slow.status != http.StatusOK {
					t.Errorf("status %d; want 200: it has changed nothing", slow.status)
				}
				v.want("the session", token, "cart n")
			})
		})
	}
}

// A change that comes after the end of the session is told, whichever end that was.
func TestT1_ChangeAfterTheEndIsTold(t *testing.T) {
	t.Parallel()
	for _, idle := range []time.Duration{0, time.Minute} {
		for name, strategy := range strategies {
			t.Run(fmt.Sprint(name, idle), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					v := newVisitor(t, newHooked(), sessionstore.WithStrategy(strategy()))
					v.sessions.IdleTimeout, v.sessions.Lifetime = idle, time.Minute
					if idle > 0 {
						v.sessions.Lifetime = time.Hour
					}
					for what, token := range map[string]string{"a new session": "", "a session": v.begin(map[string]any{"cart": 1})} {
						if token == "" && idle > 0 {
							continue // it has until its first commit
						}
						answer := v.own(token, func(w http.ResponseWriter, r *http.Request) {
							time.Sleep(2 * time.Minute)
							v.put("late")(w, r)
						})
						if answer.status != http.StatusConflict || answer.token != "" {
							t.Errorf("%s: status %d, cookie %q; want 409 and none", what, answer.status, answer.token)
						}
					}
				})
			})
		}
	}
}

// SetDeadline with a past instant ends the session, and nothing of it stays.
func TestDeadlineInThePastEndsTheSession(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		token := v.begin(map[string]any{"cart": 1})
		v.own(token, func(_ http.ResponseWriter, r *http.Request) {
			v.sessions.SetDeadline(r.Context(), time.Now().Add(-time.Hour))
		})
		v.want("the session", token, "none")
		if all := records(t, d.Driver); len(all) != 1 || !all[0].Ended() || len(all[0].Data) != 0 {
			t.Errorf("stored %v; want a tombstone without data", all)
		}
	})
}

// A request that has ended its session with a past deadline, and committed that itself, is told nothing of what it does
// not change any more, and gets no cookie with a later deadline.
func TestT1_NothingAfterTheEnd(t *testing.T) {
	t.Parallel()
	for later, want := range map[bool]int{false: http.StatusOK, true: http.StatusConflict} {
		for _, idle := range []time.Duration{0, time.Hour} {
			t.Run(fmt.Sprint(later, idle), func(t *testing.T) {
				t.Parallel()
				everyStrategy(t, func(t *testing.T, _ *hooked, v *visitor) {
					v.sessions.IdleTimeout = idle
					token := v.begin(map[string]any{"cart": 1})
					answer := v.own(token, func(_ http.ResponseWriter, r *http.Request) {
						v.sessions.SetDeadline(r.Context(), time.Now().Add(-time.Hour))
						if _, _, err := v.sessions.Commit(r.Context()); err != nil {
							t.Error(err)
						}
						if later {
							v.sessions.SetDeadline(r.Context(), time.Now().Add(time.Hour))
						}
					})
					if answer.status != want || later && answer.token != "" {
						t.Errorf("status %d, cookie %q; want %d", answer.status, answer.token, want)
					}
					v.want("the session", token, "none")
				})
			})
		}
	}
}

// A logout that has ended the session, and does not know of the key of another secret, leaves no cookie of the session.
func TestT2_NoCookieAfterAnUnknownLogout(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		v.store = newStore(t, d, sessionstore.WithSecret(storetest.Secret(2), storetest.Secret(1)),
			sessionstore.WithTouchInterval(0))
		v.sessions.Store, v.sessions.IdleTimeout, v.sessions.Lifetime = v.store, time.Hour, 24*time.Hour
		token := v.begin(map[string]any{"cart": 1})
		answer := v.own(token, func(_ http.ResponseWriter, r *http.Request) {
			d.onPut(func(record storage.Record, _ storage.Condition) error {
				if record.Key != v.store.StorageKey(token) {
					return errors.Join(storage.ErrUnavailable, storage.ErrOutcomeUnknown)
				}
				return nil
			})
			if err := v.sessions.Destroy(r.Context()); !errors.Is(err, storage.ErrOutcomeUnknown) {
				t.Errorf("Destroy: %v; want ErrOutcomeUnknown", err)
			}
			d.onPut(nil)
		})
		if answer.status != http.StatusInternalServerError || answer.token != "" {
			t.Errorf("status %d, cookie %q; want 500 and none", answer.status, answer.token)
		}
	})
}

// failingTouch refuses updates.
type failingTouch struct{ *hooked }

func (d failingTouch) Update(context.Context, string, storage.Change, storage.Condition) error {
	return storage.ErrThrottled
}

// A touch that fails after a logout of which it is not known whether it was applied is not told as if nothing was
// written.
func TestT1_TouchAfterAnUnknownLogout(t *testing.T) {
	t.Parallel()
	d := newHooked()
	store := newStore(t, failingTouch{d})
	commit(t, store, "token", "data")
	ctx, end := store.Begin(t.Context())
	defer end()
	if _, found, err := store.FindCtx(ctx, "token"); err != nil || !found {
		t.Fatal(found, err)
	}
	d.fail(storage.ErrOutcomeUnknown)
	if err := store.DeleteCtx(ctx, "token"); !errors.Is(err, storage.ErrOutcomeUnknown) {
		t.Errorf("the delete: %v; want ErrOutcomeUnknown", err)
	}
	err := store.CommitCtx(ctx, "token", []byte("data"), time.Now().Add(2*time.Hour))
	if !errors.Is(err, storage.ErrThrottled) || !errors.Is(err, storage.ErrOutcomeUnknown) {
		t.Errorf("the touch: %v; want ErrThrottled and ErrOutcomeUnknown", err)
	}
}

// A new session that is to have ended before the request began is not stored, also after a logout.
func TestNewSessionWithADeadlineInThePast(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, _ *hooked, v *visitor) {
		late := func(_ http.ResponseWriter, r *http.Request) {
			v.sessions.Put(r.Context(), "n", 1)
			v.sessions.SetDeadline(r.Context(), time.Now().Add(-time.Hour))
		}
		for what, handler := range map[string]http.HandlerFunc{
			"of a stranger": late,
			"after a logout": func(w http.ResponseWriter, r *http.Request) {
				v.logout(w, r)
				late(w, r)
			},
		} {
			token := v.begin(map[string]any{"cart": 1})
			if what == "of a stranger" {
				token = ""
			}
			answer := v.own(token, handler)
			if answer.status != http.StatusOK || answer.token != "" && v.keys(answer.token) != "none" {
				t.Errorf("%s: %+v; want 200, and nothing stored", what, answer)
			}
		}
	})
}

// A new session of which it is not known whether it was stored is not taken for one that was not, whatever its
// deadline.
func TestT1_UnknownCreateIsNotForgotten(t *testing.T) {
	t.Parallel()
	for _, applied := range []bool{true, false} {
		t.Run(fmt.Sprint("applied ", applied), func(t *testing.T) {
			t.Parallel()
			everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
				token := ""
				answer := v.own("", func(_ http.ResponseWriter, r *http.Request) {
					v.sessions.Put(r.Context(), "n", 1)
					d.onPut(func(record storage.Record, _ storage.Condition) error {
						if applied {
							if err := d.Driver.Put(t.Context(), record, storage.Always()); err != nil {
								t.Error(err)
							}
						}
						return errors.Join(storage.ErrUnavailable, storage.ErrOutcomeUnknown)
					})
					if _, _, err := v.sessions.Commit(r.Context()); !errors.Is(err, storage.ErrOutcomeUnknown) {
						t.Errorf("the commit: %v; want ErrOutcomeUnknown", err)
					}
					token = v.sessions.Token(r.Context())
					d.onPut(nil)
					v.sessions.SetDeadline(r.Context(), time.Now().Add(-time.Hour))
				})
				if stored := v.keys(token); answer.status == http.StatusOK && stored != "none" {
					t.Errorf("status %d, and the session has %q; want an error, or none", answer.status, stored)
				}
			})
		})
	}
}

// What could not be found out about a commit stays unknown for what the same request does next.
func TestT1_UnknownStaysUnknown(t *testing.T) {
	t.Parallel()
	unknown := errors.Join(storage.ErrUnavailable, storage.ErrOutcomeUnknown)
	for name, next := range map[string]func(v *visitor, d *hooked, r *http.Request){
		"taken back":       func(v *visitor, d *hooked, r *http.Request) { v.sessions.Remove(r.Context(), "n") },
		"a second commit":  func(v *visitor, d *hooked, r *http.Request) { v.sessions.Put(r.Context(), "m", 1) },
		"nothing":          func(*visitor, *hooked, *http.Request) {},
		"refused after it": func(v *visitor, d *hooked, r *http.Request) { d.fail(storage.ErrThrottled) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
				token := v.begin(map[string]any{"cart": 1})
				answer := v.own(token, func(_ http.ResponseWriter, r *http.Request) {
					v.sessions.Put(r.Context(), "n", 1)
					d.fail(nil)
					d.onPut(func(record storage.Record, _ storage.Condition) error { // it is applied, and the answer lost
						if err := d.Driver.Put(t.Context(), record, storage.Always()); err != nil {
							t.Error(err)
						}
						return unknown
					})
					if _, _, err := v.sessions.Commit(r.Context()); !errors.Is(err, storage.ErrOutcomeUnknown) {
						t.Errorf("the commit: %v; want ErrOutcomeUnknown", err)
					}
					d.onPut(nil)
					next(v, d, r)
				})
				d.onPut(nil)
				stored := v.keys(token)
				switch answer.status {
				case http.StatusInternalServerError: // it is not known
				case http.StatusOK:
					if want := map[string]string{
						"taken back": "cart", "a second commit": "cart m n",
						"nothing": "cart n",
					}[name]; stored != want {
						t.Errorf("200, and stored is %q; want %q", stored, want)
					}
				default:
					t.Errorf("status %d, and stored is %q; a refusal would say that nothing was saved", answer.status, stored)
				}
			})
		})
	}
}

// A session whose create has failed, or may have, is ended by a logout in the same request, and stays so.
func TestI3_LogoutAfterAFailedCreate(t *testing.T) {
	t.Parallel()
	for name, failed := range map[string]error{
		"refused": storage.ErrThrottled, "unknown": errors.Join(storage.ErrUnavailable, storage.ErrOutcomeUnknown),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
				var late func() error
				request := begin(t, v.store, "")
				defer request.end()
				d.onPut(func(record storage.Record, condition storage.Condition) error {
					late = func() error { return d.Driver.Put(context.Background(), record, condition) }
					return failed
				})
				if err := request.commit("token", "data"); !errors.Is(err, failed) && !errors.Is(err, storage.ErrOutcomeUnknown) {
					t.Errorf("the create: %v; want %v", err, failed)
				}
				d.onPut(nil)
				if name == "unknown" {
					if err := late(); err != nil { // it was applied
						t.Error(err)
					}
				}
				if err := v.store.DeleteCtx(request.ctx, "token"); err != nil {
					t.Errorf("the logout: %v", err)
				}
				wantMiss(t, v.store, "token")
				if name == "unknown" {
					if err := late(); !errors.Is(err, storage.ErrConflict) {
						t.Errorf("the create, once more: %v; want a conflict", err)
					}
				}
				if n := len(records(t, d.Driver)); name == "refused" && n != 0 {
					t.Errorf("%d records; want none, as none was made", n)
				}
			})
		})
	}
}

// A create that was sent twice, and arrives once more after a logout, brings nothing back.
func TestI3_LateCreateBringsNothingBack(t *testing.T) {
	t.Parallel()
	for _, before := range []time.Duration{time.Second, ended.LateWrites - time.Second} {
		for name, strategy := range strategies {
			t.Run(fmt.Sprint(name, before), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					d := newHooked()
					v := newVisitor(t, d, sessionstore.WithStrategy(strategy()))
					var late func() error
					d.onPut(func(record storage.Record, condition storage.Condition) error {
						late = func() error { return d.Driver.Put(context.Background(), record, condition) }
						return nil
					})
					token := v.begin(map[string]any{"user": 1})
					d.onPut(nil)
					v.own(token, v.put("n")) // the session goes on
					time.Sleep(before)
					v.own(token, v.logout)
					if err := late(); !errors.Is(err, storage.ErrConflict) {
						t.Errorf("the late create: %v; want a conflict", err)
					}
					v.want("the session", token, "none")
				})
			})
		}
	}
}

// A logout leaves no session under the key of any secret, in whatever order processes have the secrets, and whenever
// another request moves the session.
func TestI3_LogoutWhileTheSecretChanges(t *testing.T) {
	t.Parallel()
	older, newer := storetest.Secret(1), storetest.Secret(2)
	for _, begun := range [][]byte{older, newer} {
		for _, orders := range [][2]sessionstore.Option{
			{sessionstore.WithSecret(newer, older), sessionstore.WithSecret(older, newer)},
			{sessionstore.WithSecret(older, newer), sessionstore.WithSecret(newer, older)},
			{sessionstore.WithSecret(newer, older), sessionstore.WithSecret(newer, older)},
		} {
			withoutLocks(t, func(t *testing.T, d *hooked, v *visitor) {
				first := newVisitor(t, d, sessionstore.WithSecret(begun))
				token := first.begin(map[string]any{"user": 1})
				mover, out := newVisitor(t, d, orders[0]), newVisitor(t, d, orders[1])
				// The mover commits between any two writes of the logout.
				writes := 0
				moves := func() {
					writes++
					mover.visit(token, mover.put(fmt.Sprint(writes)))
				}
				var answer reply
				mover.own(token, func(w http.ResponseWriter, r *http.Request) {
					mover.put("slow")(w, r)
					inLogout := true
					d.onPut(func(record storage.Record, _ storage.Condition) error {
						if record.Ended() && inLogout {
							inLogout = false
							moves()
							inLogout = true
						}
						return nil
					})
					answer = out.own(token, out.logout)
					d.onPut(nil)
				})
				if answer.status != http.StatusOK {
					t.Errorf("the logout: %+v", answer)
				}
				for _, reader := range []*visitor{first, mover, out} {
					reader.want("the session", token, "none")
				}
			})
		}
	}
}

// Iterate in a handler may change other sessions, and does so only where nobody else has changed them since.
func TestIterateInAHandler(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		own := v.begin(map[string]any{"own": 1})
		others := []string{v.begin(map[string]any{"other": 1}), v.begin(map[string]any{"other": 2})}
		answer := v.own(own, func(_ http.ResponseWriter, r *http.Request) {
			err := v.sessions.Iterate(r.Context(), func(ctx context.Context) error {
				v.sessions.Put(ctx, "banner", "hello")
				_, _, err := v.sessions.Commit(ctx)
				return err
			})
			if err != nil {
				t.Errorf("Iterate: %v", err)
			}
		})
		if answer.status != http.StatusOK {
			t.Errorf("status %d", answer.status)
		}
		v.want("the own session", own, "banner own")
		for _, other := range others {
			v.want("another session", other, "banner other")
		}
	})
}

// A session that was logged out, or changed, since it was iterated over is not overwritten.
func TestI2_IterateRevivesNothing(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		own, other := v.begin(map[string]any{"own": 1}), v.begin(map[string]any{"other": 1})
		v.own(own, func(_ http.ResponseWriter, r *http.Request) {
			_ = v.sessions.Iterate(r.Context(), func(ctx context.Context) error {
				if v.sessions.Token(ctx) != other {
					return nil
				}
				v.visit(other, v.logout)
				v.sessions.Put(ctx, "banner", "hello")
				if _, _, err := v.sessions.Commit(ctx); !errors.Is(err, sessionstore.ErrSessionGone) {
					t.Errorf("the commit: %v; want ErrSessionGone", err)
				}
				return nil
			})
		})
		v.want("the session", other, "none")
	})
}

// Who ends all sessions of a user, the own one included, may go on with a message, as after a Destroy.
func TestOwnSessionEndedAmongAll(t *testing.T) {
	t.Parallel()
	for _, hashed := range []bool{false, true} {
		everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
			v.sessions.HashTokenInStore = hashed
			own := v.begin(map[string]any{"user": 1})
			v.begin(map[string]any{"user": 1})
			answer := v.own(own, func(w http.ResponseWriter, r *http.Request) {
				if err := v.sessions.Iterate(r.Context(), v.sessions.Destroy); err != nil {
					t.Errorf("Iterate: %v", err)
				}
				v.sessions.Put(r.Context(), "flash", "your password was changed")
				http.Redirect(w, r, "/login", http.StatusSeeOther)
			})
			if answer.status != http.StatusSeeOther || answer.token == "" || answer.token == own {
				t.Fatalf("status %d, cookie %q; want 303 and a new session", answer.status, answer.token)
			}
			if n := d.live(t); n != 1 {
				t.Errorf("%d sessions; want the new one", n)
			}
			if !hashed {
				v.want("the new session", answer.token, "flash")
				v.want("the own session", own, "none")
			}
		})
	}
}

// A logout happens although its client has gone.
func TestI3_LogoutWithoutItsClient(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		token := v.begin(map[string]any{"user": 1})
		ctx, cancel := context.WithCancel(t.Context())
		v.send(ctx, "/own", token, func(w http.ResponseWriter, r *http.Request) {
			cancel()
			v.logout(w, r)
		})
		v.want("the session", token, "none")
	})
}

// What a handler answers when its time is up stays its answer, and what it has put is stored.
func TestT4_DeadlineOfTheRequest(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		token := v.begin(map[string]any{"user": 1})
		ctx, cancel := context.WithDeadline(t.Context(), time.Now())
		defer cancel()
		answer := v.send(context.WithoutCancel(ctx), "/own", token, func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithDeadline(r.Context(), time.Now())
			defer cancel()
			v.sessions.Put(ctx, "n", 1)
			w.WriteHeader(http.StatusGatewayTimeout)
		})
		if answer.status != http.StatusGatewayTimeout {
			t.Errorf("status %d; want the handler's 504", answer.status)
		}
		v.want("the session", token, "n user")
	})
}

// A response that is written after the middleware is over is as with scs, and what was put for it is stored.
func TestT4_WriteAfterTheMiddleware(t *testing.T) {
	t.Parallel()
	for _, idle := range []time.Duration{0, time.Hour} {
		everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
			v.sessions.IdleTimeout = idle
			token := v.begin(map[string]any{"user": 1})
			var inner http.ResponseWriter
			var request *http.Request
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/own", nil)
			r.AddCookie(&http.Cookie{Name: "session", Value: token})
			v.store.LoadAndSave(v.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				inner, request = w,
					r
			})).ServeHTTP(w, r)
			v.sessions.Put(request.Context(), "flash", "sorry")
			http.Error(inner, "no such page", http.StatusNotFound)
			if w.Code != http.StatusNotFound || w.Body.String() != "no such page\n" {
				t.Errorf("%d %q; want 404, as with plain scs", w.Code, w.Body)
			}
			v.want("the session", token, "flash user")
		})
	}
}

// What a handler changes of its session manager counts in that very response.
func TestT4_ManagerIsChangedByTheHandler(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHooked())
	answer := v.own("", func(w http.ResponseWriter, r *http.Request) {
		v.sessions.Cookie.Secure, v.sessions.Cookie.Path = true, "/app/"
		v.put("user")(w, r)
	})
	if cookie := answer.header.Get("Set-Cookie"); !strings.Contains(cookie, "Secure") ||
		!strings.Contains(cookie, "Path=/app/") {
		t.Errorf("cookie %q; want Secure and the path that the handler has set", cookie)
	}
}

// LoadAndSave refuses, when it is made, a manager whose sessions are not in the store.
func TestLoadAndSaveChecksTheManager(t *testing.T) {
	t.Parallel()
	store, other := newStore(t, nil), newStore(t, nil)
	refusal := func(make func()) (reason any) {
		defer func() { reason = recover() }()
		make()
		return nil
	}
	for name, sm := range map[string]*scs.SessionManager{
		"nil": nil, "in memory": {Store: memstore.NewWithCleanupInterval(0)}, "another": {Store: other}, "none": {},
	} {
		if refusal(func() { store.LoadAndSave(sm) }) == nil || refusal(func() { store.Retry(sm) }) == nil {
			t.Errorf("%s: the middleware was made", name)
		}
	}
	if refusal(func() { sessionstore.LoadAndSave(nil) }) == nil {
		t.Error("nil: the middleware was made")
	}
	for name, sm := range map[string]*scs.SessionManager{
		"its own": {Store: store}, "wrapped": {Store: wrapped{store}},
		"wrapped twice": {Store: &struct{ scs.Store }{wrapped{store}}},
		"unwrapped":     {Store: unwrapper{&store}},
	} {
		if reason := refusal(func() { store.LoadAndSave(sm); sessionstore.LoadAndSave(sm) }); reason != nil {
			t.Errorf("%s: %v", name, reason)
		}
	}
}

// unwrapper hides its store from a look at its fields.
type unwrapper struct{ store **sessionstore.Store }

func (u unwrapper) Unwrap() scs.Store                    { return *u.store }
func (unwrapper) Find(string) ([]byte, bool, error)      { return nil, false, nil }
func (unwrapper) Commit(string, []byte, time.Time) error { return nil }
func (unwrapper) Delete(string) error                    { return nil }

// The function finds the store of a manager, and is scs's own middleware for any other store.
func TestLoadAndSaveFindsTheStore(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]scs.Store{
		"ours":     newStore(t, nil),
		"memstore": memstore.NewWithCleanupInterval(0),
	} {
		sm := &scs.SessionManager{
			Store: store, Codec: scs.GobCodec{}, Lifetime: time.Hour,
			ErrorFunc: sessionstore.HandleError,
		}
		sm.Cookie.Name = "session"
		w := httptest.NewRecorder()
		sessionstore.LoadAndSave(sm)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			sm.Put(r.Context(), "n", 1)
		})).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		if len(w.Result().Cookies()) != 1 {
			t.Errorf("%s: header %v; want a session's cookie", name, w.Header())
		}
	}
}

// A type that is not registered with gob is told as what it is, with what to do.
func TestNotEncodedNamesGobRegister(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHooked())
	var reported error
	v.sessions.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		reported = err
		sessionstore.HandleError(w, r, err)
	}
	answer := v.own("", func(_ http.ResponseWriter, r *http.Request) {
		v.sessions.Put(r.Context(), "cart", struct{ Lines int }{1})
	})
	if answer.status != http.StatusInternalServerError || !errors.Is(reported, sessionstore.ErrNotEncoded) ||
		!strings.Contains(reported.Error(), "gob.Register") {
		t.Errorf("status %d, reported %v; want 500, and gob.Register", answer.status, reported)
	}
}

// WithUnreadableAsMiss holds where the codec cannot decode, too.
func TestUnreadableAsMissHoldsForTheCodec(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, memory.New(), sessionstore.WithUnreadableAsMiss())
	commit(t, v.store, "token", "no gob")
	answer := v.own("token", func(_ http.ResponseWriter, r *http.Request) {
		if err := v.sessions.Iterate(r.Context(), func(context.Context) error { return nil }); err != nil {
			t.Errorf("Iterate: %v", err)
		}
		if err := v.sessions.MergeSession(r.Context(), "token"); err != nil {
			t.Errorf("MergeSession: %v", err)
		}
		v.sessions.Put(r.Context(), "n", 1)
	})
	if answer.status != http.StatusOK || answer.token == "" || answer.token == "token" {
		t.Errorf("%+v; want 200 and a new session", answer)
	}
	plain := newVisitor(t, memory.New())
	commit(t, plain.store, "token", "no gob")
	if answer := plain.own("token", nothing); answer.status != http.StatusInternalServerError {
		t.Errorf("without the option: status %d; want 500", answer.status)
	}
}

// With a lease, a logout whose path is named waits for nobody.
func TestI3_LogoutWaitsForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, nil, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{})),
			sessionstore.WithReadOnly(sessionstore.SafeMethods, sessionstore.Paths("/logout")))
		v := &visitor{t: t, store: store, sessions: storetest.NewManager(store)}
		token := v.begin(map[string]any{"user": 1})
		slow := v.own(token, func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			if out := v.send(context.Background(), "/logout", token, v.logout); out.status != http.StatusOK || !out.ended {
				t.Errorf("the logout: %+v", out)
			}
			if waited := time.Since(began); waited > 0 {
				t.Errorf("the logout has waited for %v", waited)
			}
			v.put("n")(w, r)
		})
		if slow.status != http.StatusConflict {
			t.Errorf("the slow request: status %d; want 409", slow.status)
		}
		v.want("the session", token, "none")
	})
}

// A session that the request has ended among all is not brought back by a renewal of its token.
func TestI2_RenewalOfAnEndedOwnSession(t *testing.T) {
	t.Parallel()
	for _, flash := range []bool{false, true} {
		for _, byHand := range []bool{false, true} {
			everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
				own := v.begin(map[string]any{"user": 1})
				answer := v.own(own, func(_ http.ResponseWriter, r *http.Request) {
					if err := v.sessions.Iterate(r.Context(), v.sessions.Destroy); err != nil {
						t.Errorf("Iterate: %v", err)
					}
					if err := v.sessions.RenewToken(r.Context()); err != nil {
						t.Errorf("RenewToken: %v", err)
					}
					if flash {
						v.sessions.Put(r.Context(), "flash", "signed out")
					}
					if byHand {
						if _, _, err := v.sessions.Commit(r.Context()); !errors.Is(err, sessionstore.ErrSessionGone) {
							t.Errorf("a commit by hand: %v; want ErrSessionGone", err)
						}
					}
				})
				v.want("the own session", own, "none")
				switch {
				case answer.status != http.StatusOK:
					t.Errorf("status %d", answer.status)
				case flash:
					v.want("the new session", answer.token, "flash")
				case d.live(t) != 0 || !answer.ended:
					t.Errorf("%d sessions, %+v; want none, and the cookie taken back", d.live(t), answer)
				}
			})
		}
	}
}

// A request that renews its token may change all other sessions before its answer.
func TestRenewalThenIterate(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		own, other := v.begin(map[string]any{"own": 1}), v.begin(map[string]any{"other": 1})
		answer := v.own(own, func(w http.ResponseWriter, r *http.Request) {
			v.renew(nil)(w, r)
			err := v.sessions.Iterate(r.Context(), func(ctx context.Context) error {
				v.sessions.Put(ctx, "banner", "hello")
				_, _, err := v.sessions.Commit(ctx)
				return err
			})
			if err != nil {
				t.Errorf("Iterate: %v", err)
			}
		})
		v.want("the renewed session", answer.token, "own user")
		v.want("another session", other, "banner other")
	})
}

// A request that has renewed its own session within Iterate sends no cookie of the old token.
func TestT2_RenewedWithinIterate(t *testing.T) {
	t.Parallel()
	for _, idle := range []time.Duration{0, time.Hour} {
		everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
			v.sessions.IdleTimeout = idle
			own := v.begin(map[string]any{"own": 1})
			answer := v.own(own, func(_ http.ResponseWriter, r *http.Request) {
				err := v.sessions.Iterate(r.Context(), func(ctx context.Context) error {
					if err := v.sessions.RenewToken(ctx); err != nil {
						return err
					}
					_, _, err := v.sessions.Commit(ctx)
					return err
				})
				if err != nil {
					t.Errorf("Iterate: %v", err)
				}
			})
			if answer.token == own {
				t.Errorf("%+v; the old token is dead", answer)
			}
		})
	}
}

// DeleteAll counts sessions, and leaves tombstones in the way of what may arrive late.
func TestDeleteAllLeavesTombstones(t *testing.T) {
	t.Parallel()
	d := newHooked()
	v := newVisitor(t, d)
	v.begin(map[string]any{"a": 1})
	v.own(v.begin(map[string]any{"b": 1}), v.renew(nil))
	v.own(v.begin(map[string]any{"c": 1}), v.logout)
	deleted, err := v.store.DeleteAll(t.Context())
	if left := records(t, d.Driver); err != nil || deleted != 2 || len(left) != 2 || d.live(t) != 0 {
		t.Errorf("deleted %d, %v, and %d records are left; want 2, and 2 tombstones", deleted, err, len(left))
	}
}

// Merging with what others have stored works although the session that was read is over by its sealed deadline.
func TestMergePastASealedDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVisitor(t, newHooked(), sessionstore.WithSecret(storetest.Secret(1)))
		v.sessions.IdleTimeout, v.sessions.Lifetime = time.Hour, time.Minute
		token := v.begin(map[string]any{"cart": 1})
		slow := v.own(token, func(w http.ResponseWriter, r *http.Request) {
			v.visit(token, func(_ http.ResponseWriter, r *http.Request) {
				v.sessions.SetDeadline(r.Context(), time.Now().Add(time.Hour))
			})
			time.Sleep(2 * time.Minute)
			v.put("late")(w, r)
		})
		if slow.status != http.StatusOK {
			t.Errorf("status %d; want 200: another request has extended the session", slow.status)
		}
		v.want("the session", token, "cart late")
	})
}
