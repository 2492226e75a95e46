package webapp

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/deadline"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// Config says how an application keeps its sessions.
type Config struct {
	// Endpoint is the engine, or a proxy before it.
	Endpoint string
	// Table is where the sessions are, under keys that begin with Prefix.
	Table, Prefix string
	// Strategy is none, optimistic, merge or lease.
	Strategy string
	// Secrets are the numbers of storetest.Secret, the current one first. None for no secret.
	Secrets []byte
	// Skew is by how much the store's clock is wrong.
	Skew time.Duration
	// IdleTimeout and Lifetime are the session manager's. Default: none, and an hour.
	IdleTimeout, Lifetime time.Duration
	// TouchAlways is whether each request moves the expiry, with an idle timeout.
	TouchAlways bool
	// Lease and MaxWait are those of the lease strategy. Default: its own.
	Lease, MaxWait time.Duration
	// AttemptTimeout and OperationTimeout replace those of dynamostore.TuneClient.
	AttemptTimeout, OperationTimeout time.Duration
	// Pause bounds the pauses between attempts, of which there may be any number. Default: as in TuneClient.
	Pause time.Duration
}

// Strategies are the names of all strategies.
func Strategies() []string { return []string{"none", "optimistic", "merge", "lease"} }

// Strict are the strategies that lose no update.
func Strict() []string { return Strategies()[1:] }

func (c Config) strategy() (lockstrategy.Strategy, error) {
	switch c.Strategy {
	case "none":
		return lockstrategy.None(), nil
	case "optimistic":
		return lockstrategy.Optimistic(), nil
	case "merge":
		return lockstrategy.Merge(addBoth), nil
	case "lease":
		return lockstrategy.Lease(lockstrategy.LeaseOptions{Duration: c.Lease, MaxWait: c.MaxWait}), nil
	default:
		return nil, fmt.Errorf("webapp: no strategy %q", c.Strategy)
	}
}

// addBoth keeps what both requests have added to a counter or to a list.
func addBoth(key string, base, ours, theirs lockstrategy.Value) (lockstrategy.Value, error) {
	switch our := ours.Value.(type) {
	case int:
		was, _ := base.Value.(int)
		their, _ := theirs.Value.(int)
		return lockstrategy.Value{Value: their + our - was, Present: true}, nil
	case []string:
		was, _ := base.Value.([]string)
		all, _ := theirs.Value.([]string)
		all = slices.Clone(all)
		for _, id := range our[min(len(was), len(our)):] {
			if !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
		return lockstrategy.Value{Value: all, Present: true}, nil
	default:
		return lockstrategy.Ours(key, base, ours, theirs)
	}
}

func (c Config) newStore(logger *slog.Logger, now func() time.Time) (*sessionstore.Store, error) {
	strategy, err := c.strategy()
	if err != nil {
		return nil, err
	}
	options := []sessionstore.Option{
		sessionstore.WithStrategy(strategy), sessionstore.WithClock(now), sessionstore.WithLogger(logger),
		sessionstore.WithReadOnly(sessionstore.SafeMethods, sessionstore.Paths("/logout")),
	}
	if c.TouchAlways {
		options = append(options, sessionstore.WithTouchInterval(0))
	}
	if len(c.Secrets) > 0 {
		var secrets [][]byte
		for _, n := range c.Secrets {
			secrets = append(secrets, storetest.Secret(n))
		}
		options = append(options, sessionstore.WithSecret(secrets[0], secrets[1:]...))
	}
	table := dynamostore.Table{Name: c.Table, PartitionKey: dynamostore.Key{Prefix: c.Prefix}}
	return dynamostore.New(c.client(), table, options...)
}

func (c Config) client() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: &c.Endpoint,
		Region:       cmp.Or(os.Getenv("AWS_REGION"), "us-east-1"),
		Credentials: credentials.NewStaticCredentialsProvider(cmp.Or(os.Getenv("AWS_ACCESS_KEY_ID"), "dynamotest"),
			cmp.Or(os.Getenv("AWS_SECRET_ACCESS_KEY"), "dynamotest"), os.Getenv("AWS_SESSION_TOKEN")),
	}, dynamostore.TuneClient, c.hurry)
}

// hurry shortens what a test would wait for.
func (c Config) hurry(o *dynamodb.Options) {
	if pooled, ok := o.HTTPClient.(*awshttp.BuildableClient); ok && c.AttemptTimeout > 0 {
		o.HTTPClient = pooled.WithTimeout(c.AttemptTimeout)
	}
	if c.OperationTimeout > 0 {
		deadline.Set(o, c.OperationTimeout)
	}
	if retryer, ok := o.Retryer.(aws.RetryerV2); ok && c.Pause > 0 {
		o.Retryer = hasty{retryer, c.Pause}
	}
}

// hasty is a retryer whose pauses are short, and whose attempts are not counted against a budget: a test makes more
// faults in a minute than a client meets in a month.
type hasty struct {
	aws.RetryerV2
	longest time.Duration
}

func (r hasty) RetryDelay(attempt int, err error) (time.Duration, error) {
	d, err := r.RetryerV2.RetryDelay(attempt, err)
	return min(d, r.longest), err
}

func (hasty) GetRetryToken(context.Context, error) (func(error) error, error) {
	return func(error) error { return nil }, nil
}
