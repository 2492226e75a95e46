package dynamostore_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// What is on the way may quote the request in its answer, and none of that comes into a log.
func TestErrorsDoNotQuoteTheRequest(t *testing.T) {
	t.Parallel()
	const data = "data-that-nobody-may-see"
	for name, answer := range map[string]func(w http.ResponseWriter, body string){
		"validation": func(w http.ResponseWriter, body string) { errorWith(w, 400, "ValidationException", body) },
		"denied":     func(w http.ResponseWriter, body string) { errorWith(w, 400, "AccessDeniedException", body) },
		"throttled":  func(w http.ResponseWriter, body string) { errorWith(w, 400, "ThrottlingException", body) },
		"failed":     func(w http.ResponseWriter, body string) { errorWith(w, 500, "InternalServerError", body) },
		"unheard of": func(w http.ResponseWriter, body string) { errorWith(w, 418, "TeapotException", body) },
		"a code":     func(w http.ResponseWriter, _ string) { errorWith(w, 400, secretToken, "") },
		"no code":    func(w http.ResponseWriter, body string) { errorWith(w, 400, "", body) },
		"page": func(w http.ResponseWriter, body string) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<p>blocked: "+body)
		},
		"request ID": func(w http.ResponseWriter, _ string) {
			w.Header().Set("X-Amzn-Requestid", secretToken)
			errorWith(w, 400, "ValidationException", "")
		},
		"success": func(w http.ResponseWriter, body string) { _, _ = io.WriteString(w, body) },
		"no HTTP at all": func(w http.ResponseWriter, body string) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = io.WriteString(connection, body+"\r\n\r\n")
			_ = connection.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				answer(w, string(body))
			}))
			defer server.Close()
			client := appClient(t, dynamostore.TuneClient, func(o *dynamodb.Options) {
				o.BaseEndpoint = aws.String(server.URL)
				o.RetryMaxAttempts = 1
			})
			driver, err := dynamostore.NewDriver(client, dynamostore.Table{Name: "sessions"})
			if err != nil {
				t.Fatal(err)
			}
			_, _, read := driver.Get(t.Context(), secretToken, storage.Strong)
			_, acquired := driver.Acquire(t.Context(), secretToken, newLease("lease"), storage.IfFree(time.Now()))
			for operation, err := range map[string]error{
				"get": read, "acquire": acquired,
				"put":    driver.Put(t.Context(), newRecord(secretToken, data), storage.Always()),
				"delete": driver.Delete(t.Context(), secretToken, storage.IfLive(time.Now())),
				"batch":  driver.DeleteBatch(t.Context(), []string{secretToken}),
			} {
				if err == nil {
					if name != "success" {
						t.Errorf("%s: no error", operation)
					}
					continue
				}
				var logged bytes.Buffer
				slog.New(slog.NewTextHandler(&logged, nil)).Error("failed", "err", err)
				slog.New(slog.NewJSONHandler(&logged, nil)).Error("failed", "err", err)
				fmt.Fprintf(&logged, "%v %+v %#v %s %q", err, err, err, err, err)
				for _, secret := range []string{secretToken, data, "ZGF0YS10aGF0LW5vYm9keS"} {
					if strings.Contains(logged.String(), secret) {
						t.Errorf("%s: the token or the data is in %s", operation, logged.String())
					}
				}
				if name == "validation" {
					var api smithy.APIError
					if !errors.As(err, &api) || !strings.Contains(api.ErrorMessage(), "sessions") {
						t.Errorf("%s: the cause does not have what was answered: %v", operation, api)
					}
					if !strings.Contains(err.Error(), "ValidationException") || !strings.Contains(err.Error(), "400") {
						t.Errorf("%s: neither code nor status in %q", operation, err)
					}
				}
			}
		})
	}
}

func errorWith(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{
		"__type":  "com.amazonaws.dynamodb.v20120810#" + code,
		"message": message,
	})
}

// A connection says what is wrong with it.
func TestConnectionErrorsSayWhy(t *testing.T) {
	t.Parallel()
	mute := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer mute.Close()
	closing, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // Closed below.
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = closing.Close() }()
	go func() {
		for {
			connection, err := closing.Accept()
			if err != nil {
				return
			}
			if request, err := http.ReadRequest(bufio.NewReader(connection)); err == nil {
				_, _ = io.Copy(io.Discard, request.Body)
			}
			_ = connection.Close()
		}
	}()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	for name, test := range map[string]struct{ url, want string }{
		"refused":     {"http://" + closedPort(t), "connection refused"},
		"closed":      {"http://" + closing.Addr().String(), "without an answer"},
		"certificate": {secure.URL, "certificate"},
		"not TLS":     {strings.Replace(mute.URL, "http:", "https:", 1), "HTTPS client"},
	} {
		client := appClient(t, dynamostore.TuneClient, func(o *dynamodb.Options) {
			o.BaseEndpoint = aws.String(test.url)
			o.RetryMaxAttempts = 1
		})
		driver, err := dynamostore.NewDriver(client, dynamostore.Table{Name: "sessions"})
		if err != nil {
			t.Fatal(err)
		}
		put := driver.Put(t.Context(), newRecord("key", "data"), storage.IfAbsent(time.Now()))
		if !errors.Is(put, dynamostore.ErrUnreachable) || !strings.Contains(put.Error(), test.want) {
			t.Errorf("%s: %v; want ErrUnreachable with %q", name, put, test.want)
		}
		if sent := name == "closed"; errors.Is(put, storage.ErrOutcomeUnknown) != sent {
			t.Errorf("%s: %v; want a known outcome where nothing was sent", name, put)
		}
	}
}

// Whoever prints a driver or a store prints no credentials.
func TestDriverHoldsNoCredentialsInItsFields(t *testing.T) {
	t.Parallel()
	static := credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "the secret access key", "the session token")
	for name, provider := range map[string]aws.CredentialsProvider{
		"static": static,
		"cached": aws.NewCredentialsCache(static),
	} {
		client := dynamodb.NewFromConfig(aws.Config{Region: "us-east-1", Credentials: provider}, dynamostore.TuneClient)
		driver, err := dynamostore.NewDriver(client, dynamostore.Table{Name: "sessions"})
		if err != nil {
			t.Fatal(err)
		}
		store, err := sessionstore.New(driver)
		if err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			for what, value := range map[string]any{"driver": driver, "store": store} {
				if text := fmt.Sprintf(verb, value); strings.Contains(text, "the secret") || strings.Contains(text, "the session") {
					t.Errorf("%s credentials are in %q of the %s", name, verb, what)
				}
			}
		}
	}
}
