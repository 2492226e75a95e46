package explain_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/storage"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	ofTable := func(kind error) error {
		return fmt.Errorf("within: %w", &dynamostore.Error{
			Operation: "GetItem", Table: "web", Region: "eu",
			Kind: kind, Err: errors.New("cause"),
		})
	}
	_, configuration := config.Load(config.WithEnviron(nil), config.With("driver", "none"), config.With("nonsense", "1"))
	for _, test := range []struct {
		err   error
		kind  explain.Kind
		words string
	}{
		{errors.New("anything"), explain.Failed, "anything"},
		{configuration, explain.Configuration, "2 problems"},
		{dynamostore.ErrNoRegion, explain.Configuration, "no AWS Region"},
		{ofTable(dynamostore.ErrTableNotFound), explain.NotFound, "scsdynamo table create"},
		{ofTable(dynamostore.ErrTableMismatch), explain.Findings, "scsdynamo table verify"},
		{ofTable(dynamostore.ErrAccessDenied), explain.Failed, "dynamodb:GetItem"},
		{ofTable(dynamostore.ErrCredentials), explain.Failed, "AWS_PROFILE"},
		{ofTable(&dynamostore.ThrottledError{}), explain.Unavailable, "capacity"},
		{
			ofTable(&dynamostore.ThrottledError{Limit: "KeyRangeThroughputExceeded"}), explain.Unavailable,
			"more capacity does not help",
		},
		{ofTable(dynamostore.ErrContended), explain.Unavailable, "one Region"},
		{ofTable(dynamostore.ErrUnreachable), explain.Unavailable, "dynamodb.endpoint"},
		{ofTable(dynamostore.ErrServiceFailed), explain.Unavailable, "later"},
		{ofTable(dynamostore.ErrDeletionProtected), explain.Failed, "protection"},
		{ofTable(dynamostore.ErrTableBusy), explain.Unavailable, "ACTIVE"},
		{ofTable(storage.ErrOutcomeUnknown), explain.Unavailable, "not known"},
		{ofTable(context.DeadlineExceeded), explain.Unavailable, "--timeout"},
		{ofTable(context.Canceled), explain.Interrupted, "interrupted"},
		{ofTable(nil), explain.Failed, "cause"},
		{context.Canceled, explain.Interrupted, "interrupted"},
		{context.DeadlineExceeded, explain.Unavailable, "--timeout"},
		{fmt.Errorf("it: %w", boltstore.ErrInUse), explain.Unavailable, "stop that process"},
		{fmt.Errorf("it: %w", boltstore.ErrFull), explain.Unavailable, "no room"},
		{fmt.Errorf("it: %w", boltstore.ErrNotDatabase), explain.Failed, "bbolt"},
		{fmt.Errorf("it: %w", fs.ErrNotExist), explain.NotFound, "it: "},
		{inspect.ErrNotFound, explain.NotFound, "fingerprint"},
		{inspect.ErrAmbiguous, explain.Usage, "more digits"},
		{inspect.ErrFingerprint, explain.Usage, "digits"},
		{fmt.Errorf("it: %w", explain.New(explain.Unconfirmed, "no", "say yes")), explain.Unconfirmed, "say yes"},
	} {
		e := explain.Error(test.err)
		if e.Kind != test.kind || !strings.Contains(e.Error(), test.words) {
			t.Errorf("%v: kind %s, %q; want kind %s with %q", test.err, e.Kind, e.Error(), test.kind, test.words)
		}
		if e.Err != nil && !errors.Is(e, test.err) {
			t.Errorf("%v: the explanation does not match its cause", test.err)
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	e := explain.Error(&dynamostore.MismatchError{Table: "web", Region: "eu", Problems: []string{
		`its partition key is "id", but Table.PartitionKey.Name is "pk"`,
		"TTL is off: turn it on with Table.Create, or in the AWS console",
		"its class is STANDARD, but Table would have another",
	}})
	want := []string{
		`its partition key is "id", but table.partition_key.name is "pk"`,
		`TTL is off: turn it on with "scsdynamo table create", or in the AWS console`,
		"its class is STANDARD, but the configuration would have another",
	}
	if e.Kind != explain.Findings || strings.Join(e.Problems, "\n") != strings.Join(want, "\n") {
		t.Errorf("kind %s, problems %q; want %q", e.Kind, e.Problems, want)
	}
}

// Every field of a table that the configuration can set is called by its key.
func TestInKeysKnowsAllFields(t *testing.T) {
	t.Parallel()
	fields := 0
	for _, key := range keys.All() {
		field, ok := strings.CutPrefix(key.Option, "dynamostore.Table.")
		if !ok || field == "Create" {
			continue
		}
		fields++
		if got := explain.InKeys([]string{"that Table." + field + " is"})[0]; got != "that "+key.Name+" is" {
			t.Errorf("Table.%s: %q; want the key %s", field, got, key.Name)
		}
	}
	if fields < 20 {
		t.Errorf("only %d fields have keys", fields)
	}
}
