package loopback_test

import (
	"testing"

	"github.com/scsdynamo/scsdynamo/internal/loopback"
)

func TestHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost": true, "localhost.": true, "db.localhost": true, "127.0.0.1": true,
		"127.9.9.9": true, "::1": true,
		"": false, "10.0.0.1": false, "notlocalhost": false, "localhost.example.com": false, "dynamodb": false,
		"0.0.0.0": false,
	} {
		if got := loopback.Host(host); got != want {
			t.Errorf("%q is this machine: %v", host, got)
		}
	}
}
