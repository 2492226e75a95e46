package sessionstore_test

import (
	"context"
	"encoding/gob"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// around is a driver that does something after writes, and before reads.
type around struct {
	*hooked
	get func(key string)
	put func(record storage.Record)
}

func (a *around) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	if a.get != nil {
		a.get(key)
	}
	return a.hooked.Get(ctx, key, c)
}

func (a *around) Put(ctx context.Context, record storage.Record, c storage.Condition) error {
	err := a.hooked.Put(ctx, record, c)
	if err == nil && a.put != nil {
		a.put(record)
	}
	return err
}

// become is a handler that changes who is logged in, and keeps the token.
func (v *visitor) become(who string) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) { v.sessions.Put(r.Context(), "user", who) }
}

// endsAll ends all sessions of alice, and reports one that lives on.
func (v *visitor) endsAll(what, token string) {
	v.t.Helper()
	n, err := v.store.Owner("user", "alice").EndAll(context.Background())
	if err != nil || v.lives(token) {
		v.t.Errorf("%s: EndAll has ended %d, %v, and the session lives: %v", what, n, err, v.lives(token))
	}
}

// T6: while a secret changes, EndOthers leaves the request's own session, whoever moves it, and ends the others.
func TestT6_EndOthersWhileASecretChanges(t *testing.T) {
	t.Parallel()
	one, two := storetest.Secret(1), storetest.Secret(2)
	for _, meanwhile := range []bool{false, true} {
		d := newHooked()
		first := owners(t, d, sessionstore.WithSecret(one))
		token, other := first.logIn("alice"), first.logIn("alice")
		older := owners(t, d, sessionstore.WithSecret(one, two))
		newer := owners(t, d, sessionstore.WithSecret(two, one))
		handler := older
		if !meanwhile {
			newer.own(token, newer.put("moved"))
			handler = newer
		}
		answer := handler.own(token, func(_ http.ResponseWriter, r *http.Request) {
			if meanwhile {
				newer.own(token, newer.put("moved"))
			}
			if n, err := handler.store.Owner("user", "alice").EndOthers(r.Context()); n != 1 || err != nil {
				t.Errorf("EndOthers: %d, %v; want 1", n, err)
			}
		})
		if answer.status != http.StatusOK || !newer.lives(token) || newer.lives(other) {
			t.Errorf("moved meanwhile %v: answered with %d; own lives %v, other %v", meanwhile, answer.status,
				newer.lives(token), newer.lives(other))
		}
	}
}

// A session counts once, also while it moves or gets another token; and one that is accepted no more does not count.
func TestOwnerLimitCountsOnce(t *testing.T) {
	t.Parallel()
	one, two := storetest.Secret(1), storetest.Secret(2)
	for _, then := range []sessionstore.OwnerLimit{sessionstore.DenyNew, sessionstore.EndOldest} {
		limit := sessionstore.WithOwnerLimit("user", 2, then)
		d := newHooked()
		token := owners(t, d, limit, sessionstore.WithSecret(one)).logIn("alice")
		v := owners(t, d, limit, sessionstore.WithSecret(two, one))
		v.own(token, v.put("moved"))
		v.logIn("alice")
		if !v.lives(token) {
			t.Error("a session that has moved counts twice")
		}

		a := &around{hooked: newHooked()}
		v = owners(t, a, limit)
		second := owners(t, a.hooked, limit)
		token = v.logIn("alice")
		a.put = func(record storage.Record) {
			if storage.Reserved(record.Key) { // the renewal is on the roster, and not committed
				a.put = nil
				second.logIn("alice")
			}
		}
		answer := v.own(token, func(_ http.ResponseWriter, r *http.Request) {
			if err := v.sessions.RenewToken(r.Context()); err != nil {
				t.Error(err)
			}
		})
		if answer.status != http.StatusOK {
			t.Errorf("the renewal is answered with %d", answer.status)
		}
		v.wantDevices("of two", "alice", 2)
	}
	one1 := sessionstore.WithOwnerLimit("user", 1, sessionstore.DenyNew)
	for name, option := range map[string]func() sessionstore.Option{
		"sealed before": func() sessionstore.Option { return sessionstore.WithSealedSince(time.Now().Add(time.Millisecond)) },
		"a secret whose time is up": func() sessionstore.Option {
			return sessionstore.WithPreviousSecret(one, time.Now().Add(-time.Minute))
		},
	} {
		d := newHooked()
		secret := one
		owners(t, d, one1, sessionstore.WithSecret(secret)).logIn("alice")
		if name != "sealed before" {
			secret = two
		}
		v := owners(t, d, one1, sessionstore.WithSecret(secret), option(),
			sessionstore.WithClock(func() time.Time { return time.Now().Add(time.Second) }))
		v.wantDevices(name, "alice", 0)
		v.logIn("alice")
	}
}

// T6: who leaves an owner takes no later login of the same session off the roster, and neither does one that is
// refused.
func TestT6_LoginsBesideOthers(t *testing.T) {
	t.Parallel()
	for name, strategy := range strategies {
		a := &around{hooked: newHooked()}
		leaves := owners(t, a, sessionstore.WithStrategy(strategy()))
		v := owners(t, a.hooked, sessionstore.WithStrategy(strategy()))
		token, committed := v.logIn("alice"), false
		a.put = func(record storage.Record) { committed = committed || !storage.Reserved(record.Key) }
		a.get = func(key string) {
			if committed && storage.Reserved(key) {
				committed, a.put = false, nil
				v.own(token, v.become("alice"))
			}
		}
		leaves.own(token, func(_ http.ResponseWriter, r *http.Request) { leaves.sessions.Remove(r.Context(), "user") })
		v.endsAll(name, token)
	}
	for name, fault := range map[string]error{"conflict": nil, "throttled": fmt.Errorf("no: %w", storage.ErrThrottled)} {
		d := newHooked()
		strategy := lockstrategy.Optimistic()
		if fault != nil {
			strategy = lockstrategy.Merge(nil)
		}
		v := owners(t, d, sessionstore.WithStrategy(strategy),
			sessionstore.WithOwnerLimit("user", 1, sessionstore.DenyNew))
		token := v.begin(map[string]any{"cart": 1})
		d.onPut(func(record storage.Record, _ storage.Condition) error {
			if storage.Reserved(record.Key) {
				return nil
			}
			d.onPut(nil)
			v.own(token, v.become("alice"))
			return fault
		})
		v.own(token, v.become("alice"))
		if answer := v.own("", v.login("alice")); answer.status != http.StatusConflict {
			t.Errorf("%s: a second session is answered with %d; want 409", name, answer.status)
		}
		v.endsAll(name, token)
	}
}

type account struct{ ID, Name string }

func init() { gob.Register(account{}) } //nolint:gochecknoinits // gob has but one register, for the whole program.

// T6: a commit that is merged with a change of the owner has the owner that it stores.
func TestT6_MergedOwners(t *testing.T) {
	t.Parallel()
	of := func(values map[string]any) string {
		a, _ := values["account"].(account)
		if values["off"] == true && values["force"] != true {
			return ""
		}
		return a.ID
	}
	for name, other := range map[string]account{"logout by value": {}, "impersonation": {ID: "bob"}} {
		v := newVisitor(t, newHooked(), sessionstore.WithOwner("user", of))
		token := v.begin(map[string]any{"account": account{ID: "alice", Name: "a"}})
		v.own(token, func(_ http.ResponseWriter, r *http.Request) {
			v.sessions.Put(r.Context(), "account", account{ID: "alice", Name: "b"})
			v.own(token, func(_ http.ResponseWriter, r *http.Request) { v.sessions.Put(r.Context(), "account", other) })
		})
		v.endsAll(name, token)
	}
	v := newVisitor(t, newHooked(), sessionstore.WithOwner("user", of))
	token := v.begin(map[string]any{"account": account{ID: "alice"}})
	v.own(token, func(_ http.ResponseWriter, r *http.Request) {
		v.sessions.Put(r.Context(), "off", true)
		v.own(token, v.put("force"))
	})
	v.endsAll("an owner of two values", token)
}

// T6: a commit that is taken back has the owner that it had, and tells of nothing.
func TestT6_CommitsThatAreTakenBack(t *testing.T) {
	t.Parallel()
	for name, strategy := range strategies {
		for _, renews := range []bool{false, true} {
			var said lives
			v := owners(t, newHooked(), sessionstore.WithStrategy(strategy()), said.option())
			token, cart := v.logIn("alice"), v.begin(map[string]any{"cart": 1})
			said.take()
			answer := v.own(token, func(_ http.ResponseWriter, r *http.Request) {
				if err := v.sessions.MergeSession(r.Context(), cart); err != nil {
					t.Error(err)
				}
				if renews {
					if err := v.sessions.RenewToken(r.Context()); err != nil {
						t.Error(err)
					}
				}
				v.sessions.Put(r.Context(), "user", "bob")
				v.visit(cart, v.put("more"))
			})
			if answer.token != "" {
				token = answer.token
			}
			if told, _ := said.take(); answer.status != http.StatusConflict || told != "" {
				t.Errorf("%s, renews %v: answered with %d, and told %q", name, renews, answer.status, told)
			}
			v.wantDevices(name, "alice", 1)
			v.wantDevices(name, "bob", 0)
			if n, err := v.store.Owner("user", "bob").EndAll(t.Context()); n != 0 || err != nil || !v.lives(token) {
				t.Errorf("%s, renews %v: the end of bob's sessions has ended alice's: %d, %v", name, renews, n, err)
			}
			v.endsAll(name, token)
		}
	}
}

// T6: what a commit has brought back that replaces whatever there is, as None does, is ended by the next call.
func TestT6_WhateverTheStrategy(t *testing.T) {
	t.Parallel()
	v := owners(t, newHooked(), sessionstore.WithStrategy(lockstrategy.None()))
	token := v.logIn("alice")
	v.own(token, func(_ http.ResponseWriter, r *http.Request) {
		v.sessions.Put(r.Context(), "x", 1)
		if _, err := v.store.Owner("user", "alice").EndAll(t.Context()); err != nil {
			t.Error(err)
		}
	})
	v.own(token, v.put("y"))
	v.endsAll("none", token)
}

// Requests that only read are in nobody's way, whatever makes them store the owner of their session.
func TestReadersWithOwners(t *testing.T) {
	t.Parallel()
	one, two := storetest.Secret(1), storetest.Secret(2)
	tenant := sessionstore.WithOwner("tenant", sessionstore.OwnerFrom("user"))
	for name, open := range map[string]func(d *hooked, s sessionstore.Option) (token string, v *visitor){
		"a secret that changes": func(d *hooked, s sessionstore.Option) (string, *visitor) {
			return owners(t, d, sessionstore.WithSecret(one)).logIn("alice"), owners(t, d, sessionstore.WithSecret(two, one), s)
		},
		"owners that are new": func(d *hooked, s sessionstore.Option) (string, *visitor) {
			return newVisitor(t, d).logIn("alice"), owners(t, d, s)
		},
		"another order of indexes": func(d *hooked, s sessionstore.Option) (string, *visitor) {
			return newVisitor(t, d, tenant, user()).logIn("alice"), newVisitor(t, d, user(), tenant, s)
		},
	} {
		for strategyName, strategy := range strategies {
			for what, meanwhile := range map[string]func(v *visitor, token string){
				"changed": func(v *visitor, token string) { v.visit(token, v.put("theirs")) },
				"ended": func(v *visitor, token string) {
					v.visit(token, func(_ http.ResponseWriter, r *http.Request) { _ = v.sessions.Destroy(r.Context()) })
				},
				"ended with all": func(v *visitor, _ string) {
					_, _ = v.store.Owner("user", "alice").EndAll(context.Background())
				},
			} {
				token, v := open(newHooked(), sessionstore.WithStrategy(strategy()))
				v.sessions.IdleTimeout = time.Hour
				answer := v.visit(token, func(http.ResponseWriter, *http.Request) { meanwhile(v, token) })
				if answer.status != http.StatusOK {
					t.Errorf("%s, %s, %s meanwhile: answered with %d", name, strategyName, what, answer.status)
				}
			}
		}
	}
}

// What ends sessions goes on although the client has gone, and what has begun and failed is still listed.
func TestEndsThatAreInterrupted(t *testing.T) {
	t.Parallel()
	v := owners(t, newHooked())
	token, other := v.logIn("alice"), v.logIn("alice")
	ctx, cancel := context.WithCancel(t.Context())
	v.send(ctx, "/own", token, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		if n, err := v.store.Owner("user", "alice").EndAll(r.Context()); n != 2 || err != nil {
			t.Errorf("without a client, EndAll has ended %d, %v", n, err)
		}
	})
	if v.lives(token) || v.lives(other) {
		t.Error("a session lives, because the client has gone")
	}
	d := newHooked()
	v = owners(t, d)
	token = v.logIn("alice")
	d.onPut(func(record storage.Record, _ storage.Condition) error {
		if storage.Reserved(record.Key) {
			return nil
		}
		return storage.ErrThrottled
	})
	if _, err := v.store.Owner("user", "alice").EndAll(t.Context()); err == nil {
		t.Error("EndAll does not fail")
	}
	d.onPut(nil)
	v.wantDevices("after an EndAll that has failed", "alice", 1)
	if erased, err := v.store.Owner("user", "alice").Erase(t.Context()); len(erased.Sessions) != 1 || err != nil {
		t.Errorf("Erase: %+v, %v", erased, err)
	}
	if v.lives(token) {
		t.Error("the session lives")
	}
}

// An application's panic while sessions end is that of the request.
func TestPanicsWhileSessionsEnd(t *testing.T) {
	t.Parallel()
	v := owners(t, newHooked(), sessionstore.WithLifecycle(func(_ context.Context, change sessionstore.Lifecycle) {
		if change.Change == "ended" {
			panic("no")
		}
	}))
	v.logIn("alice")
	defer func() {
		if p := recover(); p != "no" {
			t.Errorf("recovered %v", p)
		}
	}()
	_, _ = v.store.Owner("user", "alice").EndAll(t.Context())
	t.Error("nothing panics")
}

// Who has an old secret makes no roster that is taken for one of the current.
func TestForgedRosters(t *testing.T) {
	t.Parallel()
	one, two := storetest.Secret(1), storetest.Secret(2)
	d, scratch := newHooked(), newHooked()
	v := owners(t, d, sessionstore.WithSecret(two), sessionstore.WithPreviousSecret(one, time.Now().Add(time.Hour)))
	v.logIn("alice")
	owners(t, scratch, sessionstore.WithSecret(one)).logIn("alice")
	var forged storage.Record
	for _, record := range records(t, scratch.Driver) {
		if storage.Reserved(record.Key) {
			forged = record
		}
	}
	for _, record := range records(t, d.Driver) {
		if storage.Reserved(record.Key) && record.Key != forged.Key {
			record.Data, record.Version = forged.Data, storage.NewVersion()
			if err := d.Driver.Put(t.Context(), record, storage.Always()); err != nil {
				t.Fatal(err)
			}
		}
	}
	failed := false
	for _, err := range v.store.Owner("user", "alice").Sessions(t.Context()) {
		failed = failed || err != nil
	}
	if !failed {
		t.Error("a roster that was made with the previous secret is taken for one of the current")
	}
}

func TestOwnerFrom(t *testing.T) {
	t.Parallel()
	type id string
	of := sessionstore.OwnerFrom("user")
	for want, value := range map[string]any{
		"alice": id("alice"), "7": int8(7), "8": uint16(8), "9": int64(9), "1h0m0s": time.Hour, "": struct{}{},
	} {
		if got := of(map[string]any{"user": value}); got != want {
			t.Errorf("%T: %q; want %q", value, got, want)
		}
	}
	if of(nil) != "" || of(map[string]any{"user": 0}) != "" {
		t.Error("nothing, or 0, is an owner")
	}
}
