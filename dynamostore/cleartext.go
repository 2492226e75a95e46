package dynamostore

import (
	"log/slog"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/internal/loopback"
)

// warnCleartext logs that what is stored goes to another machine for all to read on the way.
func warnCleartext(table string, o dynamodb.Options) {
	endpoint, err := url.Parse(aws.ToString(o.BaseEndpoint))
	if err != nil {
		return
	}
	plain := endpoint.Host == "" && o.EndpointOptions.DisableHTTPS // AWS's own
	if plain || strings.EqualFold(endpoint.Scheme, "http") && !loopback.Host(endpoint.Hostname()) {
		slog.Warn("dynamostore: sessions go to another machine in clear; use an https endpoint", "table", table)
	}
}
