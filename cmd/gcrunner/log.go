package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"
)

const (
	logText = "text"
	logJSON = "json"
)

// newLogger returns the logger that the flags ask for, and its level. A program that reads the result of a single run
// as JSON reads lines of JSON on standard error, too.
func (a *app) newLogger() (*slog.LevelVar, *slog.Logger) {
	level := &slog.LevelVar{}
	_ = level.UnmarshalText([]byte(a.logLevel)) // It was checked.
	if a.logFormat == logJSON || a.output == outputJSON {
		return level, slog.New(slog.NewJSONHandler(a.Err, &slog.HandlerOptions{Level: level, ReplaceAttr: printable}))
	}
	return level, slog.New(slog.NewTextHandler(a.Err, &slog.HandlerOptions{Level: level}))
}

// logClient makes the AWS SDK log as everything else does.
func logClient(o *dynamodb.Options) {
	o.Logger = logging.LoggerFunc(func(kind logging.Classification, format string, values ...any) {
		level := slog.LevelDebug
		if kind == logging.Warn {
			level = slog.LevelWarn
		}
		slog.Log(context.Background(), level, fmt.Sprintf(format, values...))
	})
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
