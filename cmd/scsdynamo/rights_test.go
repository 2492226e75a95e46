package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scsdynamo/scsdynamo/dynamostore/iac"
)

// called is which commands have made which calls in the tests. TestMain compares it with the policies.
var called = struct {
	mu         sync.Mutex
	operations map[string]map[string]bool // by the first words of the command
}{operations: map[string]map[string]bool{}}

// granted returns the actions of the roles that a person needs for a command.
func granted(command string) []string {
	// Where it is denied, commands say less.
	describe := []string{"dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource"}
	switch command {
	case "table":
		return iac.RoleAdmin.Actions()
	case "sessions delete --expired":
		return append(iac.RoleCollector.Actions(), describe...)
	default:
		return slices.Concat(iac.RoleApp.Actions(), iac.RoleIterator.Actions(), describe)
	}
}

// checkRights returns an error if a command has called what its role is not granted.
func checkRights() error {
	called.mu.Lock()
	defer called.mu.Unlock()
	for command, operations := range called.operations {
		for operation := range operations {
			if !slices.Contains(granted(command), "dynamodb:"+operation) {
				return fmt.Errorf("scsdynamo %s has called %s, which its role is not granted", command, operation)
			}
		}
	}
	return nil
}

// recorded returns an endpoint that passes the command's calls on, and remembers them.
func recorded(t *testing.T, endpoint string, args []string) string {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	command := args[0]
	if command == "sessions" && slices.Contains(args, "--expired") && slices.Contains(args, "delete") {
		command = "sessions delete --expired"
	}
	pass := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // It is signed.
		},
		// as if there were nobody
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
			called.mu.Lock()
			if called.operations[command] == nil {
				called.operations[command] = map[string]bool{}
			}
			called.operations[command][operation] = true
			called.mu.Unlock()
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
