package dropin

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

// streams are responses that go out bit by bit, and what handlers ask of their writer.
var streams = []behaviour{
	{name: "interfaces of the writer", serve: in(interfaces)},
	{name: "Flusher after a write", serve: in(writeAndFlush)},
	{name: "ResponseController.Flush after a write", serve: in(writeAndControllerFlush)},
	{name: "Flush after the status", serve: in(statusAndFlush)},
	{name: "Flush before the session", serve: in(flushFirst), early: true},
	{name: "Flush before any write", serve: in(useAndFlush), early: true},
	{name: "server-sent events", serve: in(events), request: get("/", "Accept: text/event-stream")},
	{name: "103 Early Hints", serve: in(earlyHints)},
	{name: "103 before the session", serve: in(hintsFirst), early: true},
	{name: "100 by the handler", serve: in(continueFirst), early: true},
	{name: "deadlines", serve: in(deadlines)},
	{name: "full duplex", serve: in(fullDuplex), request: ask("POST", "/", "ping")},
	{name: "a goroutine that writes", serve: in(goroutineWrites)},
	{name: "Commit before the body", serve: in(commitByHand)},
	{name: "Commit after the body has begun", serve: in(commitAfterWrite), skip: []use{endedRead}},
}

func interfaces(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	_, flusher := w.(http.Flusher)
	_, hijacker := w.(http.Hijacker)
	_, pusher := w.(http.Pusher)
	_, readerFrom := w.(io.ReaderFrom)
	_, unwrapper := w.(interface{ Unwrap() http.ResponseWriter })
	a.write(w, fmt.Sprint(flusher, hijacker, pusher, readerFrom, unwrapper))
}

func writeAndFlush(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, "one")
	if flusher, ok := w.(http.Flusher); ok {
		flusher.Flush()
	}
	a.write(w, "two")
}

func writeAndControllerFlush(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, "one")
	a.see("Flush", http.NewResponseController(w).Flush())
	a.write(w, "two")
}

func statusAndFlush(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	w.WriteHeader(http.StatusAccepted)
	a.see("Flush", http.NewResponseController(w).Flush())
	a.write(w, "body")
}

func flushFirst(a *app, w http.ResponseWriter, r *http.Request) {
	a.see("Flush", http.NewResponseController(w).Flush())
	a.use(r)
	a.write(w, "body")
}

func useAndFlush(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.see("Flush", http.NewResponseController(w).Flush())
	a.write(w, "body")
}

func events(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range 3 {
		if _, err := fmt.Fprintf(w, "data: %d\n\n", i); err != nil {
			a.see("event", err)
			return
		}
		a.see("Flush", http.NewResponseController(w).Flush())
	}
}

func earlyHints(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	w.Header().Set("Link", "</a.css>; rel=preload")
	w.WriteHeader(http.StatusEarlyHints)
	w.Header().Del("Link")
	a.write(w, "body")
}

func hintsFirst(a *app, w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusEarlyHints)
	a.use(r)
	a.write(w, "body")
}

func continueFirst(a *app, w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusContinue)
	a.use(r)
	a.write(w, "body")
}

func deadlines(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	controller := http.NewResponseController(w)
	a.see("SetReadDeadline", controller.SetReadDeadline(time.Now().Add(time.Minute)))
	a.see("SetWriteDeadline", controller.SetWriteDeadline(time.Now().Add(time.Minute)))
	a.write(w, "body")
}

func fullDuplex(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.see("EnableFullDuplex", http.NewResponseController(w).EnableFullDuplex())
	a.write(w, "first ")
	a.see("Flush", http.NewResponseController(w).Flush())
	content, err := io.ReadAll(r.Body)
	a.see("read", string(content), err)
	a.write(w, "second")
}

func goroutineWrites(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.write(w, "from a goroutine")
	}()
	<-done
}

func commitByHand(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	_, _, err := a.sessions.Commit(r.Context())
	a.see("Commit", err != nil)
	a.write(w, "body")
}

func commitAfterWrite(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, "body")
	a.sessions.Put(r.Context(), "late", true)
	_, _, err := a.sessions.Commit(r.Context())
	a.see("Commit", err != nil)
}
