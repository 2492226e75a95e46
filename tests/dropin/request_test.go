package dropin

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// requests are what handlers see of a request, and cookies that are not as usual.
var requests = []behaviour{
	{name: "pattern, mux inside", serve: muxInside, request: get("/item/7")},
	{name: "pattern, mux outside", serve: muxOutside, request: get("/item/7")},
	{name: "pattern seen by a logger outside", serve: loggerAndMux, request: get("/item/7")},
	{name: "no pattern, mux inside", serve: muxInside, request: get("/nowhere"), own: true},
	{name: "method not allowed, mux inside", serve: muxInside, request: ask("DELETE", "/item/7", ""), own: true},
	{name: "values of an outer context", serve: outside(contextValue, showValue)},
	{name: "the request changed by the handler", serve: in(changeRequest)},
	{name: "the context after the answer", serve: in(keepContext)},
	{name: "no cookie of ours", serve: in(token), request: get("/", "Cookie: other=1"), own: true},
	{
		name: "an unknown cookie", serve: in(token),
		request: get("/", "Cookie: session="+strings.Repeat("A", 43)), own: true,
	},
	{name: "an empty cookie", serve: in(token), request: get("/", "Cookie: session="), own: true},
	{name: "a malformed cookie", serve: in(token), request: get("/", "Cookie: session=%00%ff; session"), own: true},
	{
		name: "an oversized cookie", serve: in(token),
		request: get("/", "Cookie: session="+strings.Repeat("A", 5000)), own: true,
	},
	{
		name: "two cookies of one name", serve: in(token),
		request: get("/", "Cookie: session={other}; session={token}"), own: true,
	},
	{
		name: "two cookies, the first is dead", serve: in(token),
		request: get("/", "Cookie: session=dead; session={token}"), own: true,
	},
	{name: "an unknown cookie, then a value", serve: in(body), request: get("/", "Cookie: session=dead"), own: true},
	{name: "two requests on one connection", serve: in(body), talk: twice, skip: []use{ended, endedRead}},
	{
		name: "two requests at once on one connection", serve: in(body), request: get("/") + get("/"),
		talk: pipelined, skip: []use{ended, endedRead},
	},
	{name: "another goroutine uses the session", serve: in(goroutines)},
}

func mux(a *app, handle func(*app, http.ResponseWriter, *http.Request),
	wrap func(http.Handler) http.Handler,
) *http.ServeMux {
	m := http.NewServeMux()
	m.Handle("GET /item/{id}", wrap(a.handler(handle)))
	return m
}

func unwrapped(h http.Handler) http.Handler { return h }

func muxInside(a *app) http.Handler { return a.saved(mux(a, pattern, unwrapped)) }

func muxOutside(a *app) http.Handler { return mux(a, pattern, a.saved) }

func loggerAndMux(a *app) http.Handler { return logger(a, mux(a, pattern, a.saved)) }

func pattern(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, r.Pattern+" "+r.PathValue("id"))
}

type key struct{}

func contextValue(_ *app, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "outer")))
	})
}

func showValue(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, fmt.Sprint(r.Context().Value(key{}), r.Context().Value(http.ServerContextKey) != nil))
}

func changeRequest(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	r.Header.Set("Cookie", "session=changed")
	r.Method = http.MethodTrace
	*r = *r.WithContext(context.WithValue(r.Context(), key{}, "inner"))
	a.write(w, "body")
}

func keepContext(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, "body")
	a.see("context", r.Context().Err())
	a.late.Go(func() {
		<-r.Context().Done()
		a.see("context", context.Cause(r.Context()))
	})
}

func token(a *app, w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	a.see("token", a.name(a.sessions.Token(ctx)), a.sessions.Token(ctx) == "")
	a.write(w, fmt.Sprint(a.sessions.Keys(ctx), a.sessions.Status(ctx)))
}

func twice(c *client, request string) {
	c.send(request)
	c.response("GET")
	c.talk(request)
}

func pipelined(c *client, requests string) {
	c.send(requests)
	c.response("GET")
	c.response("GET")
	c.send(next)
}

func goroutines(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	done := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			_ = a.sessions.GetString(r.Context(), "user")
		}()
	}
	for range 4 {
		<-done
	}
	a.write(w, "body")
}
