package operations_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/gcrunner/operations"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// The probes follow what goes on: red where the table cannot be read, and where no run has succeeded for three
// intervals.
func TestProbes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := newTable(t, 10, 10)
		runner := newRunner(t, driver, time.Hour)
		handler := operations.NewHandler(runner, operations.Options{})
		probe := func(when, path string, want int, says string) {
			t.Helper()
			synctest.Wait()
			if code, _, body := get(t, handler, path); code != want || !strings.Contains(body, says) {
				t.Errorf("%s: %s is %d %q; want %d %q", when, path, code, body, want, says)
			}
		}
		probe("before it begins", "/readyz", http.StatusServiceUnavailable, "not begun")
		end := start(t, runner)
		probe("after a run", "/readyz", http.StatusOK, "ok")

		driver.unreachable.Store(true)
		time.Sleep(10 * time.Second)
		probe("without the table", "/readyz", http.StatusServiceUnavailable, "cannot be read")
		probe("without the table", "/livez", http.StatusOK, "ok")
		driver.unreachable.Store(false)
		time.Sleep(10 * time.Second)
		probe("with the table", "/readyz", http.StatusOK, "ok")

		driver.broken.Store(true)
		time.Sleep(2*time.Hour + 50*time.Minute)
		probe("for less than three intervals without success", "/readyz", http.StatusOK, "ok")
		time.Sleep(10 * time.Minute)
		probe("for three intervals without success", "/readyz", http.StatusServiceUnavailable, "no run has succeeded for 3h")
		probe("for three intervals without success", "/livez", http.StatusOK, "ok")
		driver.broken.Store(false)
		time.Sleep(5 * time.Minute)
		probe("after a success", "/readyz", http.StatusOK, "ok")

		end()
		probe("after the end", "/readyz", http.StatusServiceUnavailable, "ending")
		probe("after the end that was asked for", "/livez", http.StatusOK, "ok")
	})
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	plain := operations.NewHandler(newRunner(t, memory.New(), time.Hour), operations.Options{})
	profiled := operations.NewHandler(newRunner(t, memory.New(), time.Hour), operations.Options{Profiles: true})
	for _, test := range []struct {
		name    string
		handler http.Handler
		method  string
		path    string
		code    int
	}{
		{"page", plain, http.MethodGet, "/", http.StatusOK},
		{"head", plain, http.MethodHead, "/", http.StatusOK},
		{"style", plain, http.MethodGet, "/style.css", http.StatusOK},
		{"icon", plain, http.MethodGet, "/icon.svg", http.StatusOK},
		{"unknown", plain, http.MethodGet, "/favicon.ico", http.StatusNotFound},
		{"template", plain, http.MethodGet, "/page.html", http.StatusNotFound},
		{"post", plain, http.MethodPost, "/", http.StatusMethodNotAllowed},
		{"post to a probe", plain, http.MethodPost, "/livez", http.StatusMethodNotAllowed},
		{"no profiles", plain, http.MethodGet, "/debug/pprof/", http.StatusNotFound},
		{"no command line", plain, http.MethodGet, "/debug/pprof/cmdline", http.StatusNotFound},
		{"profiles", profiled, http.MethodGet, "/debug/pprof/", http.StatusOK},
		{"no command line beside profiles", profiled, http.MethodGet, "/debug/pprof/cmdline", http.StatusNotFound},
		{"a profile", profiled, http.MethodGet, "/debug/pprof/goroutine?debug=1", http.StatusOK},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code, header, _ := do(t, test.handler, test.method, test.path)
			if code != test.code {
				t.Errorf("%d; want %d", code, test.code)
			}
			if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
				t.Errorf("the policy for browsers is %q", policy)
			}
		})
	}
}

// Whatever is asked for, there is no token, no session data, and no position in it.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := newTable(t, 50, 50)
		runner := newRunner(t, driver, time.Hour)
		defer start(t, runner)()
		synctest.Wait()
		driver.broken.Store(true)
		time.Sleep(61 * time.Minute)
		synctest.Wait()
		handler := operations.NewHandler(runner, operations.Options{Profiles: true})
		for _, path := range []string{
			"/", "/metrics", "/readyz", "/livez", "/debug/pprof/goroutine?debug=2",
			"/debug/pprof/heap?debug=1",
		} {
			if _, _, body := get(t, handler, path); strings.Contains(body, "secret-") {
				t.Errorf("%s has a token or session data in it", path)
			}
		}
	})
}

// lockedBuffer is a buffer that is written and read at the same time.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

// Everybody who can connect may read the page and the probes: the texts of errors, which name accounts and roles, are
// in the log.
func TestCausesAreInTheLogAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := newTable(t, 3, 3)
		var log lockedBuffer
		collector, err := gcrunner.NewCollector(driver, gcrunner.Rules{Expired: true},
			gcrunner.CollectorOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		runner, err := gcrunner.NewRunner(collector, gcrunner.Schedule{Interval: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		defer start(t, runner)()
		synctest.Wait()
		plain := operations.NewHandler(runner, operations.Options{})
		named := operations.NewHandler(runner, operations.Options{Reason: func(err error) string {
			if !errors.Is(err, errBroken) {
				t.Errorf("asked for the reason of %v", err)
			}
			return "a <reason>"
		}})
		for cause, breaks := range map[string]func(bool){
			"the table cannot be read": driver.unreachable.Store, "no run has succeeded": driver.broken.Store,
		} {
			log.Reset()
			breaks(true)
			time.Sleep(4 * time.Hour)
			synctest.Wait()
			for _, path := range []string{"/", "/readyz", "/livez", "/metrics"} {
				for _, handler := range []http.Handler{plain, named} {
					if _, _, body := get(t, handler, path); strings.Contains(body, "on purpose") {
						t.Errorf("%s: %s has the text of the error:\n%s", cause, path, body)
					}
				}
			}
			if code, _, body := get(t, plain, "/readyz"); code != http.StatusServiceUnavailable ||
				!strings.Contains(body, cause) ||
				!strings.Contains(body, "the log says why") {
				t.Errorf("%s: /readyz is %d %s", cause, code, body)
			}
			if _, _, body := get(t, named, "/readyz"); !strings.Contains(body, "a <reason>") {
				t.Errorf("%s: /readyz with reasons is %s", cause, body)
			}
			if _, _, body := get(t, named, "/"); !strings.Contains(body, "a &lt;reason&gt;") {
				t.Errorf("%s: the page does not have the reason", cause)
			}
			if !strings.Contains(log.String(), "on purpose") {
				t.Errorf("%s: the log does not say why:\n%s", cause, log.String())
			}
			breaks(false)
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			if code, _, body := get(t, plain, "/readyz"); code != http.StatusOK {
				t.Fatalf("%s, which is over: /readyz is %d %s", cause, code, body)
			}
		}
		if !strings.Contains(log.String(), "the table can be read again") && !strings.Contains(log.String(), "collected") {
			t.Errorf("the log does not say that it is over:\n%s", log.String())
		}
	})
}

// The page refreshes itself where that is not turned off.
func TestPageRefreshesItself(t *testing.T) {
	t.Parallel()
	handler := operations.NewHandler(newRunner(t, memory.New(), time.Hour), operations.Options{})
	for path, want := range map[string]string{"/": "10", "/?refresh=on": "10", "/?refresh=off": ""} {
		if _, header, _ := get(t, handler, path); header.Get("Refresh") != want {
			t.Errorf("%s refreshes after %q seconds; want %q", path, header.Get("Refresh"), want)
		}
	}
}
