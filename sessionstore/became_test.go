package sessionstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// What each write says, from what was there to what is there: each session is created once, and ends once.
func TestBecame(t *testing.T) {
	t.Parallel()
	store := newStore(t, memory.New(), user())
	now := time.Now()
	of := func(key, who string) storage.Record {
		data, err := (scs.GobCodec{}).Encode(now.Add(time.Hour), map[string]any{"user": who})
		if err != nil {
			t.Fatal(err)
		}
		return storage.Record{
			Key: key, Data: data, CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(time.Hour), Version: storage.NewVersion(),
		}
	}
	nothing, session, changed := storage.Record{}, of("k", "alice"), of("k", "bob")
	changed.Succeed(session)
	touched, leased := session, session
	touched.ExpiresAt = touched.ExpiresAt.Add(time.Minute)
	leased.Lease = storage.Lease{ID: "lease"}
	announced := of("k", "carol")
	announced.Succeed(of("from", "carol"))
	arrival := ended.Arrival(announced, "from")
	damaged := arrival
	damaged.Data = []byte("no arrival")
	departure := ended.Departure("k", ended.Arrival(of("to", "alice"), "k"), now)
	tombstone, late := ended.Tombstone(session, "", now), ended.Tombstone(session, "", now.Add(2*time.Hour))
	renewed, merged := ended.Tombstone(session, "to", now), ended.Tombstone(session, ended.MergedInto("to"), now)
	reserved := of(storage.ReservedPrefix+"roster", "alice")
	k, to := fingerprint.Of("k"), fingerprint.Of("to")

	for name, test := range map[string]struct {
		before, after storage.Record
		offset        time.Duration // from now to the write
		ttl           bool
		want          string // change, reason, session, before, owner; empty for nothing
	}{
		"created":                  {before: nothing, after: session, want: "created   k   alice"},
		"created over a tombstone": {before: tombstone, after: session, want: "created   k   alice"},
		"restored after a merge":   {before: merged, after: changed, want: "created   k   bob"},
		"the session of a renewal": {before: nothing, after: changed, want: "changed   k   bob"},
		"changed":                  {before: session, after: changed, want: "changed   k   bob"},
		"touched":                  {before: session, after: touched},
		"leased":                   {before: session, after: leased},
		"released":                 {before: leased, after: session},
		"renewed":                  {before: session, after: renewed, want: "renewed   to  k alice"},
		"merged":                   {before: session, after: merged, want: "ended merged k   alice"},
		"moved":                    {before: session, after: departure, want: "moved   to  k alice"},
		"logged out":               {before: session, after: tombstone, want: "ended logout k   alice"},
		"logged out after its end": {before: session, after: late, want: "ended collected k   alice"},
		"deleted":                  {before: session, after: nothing, want: "ended logout k   alice"},
		"deleted a while later":    {before: session, after: nothing, offset: time.Hour, want: "ended collected k   alice"},
		"removed by TTL": {
			before: session, after: nothing, offset: time.Hour, ttl: true, want: "ended expired k   alice",
		},
		"announced":                  {before: nothing, after: arrival},
		"announced again":            {before: arrival, after: ended.Arrival(announced, "from")},
		"announced over a departure": {before: departure, after: arrival},
		"announced over a session":   {before: session, after: arrival},
		"arrived":                    {before: arrival, after: announced},
		"recalled":                   {before: arrival, after: departure},
		"arrived, and ended":         {before: arrival, after: tombstone, want: "ended logout k   carol"},
		"arrived, and deleted":       {before: arrival, after: nothing, want: "ended logout k   carol"},
		"no arrival":                 {before: damaged, after: nothing},
		"a tombstone is left":        {before: nothing, after: tombstone},
		"a tombstone goes":           {before: tombstone, after: nothing, offset: 2 * time.Hour, ttl: true},
		"a renewed one goes":         {before: renewed, after: nothing},
		"a departure goes":           {before: departure, after: nothing},
		"reserved":                   {before: nothing, after: reserved},
		"no longer reserved":         {before: reserved, after: nothing},
		"nothing at all":             {},
	} {
		change, told, err := store.Became(sessionstore.Write{
			Before: test.before, After: test.after, At: now.Add(test.offset), ByTTL: test.ttl,
		})
		got := ""
		if told {
			name := strings.NewReplacer(k, "k", to, "to")
			got = fmt.Sprint(change.Change, " ", change.Reason, " ", name.Replace(change.Session), "  ",
				name.Replace(change.Before), " ", change.Owners["user"])
		}
		if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(test.want), " ") || err != nil {
			t.Errorf("%s: told %q, %v; want %q", name, got, err, test.want)
		}
	}
}

// What does not open is told without its owners, and what is another application's is not told.
func TestBecameOfWhatDoesNotOpen(t *testing.T) {
	t.Parallel()
	one, two := sessionstore.WithSecret(storetest.Secret(1)), sessionstore.WithSecret(storetest.Secret(2))
	application := sessionstore.WithSecretContext("another")
	panics := sessionstore.WithOwner("user", func(map[string]any) string { panic("no owner") })
	codec := sessionstore.WithCodec(mute{})
	const opens, unreadable, invalid, untold = "opens", "unreadable", "invalid owner", "not told"
	for name, test := range map[string]struct {
		writer, reader []sessionstore.Option
		want           string
	}{
		"the same secret":        {[]sessionstore.Option{one}, []sessionstore.Option{one, user()}, opens},
		"an expired secret":      {[]sessionstore.Option{one}, []sessionstore.Option{two, previous(1), user()}, opens},
		"no secret":              {nil, []sessionstore.Option{user()}, opens},
		"another secret":         {[]sessionstore.Option{one}, []sessionstore.Option{two, user()}, unreadable},
		"another one, no owners": {[]sessionstore.Option{one}, []sessionstore.Option{two}, unreadable},
		"a secret for none":      {[]sessionstore.Option{one}, []sessionstore.Option{user()}, unreadable},
		"none for a secret":      {nil, []sessionstore.Option{one, user()}, unreadable},
		"another application":    {[]sessionstore.Option{one}, []sessionstore.Option{one, application, user()}, untold},
		"another codec":          {[]sessionstore.Option{one}, []sessionstore.Option{one, codec, user()}, unreadable},
		"a function that panics": {[]sessionstore.Option{one}, []sessionstore.Option{one, panics}, invalid},
	} {
		driver := memory.New()
		v := newVisitor(t, driver, test.writer...)
		token := v.begin(map[string]any{"user": "alice"})
		session := sessionsOf(t, driver)[0]
		change, told, err := newStore(t, memory.New(), test.reader...).Became(sessionstore.Write{Before: session})
		got := opens
		switch {
		case errors.Is(err, sessionstore.ErrCorrupt):
			got = unreadable
		case errors.Is(err, sessionstore.ErrInvalidOwner):
			got = invalid
		case !told:
			got = untold
		}
		if got != test.want {
			t.Errorf("%s: %s (%v); want %s", name, got, err, test.want)
		}
		if told && (change.Change != "ended" || change.Session != fingerprint.Of(session.Key)) || told == (got == untold) ||
			(change.Owners["user"] == "alice") != (got == opens) {
			t.Errorf("%s: told %v %+v", name, told, change)
		}
		if strings.Contains(fmt.Sprintf("%+v %v", change, err), token) {
			t.Errorf("%s: the token is told", name)
		}
	}
}

// previous is a previous secret whose time is up.
func previous(n byte) sessionstore.Option {
	return sessionstore.WithPreviousSecret(storetest.Secret(n), time.Now().Add(-time.Hour))
}

// mute decodes nothing.
type mute struct{ scs.GobCodec }

func (mute) Decode([]byte) (time.Time, map[string]any, error) {
	return time.Time{}, nil, errors.New("not of this codec")
}
