package sessionstore_test

import (
	"net/http"
	"testing"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// The attacks on rosters, for attack_test.go.

const rosterIsBack = "put an earlier list of an owner's sessions in its place, or none: sessions are hidden from " +
	"their owner and left by the end of all, a limit is exceeded, and a login is let in that was under way at such an end"

func newOwnersVictim(t *testing.T, options ...sessionstore.Option) *victim {
	t.Helper()
	return newVictim(t, "shop", append(options, user(), sessionstore.WithSecret(storetest.Secret(1)))...)
}

// rosters returns what is stored of rosters.
func (v *victim) rosters() (all []storage.Record) {
	v.t.Helper()
	for _, record := range records(v.t, v.driver) {
		if storage.Reserved(record.Key) {
			all = append(all, record)
		}
	}
	return all
}

func (v *victim) takeRostersAway() {
	v.t.Helper()
	for _, record := range v.rosters() {
		if err := v.driver.Delete(v.t.Context(), record.Key, storage.Always()); err != nil {
			v.t.Fatal(err)
		}
	}
}

// endsAll ends all sessions of an owner, as far as that is possible.
func (v *victim) endsAll(who string) { _, _ = v.store.Owner("user", who).EndAll(v.t.Context()) }

func earlierRoster(t *testing.T) bool {
	v := newOwnersVictim(t)
	v.logIn("alice")
	before := v.rosters()[0]
	token := v.logIn("alice")
	v.write(before, nil)
	hidden := len(v.devices("alice")) == 1
	v.endsAll("alice")
	return hidden && v.lives(token)
}

func noRoster(t *testing.T) bool {
	v := newOwnersVictim(t)
	token := v.logIn("alice")
	v.takeRostersAway()
	hidden := len(v.devices("alice")) == 0
	v.endsAll("alice")
	return hidden && v.lives(token)
}

func limitWithoutRoster(t *testing.T) bool {
	v := newOwnersVictim(t, sessionstore.WithOwnerLimit("user", 1, sessionstore.DenyNew))
	first := v.logIn("alice")
	v.takeRostersAway()
	return v.own("", v.login("alice")).status == http.StatusOK && v.lives(first)
}

func loginWithoutRoster(t *testing.T) bool {
	v := newOwnersVictim(t)
	answer := v.own("", func(w http.ResponseWriter, r *http.Request) {
		v.endsAll("alice")
		v.takeRostersAway()
		v.login("alice")(w, r)
	})
	return answer.status == http.StatusOK && v.lives(answer.token)
}

func brokenRoster(t *testing.T) bool {
	v := newOwnersVictim(t)
	v.logIn("alice")
	v.write(v.rosters()[0], func(r *storage.Record) { r.Data = []byte("broken") })
	return v.own("", v.login("alice")).status != http.StatusOK
}

// Mallory has a session, and so a roster, in whose place the attacker puts that of alice.
func movedRoster(t *testing.T) bool {
	v := newOwnersVictim(t)
	token := v.logIn("alice")
	of := v.rosters()[0]
	v.logIn("mallory")
	for _, record := range v.rosters() {
		if record.Key != of.Key {
			of.Key = record.Key
		}
	}
	v.write(of, nil)
	shown := false
	for _, err := range v.store.Owner("user", "mallory").Sessions(t.Context()) {
		shown = shown || err == nil
	}
	v.endsAll("mallory")
	return shown || !v.lives(token)
}
