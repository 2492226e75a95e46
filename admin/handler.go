package admin

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/sessionstore"
)

//go:embed page.html style.css icon.svg
var files embed.FS

// perPage is how many sessions a page lists.
const perPage = 25

type handler struct {
	store   *sessionstore.Store
	indexes []string
}

// New returns a handler of the page for owners in these indexes of the store, which are those of
// [sessionstore.WithOwner]. It fails where there are none, or the store does not have one of them.
func New(store *sessionstore.Store, indexes ...string) (http.Handler, error) {
	if len(indexes) == 0 {
		return nil, errors.New("admin: name an index of owners, such as user")
	}
	for _, index := range indexes {
		// Outside of a request, Expect says whether there can be such an owner, and does nothing else.
		if err := store.Owner(index, "somebody").Expect(context.Background()); err != nil {
			return nil, fmt.Errorf("admin: %w", err)
		}
	}
	h := &handler{store, slices.Clone(indexes)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.list)
	mux.HandleFunc("POST /end", h.end)
	mux.HandleFunc("POST /end-all", h.endAll)
	mux.Handle("GET /style.css", http.FileServerFS(files))
	mux.Handle("GET /icon.svg", http.FileServerFS(files))

	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.refuse(w, r, request{}, http.StatusForbidden, "This request comes from another site. Nothing was done; open this "+
			"page by its own address, and try again there. Behind a proxy, pass the Host header on.")
	}))
	const maxBody = 16 << 10
	return withHeaders(crossOrigin.Handler(http.MaxBytesHandler(mux, maxBody))), nil
}

// withHeaders tells browsers to load nothing from elsewhere, to run no scripts, to show the page in no frame, and to
// keep nothing.
func withHeaders(next http.Handler) http.Handler {
	const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; " +
		"frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Frame-Options", "DENY")
		header.Set("X-Content-Type-Options", "nosniff")
		// With no-referrer, forms would be sent with an Origin of null, which over plain HTTP is taken for another site.
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		header.Set("Vary", "Accept")
		next.ServeHTTP(w, r)
	})
}

// request is whom a request is about.
type request struct {
	index, owner   string
	session, after string // IDs
}

// read returns whom the request is about, or what is wrong with it.
func (h *handler) read(r *http.Request) (q request, wrong string) {
	if err := r.ParseForm(); err != nil {
		return q, "The request cannot be read. Please try again from the page."
	}
	q = request{
		r.FormValue("index"), r.FormValue("owner"), r.FormValue("session"), r.FormValue("after"),
	}
	if q.index == "" && len(h.indexes) == 1 {
		q.index = h.indexes[0]
	}
	switch {
	case !slices.Contains(h.indexes, q.index):
		q.index = ""
		return q, "There are no owners of that kind. Please choose one of: " + strings.Join(h.indexes, ", ") + "."
	case q.owner == "":
		return q, "Please enter whose sessions to look for."
	}
	return q, ""
}

// list shows the sessions of an owner, or asks whose.
func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	if !asksJSON(r) && r.URL.RawQuery == "" {
		h.show(w, r, http.StatusOK, h.view(request{index: h.indexes[0]}))
		return
	}
	q, wrong := h.read(r)
	if wrong != "" {
		h.refuse(w, r, q, http.StatusBadRequest, wrong)
		return
	}
	v := h.view(q)
	v.Asked = true
	for s, err := range h.store.Owner(q.index, q.owner).SessionsAfter(r.Context(), q.after) {
		if err != nil {
			h.fail(w, r, q, "The sessions cannot be listed", err)
			return
		}
		if len(v.Sessions) == perPage {
			v.Next = v.Sessions[perPage-1].ID
			break
		}
		v.Sessions = append(v.Sessions, s)
	}
	if asksJSON(r) {
		answer := listJSON{q.index, q.owner, make([]sessionJSON, 0, len(v.Sessions)), v.Next}
		for _, s := range v.Sessions {
			answer.Sessions = append(answer.Sessions,
				sessionJSON{s.ID, s.CreatedAt, s.UpdatedAt, s.ExpiresAt, s.Details, s.Current})
		}
		writeJSON(w, r, http.StatusOK, answer)
		return
	}
	if n, err := strconv.Atoi(r.FormValue("ended")); err == nil && n >= 0 {
		v.Done = doneText(n, r.FormValue("all") != "")
	}
	h.show(w, r, http.StatusOK, v)
}

// doneText says what a POST has done.
func doneText(ended int, all bool) string {
	switch {
	case ended == 1:
		return "1 session was ended."
	case ended > 1:
		return strconv.Itoa(ended) + " sessions were ended."
	case all:
		return "There was no session left to end. Logins that were under way are refused."
	default:
		return "That session had ended already."
	}
}

// listJSON is the answer of a list.
type listJSON struct {
	Index    string        `json:"index"`
	Owner    string        `json:"owner"`
	Sessions []sessionJSON `json:"sessions"`
	Next     string        `json:"next,omitempty"` // for the parameter after, where there are more
}

type sessionJSON struct {
	ID        string            `json:"id"`
	CreatedAt time.Time         `json:"created_at"`
	UpdatedAt time.Time         `json:"updated_at"`
	ExpiresAt time.Time         `json:"expires_at"`
	Details   map[string]string `json:"details,omitempty"`
	Current   bool              `json:"current,omitempty"`
}

// endedJSON is the answer of an end.
type endedJSON struct {
	Ended int `json:"ended"`
}

// end ends one session.
func (h *handler) end(w http.ResponseWriter, r *http.Request) {
	q, wrong := h.read(r)
	if wrong == "" && q.session == "" {
		wrong = "Please choose the session to end."
	}
	if wrong != "" {
		h.refuse(w, r, q, http.StatusBadRequest, wrong)
		return
	}
	was, err := h.store.Owner(q.index, q.owner).End(r.Context(), q.session)
	if err != nil {
		h.fail(w, r, q, "It is not known whether the session was ended", err)
		return
	}
	ended := 0
	if was {
		ended = 1
	}
	h.done(w, r, q, ended, false)
}

// endAll ends all sessions.
func (h *handler) endAll(w http.ResponseWriter, r *http.Request) {
	q, wrong := h.read(r)
	if wrong != "" {
		h.refuse(w, r, q, http.StatusBadRequest, wrong)
		return
	}
	ended, err := h.store.Owner(q.index, q.owner).EndAll(r.Context())
	if err != nil {
		h.fail(w, r, q, fmt.Sprintf("Not all sessions were ended, but %d of them; another try ends the rest", ended), err)
		return
	}
	h.done(w, r, q, ended, true)
}

// done answers a POST. The page is loaded anew, so that a reload repeats nothing.
func (h *handler) done(w http.ResponseWriter, r *http.Request, q request, ended int, all bool) {
	if asksJSON(r) {
		writeJSON(w, r, http.StatusOK, endedJSON{ended})
		return
	}
	to := url.Values{"index": {q.index}, "owner": {q.owner}, "ended": {strconv.Itoa(ended)}}
	if all {
		to.Set("all", "yes")
	}
	// It stays relative: where the page is served, a proxy or http.StripPrefix knows.
	w.Header().Set("Location", "./?"+to.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

// fail answers a request about nobody, or one that the storage has failed.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, q request, what string, err error) {
	if errors.Is(err, sessionstore.ErrInvalidOwner) {
		h.refuse(w, r, q, http.StatusBadRequest, fmt.Sprintf("Nobody can be called so: a name has at most %d bytes of valid "+
			"UTF-8 without NUL. Please correct it.", sessionstore.MaxOwnerBytes))
		return
	}
	status, then := http.StatusInternalServerError, "The log of the application says why."
	switch {
	case errors.Is(err, sessionstore.ErrCorrupt):
		then = "What is stored of this owner does not open: it was damaged, or sealed with a secret that the application " +
			"is not given. The log of the application says which."
	case errors.Is(err, sessionstore.ErrUnavailable), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, context.Canceled):
		status, then = http.StatusServiceUnavailable, "The storage cannot be reached, or is overloaded. Please try again."
		w.Header().Set("Retry-After", "1")
	}
	slog.Default().LogAttrs(r.Context(), slog.LevelError, "page of owners",
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", status),
		slog.String("error", err.Error()))
	h.refuse(w, r, q, status, what+". "+then)
}

// refuse answers with an error.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, q request, status int, text string) {
	if asksJSON(r) {
		writeJSON(w, r, status, struct {
			Error string `json:"error"`
		}{text})
		return
	}
	v := h.view(q)
	v.Wrong = text
	h.show(w, r, status, v)
}

// asksJSON reports whether a program asks. Browsers name text/html, and programs that name nothing get the page.
func asksJSON(r *http.Request) bool {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

func writeJSON(w http.ResponseWriter, r *http.Request, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		slog.Default().LogAttrs(r.Context(), slog.LevelWarn, "page of owners: the answer was not sent",
			slog.String("error", err.Error()))
	}
}
