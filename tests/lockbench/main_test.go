package lockbench_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(childStrategy); name != "" {
		if err := child(name, os.Getenv(childTable), os.Getenv(childToken), os.Getenv(childNumber), os.Stdin,
			os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(dynamotest.Main(m))
}
