package doctor_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/cmd/internal/doctor"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// examine examines a service that answers like this, with these credentials.
func examine(t *testing.T, credentials aws.CredentialsProvider, answer http.HandlerFunc) map[string]doctor.Finding {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	var probe doctor.Probe
	client := dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: credentials, RetryMaxAttempts: 1,
	}, probe.Install)
	table := dynamostore.Table{Name: "sessions"}.WithDefaults()
	driver, err := dynamostore.NewDriver(client, table)
	if err != nil {
		t.Fatal(err)
	}
	store, err := sessionstore.New(driver)
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := inspect.New(driver,
		func(driver storage.Driver, options ...sessionstore.Option) (*sessionstore.Store, error) {
			return sessionstore.New(driver, options...)
		}, false)
	if err != nil {
		t.Fatal(err)
	}
	findings := map[string]doctor.Finding{}
	doctor.DynamoDB{Client: client, Probe: &probe, Table: table, Driver: driver, Store: store, Sessions: sessions}.Examine(
		t.Context(), doctor.Settings{Source: "a test"}, func(f doctor.Finding) {
			if _, twice := findings[f.Check]; twice {
				t.Errorf("%s is found twice", f.Check)
			}
			if (f.Status == doctor.Fail) && f.Fix == "" {
				t.Errorf("%s fails, and nothing is said of what to do", f.Check)
			}
			findings[f.Check] = f
		})
	const checks = 14
	if len(findings) != checks {
		t.Errorf("there are %d findings; want one for each of the %d checks", len(findings), checks)
	}
	return findings
}

func provider(c aws.Credentials, err error) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, err })
}

var valid = aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test", Source: "a test"}

func TestCredentials(t *testing.T) {
	t.Parallel()
	expired, ending := valid, valid
	expired.CanExpire, expired.Expires = true, time.Now().Add(-time.Hour)
	ending.CanExpire, ending.Expires = true, time.Now().Add(47*time.Minute)
	for name, test := range map[string]struct {
		credentials aws.CredentialsProvider
		status      doctor.Status
		words       string
		called      bool
	}{
		"none":    {provider(aws.Credentials{}, errors.New("no role")), doctor.Fail, "there are no AWS credentials", false},
		"expired": {provider(expired, nil), doctor.Fail, "expired", false},
		"ending":  {provider(ending, nil), doctor.OK, "47m", true},
		"valid":   {provider(valid, nil), doctor.OK, "from a test", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			called := make(chan struct{}, 100)
			findings := examine(t, test.credentials, func(w http.ResponseWriter, _ *http.Request) {
				called <- struct{}{}
				w.WriteHeader(http.StatusInternalServerError)
			})
			got := findings["credentials"]
			if got.Status != test.status || !strings.Contains(got.Detail, test.words) {
				t.Errorf("found is %+v; want %s with %q", got, test.status, test.words)
			}
			if (len(called) > 0) != test.called {
				t.Errorf("the service was called %d times", len(called))
			}
		})
	}
}

// A service that answers with errors alone is one that answers.
func TestServiceFails(t *testing.T) {
	t.Parallel()
	findings := examine(t, provider(valid, nil), func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	if findings["endpoint"].Status != doctor.OK || findings["table"].Status != doctor.Fail ||
		findings["rights"].Status != doctor.Skipped {
		t.Errorf("found is %+v", findings)
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header func() string
		status doctor.Status
		words  string
	}{
		"right":      {func() string { return httpTime(0) }, doctor.OK, "as that of the endpoint"},
		"none":       {func() string { return "" }, doctor.Warn, "not compared"},
		"nonsense":   {func() string { return "yesterday" }, doctor.Warn, "not compared"},
		"behind":     {func() string { return httpTime(time.Minute) }, doctor.Warn, "behind"},
		"ahead":      {func() string { return httpTime(-time.Minute) }, doctor.Warn, "ahead of"},
		"far behind": {func() string { return httpTime(time.Hour) }, doctor.Fail, "behind"},
		"far ahead":  {func() string { return httpTime(-time.Hour) }, doctor.Fail, "ahead of"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			findings := examine(t, provider(valid, nil), func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Date"] = nil
				if date := test.header(); date != "" {
					w.Header().Set("Date", date)
				}
				w.WriteHeader(http.StatusBadRequest)
			})
			if got := findings["clock"]; got.Status != test.status || !strings.Contains(got.Detail, test.words) {
				t.Errorf("found is %+v; want %s with %q", got, test.status, test.words)
			}
		})
	}
}

func httpTime(ahead time.Duration) string { return time.Now().Add(ahead).UTC().Format(http.TimeFormat) }
