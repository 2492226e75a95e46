package main_test

import (
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	quickstart "github.com/scsdynamo/scsdynamo/examples/quickstart"
	"github.com/scsdynamo/scsdynamo/tests/browsertest"
)

// What browsers say of themselves.
const (
	firefoxOnWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
	safariOnIPhone   = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) " +
		"Version/18.5 Mobile/15E148 Safari/604.1"
)

// logIn logs a new browser in from the page of devices, which it is then on.
func logIn(t *testing.T, address, name, agent string) *browser {
	t.Helper()
	b := newBrowser(t)
	response, _ := b.do(http.MethodPost, address+"/login", url.Values{"name": {name}, "to": {"/devices"}},
		http.Header{"User-Agent": {agent}, "Sec-Fetch-Site": {"same-origin"}})
	if to := response.Header.Get("Location"); response.StatusCode != http.StatusSeeOther || to != "/devices" {
		t.Fatalf("the login is answered with %s, to %q; want 303 to /devices", response.Status, to)
	}
	return b
}

// devices returns the page.
func (b *browser) devices(address string) string {
	b.t.Helper()
	response, body := b.do(http.MethodGet, address+"/devices", nil, nil)
	if response.StatusCode != http.StatusOK || response.Header.Get("Cache-Control") != "no-store" {
		b.t.Fatalf("GET /devices = %s, Cache-Control %q", response.Status, response.Header.Get("Cache-Control"))
	}
	for _, refused := range []string{"<script", " style=", "//", "ZgotmplZ", b.token(address)} {
		if refused != "" && strings.Contains(body, refused) {
			b.t.Errorf("the page has %q", refused)
		}
	}
	return body
}

// press sends a form of the page.
func (b *browser) press(address, path string, form url.Values) {
	b.t.Helper()
	response, _ := b.do(http.MethodPost, address+path, form, http.Header{"Sec-Fetch-Site": {"same-origin"}})
	if to := response.Header.Get("Location"); response.StatusCode != http.StatusSeeOther || to != "/devices" {
		b.t.Fatalf("POST %s = %s to %q; want 303 to /devices", path, response.Status, to)
	}
}

var deviceID = regexp.MustCompile(`name="device" value="([^"]+)"`)

func TestDevices(t *testing.T) {
	t.Parallel()
	address := serve(t)
	if body := newBrowser(t).devices(address); !strings.Contains(body, `action="/login"`) {
		t.Error("who is not logged in is not asked for a name")
	}
	laptop := logIn(t, address, "<Ada>", firefoxOnWindows)
	if body := laptop.devices(address); !strings.Contains(body, "No other device") ||
		strings.Count(body, "this device") != 1 || !strings.Contains(body, "Firefox on Windows") {
		t.Errorf("the page of the only device is\n%s", body)
	}
	phone, tablet := logIn(t, address, "<Ada>", safariOnIPhone), logIn(t, address, "<Ada>", "")
	eve := logIn(t, address, "Eve", "curl/8")
	body := laptop.devices(address)
	for part, n := range map[string]int{
		"<li>": 3, "Safari on iPhone": 1, "A program of which nothing is known": 1, "this device": 1,
		"Log out the 2 others": 1, "&lt;Ada&gt;": 1, "<Ada>": 0, "curl": 0,
	} {
		if got := strings.Count(body, part); got != n {
			t.Errorf("the page has %q %d times; want %d", part, got, n)
		}
	}
	ids := deviceID.FindAllStringSubmatch(body, -1)
	if len(ids) != 2 {
		t.Fatalf("the page offers to log out %d others; want 2", len(ids))
	}

	eve.press(address, "/devices/end", url.Values{"device": {ids[0][1]}})
	if tablet.session(address).User == "" {
		t.Error("somebody else has logged the device out")
	}
	laptop.press(address, "/devices/end", url.Values{"device": {ids[0][1]}}) // the latest login
	if tablet.session(address).User != "" || phone.session(address).User == "" {
		t.Error("another device was logged out than the one that was chosen")
	}
	laptop.press(address, "/devices/end", url.Values{"device": {ids[0][1]}})
	tablet = logIn(t, address, "<Ada>", "")
	laptop.press(address, "/devices/others", nil)
	if phone.session(address).User != "" || tablet.session(address).User != "" ||
		laptop.session(address).User != "<Ada>" || eve.session(address).User != "Eve" {
		t.Error("others were logged out than the others")
	}
	if body := phone.devices(address); !strings.Contains(body, `action="/login"`) {
		t.Error("a device that was logged out is not asked to log in")
	}
	if body := laptop.visit(address); !strings.Contains(body, `href="/devices"`) {
		t.Error("the first page does not lead to the devices")
	}
	newBrowser(t).press(address, "/devices/others", nil) // of nobody
	laptop.post(address, "/login", url.Values{"name": {"Ada"}, "to": {"https://elsewhere.example"}})
}

func TestDetailsOfBrowsers(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		firefoxOnWindows: "Firefox Windows",
		safariOnIPhone:   "Safari iPhone",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 " +
			"Safari/537.36": "Chrome Linux",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 " +
			"Safari/537.36 Edg/140.0.0.0": "Edge macOS",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile " +
			"Safari/537.36": "Chrome Android",
		"curl/8.5.0": "curl ", "": " ",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("User-Agent", agent)
		if details := quickstart.DetailsOf(r, nil); details["browser"]+" "+details["system"] != want {
			t.Errorf("%q is %v; want %q", agent, details, want)
		}
	}
	if details := quickstart.DetailsOf(nil, nil); details != nil {
		t.Errorf("without a request, the details are %v", details)
	}
}

// In a browser the page can be read, and does what it says.
func TestDevicesInABrowser(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	address := serve(t, "-db", filepath.Join(t.TempDir(), "sessions.db"))
	b.Open(address+"/devices", 1200, "light")
	b.Check("devices-nobody", "Your devices", "Any name will do.")
	b.Follow(`document.querySelector("#name").value = "Ada"; document.querySelector("form").requestSubmit()`)
	b.Check("devices-one", "Where Ada is logged in", "this device", "No other device is logged in with this name.")
	logIn(t, address, "Ada", firefoxOnWindows)
	phone := logIn(t, address, "Ada", safariOnIPhone)
	logIn(t, address, "Ada", strings.Repeat("x", 300))
	b.Follow(`location.reload()`)
	b.Check("devices", "Firefox on Windows", "Safari on iPhone", "Log out the 3 others")
	b.Follow(`[...document.querySelectorAll("li")].find(e => e.innerText.includes("iPhone")).querySelector("button").click()`)
	if page := b.Look(); strings.Contains(page.Text, "iPhone") || phone.session(address).User != "" {
		t.Errorf("the telephone is still logged in:\n%s", page.Text)
	}
	b.Follow(`[...document.querySelectorAll("button")].find(e => e.innerText == "Log out the 2 others").click()`)
	b.Check("devices-left", "No other device is logged in with this name.")
	b.Follow(`location.assign("/")`)
	b.Check("devices-first-page", "Logged in as Ada", "Your devices", "/devices")
}
