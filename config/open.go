package config

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/deadline"
	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Driver keeps records. Close releases what it holds open, and may be called more than once.
type Driver interface {
	storage.Driver
	io.Closer
}

// Open returns the store, ready to use, with driver, strategy and all other settings. With table.create it makes the
// table first, as [dynamostore.Table.Create] does; an existing table that only has other settings is used as it is.
// Else it makes no call. The options are applied after those of the configuration: they are for what has no key, such
// as a logger.
//
// The caller must Close the store, once. Errors: those of [Config.Driver] and of [sessionstore.New].
func (c Config) Open(ctx context.Context, options ...sessionstore.Option) (*sessionstore.Store, error) {
	driver, err := c.Driver(ctx)
	if err != nil {
		return nil, err
	}
	store, err := c.Store(driver, options...)
	if err != nil {
		return nil, errors.Join(err, driver.Close())
	}
	return store, nil
}

// Store returns a store over a driver that is open: for programs that use the driver for something else, too, such as
// collection. A bbolt file can be opened only once. Closing the store closes the driver.
func (c Config) Store(driver storage.Driver, options ...sessionstore.Option) (*sessionstore.Store, error) {
	return sessionstore.New(driver, slices.Concat(c.storeOptions(), options)...)
}

// Driver opens the driver. With table.create it makes the table first. Errors: those of [Config.Client],
// [dynamostore.Table.Create] and [boltstore.OpenDriver].
func (c Config) Driver(ctx context.Context) (Driver, error) {
	if c.text("driver") == keys.DriverBolt {
		return boltstore.OpenDriver(c.path("bolt.path"),
			boltstore.WithLockTimeout(c.duration("bolt.lock_timeout")), boltstore.WithGrace(c.duration("bolt.grace")))
	}
	client, err := c.Client(ctx)
	if err != nil {
		return nil, err
	}
	table := c.Table()
	if get[bool](c, "table.create") {
		mismatch := (*dynamostore.MismatchError)(nil)
		err := table.Create(ctx, client)
		if differs := errors.As(err, &mismatch) && len(mismatch.Problems) == 0; err != nil && !differs {
			return nil, err
		}
	}
	driver, err := dynamostore.NewDriver(client, table)
	if err != nil {
		return nil, err
	}
	return openTable{driver}, nil
}

// openTable is a driver that holds nothing open.
type openTable struct{ *dynamostore.Driver }

// Close implements io.Closer.
func (openTable) Close() error { return nil }

// Table returns the table. The names of all attributes are filled in.
func (c Config) Table() dynamostore.Table {
	key := func(section string) dynamostore.Key {
		return dynamostore.Key{
			Name: c.text(section + ".name"), Prefix: c.text(section + ".prefix"), Suffix: c.text(section + ".suffix"),
		}
	}
	attribute := func(name string) string { return c.text("table.attributes." + name) }
	var index dynamostore.ExpiryIndex
	if name := c.text("table.expiry_index.name"); name != "" {
		index = dynamostore.ExpiryIndex{Name: name, Shards: c.integer("table.expiry_index.shards")}
	}
	return dynamostore.Table{
		Name:         c.text("table.name"),
		PartitionKey: key("table.partition_key"),
		SortKey:      key("table.sort_key"),
		Attributes: dynamostore.Attributes{
			Data: attribute("data"), CreatedAt: attribute("created_at"), UpdatedAt: attribute("updated_at"),
			TTL: attribute("ttl"), Expiry: attribute("expiry"), Version: attribute("version"), Ancestry: attribute("ancestry"),
			LeaseID: attribute("lease_id"), LeaseDuration: attribute("lease_duration"), LeaseExpiry: attribute("lease_expiry"),
			ExpiryShard: attribute("expiry_shard"), ExpiryHour: attribute("expiry_hour"),
		},
		ExpiryIndex:        index,
		ReadCapacity:       get[int64](c, "table.read_capacity"),
		WriteCapacity:      get[int64](c, "table.write_capacity"),
		Tags:               get[map[string]string](c, "table.tags"),
		DeletionProtection: get[bool](c, "table.deletion_protection"),
		Stream:             get[bool](c, "table.stream"),
		KMSKey:             c.text("table.kms_key"),
		Class:              types.TableClass(c.text("table.class")),
	}
}

// Client returns a DynamoDB client, as [dynamostore.TuneClient] makes it, with what is configured on top. It makes no
// call, but the SDK may read AWS's own files and ask the machine for its role. Errors: [*Error] where a profile, an
// endpoint or a Region cannot be used, [dynamostore.ErrNoRegion], and what else the SDK reports. Without credentials,
// its calls fail with a [*CredentialsError].
func (c Config) Client(ctx context.Context) (*dynamodb.Client, error) {
	var load []func(*awsconfig.LoadOptions) error
	if region := c.text("dynamodb.region"); region != "" {
		load = append(load, awsconfig.WithRegion(region))
	}
	if profile := c.text("dynamodb.profile"); profile != "" {
		load = append(load, awsconfig.WithSharedConfigProfile(profile))
	}
	sdk, err := awsconfig.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, sharedConfigError(err)
	}
	sdk.Credentials = explainCredentials(sdk.Credentials, c.profile())
	options := []func(*dynamodb.Options){dynamostore.TuneClient, c.tune}
	client := dynamodb.NewFromConfig(sdk, append(options, c.s.clientOptions...)...)
	switch region := client.Options().Region; {
	case region == "":
		return nil, noRegionError{}
	case !keys.IsRegion(region):
		return nil, regionError(region)
	}
	if err := checkEndpointOf(client.Options()); err != nil {
		return nil, err
	}
	return client, nil
}

// profile returns the AWS profile that is in use, empty for the default one.
func (c Config) profile() string {
	return cmp.Or(c.text("dynamodb.profile"), os.Getenv("AWS_PROFILE"), os.Getenv("AWS_DEFAULT_PROFILE"))
}

// noRegionError is dynamostore.ErrNoRegion in terms of keys.
type noRegionError struct{}

// Error implements error.
func (noRegionError) Error() string {
	return "config: there is no AWS Region; set dynamodb.region (SCSDYNAMO_DYNAMODB_REGION), AWS_REGION, or the region " +
		"of the profile"
}

// Unwrap makes dynamostore.ErrNoRegion match.
func (noRegionError) Unwrap() error { return dynamostore.ErrNoRegion }

// tune sets what is configured on top of dynamostore.TuneClient.
func (c Config) tune(o *dynamodb.Options) {
	if endpoint := c.text("dynamodb.endpoint"); endpoint != "" {
		o.BaseEndpoint = aws.String(endpoint)
	}
	o.RetryMaxAttempts = c.integer("dynamodb.max_attempts")
	if client, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
		o.HTTPClient = client.WithTimeout(c.duration("dynamodb.attempt_timeout"))
	}
	deadline.Set(o, c.duration("dynamodb.operation_timeout"))
}

// storeOptions are the options of the session store.
func (c Config) storeOptions() []sessionstore.Option {
	options := []sessionstore.Option{
		sessionstore.WithStrategy(c.strategy()),
		sessionstore.WithReads(map[string]lockstrategy.Reads{
			keys.ReadsStrong:             lockstrategy.StrongReads,
			keys.ReadsEventual:           lockstrategy.EventualReads,
			keys.ReadsEventualThenStrong: lockstrategy.EventualThenStrongReads,
		}[c.text("sessions.reads")]),
	}
	if len(c.s.secrets) > 0 {
		secrets := make([][]byte, len(c.s.secrets))
		for i, s := range c.s.secrets {
			secrets[i] = s.Bytes()
		}
		options = append(options, c.sealOptions(secrets)...)
	}
	if c.isSet("sessions.touch_interval") {
		options = append(options, sessionstore.WithTouchInterval(c.duration("sessions.touch_interval")))
	}
	if methods := get[[]string](c, "sessions.read_only_methods"); len(methods) > 0 {
		options = append(options, sessionstore.WithReadOnly(func(r *http.Request) bool {
			return slices.Contains(methods, r.Method)
		}))
	}
	if get[bool](c, "sessions.unreadable_as_miss") {
		options = append(options, sessionstore.WithUnreadableAsMiss())
	}
	if size := c.integer("sessions.page_size"); size > 0 {
		options = append(options, sessionstore.WithPageSize(size))
	}
	return options
}

// sealOptions are those for what is sealed with the secrets.
func (c Config) sealOptions(secrets [][]byte) []sessionstore.Option {
	options := []sessionstore.Option{sessionstore.WithSecret(secrets[0], secrets[1:]...)}
	if until := c.instant("secret.previous_until"); !until.IsZero() {
		options[0] = sessionstore.WithSecret(secrets[0])
		for _, previous := range secrets[1:] {
			options = append(options, sessionstore.WithPreviousSecret(previous, until))
		}
	}
	if context := c.text("secret.context"); context != "" {
		options = append(options, sessionstore.WithSecretContext(context))
	}
	if since := c.instant("secret.sealed_since"); !since.IsZero() {
		options = append(options, sessionstore.WithSealedSince(since))
	}
	return options
}

// instant returns the value of a key that checkInstant has checked, zero where it is not set.
func (c Config) instant(key string) time.Time {
	t, _ := time.Parse(time.RFC3339, c.text(key))
	return t
}

func (c Config) strategy() lockstrategy.Strategy {
	switch c.text("strategy") {
	case keys.StrategyNone:
		return lockstrategy.None()
	case keys.StrategyOptimistic:
		return lockstrategy.Optimistic()
	case keys.StrategyLease:
		return c.lease()
	default:
		if c.text("merge.same_key") == keys.SameKeyTheirs {
			return lockstrategy.Merge(lockstrategy.Theirs)
		}
		return lockstrategy.Merge(lockstrategy.Ours)
	}
}

func (c Config) lease() lockstrategy.Strategy {
	orOff := func(key string) time.Duration { // 0s switches off there, and a negative duration here
		if c.isSet(key) {
			return cmp.Or(c.duration(key), -1)
		}
		return 0
	}
	return lockstrategy.Lease(lockstrategy.LeaseOptions{
		Duration: c.duration("lease.duration"), MaxWait: c.duration("lease.max_wait"),
		MaxWaiting: c.integer("lease.max_waiting"), MaxHold: orOff("lease.max_hold"),
		Renewal: orOff("lease.renewal"), ClockAllowance: orOff("lease.clock_allowance"),
	})
}
