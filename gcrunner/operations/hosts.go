package operations

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// anyHost stands for all.
const anyHost = "*"

// privateDomains are those in which no name can be registered.
var privateDomains = []string{".localhost", ".local", ".internal", ".svc"}

// checkHost refuses requests to hosts other than private ones and those of the names.
func checkHost(names []string, next http.Handler) http.Handler {
	if slices.Contains(names, anyHost) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !served(names, r.Host) {
			http.Error(w, "This host is not one of this collector. If it should be, allow it with --host, or "+
				"operations.Options.Hosts.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// served reports whether a host is private, or one of the names.
func served(names []string, host string) bool {
	name := host
	if withoutPort, _, err := net.SplitHostPort(host); err == nil {
		name = withoutPort
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return true
	}
	return !strings.Contains(name, ".") || // or no name at all, which browsers do not do
		slices.ContainsFunc(privateDomains, func(domain string) bool { return strings.HasSuffix(name, domain) }) ||
		slices.ContainsFunc(names, func(ours string) bool {
			return strings.EqualFold(strings.TrimSuffix(ours, "."), name) || strings.EqualFold(ours, host)
		})
}
