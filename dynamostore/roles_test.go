package dynamostore_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore/iac"
	"github.com/scsdynamo/scsdynamo/tests/iamtest"
)

// rights records what the tests do in each role. TestMain compares it with what the policies grant.
var rights iamtest.Rights

// checkRights is the promise of iac.Policy: what is granted is what is needed. Package iac tests the rest.
func checkRights() error {
	for _, role := range iac.Roles() {
		granted := role.Actions()
		if role == iac.RoleApp { // whose client the tests of iteration have, too
			granted = append(granted, iac.RoleIterator.Actions()...)
		}
		if err := rights.Check(string(role), granted); err != nil {
			return err
		}
	}
	return nil
}

// appClient returns a client for a store. What a test does beside the store has a client of its own.
func appClient(t testing.TB, optFns ...func(*dynamodb.Options)) *dynamodb.Client {
	t.Helper()
	return dynamotest.Client(t, append(optFns, rights.As(string(iac.RoleApp)))...)
}

// adminClient returns a client for the methods of Table.
func adminClient(t testing.TB) *dynamodb.Client {
	t.Helper()
	return dynamotest.Client(t, rights.As(string(iac.RoleAdmin)))
}
