package dynamostore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// says answers with an error of DynamoDB's, with whatever belongs to it.
func says(status int, code string, more map[string]any) proxyFault {
	return func(w http.ResponseWriter, _ func() (*http.Response, []byte)) {
		body := map[string]any{"__type": "com.amazonaws.dynamodb.v20120810#" + code}
		maps.Copy(body, more)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
}

// Throttling says why, where DynamoDB does, and advises what fits.
func TestThrottlingSaysWhy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code, reason string
		want         dynamostore.ThrottledError
		advice       string
		notAdvice    string
	}{
		{
			"ThrottlingException", "TableWriteKeyRangeThroughputExceeded",
			dynamostore.ThrottledError{Limit: "KeyRangeThroughputExceeded"},
			"one session", "on-demand",
		},
		{
			"ProvisionedThroughputExceededException", "TableReadProvisionedThroughputExceeded",
			dynamostore.ThrottledError{Limit: "ProvisionedThroughputExceeded"},
			"on-demand", "",
		},
		{
			"ProvisionedThroughputExceededException", "IndexWriteProvisionedThroughputExceeded",
			dynamostore.ThrottledError{Limit: "ProvisionedThroughputExceeded", Index: true},
			"an index", "",
		},
		{
			"ThrottlingException", "IndexWriteKeyRangeThroughputExceeded",
			dynamostore.ThrottledError{Limit: "KeyRangeThroughputExceeded", Index: true},
			"shards", "on-demand",
		},
		{
			"ThrottlingException", "TableWriteMaxOnDemandThroughputExceeded",
			dynamostore.ThrottledError{Limit: "MaxOnDemandThroughputExceeded"},
			"maximum throughput that was set", "make the table on-demand",
		},
		{
			"RequestLimitExceeded", "TableWriteAccountLimitExceeded",
			dynamostore.ThrottledError{Limit: "AccountLimitExceeded"},
			"quota of the account", "make the table on-demand",
		},
	} {
		t.Run(test.reason, func(t *testing.T) {
			t.Parallel()
			f, p := newProxyFixture(t)
			field := "ThrottlingReasons"
			if test.code == "ThrottlingException" {
				field = "throttlingReasons"
			}
			fault := says(400, test.code, map[string]any{field: []map[string]string{
				{"reason": "SomethingNew"}, {
					"reason":   test.reason,
					"resource": "arn:aws:dynamodb:eu-west-1:123456789012:table/sessions",
				},
			}})
			for _, operation := range []string{"PutItem", "GetItem"} {
				p.strike(operation, 100, fault)
			}
			_, _, read := f.driver.Get(t.Context(), "key", storage.Strong)
			for operation, err := range map[string]error{
				"put": f.driver.Put(t.Context(), newRecord("key", "data"), storage.Always()), "get": read,
			} {
				var throttled *dynamostore.ThrottledError
				if !errors.As(err, &throttled) || *throttled != test.want || !errors.Is(err, storage.ErrThrottled) ||
					!errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrOutcomeUnknown) {
					t.Errorf("%s: %v; want a *ThrottledError %+v", operation, err, test.want)
				}
				if text := fmt.Sprint(err); !strings.Contains(text, test.advice) ||
					test.notAdvice != "" && strings.Contains(text, test.notAdvice) {
					t.Errorf("%s: %q; want %q in it, and not %q", operation, text, test.advice, test.notAdvice)
				}
			}
		})
	}
}

// A conflict between Regions, or with a transaction, goes away by itself. It is repeated also by a client without our
// options.
func TestContendedWriteIsRepeated(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"ReplicatedWriteConflictException", "TransactionConflictException"} {
		for _, write := range writes {
			f := newFixture(t, dynamostore.Table{})
			stored := newLeased("key")
			f.mustPut(t, stored)
			f.faults.Fail(write.operation, 2, 400, code)
			ctx, count := recovered(t.Context())
			if err := write.do(ctx, f.driver, stored); err != nil || count() != 0 {
				t.Errorf("%s, %s twice: %v, %d recovered; want nil, 0", write.name, code, err, count())
			}
		}
		f := newFixture(t, dynamostore.Table{})
		f.faults.Fail("BatchWriteItem", 2, 400, code)
		if err := f.driver.DeleteBatch(t.Context(), []string{"key"}); err != nil {
			t.Errorf("batch, %s twice: %v; want nil", code, err)
		}
	}
}
