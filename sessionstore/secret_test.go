package sessionstore_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/tap"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// sequence is the secret of vectors. No store takes it: it is not random.
func sequence(n byte) []byte {
	secret := make([]byte, sessionstore.MinSecretBytes)
	for i := range secret {
		secret[i] = n + byte(i)
	}
	return secret
}

// vectors are of format 1, which is opened and no longer made. They were computed by another implementation of HMAC,
// HKDF and AES-GCM, from the description in vault.go.
var vectors = []struct {
	secret      byte
	token, data string
	key, sealed string
}{
	{
		0, "a-token", "session data", "CShiL-Gic0lhM7CwSWlMripEc6IvQBhL7pa90jxJX90",
		"01d10c70740102030405060708090a0b0c7b8500a369b9f515995aa8f5bfeb72b9e91b44f9023ed3d0f01cdd1a7a33484f5b33aaa0",
	},
	{
		100, "0123456789012345678901234567890123456789abc", "", "Xyxxs6IYsD9JmztFPftGMGd0IfXFXCM2b1tWI4bPbgs",
		"01e294af3bffffffffffffffffffffffff3f873b05bf51d5519c6e00e2667d5ba9a220a86145ead1723941dcd879cb53c97d0291c40" +
			"93a24e2c714b0a8933d03b57b823e17e2be6af15c99438c",
	},
}

func TestSecretVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		secret := sequence(v.secret)
		if got := sessionstore.StorageKeyOf(secret, v.token); got != v.key {
			t.Errorf("the storage key is %s; want %s", got, v.key)
		}
		sealed, err := hex.DecodeString(v.sealed)
		if err != nil {
			t.Fatal(err)
		}
		record := storage.Record{Key: v.key, Data: sealed}
		if data, err := sessionstore.Open(record, v.token, secret); err != nil || string(data) != v.data {
			t.Errorf("opened as %q, %v; want %q", data, err, v.data)
		}
	}
}

// Every bit of a sealed record counts, and so does the place where it lies.
func TestTamperedAndMovedRecordsDoNotOpen(t *testing.T) {
	t.Parallel()
	v := vectors[0]
	secret := sequence(v.secret)
	sealed, err := hex.DecodeString(v.sealed)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, record storage.Record, token string, secrets ...[]byte) {
		t.Helper()
		data, err := sessionstore.Open(record, token, secrets...)
		if !errors.Is(err, storage.ErrCorrupt) || data != nil {
			t.Errorf("%s: %q, %v; want ErrCorrupt", what, data, err)
		}
		if err != nil && (strings.Contains(err.Error(), v.token) || strings.Contains(err.Error(), v.data)) {
			t.Errorf("%s: the error tells the token or the data", what)
		}
	}
	for i := range len(sealed) * 8 {
		changed := bytes.Clone(sealed)
		changed[i/8] ^= 1 << (i % 8)
		refused("a bit changed", storage.Record{Key: v.key, Data: changed}, v.token, secret)
	}
	for n := range len(sealed) {
		refused("cut short", storage.Record{Key: v.key, Data: sealed[:n]}, v.token, secret)
	}
	refused("longer", storage.Record{Key: v.key, Data: append(bytes.Clone(sealed), 0)}, v.token, secret)
	refused("moved", storage.Record{Key: vectors[1].key, Data: sealed}, v.token, secret)
	refused("another token", storage.Record{Key: v.key, Data: sealed}, "another-token", secret)
	refused("another secret", storage.Record{Key: v.key, Data: sealed}, v.token, sequence(1))
	refused("not sealed", storage.Record{Key: v.key, Data: []byte(v.data)}, v.token, secret)
}

// Who copies the storage finds neither tokens nor data, nor the same bytes twice.
func TestStorageIsNoise(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	store := newStore(t, driver, sessionstore.WithSecret(storetest.Secret(1)))
	const token, data = "token-in-the-clear", "data-in-the-clear"
	seen := map[string]bool{}
	for range 20 {
		commit(t, store, token, data)
		record := records(t, driver)[0]
		if strings.Contains(record.Key, token) || bytes.Contains(record.Data, []byte(token)) ||
			bytes.Contains(record.Data, []byte(data)) {
			t.Fatal("the storage holds the token or the data")
		}
		if seen[string(record.Data)] {
			t.Fatal("the same data was sealed to the same bytes")
		}
		seen[string(record.Data)] = true
	}
	wantMiss(t, store, store.StorageKey(token)) // the key in the storage is not a token
	all, err := store.AllCtx(t.Context())
	if err != nil || string(all[token]) != data || len(all) != 1 {
		t.Errorf("All: %d sessions, %v; want the one under its real token", len(all), err)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	for _, scoped := range []bool{false, true} {
		driver := memory.New()
		first := newStore(t, driver, sessionstore.WithSecret(storetest.Secret(1)))
		both := newStore(t, driver, sessionstore.WithSecret(storetest.Secret(2), storetest.Secret(1)))
		second := newStore(t, driver, sessionstore.WithSecret(storetest.Secret(2)))
		commit(t, first, "moves", "old")
		created := records(t, driver)[0].CreatedAt
		commit(t, first, "stays", "old")

		wantMiss(t, second, "moves")
		wantData(t, both, "moves", "old")
		all, err := both.AllCtx(t.Context())
		if err != nil || len(all) != 2 {
			t.Errorf("All of two generations: %d sessions, %v; want 2", len(all), err)
		}

		ctx, end := t.Context(), func() {}
		if scoped {
			ctx, end = both.Begin(t.Context())
			if _, found, err := both.FindCtx(ctx, "moves"); err != nil || !found {
				t.Fatalf("found %v, %v", found, err)
			}
		}
		for range 2 {
			if err := both.CommitCtx(ctx, "moves", []byte("new"), inAnHour()); err != nil {
				t.Fatal(err)
			}
		}
		end()
		wantData(t, second, "moves", "new")
		wantMiss(t, first, "moves")
		if n := len(sessionsOf(t, driver)); n != 2 {
			t.Errorf("scoped %v: %d sessions; want one record for each", scoped, n)
		}
		if session, _, err := second.Lookup(t.Context(), "moves"); scoped &&
			(err != nil || !session.CreatedAt.Equal(created)) {
			t.Errorf("created %v, %v; want %v, as before the move", session.CreatedAt, err, created)
		}

		if err := both.DeleteCtx(t.Context(), "stays"); err != nil {
			t.Fatal(err)
		}
		wantMiss(t, first, "stays")
	}
}

// Requests that all read the session under the old secret are told apart as ever: one moves it, the others are refused.
func TestI1_RotationKeepsConditions(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	first := newStore(t, driver, sessionstore.WithSecret(storetest.Secret(1)))
	both := newStore(t, driver, sessionstore.WithSecret(storetest.Secret(2), storetest.Secret(1)))
	commit(t, first, "token", "old")
	const requests = 8
	var ready, done sync.WaitGroup
	ready.Add(requests)
	results := make(chan error, requests)
	for range requests {
		done.Go(func() {
			ctx, end := both.Begin(t.Context())
			defer end()
			_, _, err := both.FindCtx(ctx, "token")
			ready.Done()
			ready.Wait()
			if err == nil {
				err = both.CommitCtx(ctx, "token", []byte("new"), inAnHour())
			}
			results <- err
		})
	}
	done.Wait()
	close(results)
	won := 0
	for err := range results {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, storage.ErrConflict):
			t.Errorf("%v; want a conflict", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d requests committed over the same version", won, requests)
	}

	// And a session that was ended stays ended, whichever key it was under.
	commit(t, first, "ended", "old")
	ctx, end := both.Begin(t.Context())
	defer end()
	if _, found, err := both.FindCtx(ctx, "ended"); err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	if err := both.DeleteCtx(t.Context(), "ended"); err != nil {
		t.Fatal(err)
	}
	if err := both.CommitCtx(ctx, "ended", []byte("new"), inAnHour()); !errors.Is(err, sessionstore.ErrSessionGone) {
		t.Errorf("commit after a delete elsewhere: %v; want ErrSessionGone", err)
	}
	wantMiss(t, both, "ended")
}

func TestSecretOptionsAreChecked(t *testing.T) {
	t.Parallel()
	good := storetest.Secret(1)
	for name, option := range map[string]sessionstore.Option{
		"empty":         sessionstore.WithSecret(nil),
		"31 bytes":      sessionstore.WithSecret(good[:31]),
		"short old one": sessionstore.WithSecret(good, []byte("short")),
		"twice":         sessionstore.WithSecret(good, good),
	} {
		if _, err := sessionstore.New(memory.New(), option); err == nil || strings.Contains(err.Error(), "short\"") {
			t.Errorf("%s: %v; want an error without the secret", name, err)
		}
	}
}

// Out of a scope, what fails under the key of one secret, after something was written under that of another, is not
// told as if nothing was.
func TestT1_HalfWrittenUnderSeveralSecrets(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*sessionstore.Store) error{
		"delete": func(s *sessionstore.Store) error { return s.Delete("token") },
		"commit": func(s *sessionstore.Store) error { return s.Commit("token", []byte("new"), time.Now().Add(time.Hour)) },
		"end":    func(s *sessionstore.Store) error { return s.Commit("token", []byte("new"), time.Now().Add(-time.Hour)) },
	} {
		for refused := range 3 { // the write that is refused
			driver := memory.New()
			for i := range 2 { // the session is there twice, as after a commit that was half done
				commit(t, newStore(t, driver, sessionstore.WithSecret(storetest.Secret(byte(i+1)))), "token", "data")
			}
			writes := 0
			refusing := &tap.Driver{
				Driver: driver,
				Around: func(ctx context.Context, call tap.Call, next func(context.Context) error) error {
					if !call.Reads() {
						if writes++; writes == refused {
							return storage.ErrThrottled
						}
					}
					return next(ctx)
				},
			}
			err := write(newStore(t, refusing, sessionstore.WithSecret(storetest.Secret(2), storetest.Secret(1))))
			if errors.Is(err, storage.ErrThrottled) != (refused > 0) ||
				errors.Is(err, storage.ErrOutcomeUnknown) != (refused == 2) {
				t.Errorf("%s, write %d is refused: %v", name, refused, err)
			}
		}
	}
}

// Who reads a secret may overwrite it once the store is made.
func TestSecretIsCopied(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	given, previous := storetest.Secret(1), storetest.Secret(2)
	store := newStore(t, driver, sessionstore.WithSecret(given, previous))
	commit(t, store, "token", "data")
	clear(given)
	clear(previous)
	wantData(t, store, "token", "data")
	wantData(t, newStore(t, driver, sessionstore.WithSecret(storetest.Secret(1))), "token", "data")
}
