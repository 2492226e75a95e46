package dynamostore_test

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// cancelInPause calls cancel when an attempt has failed and the SDK is about to wait for the next.
func cancelInPause(cancel func()) func(*dynamodb.Options) {
	return func(o *dynamodb.Options) {
		o.Retryer = retry.NewStandard(func(so *retry.StandardOptions) {
			so.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) {
				cancel()
				return time.Hour, nil
			})
		})
	}
}

// dialing ends the context of a call when a connection is being made for it. It does not come.
func dialing(call context.Context, cancel func()) func(*dynamodb.Options) {
	return func(o *dynamodb.Options) {
		o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(time.Hour).WithTransportOptions(func(t *http.Transport) {
			t.DialContext = func(context.Context, string, string) (net.Conn, error) {
				cancel()
				return nil, call.Err()
			}
		})
		o.BaseEndpoint = aws.String("http://127.0.0.1:1")
	}
}
