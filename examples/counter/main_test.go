package main_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

func TestMain(m *testing.M) { os.Exit(dynamotest.Main(m)) }

func TestCounter(t *testing.T) {
	t.Parallel()
	endpoint := dynamotest.Endpoint(t)
	if dynamotest.EngineName(t) == "endpoint" {
		t.Skip("the example's table has a fixed name, which may be taken at AWS_ENDPOINT_URL_DYNAMODB; unset it to run " +
			"this test")
	}
	binary := filepath.Join(t.TempDir(), "counter.exe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("the example does not build: %v\n%s", err, out)
	}
	env := slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "AWS_") })
	env = append(env, "AWS_ENDPOINT_URL_DYNAMODB="+endpoint, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=local",
		"AWS_SECRET_ACCESS_KEY=local")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}

	// The second start finds the table, and the session in it. In between, many requests of the visitor meet.
	const parallel = 20
	for _, want := range []string{"visits: 1\n", fmt.Sprintf("visits: %d\n", 2+parallel)} {
		addr := freeAddress(t)
		ctx, stop := context.WithCancel(t.Context())
		program := exec.CommandContext(ctx, binary, "-addr", addr)
		program.Env = env
		var log strings.Builder
		program.Stderr = &log
		if err := program.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = program.Wait() // It is killed.
		}()
		got, err := visit(t.Context(), client, "http://"+addr, ended)
		if want == "visits: 1\n" {
			var done sync.WaitGroup
			for range parallel {
				done.Go(func() {
					if page, err := visit(t.Context(), client, "http://"+addr, ended); !strings.HasPrefix(page, "visits: ") {
						t.Errorf("one of %d requests at once: the page is %q, %v", parallel, page, err)
					}
				})
			}
			done.Wait()
		}
		stop()
		<-ended
		if err != nil || got != want {
			t.Fatalf("the page is %q, %v; want %q; the program says %q", got, err, want, log.String())
		}
	}
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	}()
	return listener.Addr().String()
}

// visit returns the page, as soon as the program serves it.
func visit(ctx context.Context, client *http.Client, url string, ended <-chan struct{}) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return "", err
		}
		response, err := client.Do(request)
		if err == nil {
			body, err := io.ReadAll(response.Body)
			return string(body), errors.Join(err, response.Body.Close())
		}
		select {
		case <-ended:
			return "", errors.New("the program ended")
		case <-ctx.Done():
			return "", err
		case <-tick.C:
		}
	}
}
