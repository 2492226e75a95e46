package dropin

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// responses are how handlers begin and write a response.
var responses = []behaviour{
	{name: "nothing is written", serve: in(use1)},
	{name: "a body", serve: in(body)},
	{name: "a body before the session", serve: in(bodyThenPut), own: true},
	{name: "two writes", serve: in(twoWrites)},
	{name: "201 and a body", serve: in(status(http.StatusCreated, "made"))},
	{name: "204", serve: in(status(http.StatusNoContent, ""))},
	{name: "204 with a body", serve: in(status(http.StatusNoContent, "no place for this"))},
	{name: "304", serve: in(status(http.StatusNotModified, ""))},
	{name: "an error status", serve: in(status(http.StatusTeapot, "short and stout"))},
	{name: "the status twice", serve: in(statusTwice)},
	{name: "no status there is", serve: in(status(42, ""))},
	{name: "redirect", serve: in(redirect), request: ask("POST", "/", "a=b", form)},
	{name: "http.Error", serve: in(httpError)},
	{name: "http.NotFound", serve: in(notFound)},
	{name: "HEAD", serve: in(body), request: ask("HEAD", "/", "")},
	{name: "OPTIONS", serve: in(body), request: ask("OPTIONS", "/", "")},
	{name: "DELETE", serve: in(status(http.StatusNoContent, "")), request: ask("DELETE", "/", "")},
	{name: "HTTP 1.0", serve: in(body), request: "GET / HTTP/1.0\r\nHost: app\r\n\r\n"},
	{name: "Connection: close", serve: in(body), request: get("/", "Connection: close")},
	{name: "its own Content-Length", serve: in(contentLength(4, "body"))},
	{name: "more than its Content-Length", serve: in(contentLength(2, "body"))},
	{name: "less than its Content-Length", serve: in(contentLength(9, "body"))},
	{name: "a large body", serve: in(largeBody)},
	{name: "headers", serve: in(headers)},
	{name: "the same headers as scs", serve: in(sameHeaders)},
	{name: "headers that scs has set deleted", serve: in(deletedHeaders)},
	{name: "headers after the body has begun", serve: in(lateHeaders)},
	{name: "its own cookies", serve: in(ownCookies)},
	{name: "declared trailers", serve: in(trailers)},
	{name: "undeclared trailers", serve: in(trailerPrefix)},
	{name: "io.WriteString and Fprint", serve: in(writeStrings)},
	{name: "io.Copy", serve: in(ioCopy)},
	{name: "an empty write", serve: in(emptyWrite)},
}

// use1 only uses the session.
func use1(a *app, _ http.ResponseWriter, r *http.Request) { a.use(r) }

func body(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, "body")
}

// write writes, and notes what it was told.
func (a *app) write(w http.ResponseWriter, text string) {
	n, err := io.WriteString(w, text)
	a.see("Write", n, err)
}

func bodyThenPut(a *app, w http.ResponseWriter, r *http.Request) {
	a.write(w, "body")
	a.sessions.Put(r.Context(), "x", 1) // too late: it is not stored, as in scs
}

func twoWrites(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, "one")
	a.write(w, "two")
}

func status(code int, text string) func(*app, http.ResponseWriter, *http.Request) {
	return func(a *app, w http.ResponseWriter, r *http.Request) {
		a.use(r)
		w.WriteHeader(code)
		if text != "" {
			a.write(w, text)
		}
	}
}

func statusTwice(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	w.WriteHeader(http.StatusAccepted)
	w.WriteHeader(http.StatusBadGateway)
	a.write(w, "body")
}

func redirect(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	http.Redirect(w, r, "/elsewhere", http.StatusSeeOther)
}

func httpError(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	http.Error(w, "no", http.StatusForbidden)
}

func notFound(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	http.NotFound(w, r)
}

func contentLength(n int, text string) func(*app, http.ResponseWriter, *http.Request) {
	return func(a *app, w http.ResponseWriter, r *http.Request) {
		a.use(r)
		w.Header().Set("Content-Length", fmt.Sprint(n))
		a.write(w, text)
	}
}

func largeBody(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	for range 10 {
		a.write(w, strings.Repeat("0123456789", 1000))
	}
}

func headers(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("ETag", `"1"`)
	w.Header().Add("Link", "</a>; rel=preload")
	w.Header().Add("Link", "</b>; rel=preload")
	a.write(w, "{}")
}

func sameHeaders(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	w.Header().Add("Vary", "Accept")
	w.Header().Add("Cache-Control", "private")
	a.write(w, "body")
}

func deletedHeaders(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	w.Header().Del("Vary")
	a.write(w, "body")
}

func lateHeaders(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, "body")
	w.Header().Set("X-Late", "1")
}

func ownCookies(a *app, w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: "before", Value: "1"})
	a.use(r)
	http.SetCookie(w, &http.Cookie{Name: "after", Value: "2"})
	a.write(w, "body")
}

func trailers(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	w.Header().Set("Trailer", "X-Sum")
	a.write(w, "body")
	w.Header().Set("X-Sum", "4")
}

func trailerPrefix(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, "body")
	_ = http.NewResponseController(w).Flush()
	w.Header().Set(http.TrailerPrefix+"X-Sum", "4")
}

func writeStrings(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	_, isStringWriter := w.(io.StringWriter)
	a.see("StringWriter", isStringWriter)
	_, err := fmt.Fprintf(w, "%d%%", 50)
	a.see("Fprintf", err)
}

func ioCopy(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	_, isReaderFrom := w.(io.ReaderFrom)
	n, err := io.Copy(w, strings.NewReader(strings.Repeat("copied ", 1000)))
	a.see("Copy", isReaderFrom, n, err)
}

func emptyWrite(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	n, err := w.Write(nil)
	a.see("Write", n, err)
}
