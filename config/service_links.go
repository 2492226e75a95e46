package config

import (
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"

	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// serviceLink is what Kubernetes calls the variables that tell each container of a namespace about a Service, here one
// whose name begins with ours, and Docker those about a container that is linked.
// https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
var serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_PROTO|_PORT|_ADDR)?)$`)

// takeServiceLinks takes the variables out that are about a Service, and returns their names. They are told by both
// name and value: what somebody has set by mistake stays.
func takeServiceLinks(ours map[string]string) []string {
	var links []string
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		if _, isKey := keys.OfVariable(name); isKey || !isServiceLink(name, ours[name]) {
			continue
		}
		links = append(links, name)
		delete(ours, name)
	}
	return links
}

func isServiceLink(name, value string) bool {
	match := serviceLink.FindStringSubmatch(name)
	if match == nil {
		return false
	}
	if isProtocol(value) || net.ParseIP(value) != nil {
		return true
	}
	if _, err := strconv.ParseUint(value, 10, 16); err == nil {
		return match[1] != "PORT" // That one is a URL.
	}
	address, err := url.Parse(value)
	return err == nil && isProtocol(address.Scheme) && address.Port() != ""
}

func isProtocol(text string) bool { return text == "tcp" || text == "udp" || text == "sctp" }
