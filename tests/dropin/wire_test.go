package dropin

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// client is a browser at the level of bytes.
type client struct {
	t    testing.TB
	conn net.Conn
	read *bufio.Reader
	got  bytes.Buffer // all that the server has sent
}

const next = "GET /next HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n"

// dial connects to the application.
func dial(t testing.TB, a *app) *client {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", a.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // where a server hangs, the test fails and does not
	c := &client{t: t, conn: conn}
	c.read = bufio.NewReader(io.TeeReader(conn, &c.got))
	return c
}

// send writes a request as it stands. Whether the server still listens shows in what it answers.
func (c *client) send(request string) { _, _ = io.WriteString(c.conn, request) }

// response reads one response to its end. A response that breaks off is left to be compared.
func (c *client) response(method string) *http.Response {
	for {
		response, err := http.ReadResponse(c.read, &http.Request{Method: method})
		if err != nil {
			return nil
		}
		_, _ = io.Copy(io.Discard, response.Body)
		if response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			return response
		}
	}
}

// line reads one line.
func (c *client) line() string {
	line, _ := c.read.ReadString('\n')
	return line
}

// talk is what a browser does with one request: it reads the response, and then sees whether the connection lives.
func (c *client) talk(request string) {
	method, _, _ := strings.Cut(request, " ")
	c.send(request)
	c.response(method)
	c.send(next)
}

// all closes the connection when the server has, and returns all that came over it.
func (c *client) all() string {
	_, err := io.Copy(io.Discard, c.read)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("the server neither answers nor closes the connection; so far:\n%s", c.got.String())
	}
	_ = c.conn.Close()
	return c.got.String()
}

// withCookie puts the visitor's cookie into the request, behind its Host.
func withCookie(request, cookie string) string {
	if cookie == "" {
		return request
	}
	return strings.Replace(request, "Host: app\r\n", "Host: app\r\nCookie: "+cookie+"\r\n", 1)
}

var (
	dates    = regexp.MustCompile(`\r\nDate: [^\r]*`)
	tokens   = regexp.MustCompile(`([a-z]*session)=([A-Za-z0-9_-]{43})`)
	expiries = regexp.MustCompile(`Expires=[^;\r]*; Max-Age=([0-9]+)`)
	callers  = regexp.MustCompile(`(superfluous response.WriteHeader call|response.Write on hijacked connection|` +
		`response.WriteHeader on hijacked connection) from .*`)
	boundaries = regexp.MustCompile(`[0-9a-f]{60}`)
	ports      = regexp.MustCompile(`127(\.[0-9]+){3}:[0-9]+`)
)

// mask makes what two worlds send comparable: the date, the names of tokens, and lifetimes to ten minutes.
func (a *app) mask(text string) string {
	text = dates.ReplaceAllString(text, "\r\nDate: MASKED")
	if strings.Contains(text, "session=") { // looking for that in a large body takes the expression long
		text = tokens.ReplaceAllStringFunc(text, func(cookie string) string {
			name, token, _ := strings.Cut(cookie, "=")
			return name + "=" + a.name(token)
		})
	}
	text = expiries.ReplaceAllStringFunc(text, func(s string) string {
		seconds, _ := strconv.Atoi(expiries.FindStringSubmatch(s)[1])
		if seconds == 0 {
			return "Expired"
		}
		return "Max-Age=" + (time.Duration(seconds) * time.Second).Round(10*time.Minute).String()
	})
	if strings.Contains(text, "boundary=") {
		text = boundaries.ReplaceAllString(text, "BOUNDARY")
	}
	return ports.ReplaceAllString(text, "SERVER")
}

// maskLog makes what two servers log comparable: without the places in code, and without stacks.
func maskLog(text string) string {
	var kept []string
	for line := range strings.Lines(callers.ReplaceAllString(ports.ReplaceAllString(text, "CLIENT"), "$1")) {
		if strings.HasPrefix(line, "http") && !strings.Contains(line, "TLS handshake") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
