package sessionstore_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// The vectors of format 2 were computed once, by another implementation of HMAC, HKDF and AES-GCM, from the description
// in seal.go. They never change: what is stored must open.
func TestSealVectors(t *testing.T) {
	t.Parallel()
	for _, v := range sealVectors(t) {
		secret, sealed := unhex(t, v.Secret), unhex(t, v.Sealed)
		if key := sessionstore.StorageKeyOf(secret, v.Token); key != v.Key {
			t.Errorf("the storage key is %s; want %s", key, v.Key)
		}
		token, data, at, deadline, err := sessionstore.Unseal(storage.Record{Key: v.Key, Data: sealed}, secret, v.Context)
		if err != nil || token != v.Token || data != v.Data || at != v.SealedAt || deadline != v.Deadline {
			t.Errorf("opened as %q %q %d %d, %v; want %+v", token, data, at, deadline, err, v)
		}
		if _, _, _, _, err := sessionstore.Unseal(storage.Record{Key: v.Key, Data: sealed},
			secret, v.Context+"x"); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("in another context: %v; want ErrCorrupt", err)
		}
	}
}

type sealVector struct {
	Secret, Context, Token, Data, Key, Sealed string
	SealedAt                                  int64 `json:"sealed_at"`
	Deadline                                  int64
}

func sealVectors(t testing.TB) (vectors []sealVector) {
	t.Helper()
	text, err := os.ReadFile("testdata/seal2.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors) != 4 {
		t.Fatal(len(vectors), err)
	}
	return vectors
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The smallest session there is opens as any other, and ends at its deadline.
func TestSealOfTheSmallestSession(t *testing.T) {
	t.Parallel()
	secret, now := storetest.Secret(1), time.Now()
	record := storage.Record{Key: sessionstore.StorageKeyOf(secret, "t")}
	for deadline, live := range map[time.Time]bool{
		{}: true, now.Add(time.Hour): true, now.Add(-time.Hour): false, time.Unix(0, 0): false, time.Unix(-1, 0): false,
		time.Unix(0, 1): false,
	} {
		record.Data = sessionstore.SealUnder(secret, "namespace:", record, "t", nil, now, deadline)
		data, err := sessionstore.Open(record, "t", secret)
		if (err == nil) != live || len(data) > 0 || errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("until %v: %q, %v; want it to open: %v", deadline, data, err, live)
		}
	}
}

// Where only algorithms of FIPS 140 may be used, sessions of both formats work as ever.
func TestSealWithFIPS(t *testing.T) {
	t.Parallel()
	if os.Getenv("GODEBUG") == "fips140=only" {
		t.Skip("this is the process that the test starts")
	}
	const tests = "^(TestSecretVectors|TestSealVectors|TestRotation|TestStorageIsNoise|TestContexts)$"
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+tests, "-test.v", "-test.timeout=1m")
	command.Env = append(os.Environ(), "GODEBUG=fips140=only")
	output, err := command.CombinedOutput()
	if passed := bytes.Count(output, []byte("--- PASS")); err != nil || passed < 5 {
		t.Errorf("%v, %d tests passed:\n%s", err, passed, output)
	}
}

// inNamespace is a driver that shares its storage.
type inNamespace struct {
	*memory.Driver
	namespace string
}

func (d inNamespace) Namespace() string { return d.namespace }

// A session opens in the application for which it was sealed, and in no other, although the secret is the same.
func TestContexts(t *testing.T) {
	t.Parallel()
	named := sessionstore.WithSecretContext
	applications := []struct {
		namespace string
		options   []sessionstore.Option
	}{
		{"", nil},
		{"shop", nil},
		{"admin", nil},
		{"", []sessionstore.Option{named("shop")}},
		{"x", []sessionstore.Option{named("admin")}},
		{"", []sessionstore.Option{named("namespace:shop")}},
		{"", []sessionstore.Option{named("application:shop")}},
	}
	for i, a := range applications {
		for j, b := range applications {
			driver := memory.New()
			secret := sessionstore.WithSecret(storetest.Secret(1))
			writer := newStore(t, inNamespace{driver, a.namespace}, append(slices.Clone(a.options), secret)...)
			reader := newStore(t, inNamespace{driver, b.namespace}, append(slices.Clone(b.options), secret)...)
			commit(t, writer, "token", "data")
			data, found, err := reader.Find("token")
			if i == j && (err != nil || !found || string(data) != "data") {
				t.Errorf("%+v: found %v, %v; want its own session", a, found, err)
			}
			if i != j && (found || !errors.Is(err, storage.ErrCorrupt)) {
				t.Errorf("a session of %+v in %+v: found %v, %v; want ErrCorrupt", a, b, found, err)
			}
			if i != j && !strings.Contains(err.Error(), "WithSecretContext") {
				t.Errorf("a session of %+v in %+v: %v; want that it says what to do", a, b, err)
			}
		}
	}
	// A name is the same in every namespace: the storage may be another one tomorrow.
	driver := memory.New()
	secret := sessionstore.WithSecret(storetest.Secret(1))
	commit(t, newStore(t, inNamespace{driver, "one"}, secret, named("shop")), "token", "data")
	wantData(t, newStore(t, inNamespace{driver, "two"}, secret, named("shop")), "token", "data")
}

// However a record is changed, it is the session that was sealed, or none.
func TestSealedRecordsAreTheirOwnOrNone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		driver := memory.New()
		secrets := [][]byte{storetest.Secret(1), storetest.Secret(2)}
		data := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(rt, "data")
		token := rapid.StringN(1, 50, 200).Filter(func(s string) bool {
			return storage.ValidKey(s, 200) &&
				!storage.Reserved(s)
		}).Draw(rt, "token")
		put := func(driver storage.Driver, token string, data []byte, secret []byte) storage.Record {
			store, err := sessionstore.New(driver, sessionstore.WithSecret(secret))
			if err != nil {
				rt.Fatal(err)
			}
			if err := store.Commit(token, data, time.Now().Add(time.Hour)); err != nil {
				rt.Fatal(err)
			}
			record, _, err := driver.Get(t.Context(), store.StorageKey(token), storage.Strong)
			if err != nil {
				rt.Fatal(err)
			}
			return record
		}
		ours := put(driver, token, data, secrets[0])
		others := []storage.Record{
			put(driver, token+"'", data, secrets[0]),
			put(memory.New(), token, data, secrets[1]),
			put(inNamespace{memory.New(), "another"}, token, data, secrets[0]),
		}
		if got, err := sessionstore.Open(ours, token, secrets...); err != nil || !bytes.Equal(got, data) {
			rt.Fatalf("opened %q, %v; want %q", got, err, data)
		}
		forged := storage.Record{Key: ours.Key, Data: bytes.Clone(ours.Data)}
		other := others[rapid.IntRange(0, len(others)-1).Draw(rt, "other")]
		at := rapid.IntRange(0, len(forged.Data)-1).Draw(rt, "at")
		switch kind := rapid.SampledFrom([]string{
			"moved", "swapped", "cut", "extended", "changed", "header", "spliced",
			"old format",
		}).Draw(rt, "kind"); kind {
		case "moved":
			forged.Key = others[0].Key
		case "swapped":
			forged.Data = other.Data
		case "cut":
			forged.Data = forged.Data[:at]
		case "extended":
			forged.Data = append(forged.Data, rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(rt, "more")...)
		case "changed":
			forged.Data[at] ^= byte(rapid.IntRange(1, 255).Draw(rt, "bits"))
		case "header":
			if bytes.Equal(other.Data[:9], forged.Data[:9]) {
				rt.Skip("the header is the same")
			}
			copy(forged.Data, other.Data[:9])
		case "spliced":
			cut := min(at, len(other.Data))
			forged.Data = append(bytes.Clone(other.Data[:cut]), forged.Data[cut:]...)
			if bytes.Equal(forged.Data, ours.Data) {
				rt.Skip("nothing was changed")
			}
		case "old format":
			forged.Data = append([]byte{1}, slices.Concat(forged.Data[1:5], forged.Data[9:])...)
		}
		if got, err := sessionstore.Open(forged, token, secrets...); !errors.Is(err, storage.ErrCorrupt) {
			rt.Fatalf("it opens: %q, %v", got, err)
		}
	})
}

// everyWay asks for a session in each way there is, and returns those that found it.
func (v *visitor) everyWay(token string) (found []string) {
	v.t.Helper()
	note := func(way string, yes bool, err error) {
		if err != nil {
			v.t.Errorf("%s: %v", way, err)
		}
		if yes {
			found = append(found, way)
		}
	}
	_, plain, err := v.store.Find(token)
	note("Find", plain, err)
	ctx, end := v.store.Begin(v.t.Context())
	_, scoped, err := v.store.FindCtx(ctx, token)
	note("in a scope", scoped, err)
	end()
	_, looked, err := v.store.Lookup(v.t.Context(), token)
	note("Lookup", looked, err)
	all, err := v.store.All()
	note("All", all[token] != nil, err)
	for session, err := range v.store.Sessions(v.t.Context()) {
		note("Sessions", session.Token == token, err)
	}
	return found
}

// rewrite changes what is stored, as somebody who can write to the table does.
func rewrite(t testing.TB, driver storage.Driver, key string, change func(*storage.Record)) {
	t.Helper()
	record, found, err := driver.Get(t.Context(), key, storage.Strong)
	if err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	change(&record)
	if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
		t.Fatal(err)
	}
}

func postponed(record *storage.Record) { record.ExpiresAt = record.ExpiresAt.AddDate(10, 0, 0) }

// A session is over at scs's deadline, however far its expiry was moved.
func TestDeadlineHolds(t *testing.T) {
	t.Parallel()
	for name, idle := range map[string]time.Duration{"no idle timeout": 0, "an idle timeout": 20 * time.Minute} {
		for strategy, make := range strategies {
			t.Run(name+"/"+strategy, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					driver := memory.New()
					v := newVisitor(t, driver, sessionstore.WithSecret(storetest.Secret(1)), sessionstore.WithStrategy(make()))
					v.sessions.Lifetime, v.sessions.IdleTimeout = time.Hour, idle
					token := v.begin(map[string]any{"user": "alice"})
					rewrite(t, driver, v.store.StorageKey(token), postponed)
					time.Sleep(time.Hour - 1)
					if ways := v.everyWay(token); len(ways) != 5 {
						t.Errorf("just before the deadline, only %q find the session", ways)
					}
					time.Sleep(time.Nanosecond)
					if ways := v.everyWay(token); len(ways) != 0 {
						t.Errorf("at the deadline, %q find the session", ways)
					}
					// A request with it gets a session of its own.
					answer := v.own(token, v.put("cart"))
					if answer.status != 200 || answer.token == "" || answer.token == token {
						t.Errorf("a request after the deadline: %+v", answer)
					}
				})
			})
		}
	}
}

// A session that is merged keeps its deadline in the seal.
func TestDeadlineHoldsAfterAMerge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		v := newVisitor(t, driver, sessionstore.WithSecret(storetest.Secret(1)),
			sessionstore.WithStrategy(lockstrategy.Merge(nil)))
		v.sessions.Lifetime = time.Hour
		token := v.begin(map[string]any{"a": 1})
		v.own(token, func(w http.ResponseWriter, r *http.Request) {
			v.visit(token, v.put("b"))
			v.put("c")(w, r)
		})
		v.want("the session", token, "a b c")
		rewrite(t, driver, v.store.StorageKey(token), postponed)
		time.Sleep(time.Hour)
		v.want("the session at its deadline", token, "none")
	})
}

// A codec that the store does not know leaves the expiry as the only end, and data that is no session of scs, too.
func TestDataThatDoesNotDecodeHasNoDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		store := newStore(t, driver, sessionstore.WithSecret(storetest.Secret(1)))
		ctx, end := store.Begin(t.Context())
		defer end()
		for range 3 { // as with a sliding expiry: the data is the same each time
			if err := store.CommitCtx(ctx, "token", []byte("no gob"), time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour - 1)
			wantData(t, store, "token", "no gob")
		}
	})
}

// What a previous secret has sealed is over at the instant that was given with it, wherever it has gone meanwhile.
func TestPreviousSecretCountsUntil(t *testing.T) {
	t.Parallel()
	for strategy, make := range strategies {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				driver := memory.New()
				until := time.Now().Add(time.Hour)
				option := sessionstore.WithStrategy(make())
				old := newVisitor(t, driver, sessionstore.WithSecret(storetest.Secret(1)), option)
				both := newVisitor(t, driver, sessionstore.WithSecret(storetest.Secret(2)), option,
					sessionstore.WithPreviousSecret(storetest.Secret(1), until))
				after := newVisitor(t, driver, sessionstore.WithSecret(storetest.Secret(2)), option)
				old.sessions.Lifetime, both.sessions.Lifetime = 24*time.Hour, 24*time.Hour
				moves, stays, renews := old.begin(map[string]any{"a": 1}), old.begin(map[string]any{"b": 1}),
					old.begin(map[string]any{"c": 1})
				both.own(moves, both.put("moved"))
				both.own(moves, both.put("again"))
				renewed := both.own(renews, both.renew(nil)).token
				fresh := both.begin(map[string]any{"d": 1})
				time.Sleep(time.Hour - 1)
				for token, keys := range map[string]string{moves: "a again moved", stays: "b", renewed: "c user", fresh: "d"} {
					both.want("a session before the instant", token, keys)
				}
				after.want("a session that has moved", moves, "a again moved")
				time.Sleep(time.Nanosecond)
				for token, keys := range map[string]string{moves: "none", stays: "none", renewed: "c user", fresh: "d"} {
					both.want("a session at the instant", token, keys)
					if ways := both.everyWay(token); (keys == "none") != (len(ways) == 0) {
						t.Errorf("a session with %q is found by %q", keys, ways)
					}
				}
				after.want("a session that has moved, without the old secret,", moves, "none")
			})
		})
	}
}

// From the instant on, a previous secret costs no read.
func TestPreviousSecretThatIsOverCostsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		store := newStore(t, memory.New(), sessionstore.WithSecret(storetest.Secret(2)),
			sessionstore.WithPreviousSecret(storetest.Secret(1), time.Now().Add(time.Hour)),
			sessionstore.WithObserver(func(_ context.Context, e sessionstore.Event) { calls = e.Usage.Calls }))
		wantMiss(t, store, "unknown")
		if calls != 3 {
			t.Errorf("a miss before the instant takes %d calls; want 3", calls)
		}
		time.Sleep(time.Hour)
		wantMiss(t, store, "unknown")
		if calls != 1 {
			t.Errorf("a miss after the instant takes %d calls; want 1", calls)
		}
	})
}

// After a restore, what was sealed before is not there, and what is sealed since is.
func TestSealedSince(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		secret := sessionstore.WithSecret(storetest.Secret(1))
		before := newVisitor(t, driver, secret)
		old, changed := before.begin(map[string]any{"a": 1}), before.begin(map[string]any{"b": 1})
		time.Sleep(time.Minute)
		instant := time.Now()
		after := newVisitor(t, driver, secret, sessionstore.WithSealedSince(instant))
		before.own(changed, before.put("c")) // by a process that does not know yet
		fresh := after.begin(map[string]any{"d": 1})
		if ways := after.everyWay(old); len(ways) != 0 {
			t.Errorf("a session that was sealed before is found by %q", ways)
		}
		after.want("a session that was sealed again", changed, "b c")
		after.want("a new session", fresh, "d")
		// A record of format 1 does not say when it was sealed.
		v := vectors[0]
		record := storage.Record{
			Key: v.key, Data: unhex(t, v.sealed), ExpiresAt: instant.Add(time.Hour),
			UpdatedAt: instant, Version: storage.NewVersion(),
		}
		if data, err := sessionstore.OpenSince(record, v.token, instant, sequence(v.secret)); err == nil {
			t.Errorf("a record of format 1 opens: %q", data)
		}
		if data, err := sessionstore.Open(record, v.token, sequence(v.secret)); err != nil {
			t.Errorf("without an instant: %q, %v; want that it opens", data, err)
		}
	})
}

// A session of format 1 ends with scs's deadline, too, and is of format 2 after its next commit.
func TestFormat1(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		secret := storetest.Secret(1)
		v := newVisitor(t, driver, sessionstore.WithSecret(secret))
		seal := func(token string) {
			data, err := scs.GobCodec{}.Encode(time.Now().Add(time.Hour), map[string]any{"old": 1})
			if err != nil {
				t.Fatal(err)
			}
			key := v.store.StorageKey(token)
			record := storage.Record{
				Key: key, Data: sessionstore.SealFormat1(secret, key, token, data), UpdatedAt: time.Now(),
				ExpiresAt: time.Now().AddDate(10, 0, 0), Version: storage.NewVersion(),
			}
			if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
				t.Fatal(err)
			}
		}
		seal("stays")
		seal("moves")
		v.want("a session of format 1", "stays", "old")
		v.own("moves", v.put("new"))
		v.want("a session that was committed", "moves", "new old")
		record, _, err := driver.Get(t.Context(), v.store.StorageKey("moves"), storage.Strong)
		if err != nil || record.Data[0] != 2 {
			t.Errorf("the session is of format %d, %v; want 2", record.Data[0], err)
		}
		time.Sleep(time.Hour)
		for _, token := range []string{"stays", "moves"} {
			if ways := v.everyWay(token); len(ways) != 0 {
				t.Errorf("%s: found by %q after its deadline", token, ways)
			}
		}
	})
}

func TestSealOptionsAreChecked(t *testing.T) {
	t.Parallel()
	one, two := storetest.Secret(1), storetest.Secret(2)
	soon := time.Now().Add(time.Hour)
	for name, options := range map[string][]sessionstore.Option{
		"no current secret":        {sessionstore.WithPreviousSecret(one, soon)},
		"the current one again":    {sessionstore.WithSecret(one), sessionstore.WithPreviousSecret(one, soon)},
		"a weak previous one":      {sessionstore.WithSecret(one), sessionstore.WithPreviousSecret(sequence(1), soon)},
		"no instant":               {sessionstore.WithSecret(one), sessionstore.WithPreviousSecret(two, time.Time{})},
		"an empty context":         {sessionstore.WithSecret(one), sessionstore.WithSecretContext("")},
		"sealed without a secret":  {sessionstore.WithSealedSince(time.Now())},
		"sealed since next summer": {sessionstore.WithSecret(one), sessionstore.WithSealedSince(time.Now().AddDate(0, 6, 0))},
	} {
		if _, err := sessionstore.New(memory.New(), options...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, options := range map[string][]sessionstore.Option{
		"the other order":            {sessionstore.WithPreviousSecret(one, soon), sessionstore.WithSecret(two)},
		"an instant that has passed": {sessionstore.WithSecret(two), sessionstore.WithPreviousSecret(one, time.Unix(1, 0))},
		"a context without a secret": {sessionstore.WithSecretContext("shop")},
	} {
		if _, err := sessionstore.New(memory.New(), options...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzOpen hands any bytes to a store with a secret: they are no session, but for the one that it has sealed.
func FuzzOpen(f *testing.F) {
	v := sealVectors(f)[0]
	secret, sealed := unhex(f, v.Secret), unhex(f, v.Sealed)
	f.Add(v.Key, v.Token, sealed)
	for _, old := range vectors {
		f.Add(old.key, old.token, unhex(f, old.sealed))
	}
	f.Add(v.Key, v.Token, append([]byte{1}, slices.Concat(sealed[1:5], sealed[9:])...))
	f.Fuzz(func(t *testing.T, key, token string, data []byte) {
		got, err := sessionstore.Open(storage.Record{Key: key, Data: data}, token, secret)
		switch {
		case err == nil:
			if key != v.Key || token != v.Token || string(got) != v.Data || !bytes.Equal(data, sealed) {
				t.Errorf("%q opens as %q for %q under %q", data, got, token, key)
			}
		case !errors.Is(err, storage.ErrCorrupt):
			t.Errorf("%v; want ErrCorrupt", err)
		}
	})
}
