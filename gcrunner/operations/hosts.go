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

// WithHosts refuses requests to foreign hosts: a website must not make browsers read these pages by giving its own name
// the address of this process (DNS rebinding). Hosts that no website can have are always served: addresses, localhost,
// names without a dot, and names under .localhost, .local, .internal and .svc. So probes, port forwarding and the names
// of services in a cluster work. names are further hosts to serve, such as that of a proxy that passes on its own name,
// or service.namespace; "*" stands for all. Default: every host is served.
func WithHosts(names ...string) Option {
	return func(h *handler) { h.hosts = &hosts{names} }
}

// hosts are those that are served.
type hosts struct{ names []string }

// privateDomains are those that nobody can register a name in.
var privateDomains = []string{".localhost", ".local", ".internal", ".svc"}

func (h *hosts) check(next http.Handler) http.Handler {
	if h == nil || slices.Contains(h.names, anyHost) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.ours(r.Host) {
			http.Error(w, "This host is not one of this collector. If it should be, allow it with --host, or operations.WithHosts.",
				http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (h *hosts) ours(host string) bool {
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
		slices.ContainsFunc(h.names, func(ours string) bool { return strings.EqualFold(ours, name) || strings.EqualFold(ours, host) })
}
