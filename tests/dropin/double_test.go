package dropin

import "net/http"

// doubles are the middleware more than once, and two session managers.
var doubles = []behaviour{
	{name: "ours in ours", serve: func(a *app) http.Handler { return a.saved(a.saved(a.handler(body))) }},
	{
		name:  "ours in ours, nothing is written",
		serve: func(a *app) http.Handler { return a.saved(a.saved(a.handler(use1))) },
	},
	{
		name: "ours in ours, renewed", serve: func(a *app) http.Handler { return a.saved(a.saved(a.handler(renew))) },
		own: true,
	},
	{
		name: "ours in ours, destroyed", serve: func(a *app) http.Handler { return a.saved(a.saved(a.handler(destroy))) },
		own: true,
	},
	{
		name: "ours in scs's", serve: func(a *app) http.Handler { return a.sessions.LoadAndSave(a.saved(a.handler(body))) },
		skip: []use{ended, endedRead},
	},
	{name: "ours in scs's, nothing is written", serve: func(a *app) http.Handler {
		return a.sessions.LoadAndSave(a.saved(a.handler(use1)))
	}, skip: []use{ended, endedRead}},
	{
		name:  "ours in scs's, renewed",
		serve: func(a *app) http.Handler { return a.sessions.LoadAndSave(a.saved(a.handler(renew))) }, own: true,
	},
	{name: "scs's in ours", serve: func(a *app) http.Handler { return a.saved(a.sessions.LoadAndSave(a.handler(body))) }},
	{name: "scs's in ours, nothing is written", serve: func(a *app) http.Handler {
		return a.saved(a.sessions.LoadAndSave(a.handler(use1)))
	}},
	{
		name:  "scs's in ours, renewed",
		serve: func(a *app) http.Handler { return a.saved(a.sessions.LoadAndSave(a.handler(renew))) }, own: true,
	},
	{name: "two managers, two stores, the visitor's outside", serve: twoManagers(false, true)},
	{name: "two managers, two stores, the visitor's inside", serve: twoManagers(false, false)},
	{name: "two managers, one store, the visitor's outside", serve: twoManagers(true, true)},
	{name: "two managers, one store, the visitor's inside", serve: twoManagers(true, false)},
	{name: "two managers, one cookie name", serve: oneCookieName, own: true},
	{name: "two siblings", serve: siblings, own: true},
}

// admin makes a second session manager, with a cookie and perhaps a store of its own, and its middleware.
func (a *app) admin(oneStore bool) func(http.Handler) http.Handler {
	a.second = a.manager()
	a.second.Cookie.Name = "adminsession"
	if !oneStore {
		a.secondBackend = a.world.newBackend(a.t, 0)
		a.second.Store = a.secondBackend.store
	}
	return middleware(a.second.Store, a.second)
}

func twoManagers(oneStore, visitorOutside bool) func(*app) http.Handler {
	return func(a *app) http.Handler {
		admin, handler := a.admin(oneStore), a.handler(useBoth)
		if visitorOutside {
			return a.saved(admin(handler))
		}
		return admin(a.saved(handler))
	}
}

func useBoth(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	if a.cell.use == created || a.cell.use == changed {
		a.second.Put(r.Context(), "role", "admin")
	}
	a.write(w, "body "+a.second.GetString(r.Context(), "role"))
}

// oneCookieName has two managers that share the store and the cookie, as where an application makes one for each
// router.
func oneCookieName(a *app) http.Handler {
	admin := a.admin(true)
	a.second.Cookie.Name = a.sessions.Cookie.Name
	return a.saved(admin(a.handler(func(a *app, w http.ResponseWriter, r *http.Request) {
		a.sessions.Put(r.Context(), "x", 1)
		a.see("user", a.second.GetString(r.Context(), "user"))
		a.write(w, "body")
	})))
}

// siblings has the middleware twice for one request, one after the other.
func siblings(a *app) http.Handler {
	first := a.saved(a.handler(func(a *app, _ http.ResponseWriter,
		r *http.Request,
	) {
		a.sessions.Put(r.Context(), "x", 1)
	}))
	second := a.saved(a.handler(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first.ServeHTTP(w, r)
		second.ServeHTTP(w, r)
	})
}
