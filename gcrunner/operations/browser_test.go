package operations_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/gcrunner/operations"
)

// look is a JavaScript expression: what is wrong with the page as it is laid out, and how its chart and ground look.
const look = `(() => {
  const problems = [], number = /[\d.]+/g;
  const luminance = color => {
    const [r, g, b] = color.match(number).slice(0, 3).map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = e => {
    for (; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (color.match(number)[3] !== "0") return color;
    }
    return "rgb(255, 255, 255)";
  };
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort(); return (y + 0.05) / (x + 0.05); };
  if (document.documentElement.scrollWidth > innerWidth)
    problems.push("it is " + document.documentElement.scrollWidth + " px wide in a window of " + innerWidth);
  for (const e of document.querySelectorAll("body *")) {
    const text = [...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.data.trim());
    if (!text || e.closest("svg, meter") || e.getClientRects().length === 0) continue;
    const ratio = contrast(getComputedStyle(e).color, ground(e));
    if (ratio < 4.5) problems.push("contrast " + ratio.toFixed(1) + " of " + JSON.stringify(e.textContent.trim().slice(0, 40)));
    const words = document.createRange();
    words.selectNodeContents(e);
    const edge = (e.closest("section") || document.body).getBoundingClientRect().right;
    if (!e.closest(".scroll") && words.getBoundingClientRect().right > edge)
      problems.push("beyond its panel: " + JSON.stringify(e.textContent.trim().slice(0, 40)));
  }
  const area = e => { if (!e) return 0; const r = e.getBoundingClientRect(); return r.width * r.height; };
  const tall = [...document.querySelectorAll("svg rect:not(.failed)")].filter(e => e.getBoundingClientRect().height > 6).length;
  const bars = [...document.querySelectorAll("svg rect.expired")].filter(e => area(e) > 0 &&
    contrast(getComputedStyle(e).fill, ground(e.closest("section"))) >= 3);
  for (const cell of document.querySelectorAll("td")) {
    const place = cell.getBoundingClientRect();
    if (place.width === 0 || place.right > innerWidth) problems.push("not seen: " + JSON.stringify(cell.textContent.trim()));
  }
  return JSON.stringify({
    problems, bars: bars.length, tall, chart: area(document.querySelector("svg")), headline: document.querySelector("h1").innerText, text: document.body.innerText,
    meters: [...document.querySelectorAll("meter")].filter(e => area(e) > 0).length,
    dark: luminance(getComputedStyle(document.body).backgroundColor) < 0.2,
  });
})()`

// seen is what look has found.
type seen struct {
	Problems []string
	Bars     int // that can be seen
	Tall     int // and are more than a line, failures left out
	Meters   int
	Chart    float64
	Headline string
	Text     string
	Dark     bool
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
//
// BROWSER_SHOTS names a directory for pictures of it.
func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	b := startBrowser(t)
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
	b.check(well, "well", good)
	b.check(behindAPath(t, well), "path", good)
	ran(idle, 3)
	b.check(empty, "empty", appearance{"", []string{"runs have deleted nothing."}, -1})
	await(t, "it is not ready", func() bool { return failing.Ready(t.Context()) != nil })
	b.check(broken, "broken", appearance{"No run has succeeded for", []string{"not ready", "of them have failed"}, 1})
	await(t, "it knows who is elected", func() bool { return standing.Status().Leader != nil })
	b.check(standby, "standby", appearance{
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
func (b *browser) check(url, name string, want appearance) {
	b.t.Helper()
	for _, width := range []int{360, 390, 1200} {
		for _, scheme := range []string{"light", "dark"} {
			what := fmt.Sprintf("%s-%s-%d", name, scheme, width)
			got := b.look(url, width, scheme)
			for _, problem := range got.Problems {
				b.t.Errorf("%s: %s", what, problem)
			}
			switch {
			case want.bars > 0 && (got.Bars < want.bars || got.Chart < 5000), want.bars < 0 &&
				(got.Tall > 0 || got.Chart < 5000):
				b.t.Errorf("%s: the chart has %d bars that can be seen, %d of them tall, and an area of %v; want %d",
					what, got.Bars, got.Tall, got.Chart, want.bars)
			case want.bars != 0 && got.Meters == 0:
				b.t.Errorf("%s: there is no meter", what)
			}
			if got.Dark != (scheme == "dark") {
				b.t.Errorf("%s: its ground is dark: %v", what, got.Dark)
			}
			if !strings.HasPrefix(got.Headline, want.headline) {
				b.t.Errorf("%s: the headline is %q; want %q", what, got.Headline, want.headline)
			}
			for _, part := range want.says {
				if !strings.Contains(got.Text, part) {
					b.t.Errorf("%s: it does not say %q:\n%s", what, part, got.Text)
				}
			}
			b.picture(what)
		}
	}
}

// look loads the page in a window that is so wide and looks at it.
func (b *browser) look(url string, width int, scheme string) (got seen) {
	b.t.Helper()
	b.must("Emulation.setDeviceMetricsOverride",
		map[string]any{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
	b.must("Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}},
	}, nil)
	b.loaded, b.faults = false, nil
	b.must("Page.navigate", map[string]any{"url": url}, nil)
	for !b.loaded {
		if _, err := b.read(); err != nil {
			b.t.Fatal("the page does not load: ", err)
		}
	}
	var value struct {
		Result           struct{ Value string }
		ExceptionDetails any
	}
	b.must("Runtime.evaluate", map[string]any{"expression": look}, &value)
	if err := json.Unmarshal([]byte(value.Result.Value), &got); err != nil {
		b.t.Fatalf("%v: %v", err, value.ExceptionDetails)
	}
	got.Problems = append(append(got.Problems, b.faults...), b.axe()...)
	return got
}

// axe returns what axe-core finds on the page: what keeps people out who do not see it, or not well, or have no mouse.
func (b *browser) axe() []string {
	b.t.Helper()
	if b.axeCore == "" {
		return nil
	}
	const run = `axe.run(document, {resultTypes: ["violations"]}).then(found => JSON.stringify(found.violations.map(
		v => "axe: " + v.id + " (" + v.impact + "): " + v.help + ": " + v.nodes.map(n => n.html).join(" "))))`
	var value struct {
		Result           struct{ Value string }
		ExceptionDetails any
	}
	b.must("Runtime.evaluate", map[string]any{"expression": b.axeCore + `;""`}, &value)
	b.must("Runtime.evaluate", map[string]any{"expression": run, "awaitPromise": true}, &value)
	var found []string
	if err := json.Unmarshal([]byte(value.Result.Value), &found); err != nil {
		b.t.Fatalf("axe: %v: %v", err, value.ExceptionDetails)
	}
	return found
}

// findAxe returns the program of axe-core, empty where there is none.
func findAxe(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("DYNAMOTEST_ENGINES"), "../../.engines"} {
		if text, err := os.ReadFile(filepath.Join(dir, "axe-core", "axe.min.js")); dir != "" && err == nil {
			return string(text)
		}
	}
	if os.Getenv("REQUIRE_BROWSER") == "1" {
		t.Fatal("REQUIRE_BROWSER is 1, and there is no axe-core; scripts/browser.sh installs it")
	}
	t.Log("the page is not looked at with axe-core: scripts/browser.sh installs it")
	return ""
}
