package dropin

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"strings"
	"time"
)

// middlewares are other middlewares and proxies, inside of ours and outside.
var middlewares = []behaviour{
	{name: "TimeoutHandler outside, in time", serve: outside(timeout, body)},
	{name: "TimeoutHandler outside, late", serve: outside(timeout, late), skip: refusals},
	{name: "TimeoutHandler inside, in time", serve: inside(timeout, body)},
	{name: "TimeoutHandler inside, late", serve: inside(timeout, late)},
	{name: "a deadline outside that passes", serve: outside(deadline, deadlinePasses)},
	{name: "a deadline outside that passes, nothing is written", serve: outside(deadline, deadlinePassesSilently)},
	{name: "a deadline inside that passes", serve: inside(deadline, deadlinePasses)},
	{
		name: "MaxBytesHandler outside", reads: true, serve: outside(atMost, readTooMuch), slow: true,
		request: ask("POST", "/", strings.Repeat("x", 100)),
	},
	{
		name: "MaxBytesHandler inside", reads: true, serve: inside(atMost, readTooMuch),
		request: ask("POST", "/", strings.Repeat("x", 100)),
	},
	{
		name: "CrossOriginProtection outside, same origin", serve: outside(sameOrigin, body),
		request: crossOrigin("same-origin"),
	},
	{
		name: "CrossOriginProtection outside, cross-site", serve: outside(sameOrigin, body),
		request: crossOrigin("cross-site"), own: true,
	},
	{
		name: "CrossOriginProtection inside, cross-site", serve: inside(sameOrigin, body),
		request: crossOrigin("cross-site"), own: true,
	},
	{name: "CORS outside", serve: outside(cors, body), request: get("/", "Origin: https://a.example")},
	{name: "CORS inside", serve: inside(cors, body), request: get("/", "Origin: https://a.example")},
	{name: "gzip outside", serve: outside(zip, body)},
	{name: "gzip inside", serve: inside(zip, body)},
	{name: "gzip outside, streamed", serve: outside(zip, writeAndControllerFlush)},
	{name: "gzip inside, streamed", serve: inside(zip, writeAndControllerFlush)},
	{name: "a logger outside", serve: outside(logger, status(http.StatusCreated, "made"))},
	{name: "a logger inside", serve: inside(logger, status(http.StatusCreated, "made"))},
	{name: "a buffer outside", serve: outside(buffer, writeAndControllerFlush)},
	{name: "a buffer inside", serve: inside(buffer, body)},
	{name: "a plain writer outside, flush", serve: outside(bare, writeAndControllerFlush)},
	{name: "a plain writer outside, hijack", serve: outside(bare, hijack)},
	{name: "StripPrefix outside", serve: outside(strip, path), request: get("/prefix/a")},
	{name: "StripPrefix inside", serve: inside(strip, path), request: get("/prefix/a")},
	{name: "reverse proxy", serve: in(proxy(answer))},
	{name: "reverse proxy, 103 and trailer", serve: in(proxy(answerWithHints))},
	{name: "reverse proxy, no backend", serve: in(proxy(noAnswer))},
	{name: "reverse proxy, broken body", serve: in(proxy(brokenAnswer))},
	{name: "reverse proxy, upgrade", serve: in(proxy(upgradeAnswer)), request: upgrading, talk: echo, early: true},
	{name: "reverse proxy outside", serve: outside(proxied, body)},
}

// outside is an application with another middleware outside of ours, inside one where it is between ours and the
// handler.
func outside(
	wrap func(*app, http.Handler) http.Handler, handle func(*app, http.ResponseWriter, *http.Request),
) func(*app) http.Handler {
	return func(a *app) http.Handler { return wrap(a, a.saved(a.handler(handle))) }
}

func inside(
	wrap func(*app, http.Handler) http.Handler, handle func(*app, http.ResponseWriter, *http.Request),
) func(*app) http.Handler {
	return func(a *app) http.Handler { return a.saved(wrap(a, a.handler(handle))) }
}

// aDeadline is a deadline that passes when it is told to.
type aDeadline struct {
	context.Context
	passed chan struct{}
}

func (d aDeadline) Done() <-chan struct{} { return d.passed }

func (d aDeadline) Err() error {
	select {
	case <-d.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// deadline is a middleware that limits the time of a request, as chi's Timeout: what is done about it is up to
// handlers.
func deadline(a *app, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(aDeadline{r.Context(), a.deadline}))
	})
}

func timeout(a *app, next http.Handler) http.Handler {
	return deadline(a, http.TimeoutHandler(next, time.Hour, "it took too long"))
}

// late is a handler that goes on after the answer that was given in place of its own.
func late(a *app, w http.ResponseWriter, r *http.Request) {
	a.late.Add(1)
	defer a.late.Done()
	a.use(r)
	close(a.deadline)
	<-a.answered
	a.write(w, "too late")
}

func deadlinePasses(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	close(a.deadline)
	<-r.Context().Done()
	http.Error(w, "it took too long", http.StatusGatewayTimeout)
}

func deadlinePassesSilently(a *app, _ http.ResponseWriter, r *http.Request) {
	a.use(r)
	close(a.deadline)
	<-r.Context().Done()
}

func atMost(_ *app, next http.Handler) http.Handler { return http.MaxBytesHandler(next, 10) }

func readTooMuch(a *app, w http.ResponseWriter, r *http.Request) {
	_, err := io.ReadAll(r.Body)
	a.see("read", err)
	a.use(r)
	http.Error(w, "too much", http.StatusRequestEntityTooLarge)
}

func sameOrigin(_ *app, next http.Handler) http.Handler {
	return http.NewCrossOriginProtection().Handler(next)
}

func crossOrigin(site string) string { return ask("POST", "/", "a=b", form, "Sec-Fetch-Site: "+site) }

func cors(_ *app, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		next.ServeHTTP(w, r)
	})
}

// zipped is the writer of a middleware that compresses.
type zipped struct {
	http.ResponseWriter
	zip *gzip.Writer
}

func (w zipped) Write(p []byte) (int, error) {
	w.Header().Del("Content-Length")
	return w.zip.Write(p)
}

func (w zipped) FlushError() error {
	if err := w.zip.Flush(); err != nil {
		return err
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func zip(_ *app, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "text/plain")
		z := zipped{w, gzip.NewWriter(w)}
		defer func() { _ = z.zip.Close() }()
		next.ServeHTTP(z, r)
	})
}

// counted is the writer of a middleware that logs.
type counted struct {
	http.ResponseWriter
	status, size int
}

func (w *counted) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *counted) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.size += n
	return n, err
}

func (w *counted) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func logger(a *app, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &counted{ResponseWriter: w}
		next.ServeHTTP(c, r)
		a.see("logger", r.Method, r.URL.Path, r.Pattern, c.status, c.size)
	})
}

// buffered is the writer of a middleware that sends a response when it is complete.
type buffered struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (w *buffered) WriteHeader(status int) { w.status = status }

func (w *buffered) Write(p []byte) (int, error) {
	w.body = append(w.body, p...)
	return len(p), nil
}

func buffer(_ *app, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := &buffered{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(b, r)
		w.WriteHeader(b.status)
		_, _ = w.Write(b.body)
	})
}

// bare hides all that a writer can do beside writing.
func bare(_ *app, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
	})
}

func strip(_ *app, next http.Handler) http.Handler { return http.StripPrefix("/prefix", next) }

func path(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, r.URL.Path)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// proxy hands the request on to a backend, which is a function.
func proxy(backend roundTrip) func(*app, http.ResponseWriter, *http.Request) {
	return func(a *app, w http.ResponseWriter, r *http.Request) {
		a.use(r)
		(&httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "backend" },
			Transport: backend,
			ErrorLog:  a.server.Config.ErrorLog,
		}).ServeHTTP(w, r)
	}
}

func answerOf(status int, body io.ReadCloser) *http.Response {
	return &http.Response{
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		StatusCode: status, Header: http.Header{"Content-Type": {"text/plain"}, "Set-Cookie": {"backend=1"}}, Body: body,
	}
}

func answer(*http.Request) (*http.Response, error) {
	return answerOf(http.StatusAccepted, io.NopCloser(strings.NewReader("from the backend"))), nil
}

func answerWithHints(r *http.Request) (*http.Response, error) {
	hints := textproto.MIMEHeader{"Link": {"</a.css>; rel=preload"}}
	if err := httptrace.ContextClientTrace(r.Context()).Got1xxResponse(http.StatusEarlyHints, hints); err != nil {
		return nil, err
	}
	response, err := answer(r)
	response.ContentLength = -1
	response.Trailer = http.Header{"X-Sum": {"16"}}
	return response, err
}

func noAnswer(*http.Request) (*http.Response, error) { return nil, net.ErrClosed }

func brokenAnswer(*http.Request) (*http.Response, error) {
	broken := io.MultiReader(strings.NewReader("from the "), io.LimitReader(failing{}, 1))
	return answerOf(http.StatusOK, io.NopCloser(broken)), nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// upgradeAnswer is a backend that echoes lines.
func upgradeAnswer(*http.Request) (*http.Response, error) {
	near, far := net.Pipe()
	go func() {
		defer func() { _ = far.Close() }()
		for lines := bufio.NewScanner(far); lines.Scan() && lines.Text() != "bye"; {
			_, _ = io.WriteString(far, lines.Text()+"\n")
		}
	}()
	response := answerOf(http.StatusSwitchingProtocols, near)
	response.Header.Set("Connection", "Upgrade")
	response.Header.Set("Upgrade", "echo")
	return response, nil
}

// proxied puts a proxy in front of the application, which it reaches without a network.
func proxied(a *app, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(&httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "backend" },
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				recorder := httptest.NewRecorder()
				next.ServeHTTP(recorder, r)
				return recorder.Result(), nil
			}),
			ErrorLog: a.server.Config.ErrorLog,
		}).ServeHTTP(w, r)
	})
}
