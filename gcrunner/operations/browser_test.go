package operations_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
  const area = e => { const r = e.getBoundingClientRect(); return r.width * r.height; };
  const bars = [...document.querySelectorAll("svg rect.expired")].filter(e => area(e) > 0 &&
    contrast(getComputedStyle(e).fill, ground(e.closest("section"))) >= 3);
  const deleted = [...document.querySelectorAll("thead th")].find(e => e.textContent === "Deleted").getBoundingClientRect();
  if (deleted.right > innerWidth) problems.push("who does not scroll the table does not see how many were deleted");
  return JSON.stringify({
    problems, bars: bars.length, chart: area(document.querySelector("svg")), text: document.body.innerText,
    meters: [...document.querySelectorAll("meter")].filter(e => area(e) > 0).length,
    dark: luminance(getComputedStyle(document.body).backgroundColor) < 0.2,
  });
})()`

// seen is what look has found.
type seen struct {
	Problems     []string
	Bars, Meters int
	Chart        float64
	Text         string
	Dark         bool
}

// Real browsers lay the page out without overflow, with a chart that can be seen, with contrast, and without anything that
// the page's policy forbids: wide and narrow, light and dark, when all is well and when nothing is.
//
// BROWSER_SHOTS names a directory for pictures of it.
func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	b := startBrowser(t)
	serve := func(interval time.Duration) (*table, *gcrunner.Runner, string) {
		table := newTable(t, 20, 10)
		runner := newRunner(t, table, interval, gcrunner.WithBudget(gcrunner.Budget{ReadUnits: 1000, WriteUnits: gcrunner.Unlimited}))
		t.Cleanup(start(t, runner))
		server := httptest.NewServer(operations.NewHandler(runner,
			operations.WithPlace("DynamoDB table sessions-of-a-rather-large-shop"), operations.WithVersion("v1.2.3")))
		t.Cleanup(server.Close)
		await(t, "a run has ended", func() bool { return len(runner.Status().Last) > 0 })
		return table, runner, server.URL
	}
	table, runner, broken := serve(time.Second)
	table.broken.Store(true) // it takes three intervals until it is not ready
	_, _, well := serve(time.Hour)
	b.check(well, "well", "The last run has deleted 10 sessions.", "Backlog\n10 min", "no bound")
	await(t, "it is not ready", func() bool { return runner.Ready(t.Context()) != nil })
	b.check(broken, "broken", "not ready", "broken on purpose", "of them have failed")
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

// check looks at the page in all ways, in which it must say what is given.
func (b *browser) check(url, name string, says ...string) {
	b.t.Helper()
	for _, width := range []int{360, 1200} {
		for _, scheme := range []string{"light", "dark"} {
			what := fmt.Sprintf("%s-%s-%d", name, scheme, width)
			got := b.look(url, width, scheme)
			for _, problem := range got.Problems {
				b.t.Errorf("%s: %s", what, problem)
			}
			if got.Bars == 0 || got.Chart < 5000 || got.Meters == 0 {
				b.t.Errorf("%s: the chart has %d bars that can be seen and an area of %v; there are %d meters", what, got.Bars, got.Chart, got.Meters)
			}
			if got.Dark != (scheme == "dark") {
				b.t.Errorf("%s: its ground is dark: %v", what, got.Dark)
			}
			for _, part := range says {
				if !strings.Contains(got.Text, part) {
					b.t.Errorf("%s: it does not say %q:\n%s", what, part, got.Text)
				}
			}
			b.picture(what)
		}
	}
}

// browser is a tab of a Chromium, spoken to in the DevTools protocol over two pipes.
type browser struct {
	t       *testing.T
	ctx     context.Context
	to      io.Writer
	from    *bufio.Reader
	session string
	last    int
	loaded  bool
	faults  []string // what the browser has complained about
}

// startBrowser starts Chromium. Without one, the test is skipped, or fails where REQUIRE_BROWSER is 1.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	switch {
	case path != "" && runtime.GOOS != "windows": // which has no such pipes
	case os.Getenv("REQUIRE_BROWSER") == "1":
		t.Fatal("REQUIRE_BROWSER is 1, and there is no Chromium; scripts/browser.sh installs Debian's")
	default:
		t.Skip("no browser to look at the page with: install Chromium, on Debian by scripts/browser.sh")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server", "--hide-scrollbars",
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	in, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cmd.ExtraFiles, cmd.Stderr = []*os.File{in, out}, &log // 3 and 4, as Chromium expects
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = in.Close(), out.Close()
	b := &browser{t: t, ctx: ctx, to: to, from: bufio.NewReader(from)}
	t.Cleanup(func() {
		defer cancel()
		// Chromium ends all its processes, and lets go of its directory, before the test removes that.
		_, _ = b.call("Browser.close", nil)
		_ = to.Close()
		_ = cmd.Wait()
		_ = from.Close()
		if t.Failed() {
			t.Logf("the browser has logged:\n%s", log.String())
		}
	})
	var target struct{ TargetID, SessionID string }
	b.must("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.must("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.session = target.SessionID
	for _, domain := range []string{"Page.enable", "Log.enable", "Runtime.enable"} {
		b.must(domain, nil, nil)
	}
	return b
}

// look loads the page in a window that is so wide and looks at it.
func (b *browser) look(url string, width int, scheme string) (got seen) {
	b.t.Helper()
	b.must("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
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
	got.Problems = append(got.Problems, b.faults...)
	return got
}

// picture keeps the page as it is now, if somebody wants to see it.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("BROWSER_SHOTS")
	if dir == "" {
		return
	}
	var shot struct{ Data string }
	b.must("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600)
	}
	if err != nil {
		b.t.Error(err)
	}
}

// must calls a method, whose result it decodes.
func (b *browser) must(method string, params, result any) {
	b.t.Helper()
	text, err := b.call(method, params)
	if err == nil && result != nil {
		err = json.Unmarshal(text, result)
	}
	if err != nil {
		b.t.Fatalf("the browser: %s: %v", method, err)
	}
}

// message is what is sent and received: a call, its answer, or an event.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

func (b *browser) call(method string, params any) (json.RawMessage, error) {
	b.last++
	text, err := json.Marshal(message{ID: b.last, Session: b.session, Method: method, Params: params})
	if err != nil {
		return nil, err
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		return nil, err
	}
	for {
		answer, err := b.read()
		switch {
		case err != nil:
			return nil, err
		case answer.ID == b.last && answer.Error != nil:
			return nil, errors.New(string(answer.Error))
		case answer.ID == b.last:
			return answer.Result, nil
		}
	}
}

// read receives a message, and notes what the browser complains about: what a policy has blocked, what could not be loaded,
// and whatever scripts there should not be have to say.
func (b *browser) read() (m message, err error) {
	text, err := b.from.ReadBytes(0)
	if err != nil {
		return m, cmp.Or(b.ctx.Err(), err)
	}
	if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
		return m, err
	}
	switch m.Method {
	case "Page.loadEventFired":
		b.loaded = true
	case "Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown":
		b.faults = append(b.faults, fmt.Sprintf("the browser complains: %v", m.Params))
	}
	return m, nil
}
