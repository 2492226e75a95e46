package webapp

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// cookieName is that of the session's cookie.
const cookieName = "session"

// Browser is a user: a cookie jar, and any number of requests at a time.
type Browser struct {
	jar       http.CookieJar
	transport http.RoundTripper
}

// NewBrowser returns a browser without cookies. Browsers may share a transport.
func NewBrowser(transport http.RoundTripper) *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // only options make it fail
	}
	return &Browser{jar, transport}
}

// Response is what a browser got.
type Response struct {
	// Sent is the token of the session that the browser had, empty for none.
	Sent string
	// Got is the token that the response has set, empty for none; Dropped says that the response took the cookie away.
	Got     string
	Dropped bool
	// Status is that of the response. RetryAfter is its header.
	Status     int
	RetryAfter string
	// Body is what a person sees, and Reply what it says, where the request succeeded.
	Body  string
	Reply Reply
}

// OK says that the request succeeded.
func (r Response) OK() bool { return r.Status == http.StatusOK }

// Live says that the request was told of a session.
func (r Response) Live() bool { return r.OK() && r.Reply.Lineage != "" }

// base is where the jar keeps the cookies: it does not tell ports apart.
var base = &url.URL{Scheme: "http", Host: "127.0.0.1", Path: "/"}

// Token returns the token that the browser has, empty for none.
func (b *Browser) Token() string {
	for _, cookie := range b.jar.Cookies(base) {
		if cookie.Name == cookieName {
			return cookie.Value
		}
	}
	return ""
}

// Get sends a GET request to an application.
func (b *Browser) Get(ctx context.Context, server, target string) (Response, error) {
	return b.Do(ctx, http.MethodGet, server, target)
}

// Post sends a POST request to an application.
func (b *Browser) Post(ctx context.Context, server, target string) (Response, error) {
	return b.Do(ctx, http.MethodPost, server, target)
}

// Do sends a request with the cookie of the jar, and keeps the cookie of the response.
func (b *Browser) Do(ctx context.Context, method, server, target string) (Response, error) {
	response, cookies, err := Send(ctx, b.transport, method, server+target, b.Token())
	b.jar.SetCookies(base, cookies)
	return response, err
}

// Send sends one request with a token, empty for none, and keeps nothing.
func Send(
	ctx context.Context, transport http.RoundTripper, method, target, token string,
) (got Response, cookies []*http.Cookie, err error) {
	got.Sent = token
	request, err := http.NewRequestWithContext(ctx, method, target, http.NoBody)
	if err != nil {
		return got, nil, err
	}
	if token != "" {
		request.AddCookie(&http.Cookie{Name: cookieName, Value: token})
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return got, nil, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	cookies = response.Cookies()
	for _, cookie := range cookies {
		if cookie.Name == cookieName {
			got.Got, got.Dropped = cookie.Value, cookie.MaxAge < 0
		}
	}
	if err != nil {
		return got, cookies, err
	}
	got.Status, got.RetryAfter, got.Body = response.StatusCode, response.Header.Get("Retry-After"), string(body)
	if got.OK() {
		err = json.Unmarshal(body, &got.Reply)
	}
	return got, cookies, err
}

// SetToken gives the browser a cookie.
func (b *Browser) SetToken(token string) {
	b.jar.SetCookies(base, []*http.Cookie{{Name: cookieName, Value: token, Path: "/"}})
}

// Unknown says that the request was told that it is not known what became of it.
func (r Response) Unknown() bool {
	return r.Status == http.StatusInternalServerError && strings.Contains(r.Body, "not known")
}
