// Command gcrunner deletes sessions that nobody needs any more: once, at an interval, or by a cron expression. Run it
// with --help. Package gcrunner is the same as a library.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // Images from scratch have no time zones.

	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
)

//go:generate go test -run ^TestHelpIsDocumented$ -update .

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends the process at once.
	os.Exit(run(ctx, terminal.New(os.Stdin, os.Stdout, os.Stderr, os.Getenv), os.Args[1:]))
}
