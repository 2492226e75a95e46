package dynamostore

import (
	"log/slog"
	"net"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// warnCleartext logs that what is stored goes to another machine for all to read on the way.
func warnCleartext(table string, o dynamodb.Options) {
	endpoint, err := url.Parse(aws.ToString(o.BaseEndpoint))
	if err != nil {
		return
	}
	plain := endpoint.Host == "" && o.EndpointOptions.DisableHTTPS // AWS's own
	if plain || strings.EqualFold(endpoint.Scheme, "http") && !isThisMachine(endpoint.Hostname()) {
		slog.Warn("dynamostore: sessions go to another machine in clear; use an https endpoint", "table", table)
	}
}

func isThisMachine(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
