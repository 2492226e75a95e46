package sessionstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// site is a web site with one session, "token", which holds n = 0.
type site struct {
	driver   *memory.Driver
	store    *sessionstore.Store
	sessions *scs.SessionManager
	server   *httptest.Server

	mu     sync.Mutex
	errors []error // what the ErrorFunc was called with
}

func newSite(t *testing.T, options ...sessionstore.Option) *site {
	t.Helper()
	s := &site{driver: memory.New()}
	s.store = newStore(t, s.driver, options...)
	s.sessions = storetest.NewManager(s.store)
	s.sessions.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		s.mu.Lock()
		s.errors = append(s.errors, err)
		s.mu.Unlock()
		sessionstore.HandleError(w, r, err)
	}
	s.set(t, map[string]any{"n": 0})
	return s
}

// start serves the handler.
func (s *site) start(t *testing.T, handler http.Handler) {
	t.Helper()
	s.server = httptest.NewUnstartedServer(handler)
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.server.Start()
	t.Cleanup(s.server.Close)
}

// set stores values, whatever there is: this is what another request does.
func (s *site) set(t testing.TB, values map[string]any) {
	t.Helper()
	deadline := inAnHour()
	data, err := s.sessions.Codec.Encode(deadline, values)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.CommitCtx(context.WithoutCancel(t.Context()), "token", data, deadline); err != nil {
		t.Error(err)
	}
}

// get returns the values that are stored.
func (s *site) get(t *testing.T) map[string]any {
	t.Helper()
	data, found, err := s.store.FindCtx(t.Context(), "token")
	if err != nil || !found {
		t.Fatalf("found %v, %v; want the session", found, err)
	}
	_, values, err := s.sessions.Codec.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func (s *site) leased(t *testing.T) bool {
	t.Helper()
	record, found, err := s.driver.Get(t.Context(), "token", storage.Strong)
	if err != nil || !found {
		t.Errorf("found %v, %v; want the session", found, err)
	}
	return !record.Lease.Free()
}

func (s *site) reported() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.errors)
}

// request returns a request with the session's cookie.
func (s *site) request(t *testing.T, method string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+"/path", body)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "session", Value: "token"})
	return r
}

type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request. Without an answer, the error is returned.
func (s *site) do(r *http.Request) (answer, error) {
	response, err := s.server.Client().Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body)}, err
}

// visit sends a POST without a body.
func (s *site) visit(t *testing.T) answer {
	t.Helper()
	a, err := s.do(s.request(t, http.MethodPost, nil))
	if err != nil {
		t.Errorf("no answer: %v", err)
	}
	return a
}

// journal is a strategy that writes down what is called, by the token.
type journal struct {
	lockstrategy.Strategy
	mu      sync.Mutex
	entries []string
}

func (j *journal) note(what, key string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, what+" "+key)
}

func (j *journal) read() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.entries, ", ")
}

func (j *journal) Load(ctx context.Context, r *lockstrategy.Request, key string) (lockstrategy.Session, error) {
	session, err := j.Strategy.Load(ctx, r, key)
	what := "read"
	if r.Lock {
		what = "lock"
	}
	j.note(what, key)
	return journalSession{session, j, key}, err
}

type journalSession struct {
	lockstrategy.Session
	journal *journal
	key     string
}

func (s journalSession) Commit(ctx context.Context, next storage.Record) error {
	s.journal.note("commit", s.key)
	return s.Session.Commit(ctx, next)
}

func (s journalSession) Release(ctx context.Context) error {
	s.journal.note("release", s.key)
	return s.Session.Release(ctx)
}

// Whatever a response begins with, the session is free from then on, while the handler goes on.
func TestResponseReleasesTheSession(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(w http.ResponseWriter, rc *http.ResponseController) error{
		"Write": func(w http.ResponseWriter, _ *http.ResponseController) error {
			_, err := w.Write([]byte("a"))
			return err
		},
		"WriteHeader": func(w http.ResponseWriter, _ *http.ResponseController) error {
			w.WriteHeader(http.StatusAccepted)
			return nil
		},
		"103": func(w http.ResponseWriter, _ *http.ResponseController) error {
			w.WriteHeader(http.StatusEarlyHints)
			return nil
		},
		"Flush": func(_ http.ResponseWriter, rc *http.ResponseController) error { return rc.Flush() },
		"Hijack": func(_ http.ResponseWriter, rc *http.ResponseController) error {
			conn, _, err := rc.Hijack()
			if err != nil {
				return err
			}
			_, err = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
			return errors.Join(err, conn.Close())
		},
	} {
		for change, modify := range map[string]func(ctx context.Context, sessions *scs.SessionManager){
			"unmodified": func(context.Context, *scs.SessionManager) {},
			"modified":   func(ctx context.Context, sessions *scs.SessionManager) { sessions.Put(ctx, "n", 1) },
		} {
			t.Run(name+"/"+change, func(t *testing.T) {
				t.Parallel()
				j := &journal{Strategy: lockstrategy.Lease(lockstrategy.LeaseOptions{})}
				s := newSite(t, sessionstore.WithStrategy(j))
				ended := make(chan struct{})
				s.start(t, s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer close(ended)
					modify(r.Context(), s.sessions)
					if !s.leased(t) {
						t.Error("the session is free before the response has begun")
					}
					if err := begin(w, http.NewResponseController(w)); err != nil {
						t.Error(err)
					}
					if s.leased(t) {
						t.Error("the session is held although the response has begun")
					}
				})))
				s.visit(t)
				<-ended
				s.server.Close() // waits for what is behind the handler, except after Hijack
				if entries := j.read(); !strings.HasPrefix(entries, "lock token, ") {
					t.Errorf("calls: %s", entries)
				}
			})
		}
	}
}

// scs commits before the first byte: the commit has the lease, and only then is it given back.
func TestCommitComesBeforeRelease(t *testing.T) {
	t.Parallel()
	j := &journal{Strategy: lockstrategy.Lease(lockstrategy.LeaseOptions{})}
	s := newSite(t, sessionstore.WithStrategy(j))
	s.start(t, s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.sessions.Put(r.Context(), "n", 1)
		_, _ = io.WriteString(w, "one")
		_, _ = io.WriteString(w, "two")
	})))
	if a := s.visit(t); a.status != http.StatusOK || a.body != "onetwo" || s.get(t)["n"] != 1 {
		t.Errorf("%+v, stored %v", a, s.get(t))
	}
	s.server.Close()
	if got, want := j.read(), "lock token, commit token, release token, release token"; got != want {
		t.Errorf("calls: %s; want %s: once when the response begins, once at the end", got, want)
	}
}

// A client that goes away while its request is running leaves the session free.
func TestDisconnectReleasesTheSession(t *testing.T) {
	t.Parallel()
	s := newSite(t, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{})))
	running, ended := make(chan struct{}), make(chan struct{})
	s.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			s.sessions.Put(r.Context(), "n", 1)
			if !s.leased(t) {
				t.Error("the session is free while the handler runs")
			}
			close(running)
			<-r.Context().Done()
		})).ServeHTTP(w, r)
	}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-running
		cancel()
	}()
	if _, err := s.do(s.request(t, http.MethodPost, nil).WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("the client got %v; want its cancellation", err)
	}
	<-ended
	if s.leased(t) {
		t.Error("the session is held although its client is gone")
	}
	if errs := s.reported(); len(errs) != 0 || s.get(t)["n"] != 1 {
		t.Errorf("reported %v, stored %v; want what the handler has put, and no error", errs, s.get(t)["n"])
	}
}

// A panic is passed on as it is, and leaves the session free.
func TestPanicReleasesTheSession(t *testing.T) {
	t.Parallel()
	s := newSite(t, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{})))
	caught := make(chan error, 1)
	s.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			value := recover()
			err, _ := value.(error)
			caught <- err
			panic(value)
		}()
		s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		})).ServeHTTP(w, r)
	}))
	if a, err := s.do(s.request(t, http.MethodPost, nil)); err == nil {
		t.Errorf("the client got %+v; want a broken connection", a)
	}
	if err := <-caught; !errors.Is(err, http.ErrAbortHandler) {
		t.Errorf("the panic was %v; want the handler's", err)
	}
	if s.leased(t) {
		t.Error("the session is held although the handler has panicked")
	}
}

// The fields of a session manager may be set after LoadAndSave was called, as with scs.
func TestManagerMayChangeLater(t *testing.T) {
	t.Parallel()
	s := newSite(t, sessionstore.WithStrategy(lockstrategy.Optimistic()), sessionstore.WithTouchInterval(0))
	handler := s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			s.sessions.Put(r.Context(), "n", 1)
			s.set(t, map[string]any{"n": 2})
		}
	}))
	s.start(t, handler)
	codec := &countingCodec{}
	s.sessions.Codec = codec
	s.sessions.Cookie.Name = "later"
	s.sessions.IdleTimeout = time.Minute
	s.sessions.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusTeapot) }
	visit := func(method string) answer {
		r := s.request(t, method, nil)
		r.Header.Set("Cookie", "later=token")
		a, err := s.do(r)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := visit(http.MethodGet); !strings.HasPrefix(a.header.Get("Set-Cookie"), "later=token") {
		t.Errorf("%+v; want the cookie's new name", a)
	}
	before := records(t, s.driver)[0]
	if left := time.Until(before.ExpiresAt); left > time.Minute {
		t.Errorf("the session ends in %v; want the new idle timeout", left)
	}
	if codec.decoded.Load() == 0 {
		t.Error("the new codec was not used")
	}
	if a := visit(http.MethodPut); a.status != http.StatusTeapot {
		t.Errorf("status %d; want that of the new ErrorFunc", a.status)
	}
}

type countingCodec struct {
	scs.GobCodec
	decoded atomic.Int64
}

func (c *countingCodec) Decode(data []byte) (time.Time, map[string]any, error) {
	c.decoded.Add(1)
	return c.GobCodec.Decode(data)
}

// secondManager returns a manager with a key of its own in the context, which only scs.New gives it.
func secondManager(store scs.Store) *scs.SessionManager {
	sessions := scs.New()
	sessions.Store = store
	sessions.ErrorFunc = sessionstore.HandleError
	return sessions
}

// Two managers over one store: the response of the inner one begins before the outer one has committed, and must not
// give its session back.
func TestManagersOverOneStore(t *testing.T) {
	t.Parallel()
	j := &journal{Strategy: lockstrategy.Lease(lockstrategy.LeaseOptions{})}
	s := newSite(t, sessionstore.WithStrategy(j))
	inner := *s.sessions
	inner.Cookie.Name = "inner"
	outer := secondManager(s.store)
	data, err := s.sessions.Codec.Encode(inAnHour(), map[string]any{"n": 0})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s.store, "inner", string(data))
	s.start(t, s.store.LoadAndSave(outer)(s.store.LoadAndSave(&inner)(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			outer.Put(r.Context(), "n", 1)
			inner.Put(r.Context(), "n", 2)
			_, _ = io.WriteString(w, "both")
		}))))
	r := s.request(t, http.MethodPost, nil)
	r.AddCookie(&http.Cookie{Name: "inner", Value: "inner"})
	a, err := s.do(r)
	if err != nil || a.status != http.StatusOK || a.body != "both" || len(a.header.Values("Set-Cookie")) != 2 {
		t.Errorf("%+v, %v; want both cookies", a, err)
	}
	if n := s.get(t)["n"]; n != 1 {
		t.Errorf("the outer session holds %v", n)
	}
	s.server.Close()
	want := "lock token, lock inner, commit inner, commit token, "
	if entries := j.read(); !strings.HasPrefix(entries, want) {
		t.Errorf("calls: %s; want them to begin with %s", entries, want)
	}
	for _, record := range records(t, s.driver) {
		if !record.Lease.Free() {
			t.Error("a session is held after the request")
		}
	}
}

// Two managers over two stores, each with a scope of its own.
func TestManagersOverTwoStores(t *testing.T) {
	t.Parallel()
	a, b := newSite(t, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{}))), newSite(t)
	other := secondManager(b.store)
	a.start(t, a.store.LoadAndSave(a.sessions)(b.store.LoadAndSave(other)(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			a.sessions.Put(r.Context(), "n", 1)
			other.Put(r.Context(), "n", 2)
			w.WriteHeader(http.StatusNoContent)
			if a.leased(t) {
				t.Error("the outer store's session is held although the response has begun")
			}
		}))))
	if got := a.visit(t); got.status != http.StatusNoContent || a.get(t)["n"] != 1 || b.get(t)["n"] != 2 {
		t.Errorf("%+v, stored %v and %v", got, a.get(t), b.get(t))
	}
}

// Nested in itself, as where a router and a route both have the middleware, all is as with one.
func TestLoadAndSaveNested(t *testing.T) {
	t.Parallel()
	for name, strategy := range map[string]lockstrategy.Strategy{
		"optimistic": lockstrategy.Optimistic(), "merge": lockstrategy.Merge(nil),
		"lease": lockstrategy.Lease(lockstrategy.LeaseOptions{}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, sessionstore.WithStrategy(strategy))
			middleware := s.store.LoadAndSave(s.sessions)
			s.start(t, middleware(middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.sessions.Put(r.Context(), "n", s.sessions.GetInt(r.Context(), "n")+1)
				_, _ = io.WriteString(w, "done")
			}))))
			if a := s.visit(t); a.status != http.StatusOK || a.body != "done" || s.get(t)["n"] != 1 {
				t.Errorf("%+v, stored %v", a, s.get(t))
			}
			if s.leased(t) {
				t.Error("the session is held after the request")
			}
		})
	}
}

// MergeSession reads a second session, for which it never waits, also where the request has none of its own.
func TestMergeSessionDoesNotLock(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cookie string
		calls  string
	}{
		"beside its own": {"session=token", "lock token, read other, commit token, "},
		"as the first":   {"", "read other, "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := &journal{Strategy: lockstrategy.Lease(lockstrategy.LeaseOptions{})}
			s := newSite(t, sessionstore.WithStrategy(j))
			data, err := s.sessions.Codec.Encode(inAnHour(), map[string]any{"m": 1})
			if err != nil {
				t.Fatal(err)
			}
			record := storage.Record{
				Key: "other", Data: data, ExpiresAt: inAnHour(), Version: storage.NewVersion(),
				Lease: storage.Lease{ID: "somebody's", Duration: time.Hour, ExpiresAt: inAnHour()},
			}
			if err := s.driver.Put(t.Context(), record, storage.Always()); err != nil {
				t.Fatal(err)
			}
			s.start(t, s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := s.sessions.MergeSession(r.Context(), "other"); err != nil {
					t.Error(err)
				}
				_, _ = fmt.Fprint(w, s.sessions.GetInt(r.Context(), "m"))
			})))
			r := s.request(t, http.MethodPost, nil)
			r.Header.Set("Cookie", test.cookie)
			if a, err := s.do(r); err != nil || a.status != http.StatusOK || a.body != "1" {
				t.Errorf("%+v, %v; want what was merged", a, err)
			}
			wantMiss(t, s.store, "other")
			if entries := j.read(); !strings.HasPrefix(entries, test.calls) {
				t.Errorf("calls: %s; want them to begin with %s", entries, test.calls)
			}
		})
	}
}

// What outlives its request is told so when it commits.
func TestGoroutineThatOutlivesTheRequest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ended, late := make(chan struct{}), make(chan error, 1)
	s.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			go func() {
				<-ended
				s.sessions.Put(ctx, "n", 1)
				_, _, err := s.sessions.Commit(ctx)
				late <- err
			}()
		})).ServeHTTP(w, r)
	}))
	s.visit(t)
	if err := <-late; !errors.Is(err, sessionstore.ErrScopeEnded) {
		t.Errorf("a late commit: %v; want ErrScopeEnded", err)
	}
	if n := s.get(t)["n"]; n != 0 {
		t.Errorf("a late commit has stored %v", n)
	}
}

// form returns a form with a file.
func form(t *testing.T) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", "name")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(bytes.Repeat([]byte("f"), 1000))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}

// parse parses a form, keeping nothing in memory, and returns the file's header.
func parse(r *http.Request) (*multipart.FileHeader, error) {
	if err := r.ParseMultipartForm(0); err != nil {
		return nil, err
	}
	header := r.MultipartForm.File["file"][0]
	file, err := header.Open()
	if err != nil {
		return nil, err
	}
	return header, file.Close()
}

func TestTemporaryFilesAreRemoved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	files := make(chan *multipart.FileHeader, 1)
	s.start(t, s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		file, err := parse(r)
		if err != nil {
			t.Errorf("while the handler runs: %v", err)
		}
		files <- file
	})))
	body, contentType := form(t)
	r := s.request(t, http.MethodPost, bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	if a, err := s.do(r); err != nil || a.status != http.StatusOK {
		t.Fatalf("%+v, %v", a, err)
	}
	s.server.Close()
	if f, err := (<-files).Open(); err == nil {
		_ = f.Close()
		t.Error("the file of the form is there after the request")
	}
}
