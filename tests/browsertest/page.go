package browsertest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// look is a JavaScript expression: what is wrong with the page as it is laid out, and what it says.
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
    if (!text || e.closest("svg, meter, .spoken, .slots") || e.getClientRects().length === 0) continue;
    const ratio = contrast(getComputedStyle(e).color, ground(e));
    if (ratio < 4.5) problems.push("contrast " + ratio.toFixed(1) + " of " + JSON.stringify(e.textContent.trim().slice(0, 40)));
    const words = document.createRange();
    words.selectNodeContents(e);
    const edge = (e.closest("section") || document.body).getBoundingClientRect().right;
    if (!e.closest(".scroll") && words.getBoundingClientRect().right > edge)
      problems.push("beyond its panel: " + JSON.stringify(e.textContent.trim().slice(0, 40)));
  }
  for (const cell of document.querySelectorAll("td")) {
    const place = cell.getBoundingClientRect();
    if (place.width === 0 || place.right > innerWidth) problems.push("not seen: " + JSON.stringify(cell.textContent.trim()));
  }
  for (const e of document.querySelectorAll("button, input:not([type=hidden]), select, summary")) {
    const place = e.getBoundingClientRect();
    if (place.height > 0 && place.height < 24) problems.push("too small to hit: " + JSON.stringify(e.textContent.trim()));
  }
  return JSON.stringify({
    problems, headline: document.querySelector("h1")?.innerText ?? "", text: document.body.innerText, title: document.title,
    dark: luminance(getComputedStyle(document.body).backgroundColor) < 0.2,
  });
})()`

// Page is a page as it was seen.
type Page struct {
	Problems []string // what is wrong with it
	Title    string
	Headline string
	Text     string
	Dark     bool // its ground is
}

// Open loads a page in a window that is so wide, in the colours of a scheme, light or dark.
func (b *Browser) Open(url string, width int, scheme string) {
	b.t.Helper()
	b.Resize(width, scheme)
	b.loaded, b.faults = false, nil
	b.must("Page.navigate", map[string]any{"url": url}, nil)
	b.load()
}

// Resize changes the window and the colours of the page that is open.
func (b *Browser) Resize(width int, scheme string) {
	b.t.Helper()
	b.must("Emulation.setDeviceMetricsOverride",
		map[string]any{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
	b.must("Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}},
	}, nil)
}

// Follow does what leads to another page, such as a click, and waits for that.
func (b *Browser) Follow(script string) {
	b.t.Helper()
	b.loaded, b.faults = false, nil
	b.Eval("(() => { "+script+`; return "" })()`, nil)
	b.load()
}

// Press presses a key, such as Tab or Enter.
func (b *Browser) Press(key string) {
	b.t.Helper()
	code, text := map[string]int{"Tab": 9, "Enter": 13, " ": 32}[key], map[string]string{"Enter": "\r", " ": " "}[key]
	for _, kind := range []string{"keyDown", "keyUp"} {
		params := map[string]any{"type": kind, "key": key, "windowsVirtualKeyCode": code}
		if text != "" && kind == "keyDown" {
			params["text"] = text
		}
		b.must("Input.dispatchKeyEvent", params, nil)
	}
}

// PressToFollow is Press for a key that leads to another page.
func (b *Browser) PressToFollow(key string) {
	b.t.Helper()
	b.loaded, b.faults = false, nil
	b.Press(key)
	b.load()
}

func (b *Browser) load() {
	b.t.Helper()
	for !b.loaded {
		if _, err := b.read(); err != nil {
			b.t.Fatal("the page does not load: ", err)
		}
	}
}

// Look looks at the page that is open.
func (b *Browser) Look() (page Page) {
	b.t.Helper()
	b.Eval(look, &page)
	page.Problems = append(append(page.Problems, b.faults...), b.axe()...)
	return page
}

// Eval evaluates a JavaScript expression that is a text, and decodes that from JSON, unless the result is nil.
func (b *Browser) Eval(expression string, result any) {
	b.t.Helper()
	var value struct {
		Result           struct{ Value string }
		ExceptionDetails any
	}
	b.must("Runtime.evaluate", map[string]any{"expression": expression}, &value)
	if value.ExceptionDetails != nil {
		b.t.Fatalf("the browser: %v", value.ExceptionDetails)
	}
	if result == nil {
		return
	}
	if err := json.Unmarshal([]byte(value.Result.Value), result); err != nil {
		b.t.Fatalf("the browser: %v", err)
	}
}

// Check looks at the page that is open in all ways: wide and narrow, light and dark. It must say these words.
func (b *Browser) Check(name string, says ...string) {
	b.t.Helper()
	for _, width := range []int{360, 390, 1200} {
		for _, scheme := range []string{"light", "dark"} {
			b.Resize(width, scheme)
			what, page := fmt.Sprintf("%s-%s-%d", name, scheme, width), b.Look()
			for _, problem := range page.Problems {
				b.t.Errorf("%s: %s", what, problem)
			}
			if page.Dark != (scheme == "dark") {
				b.t.Errorf("%s: its ground is dark: %v", what, page.Dark)
			}
			for _, part := range says {
				if !strings.Contains(page.Text, part) {
					b.t.Errorf("%s: it does not say %q:\n%s", what, part, page.Text)
				}
			}
			b.Picture(what)
		}
	}
}

// axe returns what axe-core finds on the page: what keeps people out who do not see it, or not well, or have no mouse.
func (b *Browser) axe() []string {
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
	dirs := []string{os.Getenv("DYNAMOTEST_ENGINES")}
	for dir, err := os.Getwd(); err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		dirs = append(dirs, filepath.Join(dir, ".engines"))
	}
	for _, dir := range dirs {
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
