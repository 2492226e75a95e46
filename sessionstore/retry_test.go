package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// retries counts the events that a store reports of further tries.
type retries struct {
	mu     sync.Mutex
	events []sessionstore.Event
}

func (r *retries) observe(_ context.Context, e sessionstore.Event) {
	if e.Operation == "retry" {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	}
}

func (r *retries) all() []sessionstore.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// conflicts are runs of a handler of which the first ones meet another request.
type conflicts struct {
	site    *site
	meeting int32 // so many
	runs    atomic.Int32
}

// meet counts a run, and changes the session on behalf of this request and of another one. It returns which run it is.
func (c *conflicts) meet(t *testing.T, r *http.Request) int32 {
	t.Helper()
	run := c.runs.Add(1)
	c.site.sessions.Put(r.Context(), "run", int(run))
	if run <= c.meeting {
		c.site.set(t, map[string]any{"n": 100 + int(run)})
	}
	return run
}

func newConflicts(t *testing.T, meeting int32, options ...sessionstore.Option) (*site, *conflicts) {
	t.Helper()
	options = append([]sessionstore.Option{sessionstore.WithStrategy(lockstrategy.Optimistic())}, options...)
	s := newSite(t, options...)
	return s, &conflicts{site: s, meeting: meeting}
}

// Ten requests that read the same counter before any of them writes it all count.
func TestRetryLosesNoUpdate(t *testing.T) {
	t.Parallel()
	const requests = 10
	refusing := lockstrategy.Merge(
		func(string, lockstrategy.Value, lockstrategy.Value, lockstrategy.Value) (lockstrategy.Value, error) {
			return lockstrategy.Value{}, storage.ErrConflict
		})
	for name, test := range map[string]struct {
		strategy lockstrategy.Strategy
		idle     time.Duration
	}{
		"optimistic":               {lockstrategy.Optimistic(), 0},
		"optimistic, idle timeout": {lockstrategy.Optimistic(), time.Minute},
		"merge that refuses":       {refusing, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := &retries{}
			s := newSite(t, sessionstore.WithStrategy(test.strategy), sessionstore.WithObserver(told.observe))
			s.sessions.IdleTimeout = test.idle
			var arrived atomic.Int32
			var together sync.WaitGroup
			together.Add(requests)
			s.start(t, s.store.Retry(s.sessions, sessionstore.WithTries(requests))(http.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request) {
					n := s.sessions.GetInt(r.Context(), "n") + 1
					if arrived.Add(1) <= requests {
						together.Done()
						together.Wait()
					}
					s.sessions.Put(r.Context(), "n", n)
					_, _ = fmt.Fprint(w, n)
				})))
			bodies := make([]string, requests)
			var done sync.WaitGroup
			for i := range requests {
				done.Go(func() {
					a := s.visit(t)
					bodies[i] = a.body
					if a.status != http.StatusOK {
						t.Errorf("%+v; want 200", a)
					}
				})
			}
			done.Wait()
			slices.Sort(bodies)
			if got, want := strings.Join(bodies, " "), "1 10 2 3 4 5 6 7 8 9"; got != want {
				t.Errorf("the clients were told %s; want %s", got, want)
			}
			if n := s.get(t)["n"]; n != requests {
				t.Errorf("counted %v; want %d", n, requests)
			}
			if n := len(told.all()); n != int(arrived.Load())-requests || n < requests-1 {
				t.Errorf("%d further tries were told of; there were %d runs", n, arrived.Load())
			}
			if errs := s.reported(); len(errs) != 0 {
				t.Errorf("reported %v; want nothing, all went well", errs)
			}
		})
	}
}

// With None nothing conflicts, and nothing is tried again. The same holds for a request that only reads.
func TestRetryOnlyWhereThereIsAConflict(t *testing.T) {
	t.Parallel()
	s, c := newConflicts(t, 100, sessionstore.WithStrategy(lockstrategy.None()))
	s.start(t, s.store.Retry(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, c.meet(t, r))
	})))
	if a := s.visit(t); a.status != http.StatusOK || a.body != "1" {
		t.Errorf("none: %+v; want one run", a)
	}
	reader, runs := newConflicts(t, 100)
	reader.sessions.IdleTimeout = time.Minute
	reader.start(t, reader.store.Retry(reader.sessions)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reader.set(t, map[string]any{"n": 1})
		_, _ = fmt.Fprint(w, runs.runs.Add(1))
	})))
	if a := reader.visit(t); a.status != http.StatusOK || a.body != "1" {
		t.Errorf("a request that only reads: %+v; want one run", a)
	}
}

// Nothing of a try that has failed is left for the next one, or for the client.
func TestRetryStartsAfresh(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w http.ResponseWriter) error{
		"Write": func(w http.ResponseWriter) error { _, err := io.WriteString(w, "dropped"); return err },
		"http.Error": func(w http.ResponseWriter) error {
			http.Error(w, "dropped", http.StatusTeapot)
			_, err := w.Write(nil)
			return err
		},
		"Write and Flush": func(w http.ResponseWriter) error {
			_, err := io.WriteString(w, "dropped")
			_ = http.NewResponseController(w).Flush()
			return err
		},
		"nothing": func(http.ResponseWriter) error { return storage.ErrConflict },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := newConflicts(t, 1)
			first := make(chan *http.Request, 1)
			handler := func(w http.ResponseWriter, r *http.Request) {
				if r.Form != nil || r.MultipartForm != nil || r.URL.Path != "/path" || r.Header.Get("X-Changed") != "" {
					t.Errorf("the request is not as it was: %v %v %v %v", r.Form, r.MultipartForm, r.URL, r.Header)
				}
				if len(w.Header().Values("Vary")) != 1 || len(w.Header()["X-Outer"]) != 1 || w.Header().Get("X-Try") != "" {
					t.Errorf("the response's header is not as it was: %v", w.Header())
				}
				if r.PathValue("path") != "path" {
					t.Errorf("the path's value is %q", r.PathValue("path"))
				}
				if err := r.ParseForm(); err != nil || r.PostForm.Get("a") != "b" {
					t.Errorf("the form is %v, %v", r.PostForm, err)
				}
				r.URL.Path, r.Form["a"] = "/changed", []string{"c"}
				r.Header.Set("X-Changed", "yes")
				run := c.meet(t, r)
				w.Header().Set("X-Try", strconv.Itoa(int(run)))
				w.Header().Add("X-Outer", "more")
				w.Header().Add("Set-Cookie", fmt.Sprintf("try=%d", run))
				if run == 1 {
					first <- r
					if err := end(w); !errors.Is(err, storage.ErrConflict) {
						t.Errorf("the first try's Write returned %v; want the conflict", err)
					}
					return
				}
				if n := s.sessions.GetInt(r.Context(), "n"); n != 101 {
					t.Errorf("the second try has read %d; want what the other request has stored", n)
				}
				w.WriteHeader(http.StatusCreated)
				_, _ = io.WriteString(w, "kept")
			}
			mux := http.NewServeMux()
			mux.Handle("POST /{path}", s.store.Retry(s.sessions)(http.HandlerFunc(handler)))
			s.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Outer", "kept")
				mux.ServeHTTP(w, r)
			}))
			r := s.request(t, http.MethodPost, strings.NewReader("a=b"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			a, err := s.do(r)
			if err != nil || a.status != http.StatusCreated || a.body != "kept" || c.runs.Load() != 2 {
				t.Errorf("%+v, %v, after %d runs", a, err, c.runs.Load())
			}
			cookies := strings.Join(a.header.Values("Set-Cookie"), "\n")
			if strings.Count(cookies, "session=") != 1 || strings.Count(cookies, "try=") != 1 ||
				!strings.Contains(cookies, "try=2") ||
				a.header.Get("X-Try") != "2" {
				t.Errorf("header %v; want that of the second try", a.header)
			}
			if cause := context.Cause((<-first).Context()); !errors.Is(cause, storage.ErrConflict) {
				t.Errorf("the context of the first try ended with %v; want the conflict", cause)
			}
			if errs := s.reported(); len(errs) != 0 {
				t.Errorf("reported %v; want nothing", errs)
			}
		})
	}
}

// Each try parses a multipart form itself, and its temporary files go with it.
func TestRetryRemovesTemporaryFiles(t *testing.T) {
	t.Parallel()
	s, c := newConflicts(t, 1)
	files := make(chan *multipart.FileHeader, 2)
	s.start(t, s.store.Retry(s.sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		file, err := parse(r)
		if err != nil {
			t.Errorf("while the handler runs: %v", err)
		}
		files <- file
		c.meet(t, r)
	})))
	body, contentType := form(t)
	r := s.request(t, http.MethodPost, strings.NewReader(string(body)))
	r.Header.Set("Content-Type", contentType)
	if a, err := s.do(r); err != nil || a.status != http.StatusOK {
		t.Fatalf("%+v, %v", a, err)
	}
	s.server.Close()
	for try := range 2 {
		if f, err := (<-files).Open(); err == nil {
			_ = f.Close()
			t.Errorf("the file of try %d is there after the request", try+1)
		}
	}
}

// Whatever a handler reads of a body, and however it comes, each try can read it from the beginning; only where more
// was read than is kept, there is no further try.
func TestRetryBody(t *testing.T) {
	t.Parallel()
	const kept = 1000
	text := strings.Repeat("0123456789", 300)
	all := func(r *http.Request) (string, error) { b, err := io.ReadAll(r.Body); return string(b), err }
	first := func(n int64) func(r *http.Request) (string, error) {
		return func(r *http.Request) (string, error) {
			b, err := io.ReadAll(io.LimitReader(r.Body, n))
			return string(b), err
		}
	}
	for name, test := range map[string]struct {
		size    int
		chunked bool
		read    func(r *http.Request) (string, error)
		want    int // how much the handler reads in each try
		runs    int32
	}{
		"none":                          {0, false, all, 0, 2},
		"not read":                      {3000, true, first(0), 0, 2},
		"as long as is kept":            {kept, false, all, kept, 2},
		"as long as is kept, chunked":   {kept, true, all, kept, 2},
		"longer":                        {kept + 1, false, all, kept + 1, 1},
		"longer, chunked":               {kept + 1, true, all, kept + 1, 1},
		"much longer":                   {3000, true, all, 3000, 1},
		"longer, but read to the limit": {3000, true, first(kept), kept, 2},
		"a part, of what is longer":     {3000, false, first(10), 10, 1},
		"closed": {kept, true, func(r *http.Request) (string, error) {
			part := make([]byte, 10)
			_, err := io.ReadFull(r.Body, part)
			if err == nil {
				err = r.Body.Close()
			}
			if _, after := r.Body.Read(part); !errors.Is(after, http.ErrBodyReadAfterClose) {
				err = fmt.Errorf("read after Close: %w", after)
			}
			return string(part), err
		}, 10, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := newConflicts(t, 1)
			s.start(t, s.store.Retry(s.sessions, sessionstore.WithMaxBody(kept))(http.HandlerFunc(
				func(_ http.ResponseWriter, r *http.Request) {
					if got, err := test.read(r); got != text[:test.want] || err != nil {
						t.Errorf("read %d bytes, %v; want %d", len(got), err, test.want)
					}
					c.meet(t, r)
				})))
			r := s.request(t, http.MethodPost, strings.NewReader(text[:test.size]))
			if test.chunked {
				r.ContentLength = -1
			}
			a, err := s.do(r)
			status := http.StatusOK
			if test.runs == 1 {
				status = http.StatusConflict
			}
			if err != nil || a.status != status || c.runs.Load() != test.runs {
				t.Errorf("%+v, %v, after %d runs; want %d after %d", a, err, c.runs.Load(), status, test.runs)
			}
		})
	}
}

// The first try may read a part, and the second more.
func TestRetryBodyReadFurther(t *testing.T) {
	t.Parallel()
	s, c := newConflicts(t, 2)
	s.start(t, s.store.Retry(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(10) << c.runs.Load()
		body, err := io.ReadAll(io.LimitReader(r.Body, limit))
		if err != nil {
			t.Error(err)
		}
		if c.meet(t, r) < 3 {
			return
		}
		_, _ = w.Write(body)
	})))
	if a, err := s.do(s.request(t, http.MethodPost,
		strings.NewReader(strings.Repeat("0123456789", 3)))); a.body != strings.Repeat("0123456789", 3) {
		t.Errorf("%+v, %v; want the whole body", a, err)
	}
}

// Trailers come with the end of the body, and are there for each try.
func TestRetryTrailers(t *testing.T) {
	t.Parallel()
	s, c := newConflicts(t, 1)
	s.start(t, s.store.Retry(s.sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil || r.Trailer.Get("X-Sum") != "sum" {
			t.Errorf("trailers %v, %v", r.Trailer, err)
		}
		c.meet(t, r)
	})))
	r := s.request(t, http.MethodPost, strings.NewReader("body"))
	r.ContentLength = -1
	r.Trailer = http.Header{"X-Sum": {"sum"}}
	if a, err := s.do(r); err != nil || a.status != http.StatusOK || c.runs.Load() != 2 {
		t.Errorf("%+v, %v, after %d runs", a, err, c.runs.Load())
	}
}

// source is a body.
type source struct {
	io.Reader
	closed atomic.Int32
}

func (s *source) Close() error {
	s.closed.Add(1)
	return nil
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// direct serves one request with the body, without a server.
func (s *site) direct(t *testing.T, body io.ReadCloser, handler http.HandlerFunc,
	options ...sessionstore.RetryOption,
) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.Body, r.ContentLength = body, -1
	r.AddCookie(&http.Cookie{Name: "session", Value: "token"})
	w := httptest.NewRecorder()
	s.store.Retry(s.sessions, options...)(handler).ServeHTTP(w, r)
	return w.Code
}

// A try that has failed reads nothing that the next one would miss.
func TestRetryBodyIsTheNextTrys(t *testing.T) {
	t.Parallel()
	const text = "more than is kept"
	s, c := newConflicts(t, 1)
	status := s.direct(t, io.NopCloser(strings.NewReader(text)), func(w http.ResponseWriter, r *http.Request) {
		run := c.meet(t, r)
		_, _ = io.WriteString(w, "begun")
		body, err := io.ReadAll(r.Body)
		if run == 1 && (len(body) > 0 || !errors.Is(err, http.ErrBodyReadAfterClose)) || run == 2 && string(body) != text {
			t.Errorf("try %d has read %q, %v", run, body, err)
		}
	}, sessionstore.WithMaxBody(4))
	if status != http.StatusOK || c.runs.Load() != 2 {
		t.Errorf("status %d after %d runs", status, c.runs.Load())
	}
}

// That a handler closes the body is passed on when no other try needs it.
func TestRetryClosesTheBodyLast(t *testing.T) {
	t.Parallel()
	for name, closes := range map[string]bool{"closed": true, "left open": false} {
		s, c := newConflicts(t, 1)
		body := &source{Reader: strings.NewReader("body")}
		status := s.direct(t, body, func(_ http.ResponseWriter, r *http.Request) {
			if got, err := io.ReadAll(r.Body); string(got) != "body" || err != nil {
				t.Errorf("%s: read %q, %v", name, got, err)
			}
			if closes {
				_ = r.Body.Close()
			}
			if body.closed.Load() != 0 {
				t.Errorf("%s: the body is closed although another try may need it", name)
			}
			c.meet(t, r)
		})
		if status != http.StatusOK || c.runs.Load() != 2 || (body.closed.Load() == 1) != closes {
			t.Errorf("%s: status %d after %d runs, closed %d times", name, status, c.runs.Load(), body.closed.Load())
		}
	}
}

// How the body ended is kept as well: who has provided it need not say so twice.
func TestRetryKeepsTheEndOfTheBody(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, end := range map[string]error{"whole": nil, "broken": broken} {
		s, c := newConflicts(t, 1)
		parts := []string{"bo", "dy"}
		body := readerFunc(func(p []byte) (int, error) {
			if len(parts) == 0 {
				t.Errorf("%s: read behind the end", name)
				return 0, io.ErrUnexpectedEOF
			}
			n := copy(p, parts[0])
			if parts = parts[1:]; len(parts) > 0 {
				return n, nil
			}
			if end != nil {
				return n, end
			}
			return n, io.EOF
		})
		s.direct(t, io.NopCloser(body), func(_ http.ResponseWriter, r *http.Request) {
			if got, err := io.ReadAll(r.Body); string(got) != "body" || !errors.Is(err, end) {
				t.Errorf("%s: read %q, %v", name, got, err)
			}
			c.meet(t, r)
		})
		if c.runs.Load() != 2 {
			t.Errorf("%s: %d runs; want 2", name, c.runs.Load())
		}
	}
}

// What is read while the commit is made cannot be read again.
func TestRetryNotWhileTheBodyIsRead(t *testing.T) {
	t.Parallel()
	s, c := newConflicts(t, 1)
	reading, committed := make(chan struct{}), make(chan struct{})
	body := readerFunc(func(p []byte) (int, error) {
		close(reading)
		<-committed
		return copy(p, "body"), io.EOF
	})
	status := s.direct(t, io.NopCloser(body), func(w http.ResponseWriter, r *http.Request) {
		got := make(chan string)
		go func() {
			b, _ := io.ReadAll(r.Body)
			got <- string(b)
		}()
		<-reading
		c.meet(t, r)
		w.WriteHeader(http.StatusOK)
		close(committed)
		if body := <-got; body != "body" {
			t.Errorf("read %q", body)
		}
	})
	if status != http.StatusConflict || c.runs.Load() != 1 {
		t.Errorf("status %d after %d runs; want 409 after one", status, c.runs.Load())
	}
}

// Of two reads at the same time nobody knows which came first.
func TestRetryNotAfterReadsAtTheSameTime(t *testing.T) {
	t.Parallel()
	s, c := newConflicts(t, 1)
	var both sync.WaitGroup
	both.Add(2)
	body := readerFunc(func(p []byte) (int, error) {
		both.Done()
		both.Wait()
		return copy(p, "b"), nil
	})
	status := s.direct(t, io.NopCloser(body), func(_ http.ResponseWriter, r *http.Request) {
		var done sync.WaitGroup
		for range 2 {
			done.Go(func() { _, _ = r.Body.Read(make([]byte, 1)) })
		}
		done.Wait()
		c.meet(t, r)
	})
	if status != http.StatusConflict || c.runs.Load() != 1 {
		t.Errorf("status %d after %d runs; want 409 after one", status, c.runs.Load())
	}
}

// A client that asks whether to send its body is told so by the handler, not by Retry.
func TestRetryExpectContinue(t *testing.T) {
	t.Parallel()
	for name, reads := range map[string]bool{"read": true, "refused": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := newConflicts(t, 1)
			s.start(t, s.store.Retry(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var body []byte
				if reads {
					body, _ = io.ReadAll(r.Body)
				}
				c.meet(t, r)
				_, _ = w.Write(body)
			})))
			s.server.Client().Transport.(*http.Transport).ExpectContinueTimeout = time.Hour
			var asked atomic.Int32
			trace := &httptrace.ClientTrace{Got100Continue: func() { asked.Add(1) }}
			r := s.request(t, http.MethodPost, strings.NewReader("body"))
			r.Header.Set("Expect", "100-continue")
			a, err := s.do(r.WithContext(httptrace.WithClientTrace(t.Context(), trace)))
			want, body := int32(0), ""
			if reads {
				want, body = 1, "body"
			}
			if err != nil || a.status != http.StatusOK || a.body != body || asked.Load() != want || c.runs.Load() != 2 {
				t.Errorf("%+v, %v, sent the body %d times, %d runs", a, err, asked.Load(), c.runs.Load())
			}
		})
	}
}

// When the tries are used up, the last conflict is answered as LoadAndSave does.
func TestRetryGivesUp(t *testing.T) {
	t.Parallel()
	for tries, options := range map[int32][]sessionstore.RetryOption{
		1: {sessionstore.WithTries(1)}, 3: {sessionstore.WithTries(3)}, 6: nil,
	} {
		t.Run(strconv.Itoa(int(tries)), func(t *testing.T) {
			t.Parallel()
			told := &retries{}
			s, c := newConflicts(t, 100, sessionstore.WithObserver(told.observe))
			s.start(t, s.store.Retry(s.sessions, options...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c.meet(t, r)
				w.Header().Set("Location", "/")
				_, _ = io.WriteString(w, "dropped")
			})))
			a := s.visit(t)
			if a.status != http.StatusConflict || strings.Contains(a.body, "dropped") || a.header.Get("Location") != "" {
				t.Errorf("%+v; want the ErrorFunc's answer", a)
			}
			if errs := s.reported(); len(errs) != 1 || !errors.Is(errs[0], storage.ErrConflict) {
				t.Errorf("reported %v; want the last conflict", errs)
			}
			events := told.all()
			if c.runs.Load() != tries || len(events) != int(tries)-1 {
				t.Errorf("%d runs, %d further tries were told of; want %d runs", c.runs.Load(), len(events), tries)
			}
			for _, e := range events {
				if e.Outcome != "conflict" || !errors.Is(e.Err, storage.ErrConflict) || e.Duration <= 0 {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

// refusals is Optimistic, but commits are refused, one after the other, for the reasons given.
type refusals struct {
	lockstrategy.Strategy
	reasons chan error
}

func refuse(reasons ...error) refusals {
	c := make(chan error, len(reasons))
	for _, err := range reasons {
		c <- err
	}
	return refusals{lockstrategy.Optimistic(), c}
}

func (s refusals) Load(ctx context.Context, r *lockstrategy.Request, key string) (lockstrategy.Session, error) {
	session, err := s.Strategy.Load(ctx, r, key)
	return refusedSession{session, s.reasons}, err
}

type refusedSession struct {
	lockstrategy.Session
	reasons chan error
}

func (s refusedSession) Commit(ctx context.Context, next storage.Record) error {
	select {
	case err := <-s.reasons:
		return err
	default:
		return s.Session.Commit(ctx, next)
	}
}

// Only what another try can put right is tried again.
func TestRetryTellsErrorsApart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		runs   int32
		status int
	}{
		"conflict":            {&storage.ConflictError{}, 2, http.StatusOK},
		"lock lost":           {sessionstore.ErrLockLost, 2, http.StatusOK},
		"gone":                {sessionstore.ErrSessionGone, 1, http.StatusConflict},
		"gone, in a conflict": {errors.Join(sessionstore.ErrSessionGone, storage.ErrConflict), 1, http.StatusConflict},
		"unknown": {
			errors.Join(storage.ErrConflict, storage.ErrOutcomeUnknown), 1,
			http.StatusInternalServerError,
		},
		"unavailable":  {storage.ErrUnavailable, 1, http.StatusServiceUnavailable},
		"lock timeout": {sessionstore.ErrLockTimeout, 1, http.StatusServiceUnavailable},
		"canceled":     {context.Canceled, 1, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := newConflicts(t, 0, sessionstore.WithStrategy(refuse(test.err)))
			s.start(t,
				s.store.Retry(s.sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { c.meet(t, r) })))
			if a := s.visit(t); a.status != test.status || c.runs.Load() != test.runs {
				t.Errorf("status %d after %d runs; want %d after %d", a.status, c.runs.Load(), test.status, test.runs)
			}
		})
	}
}

// A lease that was lost is acquired anew, and given back by each try.
func TestRetryAfterALostLease(t *testing.T) {
	t.Parallel()
	told := &retries{}
	s, c := newConflicts(t, 1, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{})),
		sessionstore.WithObserver(told.observe))
	s.start(t, s.store.Retry(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.leased(t) {
			t.Error("the session is not leased")
		}
		c.meet(t, r)
		_, _ = io.WriteString(w, "done")
	})))
	if a := s.visit(t); a.body != "done" || c.runs.Load() != 2 || s.get(t)["run"] != 2 {
		t.Errorf("%+v after %d runs, stored %v", a, c.runs.Load(), s.get(t))
	}
	if events := told.all(); len(events) != 1 || events[0].Outcome != "lost" {
		t.Errorf("%+v; want one try after a lost lease", events)
	}
	if s.leased(t) {
		t.Error("the session is held after the request")
	}
}

// A try that goes on after its commit failed holds nothing any more.
func TestRetryReleasesAtTheConflict(t *testing.T) {
	t.Parallel()
	j := &journal{Strategy: refuse(storage.ErrConflict)}
	s, c := newConflicts(t, 0, sessionstore.WithStrategy(j))
	s.start(t, s.store.Retry(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.meet(t, r)
		w.WriteHeader(http.StatusOK)
		if entries := j.read(); !strings.HasSuffix(entries, "commit token, release token") {
			t.Errorf("calls: %s; want the release to follow the commit", entries)
		}
	})))
	if a := s.visit(t); a.status != http.StatusOK || c.runs.Load() != 2 {
		t.Errorf("%+v after %d runs", a, c.runs.Load())
	}
}

// Responses that go through are passed on as they come, and what has begun is not tried again.
func TestRetryPassesResponsesOn(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]func(c *conflicts, w http.ResponseWriter, r *http.Request) (status int){
		"flushed before the commit": func(c *conflicts, w http.ResponseWriter, r *http.Request) int {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			c.meet(t, r)
			return http.StatusOK
		},
		"committed by hand after the first byte": func(c *conflicts, w http.ResponseWriter, r *http.Request) int {
			w.WriteHeader(http.StatusAccepted)
			c.meet(t, r)
			if _, _, err := c.site.sessions.Commit(r.Context()); !errors.Is(err, storage.ErrConflict) {
				t.Errorf("the commit: %v; want the conflict", err)
			}
			return http.StatusAccepted
		},
		"hijacked": func(c *conflicts, w http.ResponseWriter, r *http.Request) int {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return 0
			}
			c.meet(t, r)
			_, _ = io.WriteString(conn, "HTTP/1.1 299 Mine\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			_ = conn.Close()
			return 299
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := newConflicts(t, 1)
			status := make(chan int, 2)
			s.start(t, s.store.Retry(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				status <- handle(c, w, r)
			})))
			a := s.visit(t)
			if want := <-status; a.status != want || c.runs.Load() != 1 {
				t.Errorf("%+v after %d runs; want %d after one", a, c.runs.Load(), want)
			}
		})
	}
	t.Run("streamed", func(t *testing.T) {
		t.Parallel()
		s, c := newConflicts(t, 1)
		read := make(chan struct{})
		s.start(t, s.store.Retry(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c.meet(t, r)
			if _, err := io.WriteString(w, "first,"); err != nil {
				return
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			<-read
			_, _ = io.WriteString(w, "second")
		})))
		response, err := s.server.Client().Do(s.request(t, http.MethodPost, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		first := make([]byte, 6)
		_, err = io.ReadFull(response.Body, first)
		close(read)
		if rest, restErr := io.ReadAll(response.Body); string(first)+string(rest) != "first,second" || err != nil ||
			restErr != nil {
			t.Errorf("%q, %q, %v, %v", first, rest, err, restErr)
		}
	})
}

// A try that has stored or deleted something cannot be undone: to run it again would do that twice, or miss what is
// gone.
func TestRetryNotAfterAChange(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(ctx context.Context, s *site) error{
		"Commit": func(ctx context.Context, s *site) error {
			s.sessions.Put(ctx, "mine", 1)
			_, _, err := s.sessions.Commit(ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := newConflicts(t, 1)
			data, err := s.sessions.Codec.Encode(inAnHour(), map[string]any{"m": 1})
			if err != nil {
				t.Fatal(err)
			}
			commit(t, s.store, "other", string(data))
			s.start(t, s.store.Retry(s.sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if err := change(r.Context(), s); err != nil {
					t.Error(err)
				}
				c.meet(t, r)
			})))
			if a := s.visit(t); a.status != http.StatusConflict || c.runs.Load() != 1 {
				t.Errorf("%+v after %d runs; want 409 after one", a, c.runs.Load())
			}
		})
	}
}

// The pause between two tries ends with the request, and both errors can be told.
func TestRetryEndsWithTheContext(t *testing.T) {
	t.Parallel()
	s, c := newConflicts(t, 100)
	s.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		w.Header().Set("X-Outer", "kept")
		s.store.Retry(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c.meet(t, r)
			w.Header().Set("X-Handler", "dropped")
			_, _ = io.WriteString(w, "dropped")
			cancel()
		})).ServeHTTP(w, r.WithContext(ctx))
	}))
	a := s.visit(t)
	if a.status != http.StatusConflict || strings.Contains(a.body, "dropped") || a.header.Get("X-Handler") != "" ||
		c.runs.Load() != 1 {
		t.Errorf("%+v after %d runs; want 409 after one", a, c.runs.Load())
	}
	if errs := s.reported(); len(errs) != 1 || !errors.Is(errs[0], storage.ErrConflict) ||
		!errors.Is(errs[0], context.Canceled) {
		t.Errorf("reported %v; want the conflict and the cancellation", errs)
	}
}

// The pauses between tries are random, up to bounds that double from 10 ms to 160 ms.
func TestRetryPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const tries = 12
		var longest [tries]time.Duration
		v := newVisitor(t, newHooked(), sessionstore.WithStrategy(lockstrategy.Optimistic()))
		token := v.begin(map[string]any{"user": 1})
		for range 120 {
			n, last := 0, time.Time{}
			handler := v.store.Retry(v.sessions, sessionstore.WithTries(tries))(http.HandlerFunc(
				func(_ http.ResponseWriter, r *http.Request) {
					if n > 0 {
						longest[n] = max(longest[n], time.Since(last))
					}
					n++
					v.visit(token, func(_ http.ResponseWriter, r *http.Request) { // which is faster
						v.sessions.Put(r.Context(), "n", v.sessions.GetInt(r.Context(), "n")+1)
					})
					v.sessions.Put(r.Context(), "ours", n)
					last = time.Now()
				}))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/own", nil)
			r.AddCookie(&http.Cookie{Name: v.sessions.Cookie.Name, Value: token})
			w := httptest.NewRecorder()
			if handler.ServeHTTP(w, r); w.Code != http.StatusConflict || n != tries {
				t.Fatalf("status %d after %d tries; want 409 after %d", w.Code, n, tries)
			}
		}
		bound := 10 * time.Millisecond
		for i := 1; i < tries; i++ {
			if longest[i] > bound || longest[i] < bound*8/10 {
				t.Errorf("pause %d: up to %v; want up to %v", i, longest[i], bound)
			}
			bound = min(2*bound, 160*time.Millisecond)
		}
	})
}

// A panic ends the request, also in a try that has failed.
func TestRetryPassesPanicsOn(t *testing.T) {
	t.Parallel()
	s, c := newConflicts(t, 1)
	s.start(t, s.store.Retry(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.meet(t, r)
		_, _ = io.WriteString(w, "dropped")
		panic(http.ErrAbortHandler)
	})))
	if a, err := s.do(s.request(t, http.MethodPost, nil)); err == nil || c.runs.Load() != 1 {
		t.Errorf("%+v after %d runs; want a broken connection after one", a, c.runs.Load())
	}
}

// Where the session has been loaded already, a further try could not load it anew.
func TestRetryWithinAScope(t *testing.T) {
	t.Parallel()
	for name, around := range map[string]func(s *site) func(http.Handler) http.Handler{
		"LoadAndSave": func(s *site) func(http.Handler) http.Handler { return s.store.LoadAndSave(s.sessions) },
		"Retry":       func(s *site) func(http.Handler) http.Handler { return s.store.Retry(s.sessions) },
		"scs":         func(s *site) func(http.Handler) http.Handler { return s.sessions.LoadAndSave },
		"another manager": func(s *site) func(http.Handler) http.Handler {
			return s.store.LoadAndSave(secondManager(s.store))
		},
		"Begin": func(s *site) func(http.Handler) http.Handler {
			return func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					ctx, end := s.store.Begin(r.Context())
					defer end()
					next.ServeHTTP(w, r.WithContext(ctx))
				})
			}
		},
	} {
		s := newSite(t)
		s.start(t, around(s)(s.store.Retry(s.sessions)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			t.Errorf("%s: the handler runs", name)
		}))))
		if a := s.visit(t); a.status != http.StatusInternalServerError {
			t.Errorf("%s: status %d; want 500", name, a.status)
		}
		if errs := s.reported(); len(errs) != 1 || !errors.Is(errs[0], sessionstore.ErrRetryInScope) {
			t.Errorf("%s: reported %v; want ErrRetryInScope", name, errs)
		}
	}

	// Another store, with another manager, is no obstacle; nor is a new session.
	a, c := newConflicts(t, 1)
	b := newSite(t)
	other := secondManager(b.store)
	a.start(t,
		b.store.LoadAndSave(other)(a.store.Retry(a.sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			c.meet(t, r)
		}))))
	if got := a.visit(t); got.status != http.StatusOK || c.runs.Load() != 2 {
		t.Errorf("another store: %+v after %d runs; want two", got, c.runs.Load())
	}
}

// What is wrong with the options is found when the routes are set up, all at once.
func TestRetryOptions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	problem := func(sm *scs.SessionManager, options ...sessionstore.RetryOption) (err error) {
		defer func() { err, _ = recover().(error) }()
		s.store.Retry(sm, options...)
		return nil
	}
	err := problem(nil, sessionstore.WithTries(0), sessionstore.WithMaxBody(-1))
	for _, want := range []string{"session manager", "WithTries", "WithMaxBody"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in: %v", want, err)
		}
	}
	if err := problem(s.sessions, sessionstore.WithTries(1), sessionstore.WithMaxBody(0)); err != nil {
		t.Errorf("the least that is possible: %v", err)
	}
}
