package sessionstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

// response is what the handler of a request writes to. Before the first byte, and at the latest after the handler, it
// commits the session and adds the session's cookie. It has the methods that the response writer of scs has.
//
// A framework may go on writing after the middleware is over, as one that answers the errors of its handlers: then the
// session is committed once more, before that first byte.
type response struct {
	http.ResponseWriter
	layer   *layer
	nested  bool // whether the scope is somebody else's, who has yet to commit
	repeat  func(*scope, error) bool
	request *http.Request // with the session

	saved    bool        // the session was committed, or that has failed
	begun    bool        // the response has begun, and what the request held was given back
	answered bool        // something was passed on since fail has looked
	over     bool        // the middleware is
	before   http.Header // the header before the handler began
	failed   error       // why the handler's response is dropped
	dropped  error       // why the handler is to run again
}

// run runs the handler and commits the session.
func (w *response) run(next http.Handler) {
	w.layer.forbidLock()
	w.before = w.Header().Clone()
	if w.request.MultipartForm == nil {
		defer removeFiles(w.request)
	}
	defer w.keepAnswer()
	next.ServeHTTP(w, w.request)
	w.save()
}

// keepAnswer lets an error that was answered stay the answer where the handler aborts because of it, as a ReverseProxy
// does whose Write fails: net/http would drop the connection, and the answer with it.
func (w *response) keepAnswer() {
	if w.failed == nil || w.dropped != nil || errors.Is(w.failed, http.ErrHijacked) {
		return
	}
	switch reason := recover(); reason {
	case nil, http.ErrAbortHandler:
	default:
		panic(reason)
	}
}

// end is called when the middleware is over.
func (w *response) end() {
	w.over = true
	w.saved = w.begun || w.failed != nil
}

// save commits the session and adds its cookie to the header, once.
func (w *response) save() {
	if w.saved {
		return
	}
	w.saved = true
	ctx, cancel := outlive(w.request.Context())
	defer cancel()
	if w.layer.reopen() {
		defer w.layer.end(ctx)
	}
	if err := w.commit(ctx); err != nil {
		w.fail(err)
	}
}

// commit does what scs does before the first byte.
func (w *response) commit(ctx context.Context) error {
	sm, store := w.layer.manager, w.layer.store
	if sm.Status(ctx) == scs.Modified {
		if err := w.endOwn(ctx); err != nil {
			return err
		}
	}
	switch sm.Status(ctx) {
	case scs.Modified:
		w.layer.update(func() { w.layer.commits = true })
		token, expiry, err := sm.Commit(ctx)
		w.layer.update(func() { w.layer.commits = false })
		if err != nil {
			w.keepCookie(ctx)
			return w.encodeError(ctx, err)
		}
		if w.layer.isQuiet(storedToken(sm, token)) {
			w.dropCookie(token)
		} else {
			w.addCookie(ctx, token, expiry)
		}
	case scs.Destroyed:
		if err := store.endSuccessor(ctx, w.layer); err != nil {
			return err
		}
		w.addCookie(ctx, "", time.Time{})
	}
	return nil
}

// endOwn is for a request that has ended its own session among others, by iterating over them, and has changed it all
// the same, as with a message for the next page. What it has changed begins a session of its own, as after a Destroy;
// the rest has ended.
func (w *response) endOwn(ctx context.Context) error {
	sm := w.layer.manager
	data, ended := w.layer.takeEnded(storedToken(sm, sm.Token(ctx)))
	if !ended || sm.Token(ctx) == "" {
		return nil
	}
	_, was, err := sm.Codec.Decode(data)
	if err != nil {
		return err
	}
	changed := map[string]any{}
	for _, key := range sm.Keys(ctx) {
		if value := sm.Get(ctx, key); !sameValue(was[key], value) {
			changed[key] = value
		}
	}
	if err := sm.Destroy(ctx); err != nil {
		return err
	}
	for key, value := range changed {
		sm.Put(ctx, key, value)
	}
	return nil
}

// encodeError says more where the session manager's codec has failed.
func (w *response) encodeError(ctx context.Context, err error) error {
	sm := w.layer.manager
	values := map[string]any{}
	for _, key := range sm.Keys(ctx) {
		values[key] = sm.Get(ctx, key)
	}
	if _, codecErr := sm.Codec.Encode(sm.Deadline(ctx), values); codecErr == nil {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotEncoded, err)
}

// addCookie adds the session's cookie to the header. Where the response has begun, it comes too late.
func (w *response) addCookie(ctx context.Context, token string, expiry time.Time) {
	sm := w.layer.manager
	if w.begun && !w.over {
		if cookie, err := w.request.Cookie(sm.Cookie.Name); err != nil || cookie.Value != token {
			w.layer.store.warnLate()
		}
	}
	sm.WriteSessionCookie(ctx, w.ResponseWriter, token, expiry)
}

// keepCookie adds the session's cookie to an error where an earlier commit of the request has stored the session under
// another token than the request came with: the user would be logged out without it.
func (w *response) keepCookie(ctx context.Context) {
	sm := w.layer.manager
	token := sm.Token(ctx)
	if cookie, err := w.request.Cookie(sm.Cookie.Name); err == nil && cookie.Value == token ||
		!w.layer.isStored(storedToken(sm, token)) {
		return
	}
	expiry := sm.Deadline(ctx)
	if idle := time.Now().Add(sm.IdleTimeout); sm.IdleTimeout > 0 && idle.Before(expiry) {
		expiry = idle
	}
	before := len(w.Header()["Set-Cookie"])
	w.addCookie(ctx, token, expiry)
	if w.before != nil {
		w.before["Set-Cookie"] = append(w.before["Set-Cookie"], w.Header()["Set-Cookie"][before:]...)
	}
}

// dropCookie removes the session's cookie from the header, where a middleware of scs within this one has set it.
func (w *response) dropCookie(token string) {
	header, before := w.Header(), len(w.before["Set-Cookie"])
	all := header["Set-Cookie"]
	if len(all) <= before {
		return
	}
	own := w.layer.manager.Cookie.Name + "=" + token + ";"
	added := slices.DeleteFunc(slices.Clone(all[before:]), func(c string) bool { return strings.HasPrefix(c, own) })
	setOrDelete(header, "Set-Cookie", append(slices.Clone(all[:before]), added...))
	if before == 0 && len(added) == 0 {
		setOrDelete(header, "Cache-Control", slices.DeleteFunc(slices.Clone(header["Cache-Control"]), func(c string) bool {
			return c == `no-cache="Set-Cookie"`
		}))
	}
}

func setOrDelete(header http.Header, name string, values []string) {
	if len(values) == 0 {
		delete(header, name)
		return
	}
	header[name] = values
}

// fail lets the manager's ErrorFunc respond in place of the handler. Where it writes nothing, the handler's response
// stands, as in scs.
func (w *response) fail(err error) {
	if !w.begun && !w.over && w.repeat(w.layer.scope, err) {
		w.failed, w.dropped = err, err
		w.release()
		w.layer.cancel(err) // the handler may stop
		return
	}
	header := w.Header().Clone()
	if w.before != nil && !w.begun {
		keepForError(w.Header(), w.before)
	}
	kept := w.Header().Clone()
	w.saved, w.answered = true, false
	w.layer.manager.ErrorFunc(w, w.request, err)
	switch {
	case w.answered:
		w.failed = err
	case w.before != nil: // else there was no handler
		for name, values := range w.Header() { // what the ErrorFunc has set
			if !slices.Equal(values, kept[name]) {
				header[name] = values
			}
		}
		setHeader(w.Header(), header)
	}
}

// keepForError makes a header that of an answer in place of the handler's: what was set before the handler is as it
// was, and of what came to it those fields stay that say nothing of the handler's answer.
func keepForError(header, before http.Header) {
	maps.DeleteFunc(header, func(name string, _ []string) bool { return ofAnswer(name) })
	maps.Copy(header, before.Clone())
}

// ofAnswer reports whether a field describes the answer that it comes with.
func ofAnswer(name string) bool {
	switch name {
	case "Accept-Ranges", "Age", "Cache-Control", "Etag", "Expires", "Last-Modified", "Location", "Refresh", "Retry-After",
		"Set-Cookie", "Trailer":
		return true
	}
	return strings.HasPrefix(name, "Content-") && !strings.HasPrefix(name, "Content-Security-Policy")
}

// start is called before anything is passed on.
func (w *response) start() {
	w.answered = true
	if !w.begun {
		w.begun = true
		w.release()
	}
}

// release gives back what the request holds, unless who opened the scope has yet to commit.
func (w *response) release() {
	if !w.nested {
		w.layer.releaseAll(w.request.Context())
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	w.save()
	if w.failed == nil {
		w.start()
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (w *response) Write(b []byte) (int, error) {
	w.save()
	if w.failed != nil {
		return 0, w.failed
	}
	w.start()
	return w.ResponseWriter.Write(b)
}

// Flush implements http.Flusher. As in scs, the session is not committed before.
func (w *response) Flush() {
	if w.failed == nil {
		w.start()
		_ = http.NewResponseController(w.ResponseWriter).Flush()
	}
}

// Hijack implements http.Hijacker. As in scs, the session is not committed before.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.failed != nil {
		return nil, nil, w.failed
	}
	conn, buffer, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil { // else, as with HTTP/2, the handler may go on without
		w.start()
		w.failed = http.ErrHijacked
	}
	return conn, buffer, err
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// setHeader makes header what it was. It stays the same map: handlers may keep it.
func setHeader(header, was http.Header) {
	clear(header)
	maps.Copy(header, was.Clone())
}

// storedToken returns the token by which the store knows a session.
func storedToken(sm *scs.SessionManager, token string) string {
	if !sm.HashTokenInStore || token == "" {
		return token
	}
	return hashToken(token)
}
