package sessionstore

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"github.com/alexedwards/scs/v2"
)

// LoadAndSave returns the middleware to use in place of sm.LoadAndSave. Where sm.Store is a [Store], it is that store's
// [Store.LoadAndSave]; for any other store, such as scs's memstore in an application's tests, it is scs's own. It
// panics if sm is nil.
func LoadAndSave(sm *scs.SessionManager) func(http.Handler) http.Handler {
	if sm == nil {
		panic(errNoManager)
	}
	if store := storeOf(sm); store != nil {
		return store.LoadAndSave(sm)
	}
	return sm.LoadAndSave
}

// LoadAndSave returns the middleware to use in place of sm.LoadAndSave: it does the same, within a request scope. The
// scope remembers which version of a session the request read, so that its commit can tell whether another request was
// there in between. What the request holds is given back when its response begins, for the session is committed before
// the first byte; and when the request ends, however it ends.
//
// A session that the handler has changed is stored although the client has gone away, the request's time is up, or the
// server is stopping, for 5 seconds at the most.
//
// The session's cookie is sent where the session was stored, or is known to be there: not where a request of an idle
// session has moved no expiry, nor where another request has ended the session or renewed its token meanwhile.
//
// Where a commit fails, the client gets the answer of sm.ErrorFunc alone: the body that the handler writes is dropped,
// and its Write returns the error. Header fields that were set before the handler are as they were. Of those that came
// since, what describes the handler's answer is dropped: cookies, Location, Retry-After, caching, and Content-*. Others
// stay, such as those of a CORS or CSP middleware inside. An ErrorFunc that writes nothing, but only logs, leaves the
// answer to the handler.
//
// A response can also begin with a Flush or a Hijack. The session is not committed before these, as in scs: write the
// status first.
//
// The options of sm count as they are when they are used, so that a handler may change them. Temporary files of a
// multipart form that the handler has parsed are removed at its end, as net/http does for requests that no middleware
// has copied. Within sm.LoadAndSave, which has loaded the session without a scope, it does what that does.
//
// LoadAndSave panics, when the middleware is made, if sm is nil, or if sm.Store is another store. It may be one that
// wraps this store, in a method Unwrap() scs.Store or in a field. Such a store must call Delete in the goroutine in
// which it is called, which tells a renewal from a logout, and pass tokens on as they are.
func (s *Store) LoadAndSave(sm *scs.SessionManager) func(http.Handler) http.Handler {
	if err := s.checkManager(sm); err != nil {
		panic(err)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = s.serve(w, r, sm, next, func(*scope, error) bool { return false }) // all is answered
		})
	}
}

var errNoManager = errors.New("sessionstore: LoadAndSave: the session manager is nil; make one with scs.New")

// checkManager reports a manager whose sessions are not kept here.
func (s *Store) checkManager(sm *scs.SessionManager) error {
	switch {
	case sm == nil:
		return errNoManager
	case storeOf(sm) != s:
		return fmt.Errorf("sessionstore: LoadAndSave: the session manager's Store is another one (%T); set sessions.Store "+
			"= store",
			sm.Store)
	}
	return nil
}

// storeOf returns the Store of a session manager, which may be wrapped, or nil.
func storeOf(sm *scs.SessionManager) *Store {
	inner := sm.Store
	for wrapper, ok := inner.(interface{ Unwrap() scs.Store }); ok; wrapper, ok = inner.(interface{ Unwrap() scs.Store }) {
		inner = wrapper.Unwrap()
	}
	return storeIn(reflect.ValueOf(inner), maxWrappers)
}

// maxWrappers bounds how deep in its wrappers a store is looked for.
const maxWrappers = 8

// storeIn returns the Store that v is, points to, or has in a field, or nil.
func storeIn(v reflect.Value, depth int) *Store {
	if v.IsValid() && v.Type() == reflect.TypeFor[*Store]() {
		return (*Store)(v.UnsafePointer())
	}
	if depth == 0 {
		return nil
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			return storeIn(v.Elem(), depth-1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if store := storeIn(v.Field(i), depth-1); store != nil {
				return store
			}
		}
	}
	return nil
}

// serve runs the handler once, in a request scope, between a load and a commit. repeat is asked about an error that
// comes before the response has begun; where it agrees, nothing is passed on of what the handler writes, and the error
// is returned.
//
// It does what scs's own middleware does, step by step, but for what a response says of a commit: see response.
func (s *Store) serve(
	w http.ResponseWriter, r *http.Request, sm *scs.SessionManager, next http.Handler, repeat func(*scope, error) bool,
) (dropped error) {
	ctx := r.Context()
	if slices.ContainsFunc(s.readOnly, func(readOnly func(*http.Request) bool) bool { return readOnly(r) }) {
		ctx = ReadOnly(ctx)
	}
	nested := s.layerFrom(ctx) != nil
	ctx, l, end := s.openScope(ctx, sm)
	defer end()
	l.update(func() { l.request = r })

	token := ""
	if cookie, err := r.Cookie(sm.Cookie.Name); err == nil {
		token = cookie.Value
	}
	loaded, err := sm.Load(ctx, token)
	if err == nil && loaded == ctx && !nested {
		s.warnUnscoped()
		sm.LoadAndSave(next).ServeHTTP(w, r)
		return nil
	}
	response := &response{ResponseWriter: w, layer: l, nested: nested, repeat: repeat, request: r.WithContext(ctx)}
	w.Header().Add("Vary", "Cookie")
	if err != nil {
		response.fail(err) //nolint:contextcheck // It has the request, and with it the context.
		return response.dropped
	}
	defer response.end()
	response.request = r.WithContext(loaded)
	response.run(next) //nolint:contextcheck // It has the request, and with it the context.
	return response.dropped
}

// removeFiles removes what the handler's parsing of a multipart form has left. net/http does not see that: the handler
// gets a copy of the request.
func removeFiles(r *http.Request) {
	if r.MultipartForm != nil {
		_ = r.MultipartForm.RemoveAll()
	}
}
