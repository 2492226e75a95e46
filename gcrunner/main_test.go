package gcrunner_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

// childTable tells the test binary that it is the second process of TestSafetyKilled, and on which table.
const childTable = "GCRUNNER_TEST_TABLE"

func TestMain(m *testing.M) {
	if table := os.Getenv(childTable); table != "" {
		fmt.Fprintln(os.Stderr, collectForEver(table))
		os.Exit(1)
	}
	os.Exit(dynamotest.Main(m))
}
