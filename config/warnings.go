package config

import (
	"fmt"
	"net/url"

	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/internal/loopback"
	"github.com/scsdynamo/scsdynamo/internal/plainfile"
)

func (p *problems) warn(source Source, key, fix, format string, args ...any) {
	*p = append(*p, Problem{Source: source, Key: key, Text: fmt.Sprintf(format, args...), Fix: fix})
}

// Warnings returns what is allowed but should be changed: files with secrets that others may read, an endpoint that is
// called without TLS, variables that are not read. Each has a Fix. It looks at the modes of the files each time.
func (c Config) Warnings() []Problem {
	var found problems
	if links := c.s.serviceLinks; len(links) > 0 {
		found.warn(Source{Kind: fromEnvironment, Name: keys.Shorten(links[0], keys.LongestName)}, "",
			"set enableServiceLinks: false in the pod, which keeps it out",
			"not read: Kubernetes sets it for a Service whose name begins with scsdynamo%s", andMore(len(links)-1))
	}
	c.warnOfFiles(&found)
	c.warnOfEndpoint(&found)
	return found
}

// secretKeys are the keys that hold secrets, and those that name files with secrets.
var (
	secretTextKeys = []string{"secret.current", "secret.previous"}
	secretFileKeys = []string{"secret.current_file", "secret.previous_files"}
)

func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", and %d more", n)
}

// warnOfFiles warns of files with secrets that other users may read. Load refuses those that they may change.
func (c Config) warnOfFiles(found *problems) {
	look := func(source Source, key, path string) {
		others, err := plainfile.OthersOf(path)
		if err == nil && others.Read { // Where it is gone by now, what needs it says so.
			found.warn(source, key, "chmod 600 "+keys.Printable(path),
				"every user of this machine may read %s, which has a secret in it", keys.Printable(path))
		}
	}
	for _, key := range secretFileKeys {
		value := c.s.values.Get(key)
		paths, _ := value.([]string)
		if path, ok := value.(string); ok {
			paths = []string{path}
		}
		for _, path := range paths {
			look(c.s.sources[key], key, resolve(c.s.dir, path))
		}
	}
	for _, key := range secretTextKeys {
		if source := c.s.sources[key]; source.Kind == fromFile {
			look(source, key, source.Name)
		}
	}
}

// warnOfEndpoint looks at where sessions are sent to. The SDK has variables for that, too.
func (c Config) warnOfEndpoint(found *problems) {
	const key = "dynamodb.endpoint"
	text, source, about := c.text(key), c.s.sources[key], key
	for _, name := range []string{"AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"} {
		if text == "" && c.s.awsEndpoints[name] != "" {
			text, source, about = c.s.awsEndpoints[name], Source{Kind: fromEnvironment, Name: name}, ""
		}
	}
	endpoint, err := url.Parse(text)
	if err != nil || endpoint.Scheme != "http" || loopback.Host(endpoint.Hostname()) {
		return
	}
	what := "all that is stored goes"
	if len(c.s.secrets) == 0 {
		what = "tokens and all else that is stored go"
	}
	found.warn(source, about, "use https", "%s to another machine in clear", what)
}
