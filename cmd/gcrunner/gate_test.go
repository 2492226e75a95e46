package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// gate stands before a DynamoDB: it can break connections, deny one operation, or refuse whatever a test wants.
type gate struct {
	url    string
	closed atomic.Bool
	denied atomic.Value // string
	refuse atomic.Value // func(operation string) refusal
}

// refusal is with what a request is refused, the zero value for none.
type refusal struct{ code, message string }

// denial is what IAM says, and more than strangers should know.
var denial = refusal{
	"AccessDeniedException",
	"User: arn:aws:sts::111122223333:assumed-role/sessions-collector/i-0abc is not authorized",
}

var throttling = refusal{"ThrottlingException", "Rate exceeded"}

func newGate(t *testing.T, endpoint string) *gate {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	g.denied.Store("")
	g.refuse.Store(func(string) refusal { return refusal{} })
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		refused := g.refuse.Load().(func(string) refusal)(operation)
		switch {
		case g.closed.Load():
			panic(http.ErrAbortHandler) // the connection breaks
		case operation == g.denied.Load():
			refused = denial
		}
		if refused.code == "" {
			proxy.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{ // who does not read it has gone
			"__type": "com.amazon.coral.service#" + refused.code, "message": refused.message,
		})
	}))
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}
