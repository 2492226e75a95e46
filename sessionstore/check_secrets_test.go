package sessionstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// A store can be asked whether its secrets are those of the sessions, before any user is logged out.
func TestCheckSecrets(t *testing.T) {
	t.Parallel()
	secret := func(letter string) []byte { return storetest.Secret(letter[0]) }
	with := func(secrets ...[]byte) []sessionstore.Option {
		if len(secrets) == 0 {
			return nil
		}
		return []sessionstore.Option{sessionstore.WithSecret(secrets[0], secrets[1:]...)}
	}
	for name, test := range map[string]struct {
		stored, given  []sessionstore.Option
		n              int
		live, unsealed int // of the error; 0 for none
	}{
		"nothing stored":          {with(secret("a")), with(secret("b")), 0, 0, 0},
		"the same":                {with(secret("a")), with(secret("a")), 3, 0, 0},
		"none":                    {nil, nil, 3, 0, 0},
		"changed":                 {with(secret("a")), with(secret("b"), secret("a")), 3, 0, 0},
		"another":                 {with(secret("a")), with(secret("b")), 3, 3, 0},
		"the previous is missing": {with(secret("a")), with(secret("b"), secret("c")), 250, 250, 0},
		"the secret is missing":   {with(secret("a")), nil, 3, 3, 0},
		"the first secret":        {nil, with(secret("a")), 3, 3, 3},
		"another application": {
			with(secret("a")), append(with(secret("a")), sessionstore.WithSecretContext("another")),
			3, 3, 0,
		},
		"sealed before": {
			with(secret("a")),
			append(with(secret("a")), sessionstore.WithSealedSince(time.Now().Add(time.Minute))), 3, 0, 0,
		},
		"unreadable as miss": {
			with(secret("a")), append(with(secret("b")), sessionstore.WithUnreadableAsMiss()), 3,
			3, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			driver := memory.New()
			before := newStore(t, driver, test.stored...)
			for i := range test.n {
				commit(t, before, fmt.Sprint("token-", i), "\x2fdata of an application, as long as what is sealed")
			}
			// What has ended opens for nobody, and says nothing.
			old := storage.Record{
				Key: "ended", UpdatedAt: time.Now().Add(-2 * time.Hour),
				ExpiresAt: time.Now().Add(-time.Hour), Version: "v",
			}
			for _, record := range []storage.Record{
				old,
				ended.Tombstone(storage.Record{Key: "renewed"}, "successor", time.Now()),
			} {
				if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
					t.Fatal(err)
				}
			}
			err := newStore(t, driver, test.given...).CheckSecrets(t.Context())
			wrong := (*sessionstore.SecretError)(nil)
			if errors.As(err, &wrong) != (test.live > 0) || err != nil && wrong == nil {
				t.Fatalf("got %v", err)
			}
			if wrong != nil && (wrong.Live != test.live || wrong.Unsealed != test.unsealed ||
				strings.Contains(err.Error(), "token-")) {
				t.Errorf("got %+v; want %d live, %d unsealed", wrong, test.live, test.unsealed)
			}
		})
	}
}
