package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"unicode"
)

// Warning is what is no mistake and should be seen to.
type Warning struct {
	// Problem says what, and where it was set.
	Problem
	// Fix says what to do about it.
	Fix string
}

// String returns the warning in one line.
func (w Warning) String() string { return w.Problem.String() + "; " + w.Fix }

// warnings collects them.
type warnings []Warning

func (w *warnings) add(source Source, key, fix, format string, args ...any) {
	*w = append(*w, Warning{Problem{Source: source, Key: key, Text: fmt.Sprintf(format, args...)}, fix})
}

// Warnings returns what is no mistake and should be seen to: secrets that are weak, files with secrets that others may
// read or change, an endpoint to which everything goes in clear, variables that are not read. It looks at the modes of
// the files, and may be called again. No text has a secret in it.
func (c Config) Warnings() []Warning {
	var found warnings
	if links := c.s.serviceLinks; len(links) > 0 {
		found.add(Source{Kind: FromEnvironment, Name: shorten(links[0], longestName)}, "",
			"set enableServiceLinks: false in the pod, which keeps it out",
			"not read: Kubernetes sets it for a Service whose name begins with scsdynamo%s", andMore(len(links)-1))
	}
	c.warnOfFiles(&found)
	c.warnOfSecrets(&found)
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

// warnOfFiles looks at who may read and change files with secrets.
func (c Config) warnOfFiles(found *warnings) {
	if runtime.GOOS == "windows" { // It has other rights.
		return
	}
	look := func(source Source, key, path string) {
		info, err := os.Stat(path)
		if err != nil {
			return // It was there a moment ago, and what needs it says so.
		}
		switch mode := info.Mode().Perm(); {
		case mode&0o022 != 0:
			found.add(source, key, "chmod 600 "+printable(path), "other users may change %s, and so the secret (mode %04o)", printable(path), mode)
		case mode&0o004 != 0:
			found.add(source, key, "chmod 600 "+printable(path), "every user of this machine may read %s, which has a secret in it (mode %04o)",
				printable(path), mode)
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
		if source := c.s.sources[key]; source.Kind == FromFile {
			look(source, key, source.Name)
		}
	}
}

// warnOfSecrets looks at what the secrets are made of. They are the current one and the previous ones, in this order.
func (c Config) warnOfSecrets(found *warnings) {
	for i, s := range c.s.secrets {
		keys, fix := []string{"secret.current", "secret.current_file"}, "make one with openssl rand -base64 32, and put it in front of this "+
			"one, which then is a previous one until its sessions have ended"
		if i > 0 {
			fix = "take it out when its sessions have ended"
			keys = []string{"secret.previous", "secret.previous_files"}
		}
		key := keys[0]
		if c.s.sources[keys[1]].Kind > c.s.sources[key].Kind {
			key = keys[1]
		}
		if looksWeak(s.bytes()) {
			found.add(c.s.sources[key], key, fix, "the secret does not look random, so it may be guessed")
		}
	}
}

// looksWeak reports whether bytes are hardly random: half of 32 random ones never are the same, and neither are all of
// them text.
func looksWeak(b []byte) bool {
	different := map[byte]bool{}
	for _, one := range b {
		different[one] = true
	}
	isText := !slices.ContainsFunc(b, func(one byte) bool {
		return one > unicode.MaxASCII || one < ' ' && !strings.ContainsRune("\r\n\t", rune(one))
	})
	return isText || len(different) <= min(len(b), 64)/2
}

// warnOfEndpoint looks at where sessions are sent to. The SDK has variables for that, too.
func (c Config) warnOfEndpoint(found *warnings) {
	const key = "dynamodb.endpoint"
	text, source, about := c.text(key), c.s.sources[key], key
	for _, name := range []string{"AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"} {
		if text == "" && c.s.awsEndpoints[name] != "" {
			text, source, about = c.s.awsEndpoints[name], Source{Kind: FromEnvironment, Name: name}, ""
		}
	}
	endpoint, err := url.Parse(text)
	if err != nil || endpoint.Scheme != "http" || isLocal(endpoint.Hostname()) {
		return
	}
	what := "all that is stored goes"
	if len(c.s.secrets) == 0 {
		what = "tokens and all else that is stored go"
	}
	found.add(source, about, "use https", "%s to another machine in clear", what)
}

// isLocal reports whether a host is this machine.
func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
