package inspect_test

import (
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// What an operator is told of a session is what the application finds of it, and what deleting all would do with it.
func TestStates(t *testing.T) {
	t.Parallel()
	sealed := sessionstore.WithSecret(current)
	shop := sessionstore.WithSecretContext("shop")
	until := func(d time.Duration) sessionstore.Option {
		return sessionstore.WithPreviousSecret(previous, time.Now().Add(d))
	}
	since := func(d time.Duration) sessionstore.Option { return sessionstore.WithSealedSince(time.Now().Add(d)) }
	for name, c := range map[string]struct {
		committed, options []sessionstore.Option
		damaged            bool
		state              inspect.State
		deleted            bool // by DeleteAll
	}{
		"plain": {state: inspect.Opens, deleted: true},
		"sealed": {
			committed: options(sealed),
			options:   options(sealed), state: inspect.Opens, deleted: true,
		},
		"previous": {
			committed: options(sessionstore.WithSecret(previous)),
			options:   options(sealed, until(time.Hour)), state: inspect.Opens, deleted: true,
		},
		"previous, over": {
			committed: options(sessionstore.WithSecret(previous)),
			options:   options(sealed, until(-time.Hour)), state: inspect.Over, deleted: true,
		},
		"sealed before the instant": {
			committed: options(sealed), options: options(sealed, since(time.Minute)),
			state: inspect.Over, deleted: true,
		},
		"sealed behind the instant": {
			committed: options(sealed), options: options(sealed, since(-200*24*time.Hour)),
			state: inspect.Opens, deleted: true,
		},
		"another context":         {committed: options(sealed, shop), options: options(sealed), state: inspect.OfAnother},
		"another context by name": {committed: options(sealed), options: options(sealed, shop), state: inspect.OfAnother},
		"another secret": {
			committed: options(sessionstore.WithSecret(previous)),
			options:   options(sealed), state: inspect.Foreign,
		},
		"a secret, and none here": {committed: options(sealed), state: inspect.Foreign},
		"none, and a secret here": {options: options(sealed), state: inspect.Unsealed},
		"damaged": {
			committed: options(sealed), options: options(sealed), damaged: true,
			state: inspect.Damaged, deleted: true,
		},
	} {
		for _, asMiss := range []bool{false, true} {
			driver := open(t)
			key := commit(t, driver, "token", time.Hour, c.committed...)
			if c.damaged {
				damage(t, driver, key)
			}
			given := c.options
			if asMiss {
				given = append(options(sessionstore.WithUnreadableAsMiss()), given...)
			}
			sessions := sessionsOf(t, driver, len(c.options) > 0, given...)
			all, err := sessions.Find(t.Context(), fingerprint.Of(key))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			found := all[0]
			known := c.state == inspect.Opens || c.state == inspect.Over
			if found.State != c.state || (found.Err == nil) != known || (found.Token == "token") != known {
				t.Errorf("%s: state %d, token %q, %v; want state %d", name, found.State, found.Token, found.Err, c.state)
			}
			store, err := sessionstore.New(driver, given...)
			if err != nil {
				t.Fatal(err)
			}
			if _, lives, _ := store.Lookup(t.Context(), "token"); lives != (c.state == inspect.Opens) {
				t.Errorf("%s: state %d, and the application finds it: %v", name, found.State, lives)
			}
			if known {
				if all, err := sessions.Find(t.Context(), "token"); err != nil || all[0].State != c.state ||
					all[0].Token != "token" {
					t.Errorf("%s by its token: %+v, %v", name, all, err)
				}
			}
			count, err := sessions.Count(t.Context(), time.Now(), nil)
			if one := map[inspect.State]int{
				inspect.Opens: count.Live, inspect.Over: count.Over,
				inspect.OfAnother: count.Another,
			}; err != nil ||
				count.Total() != 1 || (c.state <= inspect.OfAnother && one[c.state] != 1) ||
				(c.state > inspect.OfAnother && count.Unopened != 1) || count.Bytes() == 0 {
				t.Errorf("%s: counted %+v, %v", name, count, err)
			}
			want := inspect.Deletion{Left: 1}
			if c.deleted {
				want = inspect.Deletion{Deleted: 1}
				if c.state == inspect.Opens {
					want.Live = 1
				}
			}
			if would, err := sessions.WouldDelete(t.Context(), time.Now(), nil); err != nil || would != want {
				t.Errorf("%s: it would be %+v, %v; want %+v", name, would, err, want)
			}
			if _, found, err := driver.Get(t.Context(), key, storage.Strong); err != nil || !found {
				t.Errorf("%s: looking at it has deleted it: %v", name, err)
			}
			if n, _ := sessions.DeleteAll(t.Context(), nil); n != want.Deleted {
				t.Errorf("%s: %d are deleted; said was %+v", name, n, want)
			}
		}
	}
}

// One that counts no more is deleted where it is.
func TestDeleteOver(t *testing.T) {
	t.Parallel()
	driver := open(t)
	key := commit(t, driver, "token", time.Hour, sessionstore.WithSecret(previous))
	sessions := sessionsOf(t, driver, true, sessionstore.WithSecret(current),
		sessionstore.WithPreviousSecret(previous, time.Now().Add(-time.Hour)))
	all, err := sessions.Find(t.Context(), "token")
	if err != nil || all[0].State != inspect.Over {
		t.Fatalf("found %+v, %v", all, err)
	}
	if err := sessions.Delete(t.Context(), all[0]); err != nil {
		t.Fatal(err)
	}
	if record, found, err := driver.Get(t.Context(), key, storage.Strong); err != nil || found && !record.Ended() {
		t.Errorf("it is still there: %v", err)
	}
}

func options(all ...sessionstore.Option) []sessionstore.Option { return all }

// damage changes the last byte of the data.
func damage(t *testing.T, driver storage.Driver, key string) {
	t.Helper()
	record, _, err := driver.Get(t.Context(), key, storage.Strong)
	if err != nil {
		t.Fatal(err)
	}
	record.Data[len(record.Data)-1] ^= 1
	if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
		t.Fatal(err)
	}
}
