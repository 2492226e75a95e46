// Package browsertest looks at pages in a Chromium: whether they are laid out within their window, can be read, and say
// what they say to people who do not see them. Without one, tests are skipped, or fail where REQUIRE_BROWSER is 1.
//
// BROWSER_SHOTS names a directory for pictures of the pages.
package browsertest

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Browser is a tab of a Chromium, spoken to in the DevTools protocol over two pipes.
type Browser struct {
	t       *testing.T
	ctx     context.Context
	to      io.Writer
	from    *bufio.Reader
	session string
	last    int
	loaded  bool
	faults  []string // what the browser has complained about
	axeCore string   // the program that is run on each page, empty for none
}

// Start starts Chromium. It ends with the test.
func Start(t *testing.T) *Browser {
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 3*time.Minute)
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
		"--hide-scrollbars",
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
	b := &Browser{t: t, ctx: ctx, to: to, from: bufio.NewReader(from), axeCore: findAxe(t)}
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

// Picture keeps the page as it is now, if somebody wants to see it.
func (b *Browser) Picture(name string) {
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
func (b *Browser) must(method string, params, result any) {
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

func (b *Browser) call(method string, params any) (json.RawMessage, error) {
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

// read receives a message, and notes what the browser complains about: what a policy has blocked, what could not be
// loaded, and whatever scripts there should not be have to say.
func (b *Browser) read() (m message, err error) {
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
