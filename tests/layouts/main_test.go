package layouts_test

import (
	"flag"
	"os"
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

func TestMain(m *testing.M) {
	// Each pair takes some hundred calls, and the rule by which pairs are told apart has a faster test beside it. More
	// of them: -rapid.checks=100
	if err := flag.Set("rapid.checks", "15"); err != nil {
		panic(err)
	}
	os.Exit(dynamotest.Main(m))
}
