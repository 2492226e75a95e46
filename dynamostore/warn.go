package dynamostore

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/scsdynamo/scsdynamo/internal/deadline"
	"github.com/scsdynamo/scsdynamo/internal/loopback"
)

// warnCleartext logs that what is stored goes to another machine for all to read on the way.
func warnCleartext(table string, o dynamodb.Options) {
	endpoint, err := url.Parse(aws.ToString(o.BaseEndpoint))
	if err != nil {
		return
	}
	plain := endpoint.Host == "" && o.EndpointOptions.DisableHTTPS // AWS's own
	if plain || strings.EqualFold(endpoint.Scheme, "http") && !loopback.Host(endpoint.Hostname()) {
		slog.Warn("dynamostore: sessions go to another machine in clear; use an https endpoint", "table", table)
	}
}

// warnUnlimited logs that requests of the client may wait for an answer without end.
func warnUnlimited(table string, o dynamodb.Options) {
	if !limited(o) {
		slog.Warn("dynamostore: the DynamoDB client has no time limit, so a request may hang for ever; make it with "+
			"dynamostore.TuneClient, or with an HTTP client that has a timeout", "table", table)
	}
}

// limited reports whether requests have a time limit, as far as can be seen. Of an HTTP client whose type is not known
// it is assumed that they have.
func limited(o dynamodb.Options) bool {
	stack := middleware.NewStack("limits", smithyhttp.NewStackRequest)
	for _, add := range o.APIOptions {
		_ = add(stack) // One that goes beside a middleware of the SDK fails here, and is not the one to look for.
	}
	if _, ok := stack.Initialize.Get(deadline.ID); ok {
		return true
	}
	switch client := o.HTTPClient.(type) {
	case *awshttp.BuildableClient:
		return client.GetTimeout() > 0 || client.GetTransport().ResponseHeaderTimeout > 0
	case *http.Client:
		if client.Timeout > 0 {
			return true
		}
		transport := client.Transport
		if transport == nil {
			transport = http.DefaultTransport
		}
		plain, ok := transport.(*http.Transport)
		return !ok || plain.ResponseHeaderTimeout > 0
	default:
		return true
	}
}
