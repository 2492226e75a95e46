package stream_test

import (
	"os"
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

func TestMain(m *testing.M) { os.Exit(dynamotest.Main(m)) }
