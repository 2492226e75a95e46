package dropin

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"testing/fstest"
	"time"
)

const form = "Content-Type: application/x-www-form-urlencoded"

// bodies are bodies that handlers read, and files that they send.
var bodies = []behaviour{
	{name: "form", serve: in(formValue), request: ask("POST", "/?q=1", "a=b", form)},
	{name: "a body that is read", serve: in(readBody), request: ask("POST", "/", strings.Repeat("x", 5000))},
	{name: "a chunked body with a trailer", serve: in(readBody), request: "POST / HTTP/1.1\r\nHost: app\r\n" +
		"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n"},
	{name: "a small body that is not read", serve: in(body), request: ask("POST", "/", "unread")},
	{
		name: "a large body that is not read", serve: in(body), slow: true,
		request: ask("POST", "/", strings.Repeat("x", 300<<10)),
	},
	{name: "a body that is read after the answer", serve: in(readLate), request: ask("POST", "/", "late")},
	{name: "Expect: 100-continue, read", serve: in(readBody), reads: true, request: expecting, talk: continued},
	{name: "Expect: 100-continue, refused", serve: in(status(http.StatusExpectationFailed, "no")), request: expecting},
	{name: "multipart form", serve: in(multipartForm), request: multipartRequest(100)},
	{name: "multipart file on disk", serve: in(multipartForm), request: multipartRequest(40 << 10)},
	{name: "multipart file that is left behind", serve: leftBehind, own: true, request: multipartRequest(40 << 10)},
	{name: "MaxBytesReader", serve: in(maxBytes), request: ask("POST", "/", strings.Repeat("x", 100))},
	{name: "ServeContent, a range", serve: in(serveContent), request: get("/", "Range: bytes=2-5")},
	{
		name: "ServeContent, two ranges", serve: in(serveContent),
		request: get("/", "Range: bytes=0-1,4-5", "If-Range: \"1\""),
	},
	{name: "ServeContent, no such range", serve: in(serveContent), request: get("/", "Range: bytes=900-")},
	{name: "ServeContent, not modified", serve: in(serveContent), request: get("/", `If-None-Match: "1"`)},
	{name: "ServeContent, precondition failed", serve: in(serveContent), request: get("/", `If-Match: "2"`)},
	{name: "FileServer", serve: in(fileServer), request: get("/page.html")},
	{name: "FileServer, a directory", serve: in(fileServer), request: get("/docs")},
	{name: "FileServer, nothing", serve: in(fileServer), request: get("/nothing")},
	{name: "FileServer, HEAD", serve: in(fileServer), request: ask("HEAD", "/page.html", "")},
}

func formValue(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, r.FormValue("a")+r.FormValue("q"))
}

func readBody(a *app, w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	a.see("read", len(content), err, r.Trailer.Get("X-Sum"))
	a.use(r)
	a.write(w, "body")
}

func readLate(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, "first")
	content, err := io.ReadAll(r.Body)
	a.see("read", string(content), err)
	a.write(w, "second")
}

const expecting = "POST / HTTP/1.1\r\nHost: app\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"

// continued sends the body when the server asks for it.
func continued(c *client, request string) {
	c.send(request)
	if c.line() == "HTTP/1.1 100 Continue\r\n" {
		c.line()
		c.send("body")
	}
	c.response("POST")
	c.send(next)
}

func multipartRequest(size int) string {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.SetBoundary("boundary")
	part, _ := w.CreateFormFile("file", "a.txt")
	_, _ = part.Write(bytes.Repeat([]byte("x"), size))
	_ = w.WriteField("a", "b")
	_ = w.Close()
	return ask("POST", "/", b.String(), "Content-Type: "+w.FormDataContentType())
}

func multipartForm(a *app, w http.ResponseWriter, r *http.Request) {
	a.see("parse", r.ParseMultipartForm(1<<10))
	file, header, err := r.FormFile("file")
	if err != nil {
		a.see("file", err)
		return
	}
	defer func() { a.see("close", file.Close()) }()
	_, onDisk := file.(*os.File)
	a.see("file", header.Size, onDisk, r.FormValue("a"))
	a.use(r)
	a.write(w, "body")
}

// leftBehind looks, when the middleware is over, for the file that net/http has made of a large part.
func leftBehind(a *app) http.Handler {
	var name string
	saved := a.saved(a.handler(func(a *app, w http.ResponseWriter, r *http.Request) {
		a.see("parse", r.ParseMultipartForm(1<<10))
		if file, _, err := r.FormFile("file"); err == nil {
			name = file.(*os.File).Name()
			a.see("close", file.Close())
		}
		a.write(w, "body")
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		saved.ServeHTTP(w, r)
		_, err := os.Stat(name)
		a.see("left", err == nil)
		_ = os.Remove(name)
	})
}

func maxBytes(a *app, w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 10)
	_, err := io.ReadAll(r.Body)
	a.see("read", err)
	a.use(r)
	http.Error(w, "too much", http.StatusRequestEntityTooLarge)
}

func serveContent(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	w.Header().Set("ETag", `"1"`)
	http.ServeContent(w, r, "a.txt", time.Unix(1e9, 0), strings.NewReader("0123456789"))
}

var files = fstest.MapFS{
	"page.html":       {Data: []byte("<p>page</p>"), ModTime: time.Unix(1e9, 0)},
	"docs/index.html": {Data: []byte("<p>docs</p>")},
}

func fileServer(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	http.FileServerFS(files).ServeHTTP(w, r)
}
