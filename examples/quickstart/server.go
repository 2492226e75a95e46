package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/sessionstore"
)

//go:embed *.html *.css icon.svg
var files embed.FS

var pages = template.Must(template.ParseFS(files, "*.html"))

// What the session holds.
const (
	visitsKey = "visits"
	userKey   = "user"
)

// maxName is how long a name may be, in characters.
const maxName = 40

// server answers requests.
type server struct {
	sessions *scs.SessionManager
	store    *sessionstore.Store
	demo     *demo
	place    string
	started  time.Time
}

func newHandler(store *sessionstore.Store, demo *demo, place string, lifetime time.Duration) http.Handler {
	sessions := scs.New()
	sessions.Store = store
	sessions.Lifetime = lifetime
	sessions.ErrorFunc = sessionstore.HandleError
	sessions.Cookie.HttpOnly = true
	sessions.Cookie.SameSite = http.SameSiteLaxMode
	// Over plain HTTP not every browser keeps a Secure cookie. A program that is served over HTTPS sets it.
	sessions.Cookie.Secure = false

	s := &server{sessions: sessions, store: store, demo: demo, place: place, started: time.Now()}
	withSession := func(handler http.HandlerFunc) http.Handler { return store.LoadAndSave(sessions)(handler) }
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", withSession(s.home))
	mux.Handle("GET /api/session", withSession(s.session))
	mux.Handle("POST /login", withSession(s.login))
	mux.Handle("POST /logout", withSession(s.logout))
	mux.Handle("GET "+devicesPath, withSession(s.devices))
	mux.Handle("POST /devices/end", withSession(s.endDevice))
	mux.Handle("POST /devices/others", withSession(s.endOthers))
	mux.HandleFunc("POST /demo", s.demonstrate)
	mux.Handle("GET /demo", http.RedirectHandler("/", http.StatusSeeOther)) // as when the result is bookmarked
	mux.Handle("GET /style.css", http.FileServerFS(files))
	mux.Handle("GET /demo.css", http.FileServerFS(files))
	mux.Handle("GET /icon.svg", http.FileServerFS(files))

	const maxBody = 16 << 10
	return withHeaders(http.NewCrossOriginProtection().Handler(http.MaxBytesHandler(mux, maxBody)))
}

// withHeaders tells browsers to load nothing from elsewhere and to run no scripts: the page needs neither.
func withHeaders(next http.Handler) http.Handler {
	const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; " +
		"frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// home counts the visit and shows the session.
func (s *server) home(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return // The pattern for GET matches HEAD, too; that is no visit.
	}
	ctx := r.Context()
	visits := s.sessions.GetInt(ctx, visitsKey) + 1
	s.sessions.Put(ctx, visitsKey, visits)

	// scs commits the session, and sets its cookie, when the response begins. Beginning it here, before the page is made,
	// means that the page can show what is stored now. Without a cookie the commit has failed, and scs has answered.
	w.WriteHeader(http.StatusOK)
	if w.Header().Get("Set-Cookie") == "" {
		return
	}
	stored, err := s.lookup(r)
	if err != nil {
		slog.ErrorContext(ctx, "the session cannot be read", "error", err)
	}
	err = pages.ExecuteTemplate(w, "page.html", pageData{
		Demo:    newDemoView(),
		Visits:  visits,
		User:    s.sessions.GetString(ctx, userKey),
		MaxName: maxName,
		Place:   s.place,
		Stored:  stored,
		Started: s.started,
		Now:     time.Now(),
	})
	if err != nil {
		slog.WarnContext(ctx, "the page was not sent", "error", err)
	}
}

// session returns the session as JSON. It counts no visit.
func (s *server) session(w http.ResponseWriter, r *http.Request) {
	stored, err := s.lookup(r)
	if err != nil {
		sessionstore.HandleError(w, r, err)
		return
	}
	answer := struct {
		Visits  int        `json:"visits"`
		User    string     `json:"user"`
		Expires *time.Time `json:"expires"` // null where there is no session
		Storage string     `json:"storage"`
	}{Storage: s.place}
	if stored != nil {
		answer.Visits, _ = stored.values[visitsKey].(int)
		answer.User, _ = stored.values[userKey].(string)
		answer.Expires = &stored.Expires
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		slog.WarnContext(r.Context(), "the session was not sent", "error", err)
	}
}

// login puts the name into the session.
func (s *server) login(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSpace(r.PostFormValue("name"))
	if length := utf8.RuneCountInString(name); length == 0 || length > maxName || !utf8.ValidString(name) ||
		strings.Contains(name, "\x00") {
		http.Error(w, fmt.Sprintf("A name has 1 to %d characters. Please go back and enter one.", maxName),
			http.StatusBadRequest)
		return
	}
	// A token from before the login must be worth nothing after it: somebody else may have planted it.
	if err := s.sessions.RenewToken(r.Context()); err != nil {
		sessionstore.HandleError(w, r, err)
		return
	}
	s.sessions.Put(r.Context(), userKey, name)
	to := "/"
	if r.PostFormValue("to") == devicesPath {
		to = devicesPath
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// logout ends the session.
func (s *server) logout(w http.ResponseWriter, r *http.Request) {
	if err := s.sessions.Destroy(r.Context()); err != nil {
		sessionstore.HandleError(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// lookup returns the session of the request as the store keeps it, nil where there is none.
func (s *server) lookup(r *http.Request) (*storedSession, error) {
	session, found, err := s.store.Lookup(r.Context(), s.sessions.Token(r.Context()))
	if err != nil || !found {
		return nil, err
	}
	_, values, err := s.sessions.Codec.Decode(session.Data)
	if err != nil {
		return nil, err
	}
	return &storedSession{
		token: session.Token, values: values,
		Bytes:   len(session.Data),
		Created: session.CreatedAt, Updated: session.UpdatedAt, Expires: session.ExpiresAt,
	}, nil
}
