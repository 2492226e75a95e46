package dynamostore_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

// childTable tells the test binary that it is the second process of TestI4_KillNine, and on which table.
const childTable = "DYNAMOSTORE_TEST_TABLE"

func TestMain(m *testing.M) {
	if table := os.Getenv(childTable); table != "" {
		fmt.Fprintln(os.Stderr, commitForEver(table))
		os.Exit(1)
	}
	code := dynamotest.Main(m)
	if err := checkRights(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
