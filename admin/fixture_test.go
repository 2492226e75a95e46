package admin_test

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/admin"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// breakable is a driver that can break.
type breakable struct {
	*memory.Driver
	fault atomic.Pointer[error] // of all calls, nil for none
}

func (d *breakable) err() error {
	if fault := d.fault.Load(); fault != nil {
		return *fault
	}
	return nil
}

func (d *breakable) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	if err := d.err(); err != nil {
		return storage.Record{}, false, err
	}
	return d.Driver.Get(ctx, key, c)
}

func (d *breakable) Put(ctx context.Context, record storage.Record, condition storage.Condition) error {
	if err := d.err(); err != nil {
		return err
	}
	return d.Driver.Put(ctx, record, condition)
}

func init() { gob.Register(map[string]string{}) }

// application is one that knows its users and tenants.
type application struct {
	t      *testing.T
	driver *breakable
	store  *sessionstore.Store
	page   http.Handler
}

func newApplication(t *testing.T, indexes ...string) *application {
	t.Helper()
	driver := &breakable{Driver: memory.New()}
	store, err := sessionstore.New(driver,
		sessionstore.WithOwner("user", sessionstore.OwnerFrom("user")),
		sessionstore.WithOwner("tenant", sessionstore.OwnerFrom("tenant")),
		sessionstore.WithOwnerDetails(func(_ *http.Request, values map[string]any) map[string]string {
			details, _ := values["details"].(map[string]string)
			return details
		}))
	if err != nil {
		t.Fatal(err)
	}
	page, err := admin.New(store, indexes...)
	if err != nil {
		t.Fatal(err)
	}
	return &application{t, driver, store, page}
}

// logIn stores a session of a user.
func (a *application) logIn(token, user string, details map[string]string) {
	a.t.Helper()
	expiry := time.Now().Add(14 * 24 * time.Hour)
	data, err := scs.GobCodec{}.Encode(expiry,
		map[string]any{"user": user, "tenant": "shop", "details": details, "secret": "secret-data"})
	if err == nil {
		err = a.store.CommitCtx(a.t.Context(), token, data, expiry)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *application) lives(token string) bool {
	a.t.Helper()
	_, found, err := a.store.Lookup(a.t.Context(), token)
	if err != nil {
		a.t.Fatal(err)
	}
	return found
}

// answer is one of the page.
type answer struct {
	code   int
	header http.Header
	body   string
}

// json decodes the answer, which must have nothing that is not known.
func (a answer) json(t *testing.T, value any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(a.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("the answer is %d %q: %v", a.code, a.body, err)
	}
}

// ask asks the page: with a form where it is posted to, and by these headers.
func (a *application) ask(method, target string, form url.Values, headers ...string) answer {
	a.t.Helper()
	request := httptest.NewRequestWithContext(a.t.Context(), method, target, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	a.page.ServeHTTP(recorder, request)
	response := recorder.Result()
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		a.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}
