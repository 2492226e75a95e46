package main

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
)

// usage is the error of a command line that is wrong. It repeats no word of it: that may be a token or a secret.
func usage(text, fix string) error { return explain.New(explain.Usage, text, fix) }

const seeHelp = `see "gcrunner --help"`

// noArguments refuses arguments.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Sprintf("it takes no arguments, and has %d", len(args)), seeHelp)
	}
	return nil
}

// flagError is the error of flags that are not understood.
func flagError(_ *cobra.Command, err error) error { return usage(explain.Flag(err), seeHelp) }

// choices are the values that some flags have.
var choices = map[string][]string{
	"output": {outputTable, outputJSON}, "log-format": {logText, logJSON}, "log-level": {"debug", "info", "warn", "error"},
}

// checkFlags checks what is not the configuration's matter.
func (a *app) checkFlags(flags *pflag.FlagSet) error {
	var wrong error
	flags.Visit(func(flag *pflag.Flag) {
		value := flag.Value.String()
		allowed, fixed := choices[flag.Name]
		switch {
		case wrong != nil:
		case strings.TrimSpace(value) == "": // A variable of a script that is not set must not mean the default.
			wrong = usage("--"+flag.Name+" is empty", "give it a value, or leave it out")
		case fixed && !slices.Contains(allowed, value):
			wrong = usage("--"+flag.Name+" must be "+strings.Join(allowed[:len(allowed)-1],
				", ")+" or "+allowed[len(allowed)-1], "")
		}
	})
	if !slices.Contains(choices["output"], a.output) {
		a.output = outputTable
	}
	switch {
	case wrong != nil:
		return wrong
	case a.once && (a.interval != "" || a.schedule != ""):
		return usage("--once together with --interval or --schedule", "leave one of them out")
	}
	for _, host := range a.hosts {
		if err := checkHost(host); err != nil {
			return err
		}
	}
	return nil
}

// hostName is what a browser sends as the name of a host.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

// checkHost refuses what would never be the host of a request.
func checkHost(host string) error {
	if host == "*" || hostName.MatchString(host) {
		return nil
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return nil
	}
	const name = "write the name alone, such as ops.example.com"
	switch {
	case strings.TrimSpace(host) == "":
		return usage("--host is empty", "give it a value, or leave it out")
	case strings.Contains(host, "/"):
		return usage("--host has a scheme or a path", name)
	case strings.Contains(host, "*"):
		return usage("--host is a pattern, and there are none", "repeat --host for each name, or write * for any")
	case strings.Contains(host, ":"):
		return usage("--host has a port, and a name is served at every port", name)
	default:
		return usage("--host is not the name of a host", name+", with the letters that browsers send: a-z, 0-9 and -")
	}
}
