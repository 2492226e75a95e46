package dynamostore_test

import (
	"bytes"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
)

func TestClientOptions(t *testing.T) {
	t.Parallel()
	client := dynamodb.NewFromConfig(aws.Config{Region: "us-east-1"}, dynamostore.TuneClient)
	options := client.Options()
	pooled, ok := options.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		t.Fatalf("the HTTP client is a %T", options.HTTPClient)
	}
	transport := pooled.GetTransport()
	if pooled.GetTimeout() != defaults.AttemptTimeout || transport.MaxIdleConnsPerHost != 256 ||
		transport.MaxIdleConns != 256 {
		t.Errorf("an attempt may take %v, with %d idle connections of %d",
			pooled.GetTimeout(), transport.MaxIdleConnsPerHost, transport.MaxIdleConns)
	}
	if pooled.GetDialer().Timeout != time.Second {
		t.Errorf("a connection may take %v; want a second", pooled.GetDialer().Timeout)
	}
	if options.Retryer.MaxAttempts() != defaults.MaxAttempts {
		t.Errorf("%d attempts; want %d", options.Retryer.MaxAttempts(), defaults.MaxAttempts)
	}
	for attempt := range 100 {
		delay, err := options.Retryer.RetryDelay(attempt, errors.New("any"))
		if limit := min(25*time.Millisecond<<min(attempt, 10), 500*time.Millisecond); err != nil ||
			delay < 0 || delay > limit {
			t.Errorf("attempt %d is repeated after %v, %v; want at most %v", attempt, delay, err, limit)
		}
	}

	mine := &http.Client{}
	kept := dynamodb.NewFromConfig(aws.Config{Region: "us-east-1", HTTPClient: mine}, dynamostore.TuneClient)
	if kept.Options().HTTPClient != aws.HTTPClient(mine) {
		t.Error("an HTTP client of another type was replaced")
	}
	tuned := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) { tr.MaxConnsPerHost = 7 })
	both := dynamodb.NewFromConfig(aws.Config{Region: "us-east-1", HTTPClient: tuned}, dynamostore.TuneClient)
	if got := both.Options().HTTPClient.(*awshttp.BuildableClient).GetTransport().MaxConnsPerHost; got != 7 {
		t.Errorf("what was set on the SDK's HTTP client is lost: %d connections; want 7", got)
	}
}

// deadlines is a transport that answers nothing, and remembers how long each request may take.
type deadlines struct{ left []time.Duration }

func (d *deadlines) Do(r *http.Request) (*http.Response, error) {
	deadline, ok := r.Context().Deadline()
	if !ok {
		return nil, errors.New("a request without a deadline")
	}
	d.left = append(d.left, time.Until(deadline))
	return nil, errors.New("no answer")
}

func TestOperationTimeout(t *testing.T) {
	t.Parallel()
	seen := &deadlines{}
	client := dynamodb.NewFromConfig(aws.Config{
		Region: "us-east-1", HTTPClient: seen,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}, dynamostore.TuneClient)
	driver, err := dynamostore.NewDriver(client, dynamostore.Table{Name: "sessions"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := driver.Get(t.Context(), "key", 0); err == nil {
		t.Fatal("no answer, and no error")
	}
	if len(seen.left) == 0 {
		t.Fatal("nothing was sent")
	}
	for i, left := range seen.left {
		if left > defaults.OperationTimeout || i > 0 && left > seen.left[i-1] {
			t.Errorf("attempt %d may take %v; want what is left of %v", i, left, defaults.OperationTimeout)
		}
	}
}

// Engines and AWS answer some requests without a checksum, which is nothing to warn about.
func TestClientOptionsAreQuiet(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	client := dynamotest.Client(t, dynamostore.TuneClient, func(o *dynamodb.Options) {
		o.Logger = logging.NewStandardLogger(&log)
	})
	table := createWithoutTTL(t, client, dynamostore.Table{})
	store, err := dynamostore.New(client, table)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		ctx, end := store.Begin(t.Context())
		_ = store.CommitCtx(ctx, "token", []byte("data"), time.Now().Add(time.Hour)) // the second is a conflict
		end()
	}
	if log.Len() > 0 {
		t.Errorf("the SDK logged: %s", log.String())
	}
}
