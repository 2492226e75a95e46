package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/gcrunner/operations"
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
	options := &slog.HandlerOptions{Level: level}
	switch a.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(a.Err, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.Err, options)), nil
	default:
		return nil, usage(fmt.Sprintf("--log-format %q is neither text nor json", a.logFormat), "")
	}
}

// runAgain runs by the schedule until ctx ends, and shows itself over HTTP meanwhile.
func (a *app) runAgain(
	ctx context.Context, cfg *config.Config, driver config.Driver, schedule gcrunner.Schedule, logger *slog.Logger,
) error {
	collector, err := cfg.Collector(driver)
	if err != nil {
		return misconfigured(err)
	}
	options := []gcrunner.RunnerOption{gcrunner.WithLogger(logger)}
	election, err := electionOf(cfg, driver)
	if err != nil {
		return err
	}
	if election != nil {
		options = append(options, gcrunner.WithRunnerElection(election))
	}
	runner, err := gcrunner.NewRunner(collector, schedule, options...)
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
			return fmt.Errorf("--listen %s: %w", a.listen, err)
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
	logger.InfoContext(ctx, "collecting", "sessions", place(cfg), "schedule", schedule.String(), "election", election != nil,
		"dry_run", text(cfg, "collection.dry_run") == "true", "version", buildVersion())
	err = runner.Run(ctx)
	stopServing()
	err = errors.Join(err, <-served)
	logger.InfoContext(ctx, "ended")
	return err
}

func (a *app) handler(cfg *config.Config, runner *gcrunner.Runner) http.Handler {
	options := []operations.Option{operations.WithPlace(place(cfg)), operations.WithVersion(buildVersion())}
	if a.profiles {
		options = append(options, operations.WithProfiles())
	}
	return operations.NewHandler(runner, options...)
}
