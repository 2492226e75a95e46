package dynamostore_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

const secretToken = "a-token-that-nobody-may-see-in-a-log-line"

// Each mistake has an error of its own that says what to do, in every operation, and no token in it.
func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	noCredentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no profile, no role")
	})
	for _, test := range []struct {
		name   string
		client func(t *testing.T) *dynamodb.Client
		want   error
		says   []string
	}{
		{
			"no table", func(t *testing.T) *dynamodb.Client { t.Helper(); return appClient(t) },
			dynamostore.ErrTableNotFound,
			[]string{`"no-such-table"`, "us-east-1", "Table.Create"},
		},
		{
			"no credentials", func(t *testing.T) *dynamodb.Client {
				t.Helper()
				return appClient(t, func(o *dynamodb.Options) { o.Credentials = noCredentials })
			},
			dynamostore.ErrCredentials,
			[]string{"AWS_ACCESS_KEY_ID"},
		},
		{
			"empty credentials", func(t *testing.T) *dynamodb.Client {
				t.Helper()
				return appClient(t, func(o *dynamodb.Options) {
					o.Credentials = credentials.NewStaticCredentialsProvider("", "", "")
				})
			},
			dynamostore.ErrCredentials,
			[]string{"AWS_PROFILE"},
		},
		{
			"unreachable", func(t *testing.T) *dynamodb.Client {
				t.Helper()
				return appClient(t, func(o *dynamodb.Options) { o.BaseEndpoint = aws.String("http://" + closedPort(t)) })
			},
			dynamostore.ErrUnreachable,
			[]string{"AWS_ENDPOINT_URL_DYNAMODB"},
		},
		{
			"no answer in time", func(t *testing.T) *dynamodb.Client {
				t.Helper()
				faults := new(dynamotest.Faults)
				for _, operation := range failingOperations {
					faults.TimeOut(operation, 100)
				}
				return appClient(t, faults.Install)
			},
			dynamostore.ErrUnreachable,
			[]string{"network"},
		},
		{
			"access denied", failing(400, "AccessDeniedException"), dynamostore.ErrAccessDenied, []string{"role"},
		},
		{
			"bad signature", failing(400, "InvalidSignatureException"), dynamostore.ErrCredentials, nil,
		},
		{
			"throttled", failing(400, "ThrottlingException"), storage.ErrThrottled, []string{"on-demand"},
		},
		{
			"failed", failing(500, "InternalServerError"), dynamostore.ErrServiceFailed, nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			store, err := dynamostore.New(test.client(t), dynamostore.Table{Name: "no-such-table"})
			if err != nil {
				t.Fatal(err)
			}
			for operation, err := range allOperations(t, store) {
				if !errors.Is(err, test.want) {
					t.Errorf("%s: %v; want %v", operation, err, test.want)
					continue
				}
				var typed *dynamostore.Error
				if !errors.As(err, &typed) || typed.Table != "no-such-table" || typed.Region != "us-east-1" ||
					typed.Operation == "" {
					t.Errorf("%s: no *dynamostore.Error with operation, table and region in %#v", operation, err)
				}
				for _, part := range test.says {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%s: %q does not say %q", operation, err, part)
					}
				}
				if strings.Contains(err.Error(), secretToken) {
					t.Errorf("%s: the token is in the error", operation)
				}
			}
		})
	}
}

// allOperations does each operation once and returns the errors.
func allOperations(t *testing.T, store *sessionstore.Store) map[string]error {
	t.Helper()
	ctx := t.Context()
	results := map[string]error{}
	_, _, results["find"] = store.FindCtx(ctx, secretToken)
	results["commit"] = store.CommitCtx(ctx, secretToken, []byte("data"), time.Now().Add(time.Hour))
	results["delete"] = store.DeleteCtx(ctx, secretToken)
	_, results["all"] = store.AllCtx(ctx)
	scoped, end := store.Begin(ctx)
	defer end()
	results["scoped commit"] = store.CommitCtx(scoped, secretToken, []byte("data"), time.Now().Add(time.Hour))
	return results
}

var failingOperations = []string{"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Scan"}

// failing returns a client whose every attempt is answered so.
func failing(status int, code string) func(t *testing.T) *dynamodb.Client {
	return func(t *testing.T) *dynamodb.Client {
		t.Helper()
		faults := new(dynamotest.Faults)
		for _, operation := range failingOperations {
			faults.Fail(operation, 100, status, code)
		}
		return appClient(t, faults.Install)
	}
}

// closedPort returns an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func TestNewReportsAllProblems(t *testing.T) {
	t.Parallel()
	client := dynamodb.New(dynamodb.Options{})
	_, err := dynamostore.New(client, dynamostore.Table{})
	if !errors.Is(err, dynamostore.ErrNoRegion) || !strings.Contains(err.Error(), "Table.Name") {
		t.Errorf("no region and no name: %v; want both in one error", err)
	}
	if _, err := dynamostore.New(nil, dynamostore.Table{Name: "sessions"}); err == nil {
		t.Error("a nil client was accepted")
	}
	if err := (dynamostore.Table{Name: "sessions"}).Create(t.Context(), client); !errors.Is(err, dynamostore.ErrNoRegion) {
		t.Errorf("create without a region: %v; want ErrNoRegion", err)
	}
}

// Over 400 KB the stored session stays as it is, whichever call would have carried the new one.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	hour := time.Now().Add(time.Hour)
	if err := f.store.CommitCtx(t.Context(), "token", []byte("stored"), hour); err != nil {
		t.Fatal(err)
	}
	check := func(name string, err error) {
		t.Helper()
		var tooLarge *storage.TooLargeError
		if !errors.As(err, &tooLarge) || tooLarge.Limit != 400*1024 || tooLarge.Size <= tooLarge.Limit {
			t.Errorf("%s: %v; want a TooLargeError with both sizes", name, err)
		}
		if data, found, err := f.store.FindCtx(t.Context(), "token"); err != nil || !found || string(data) != "stored" {
			t.Errorf("%s: the stored session is not intact: found %v, %v", name, found, err)
		}
	}
	f.recorder.Reset()
	check("unscoped", f.store.CommitCtx(t.Context(), "token", make([]byte, 400*1024), hour))
	ctx, end := f.store.Begin(t.Context())
	defer end()
	if _, _, err := f.store.FindCtx(ctx, "token"); err != nil {
		t.Fatal(err)
	}
	check("scoped", f.store.CommitCtx(ctx, "token", make([]byte, 400*1024), hour))
	if got := f.recorder.Calls(); got["PutItem"]+got["UpdateItem"] != 0 {
		t.Errorf("calls %v; want none for what is too large", got)
	}
	if err := f.store.CommitCtx(ctx, "token", []byte("small again"), hour); err != nil {
		t.Errorf("a commit after one that was too large: %v", err)
	}
}

// The largest item that DynamoDB takes is taken.
func TestLargestItem(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	ctx, end := f.store.Begin(t.Context())
	defer end()
	low, high := 400*1024-1024, 400*1024
	for high-low > 1 { // low is taken, high is not
		middle := (low + high) / 2
		err := f.store.CommitCtx(ctx, "token", make([]byte, middle), time.Now().Add(time.Hour))
		switch {
		case err == nil:
			low = middle
		case errors.Is(err, storage.ErrTooLarge):
			high = middle
		default:
			t.Fatalf("%d bytes: %v; want success or ErrTooLarge", middle, err)
		}
	}
	if room := 400*1024 - low; room > 256 {
		t.Errorf("%d bytes of data are the most; %d are lost to the item's other attributes", low, room)
	}
}

func TestCorruptItems(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	f.mustPut(t, newRecord("good", "data"))
	f.mustPut(t, newRecord("bad", "data"))
	f.setAttribute(t, "bad", "data", nil)

	if _, _, err := f.store.FindCtx(t.Context(), "bad"); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("find: %v; want ErrCorrupt", err)
	}
	var good, bad int
	for session, err := range f.store.Sessions(t.Context()) {
		switch {
		case errors.Is(err, storage.ErrCorrupt):
			bad++
		case err == nil && session.Token == "good":
			good++
		default:
			t.Errorf("unexpected: %q, %v", session.Token, err)
		}
	}
	if good != 1 || bad != 1 {
		t.Errorf("%d good and %d bad sessions listed; want 1 and 1", good, bad)
	}
	if _, err := f.store.AllCtx(t.Context()); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("all: %v; want ErrCorrupt", err)
	}

	lenient, err := dynamostore.New(f.client, f.table, sessionstore.WithUnreadableAsMiss())
	if err != nil {
		t.Fatal(err)
	}
	if _, found, err := lenient.FindCtx(t.Context(), "bad"); found || err != nil {
		t.Errorf("find as a miss: found %v, %v", found, err)
	}
	if all, err := lenient.AllCtx(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("all as a miss: %d sessions, %v; want 1", len(all), err)
	}
}
