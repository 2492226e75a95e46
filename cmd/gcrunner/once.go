package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/storage"
)

// runOnce makes one run, with its progress on a terminal, and prints its report.
func (a *app) runOnce(ctx context.Context, cfg *config.Config, driver config.Driver, logger *slog.Logger) error {
	progress := a.newProgress()
	election, err := electionOf(cfg, driver)
	if err != nil {
		return err
	}
	collector, err := cfg.Collector(driver, func(o *gcrunner.CollectorOptions) {
		o.Progress, o.Election, o.Logger = progress.tell, election, logger
	})
	if err != nil {
		return misconfigured(err)
	}
	report, err := collector.Run(ctx)
	progress.done()
	if !a.quiet && !errors.Is(err, gcrunner.ErrNotElected) && (err == nil || report.Scanned > 0 || report.Throttles > 0) {
		err = errors.Join(err, a.printReport(report))
	}
	return outcome(report, err)
}

// electionOf returns the election, nil for none. A dry run has none: it writes nothing, and the election is a record.
func electionOf(cfg *config.Config, driver storage.Driver) (*gcrunner.Election, error) {
	if text(cfg, "collection.dry_run") == "true" {
		return nil, nil //nolint:nilnil // None is what a dry run needs.
	}
	election, err := cfg.Election(driver)
	if err != nil {
		return nil, misconfigured(err)
	}
	return election, nil
}
