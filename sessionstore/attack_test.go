package sessionstore_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/mark"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// The attacker can read and write the tables of two applications that have the same secret, knows every record that was
// ever there, and has a session of their own in each. Some know an old secret, too. They try all that records allow.
// What they achieve is what SECURITY.md says, sentence by sentence, and nothing else.

const (
	lifetime = 24 * time.Hour
	idle     = time.Hour
)

// victim is an application, and the sessions in it.
type victim struct {
	*visitor
	driver       *memory.Driver
	alice, mallo string // tokens; the attacker knows the second alone
}

func newVictim(t *testing.T, namespace string, options ...sessionstore.Option) *victim {
	t.Helper()
	driver := memory.New()
	v := &victim{driver: driver, visitor: newApplication(t, driver, namespace, options...)}
	v.alice = v.begin(map[string]any{"alice": true})
	v.mallo = v.begin(map[string]any{"mallory": true})
	return v
}

func newApplication(t *testing.T, driver *memory.Driver, namespace string, options ...sessionstore.Option) *visitor {
	t.Helper()
	if len(options) == 0 {
		options = []sessionstore.Option{sessionstore.WithSecret(storetest.Secret(1))}
	}
	v := newVisitor(t, inNamespace{driver, namespace}, options...)
	v.sessions.Lifetime, v.sessions.IdleTimeout = lifetime, idle
	return v
}

// again is the same application with other secrets.
func (v *victim) again(options ...sessionstore.Option) *victim {
	v.t.Helper()
	//nolint:forcetypeassert // it is one
	return &victim{newApplication(v.t.(*testing.T), v.driver, "shop", options...), v.driver, v.alice, v.mallo}
}

func (v *victim) record(token string) storage.Record {
	v.t.Helper()
	record, found, err := v.driver.Get(v.t.Context(), v.store.StorageKey(token), storage.Strong)
	if err != nil || !found {
		v.t.Fatalf("found %v, %v", found, err)
	}
	return record
}

// write puts a record into the table, whatever is there.
func (v *victim) write(record storage.Record, change func(*storage.Record)) {
	v.t.Helper()
	if change != nil {
		change(&record)
	}
	if err := v.driver.Put(v.t.Context(), record, storage.Always()); err != nil {
		v.t.Fatal(err)
	}
}

// who sends a request with a token, and returns who the application takes it for, empty for nobody.
func (v *victim) who(token string) (who string) {
	v.t.Helper()
	v.visit(token, func(_ http.ResponseWriter, r *http.Request) {
		who = strings.Join(v.sessions.Keys(r.Context()), " ")
	})
	return who
}

// forge returns a record of a session of the attacker's choice, made with a secret.
func (v *victim) forge(secret []byte, token string, deadline time.Time) storage.Record {
	v.t.Helper()
	scratch := memory.New()
	//nolint:forcetypeassert // it is one
	forger := newApplication(v.t.(*testing.T), scratch, "shop", sessionstore.WithSecret(secret))
	data, err := scs.GobCodec{}.Encode(deadline, map[string]any{"root": true})
	if err != nil {
		v.t.Fatal(err)
	}
	if err := forger.store.Commit(token, data, deadline); err != nil {
		v.t.Fatal(err)
	}
	return records(v.t, scratch)[0]
}

// forgeAs is forge for a record that looks like the one that is stored under a key, as far as the attacker can make it.
func (v *victim) forgeAs(secret []byte, like storage.Record, token string, deadline time.Time) storage.Record {
	v.t.Helper()
	data, err := scs.GobCodec{}.Encode(deadline, map[string]any{"mallory": true, "root": true})
	if err != nil {
		v.t.Fatal(err)
	}
	like.Version, like.ExpiresAt = mark.NewVersion(mark.Of(like)), deadline
	like.Data = sessionstore.SealUnder(secret, "namespace:shop", like, token, data, time.Now(), deadline)
	return like
}

// during puts a record into the table while a request has the session, once for a request that changes it and once for
// one that renews its token, and returns who the application takes each of the two sessions for afterwards.
func (v *victim) during(token string, put func() storage.Record) string {
	v.t.Helper()
	var all []string
	before := v.record(token)
	for _, handler := range []http.HandlerFunc{v.put("x"), func(_ http.ResponseWriter, r *http.Request) {
		_ = v.sessions.RenewToken(r.Context())
	}} {
		v.write(before, nil)
		answer := v.own(token, func(w http.ResponseWriter, r *http.Request) {
			handler(w, r)
			v.write(put(), nil)
		})
		for _, used := range []string{token, answer.token} {
			all = append(all, v.who(used))
		}
	}
	return strings.Join(all, " ")
}

// attacks is what is tried, and in which words SECURITY.md admits it; none for what must fail.
var attacks = map[string]struct {
	admitted string
	succeeds func(t *testing.T) bool
}{
	"delete a record": {"end any session, at any time", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		if err := v.driver.Delete(t.Context(), v.store.StorageKey(v.alice), storage.Always()); err != nil {
			t.Fatal(err)
		}
		return v.who(v.alice) == ""
	}},
	"bring an expiry forward": {"end any session, at any time", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		v.write(v.record(v.alice), func(r *storage.Record) { r.ExpiresAt = time.Now().Add(time.Second) })
		time.Sleep(time.Second)
		return v.who(v.alice) == ""
	}},
	"put off the idle timeout": {"keep a session past its idle timeout, until its deadline", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		v.write(v.record(v.alice), postponed)
		time.Sleep(lifetime - 1)
		return v.who(v.alice) == "alice"
	}},
	"put off the deadline": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		v.write(v.record(v.alice), postponed)
		time.Sleep(lifetime)
		return v.who(v.alice) != ""
	}},
	"bring back a logout": {"put an earlier state of a session back in its place, until its deadline: a change, or a " +
		"logout, is undone", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		before := v.record(v.alice)
		v.own(v.alice, v.logout)
		v.write(before, nil)
		return v.who(v.alice) == "alice"
	}},
	"bring back a change": {"put an earlier state of a session back in its place, until its deadline: a change, or a " +
		"logout, is undone", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		before := v.record(v.alice)
		v.own(v.alice, v.put("banned"))
		v.write(before, nil)
		return v.who(v.alice) == "alice"
	}},
	"hide a session by an earlier roster":       {rosterIsBack, earlierRoster},
	"hide a session by taking the roster away":  {rosterIsBack, noRoster},
	"exceed a limit by taking the roster away":  {rosterIsBack, limitWithoutRoster},
	"let a login in that an end of all refuses": {rosterIsBack, loginWithoutRoster},
	"break a roster":                        {"make the logins of an owner fail", brokenRoster},
	"list and end another owner's sessions": {"", movedRoster},
	"bring back a session that has expired": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		before := v.record(v.alice)
		time.Sleep(lifetime)
		v.write(before, postponed)
		return v.who(v.alice) != ""
	}},
	"have an earlier state merged past its deadline": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		until := func(deadline time.Duration, change func(context.Context)) {
			v.own(v.mallo, func(_ http.ResponseWriter, r *http.Request) {
				v.sessions.SetDeadline(r.Context(), time.Now().Add(deadline))
				change(r.Context())
			})
		}
		until(time.Minute, func(ctx context.Context) { v.sessions.Put(ctx, "root", true) })
		before := v.record(v.mallo)
		until(lifetime, func(ctx context.Context) { v.sessions.Remove(ctx, "root") })
		time.Sleep(time.Minute)
		postponed(&before)
		return strings.Contains(v.during(v.mallo, func() storage.Record { return before }), "root")
	}},
	"have an earlier state merged after WithSealedSince": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		v.own(v.mallo, v.put("root"))
		before := v.record(v.mallo)
		time.Sleep(time.Minute)
		since := time.Now()
		v.own(v.mallo, func(_ http.ResponseWriter, r *http.Request) { v.sessions.Remove(r.Context(), "root") })
		after := v.again(sessionstore.WithSecret(storetest.Secret(1)), sessionstore.WithSealedSince(since))
		return strings.Contains(after.during(v.mallo, func() storage.Record { return before }), "root")
	}},
	"have a session of format 1 merged after WithSealedSince": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop", sessionstore.WithSecret(storetest.Secret(1)), sessionstore.WithSealedSince(time.Now()))
		v.own(v.mallo, func(_ http.ResponseWriter, r *http.Request) {
			if err := v.sessions.Clear(r.Context()); err != nil {
				t.Error(err)
			}
		})
		return strings.Contains(v.during(v.mallo, func() storage.Record { return format1(t, v, v.mallo) }), "mallory")
	}},
	"have an earlier state merged by a request that outlasts its deadline": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		v.sessions.IdleTimeout = 0
		token := v.begin(map[string]any{"mallory": true, "root": true})
		before := v.record(token)
		v.own(token, func(_ http.ResponseWriter, r *http.Request) { v.sessions.Remove(r.Context(), "root") })
		time.Sleep(lifetime - 1)
		renewed := v.own(token, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(2 * time.Nanosecond)
			v.write(before, postponed)
			v.renew(nil)(w, r)
		}).token
		return strings.Contains(v.who(renewed), "root")
	}},
	"bring back a session after WithSealedSince": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		before := v.record(v.alice)
		v.own(v.alice, v.logout)
		time.Sleep(time.Minute)
		after := v.again(sessionstore.WithSecret(storetest.Secret(1)), sessionstore.WithSealedSince(time.Now()))
		v.write(before, postponed)
		return after.who(v.alice) != ""
	}},
	"make a record that cannot be read": {
		"make requests with a session fail, or wait for a lease",
		func(t *testing.T) bool {
			v := newVictim(t, "shop")
			v.write(v.record(v.alice), func(r *storage.Record) { r.Data = []byte("x") })
			return v.visit(v.alice, v.put("x")).status >= 500
		},
	},
	"change the version under a request": {
		"make requests with a session fail, or wait for a lease",
		func(t *testing.T) bool {
			v := newVictim(t, "shop")
			answer := v.visit(v.alice, func(w http.ResponseWriter, r *http.Request) {
				v.write(v.record(v.alice), func(r *storage.Record) { r.Version, r.Data = storage.NewVersion(), []byte("x") })
				v.put("x")(w, r)
			})
			return answer.status == http.StatusConflict
		},
	},
	"change when a session began": {
		"change the instants at which a session is said to have begun and been written",
		func(t *testing.T) bool {
			v := newVictim(t, "shop")
			past := time.Now().AddDate(-1, 0, 0)
			v.write(v.record(v.alice), func(r *storage.Record) { r.CreatedAt = past })
			session, _, err := v.store.Lookup(t.Context(), v.alice)
			return err == nil && session.CreatedAt.Equal(past)
		},
	},
	"invent a session": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		data, err := scs.GobCodec{}.Encode(time.Now().Add(lifetime), map[string]any{"root": true})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"chosen", v.store.StorageKey(v.mallo)} {
			v.write(v.record(v.mallo), func(r *storage.Record) { r.Key, r.Data = key, data })
		}
		return v.who("chosen") != "" || v.who(v.mallo) != ""
	}},
	"give a session the data of another": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		v.write(v.record(v.mallo), func(r *storage.Record) { r.Data = v.record(v.alice).Data })
		return v.who(v.mallo) != ""
	}},
	"move a session to a key whose token is known": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		v.write(v.record(v.alice), func(r *storage.Record) { r.Key = v.store.StorageKey(v.mallo) })
		return v.who(v.mallo) != ""
	}},
	"use a key as a token": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		record := v.record(v.alice)
		v.write(record, func(r *storage.Record) { r.Key = v.store.StorageKey(record.Key) })
		return v.who(record.Key) != ""
	}},
	"change a few bits": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		before := v.record(v.mallo)
		for i := range before.Data {
			changed := bytes.Clone(before.Data)
			changed[i] ^= 1
			v.write(before, func(r *storage.Record) { r.Data = changed })
			if v.who(v.mallo) != "" {
				return true
			}
		}
		return false
	}},
	"make a tombstone a session": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		v.own(v.alice, v.logout)
		v.write(v.record(v.alice), func(r *storage.Record) {
			r.UpdatedAt, r.ExpiresAt = time.Now(),
				time.Now().Add(lifetime)
		})
		return v.who(v.alice) != ""
	}},
	"make a renewed session the successor of another": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		v.write(ended.Tombstone(storage.Record{Key: v.store.StorageKey(v.mallo)}, v.store.StorageKey(v.alice),
			time.Now()), nil)
		return v.who(v.mallo) != ""
	}},
	"bring a session from another application": {"", func(t *testing.T) bool {
		v, other := newVictim(t, "shop"), newVictim(t, "admin")
		v.write(other.record(other.mallo), nil)
		v.write(other.record(other.mallo), func(r *storage.Record) { r.Key = v.store.StorageKey(v.mallo) })
		return v.who(other.mallo) != "" || v.who(v.mallo) != ""
	}},
	"bring a session from another table": {
		"move a session to another application with the same secret and context, also from a table of its own: " +
			"applications have the " +
			"same context where none is given and their keys have the same prefix and suffix, or none",
		func(t *testing.T) bool {
			for _, namespace := range []string{"", "shop:"} {
				v, other := newVictim(t, namespace), newVictim(t, namespace)
				v.write(other.record(other.mallo), nil)
				if v.who(other.mallo) != "mallory" {
					return false
				}
			}
			return true
		},
	},
	"bring a session from another table of an application with a context": {"", func(t *testing.T) bool {
		secret := sessionstore.WithSecret(storetest.Secret(1))
		other := newVictim(t, "", secret)
		for _, v := range []*victim{newVictim(t, "shop:"), newVictim(t, "", secret, sessionstore.WithSecretContext("shop"))} {
			v.write(other.record(other.mallo), nil)
			if v.who(other.mallo) != "" {
				return true
			}
		}
		return false
	}},
	"keep others from collecting": {
		"keep collectors from collecting what has expired, for an hour with each write",
		func(t *testing.T) bool {
			driver := memory.New()
			put := func(key string, age time.Duration, lease storage.Lease) {
				end := time.Now().Add(-age)
				if err := driver.Put(t.Context(), storage.Record{
					Key: key, Data: []byte{}, UpdatedAt: end.Add(-time.Hour), ExpiresAt: end,
					Version: storage.NewVersion(), Lease: lease,
				}, storage.Always()); err != nil {
					t.Fatal(err)
				}
			}
			const century, longest = 100 * 365 * 24 * time.Hour, time.Hour
			put("expired", 2*time.Hour, storage.Lease{})
			election, err := gcrunner.NewElection(driver, 0)
			if err != nil {
				t.Fatal(err)
			}
			collector, err := gcrunner.NewCollector(driver, gcrunner.Rules{Expired: true},
				gcrunner.CollectorOptions{Election: election})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				put(storage.ReservedPrefix+"collector", -century, storage.Lease{
					ID: storage.NewVersion(), Duration: longest, ExpiresAt: time.Now().Add(longest),
				})
				if _, err := collector.Run(t.Context()); !errors.Is(err, gcrunner.ErrNotElected) {
					return false
				}
				time.Sleep(longest)
			}
			return len(records(t, driver)) == 2
		},
	},
	"bring a session of format 1 from another application": {
		"move a session that an earlier version of this module has sealed (format 1) to another application with the same " +
			"secret, " +
			"until its deadline, and not with `WithSealedSince`",
		func(t *testing.T) bool { return movesFormat1(t) },
	},
	"bring a session of format 1 past its deadline": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop")
		v.write(format1(t, v, v.mallo), postponed)
		time.Sleep(lifetime)
		return v.who(v.mallo) != ""
	}},
	"bring a session of format 1 after WithSealedSince": {"", func(t *testing.T) bool {
		return movesFormat1(t, sessionstore.WithSecret(storetest.Secret(1)), sessionstore.WithSealedSince(time.Now()))
	}},

	// With an old secret.
	"forge with an old secret": {"with a previous secret, until its instant: make any session, and read or change one " +
		"that is sealed with it", func(t *testing.T) bool {
		v := newVictim(t, "shop").again(rotated(t, time.Now().Add(time.Hour))...)
		v.write(v.forge(storetest.Secret(1), "chosen", time.Now().Add(lifetime)), nil)
		return v.who("chosen") == "root"
	}},
	"read a session with its old secret": {"with a previous secret, until its instant: make any session, and read or " +
		"change one that is sealed with it", func(t *testing.T) bool {
		old := newVictim(t, "shop")
		token, _, _, _, err := sessionstore.Unseal(old.record(old.alice), storetest.Secret(1), "namespace:shop")
		v := old.again(rotated(t, time.Now().Add(time.Hour))...)
		return err == nil && v.who(token) == "alice"
	}},
	"read a current session with an old secret": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop").again(rotated(t, time.Now().Add(time.Hour))...)
		token := v.begin(map[string]any{"x": 1})
		_, _, _, _, err := sessionstore.Unseal(v.record(token), storetest.Secret(1), "namespace:shop")
		return err == nil
	}},
	"keep a forged session through WithSealedSince": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop").again(sessionstore.WithSecret(storetest.Secret(2), storetest.Secret(1)))
		v.write(v.forge(storetest.Secret(1), "chosen", time.Now().AddDate(10, 0, 0)), nil)
		v.own("chosen", v.put("moved"))
		renewed := v.own("chosen", v.renew(nil)).token
		time.Sleep(time.Second)
		after := v.again(sessionstore.WithSecret(storetest.Secret(2)), sessionstore.WithSealedSince(time.Now()))
		return after.who("chosen") != "" || after.who(renewed) != ""
	}},
	"change a session with its old secret": {"with a previous secret, until its instant: make any session, and read or " +
		"change one that is sealed with it", func(t *testing.T) bool {
		v := newVictim(t, "shop").again(rotated(t, time.Now().Add(time.Hour))...)
		v.write(v.forge(storetest.Secret(1), v.mallo, time.Now().Add(lifetime)), nil)
		return v.who(v.mallo) == "root"
	}},
	"forge with an old secret, after its instant": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop").again(rotated(t, time.Now().Add(time.Hour))...)
		time.Sleep(time.Hour)
		v.write(v.forge(storetest.Secret(1), "chosen", time.Now().Add(lifetime)), nil)
		return v.who("chosen") != ""
	}},
	"keep a forged session past the instant": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop").again(rotated(t, time.Now().Add(time.Hour))...)
		v.write(v.forge(storetest.Secret(1), "chosen", time.Now().AddDate(10, 0, 0)), nil)
		v.own("chosen", v.put("moved")) // to the current secret
		v.write(v.record("chosen"), postponed)
		time.Sleep(time.Hour)
		return v.who("chosen") != ""
	}},
	"renew a forged session": {"with a previous secret, past its instant: keep a session that the application has " +
		"renewed meanwhile", func(t *testing.T) bool {
		v := newVictim(t, "shop").again(rotated(t, time.Now().Add(time.Hour))...)
		v.write(v.forge(storetest.Secret(1), "chosen", time.Now().AddDate(10, 0, 0)), nil)
		token := v.own("chosen", v.renew(nil)).token
		for range 3 {
			time.Sleep(idle - 1)
			v.own(token, v.put("x"))
		}
		return strings.Contains(v.who(token), "root")
	}},
	"keep a forged session without an instant": {
		"with a previous secret that was given without an instant: keep a session that was changed meanwhile, also after " +
			"the secret was left out",
		func(t *testing.T) bool {
			v := newVictim(t, "shop").again(sessionstore.WithSecret(storetest.Secret(2), storetest.Secret(1)))
			v.write(v.forge(storetest.Secret(1), "chosen", time.Now().AddDate(10, 0, 0)), nil)
			v.own("chosen", v.put("moved"))
			v.write(v.record("chosen"), postponed)
			time.Sleep(10 * lifetime)
			return strings.Contains(v.again(sessionstore.WithSecret(storetest.Secret(2))).who("chosen"), "root")
		},
	},
	"forge with an old secret that was left out": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop").again(sessionstore.WithSecret(storetest.Secret(2)))
		forged := v.forge(storetest.Secret(1), "chosen", time.Now().Add(lifetime))
		v.write(forged, nil)
		v.write(forged, func(r *storage.Record) { r.Key = v.store.StorageKey("chosen") })
		return v.who("chosen") != ""
	}},
	"make a session that looks current": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop").again(rotated(t, time.Now().Add(time.Hour))...)
		current := v.begin(map[string]any{"x": 1})
		forged := v.forge(storetest.Secret(1), "chosen", time.Now().Add(lifetime))
		v.write(forged, func(r *storage.Record) { // under the key and with the header of the current secret
			r.Key = v.store.StorageKey("chosen")
			r.Data = slices.Concat(v.record(current).Data[:9], forged.Data[9:])
		})
		return v.who("chosen") != ""
	}},
	"make a current session with an old secret": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop").again(rotated(t, time.Now().Add(time.Hour))...)
		like := v.record(v.begin(map[string]any{"x": 1}))
		like.Key = v.store.StorageKey("chosen") // sealed for it, which takes no current secret
		v.write(v.forgeAs(storetest.Secret(1), like, "chosen", time.Now().Add(lifetime)), nil)
		return v.who("chosen") != ""
	}},
	"replace a current session with an old secret": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop").again(rotated(t, time.Now().Add(time.Hour))...)
		token := v.begin(map[string]any{"mallory": true})
		v.write(v.forgeAs(storetest.Secret(1), v.record(token), token, time.Now().Add(lifetime)), nil)
		return v.who(token) != ""
	}},
	"have a record merged into a current session with an old secret": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop").again(rotated(t, time.Now().Add(time.Hour))...)
		token := v.begin(map[string]any{"mallory": true})
		return strings.Contains(v.during(token, func() storage.Record {
			return v.forgeAs(storetest.Secret(1), v.record(token), token, time.Now().Add(lifetime))
		}), "root")
	}},
	"have a record merged with an old secret, after its instant": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop").again(rotated(t, time.Now().Add(time.Hour))...)
		time.Sleep(time.Hour)
		token := v.begin(map[string]any{"mallory": true})
		return strings.Contains(v.during(token, func() storage.Record {
			return v.forgeAs(storetest.Secret(1), v.record(token), token, time.Now().AddDate(10, 0, 0))
		}), "root")
	}},
	"have a record merged with an old secret, by a request that outlasts its instant": {"", func(t *testing.T) bool {
		old := newVictim(t, "shop")
		like := old.record(old.mallo)
		v := old.again(rotated(t, time.Now().Add(idle/2))...)
		v.own(v.mallo, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(idle / 2)
			v.write(v.forgeAs(storetest.Secret(1), like, v.mallo, time.Now().AddDate(10, 0, 0)), nil)
			v.put("x")(w, r)
		})
		return v.who(v.mallo) != ""
	}},
	"keep a record that was merged past the instant": {"", func(t *testing.T) bool {
		old := newVictim(t, "shop")
		like := old.record(old.mallo)
		v := old.again(rotated(t, time.Now().Add(time.Hour))...)
		v.own(v.mallo, func(w http.ResponseWriter, r *http.Request) {
			v.put("x")(w, r)
			v.write(v.forgeAs(storetest.Secret(1), like, v.mallo, time.Now().AddDate(10, 0, 0)), nil)
		})
		if !strings.Contains(v.who(v.mallo), "root") { // as admitted
			t.Error("it was not merged at all")
		}
		v.write(v.record(v.mallo), postponed)
		time.Sleep(time.Hour)
		return v.who(v.mallo) != ""
	}},
	"change a current session with an old secret": {"", func(t *testing.T) bool {
		v := newVictim(t, "shop").again(rotated(t, time.Now().Add(time.Hour))...)
		token := v.begin(map[string]any{"x": 1})
		v.write(v.forge(storetest.Secret(1), token, time.Now().Add(lifetime)), nil) // beside it, under the old key
		return v.who(token) != "x"
	}},
}

// rotated are the options of an application whose secret was changed.
func rotated(t *testing.T, until time.Time) []sessionstore.Option {
	t.Helper()
	return []sessionstore.Option{
		sessionstore.WithSecret(storetest.Secret(2)), sessionstore.WithPreviousSecret(storetest.Secret(1), until),
	}
}

// format1 returns a record as earlier versions have made it.
func format1(t *testing.T, v *victim, token string) storage.Record {
	t.Helper()
	data, err := scs.GobCodec{}.Encode(time.Now().Add(lifetime), map[string]any{"mallory": true})
	if err != nil {
		t.Fatal(err)
	}
	key := v.store.StorageKey(token)
	return storage.Record{
		Key: key, Data: sessionstore.SealFormat1(storetest.Secret(1), key, token, data), UpdatedAt: time.Now(),
		ExpiresAt: time.Now().Add(lifetime), Version: storage.NewVersion(),
	}
}

func movesFormat1(t *testing.T, options ...sessionstore.Option) bool {
	t.Helper()
	other := newVictim(t, "admin")
	v := newVictim(t, "shop", options...)
	v.write(format1(t, other, other.mallo), nil)
	return v.who(other.mallo) == "mallory"
}

func TestAttacksAchieveWhatIsAdmitted(t *testing.T) {
	t.Parallel()
	admitted := map[string]bool{}
	for name, attack := range attacks {
		if attack.admitted != "" {
			admitted[attack.admitted] = true
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				switch succeeds := attack.succeeds(t); {
				case succeeds && attack.admitted == "":
					t.Error("it succeeds, and must not")
				case !succeeds && attack.admitted != "":
					t.Error("it fails, although SECURITY.md says that it can be done; do not promise less than is true")
				}
			})
		})
	}
	text, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(text),
		"<!-- what whoever writes to the table achieves: as sessionstore/attack_test.go -->\n")
	list, _, closed := strings.Cut(list, "<!-- end -->")
	if !found || !closed {
		t.Fatal("SECURITY.md has no list of what is achieved")
	}
	said := map[string]bool{}
	for _, item := range strings.Split("\n"+strings.TrimSpace(list), "\n- ")[1:] {
		said[strings.Trim(strings.Join(strings.Fields(item), " "), ".;")] = true
	}
	if !maps.Equal(said, admitted) {
		t.Errorf("SECURITY.md says\n%s\nand the attacks achieve\n%s", strings.Join(slices.Sorted(maps.Keys(said)), "\n"),
			strings.Join(slices.Sorted(maps.Keys(admitted)), "\n"))
	}
}
