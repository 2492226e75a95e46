package sessionstore

import (
	"net/http"

	"github.com/alexedwards/scs/v2"
)

// LoadAndSave returns the middleware to use in place of sm.LoadAndSave: it does the same, within a request scope. The
// scope remembers which version of a session the request read, so that its commit can tell whether another request was
// there in between. What the request holds is given back when its response begins, for scs commits before the first byte;
// and when the request ends, however it ends. sm must have this store as its Store.
//
// Where a commit fails, the client gets the answer of sm.ErrorFunc alone: what the handler has set in the header, and what
// it writes after it, is dropped, and its Write returns the error. An ErrorFunc that writes nothing, but only logs, leaves
// the answer to the handler.
//
// A response can also begin with a Flush or a Hijack. scs does not commit before these: write the status first.
//
// Temporary files of a multipart form that the handler has parsed are removed at its end, as net/http does for requests
// that no middleware has copied.
func (s *Store) LoadAndSave(sm *scs.SessionManager) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = s.serve(w, r, sm, next, func(*scope, error) bool { return false }) // all is answered
		})
	}
}

// serve runs the handler once, in a request scope, between a load and a commit. repeat is asked about an error that comes
// before the response has begun; where it agrees, nothing is passed on of what the handler writes, and the error is returned.
func (s *Store) serve(
	w http.ResponseWriter, r *http.Request, sm *scs.SessionManager, next http.Handler, repeat func(*scope, error) bool,
) (dropped error) {
	ctx := r.Context()
	if s.readOnly != nil && s.readOnly(r) {
		ctx = ReadOnly(ctx)
	}
	nested := scopeFrom(ctx, s) != nil
	ctx, sc, end := s.openScope(ctx, sm)
	defer end()
	response := &response{ResponseWriter: w, release: func() {
		if !nested { // who opened the scope has yet to commit
			sc.releaseAll(ctx)
		}
	}}
	manager := *sm // to be told of its errors
	manager.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		if !response.begun && repeat(sc, err) {
			dropped = err
			response.drop(err)
			sc.cancel(err) // the handler may stop
			return
		}
		response.fail(err, func() { sm.ErrorFunc(w, r, err) })
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sc.forbidLock()
		response.before = w.Header().Clone()
		if r.MultipartForm == nil {
			defer removeFiles(r)
		}
		next.ServeHTTP(w, r)
	})
	manager.LoadAndSave(handler).ServeHTTP(response, r.WithContext(ctx))
	return dropped
}

// removeFiles removes what the handler's parsing of a multipart form has left. net/http does not see that: scs hands on a
// copy of the request.
func removeFiles(r *http.Request) {
	if r.MultipartForm != nil {
		_ = r.MultipartForm.RemoveAll()
	}
}
