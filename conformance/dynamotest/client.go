package dynamotest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/scsdynamo/scsdynamo/internal/plainbody"
)

// httpClient is shared, or the connections that every test leaves idle would add up.
var httpClient = awshttp.NewBuildableClient().WithTimeout(20 * time.Second).
	WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = 64 })

// Client returns a client of the engine at [Endpoint]. It makes up to three attempts, with pauses of at most 20 ms
// where the SDK would take seconds, and waits at most 20 seconds for each answer; the options can change all of that,
// and install [Faults] and a [Recorder]. It is safe for concurrent use. Clients of a process make and delete tables one
// after the other, as not every engine can do more.
func Client(t testing.TB, optFns ...func(*dynamodb.Options)) *dynamodb.Client {
	t.Helper()
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String(Endpoint(t)),
		Region:       cmp.Or(os.Getenv("AWS_REGION"), "us-east-1"),
		Credentials:  testCredentials(),
		HTTPClient:   httpClient,
		APIOptions:   []func(*middleware.Stack) error{plainbody.Add, oneTableAtATime},
		Retryer:      retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 20 * time.Millisecond }),
	}, optFns...)
}

func testCredentials() aws.CredentialsProvider {
	if id := os.Getenv("AWS_ACCESS_KEY_ID"); id != "" {
		secret, session := os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")
		return credentials.NewStaticCredentialsProvider(id, secret, session)
	}
	// DynamoDB Local refuses access keys that are not letters and digits.
	return credentials.NewStaticCredentialsProvider("dynamotest", "dynamotest", "")
}

// WithoutTTL returns a client like this one that turns no table's TTL on, and says that it did: for tests that look at
// expired items, which DynamoDB Local deletes within seconds.
func WithoutTTL(client *dynamodb.Client) *dynamodb.Client {
	return dynamodb.New(client.Options(), func(o *dynamodb.Options) { o.APIOptions = append(o.APIOptions, leaveTTL) })
}

// leaveTTL keeps calls of UpdateTimeToLive from everything else.
func leaveTTL(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("dynamotest.LeaveTTL", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		if _, is := in.Parameters.(*dynamodb.UpdateTimeToLiveInput); is {
			return middleware.InitializeOutput{Result: &dynamodb.UpdateTimeToLiveOutput{}}, middleware.Metadata{}, nil
		}
		return next.HandleInitialize(ctx, in)
	}), middleware.Before)
}

// TableName returns a table name that no other test uses, and deletes the table of that name, if there is one, after
// the test. Deletion protection does not save it. Neither do faults in the client, and a recorder does not see it.
func TableName(t testing.TB, client *dynamodb.Client) string {
	t.Helper()
	valid := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '-', r == '.':
			return r
		default:
			return '_'
		}
	}, t.Name())
	const longest = 255
	suffix := "-" + rand.Text()[:12]
	name := valid[:min(len(valid), longest-len(suffix))] + suffix

	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := deleteTable(ctx, client, name); err != nil {
			t.Errorf("the test's table cannot be deleted; delete %s by hand: %v", name, err)
		}
	})
	return name
}

// deleteTable deletes a table in whatever state it is.
func deleteTable(ctx context.Context, client *dynamodb.Client, name string) error {
	plain := func(o *dynamodb.Options) { o.APIOptions = []func(*middleware.Stack) error{oneTableAtATime} }
	remove := func() error {
		_, err := client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &name}, plain)
		if absent := (*types.ResourceNotFoundException)(nil); errors.As(err, &absent) {
			return nil
		}
		return err
	}
	// A table that is being created or changed can be neither deleted nor changed.
	for {
		refused := remove()
		if refused == nil {
			return nil
		}
		_, err := client.UpdateTable(ctx, &dynamodb.UpdateTableInput{
			TableName: &name, DeletionProtectionEnabled: aws.Bool(false),
		}, plain)
		select {
		case <-ctx.Done():
			return errors.Join(refused, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
