package sessionstore_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// conflicting changes the session, and so does another request.
func (s *site) conflicting(t *testing.T, r *http.Request) {
	t.Helper()
	s.sessions.Put(r.Context(), "n", 1)
	s.set(t, map[string]any{"n": 2})
}

// After a commit that failed, the client gets the answer of the ErrorFunc, whatever the handler does.
func TestFailedCommitIsTheOnlyAnswer(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(w http.ResponseWriter) error{
		"nothing": func(http.ResponseWriter) error { return storage.ErrConflict },
		"Write":   func(w http.ResponseWriter) error { _, err := io.WriteString(w, "secret"); return err },
		"WriteHeader": func(w http.ResponseWriter) error {
			w.WriteHeader(http.StatusCreated)
			_, err := w.Write(nil)
			return err
		},
		"103": func(w http.ResponseWriter) error {
			w.WriteHeader(http.StatusEarlyHints)
			_, err := w.Write(nil)
			return err
		},
		"Copy": func(w http.ResponseWriter) error { _, err := io.Copy(w, strings.NewReader("secret")); return err },
		"redirect": func(w http.ResponseWriter) error {
			w.Header().Set("Location", "/secret")
			w.WriteHeader(http.StatusSeeOther)
			_, err := io.WriteString(w, "secret")
			return err
		},
		"again": func(w http.ResponseWriter) error {
			_, _ = io.WriteString(w, "secret")
			http.Error(w, "secret", http.StatusTeapot)
			_, err := io.WriteString(w, "secret")
			return err
		},
		"Flush": func(w http.ResponseWriter) error {
			_, err := io.WriteString(w, "secret")
			_ = http.NewResponseController(w).Flush() // scs does not return its error
			return err
		},
		"Hijack": func(w http.ResponseWriter) error {
			_, _ = io.WriteString(w, "secret")
			_, _, err := http.NewResponseController(w).Hijack()
			return err
		},
	} {
		for _, method := range []string{http.MethodPost, http.MethodHead} {
			t.Run(name+"/"+method, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, sessionstore.WithStrategy(lockstrategy.Optimistic()))
				written := make(chan error, 1)
				s.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Outer", "kept")
					s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						s.conflicting(t, r)
						w.Header().Set("Content-Length", "6")
						w.Header().Set("Content-Encoding", "gzip")
						w.Header().Add("Set-Cookie", "secret=1")
						w.Header().Set("X-Outer", "changed")
						w.Header().Set("Access-Control-Allow-Origin", "https://example.com")
						w.Header().Set("Content-Security-Policy", "default-src 'self'")
						written <- handler(w)
					})).ServeHTTP(w, r)
				}))
				a, err := s.do(s.request(t, method, nil))
				if err != nil {
					t.Fatal(err)
				}
				if a.status != http.StatusConflict || strings.Contains(a.body, "secret") {
					t.Errorf("%+v; want the ErrorFunc's answer alone", a)
				}
				if method == http.MethodPost && strings.Count(a.body, "\n") != 1 {
					t.Errorf("the body is %q; want one line", a.body)
				}
				h := a.header
				if h.Get("Content-Encoding")+h.Get("Location")+h.Get("Set-Cookie") != "" || h.Get("X-Outer") != "kept" ||
					h.Get("Vary") != "Cookie" {
					t.Errorf("header %v; want nothing of the handler's answer", h)
				}
				if h.Get("Access-Control-Allow-Origin") == "" || h.Get("Content-Security-Policy") == "" {
					t.Errorf("header %v; want what a middleware inside has set, or a browser hides the answer", h)
				}
				if err := <-written; !errors.Is(err, storage.ErrConflict) {
					t.Errorf("the handler got %v; want the reason", err)
				}
				if errs := s.reported(); len(errs) != 1 {
					t.Errorf("reported %v; want one error", errs)
				}
			})
		}
	}
}

// An ErrorFunc that only logs leaves the answer to the handler, as in scs.
func TestErrorFuncMayLeaveTheAnswer(t *testing.T) {
	t.Parallel()
	s := newSite(t, sessionstore.WithStrategy(lockstrategy.Optimistic()))
	s.sessions.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, _ error) { w.Header().Set("X-Logged", "yes") }
	s.start(t, s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.conflicting(t, r)
		w.Header().Set("X-Handler", "yes")
		w.Header().Set("Location", "/created") // which an answer in its place would not have
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "the handler's")
	})))
	a := s.visit(t)
	if a.status != http.StatusCreated || a.body != "the handler's" || a.header.Get("X-Handler") != "yes" ||
		a.header.Get("Location") != "/created" || a.header.Get("X-Logged") != "yes" {
		t.Errorf("%+v; want the handler's answer", a)
	}
}

// A session that cannot be loaded is answered by the ErrorFunc, and the handler does not run.
func TestFailedLoadIsAnswered(t *testing.T) {
	t.Parallel()
	s := newSite(t,
		sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: defaults.MinLeaseMaxWait})))
	lease := storage.Lease{ID: "somebody's", Duration: time.Hour, ExpiresAt: inAnHour()}
	if _, err := s.driver.Acquire(t.Context(), "token", lease, storage.IfFree(time.Now())); err != nil {
		t.Fatal(err)
	}
	s.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Outer", "kept")
		s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			t.Error("the handler runs without its session")
		})).ServeHTTP(w, r)
	}))
	a := s.visit(t)
	if a.status != http.StatusServiceUnavailable || a.header.Get("X-Outer") != "kept" ||
		a.header.Get("Retry-After") == "" {
		t.Errorf("%+v; want 503", a)
	}
	if errs := s.reported(); len(errs) != 1 || !errors.Is(errs[0], sessionstore.ErrLockTimeout) {
		t.Errorf("reported %v; want ErrLockTimeout", errs)
	}
}

// All that a ResponseController can do reaches the server.
func TestResponseController(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	flushed := make(chan struct{})
	s.start(t, s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		rc := http.NewResponseController(w)
		_, err := io.WriteString(w, "first,")
		soon := time.Now().Add(time.Minute)
		if err := errors.Join(
			err, rc.SetReadDeadline(soon), rc.SetWriteDeadline(soon), rc.EnableFullDuplex(), rc.Flush(),
		); err != nil {
			t.Error(err)
		}
		<-flushed
		_, _ = io.WriteString(w, "second")
	})))
	response, err := s.server.Client().Do(s.request(t, http.MethodPost, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	first, err := bufio.NewReaderSize(response.Body, 16).ReadString(',') // comes while the handler runs
	close(flushed)
	rest, restErr := io.ReadAll(response.Body)
	if first != "first," || string(rest) != "second" || err != nil || restErr != nil {
		t.Errorf("%q, then %q, %v, %v", first, rest, err, restErr)
	}
}

// A hijacked connection is the handler's; a commit that fails afterwards is reported, and not written into it.
func TestHijack(t *testing.T) {
	t.Parallel()
	s := newSite(t, sessionstore.WithStrategy(lockstrategy.Optimistic()))
	ended := make(chan struct{})
	s.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, err = io.WriteString(conn, "HTTP/1.1 299 Mine\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmine")
			s.conflicting(t, r)
			_, writeErr := w.Write([]byte("late"))
			if err := errors.Join(err, conn.Close()); err != nil || !errors.Is(writeErr, http.ErrHijacked) {
				t.Errorf("%v, and Write: %v", err, writeErr)
			}
		})).ServeHTTP(w, r)
	}))
	if a := s.visit(t); a.status != 299 || a.body != "mine" {
		t.Errorf("%+v; want what was written to the connection", a)
	}
	<-ended
	if errs := s.reported(); len(errs) != 1 || !errors.Is(errs[0], storage.ErrConflict) {
		t.Errorf("reported %v; want the conflict", errs)
	}
}

// Where there is nothing to hijack, as with HTTP/2, the handler goes on with its session.
func TestHijackThatIsNotPossible(t *testing.T) {
	t.Parallel()
	s := newSite(t, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{})))
	handler := s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Hijack: %v; want ErrNotSupported", err)
		}
		if !s.leased(t) {
			t.Error("the session is free although the response has not begun")
		}
		s.sessions.Put(r.Context(), "n", 1)
		w.WriteHeader(http.StatusUpgradeRequired)
	}))
	w := httptest.NewRecorder() // cannot be hijacked either
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.AddCookie(&http.Cookie{Name: "session", Value: "token"})
	handler.ServeHTTP(w, r)
	if w.Code != http.StatusUpgradeRequired || s.get(t)["n"] != 1 {
		t.Errorf("status %d, stored %v", w.Code, s.get(t))
	}
}

// Informational responses are passed on as they come. The first one commits.
func TestInformationalResponses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.start(t, s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.sessions.Put(r.Context(), "n", 1)
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		if n := s.get(t)["n"]; n != 1 {
			t.Errorf("stored %v; want what was put before", n)
		}
		w.Header().Del("Link")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "body")
	})))
	hints := ""
	trace := &httptrace.ClientTrace{Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
		hints = http.StatusText(status) + " " + header.Get("Link")
		return nil
	}}
	a, err := s.do(s.request(t, http.MethodPost, nil).WithContext(httptrace.WithClientTrace(t.Context(), trace)))
	if err != nil || a.status != http.StatusAccepted || a.body != "body" || a.header.Get("Link") != "" ||
		!strings.HasPrefix(a.header.Get("Set-Cookie"), "session=") {
		t.Errorf("%+v, %v", a, err)
	}
	if hints != "Early Hints </style.css>; rel=preload" {
		t.Errorf("the client got the hints %q", hints)
	}
}

// A handler that has begun its response without a commit has sent its status; a commit that fails is still reported.
func TestCommitThatFailsAfterAFlush(t *testing.T) {
	t.Parallel()
	s := newSite(t, sessionstore.WithStrategy(lockstrategy.Optimistic()))
	s.start(t, s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Handler", "yes")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		s.conflicting(t, r)
		if _, err := io.WriteString(w, "secret"); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("the handler got %v; want the reason", err)
		}
	})))
	a := s.visit(t)
	if a.status != http.StatusOK || a.header.Get("X-Handler") != "yes" ||
		strings.Contains(a.body, "secret") || a.body == "" {
		t.Errorf("%+v; want the status that was sent, and then the ErrorFunc's text", a)
	}
}

// With a lease, a request that lost it is refused, and told why.
func TestLostLeaseIsAConflict(t *testing.T) {
	t.Parallel()
	s := newSite(t, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{})))
	s.start(t, s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.conflicting(t, r)
		if _, err := io.WriteString(w, "secret"); !errors.Is(err, sessionstore.ErrLockLost) {
			t.Errorf("the handler got %v; want ErrLockLost", err)
		}
	})))
	if a := s.visit(t); a.status != http.StatusConflict || s.get(t)["n"] != 2 {
		t.Errorf("%+v, stored %v; want 409, and what the other request has stored", a, s.get(t))
	}
}

// What a handler has done is stored although its client has gone.
func TestCommitAfterTheClientIsGone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil)
	r.AddCookie(&http.Cookie{Name: "session", Value: "token"})
	s.store.LoadAndSave(s.sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.sessions.Put(r.Context(), "n", 1)
		cancel()
		if _, err := io.WriteString(w, "late"); err != nil {
			t.Errorf("the handler got %v", err)
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
	if n := s.get(t)["n"]; n != 1 {
		t.Errorf("stored %v; want 1, which the handler has put", n)
	}
}
