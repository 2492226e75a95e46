package dropin

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
)

// options are how applications set a session manager up, before they serve or in a handler.
var options = []behaviour{
	{name: "Persist=false", serve: in(body), set: func(m *scs.SessionManager) { m.Cookie.Persist = false }},
	{name: "all of the cookie", serve: in(body), set: func(m *scs.SessionManager) {
		m.Cookie = scs.SessionCookie{
			Name: "session", Domain: "example.com", Path: "/app", SameSite: http.SameSiteStrictMode, Secure: true,
			Partitioned: true,
		}
	}},
	{name: "HashTokenInStore", serve: in(body), set: func(m *scs.SessionManager) { m.HashTokenInStore = true }},
	{
		name: "HashTokenInStore, renewed", serve: in(renew), own: true,
		set: func(m *scs.SessionManager) { m.HashTokenInStore = true },
	},
	{name: "a JSON codec", serve: in(body), set: func(m *scs.SessionManager) { m.Codec = jsonCodec{} }},
	{name: "a short lifetime", serve: in(body), set: func(m *scs.SessionManager) { m.Lifetime = 10 * time.Minute }},
	{name: "an idle timeout longer than the lifetime", serve: in(body), set: func(m *scs.SessionManager) {
		m.Lifetime, m.IdleTimeout = time.Hour, 2*time.Hour
	}},
	{name: "the cookie is set by the handler", own: true, serve: in(set(func(m *scs.SessionManager) {
		m.Cookie.Secure, m.Cookie.Path, m.Cookie.SameSite, m.Cookie.Persist = true, "/app", http.SameSiteStrictMode, false
	}))},
	{name: "the cookie's name is set by the handler", own: true, serve: in(set(func(m *scs.SessionManager) {
		m.Cookie.Name = "othersession"
	}))},
	{
		name: "the codec is set by the handler", own: true,
		serve: in(set(func(m *scs.SessionManager) { m.Codec = jsonCodec{} })),
	},
	{name: "the idle timeout is set by the handler", own: true, serve: in(set(func(m *scs.SessionManager) {
		m.IdleTimeout = 10 * time.Minute
	}))},
	{name: "the idle timeout is switched off by the handler", own: true, serve: in(set(func(m *scs.SessionManager) {
		m.IdleTimeout = 0
	}))},
	{name: "the lifetime is set by the handler, then renewed", own: true, serve: in(setLifetimeAndRenew)},
	{
		name: "HashTokenInStore is set by the handler", own: true,
		serve: in(set(func(m *scs.SessionManager) { m.HashTokenInStore = true })),
	},
	{name: "ErrorFunc is set by the handler", own: true, serve: in(setErrorFunc)},
	{name: "ErrorFunc that redirects", serve: in(body), set: func(m *scs.SessionManager) {
		m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, _ error) {
			http.Redirect(w, r, "/sorry", http.StatusSeeOther)
		}
	}},
	{name: "ErrorFunc that only logs", serve: in(refusedBody), own: true, set: func(m *scs.SessionManager) {
		m.ErrorFunc = func(http.ResponseWriter, *http.Request, error) {}
	}},
	{name: "ErrorFunc that sets a header only", serve: in(refusedBody), own: true, set: func(m *scs.SessionManager) {
		m.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, _ error) { w.Header().Set("X-Session", "lost") }
	}},
	{name: "ErrorFunc that panics", serve: outside(recovering, refusedBody), own: true, set: func(m *scs.SessionManager) {
		m.ErrorFunc = func(http.ResponseWriter, *http.Request, error) { panic("no session") }
	}},
}

// set is a handler that changes its session manager, as applications do that learn there how they are reached. It
// counts in this very response.
func set(change func(*scs.SessionManager)) func(*app, http.ResponseWriter, *http.Request) {
	return func(a *app, w http.ResponseWriter, r *http.Request) {
		a.sessions.Put(r.Context(), "x", 1)
		change(a.sessions)
		a.write(w, "body")
	}
}

func setLifetimeAndRenew(a *app, w http.ResponseWriter, r *http.Request) {
	a.sessions.Lifetime = 40 * time.Minute
	a.see("RenewToken", a.sessions.RenewToken(r.Context()))
	a.write(w, "body")
}

// setErrorFunc writes nothing: what the client gets is the new ErrorFunc's.
func setErrorFunc(a *app, _ http.ResponseWriter, r *http.Request) {
	a.sessions.Put(r.Context(), "x", 1)
	a.refuse.Store(true)
	a.sessions.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, _ error) {
		http.Error(w, "another error page", http.StatusInsufficientStorage)
	}
}

func refusedBody(a *app, w http.ResponseWriter, r *http.Request) {
	a.sessions.Put(r.Context(), "x", 1)
	a.refuse.Store(true)
	a.write(w, "body")
}

func recovering(a *app, next http.Handler) http.Handler { return a.recoverer(next) }

// jsonCodec keeps sessions as JSON; its data is told from gob's, so that a handler can change the codec. All values are
// text.
type jsonCodec struct{}

func (jsonCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(map[string]any{"deadline": deadline, "values": values})
}

func (jsonCodec) Decode(data []byte) (time.Time, map[string]any, error) {
	if !bytes.HasPrefix(data, []byte("{")) {
		return scs.GobCodec{}.Decode(data)
	}
	var session struct {
		Deadline time.Time
		Values   map[string]any
	}
	err := json.Unmarshal(data, &session)
	return session.Deadline, session.Values, err
}

func init() { gob.Register(map[string]int{}) }
