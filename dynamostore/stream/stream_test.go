package stream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/dynamostore/stream"
	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// world is a table with a stream, and who reads it.
type world struct {
	t      *testing.T
	client *dynamodb.Client
	table  dynamostore.Table
	driver *dynamostore.Driver
	tail   *tail
	reader *stream.Reader
	tokens []string // all that there ever were
}

func newWorld(t *testing.T, options ...sessionstore.Option) *world {
	t.Helper()
	client := dynamotest.WithoutTTL(dynamotest.Client(t))
	w := &world{t: t, client: client, table: dynamostore.Table{
		Name: dynamotest.TableName(t, client), Stream: true, PartitionKey: dynamostore.Key{Prefix: "session:"},
	}}
	if err := w.table.Create(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.driver, err = dynamostore.NewDriver(client, w.table); err != nil {
		t.Fatal(err)
	}
	if w.reader, err = stream.NewReader(w.store(options...), w.table); err != nil {
		t.Fatal(err)
	}
	w.tail = newTail(t, client, w.table.Name)
	return w
}

// store returns a store that knows whose sessions there are, and writes each move of an expiry.
func (w *world) store(options ...sessionstore.Option) *sessionstore.Store {
	w.t.Helper()
	store, err := dynamostore.New(w.client, w.table, append(options, sessionstore.WithTouchInterval(0),
		sessionstore.WithOwner("user", sessionstore.OwnerFrom("user")))...)
	if err != nil {
		w.t.Fatal(err)
	}
	return store
}

// told reads on in the stream and returns what it tells, sorted, the changes, and how many records there were. With an
// edit, the records are changed before.
func (w *world) told(edit func(record []byte) []byte) (texts []string, changes []sessionstore.Lifecycle, records int) {
	w.t.Helper()
	all := w.tail.take()
	for i := range all {
		if edit != nil {
			all[i] = edit(all[i])
		}
	}
	event, err := json.Marshal(map[string]any{"Records": all})
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := w.reader.Handle(w.t.Context(), event, func(
		_ context.Context, change sessionstore.Lifecycle, err error,
	) error {
		text := change.Change + " " + change.Reason + " " + change.Owners["user"]
		switch {
		case errors.Is(err, storage.ErrCorrupt):
			text += " unreadable"
		case err != nil:
			w.t.Errorf("%+v: %v", change, err)
		}
		for _, token := range w.tokens {
			if strings.Contains(fmt.Sprintf("%+v %v", change, err), token) {
				w.t.Error("a token is told")
			}
		}
		texts, changes = append(texts, strings.Join(strings.Fields(text), " ")), append(changes, change)
		return nil
	})
	if err != nil || len(response.BatchItemFailures) > 0 {
		w.t.Errorf("%+v, %v", response, err)
	}
	slices.Sort(texts)
	return texts, changes, len(all)
}

// want compares what the stream tells since the last call. There must be records, also where they tell nothing.
func (w *world) want(what, want string) []sessionstore.Lifecycle {
	w.t.Helper()
	return w.wantEdited(what, want, nil)
}

func (w *world) wantEdited(what, want string, edit func([]byte) []byte) []sessionstore.Lifecycle {
	w.t.Helper()
	texts, changes, records := w.told(edit)
	if got := strings.Join(texts, ", "); got != want || records == 0 {
		w.t.Errorf("%s: %d records tell %q; want %q", what, records, got, want)
	}
	return changes
}

// handler is what a request does with its session.
type handler = func(context.Context, *scs.SessionManager)

// visit sends a request with a session, and returns the token that it has then.
func (w *world) visit(store *sessionstore.Store, token string, handler handler) string {
	w.t.Helper()
	sessions := storetest.NewManager(store)
	sessions.IdleTimeout = 20 * time.Minute
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, "/", nil)
	if token != "" {
		r.AddCookie(&http.Cookie{Name: sessions.Cookie.Name, Value: token})
	}
	answer := httptest.NewRecorder()
	store.LoadAndSave(sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		handler(r.Context(), sessions)
	})).ServeHTTP(answer, r)
	if answer.Code != http.StatusOK {
		w.t.Fatalf("answered with %d %s", answer.Code, answer.Body)
	}
	for _, cookie := range answer.Result().Cookies() {
		if cookie.Value != "" {
			token = cookie.Value
			w.tokens = append(w.tokens, token)
		}
	}
	return token
}

func put(key, value string) handler {
	return func(ctx context.Context, sessions *scs.SessionManager) { sessions.Put(ctx, key, value) }
}

func (w *world) login(who string) handler {
	return func(ctx context.Context, sessions *scs.SessionManager) {
		if err := sessions.RenewToken(ctx); err != nil {
			w.t.Error(err)
		}
		sessions.Put(ctx, "user", who)
	}
}

func (w *world) logout(ctx context.Context, sessions *scs.SessionManager) {
	if err := sessions.Destroy(ctx); err != nil {
		w.t.Error(err)
	}
}

// session returns what is stored of a token.
func (w *world) session(store *sessionstore.Store, token string) storage.Record {
	w.t.Helper()
	record, found, err := w.driver.Get(w.t.Context(), store.StorageKey(token), storage.Strong)
	if err != nil || !found {
		w.t.Fatalf("found %v: %v", found, err)
	}
	return record
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// remove removes a record, as collectors and TTL do.
func (w *world) remove(key string) {
	w.t.Helper()
	w.ok(w.driver.Delete(w.t.Context(), key, storage.Always()))
}

// byTTL makes of the record of a removal that of one by DynamoDB itself, as its documentation has it.
func byTTL(record []byte) []byte {
	return bytes.Replace(record, []byte("{"),
		[]byte(`{"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},`), 1)
}

// What a real stream tells of all that a store does: each session begins and ends once, whatever it leaves behind.
func TestStream(t *testing.T) {
	t.Parallel()
	older, newer := storetest.Secret(1), storetest.Secret(2)
	for name, options := range map[string][]sessionstore.Option{
		"plain": nil, "secret": {sessionstore.WithSecret(newer, older)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options...)
			store := w.store(options...)
			token := w.visit(store, "", put("cart", "1"))
			anonymous := w.want("a visit", "created")
			w.visit(store, token, func(context.Context, *scs.SessionManager) {})
			w.want("a touch", "")
			w.visit(store, token, put("cart", "2"))
			w.want("a change", "changed")
			leasing := w.store(append(options, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{})))...)
			w.visit(leasing, token, func(context.Context, *scs.SessionManager) {})
			w.want("a lease", "")

			old := store.StorageKey(token)
			token = w.visit(store, token, w.login("alice"))
			session := w.session(store, token)
			login := w.want("a login", "changed alice, renewed")
			for _, change := range login {
				if change.Session != fingerprint.Of(session.Key) ||
					change.Change == "renewed" && change.Before != anonymous[0].Session {
					t.Errorf("the login is told as %+v", change)
				}
			}
			w.visit(store, token, w.logout)
			w.want("a logout", "ended logout alice")
			w.remove(session.Key)
			w.remove(old)
			w.wantEdited("the end of the tombstones", "", byTTL)

			w.visit(store, "", w.login("bob"))
			w.visit(store, "", w.login("bob"))
			w.want("two logins", "created bob, created bob")
			_, err := store.Owner("user", "bob").EndAll(t.Context())
			w.ok(err)
			w.want("the end of all", "ended logout bob, ended logout bob")

			token = w.visit(store, "", w.login("carol"))
			other := w.visit(store, "", put("cart", "1"))
			w.want("two sessions", "created, created carol")
			w.visit(store, token, func(ctx context.Context, sessions *scs.SessionManager) {
				w.ok(sessions.MergeSession(ctx, other))
			})
			w.want("a merge", "changed carol, ended merged")
			_, err = store.DeleteAll(t.Context())
			w.ok(err)
			w.want("the end of everybody", "ended logout carol")

			for who, edit := range map[string]func([]byte) []byte{"collected": nil, "expired": byTTL} {
				token = w.visit(store, "", w.login("dave"))
				expired := w.session(store, token)
				expired.CreatedAt, expired.UpdatedAt = time.Now().Add(-3*time.Hour), time.Now().Add(-2*time.Hour)
				expired.ExpiresAt = time.Now().Add(-time.Hour)
				w.ok(w.driver.Put(t.Context(), expired, storage.Always()))
				w.want("a login", "created dave")
				w.remove(expired.Key)
				w.wantEdited("a session that was "+who, "ended "+who+" dave", edit)
			}

			token = w.visit(store, "", w.login("erin"))
			session = w.session(store, token)
			w.want("a login", "created erin")
			key := map[string]types.AttributeValue{
				"session_id": &types.AttributeValueMemberS{Value: "session:" + session.Key},
			}
			update := "REMOVE version"
			_, err = w.client.UpdateItem(t.Context(),
				&dynamodb.UpdateItemInput{TableName: &w.table.Name, Key: key, UpdateExpression: &update})
			w.ok(err)
			w.visit(store, "", w.login("frank"))
			if told := w.want("a damaged session, and another", "created frank, unreadable"); len(told) > 0 &&
				!slices.ContainsFunc(told, func(c sessionstore.Lifecycle) bool {
					return c.Change == "" && c.Session == fingerprint.Of(session.Key)
				}) {
				t.Errorf("it is not told which one is damaged: %+v", told)
			}
			w.remove(session.Key)
			w.want("a damaged session goes", "unreadable")

			stranger := w.store(sessionstore.WithSecret(storetest.Secret(3)))
			w.visit(stranger, "", w.login("mallory"))
			w.visit(store, "", w.login("grace"))
			w.want("one with another secret, and another", "created grace, created unreadable")

			foreign := map[string]types.AttributeValue{
				"session_id": &types.AttributeValueMemberS{Value: "other:" + session.Key},
				"version":    &types.AttributeValueMemberBOOL{Value: true},
			}
			_, err = w.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &w.table.Name, Item: foreign})
			w.ok(err)
			w.want("the item of somebody else", "")
			if name == "plain" {
				return
			}

			before := w.store(sessionstore.WithSecret(older))
			token = w.visit(before, "", w.login("heidi"))
			from, to := before.StorageKey(token), store.StorageKey(token)
			w.want("a login before the secret changes", "created heidi")
			w.visit(store, token, put("cart", "1"))
			for _, moved := range w.want("a move", "moved heidi") {
				if moved.Before != fingerprint.Of(from) || moved.Session != fingerprint.Of(to) {
					t.Errorf("the move is told as %+v", moved)
				}
			}
			w.visit(store, token, w.logout)
			w.want("a logout", "ended logout heidi")
		})
	}
}
