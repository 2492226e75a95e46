package collectbench_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

func TestMain(m *testing.M) { os.Exit(dynamotest.Main(m)) }

// size returns how much is measured: what the environment says, or so little that it takes a few seconds.
func size(t testing.TB, variable string, small int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return small
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is not a number of one or more", variable, text)
	}
	return n
}
