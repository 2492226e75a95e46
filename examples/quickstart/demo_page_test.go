package main_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/boltstore"
	quickstart "github.com/scsdynamo/scsdynamo/examples/quickstart"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// serveDemo serves the page with a demonstration whose handlers do the work given.
func serveDemo(
	t *testing.T, driver storage.Driver, work func(context.Context, string) error,
) (address string, stop func()) {
	t.Helper()
	handler, err := quickstart.NewHandler(driver, work)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL, server.Close
}

func (b *browser) demonstrate(address string) (*http.Response, string) {
	b.t.Helper()
	return b.do(http.MethodPost, address+"/demo", url.Values{}, http.Header{"Sec-Fetch-Site": {"same-origin"}})
}

func TestDemoPage(t *testing.T) {
	t.Parallel()
	var m meeting
	address, _ := serveDemo(t, memory.New(), m.work)
	b := newBrowser(t)
	before := b.visit(address)
	if !strings.Contains(before, `<form method="post" action="/demo">`) || strings.Contains(before, "updates kept") {
		t.Error("the page has no button for the demonstration, or has results before it was run")
	}
	token := b.token(address)

	response, body := b.demonstrate(address)
	if response.StatusCode != http.StatusOK || response.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("POST /demo = %s, Cache-Control %q; want 200 and no-store", response.Status,
			response.Header.Get("Cache-Control"))
	}
	for want, times := range map[string]int{
		"<!doctype html>":                              1,
		"</html>":                                      1,
		"Sending 8 requests under each strategy":       1,
		"<strong>1</strong> of 8 updates kept":         2,
		"<strong>8</strong> of 8 updates kept":         2,
		`<li class="lost `:                             7,
		`<li class="refused `:                          7,
		`<li class="kept `:                             1 + 1 + 8 + 8,
		`class="work lost"`:                            7 + 1, // one is in the legend
		`class="work refused"`:                         7 + 1,
		"7 of 8 updates are lost, and nobody is told.": 1,
		" calls to storage<span":                       4,
		": lost</span>":                                7,
		`role="img" aria-label="Timeline: the last of 8 requests ended after `: 4,
		"never did two work at the same time":                                  1,
		"<script":                                                              0,
		" style=":                                                              0,
		"//":                                                                   0,
		// what html/template puts in place of what it does not trust
		"ZgotmplZ": 0,
	} {
		if got := strings.Count(body, want); got != times {
			t.Errorf("the page has %q %d times; want %d", want, got, times)
		}
	}
	if strings.Contains(body, token) || response.Header.Get("Set-Cookie") != "" || b.token(address) != token {
		t.Error("the demonstration has to do with the visitor's own session")
	}
	b.expect(address, 1, "")

	for _, match := range regexp.MustCompile(`<link rel="stylesheet" href="([^"]+)">`).FindAllStringSubmatch(body, -1) {
		response, _ := b.do(http.MethodGet, address+match[1], nil, nil)
		if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK ||
			!strings.HasPrefix(got, "text/css") {
			t.Errorf("GET %s = %s, %s; want 200 and CSS", match[1], response.Status, got)
		}
	}
	response, _ = b.do(http.MethodGet, address+"/demo", nil, nil)
	if got := response.Header.Get("Location"); response.StatusCode != http.StatusSeeOther || got != "/" {
		t.Errorf("GET /demo = %s to %q; want 303 to /", response.Status, got)
	}
}

func TestDemoIsBusy(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	working := make(chan struct{}, 1000)
	goOn := make(chan struct{})
	address, _ := serveDemo(t, driver, func(ctx context.Context, strategy string) error {
		if strategy == "None" {
			working <- struct{}{}
			select {
			case <-goOn:
			case <-ctx.Done():
			}
		}
		return nil
	})
	ended := make(chan string, 2)
	for range 2 {
		b := newBrowser(t)
		go func() {
			_, body, err := b.try(http.MethodPost, address+"/demo", nil, nil)
			if err != nil {
				body = err.Error()
			}
			ended <- body
		}()
	}
	for range 2 * all {
		<-working
	}
	response, body := newBrowser(t).demonstrate(address)
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("a third run at the same time: %s; want 503 with Retry-After", response.Status)
	}
	if !strings.Contains(body, `role="alert"`) || !strings.Contains(body, "</html>") || strings.Contains(body, "Sending") {
		t.Error("who is turned away gets no page that says so")
	}
	close(goOn)
	for range 2 {
		if body := <-ended; !strings.Contains(body, "updates kept") {
			t.Error("a run that was admitted has no result")
		}
	}
	expectEmpty(t, driver)
	if response, _ := newBrowser(t).demonstrate(address); response.StatusCode != http.StatusOK {
		t.Errorf("a run after the others have ended: %s; want 200", response.Status)
	}
}

func TestDemoEndsWhenTheVisitorGoes(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	ctx, leave := context.WithCancel(t.Context())
	address, stop := serveDemo(t, driver, func(ctx context.Context, _ string) error {
		leave()
		<-ctx.Done()
		return ctx.Err()
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/demo", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := newBrowser(t).http.Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
	stop() // It waits for the handler.
	expectEmpty(t, driver)
}

func TestDemoOnStorageThatFails(t *testing.T) {
	t.Parallel()
	driver, err := boltstore.OpenDriver(filepath.Join(t.TempDir(), "q.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := driver.Close(); err != nil {
		t.Fatal(err)
	}
	address, _ := serveDemo(t, driver, nil)
	_, body := newBrowser(t).demonstrate(address)
	if !strings.Contains(body, "could not be run") || !strings.Contains(body, "</html>") ||
		strings.Contains(body, "updates kept") {
		t.Error("the page does not say that the demonstration has failed")
	}
}
