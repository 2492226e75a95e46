package frameworks

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gorilla/handlers"
	"github.com/justinas/alice"
	"github.com/klauspost/compress/gzhttp"
)

func TestMiddlewares(t *testing.T) {
	compare(t, []application{
		{
			name: "gzhttp outside", root: func(a *app) http.Handler { return gzhttp.GzipHandler(a.save(muxOf(a))) },
			requests: pages,
		},
		{
			name: "gzhttp inside", root: func(a *app) http.Handler { return a.save(gzhttp.GzipHandler(muxOf(a))) },
			requests: pages,
		},
		{name: "gorilla outside", root: func(a *app) http.Handler { return gorilla(a.save(muxOf(a))) }, requests: pages},
		{name: "gorilla inside", root: func(a *app) http.Handler { return a.save(gorilla(muxOf(a))) }, requests: pages},
		{name: "alice, first", root: func(a *app) http.Handler {
			return alice.New(a.save, gorilla, handlers.CompressHandler).Then(muxOf(a))
		}, requests: pages},
		{name: "alice, last", root: func(a *app) http.Handler {
			return alice.New(gorilla, handlers.CompressHandler, a.save).Then(muxOf(a))
		}, requests: pages},
	})
}

func muxOf(a *app) http.Handler {
	mux := http.NewServeMux()
	for pattern, handle := range pagesOf(a) {
		mux.HandleFunc(pattern, handle)
	}
	mux.HandleFunc("GET /item/{id}", func(w http.ResponseWriter, r *http.Request) {
		a.put(r)
		_, _ = io.WriteString(w, r.PathValue("id"))
	})
	return mux
}

func gorilla(next http.Handler) http.Handler {
	recoverer := handlers.RecoveryHandler(handlers.RecoveryLogger(nowhere{}))
	return handlers.CombinedLoggingHandler(io.Discard, handlers.CORS()(recoverer(next)))
}

type nowhere struct{}

func (nowhere) Println(...any) {}

// TestWebsocket has a websocket open, talks over it, and stores by hand while it is open.
func TestWebsocket(t *testing.T) {
	t.Parallel()
	play := func(t *testing.T, ours bool) (said []string, stored string) {
		t.Helper()
		a := newApp(t, ours, 20*time.Minute)
		mux := muxOf(a).(*http.ServeMux)
		mux.HandleFunc("GET /socket", func(w http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.CloseNow() }()
			ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
			defer cancel()
			for {
				kind, message, err := conn.Read(ctx)
				if err != nil {
					return
				}
				a.sessions.Put(r.Context(), "said", string(message))
				_, _, err = a.sessions.Commit(r.Context())
				if err != nil {
					message = []byte("not stored")
				}
				if err := conn.Write(ctx, kind, message); err != nil {
					return
				}
			}
		})
		server := httptest.NewServer(a.save(mux))
		defer server.Close()
		cookies := map[string]string{}
		a.roundTrip(server.Listener.Addr().String(), "POST /login", cookies)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		conn, response, err := websocket.Dial(ctx, server.URL+"/socket", &websocket.DialOptions{
			HTTPHeader: http.Header{"Cookie": {"session=" + cookies["session"]}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.CloseNow() }()
		said = append(said, response.Status, mask(response.Header.Get("Set-Cookie")))
		for _, message := range []string{"one", "two"} {
			if err := conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
				t.Fatal(err)
			}
			_, answer, err := conn.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			said = append(said, string(answer))
		}
		_ = conn.Close(websocket.StatusNormalClosure, "")
		return said, a.stored()
	}
	want, wantStored := play(t, false)
	got, gotStored := play(t, true)
	if !slices.Equal(got, want) || gotStored != wantStored {
		t.Errorf("ours: %q, %q\nscs: %q, %q", got, gotStored, want, wantStored)
	}
}
