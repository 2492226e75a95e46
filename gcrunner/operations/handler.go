package operations

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/scsdynamo/scsdynamo/gcrunner"
)

//go:embed page.html style.css icon.svg
var files embed.FS

// Options are the settings of a handler. The zero value has the defaults.
type Options struct {
	// Place says on the page where the sessions are, such as "DynamoDB table sessions". Default: nothing.
	Place string
	// Version says on the page and in the metrics which version of the program runs. Default: "unknown".
	Version string
	// Hosts are hosts to serve beside those that no website can have: addresses, localhost, names without a dot, and
	// names under .localhost, .local, .internal and .svc. So probes, port forwarding and the names of services in a
	// cluster work without it. It is for the name of a proxy that passes on its own name, or service.namespace; "*"
	// stands for all. Requests to other hosts are refused: a website must not make browsers read these pages by giving
	// its own name the address of this process (DNS rebinding).
	Hosts []string
	// Reason returns what the page and the probes say of an error. They are public, and the text of an error may name
	// accounts, roles and tables; the runner's log has that. Default: that the log says why.
	Reason func(error) string
	// Profiles serves the profiles of net/http/pprof under /debug/pprof/, but not the command line. Taking one slows
	// the process down.
	Profiles bool
}

type handler struct {
	Options

	runner *gcrunner.Runner
}

// NewHandler returns a handler that shows the runner. Its metrics have a registry of their own.
func NewHandler(runner *gcrunner.Runner, options Options) http.Handler {
	options.Version = cmp.Or(options.Version, "unknown")
	if options.Reason == nil {
		options.Reason = reasonOf
	}
	h := &handler{options, runner}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newExporter(runner, h.Version))

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.page)
	mux.Handle("GET /style.css", http.FileServerFS(files))
	mux.Handle("GET /icon.svg", http.FileServerFS(files))
	mux.HandleFunc("GET /livez", h.alive)
	mux.HandleFunc("GET /readyz", h.ready)
	scrape := promhttp.HandlerOpts{Registry: registry, Timeout: 10 * time.Second}
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, scrape))
	if h.Profiles { // without the command line, which may have secrets in it
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return withHeaders(checkHost(h.Hosts, mux))
}

// withHeaders tells browsers to load nothing from elsewhere, to run no scripts, and to keep nothing.
func withHeaders(next http.Handler) http.Handler {
	const policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; " +
		"frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (h *handler) alive(w http.ResponseWriter, _ *http.Request) {
	text := ""
	if err := h.runner.Alive(); err != nil { // which has no cause
		text = err.Error()
	}
	answer(w, text)
}

func (h *handler) ready(w http.ResponseWriter, r *http.Request) {
	text := h.problem(h.runner.Ready(r.Context()))
	if text != "" {
		text = "not ready: " + text
	}
	answer(w, text)
}

// problem says why the runner is not ready, and nothing where it is.
func (h *handler) problem(err error) string {
	if err == nil {
		return ""
	}
	unready := (*gcrunner.NotReadyError)(nil)
	switch {
	case !errors.As(err, &unready):
		return h.Reason(err)
	case unready.Err == nil:
		return unready.Reason
	default:
		return unready.Reason + ": " + h.Reason(unready.Err)
	}
}

// reasonOf is what everybody may know of an error.
func reasonOf(err error) string {
	if errors.Is(err, gcrunner.ErrCheckpoint) {
		return "the position of the run cannot be kept"
	}
	return "the log says why"
}

// answer is that of a probe: 200 where nothing is wrong.
func answer(w http.ResponseWriter, wrong string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if wrong != "" {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprintln(w, wrong)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}
