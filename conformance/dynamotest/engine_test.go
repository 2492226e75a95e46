package dynamotest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

// role makes this test binary, run by its own tests, something else than a run of all tests.
const role = "DYNAMOTEST_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "engine":
		serve()
	case "leak":
		go func() { select {} }()
	}
	os.Exit(dynamotest.Main(m))
}

// serve is an engine as far as starting and stopping goes. It takes dynoxide's arguments.
func serve() {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp",
		net.JoinHostPort("127.0.0.1", os.Args[len(os.Args)-1]))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-Requestid", "as engines have it")
		w.WriteHeader(http.StatusNotFound)
	})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}
	fmt.Fprintln(os.Stderr, server.Serve(listener))
	os.Exit(1)
}

// TestEndpointAnswers is also what the other tests run in a process of its own.
func TestEndpointAnswers(t *testing.T) {
	endpoint := dynamotest.Endpoint(t)
	if err := get(t.Context(), endpoint); err != nil {
		t.Fatalf("%s at %s does not answer: %v", dynamotest.EngineName(t), endpoint, err)
	}
	if os.Getenv(role) == "linger" {
		select {} // Until this process is killed.
	}
}

func get(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func TestEngineName(t *testing.T) {
	name := dynamotest.EngineName(t)
	if !slices.Contains([]string{"docker", "jar", "dynoxide", "endpoint"}, name) {
		t.Fatalf("the engine is called %q", name)
	}
	if forced := os.Getenv("DYNAMOTEST_ENGINE"); forced != "" && forced != name {
		t.Errorf("DYNAMOTEST_ENGINE=%s, and the tests run on %s", forced, name)
	}
}

// noDocker names an image that can be neither found nor pulled.
const noDocker = "DYNAMOTEST_IMAGE=127.0.0.1:1/no/such:image"

// child returns a run of TestEndpointAnswers in a process of its own, with no engine but those under engines.
func child(t *testing.T, engines string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestEndpointAnswers$", "-test.v")
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "DYNAMOTEST_") && name != "REQUIRE_DYNAMODB" && name != "AWS_ENDPOINT_URL_DYNAMODB" {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	cmd.Env = append(cmd.Env, "DYNAMOTEST_ENGINES="+engines, noDocker)
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// fakeEngines installs a dynoxide that is a shell script.
func fakeEngines(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "dynoxide"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dynoxide", "dynoxide"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// serving is the script of an engine that serves.
func serving() string { return role + `=engine exec "` + os.Args[0] + `" "$@"` }

func TestFindsAnEngine(t *testing.T) {
	t.Parallel()
	absent := t.TempDir()
	cases := []struct {
		name    string
		engines string
		env     []string
		passes  bool
		says    string
	}{
		{"that is installed", fakeEngines(t, serving()), nil, true, "dynamotest: engine=dynoxide endpoint=http://127.0.0.1:"},
		{
			"that is forced", fakeEngines(t, serving()),
			[]string{"DYNAMOTEST_ENGINE=dynoxide"},
			true,
			"dynamotest: engine=dynoxide ",
		},
		{"or skips with advice", absent, nil, true, "--- SKIP: TestEndpointAnswers"},
		{"or skips with a reason", absent, nil, true, "run `make engines`, or set AWS_ENDPOINT_URL_DYNAMODB (docker: "},
		{"or fails if required", absent, []string{"REQUIRE_DYNAMODB=1"}, false, "no DynamoDB to test on"},
		{
			"or fails if forced", absent,
			[]string{"DYNAMOTEST_ENGINE=dynoxide"},
			false,
			"DYNAMOTEST_ENGINE=dynoxide: not there",
		},
		{
			"or fails if forced to use Docker", absent,
			[]string{"DYNAMOTEST_ENGINE=docker"},
			false,
			"DYNAMOTEST_ENGINE=docker: ",
		},
		{"or fails if it is unknown", absent, []string{"DYNAMOTEST_ENGINE=oracle"}, false, "there are docker, jar, dynoxide"},
		{"or fails if its address is none", absent, []string{"AWS_ENDPOINT_URL_DYNAMODB=:"}, false, "is not an address"},
		{"or says why it ended", fakeEngines(t, "echo boom; exit 1"), []string{"DYNAMOTEST_ENGINE=dynoxide"}, false, "boom"},
		{
			"or goes on without one that ended", fakeEngines(t, "exit 1"), nil, true,
			"dynamotest: going on without dynoxide: the engine ended",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			output, err := child(t, c.engines, c.env...).CombinedOutput()
			if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if passes := err == nil; passes != c.passes || !strings.Contains(string(output), c.says) {
				t.Errorf("passes is %v, not %v, or it does not say %q:\n%s", passes, c.passes, c.says, output)
			}
		})
	}
}

func TestUsesTheEndpointVariable(t *testing.T) {
	t.Parallel()
	endpoint := dynamotest.Endpoint(t)
	output, err := child(t, t.TempDir(), "AWS_ENDPOINT_URL_DYNAMODB="+endpoint).CombinedOutput()
	if want := "dynamotest: engine=endpoint endpoint=" + endpoint; err != nil || !strings.Contains(string(output), want) {
		t.Errorf("%v, or it does not say %q:\n%s", err, want, output)
	}
}

func TestMainStopsTheEngine(t *testing.T) {
	t.Parallel()
	output, err := child(t, fakeEngines(t, serving())).CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, output)
	}
	// Main waits for its end, so there is nothing to wait for here.
	if endpoint := endpointIn(output); !refuses(t.Context(), endpoint) {
		t.Errorf("after the test process ended, an engine is still at %q", endpoint)
	}
}

func TestMainFindsLeaks(t *testing.T) {
	t.Parallel()
	output, err := child(t, t.TempDir(), role+"=leak").CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) ||
		!bytes.Contains(output, []byte("left goroutines running")) {
		t.Errorf("a goroutine that never ends: %v:\n%s", err, output)
	}
}

var endpointPattern = regexp.MustCompile(`dynamotest: engine=\S+ endpoint=(\S+) ready`)

func endpointIn(output []byte) string {
	if match := endpointPattern.FindSubmatch(output); match != nil {
		return string(match[1])
	}
	return ""
}

// refuses reports whether nothing listens at the address.
func refuses(ctx context.Context, address string) bool {
	return errors.Is(get(ctx, address), syscall.ECONNREFUSED)
}
