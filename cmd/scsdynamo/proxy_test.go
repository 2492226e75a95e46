package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

// proxy stands before the engine and behaves as AWS can and engines do not.
type proxy struct {
	denied  []string      // operations without a right
	ahead   time.Duration // of its clock
	rejects bool          // all credentials
	slow    []string      // operations that take as long as a person notices
	says    string        // what it says of everything it is asked
	region  string        // where its tables are; empty for everywhere
	strong  bool          // its tables are replicas of strongly consistent global tables
}

// through makes the command use the engine through the proxy.
func (s *transcript) through(t *testing.T, p proxy) {
	t.Helper()
	engine, err := url.Parse(dynamotest.Endpoint(t))
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(engine)
			r.Out.Host = r.In.Host // It is signed.
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("Date", time.Now().Add(p.ahead).UTC().Format(http.TimeFormat))
			if p.strong {
				return strengthen(r)
			}
			return nil
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		if slices.Contains(p.slow, operation) {
			select {
			case <-time.After(400 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
		switch {
		case p.says != "":
			refuse(w, "com.amazonaws.dynamodb.v20120810#OfItsOwnException", p.says)
		case p.region != "" && !strings.Contains(r.Header.Get("Authorization"), "/"+p.region+"/dynamodb/"):
			refuse(w, "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "Requested resource not found")
		case p.rejects:
			refuse(w, "com.amazon.coral.service#UnrecognizedClientException",
				"The security token included in the request is invalid.")
		case p.strong && slices.Contains([]string{"UpdateTimeToLive", "TransactWriteItems"}, operation):
			refuse(w, "com.amazon.coral.validate#ValidationException", operation+" is not supported on this table")
		case slices.Contains(p.denied, operation):
			refuse(w, "com.amazon.coral.service#AccessDeniedException", "not authorized to perform: dynamodb:"+operation)
		default:
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	s.hide(server.URL, "PROXY")
	s.set(endpointVariable, server.URL)
}

// strengthen makes the description of a table that of a strongly consistent global table.
func strengthen(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var answer map[string]any
	if json.Unmarshal(body, &answer) == nil {
		if table, ok := answer["Table"].(map[string]any); ok {
			table["MultiRegionConsistency"] = "STRONG"
			table["Replicas"] = []map[string]string{{"RegionName": "us-west-2"}}
			if body, err = json.Marshal(answer); err != nil {
				return err
			}
		}
	}
	r.Header.Del("X-Amz-Crc32")
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return nil
}

func refuse(w http.ResponseWriter, kind, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(http.StatusBadRequest)
	body, _ := json.Marshal(map[string]string{"__type": kind, "message": message}) // It fails for no strings.
	_, _ = w.Write(body)                                                           // The client may be gone.
}

// set sets an environment variable of the command.
func (s *transcript) set(name, value string) {
	s.unset(name)
	s.env = append(s.env, name+"="+value)
}

func (s *transcript) unset(name string) {
	s.env = slices.DeleteFunc(s.env, func(entry string) bool { return strings.HasPrefix(entry, name+"=") })
}
