package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/version"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/gcrunner/operations"
)

// runAgain runs by the schedule until ctx ends, and shows itself over HTTP meanwhile.
func (a *app) runAgain(
	ctx context.Context, cfg *config.Config, driver config.Driver, schedule gcrunner.Schedule, logger *slog.Logger,
) error {
	election, err := electionOf(cfg, driver)
	if err != nil {
		return err
	}
	collector, err := cfg.Collector(driver, func(o *gcrunner.CollectorOptions) {
		o.Logger, o.Election = logger, election
	})
	if err != nil {
		return misconfigured(err)
	}
	runner, err := gcrunner.NewRunner(collector, schedule)
	if err != nil {
		return misconfigured(err)
	}

	// The page is there until the last run has ended: it shows how it ends.
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	served := make(chan error, 1)
	if a.listen == listenNone {
		served <- nil
	} else {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.listen)
		if err != nil {
			return badListen(a.listen, err)
		}
		logger.InfoContext(ctx, "serving status page, probes and metrics", "address", "http://"+listener.Addr().String())
		go func() {
			err := operations.Serve(serving, listener, a.handler(cfg, runner))
			if err != nil {
				end(err) // without its probes, the process looks dead
			}
			served <- err
		}()
	}
	logger.InfoContext(ctx, "collecting", "sessions", place(cfg), "schedule", schedule.String(), "election",
		election != nil,
		"dry_run", text(cfg, "collection.dry_run") == "true", "version", version.Build())
	err = runner.Run(ctx)
	stopServing()
	err = errors.Join(err, <-served)
	logger.InfoContext(ctx, "ended")
	return err
}

// badListen explains why nobody can listen there. An address that is in use may be free later; others are mistakes, and
// may be something else that is in the wrong place.
func badListen(address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("--listen %s: %w", address, err)
	}
	why := "this is no address"
	part, name := (*net.AddrError)(nil), (*net.DNSError)(nil)
	refused := syscall.Errno(0)
	switch {
	case errors.As(err, &part):
		why = part.Err
	case errors.As(err, &refused):
		why = refused.Error()
	case errors.As(err, &name):
		why = "there is no such host or port"
	}
	e := explain.New(explain.Usage, "--listen: "+why, "write --listen HOST:PORT, of this machine, or none")
	e.Err = err
	return e
}

func (a *app) handler(cfg *config.Config, runner *gcrunner.Runner) http.Handler {
	return operations.NewHandler(runner, operations.Options{
		Place: place(cfg), Version: version.Build(), Hosts: a.hosts, Reason: reason, Profiles: a.profiles,
	})
}
