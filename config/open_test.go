package config_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// anyCredentials are good for an engine on this machine.
func anyCredentials(o *dynamodb.Options) {
	o.Credentials = credentials.NewStaticCredentialsProvider("config", "config", "")
}

// roundTrip commits a session and finds it again.
func roundTrip(t *testing.T, store *sessionstore.Store) {
	t.Helper()
	ctx, end := store.Begin(t.Context())
	defer end()
	if _, _, err := store.FindCtx(ctx, "token"); err != nil {
		t.Fatal(err)
	}
	if err := store.CommitCtx(ctx, "token", []byte("data"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	data, found, err := store.FindCtx(t.Context(), "token")
	if string(data) != "data" || !found || err != nil {
		t.Fatalf("%q, %v, %v; want what was committed", data, found, err)
	}
}

func TestOpenBolt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := mustLoad(t, config.WithDir(dir), config.With("driver", "bolt"), config.With("bolt.path", "kept.db"),
		config.With("secret.current", secretA))
	for range 2 { // It can be opened again once it is closed.
		store, err := cfg.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		roundTrip(t, store)
		if _, err := cfg.Driver(t.Context()); !errors.Is(err, boltstore.ErrInUse) {
			t.Errorf("opened twice: %v; want ErrInUse", err)
		}
		for range 2 {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "kept.db"))
	if err != nil {
		t.Fatalf("the path is not relative to the directory: %v", err)
	}
	if strings.Contains(string(raw), "token") {
		t.Error("the file shows a token although there is a secret")
	}
}

func TestOpenBoltFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	missing := mustLoad(t, config.WithDir(dir), config.With("driver", "bolt"),
		config.With("bolt.path", "missing/sessions.db"))
	if _, err := missing.Open(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v; want fs.ErrNotExist", err)
	}
	// A store that cannot be made leaves nothing open.
	cfg := mustLoad(t, config.WithDir(dir), config.With("driver", "bolt"), config.With("bolt.lock_timeout", "1ms"))
	if _, err := cfg.Open(t.Context(), sessionstore.WithPageSize(-1)); err == nil {
		t.Fatal("a page size of -1 was taken")
	}
	store, err := cfg.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// One file serves the sessions and whatever else works on the driver.
func TestStoreAndCollectorShareADriver(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, config.WithDir(t.TempDir()), config.With("driver", "bolt"))
	driver, err := cfg.Driver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	store, err := cfg.Store(driver)
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, store)
	if _, err := cfg.Collector(driver); err != nil {
		t.Error(err)
	}
	if err := errors.Join(store.Close(), driver.Close()); err != nil {
		t.Error(err)
	}
}

func TestOpenDynamoDB(t *testing.T) {
	t.Parallel()
	plain := dynamotest.Client(t)
	name := dynamotest.TableName(t, plain)
	recorder := new(dynamotest.Recorder)
	options := []config.Option{
		config.WithEnviron([]string{
			"SCSDYNAMO_TABLE_NAME=" + name,
			"SCSDYNAMO_DYNAMODB_ENDPOINT=" + dynamotest.Endpoint(t),
			"SCSDYNAMO_DYNAMODB_REGION=us-east-1",
		}),
		withFile(t, "table:\n  partition_key: {name: pk, prefix: 'S#'}\n  sort_key: {name: sk, prefix: 'S#'}\n"+
			"  attributes: {data: payload, ttl: gone_at}\n  read_capacity: 3\n  write_capacity: 4\n"),
		config.WithClientOptions(anyCredentials, recorder.Install),
	}
	cfg := mustLoad(t, options...)
	store, err := cfg.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if calls := recorder.Operations(); len(calls) > 0 {
		t.Errorf("Open called %v; want nothing without table.create", calls)
	}
	if _, _, err := store.FindCtx(t.Context(), "token"); !errors.Is(err, dynamostore.ErrTableNotFound) {
		t.Errorf("%v; want ErrTableNotFound", err)
	}

	creating := mustLoad(t, append(options, config.With("table.create", true))...)
	for range 2 { // The second time it is there.
		if store, err = creating.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	roundTrip(t, store)
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	if err := cfg.Table().Verify(t.Context(), plain); err != nil {
		t.Error(err)
	}
	out, err := plain.Scan(t.Context(), &dynamodb.ScanInput{TableName: &name})
	if err != nil || len(out.Items) != 1 {
		t.Fatalf("%d items, %v", len(out.Items), err)
	}
	for _, attribute := range []string{"pk", "sk", "payload", "gone_at"} {
		if _, ok := out.Items[0][attribute]; !ok {
			t.Errorf("the item has no attribute %s", attribute)
		}
	}
	description, err := plain.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		t.Fatal(err)
	}
	capacity := description.Table.ProvisionedThroughput
	if read, written := aws.ToInt64(capacity.ReadCapacityUnits), aws.ToInt64(capacity.WriteCapacityUnits); read != 3 ||
		written != 4 {
		t.Errorf("capacity %d and %d; want 3 and 4", read, written)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	if got, want := mustLoad(t).Table(),
		(dynamostore.Table{Name: "sessions"}).WithDefaults(); !reflect.DeepEqual(got, want) {
		t.Errorf("the default table is %+v; want %+v", got, want)
	}
	cfg := mustLoad(t, withFile(t, `
table:
  name: web
  partition_key: {name: a, prefix: 'b:', suffix: ':c'}
  sort_key: {name: d, prefix: 'e:', suffix: ':f'}
  attributes: {data: g, created_at: h, updated_at: i, ttl: j, expiry: k, version: l, ancestry: m,
    lease_id: n, lease_duration: o, lease_expiry: p, expiry_shard: r, expiry_hour: s}
  expiry_index: {name: by-hour, shards: 7}
  read_capacity: 1
  write_capacity: 2
  tags: {team: web}
  deletion_protection: true
  stream: true
  kms_key: alias/q
  class: STANDARD_INFREQUENT_ACCESS
`))
	want := dynamostore.Table{
		Name:         "web",
		PartitionKey: dynamostore.Key{Name: "a", Prefix: "b:", Suffix: ":c"},
		SortKey:      dynamostore.Key{Name: "d", Prefix: "e:", Suffix: ":f"},
		Attributes: dynamostore.Attributes{
			Data: "g", CreatedAt: "h", UpdatedAt: "i", TTL: "j", Expiry: "k", Version: "l", Ancestry: "m",
			LeaseID: "n", LeaseDuration: "o", LeaseExpiry: "p", ExpiryShard: "r", ExpiryHour: "s",
		},
		ExpiryIndex:  dynamostore.ExpiryIndex{Name: "by-hour", Shards: 7},
		ReadCapacity: 1, WriteCapacity: 2, Tags: map[string]string{"team": "web"}, DeletionProtection: true,
		Stream: true, KMSKey: "alias/q", Class: "STANDARD_INFREQUENT_ACCESS",
	}
	if got := cfg.Table(); !reflect.DeepEqual(got, want) {
		t.Errorf("the table is %+v; want %+v", got, want)
	}
}

// The client of a configuration that says nothing is that of dynamostore.TuneClient.
func TestDefaultClient(t *testing.T) {
	t.Parallel()
	client, err := mustLoad(t, config.With("dynamodb.region", "eu-central-1")).Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, want := client.Options(), dynamodb.New(dynamodb.Options{Region: "eu-central-1"}, dynamostore.TuneClient).Options()
	timeout := func(o dynamodb.Options) time.Duration { return o.HTTPClient.(*awshttp.BuildableClient).GetTimeout() }
	if got.Retryer.MaxAttempts() != want.Retryer.MaxAttempts() || timeout(got) != timeout(want) ||
		got.Region != want.Region || got.BaseEndpoint != nil {
		t.Errorf("attempts %d of %v in %s at %v", got.Retryer.MaxAttempts(), timeout(got), got.Region, got.BaseEndpoint)
	}
	if left := timeAllowed(t, client); left > defaults.OperationTimeout || left < defaults.OperationTimeout/2 {
		t.Errorf("an operation may take %v; want %v", left, defaults.OperationTimeout)
	}
}

func TestTunedClient(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, withFile(t, `
dynamodb:
  region: eu-west-3
  endpoint: http://127.0.0.1:1
  attempt_timeout: 7s
  operation_timeout: 5m
  max_attempts: 3
`))
	client, err := cfg.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o := client.Options()
	if o.Region != "eu-west-3" || aws.ToString(o.BaseEndpoint) != "http://127.0.0.1:1" || o.Retryer.MaxAttempts() != 3 ||
		o.HTTPClient.(*awshttp.BuildableClient).GetTimeout() != 7*time.Second {
		t.Errorf("region %s, endpoint %s, %d attempts", o.Region, aws.ToString(o.BaseEndpoint), o.Retryer.MaxAttempts())
	}
	if left := timeAllowed(t, client); left > 5*time.Minute || left < 4*time.Minute {
		t.Errorf("an operation may take %v; want five minutes", left)
	}
	if attempts := len(attempt(t, client)); attempts != 3 {
		t.Errorf("%d attempts; want 3", attempts)
	}
}

// timeAllowed returns how much time the first attempt of a request has left.
func timeAllowed(t *testing.T, client *dynamodb.Client) time.Duration {
	t.Helper()
	return attempt(t, client)[0]
}

// attempt makes a request that is never answered, and returns how much time each of its attempts had left.
func attempt(t *testing.T, client *dynamodb.Client) []time.Duration {
	t.Helper()
	var mu sync.Mutex
	var left []time.Duration
	_, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String("sessions"),
		Key:       map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "a"}},
	}, anyCredentials,
		func(o *dynamodb.Options) {
			o.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				deadline, _ := r.Context().Deadline()
				left = append(left, time.Until(deadline))
				return nil, errors.New("no answer")
			})
		})
	if err == nil || len(left) == 0 {
		t.Fatalf("%v after %d attempts", err, len(left))
	}
	return left
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// What the SDK finds by itself is used where no key says otherwise.
func TestProfile(t *testing.T) {
	path := write(t, t.TempDir(), "aws", "[profile staging]\nregion = eu-south-2\n[profile other]\nregion = eu-north-1\n")
	t.Setenv("AWS_CONFIG_FILE", path)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", path+".none")
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_PROFILE", "other")
	region := func(options ...config.Option) string {
		client, err := mustLoad(t, options...).Client(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return client.Options().Region
	}
	if got := region(); got != "eu-north-1" {
		t.Errorf("Region %s; want that of AWS_PROFILE", got)
	}
	if got := region(config.With("dynamodb.profile", "staging")); got != "eu-south-2" {
		t.Errorf("Region %s; want that of dynamodb.profile", got)
	}
	if _, err := mustLoad(t, config.With("dynamodb.profile", "missing")).Client(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "dynamodb.profile") {
		t.Errorf("%v; want an error that names dynamodb.profile", err)
	}
	t.Setenv("AWS_PROFILE", "")
	_, err := mustLoad(t).Open(t.Context())
	if !errors.Is(err, dynamostore.ErrNoRegion) || !strings.Contains(err.Error(), "SCSDYNAMO_DYNAMODB_REGION") {
		t.Errorf("%v; want ErrNoRegion, and what to set", err)
	}
}

// A context that has ended ends Open.
func TestOpenHonoursItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cfg := mustLoad(t, config.With("table.create", true), config.With("dynamodb.region", "eu-central-1"),
		config.With("dynamodb.endpoint", "http://127.0.0.1:1"), config.WithClientOptions(anyCredentials))
	if _, err := cfg.Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want context.Canceled", err)
	}
}

func TestOptionsOfOpenWin(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, config.WithDir(t.TempDir()), config.With("driver", "bolt"))
	var seen []string
	store, err := cfg.Open(t.Context(), sessionstore.WithObserver(func(_ context.Context, e sessionstore.Event) {
		seen = append(seen, e.Operation)
	}))
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, store)
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	if !slices.Contains(seen, "commit") {
		t.Errorf("the observer has seen %v", seen)
	}
}
