package dynamostore_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"

	"github.com/scsdynamo/scsdynamo/dynamostore"
)

// A client that may wait for ever is told of, once for each store, and no other is. Not parallel: it changes slog's
// default.
func TestClientWithoutLimitIsToldOf(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	for name, test := range map[string]struct {
		client func(*dynamodb.Options)
		warns  bool
	}{
		"the SDK's default": {func(*dynamodb.Options) {}, true},
		"other middleware": {func(o *dynamodb.Options) {
			o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
				_, err := s.Initialize.Remove("not there")
				return err
			})
		}, true},
		"package http's":         {func(o *dynamodb.Options) { o.HTTPClient = &http.Client{} }, true},
		"package http's default": {func(o *dynamodb.Options) { o.HTTPClient = http.DefaultClient }, true},
		"TuneClient":             {dynamostore.TuneClient, false},
		"timeout of the SDK's": {func(o *dynamodb.Options) {
			o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(time.Minute)
		}, false},
		"timeout of package http's": {func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Timeout: time.Minute} }, false},
		"timeout of the transport": {func(o *dynamodb.Options) {
			o.HTTPClient = &http.Client{Transport: &http.Transport{ResponseHeaderTimeout: time.Minute}}
		}, false},
		"timeout of the SDK's transport": {func(o *dynamodb.Options) {
			o.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
				t.ResponseHeaderTimeout = time.Minute
			})
		}, false},
		"TuneClient with another HTTP client": {func(o *dynamodb.Options) {
			o.HTTPClient = &http.Client{}
			dynamostore.TuneClient(o)
		}, false},
		"another transport": {func(o *dynamodb.Options) {
			o.HTTPClient = &http.Client{Transport: http.NewFileTransport(http.Dir("."))}
		}, false},
		"another HTTP client": {func(o *dynamodb.Options) { o.HTTPClient = &deadlines{} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
			client := dynamodb.NewFromConfig(aws.Config{Region: "us-east-1"}, test.client)
			if _, err := dynamostore.New(client, dynamostore.Table{Name: "sessions"}); err != nil {
				t.Fatal(err)
			}
			lines := strings.Count(log.String(), "\n")
			if test.warns && (lines != 1 || !strings.Contains(log.String(), "level=WARN") ||
				!strings.Contains(log.String(), "TuneClient")) ||
				!test.warns && lines > 0 {
				t.Errorf("logged %q; want a warning: %v", log.String(), test.warns)
			}
		})
	}
}
