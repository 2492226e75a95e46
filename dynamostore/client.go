package dynamostore

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/internal/deadline"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/internal/plainbody"
)

// Client is what the driver uses of a *dynamodb.Client: calls on items only. It needs no rights on tables at run time.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	BatchWriteItem(context.Context, *dynamodb.BatchWriteItemInput,
		...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error)
	Options() dynamodb.Options
}

// TableClient is what the administration of a table uses of a *dynamodb.Client.
type TableClient interface {
	CreateTable(context.Context, *dynamodb.CreateTableInput,
		...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
	DescribeTable(context.Context, *dynamodb.DescribeTableInput,
		...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	UpdateTable(context.Context, *dynamodb.UpdateTableInput,
		...func(*dynamodb.Options)) (*dynamodb.UpdateTableOutput, error)
	DeleteTable(context.Context, *dynamodb.DeleteTableInput,
		...func(*dynamodb.Options)) (*dynamodb.DeleteTableOutput, error)
	UpdateTimeToLive(context.Context, *dynamodb.UpdateTimeToLiveInput,
		...func(*dynamodb.Options)) (*dynamodb.UpdateTimeToLiveOutput, error)
	DescribeTimeToLive(context.Context, *dynamodb.DescribeTimeToLiveInput,
		...func(*dynamodb.Options)) (*dynamodb.DescribeTimeToLiveOutput, error)
	ListTagsOfResource(context.Context, *dynamodb.ListTagsOfResourceInput,
		...func(*dynamodb.Options)) (*dynamodb.ListTagsOfResourceOutput, error)
	Options() dynamodb.Options
}

var (
	_ Client      = (*dynamodb.Client)(nil)
	_ TableClient = (*dynamodb.Client)(nil)
)

const (
	backoffBase    = 25 * time.Millisecond
	backoffCap     = 500 * time.Millisecond
	dialTimeout    = time.Second
	connectionPool = 256
)

// TuneClient makes a client fit for the path of a request:
//
//	client := dynamodb.NewFromConfig(cfg, dynamostore.TuneClient)
//
// An attempt of a request takes 2 seconds at most, and a request 5 seconds and 5 attempts: the SDK itself waits for an
// answer without end. Between attempts there are pauses with full jitter, from 25 ms up to 500 ms, where the SDK waits
// up to a second before the first. The pool has 256 idle connections, where the SDK keeps 10. An answer that was cut,
// or that comes from a proxy and not from DynamoDB, counts as lost, and the request is tried again. TuneClient leaves
// out the SDK's check of response checksums, which does nothing but log, and keeps the SDK from losing responses on a
// busy machine. It does not change an HTTP client of another type than the SDK's own.
//
// Options that follow override it. What ends a request after 5 seconds is the middleware "scsdynamo.OperationTimeout"
// of the step Initialize, which an API option can remove.
func TuneClient(o *dynamodb.Options) {
	o.Retryer = retry.NewStandard(func(so *retry.StandardOptions) {
		so.MaxAttempts = defaults.MaxAttempts
		so.MaxBackoff = backoffCap
		so.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			return retryDelay(attempt), nil
		})
		so.Retryables = append(so.Retryables, retry.IsErrorRetryableFunc(isCut))
	})
	o.RetryMaxAttempts = defaults.MaxAttempts
	// The SDK checks the checksum after it has read the response, and only logs that it does not match, as it does for
	// every
	// response without one. https://github.com/aws/aws-sdk-go-v2/issues/3545
	o.DisableValidateResponseChecksum = true
	deadline.Set(o, defaults.OperationTimeout)
	o.APIOptions = append(o.APIOptions, plainbody.Add, refuseEmpty)
	pooled, ok := o.HTTPClient.(*awshttp.BuildableClient)
	switch {
	case o.HTTPClient == nil:
		pooled = awshttp.NewBuildableClient()
	case !ok:
		return
	}
	o.HTTPClient = pooled.
		WithTimeout(defaults.AttemptTimeout).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns = connectionPool
			t.MaxIdleConnsPerHost = connectionPool
		})
}

// retryDelay returns a random delay of up to base times 2 to the power of the attempts made.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
func retryDelay(attempt int) time.Duration {
	limit := backoffCap
	if attempt < 16 {
		limit = min(backoffBase<<attempt, backoffCap)
	}
	return rand.N(limit) //nolint:gosec // Jitter needs no secrecy.
}
