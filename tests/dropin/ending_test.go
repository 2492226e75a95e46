package dropin

import (
	"fmt"
	"net/http"
)

// refusals are for behaviours where somebody writes beside the error page, or there is none.
var refusals = []use{refused, refusedNew, ended}

// endings are handlers that panic, and who writes the answer then, or after the middleware has returned.
var endings = []behaviour{
	{name: "panic", serve: in(panics)},
	{name: "panic after a write", serve: in(writeAndPanic)},
	{name: "panic after a flush", serve: in(flushAndPanic), early: true},
	{name: "ErrAbortHandler", serve: in(aborts)},
	{name: "ErrAbortHandler after a flush", serve: in(flushAndAbort), skip: refusals},
	{name: "recovered inside", serve: recoveredInside(panics)},
	{name: "recovered inside after a write", serve: recoveredInside(writeAndPanic)},
	{name: "recovered outside", serve: recoveredOutside(panics)},
	{name: "recovered outside after a write", serve: recoveredOutside(writeAndPanic), skip: refusals},
	{name: "recovered outside by the inner writer", serve: recoveredByInnerWriter(panics), skip: refusals},
	{name: "answered after the middleware by the inner writer", serve: answeredAfter(inner, use1), skip: refusals},
	{name: "answered after the middleware by the outer writer", serve: answeredAfter(outer, use1), skip: refusals},
	{name: "the inner writer after the middleware, after an answer", serve: answeredAfter(inner, body), skip: refusals},
	{name: "the outer writer after the middleware, after an answer", serve: answeredAfter(outer, body), skip: refusals},
	{name: "flushed after the middleware by the inner writer", serve: flushedAfter(use1), skip: refusals},
	{name: "hijacked after the middleware by the inner writer", serve: hijackedAfter, skip: refusals},
}

func panics(a *app, _ http.ResponseWriter, r *http.Request) {
	a.use(r)
	panic("in the handler")
}

func writeAndPanic(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, "begun")
	panic("in the handler")
}

func flushAndPanic(a *app, w http.ResponseWriter, r *http.Request) {
	a.see("Flush", http.NewResponseController(w).Flush())
	a.use(r)
	panic("in the handler")
}

func aborts(a *app, _ http.ResponseWriter, r *http.Request) {
	a.use(r)
	panic(http.ErrAbortHandler)
}

func flushAndAbort(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, "begun")
	a.see("Flush", http.NewResponseController(w).Flush())
	panic(http.ErrAbortHandler)
}

// recoverer is a middleware that answers a panic, as in every framework.
func (a *app) recoverer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if reason := recover(); reason != nil {
				a.see("recovered", reason)
				w.Header().Set("X-Recovered", "1")
				http.Error(w, fmt.Sprint("recovered: ", reason), http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func recoveredInside(handle func(*app, http.ResponseWriter, *http.Request)) func(*app) http.Handler {
	return func(a *app) http.Handler { return a.saved(a.recoverer(a.handler(handle))) }
}

func recoveredOutside(handle func(*app, http.ResponseWriter, *http.Request)) func(*app) http.Handler {
	return func(a *app) http.Handler { return a.recoverer(a.saved(a.handler(handle))) }
}

// recoveredByInnerWriter is a recoverer that is outside, but has kept the writer that the handler got, as frameworks do
// whose context holds the writer.
func recoveredByInnerWriter(handle func(*app, http.ResponseWriter, *http.Request)) func(*app) http.Handler {
	return func(a *app) http.Handler {
		return keepingWriter(a, handle, func(_, kept http.ResponseWriter, reason any) {
			if reason != nil {
				http.Error(kept, fmt.Sprint("recovered: ", reason), http.StatusInternalServerError)
			}
		})
	}
}

// keepingWriter calls after when the middleware is over, with the writer outside of it, the one that the handler got,
// and what that has panicked with.
func keepingWriter(
	a *app, handle func(*app, http.ResponseWriter, *http.Request),
	after func(outer, inner http.ResponseWriter, reason any),
) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var kept http.ResponseWriter
		defer func() { after(w, kept, recover()) }()
		a.saved(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			kept = w
			a.handler(handle).ServeHTTP(w, r)
		})).ServeHTTP(w, r)
	})
}

func inner(_, inner http.ResponseWriter) http.ResponseWriter { return inner }
func outer(outer, _ http.ResponseWriter) http.ResponseWriter { return outer }

// answeredAfter is how echo answers an error that a handler returned: after all middlewares.
func answeredAfter(
	by func(outer, inner http.ResponseWriter) http.ResponseWriter, handle func(*app, http.ResponseWriter, *http.Request),
) func(*app) http.Handler {
	return func(a *app) http.Handler {
		return keepingWriter(a, handle, func(outer, inner http.ResponseWriter, _ any) {
			http.Error(by(outer, inner), "no such page", http.StatusNotFound)
		})
	}
}

func flushedAfter(handle func(*app, http.ResponseWriter, *http.Request)) func(*app) http.Handler {
	return func(a *app) http.Handler {
		return keepingWriter(a, handle, func(_, inner http.ResponseWriter, _ any) {
			a.see("Flush", http.NewResponseController(inner).Flush())
		})
	}
}

func hijackedAfter(a *app) http.Handler {
	return keepingWriter(a, use1, func(_, inner http.ResponseWriter, _ any) {
		conn, _, err := http.NewResponseController(inner).Hijack()
		a.see("Hijack", err)
		if err == nil {
			_ = conn.Close()
		}
	})
}
