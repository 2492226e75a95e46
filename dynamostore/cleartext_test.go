package dynamostore_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/dynamostore"
)

// A client that sends everything in clear to another machine is told of, once for each store. Not parallel: it changes
// slog's default.
func TestEndpointInClearIsToldOf(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	for endpoint, warns := range map[string]bool{
		"": false, "http://127.0.0.1:8000": false, "http://127.8.9.1": false, "http://[::1]:8000": false,
		"http://localhost:8000":  false,
		"http://LocalHost.:8000": false, "http://db.localhost": false, "https://db.example": false, "https://10.0.0.1": false,
		"http://db.example:8000": true, "HTTP://db.example": true, "http://10.0.0.1": true, "http://localhost.example": true,
		"http://[2001:db8::1]": true, "http://0.0.0.0:8000": true, "http://127.0.0.1.example": true,
	} {
		for _, disabled := range []bool{false, true} {
			var log bytes.Buffer
			slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
			client := dynamodb.NewFromConfig(aws.Config{Region: "us-east-1"}, dynamostore.TuneClient, func(o *dynamodb.Options) {
				if endpoint != "" {
					o.BaseEndpoint = aws.String(endpoint)
				}
				o.EndpointOptions.DisableHTTPS = disabled
			})
			if _, err := dynamostore.New(client, dynamostore.Table{Name: "sessions"}); err != nil {
				t.Fatal(err)
			}
			want := 0
			if warns || disabled && endpoint == "" {
				want = 1
			}
			if lines := strings.Count(log.String(), "\n"); lines != want ||
				want == 1 && !strings.Contains(log.String(), "level=WARN") {
				t.Errorf("%q, HTTPS disabled %v: logged %q; want %d warnings", endpoint, disabled, log.String(), want)
			}
			if strings.Contains(log.String(), "example") {
				t.Errorf("%q: the endpoint, which may have a password, is logged", endpoint)
			}
		}
	}
}
