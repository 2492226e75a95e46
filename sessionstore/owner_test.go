package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// user is the index of these tests.
func user() sessionstore.Option {
	return sessionstore.WithOwner("user", sessionstore.OwnerFrom("user"))
}

// owners are visitors of an application that knows whose sessions they are.
func owners(t testing.TB, driver storage.Driver, options ...sessionstore.Option) *visitor {
	t.Helper()
	return newVisitor(t, driver, append([]sessionstore.Option{user()}, options...)...)
}

// login is a handler that logs somebody in, as scs documents it.
func (v *visitor) login(who string) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		if err := v.sessions.RenewToken(r.Context()); err != nil {
			v.t.Errorf("RenewToken: %v", err)
		}
		v.sessions.Put(r.Context(), "user", who)
	}
}

// logIn logs somebody in and returns the token.
func (v *visitor) logIn(who string) string {
	v.t.Helper()
	answer := v.own("", v.login(who))
	if answer.status != http.StatusOK || answer.token == "" {
		v.t.Fatalf("the login of %s was answered with %+v", who, answer)
	}
	return answer.token
}

// devices returns the owner's sessions.
func (v *visitor) devices(who string) []sessionstore.OwnedSession {
	v.t.Helper()
	var all []sessionstore.OwnedSession
	for session, err := range v.store.Owner("user", who).Sessions(context.Background()) {
		if err != nil {
			v.t.Fatal(err)
		}
		all = append(all, session)
	}
	return all
}

func (v *visitor) wantDevices(what, who string, n int) {
	v.t.Helper()
	if got := v.devices(who); len(got) != n {
		v.t.Errorf("%s, %s has %d sessions; want %d", what, who, len(got), n)
	}
}

func (v *visitor) lives(token string) bool {
	v.t.Helper()
	_, found, err := v.store.Lookup(context.Background(), token)
	if err != nil {
		v.t.Fatal(err)
	}
	return found
}

// everyOwnerStore runs a test with each strategy, with and without a secret.
func everyOwnerStore(t *testing.T, test func(t *testing.T, d *hooked, v *visitor)) {
	t.Helper()
	all := maps.Clone(strategies)
	all["none"] = lockstrategy.None
	for name, strategy := range all {
		for sealed, options := range map[string][]sessionstore.Option{
			"": nil, " with a secret": {sessionstore.WithSecret(storetest.Secret(1))},
		} {
			t.Run(name+sealed, func(t *testing.T) {
				t.Parallel()
				d := newHooked()
				test(t, d, owners(t, d, append(options, sessionstore.WithStrategy(strategy()))...))
			})
		}
	}
}

// T6: what an owner sees, and what ends.
func TestT6_SessionsOfAnOwner(t *testing.T) {
	t.Parallel()
	everyOwnerStore(t, func(t *testing.T, _ *hooked, v *visitor) {
		phone, laptop, tablet := v.logIn("alice"), v.logIn("alice"), v.logIn("alice")
		bob := v.logIn("bob")
		v.begin(map[string]any{"cart": 1})
		v.wantDevices("after three logins", "alice", 3)
		v.wantDevices("after one login", "bob", 1)
		v.wantDevices("after none", "carol", 0)

		alice := v.store.Owner("user", "alice")
		answer := v.own(laptop, func(_ http.ResponseWriter, r *http.Request) {
			var current []string
			var created []time.Time
			for device, err := range alice.Sessions(r.Context()) {
				if err != nil {
					t.Error(err)
				}
				if device.Current {
					current = append(current, device.ID)
				}
				created = append(created, device.CreatedAt)
			}
			if len(current) != 1 || len(created) != 3 {
				t.Errorf("%d of %d sessions are the current one", len(current), len(created))
			}
			if !slices.IsSortedFunc(created, func(a, b time.Time) int { return b.Compare(a) }) {
				t.Errorf("the latest login is not first: %v", created)
			}
			ended, err := alice.EndOthers(r.Context())
			if ended != 2 || err != nil {
				t.Errorf("EndOthers has ended %d, %v; want 2", ended, err)
			}
			v.sessions.Put(r.Context(), "seen", true)
		})
		if answer.status != http.StatusOK {
			t.Errorf("the request that ends the others was answered with %d", answer.status)
		}
		if v.lives(phone) || v.lives(tablet) || !v.lives(laptop) || !v.lives(bob) {
			t.Error("others have ended than alice's other sessions")
		}
		v.want("the session that stays", laptop, "seen user")

		phone = v.logIn("alice")
		devices := v.devices("alice")
		if len(devices) != 2 {
			t.Fatalf("%d devices after one more login; want 2", len(devices))
		}
		if ended, err := alice.End(t.Context(), devices[0].ID); !ended || err != nil || v.lives(phone) || !v.lives(laptop) {
			t.Errorf("End has ended %v, %v", ended, err)
		}
		if ended, err := alice.End(t.Context(), devices[0].ID); ended || err != nil {
			t.Errorf("once more, End has ended %v, %v", ended, err)
		}
		if ended, err := alice.EndAll(t.Context()); ended != 1 || err != nil {
			t.Errorf("EndAll has ended %d, %v; want 1", ended, err)
		}
		v.wantDevices("after the end of all", "alice", 0)
		v.wantDevices("after the end of another's", "bob", 1)
		v.logIn("alice")
		v.wantDevices("after a new login", "alice", 1)
	})
}

// T6: a login that began before the end of all sessions is refused, whatever it does, and whenever it commits.
func TestT6_LoginsUnderWay(t *testing.T) {
	t.Parallel()
	logins := map[string]func(v *visitor, between func()) http.HandlerFunc{
		"renewed": func(v *visitor, between func()) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { between(); v.login("alice")(w, r) }
		},
		"renewed before": func(v *visitor, between func()) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { v.login("alice")(w, r); between() }
		},
		"with its old token": func(v *visitor, between func()) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { v.sessions.Put(r.Context(), "user", "alice"); between() }
		},
		"another account": func(v *visitor, between func()) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				v.sessions.Put(r.Context(), "user", "alice")
				between()
				v.sessions.Put(r.Context(), "more", true)
			}
		},
	}
	everyOwnerStore(t, func(t *testing.T, _ *hooked, v *visitor) {
		for name, handler := range logins {
			for _, had := range []string{"", "anonymous", "bob"} {
				token := ""
				switch had {
				case "anonymous":
					token = v.begin(map[string]any{"cart": 1})
				case "bob":
					token = v.logIn("bob")
				}
				answer := v.own(token, handler(v, func() {
					if _, err := v.store.Owner("user", "alice").EndAll(t.Context()); err != nil {
						t.Errorf("EndAll: %v", err)
					}
				}))
				if answer.status != http.StatusConflict {
					t.Errorf("%s, with a session of %q: answered with %d; want 409", name, had, answer.status)
				}
				v.wantDevices(name+" with a session of "+had, "alice", 0)
				if token != "" && !v.lives(token) {
					t.Errorf("%s: the refused login has ended the session of %q", name, had)
				}
			}
		}
	})
}

// T6: the same between two processes whose clocks differ, where the login has said whom it expects.
func TestT6_ClocksThatDiffer(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-50 * time.Minute, 0, 50 * time.Minute} {
		driver := newHooked()
		here := owners(t, driver)
		there := owners(t, driver, sessionstore.WithClock(func() time.Time { return time.Now().Add(ahead) }))
		answer := there.own("", func(w http.ResponseWriter, r *http.Request) {
			if err := there.store.Owner("user", "alice").Expect(r.Context()); err != nil {
				t.Error(err)
			}
			if _, err := here.store.Owner("user", "alice").EndAll(t.Context()); err != nil {
				t.Error(err)
			}
			there.login("alice")(w, r)
		})
		if answer.status != http.StatusConflict {
			t.Errorf("%v ahead: a login that expects what was before is answered with %d; want 409", ahead, answer.status)
		}
		there.wantDevices("after it", "alice", 0)
		there.logIn("alice")
	}
}

// Whoever renews a token goes on, whatever was ended before; and whoever is ended does not.
func TestOwnerRenewals(t *testing.T) {
	t.Parallel()
	everyOwnerStore(t, func(t *testing.T, _ *hooked, v *visitor) {
		alice := v.store.Owner("user", "alice")
		token, other := v.logIn("alice"), v.logIn("alice")
		answer := v.own(token, func(_ http.ResponseWriter, r *http.Request) { // a change of the password
			if err := v.sessions.RenewToken(r.Context()); err != nil {
				t.Error(err)
			}
			if n, err := alice.EndOthers(r.Context()); n != 1 || err != nil {
				t.Errorf("EndOthers: %d, %v", n, err)
			}
		})
		if answer.status != http.StatusOK || answer.token == "" || !v.lives(answer.token) || v.lives(other) {
			t.Errorf("a renewal that ends the others was answered with %d", answer.status)
		}
		v.wantDevices("after that", "alice", 1)
		token = answer.token
		answer = v.own(token, func(_ http.ResponseWriter, r *http.Request) {
			if _, err := alice.EndAll(t.Context()); err != nil {
				t.Error(err)
			}
			if err := v.sessions.RenewToken(r.Context()); err != nil {
				t.Error(err)
			}
		})
		if answer.status != http.StatusConflict {
			t.Errorf("the renewal of a session that was ended meanwhile was answered with %d; want 409", answer.status)
		}
		v.wantDevices("after it", "alice", 0)

		token = v.logIn("alice")
		answer = v.own(token, func(_ http.ResponseWriter, r *http.Request) { // log out everywhere
			if n, err := alice.EndAll(r.Context()); n != 1 || err != nil {
				t.Errorf("EndAll: %d, %v", n, err)
			}
			if err := v.sessions.Destroy(r.Context()); err != nil {
				t.Error(err)
			}
		})
		if answer.status != http.StatusOK || !answer.ended {
			t.Errorf("a logout from everywhere is answered with %+v", answer)
		}
	})
}

// The owner changes with the values.
func TestOwnerChanges(t *testing.T) {
	t.Parallel()
	everyOwnerStore(t, func(t *testing.T, _ *hooked, v *visitor) {
		token := v.begin(map[string]any{"cart": 1})
		put := func(who string) {
			t.Helper()
			answer := v.own(token, func(_ http.ResponseWriter, r *http.Request) {
				v.sessions.Put(r.Context(), "user", who)
			})
			if answer.status != http.StatusOK {
				t.Errorf("becoming %q is answered with %d", who, answer.status)
			}
		}
		put("alice")
		v.wantDevices("after her login", "alice", 1)
		put("bob")
		v.wantDevices("after an impersonation", "alice", 0)
		v.wantDevices("after an impersonation", "bob", 1)
		if _, err := v.store.Owner("user", "alice").EndAll(t.Context()); err != nil || !v.lives(token) {
			t.Errorf("the end of alice's sessions has ended bob's: %v", err)
		}
		put("")
		v.wantDevices("after a logout", "bob", 0)
		if _, err := v.store.Owner("user", "bob").EndAll(t.Context()); err != nil || !v.lives(token) {
			t.Errorf("the end of bob's sessions has ended one that is nobody's: %v", err)
		}
		put("alice")
		v.own(token, func(_ http.ResponseWriter, r *http.Request) { _ = v.sessions.Destroy(r.Context()) })
		v.wantDevices("after the end", "alice", 0)
	})
}

// A change that is merged with a login has the owner of the login.
func TestOwnerOfMergedSessions(t *testing.T) {
	t.Parallel()
	for _, options := range [][]sessionstore.Option{nil, {sessionstore.WithSecret(storetest.Secret(1))}} {
		v := owners(t, newHooked(), options...)
		token := v.begin(map[string]any{"cart": 1})
		answer := v.own(token, func(_ http.ResponseWriter, r *http.Request) {
			v.sessions.Put(r.Context(), "cart", 2)
			v.own(token, func(_ http.ResponseWriter, r *http.Request) { v.sessions.Put(r.Context(), "user", "alice") })
		})
		if answer.status != http.StatusOK {
			t.Errorf("answered with %d", answer.status)
		}
		v.want("the merged session", token, "cart user")
		v.wantDevices("after that", "alice", 1)
		if n, err := v.store.Owner("user", "alice").EndAll(t.Context()); n != 1 || err != nil || v.lives(token) {
			t.Errorf("EndAll has ended %d, %v", n, err)
		}
	}
}

// A limit holds however many logins come at once.
func TestOwnerLimit(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]sessionstore.OwnerLimit{
		"deny": sessionstore.DenyNew, "end the oldest": sessionstore.EndOldest,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := owners(t, newHooked(), sessionstore.WithOwnerLimit("user", 3, then))
			var group sync.WaitGroup
			var accepted, denied atomic.Int32
			for range 12 {
				group.Go(func() {
					switch answer := v.own("", v.login("alice")); answer.status {
					case http.StatusOK:
						accepted.Add(1)
					case http.StatusConflict:
						denied.Add(1)
					default:
						t.Errorf("answered with %d", answer.status)
					}
					if n := len(v.devices("alice")); n > 3 {
						t.Errorf("%d sessions live; want at most 3", n)
					}
				})
			}
			group.Wait()
			v.wantDevices("after all logins", "alice", 3)
			if accepted.Load()+denied.Load() != 12 || then == sessionstore.DenyNew && accepted.Load() != 3 {
				t.Errorf("%d were accepted, %d denied", accepted.Load(), denied.Load())
			}
			v.logIn("bob")
		})
	}
}

// What has ended does not count, a renewal is no login, and a limit that was lowered ends what it must.
func TestOwnerLimitCountsWhatLives(t *testing.T) {
	t.Parallel()
	d := newHooked()
	v := owners(t, d, sessionstore.WithOwnerLimit("user", 2, sessionstore.DenyNew))
	first, second := v.logIn("alice"), v.logIn("alice")
	if answer := v.own("", v.login("alice")); answer.status != http.StatusConflict ||
		!strings.Contains(answer.body, "log out") {
		t.Errorf("a third login is answered with %d, %q; want 409, and what to do", answer.status, answer.body)
	}
	answer := v.own(first, v.renew(func() {}))
	if answer.status != http.StatusOK {
		t.Errorf("a renewal is answered with %d", answer.status)
	}
	v.own(second, func(_ http.ResponseWriter, r *http.Request) { _ = v.sessions.Destroy(r.Context()) })
	v.logIn("bob")
	lower := owners(t, d, sessionstore.WithOwnerLimit("user", 1, sessionstore.EndOldest))
	for range 2 {
		lower.logIn("carol")
	}
	lower.wantDevices("of a limit of 1", "carol", 1)
}

// Nobody can be called what is no key, and a function that panics refuses the commit.
func TestInvalidOwners(t *testing.T) {
	t.Parallel()
	panics := sessionstore.WithOwner("tenant", func(values map[string]any) string {
		if values["panic"] != nil {
			panic("no")
		}
		return ""
	})
	v := owners(t, newHooked(), panics)
	v.sessions.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusTeapot)
	}
	for name, values := range map[string]map[string]any{
		"too long": {"user": strings.Repeat("a", sessionstore.MaxOwnerBytes+1)}, "NUL": {"user": "a\x00b"},
		"no UTF-8": {"user": "\xff"}, "panics": {"panic": true},
	} {
		answer := v.own("", func(_ http.ResponseWriter, r *http.Request) {
			for key, value := range values {
				v.sessions.Put(r.Context(), key, value)
			}
		})
		if answer.status != http.StatusTeapot || !strings.Contains(answer.body, "owner") || answer.token != "" {
			t.Errorf("%s: answered with %d %q", name, answer.status, answer.body)
		}
	}
	for _, owner := range []*sessionstore.Owner{
		v.store.Owner("user", ""), v.store.Owner("user", "\xff"), v.store.Owner("none", "alice"),
	} {
		if _, err := owner.EndAll(t.Context()); !errors.Is(err, sessionstore.ErrInvalidOwner) {
			t.Errorf("EndAll: %v; want ErrInvalidOwner", err)
		}
	}
	for _, name := range []string{
		`"quoted"`, "user:alice", "scsdynamo:owner:user:alice", ".", "a.b", ".123456789012:user:alice", "日本", " ",
	} {
		v.logIn(name)
		v.wantDevices("after a login", name, 1)
	}
	v.wantDevices("after logins of others", "alice", 0)

	_, err := sessionstore.New(memory.New(), user(), user(), sessionstore.WithOwner("No", nil),
		sessionstore.WithOwner("tenant", nil), sessionstore.WithOwnerLimit("other", 1, sessionstore.DenyNew),
		sessionstore.WithOwnerLimit("user", 0, sessionstore.DenyNew), sessionstore.WithOwnerDetails(nil))
	if err == nil || strings.Count(err.Error(), "\n") != 5 {
		t.Errorf("New reports %v; want 6 problems", err)
	}
}

// The rosters of those who log in for years stay as small as those of others, whatever their sessions end by.
func TestOwnersOfManyLogins(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(v *visitor, token string){
		"logout": func(v *visitor, token string) {
			v.own(token, func(_ http.ResponseWriter, r *http.Request) { _ = v.sessions.Destroy(r.Context()) })
		},
		"idle":     func(*visitor, string) { time.Sleep(40 * time.Minute) },
		"lifetime": func(*visitor, string) { time.Sleep(26 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				driver := memory.New()
				v := owners(t, driver)
				v.sessions.IdleTimeout = 30 * time.Minute
				for range 2000 {
					end(v, v.logIn("alice"))
				}
				size, rosters := 0, 0
				for _, record := range records(t, driver) {
					if storage.Reserved(record.Key) && !record.Expired(time.Now()) {
						size, rosters = size+len(record.Data), rosters+1
					}
				}
				if size > 4<<10 || rosters > 5 {
					t.Errorf("after 2,000 logins the roster has %d records and %d bytes", rosters, size)
				}
			})
		})
	}
}

// With many sessions that live, all are listed, the latest first, and all are ended.
func TestOwnerOfManySessions(t *testing.T) {
	t.Parallel()
	v := owners(t, newHooked(), sessionstore.WithSecret(storetest.Secret(1)))
	const n = 300
	tokens := make([]string, n)
	for i := range n {
		tokens[i] = v.logIn("alice")
	}
	devices := v.devices("alice")
	if len(devices) != n {
		t.Fatalf("%d of %d sessions are listed", len(devices), n)
	}
	newestFirst := func(a, b sessionstore.OwnedSession) int { return b.CreatedAt.Compare(a.CreatedAt) }
	if !slices.IsSortedFunc(devices, newestFirst) {
		t.Error("the latest login is not first")
	}
	for page, after := range map[int]string{n: "", n - 100: devices[99].ID, 0: devices[n-1].ID} {
		got := 0
		for session, err := range v.store.Owner("user", "alice").SessionsAfter(t.Context(), after) {
			if err != nil || session.ID != devices[n-page+got].ID {
				t.Errorf("the sessions after the one of index %d are others: %v", n-page-1, err)
				break
			}
			got++
		}
		if got != page {
			t.Errorf("%d sessions after the one of index %d; want %d", got, n-page-1, page)
		}
	}
	if ended, err := v.store.Owner("user", "alice").EndAll(t.Context()); ended != n || err != nil {
		t.Errorf("EndAll has ended %d, %v", ended, err)
	}
	for _, token := range tokens {
		if v.lives(token) {
			t.Fatal("a session is left")
		}
	}
}

// Sessions that were there before have an owner with their next commit, also if that changes nothing else; and while a
// secret changes, all processes see all of them.
func TestOwnersOfOlderSessions(t *testing.T) {
	t.Parallel()
	d := newHooked()
	before := newVisitor(t, d)
	token := before.logIn("alice")
	v := owners(t, d)
	v.wantDevices("before any commit", "alice", 0)
	v.own(token, func(_ http.ResponseWriter, r *http.Request) { v.sessions.Put(r.Context(), "user", "alice") })
	v.wantDevices("after a commit", "alice", 1)
}

func TestOwnersWhileASecretChanges(t *testing.T) {
	t.Parallel()
	one, two := storetest.Secret(1), storetest.Secret(2)
	d := newHooked()
	steps := []*visitor{
		owners(t, d, sessionstore.WithSecret(one)), owners(t, d, sessionstore.WithSecret(one, two)),
		owners(t, d, sessionstore.WithSecret(two, one)),
	}
	var tokens []string
	for i, v := range steps[:2] { // each process knows a secret of each other one that runs
		tokens = append(tokens, v.logIn("alice"))
		for _, other := range []*visitor{v, steps[i+1]} {
			other.wantDevices(fmt.Sprintf("after %d logins", i+1), "alice", i+1)
		}
	}
	last := steps[2]
	last.own(tokens[0], func(_ http.ResponseWriter, r *http.Request) { last.sessions.Put(r.Context(), "moved", true) })
	last.wantDevices("after a move", "alice", 2)
	steps[1].wantDevices("after a move", "alice", 2)
	if ended, err := steps[1].store.Owner("user", "alice").EndAll(t.Context()); ended != 2 || err != nil {
		t.Errorf("EndAll has ended %d, %v; want 2", ended, err)
	}
	for _, token := range tokens {
		if last.lives(token) {
			t.Error("a session is left")
		}
	}
	after := owners(t, d, sessionstore.WithSecret(two))
	after.logIn("alice")
	after.wantDevices("with the new secret alone", "alice", 1)
	erased, err := after.store.Owner("user", "alice").Erase(t.Context())
	if err != nil || len(erased.Sessions) != 1 || time.Until(erased.Until) > 76*time.Minute {
		t.Errorf("Erase returns %+v, %v", erased, err)
	}
	after.wantDevices("after that", "alice", 0)
}

// What an application shows of a session is what its login said, within limits.
func TestOwnerDetails(t *testing.T) {
	t.Parallel()
	details := sessionstore.WithOwnerDetails(func(r *http.Request, values map[string]any) map[string]string {
		all := map[string]string{"path": r.URL.Path, "user": fmt.Sprint(values["user"]), "long": strings.Repeat("é", 100)}
		for i := range 10 {
			all[fmt.Sprintf("z%d", i)] = ""
		}
		return all
	})
	v := owners(t, newHooked(), details)
	token := v.logIn("alice")
	v.visit(token, v.put("more"))
	got := v.devices("alice")[0].Details
	if len(got) != 8 || got["path"] != "/own" || got["user"] != "alice" || got["long"] != strings.Repeat("é", 64) {
		t.Errorf("the details are %q", got)
	}
}

// With a secret, what is stored tells neither who has logged in nor which sessions belong together.
func TestRostersTellNothing(t *testing.T) {
	t.Parallel()
	d := newHooked()
	v := owners(t, d, sessionstore.WithSecret(storetest.Secret(1)),
		sessionstore.WithOwnerDetails(func(*http.Request, map[string]any) map[string]string {
			return map[string]string{"device": "telephone"}
		}))
	for range 20 {
		v.logIn("alice")
	}
	versions := map[string]bool{}
	all := records(t, d.Driver)
	for _, record := range all {
		text := record.Key + record.Version + record.Ancestry + string(record.Data)
		for _, secret := range []string{"alice", "telephone", "user"} {
			if strings.Contains(text, secret) {
				t.Errorf("a record under %q tells %q", record.Key, secret)
			}
		}
		for _, other := range all {
			if other.Key != record.Key && strings.Contains(text, other.Key) {
				t.Error("a record names another")
			}
		}
		if _, tags, marked := strings.Cut(record.Version, "~"); marked {
			if versions[tags] {
				t.Error("two sessions have the same tag")
			}
			versions[tags] = true
		}
	}
	if len(versions) != 20 {
		t.Errorf("%d of 20 sessions have a tag", len(versions))
	}
}

// A write that fails refuses the login as such, and nothing is left on the way.
func TestLoginsThatFail(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{
		"throttled": storage.ErrThrottled, "unknown": storage.ErrOutcomeUnknown, "unavailable": storage.ErrUnavailable,
	} {
		for _, write := range []string{"roster", "session"} {
			d := newHooked()
			v := owners(t, d)
			d.onPut(func(record storage.Record, _ storage.Condition) error {
				if storage.Reserved(record.Key) == (write == "roster") {
					return fault
				}
				return nil
			})
			answer := v.own("", v.login("alice"))
			want := http.StatusServiceUnavailable
			if name == "unknown" && write == "session" {
				want = http.StatusInternalServerError
			}
			if answer.status != want || answer.token != "" {
				t.Errorf("%s, %s: answered with %d; want %d", name, write, answer.status, want)
			}
			d.onPut(nil)
			v.wantDevices(name+" "+write, "alice", 0)
			v.logIn("alice")
			v.wantDevices(name+" "+write+", after a login", "alice", 1)
		}
	}
}

// T6: of two logins in one session, the one that is refused takes the other one's session off no roster.
func TestT6_LoginsInOneSession(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"alice", "bob"} {
		d := newHooked()
		v := owners(t, d, sessionstore.WithStrategy(lockstrategy.Optimistic()))
		token := v.begin(map[string]any{"cart": 1})
		become := func(who string) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { v.sessions.Put(r.Context(), "user", who) }
		}
		d.onPut(func(record storage.Record, _ storage.Condition) error {
			if !storage.Reserved(record.Key) { // the first login is on the roster, and about to be committed
				d.onPut(nil)
				if answer := v.own(token, become("alice")); answer.status != http.StatusOK {
					t.Errorf("the second login is answered with %d", answer.status)
				}
			}
			return nil
		})
		if answer := v.own(token, become(first)); answer.status != http.StatusConflict {
			t.Errorf("the first login is answered with %d; want 409", answer.status)
		}
		v.wantDevices("after two logins in one session", "alice", 1)
		if n, err := v.store.Owner("user", "alice").EndAll(t.Context()); n != 1 || err != nil || v.lives(token) {
			t.Errorf("EndAll has ended %d, %v", n, err)
		}
	}
}

// Who only reads is in nobody's way when the session gets its owner by that, and no limit refuses what was there
// before.
func TestReadersOfOlderSessions(t *testing.T) {
	t.Parallel()
	d := newHooked()
	before := newVisitor(t, d)
	tokens := []string{before.logIn("alice"), before.logIn("alice"), before.logIn("alice")}
	v := owners(t, d, sessionstore.WithOwnerLimit("user", 1, sessionstore.DenyNew), sessionstore.WithTouchInterval(0))
	v.sessions.IdleTimeout = time.Hour
	for _, token := range tokens {
		answer := v.own(token, func(_ http.ResponseWriter, r *http.Request) {
			v.own(token, v.put("changed"))
		})
		if answer.status != http.StatusOK {
			t.Errorf("a request that only reads is answered with %d", answer.status)
		}
	}
	v.wantDevices("after a request of each", "alice", 3)
	if answer := v.own("", v.login("alice")); answer.status != http.StatusConflict {
		t.Errorf("a login beyond the limit is answered with %d", answer.status)
	}
}

// T6: a commit outside of a scope, of which nobody knows when its request began, does not bring back what was ended
// while it was being written, either.
func TestT6_CommitsWithoutAScope(t *testing.T) {
	t.Parallel()
	for _, had := range []bool{false, true} {
		d := newHooked()
		v := owners(t, d)
		token := "token"
		if had {
			token = v.logIn("alice")
		}
		once := true
		d.onPut(func(record storage.Record, _ storage.Condition) error {
			if once && record.Key == token {
				once = false
				if _, err := v.store.Owner("user", "alice").EndAll(t.Context()); err != nil {
					t.Error(err)
				}
			}
			return nil
		})
		expiry := time.Now().Add(time.Hour)
		data, err := v.sessions.Codec.Encode(expiry, map[string]any{"user": "alice"})
		if err != nil {
			t.Fatal(err)
		}
		if err := v.store.CommitCtx(t.Context(), token, data, expiry); !errors.Is(err, sessionstore.ErrSessionGone) {
			t.Errorf("with a session before %v: %v; want ErrSessionGone", had, err)
		}
		if v.lives(token) {
			t.Errorf("with a session before %v: it is back", had)
		}
	}
}

// T6: a session that is somebody else's by now is not ended, although its former owner's roster could not be told.
func TestT6_SessionsOfAFormerOwner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newHooked()
		v := owners(t, d)
		v.sessions.Lifetime = 24 * time.Hour
		token := v.logIn("alice")
		become := func(who string) {
			v.own(token, func(_ http.ResponseWriter, r *http.Request) { v.sessions.Put(r.Context(), "user", who) })
		}
		d.onPut(func(record storage.Record, _ storage.Condition) error {
			if strings.HasSuffix(record.Key, ":alice") {
				return storage.ErrUnavailable
			}
			return nil
		})
		become("bob")
		d.onPut(nil)
		time.Sleep(76 * time.Minute)
		v.wantDevices("after an impersonation", "alice", 0)
		if n, err := v.store.Owner("user", "alice").EndAll(t.Context()); n != 0 || err != nil || !v.lives(token) {
			t.Errorf("EndAll has ended %d, %v; bob's session lives: %v", n, err, v.lives(token))
		}
	})
}
