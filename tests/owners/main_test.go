package owners_test

import (
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // refused requests are what the tests make
	if text := os.Getenv(childSetup); text != "" {
		if err := serve(text, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(dynamotest.Main(m))
}
