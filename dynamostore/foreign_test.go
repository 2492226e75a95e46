package dynamostore_test

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

type attributes = map[string]types.AttributeValue

func text(s string) types.AttributeValue   { return &types.AttributeValueMemberS{Value: s} }
func number(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }

// items returns all items of the table by their partition key.
func (f *fixture) items(t testing.TB) map[string]attributes {
	t.Helper()
	out, err := f.plain.Scan(t.Context(), &dynamodb.ScanInput{TableName: &f.table.Name, ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	items := map[string]attributes{}
	for _, item := range out.Items {
		items[item["session_id"].(*types.AttributeValueMemberS).Value] = item //nolint:forcetypeassert // It is the key.
	}
	return items
}

// put writes attributes over those of an item, or makes one. A nil one is removed.
func (f *fixture) put(t testing.TB, key string, change attributes) {
	t.Helper()
	item := f.items(t)[key]
	if item == nil {
		item = attributes{"session_id": text(key)}
	}
	maps.Copy(item, change)
	maps.DeleteFunc(item, func(_ string, value types.AttributeValue) bool { return value == nil })
	if _, err := f.plain.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table.Name, Item: item}); err != nil {
		t.Fatal(err)
	}
}

// In a table that is shared, what is no session of the store stays, whatever it looks like.
func TestDeleteAllLeavesOtherItems(t *testing.T) {
	t.Parallel()
	own, other := sessionstore.WithSecret(storetest.Secret(1)), sessionstore.WithSecret(storetest.Secret(2))
	for name, options := range map[string][]sessionstore.Option{"a secret": {own}, "no secret": nil} {
		for _, prefix := range []string{"", "app:"} {
			t.Run(name+", prefix "+prefix, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, dynamostore.Table{PartitionKey: dynamostore.Key{Prefix: prefix}}, options...)
				f.put(t, prefix+"settings", attributes{"theme": text("dark")})
				f.put(t, prefix+"user-42", attributes{"data": text("profile"), "version": number("7")})
				f.put(t, prefix+"lock", attributes{"lease_id": text("x")})
				f.put(t, prefix+"job-1", attributes{"expiry": number("1000"), "version": text("v1")})
				// A session of another layout, one of another secret, and such ones of which an attribute is damaged.
				layout := f.table
				layout.Attributes.Data, layout.Attributes.Version = "payload", "revision"
				theirs, err := dynamostore.New(f.plain, layout, other)
				if err != nil {
					t.Fatal(err)
				}
				beside, err := dynamostore.New(f.plain, f.table, other)
				if err != nil {
					t.Fatal(err)
				}
				commitForAnHour(t, theirs, "of another layout")
				commitForAnHour(t, beside, "whole")
				for name := range damages {
					f.put(t, prefix+commitForAnHour(t, beside, "damaged at "+name), damages[name])
				}
				before := f.items(t)
				commitForAnHour(t, f.store, "own")
				n, err := f.store.DeleteAll(t.Context())
				if n != 1 || !errors.Is(err, sessionstore.ErrSessionsLeft) {
					t.Errorf("%d, %v; want its own one, and that others are left", n, err)
				}
				if after := f.items(t); !slices.Equal(keysOf(after), keysOf(before)) {
					t.Errorf("%q are left of %q", keysOf(after), keysOf(before))
				}
			})
		}
	}
}

// damages are attributes of a session that its driver cannot read.
var damages = map[string]attributes{
	"expiry": {"expiry": text("x")}, "no expiry": {"expiry": nil}, "updated_at": {"updated_at": text("x")},
	"created_at": {"created_at": text("x")}, "version": {"version": number("1")}, "no version": {"version": nil},
	"lease": {"lease_id": text("x")}, "ancestry": {"ancestry": number("1")},
}

// A session of the store's own is deleted, whichever attribute is damaged, as long as its data is there.
func TestDeleteAllOfDamagedSessions(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{}, sessionstore.WithSecret(storetest.Secret(1)))
	for name, damage := range damages {
		f.put(t, commitForAnHour(t, f.store, name), damage)
	}
	if n, err := f.store.DeleteAll(t.Context()); n != len(damages) || err != nil {
		t.Errorf("%d, %v; want %d; left are %q", n, err, len(damages), keysOf(f.items(t)))
	}
	f.put(t, commitForAnHour(t, f.store, "no data"), attributes{"data": nil})
	f.put(t, commitForAnHour(t, f.store, "text"), attributes{"data": text("x")})
	if n, err := f.store.DeleteAll(t.Context()); n != 0 || !errors.Is(err, sessionstore.ErrSessionsLeft) {
		t.Errorf("without data: %d, %v", n, err)
	}
}

func keysOf(items map[string]attributes) []string { return slices.Sorted(maps.Keys(items)) }

// commitForAnHour makes a session and returns its storage key.
func commitForAnHour(t testing.TB, store *sessionstore.Store, token string) string {
	t.Helper()
	deadline := time.Now().Add(time.Hour)
	data, err := scs.GobCodec{}.Encode(deadline, map[string]any{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	token = strings.ReplaceAll(token, " ", "-")
	if err := store.CommitCtx(t.Context(), token, data, deadline); err != nil {
		t.Fatal(err)
	}
	return store.StorageKey(token)
}

// Whatever another program has made of a lease, a request ends after a few calls, with each strategy.
func TestLeasesThatAreDamaged(t *testing.T) {
	t.Parallel()
	const calls = 20
	lease := func(id string, duration, expiry types.AttributeValue) attributes {
		return attributes{"lease_id": text(id), "lease_duration": duration, "lease_expiry": expiry}
	}
	soon := number("4000000000")
	for name, test := range map[string]struct {
		lease   attributes
		corrupt bool
	}{
		"no id":                {lease("", number("1"), soon), true},
		"nothing but an id":    {lease("x", nil, nil), true},
		"no duration":          {lease("x", nil, soon), true},
		"no expiry":            {lease("x", number("1"), nil), true},
		"an odd expiry":        {lease("x", number("1"), text("1")), true},
		"a duration of 0":      {lease("x", number("0"), soon), false},
		"a negative duration":  {lease("x", number("-5"), number("1")), false},
		"the longest duration": {lease("x", number("253402300799"), number("253402300799")), false},
		"a hundred years":      {lease("x", number("3000000000"), number("9000000000")), false},
	} {
		for strategyName, strategy := range map[string]func() lockstrategy.Strategy{
			"lease": func() lockstrategy.Strategy {
				return lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: 500 * time.Millisecond, ClockAllowance: -1})
			},
			"merge":      func() lockstrategy.Strategy { return lockstrategy.Merge(nil) },
			"optimistic": lockstrategy.Optimistic,
			"none":       lockstrategy.None,
		} {
			t.Run(name+"/"+strategyName, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, dynamostore.Table{}, sessionstore.WithStrategy(strategy()))
				key := commitForAnHour(t, f.store, "token")
				f.put(t, key, test.lease)
				if _, _, err := f.driver.Get(t.Context(), key, storage.Strong); errors.Is(err, storage.ErrCorrupt) != test.corrupt {
					t.Errorf("it is read with %v", err)
				}
				f.recorder.Reset()
				sessions := storetest.NewManager(f.store)
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
				r.AddCookie(&http.Cookie{Name: sessions.Cookie.Name, Value: "token"})
				w := httptest.NewRecorder()
				f.store.LoadAndSave(sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					sessions.Put(r.Context(), "b", 1)
				})).ServeHTTP(w, r)
				if test.corrupt != (w.Code == http.StatusInternalServerError) {
					t.Errorf("status %d", w.Code)
				}
				n := 0
				for _, made := range f.recorder.Calls() {
					n += made
				}
				if n > calls {
					t.Errorf("%d calls: %v", n, f.recorder.Calls())
				}
			})
		}
	}
}
