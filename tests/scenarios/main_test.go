package scenarios_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/tests/faultproxy"
	"github.com/scsdynamo/scsdynamo/tests/webapp"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(answers)) // where sessionstore.HandleError logs
	os.Exit(webapp.Main(m))
}

// site is the servers of one test, on one table.
type site struct {
	*testing.T
	ctx    context.Context //nolint:containedctx // It is the test's.
	config webapp.Config
	n      int
}

// tooLong is when a test gives up. It says nothing of speed.
const tooLong = time.Minute

// newSite makes a site on a table of its own, or under a prefix of its own on the one that is given.
func newSite(t *testing.T, config webapp.Config) *site {
	t.Helper()
	config.Prefix = t.Name() + " "
	if config.Table == "" {
		config.Table = newTable(t)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), tooLong, errors.New("what was to happen has not happened"))
	t.Cleanup(cancel)
	return &site{T: t, ctx: ctx, config: config}
}

func newTable(t *testing.T) string {
	t.Helper()
	client := dynamotest.Client(t)
	name := dynamotest.TableName(t, client)
	if err := (dynamostore.Table{Name: name}).Create(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	return name
}

// each runs the test with each of the strategies.
func each(t *testing.T, strategies []string, config webapp.Config, test func(s *site)) {
	t.Helper()
	for _, strategy := range strategies {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			config := config
			config.Strategy = strategy
			test(newSite(t, config))
		})
	}
}

// server is a process of the site: an application with a proxy of its own.
type server struct {
	*webapp.App
	site    *site
	proxy   *faultproxy.Proxy
	address string
	log     *record
}

// server starts one more.
func (s *site) server(changes ...func(*webapp.Config)) *server {
	s.Helper()
	config := s.config
	for _, change := range changes {
		change(&config)
	}
	made := &server{site: s, proxy: faultproxy.New(s, dynamotest.Endpoint(s)), log: &record{}}
	config.Endpoint = made.proxy.URL()
	app, err := webapp.New(config, slog.New(slog.NewTextHandler(made.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		s.Fatal(err)
	}
	made.App = app
	web := httptest.NewServer(app)
	s.Cleanup(web.Close)
	s.Cleanup(func() { made.proxy.Drop() })
	made.address = web.URL
	return made
}

// get and post send a request and must get an answer.
func (v *server) get(b *webapp.Browser, target string) webapp.Response {
	v.site.Helper()
	return v.send(b, http.MethodGet, target)
}

func (v *server) post(b *webapp.Browser, target string) webapp.Response {
	v.site.Helper()
	return v.send(b, http.MethodPost, target)
}

// set is post for what a test begins with.
func (v *server) set(b *webapp.Browser, target string) {
	v.site.Helper()
	if response := v.post(b, target); !response.OK() || b.Token() == "" {
		v.site.Fatalf("%s: %d %s", target, response.Status, response.Body)
	}
}

func (v *server) send(b *webapp.Browser, method, target string) webapp.Response {
	v.site.Helper()
	response, err := b.Do(v.site.ctx, method, v.address, v.site.named(target))
	if err != nil {
		v.site.Fatalf("%s %s: %v", method, target, err)
	}
	return response
}

// named gives each request an ID.
func (s *site) named(target string) string {
	s.n++
	if strings.Contains(target, "?") {
		return fmt.Sprintf("%s&id=r%d", target, s.n)
	}
	return fmt.Sprintf("%s?id=r%d", target, s.n)
}

// pending is a request that is under way.
type pending struct {
	site     *site
	target   string
	done     chan struct{}
	response webapp.Response
	err      error
}

// begin sends a request and does not wait for its answer. The cookie is the one that the browser has now.
func (v *server) begin(b *webapp.Browser, method, target string) *pending {
	v.site.Helper()
	p := &pending{site: v.site, target: target, done: make(chan struct{})}
	token, target := b.Token(), v.address+v.site.named(target)
	go func() {
		defer close(p.done)
		p.response, _, p.err = webapp.Send(v.site.ctx, http.DefaultTransport, method, target, token)
	}()
	return p
}

// beginAt is begin, and waits until the handler is at its gate.
func (v *server) beginAt(gate string, b *webapp.Browser, method, target string) *pending {
	v.site.Helper()
	p := v.begin(b, method, target+"gate="+gate)
	v.site.must("the handler at "+gate, v.Gate(gate).Await(v.site.ctx))
	return p
}

// answered reports whether the answer has come.
func (p *pending) answered() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// answer waits for the answer.
func (p *pending) answer() webapp.Response {
	p.site.Helper()
	<-p.done
	if p.err != nil {
		p.site.Fatalf("%s: %v", p.target, p.err)
	}
	return p.response
}

func (s *site) must(what string, err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

func (s *site) wantStatus(what string, got webapp.Response, want int) {
	s.Helper()
	if got.Status != want {
		s.Errorf("%s: %d %s; want %d", what, got.Status, strings.TrimSpace(got.Body), want)
	}
}

// newBrowser returns one that shares the connections of all.
func newBrowser() *webapp.Browser { return webapp.NewBrowser(http.DefaultTransport) }

// with returns a browser that has the token.
func with(token string) *webapp.Browser {
	b := newBrowser()
	b.SetToken(token)
	return b
}

// live reports whether a token is accepted.
func (v *server) live(token string) bool {
	v.site.Helper()
	response := v.get(with(token), "/get")
	v.site.wantStatus("look", response, http.StatusOK)
	return response.Live()
}

// record keeps what was logged.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// answers is what HandleError has logged.
var answers = &answerLog{levels: map[*webapp.App]slog.Level{}}

type answerLog struct {
	mu     sync.Mutex
	levels map[*webapp.App]slog.Level // the highest one
	text   strings.Builder
}

func (a *answerLog) Enabled(context.Context, slog.Level) bool { return true }
func (a *answerLog) WithAttrs([]slog.Attr) slog.Handler       { return a }
func (a *answerLog) WithGroup(string) slog.Handler            { return a }

// nothing is below all levels.
const nothing = slog.LevelDebug - 100

func (a *answerLog) Handle(ctx context.Context, r slog.Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	app := webapp.From(ctx)
	if level, logged := a.levels[app]; !logged || level < r.Level {
		a.levels[app] = r.Level
	}
	r.Attrs(func(attr slog.Attr) bool {
		fmt.Fprintf(&a.text, "%s=%s ", attr.Key, attr.Value)
		return true
	})
	a.text.WriteByte('\n')
	return nil
}

// level returns the highest level at which the application's errors were logged.
func (a *answerLog) level(app *webapp.App) slog.Level {
	a.mu.Lock()
	defer a.mu.Unlock()
	if level, logged := a.levels[app]; logged {
		return level
	}
	return nothing
}

func (a *answerLog) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.text.String()
}
