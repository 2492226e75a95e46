package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"unicode"
)

// checkFlags checks what is not the configuration's matter, and returns the logger.
func (a *app) checkFlags() (*slog.Logger, error) {
	if a.output != outputTable && a.output != outputJSON {
		wrong := a.output
		a.output = outputTable
		return nil, usage(fmt.Sprintf("--output %q is neither table nor json", wrong), "")
	}
	if a.once && (a.interval != "" || a.schedule != "") {
		return nil, usage("--once together with --interval or --schedule", "leave one of them out")
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return nil, usage(fmt.Sprintf("--log-level %q is neither debug, info, warn nor error", a.logLevel), "")
	}
	switch a.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(a.Err, &slog.HandlerOptions{Level: level})), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.Err, &slog.HandlerOptions{Level: level, ReplaceAttr: printable})), nil
	default:
		return nil, usage(fmt.Sprintf("--log-format %q is neither text nor json", a.logFormat), "")
	}
}

// printable escapes what a terminal may obey. The text handler of slog does so by itself; that for JSON lets control
// characters beyond ASCII through.
func printable(_ []string, attr slog.Attr) slog.Attr {
	text := ""
	switch value := attr.Value.Any().(type) {
	case string:
		text = value
	case error:
		text = value.Error()
	default:
		return attr
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		quoted := strconv.Quote(text)
		text = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	}
	return slog.String(attr.Key, text)
}
