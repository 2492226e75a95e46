package sessionstore

import (
	"bufio"
	"maps"
	"net"
	"net/http"
)

// response stands below the response writer of scs, which commits the session before it passes on the first byte.
type response struct {
	http.ResponseWriter
	release func()      // gives back what the request holds
	begun   bool        // the response has begun, and what the request held was given back
	used    bool        // see fail
	before  http.Header // the header before the handler began
	failed  error       // why the handler's response is dropped
}

// start is called before anything is passed on.
func (w *response) start() {
	w.used = true
	if !w.begun {
		w.begun = true
		w.release()
	}
}

// fail lets answer respond in place of the handler, whose header is dropped as well. Where answer writes nothing, the
// handler's response stands, as in scs.
func (w *response) fail(err error, answer func()) {
	header := w.Header().Clone()
	if w.before != nil && !w.begun {
		setHeader(w.Header(), w.before)
	}
	w.used = false
	answer()
	switch {
	case w.used:
		w.failed = err
	case w.before != nil: // else there was no handler
		setHeader(w.Header(), header)
	}
}

// drop drops the handler's response, which has not begun.
func (w *response) drop(err error) {
	w.failed = err
	w.release()
}

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.failed == nil {
		w.start()
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (w *response) Write(b []byte) (int, error) {
	if w.failed != nil {
		return 0, w.failed
	}
	w.start()
	return w.ResponseWriter.Write(b)
}

// FlushError is what http.ResponseController calls.
func (w *response) FlushError() error {
	if w.failed != nil {
		return w.failed
	}
	w.start()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker.
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
