// Package loopback tells this machine from others.
package loopback

import (
	"net"
	"strings"
)

// Host reports whether the host of a URL is this machine, by its address or by a name that is reserved for it
// (RFC 6761).
func Host(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
