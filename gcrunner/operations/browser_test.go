package operations_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/gcrunner/operations"
	"github.com/scsdynamo/scsdynamo/tests/browsertest"
)

// look is a JavaScript expression: how the chart of the page looks, and its meters.
const look = `(() => {
  const number = /[\d.]+/g;
  const luminance = color => {
    const [r, g, b] = color.match(number).slice(0, 3).map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort(); return (y + 0.05) / (x + 0.05); };
  const area = e => { if (!e) return 0; const r = e.getBoundingClientRect(); return r.width * r.height; };
  const tall = [...document.querySelectorAll("svg rect:not(.failed)")].filter(e => e.getBoundingClientRect().height > 6).length;
  const bars = [...document.querySelectorAll("svg rect.expired")].filter(e => area(e) > 0 &&
    contrast(getComputedStyle(e).fill, getComputedStyle(e.closest("section")).backgroundColor) >= 3);
  return JSON.stringify({
    bars: bars.length, tall, chart: area(document.querySelector("svg")),
    meters: [...document.querySelectorAll("meter")].filter(e => area(e) > 0).length,
  });
})()`

// chart is what look has found.
type chart struct {
	Bars   int // that can be seen
	Tall   int // and are more than a line, failures left out
	Meters int
	Chart  float64
}

// appearance is how a page must look.
type appearance struct {
	headline string   // how it begins
	says     []string // among others
	bars     int      // at least so many that can be seen; -1 for none that is more than a line
}

// Real browsers lay the page out without overflow, with a chart that tells the truth, with contrast, with nothing that
// axe finds, and without anything that the page's policy forbids: wide and narrow, light and dark, behind a path of a
// proxy; when all is well, when nothing is, when there was nothing to do, and where another process is elected.
func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	serve := func(runner *gcrunner.Runner) string {
		t.Cleanup(start(t, runner))
		server := httptest.NewServer(operations.NewHandler(runner, operations.Options{
			Place: "DynamoDB table sessions-of-a-rather-large-shop", Version: "v1.2.3",
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	ran := func(runner *gcrunner.Runner, runs int) {
		await(t, "runs have ended", func() bool { return len(runner.Status().Last) >= runs })
	}
	budget := gcrunner.CollectorOptions{Budget: gcrunner.Budget{ReadUnits: 1000}}

	breaking := newTable(t, 20, 10)
	failing := newRunner(t, breaking, time.Second, budget)
	broken := serve(failing)
	ran(failing, 1)
	breaking.broken.Store(true) // it takes three intervals until it is not ready

	idle := newRunner(t, newTable(t, 20, 0), time.Second, budget)
	empty := serve(idle)
	fine := newRunner(t, newTable(t, 20, 10), time.Hour, budget)
	well := serve(fine)
	shared := newTable(t, 20, 10)
	elected := newElectedRunner(t, shared, gcrunner.Rules{Expired: true})
	serve(elected)
	ran(elected, 1)
	standing := newElectedRunner(t, shared, gcrunner.Rules{Expired: true, MaxAge: time.Hour})
	standby := serve(standing)

	ran(fine, 1)
	good := appearance{"Next run in", []string{"The last run has deleted 10 sessions.", "Backlog\n10 min", "no bound"}, 1}
	check(t, b, well, "well", good)
	check(t, b, behindAPath(t, well), "path", good)
	ran(idle, 3)
	check(t, b, empty, "empty", appearance{"", []string{"runs have deleted nothing."}, -1})
	await(t, "it is not ready", func() bool { return failing.Ready(t.Context()) != nil })
	check(t, b, broken, "broken", appearance{"No run has succeeded for", []string{"not ready", "of them have failed"}, 1})
	await(t, "it knows who is elected", func() bool { return standing.Status().Leader != nil })
	check(t, b, standby, "standby", appearance{
		"Standing by",
		[]string{"Elected is ", ", process ", "The rules are not the same"},
		0,
	})
}

// behindAPath returns the address of the page behind a proxy that serves it under a path of its own.
func behindAPath(t *testing.T, page string) string {
	t.Helper()
	target, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ops/gcrunner/", http.StripPrefix("/ops/gcrunner", httputil.NewSingleHostReverseProxy(target)))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/ops/gcrunner/"
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for over := time.After(30 * time.Second); !is(); {
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("it does not come to pass that %s", what)
		}
	}
}

// check looks at the page in all ways.
func check(t *testing.T, b *browsertest.Browser, url, name string, want appearance) {
	t.Helper()
	for _, width := range []int{360, 390, 1200} {
		for _, scheme := range []string{"light", "dark"} {
			what := fmt.Sprintf("%s-%s-%d", name, scheme, width)
			b.Open(url, width, scheme)
			page, got := b.Look(), chart{}
			b.Eval(look, &got)
			for _, problem := range page.Problems {
				t.Errorf("%s: %s", what, problem)
			}
			switch {
			case want.bars > 0 && (got.Bars < want.bars || got.Chart < 5000), want.bars < 0 &&
				(got.Tall > 0 || got.Chart < 5000):
				t.Errorf("%s: the chart has %d bars that can be seen, %d of them tall, and an area of %v; want %d",
					what, got.Bars, got.Tall, got.Chart, want.bars)
			case want.bars != 0 && got.Meters == 0:
				t.Errorf("%s: there is no meter", what)
			}
			if page.Dark != (scheme == "dark") {
				t.Errorf("%s: its ground is dark: %v", what, page.Dark)
			}
			if !strings.HasPrefix(page.Headline, want.headline) {
				t.Errorf("%s: the headline is %q; want %q", what, page.Headline, want.headline)
			}
			for _, part := range want.says {
				if !strings.Contains(page.Text, part) {
					t.Errorf("%s: it does not say %q:\n%s", what, part, page.Text)
				}
			}
			b.Picture(what)
		}
	}
}
