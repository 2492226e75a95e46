// Command scsdynamo operates session stores: their configuration, their table, the sessions in it, and whatever keeps
// them from working. Run it with --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends the process at once.
	os.Exit(run(ctx, terminal.New(os.Stdin, os.Stdout, os.Stderr, os.Getenv), os.Args[1:]))
}
