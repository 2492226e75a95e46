package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/scsdynamo/scsdynamo/cmd/internal/doctor"
	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// doctorTimeout is how long an examination takes at most, where --timeout says nothing else.
const doctorTimeout = 30 * time.Second

func (a *app) doctorCommand() *cobra.Command {
	var readOnly bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out what keeps sessions from working, and what to do about it",
		Long: `Look at one thing after the other that sessions need, and say what to do about what is wrong. Run it where the
application runs, as the same user.

On DynamoDB: configuration, secret, region, credentials, endpoint, this machine's clock against that of the service,
table, keys, TTL, index, settings of the table, rights, whether a sample of the sessions opens with the secret,
latency, and a round trip. On bolt: configuration, secret, file, permissions, free space, lock, whether the sessions
open, and a round trip.

It is safe in production, and so is what it says to do: none of that loses a session. The round trip stores a session
of the doctor's own, which nobody can log in with, and deletes it; --read-only leaves it out. Rights are tried by
calls under a condition that does not hold: they change nothing. It costs some 30 calls, and reads up to 300 items. On
bolt, the file must not be open in the application for the last three.

The exit code is 5 where a check has failed. A warning is none.`,
		Example: `  scsdynamo doctor --environment production
  scsdynamo doctor --read-only --output json | jq '.findings[] | select(.status == "fail")'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context(), readOnly) },
	}
	cmd.Flags().BoolVar(&readOnly, "read-only", false, "leave out the round trip, the only check that writes")
	return cmd
}

// examined is the result of doctor.
type examined struct {
	Findings []doctor.Finding `json:"findings"`
	Failures int              `json:"failures"`
	Warnings int              `json:"warnings"`
}

func (a *app) doctor(ctx context.Context, readOnly bool) error {
	if a.timeout == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, doctorTimeout)
		defer cancel()
	}
	var probe doctor.Probe
	cfg, err := a.load(config.WithClientOptions(probe.Install))
	if err != nil {
		return err
	}
	result := examined{Findings: []doctor.Finding{}}
	settings := doctor.Settings{
		Source: describeConfig(cfg), Warnings: cfg.Warnings(), Sealed: sealed(cfg), Rotating: rotating(cfg),
		ReadOnly: readOnly,
		Outdated: rotating(cfg) && outdated(cfg), Context: text(cfg, "secret.context") != "",
		SealedSince: instantOf(cfg, "secret.sealed_since"),
	}
	var writing error
	report := func(finding doctor.Finding) {
		result.add(finding)
		if a.output != outputJSON && writing == nil {
			writing = a.printFinding(finding)
		}
	}
	if onBolt(cfg) {
		boltPatient(cfg).Examine(ctx, settings, report)
	} else if err := examineTable(ctx, cfg, &probe, settings, report); err != nil {
		return err
	}
	if err := errors.Join(ctx.Err(), writing); err != nil {
		return err
	}
	summary := fmt.Sprintf("%s, %s", terminal.Count(int64(result.Failures), "failure", "failures"),
		terminal.Count(int64(result.Warnings), "warning", "warnings"))
	if err := a.print(result, "", summary); err != nil {
		return err
	}
	if result.Failures > 0 {
		return explain.New(explain.Findings,
			"the doctor has found "+terminal.Count(int64(result.Failures), "failure", "failures"), "")
	}
	return nil
}

func (e *examined) add(finding doctor.Finding) {
	e.Findings = append(e.Findings, finding)
	switch finding.Status {
	case doctor.Fail:
		e.Failures++
	case doctor.Warn:
		e.Warnings++
	}
}

// printFinding prints a finding as a person reads it.
func (a *app) printFinding(finding doctor.Finding) error {
	style := map[doctor.Status]terminal.Style{
		doctor.OK: terminal.Good, doctor.Warn: terminal.Warning, doctor.Fail: terminal.Bad, doctor.Skipped: terminal.Faint,
	}[finding.Status]
	err := a.Print("%s  %-13s  %s", a.Paint(fmt.Sprintf("%-7s", finding.Status), style), finding.Check, finding.Detail)
	if finding.Fix != "" && err == nil {
		err = a.Print("%24s%s", "", a.Paint("to do: "+finding.Fix, terminal.Strong))
	}
	return err
}

// boltPatient is the file to be examined.
func boltPatient(cfg *config.Config) doctor.Bolt {
	return doctor.Bolt{
		Path: text(cfg, "bolt.path"),
		Open: func(ctx context.Context) (storage.Driver, error) { return openDriver(ctx, cfg) },
		Store: func(driver storage.Driver) (*sessionstore.Store, *inspect.Sessions, error) {
			store, err := storeOf(cfg)(driver)
			if err != nil {
				return nil, nil, err
			}
			sessions, err := inspect.New(driver, storeOf(cfg), sealed(cfg))
			return store, sessions, err
		},
	}
}

// examineTable examines a store on DynamoDB.
func examineTable(
	ctx context.Context, cfg *config.Config, probe *doctor.Probe, settings doctor.Settings, report func(doctor.Finding),
) error {
	client, err := cfg.Client(ctx)
	if err != nil {
		doctor.Unreachable(settings, err, report)
		return nil
	}
	driver, err := dynamostore.NewDriver(client, cfg.Table())
	if err != nil {
		return err
	}
	store, err := storeOf(cfg)(driver)
	if err != nil {
		return err
	}
	sessions, err := inspect.New(driver, storeOf(cfg), sealed(cfg))
	if err != nil {
		return err
	}
	doctor.DynamoDB{
		Client: client, Probe: probe, Table: cfg.Table(), Driver: driver, Store: store, Sessions: sessions,
	}.Examine(ctx, settings, report)
	return nil
}
