package frameworks

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

func TestChi(t *testing.T) {
	compare(t, []application{
		{name: "Use", root: chiUse, requests: pages},
		{name: "all its middlewares outside", root: chiOutside, requests: pages},
		{name: "all its middlewares inside", root: chiInside, requests: pages},
		{name: "Timeout outside", root: chiTimeout(true), requests: []string{"GET /slow"}},
		{name: "Timeout inside", root: chiTimeout(false), requests: []string{"GET /slow"}},
		{
			name: "Throttle and a sub-router",
			root: chiMount, requests: []string{"GET /admin/item/7", "GET /admin/nowhere", "GET /item/7"},
		},
	})
}

// pages are requests for what addPages adds.
var pages = []string{
	"GET /read", "GET /put", "GET /put\nAccept-Encoding: gzip", "GET /large\nAccept-Encoding: gzip",
	"HEAD /read", "GET /item/7",
	"GET /nowhere", "POST /read", "GET /panic", "GET /put-and-panic", "GET /error", "GET /stream", "GET /read",
	"POST /logout", "GET /read",
}

// pagesOf are the handlers that every application has.
func pagesOf(a *app) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"POST /login": a.login,
		"GET /read":   func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, "user ", a.user(r)) },
		"GET /put": func(w http.ResponseWriter, r *http.Request) {
			a.put(r)
			_, _ = fmt.Fprint(w, "put")
		},
		"GET /large": func(w http.ResponseWriter, r *http.Request) {
			a.put(r)
			w.Header().Set("Content-Type", "text/plain")
			for i := range 2000 {
				_, _ = fmt.Fprintln(w, "line", i)
			}
		},
		"GET /panic": func(http.ResponseWriter, *http.Request) { panic("in the handler") },
		"GET /put-and-panic": func(_ http.ResponseWriter, r *http.Request) {
			a.put(r)
			panic("in the handler")
		},
		"GET /error": func(w http.ResponseWriter, r *http.Request) {
			a.put(r)
			http.Error(w, "no", http.StatusForbidden)
		},
		"GET /stream": func(w http.ResponseWriter, r *http.Request) {
			a.put(r)
			for i := range 3 {
				_, err := fmt.Fprintln(w, "event", i)
				a.see("event", err, http.NewResponseController(w).Flush())
			}
		},
		"POST /logout": func(w http.ResponseWriter, r *http.Request) {
			a.see("Destroy", a.sessions.Destroy(r.Context()))
			http.Redirect(w, r, "/", http.StatusSeeOther)
		},
	}
}

func addPages(a *app, router chi.Router) {
	for pattern, handle := range pagesOf(a) {
		router.HandleFunc(pattern, handle)
	}
	router.Get("/item/{id}", func(w http.ResponseWriter, r *http.Request) {
		a.put(r)
		_, _ = fmt.Fprint(w, chi.URLParam(r, "id"))
	})
}

func chiUse(a *app) http.Handler {
	router := chi.NewRouter()
	router.Use(a.save)
	addPages(a, router)
	return router
}

// quietly is chi's logger without a time in its lines.
func quietly(a *app) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wrapped := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			defer func() { a.see(r.URL.Path, wrapped.Status(), wrapped.BytesWritten()) }()
			next.ServeHTTP(wrapped, r)
		})
	}
}

func chiMiddlewares(a *app, router chi.Router) {
	router.Use(quietly(a), recoverer, middleware.RequestSize(1000), middleware.Compress(5), middleware.GetHead,
		middleware.StripSlashes,
		middleware.CleanPath, middleware.NoCache, middleware.SetHeader("X-Frame-Options", "DENY"),
		middleware.Heartbeat("/ping"))
}

// recoverer is chi's, without the stack that it prints.
func recoverer(next http.Handler) http.Handler {
	return middleware.Recoverer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), middleware.LogEntryCtxKey, silentEntry{})))
	}))
}

type silentEntry struct{}

func (silentEntry) Write(int, int, http.Header, time.Duration, any) {}
func (silentEntry) Panic(any, []byte)                               {}

func chiOutside(a *app) http.Handler {
	router := chi.NewRouter()
	chiMiddlewares(a, router)
	router.Use(a.save)
	addPages(a, router)
	return router
}

func chiInside(a *app) http.Handler {
	router := chi.NewRouter()
	router.Use(a.save)
	chiMiddlewares(a, router)
	addPages(a, router)
	return router
}

// chiTimeout has handlers that see their deadline pass, and leave the answer to the middleware.
func chiTimeout(outside bool) func(*app) http.Handler {
	return func(a *app) http.Handler {
		router := chi.NewRouter()
		if outside {
			router.Use(middleware.Timeout(time.Millisecond), a.save)
		} else {
			router.Use(a.save, middleware.Timeout(time.Millisecond))
		}
		router.Post("/login", a.login)
		router.Get("/slow", func(_ http.ResponseWriter, r *http.Request) {
			a.put(r)
			<-r.Context().Done()
		})
		return router
	}
}

func chiMount(a *app) http.Handler {
	admin := chi.NewRouter()
	admin.Use(middleware.Throttle(4))
	addPages(a, admin)
	router := chi.NewRouter()
	router.Use(a.save)
	router.Post("/login", a.login)
	router.Mount("/admin", admin)
	return router
}
