package dropin

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestHTTP2 runs the behaviours once more over HTTP/2, where a connection is no longer what a handler can see or take
// over.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	for _, b := range behaviours {
		if b.talk != nil { // it speaks HTTP/1.1
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			uses := slices.DeleteFunc(b.uses(noIdle), func(u use) bool { return u != changed && u != refused })
			for _, use := range uses {
				c := cell{behaviour: b, use: use, idle: noIdle, world: merge, http2: true}
				if _, known := c.differs(); known {
					continue // as over HTTP/1.1
				}
				scs, refusal, silent := c, c, c
				scs.world, refusal.world, silent.world = plain, plain, plain
				if c.behaviour.fails {
					silent.use = refused
				}
				silent.silent = true
				for _, problem := range c.judge(run(t, scs), run(t, refusal), run(t, silent), run(t, c)) {
					t.Errorf("%s: %s", use, problem)
				}
			}
		})
	}
}

// exchange2 sends a request over HTTP/2, and returns the response as HTTP/1.1 would write it, to be compared in the
// same way.
func (a *app) exchange2(t *testing.T, text string) string {
	t.Helper()
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	content, _ := io.ReadAll(request.Body)
	request.Body = io.NopCloser(bytes.NewReader(content))
	request.RequestURI = ""
	request.URL.Scheme, request.URL.Host = "https", a.server.Listener.Addr().String()
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	transport := &http.Transport{
		Protocols: protocols,
		// The server is our own.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		body = append(body, "and then it broke off"...)
	}
	var wire bytes.Buffer
	response.Header.Set("Content-Length", fmt.Sprint(len(body)))
	fmt.Fprintf(&wire, "HTTP/1.1 %s\r\n", response.Status)
	_ = response.Header.Write(&wire)
	fmt.Fprintf(&wire, "\r\n%s", body)
	if len(response.Trailer) > 0 && !a.refuses() { // the error page has none of the handler's
		fmt.Fprint(&wire, response.Trailer)
	}
	return wire.String()
}
