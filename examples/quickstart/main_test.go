package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	quickstart "github.com/scsdynamo/scsdynamo/examples/quickstart"
)

func TestMain(m *testing.M) {
	// scs.New makes a memory store, which cleans up for ever, before anybody can set another one.
	memory := goleak.IgnoreAnyFunction("github.com/alexedwards/scs/v2/memstore.(*MemStore).startCleanup")
	code := dynamotest.Main(m, memory)
	if err := os.RemoveAll(binaryDirectory); err != nil {
		fmt.Fprintf(os.Stderr, "the test program stays in %s: %v\n", binaryDirectory, err)
	}
	os.Exit(code)
}

// serve runs the program in this process until the test ends, on a file of its own unless the arguments say otherwise,
// and returns its address.
func serve(t *testing.T, args ...string) (address string) {
	t.Helper()
	address, _ = start(t, args...)
	return address
}

// start is serve for programs that are to end before the test does.
func start(t *testing.T, args ...string) (address string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	out := newOutput()
	var stderr bytes.Buffer
	code := make(chan int, 1)
	args = append([]string{"-addr", "127.0.0.1:0", "-db", filepath.Join(t.TempDir(), "q.db")}, args...)
	go func() {
		code <- quickstart.Run(ctx, args, out, &stderr)
		_ = out.Close() // It cannot fail.
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if got := <-code; got != 0 || stderr.Len() > 0 {
			t.Errorf("the program ended with code %d and %q; want 0 and nothing", got, stderr.String())
		}
	})
	t.Cleanup(stop)
	address, ok := out.address()
	if !ok {
		t.Fatal("the program ended before it served")
	}
	return address, stop
}

// output is what a program writes. It tells when the address that the program serves is known.
type output struct {
	*io.PipeWriter
	text  bytes.Buffer
	first chan string   // the address, then closed
	done  chan struct{} // closed when the program has written all
}

var serving = regexp.MustCompile(`^quickstart: serving (http://\S+); sessions are kept in \S.*\n`)

func newOutput() *output {
	reader, writer := io.Pipe()
	o := &output{PipeWriter: writer, first: make(chan string, 1), done: make(chan struct{})}
	go func() {
		defer close(o.done)
		told := false
		buffer := make([]byte, 1024)
		for {
			n, err := reader.Read(buffer)
			o.text.Write(buffer[:n])
			if match := serving.FindSubmatch(o.text.Bytes()); match != nil && !told {
				told = true
				o.first <- string(match[1])
			}
			if err != nil {
				close(o.first)
				return
			}
		}
	}()
	return o
}

// address waits for the address. It reports false if the program ended without one.
func (o *output) address() (string, bool) {
	address, ok := <-o.first
	return address, ok
}

// all waits until the program has ended and returns what it wrote.
func (o *output) all() string {
	<-o.done
	return o.text.String()
}

// browser is a client that keeps cookies.
type browser struct {
	t    *testing.T
	http *http.Client
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, http: &http.Client{
		Jar: jar, Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (b *browser) do(method, address string, form url.Values, header http.Header) (*http.Response, string) {
	b.t.Helper()
	response, body, err := b.try(method, address, form, header)
	if err != nil {
		b.t.Fatal(err)
	}
	return response, body
}

// try is do for any goroutine.
func (b *browser) try(method, address string, form url.Values, header http.Header) (*http.Response, string, error) {
	request, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	maps.Copy(request.Header, header)
	response, err := b.http.Do(request)
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(response.Body)
	return response, string(body), errors.Join(err, response.Body.Close())
}

// visit loads the page.
func (b *browser) visit(address string) string {
	b.t.Helper()
	response, body := b.do(http.MethodGet, address+"/", nil, nil)
	if response.StatusCode != http.StatusOK {
		b.t.Fatalf("GET / = %s; want 200", response.Status)
	}
	return body
}

// post sends a form as the page's own buttons do, and expects to be sent back to the page.
func (b *browser) post(address, path string, form url.Values) {
	b.t.Helper()
	response, _ := b.do(http.MethodPost, address+path, form, http.Header{"Sec-Fetch-Site": {"same-origin"}})
	if location := response.Header.Get("Location"); response.StatusCode != http.StatusSeeOther || location != "/" {
		b.t.Fatalf("POST %s = %s to %q; want 303 to /", path, response.Status, location)
	}
}

func (b *browser) token(address string) string {
	b.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, cookie := range b.http.Jar.Cookies(u) {
		if cookie.Name == "session" {
			return cookie.Value
		}
	}
	return ""
}

// session is the answer of /api/session.
type session struct {
	Visits  int
	User    string
	Expires *time.Time
	Storage string
}

func (b *browser) session(address string) session {
	b.t.Helper()
	response, body := b.do(http.MethodGet, address+"/api/session", nil, nil)
	if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || got != "application/json" {
		b.t.Fatalf("GET /api/session = %s, %s; want 200 and JSON", response.Status, got)
	}
	var s session
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		b.t.Fatalf("the answer of /api/session cannot be read: %v", err)
	}
	return s
}

// expect compares what the store keeps for this browser.
func (b *browser) expect(address string, visits int, user string) {
	b.t.Helper()
	if got := b.session(address); got.Visits != visits || got.User != user {
		b.t.Errorf("the store keeps %d visits of %q; want %d of %q", got.Visits, got.User, visits, user)
	}
}
