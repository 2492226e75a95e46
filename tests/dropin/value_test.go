package dropin

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// values are what handlers do with the values of a session.
var values = []behaviour{
	{
		name:  "Put of the same value",
		serve: in(on(func(a *app, r *http.Request) { a.sessions.Put(r.Context(), "user", "u") })), own: true,
	},
	{name: "Put of a large value", serve: in(on(func(a *app, r *http.Request) {
		a.sessions.Put(r.Context(), "x", strings.Repeat("x", 100<<10))
	})), own: true},
	{name: "Put of a value that cannot be encoded", serve: in(on(putChannel)), own: true, fails: true},
	{name: "Put of a type that is not registered", serve: in(on(putUnregistered)), own: true, fails: true},
	{name: "Put and Remove", serve: in(on(putAndRemove)), own: true},
	{name: "Remove", serve: in(on(func(a *app, r *http.Request) { a.sessions.Remove(r.Context(), "user") })), own: true},
	{
		name: "Remove of nothing", serve: in(on(func(a *app, r *http.Request) { a.sessions.Remove(r.Context(), "none") })),
		own: true,
	},
	{
		name: "Pop", serve: in(on(func(a *app, r *http.Request) { a.see("Pop", a.sessions.PopString(r.Context(), "user")) })),
		own: true,
	},
	{
		name:  "Pop of nothing",
		serve: in(on(func(a *app, r *http.Request) { a.see("Pop", a.sessions.Pop(r.Context(), "none")) })), own: true,
	},
	{
		name: "Clear", serve: in(on(func(a *app, r *http.Request) { a.see("Clear", a.sessions.Clear(r.Context())) })),
		own: true,
	},
	{name: "Clear, then Put", serve: in(on(clearAndPut)), own: true},
	{name: "a map changed in place", serve: in(on(changeInPlace)), own: true},
	{name: "all that can be asked", serve: in(on(ask1)), own: true},
	{name: "Put, then a redirect", serve: in(putAndRedirect), own: true},
}

// on is a handler that does something with its session and then writes.
func on(do func(*app, *http.Request)) func(*app, http.ResponseWriter, *http.Request) {
	return func(a *app, w http.ResponseWriter, r *http.Request) {
		do(a, r)
		a.write(w, "body")
	}
}

func putChannel(a *app, r *http.Request) { a.sessions.Put(r.Context(), "x", make(chan int)) }

type unregistered struct{ A int }

func putUnregistered(a *app, r *http.Request) { a.sessions.Put(r.Context(), "x", unregistered{1}) }

func putAndRemove(a *app, r *http.Request) {
	a.sessions.Put(r.Context(), "x", 1)
	a.sessions.Remove(r.Context(), "x")
}

func clearAndPut(a *app, r *http.Request) {
	a.see("Clear", a.sessions.Clear(r.Context()))
	a.sessions.Put(r.Context(), "x", 1)
}

func changeInPlace(a *app, r *http.Request) {
	cart := map[string]int{"apples": 1}
	a.sessions.Put(r.Context(), "cart", cart)
	_, _, err := a.sessions.Commit(r.Context())
	a.see("Commit", err != nil)
	cart["apples"] = 2
}

func ask1(a *app, r *http.Request) {
	ctx := r.Context()
	a.see("session", a.sessions.Keys(ctx), a.sessions.Exists(ctx, "user"), a.sessions.Status(ctx),
		a.sessions.Get(ctx, "user"),
		a.sessions.GetInt(ctx, "user"), a.name(a.sessions.Token(ctx)), time.Until(a.sessions.Deadline(ctx)).Round(time.Hour))
}

func putAndRedirect(a *app, w http.ResponseWriter, r *http.Request) {
	a.sessions.Put(r.Context(), "flash", fmt.Sprint("hello ", a.sessions.GetString(r.Context(), "user")))
	http.Redirect(w, r, "/elsewhere", http.StatusSeeOther)
}
