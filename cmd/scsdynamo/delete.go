package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
)

// deletion is sessions delete.
type deletion struct {
	*app
	expired, all, yes, dryRun bool
	confirmed                 *string // what --confirm repeats
}

func (a *app) sessionsDeleteCommand() *cobra.Command {
	var confirm, of string
	d := &deletion{app: a}
	cmd := &cobra.Command{
		Use:   "delete [SESSION...] | --owner INDEX=NAME | --expired | --all",
		Short: "Delete sessions: these, those of an owner, the expired ones, or all",
		Long: `Delete sessions: those that are named, at once and whoever uses them; all of one owner; all that have expired; or
all, and everybody is logged out. On a terminal it asks before live sessions are deleted. Anywhere else, those that are
named, and those of an owner, need --yes, and nothing is done without it.

With --owner, one user, or whatever else owns sessions, is logged out everywhere: when it has returned, no session of
theirs that began before is accepted, and logins that were under way are refused. It needs no scan of the table.
` + ownerDoc + `

With --all, it says which table, region, account, endpoint and prefix that is, and how many sessions, and the name of
the table is asked for; on bolt, the path of the file. Anywhere but on a terminal, --confirm with that name is needed:
without it nothing is done, and it says what it would have done. --yes does not do. Sessions that are sealed with
another secret or for another application are left, and so are unsealed ones where there is a secret.

SESSION is a token, a storage key or a fingerprint: see "scsdynamo sessions --help". - reads one from standard input.

With --expired, a session is deleted only if it is still as it was read: one that was renewed meanwhile stays. That
needs no confirmation, as long as this machine's clock is right: collection.grace of the configuration leaves room.
The budgets collection.read_units and collection.write_units hold, too.`,
		Example: `  scsdynamo sessions delete sha256:5e884898da28 --yes
  scsdynamo sessions delete --owner user=alice --yes
  scsdynamo sessions delete --expired --dry-run
  scsdynamo sessions delete --expired --set collection.write_units=25
  scsdynamo sessions delete --all --dry-run
  scsdynamo sessions delete --all --confirm sessions-staging --environment staging`,
		Annotations:       map[string]string{namesSessions: "yes"},
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			ofOwner, ways := cmd.Flags().Changed("owner"), 0
			for _, way := range []bool{len(args) > 0, ofOwner, d.expired, d.all} {
				if way {
					ways++
				}
			}
			switch {
			case ways == 0:
				return usage(cmd, "name the sessions to delete, or choose --owner, --expired or --all")
			case ways > 1:
				return usage(cmd, "name sessions, or choose --owner, --expired, or --all: one of them")
			case d.dryRun && !d.expired && !d.all:
				return usage(cmd, "--dry-run is for --expired and --all")
			case cmd.Flags().Changed("confirm") && !d.all:
				return usage(cmd, "--confirm is for --all")
			}
			if cmd.Flags().Changed("confirm") {
				d.confirmed = &confirm
			}
			if ofOwner {
				name, err := ownerOf(cmd, of)
				if err != nil {
					return err
				}
				return d.owned(cmd.Context(), name)
			}
			return d.run(cmd.Context(), args)
		},
	}
	ownerFlag(cmd, &of, "delete all sessions of this owner")
	cmd.Flags().BoolVar(&d.expired, "expired", false, "delete all sessions that have expired")
	cmd.Flags().BoolVar(&d.dryRun, "dry-run", false,
		"with --expired or --all: count what would be deleted, and delete nothing")
	cmd.Flags().BoolVar(&d.all, "all", false, "delete all sessions: everybody is logged out")
	cmd.Flags().BoolVar(&d.yes, "yes", false, "do not ask before sessions that are named, or an owner's, are deleted")
	cmd.Flags().StringVar(&confirm, "confirm", "",
		"with --all: the `NAME` of the table, exactly; on bolt, the path of the file")
	return cmd
}

func (d *deletion) run(ctx context.Context, names []string) (err error) {
	sessions, err := d.sessions(ctx)
	if err != nil {
		return err
	}
	defer sessions.close(&err)
	ctx, used := metered(ctx)
	switch {
	case d.expired:
		err = d.collect(ctx, sessions)
	case d.all:
		err = d.everything(ctx, sessions)
	default:
		err = d.named(ctx, sessions, names)
	}
	if err == nil {
		d.consumed(used)
	}
	return err
}

// deleted is the result of sessions delete.
type deleted struct {
	Deleted int `json:"deleted"`
}

// confirm asks, or reports that nothing is done.
func (d *deletion) confirm(ctx context.Context, nothing, question string) error {
	if d.yes {
		return nil
	}
	refused := explain.New(explain.Unconfirmed, nothing, "confirm it with --yes")
	if !d.Asks {
		return refused
	}
	answer, err := d.Ask(ctx, question+" [y/N]")
	if err != nil {
		return err
	}
	if answer = strings.ToLower(answer); answer != "y" && answer != "yes" {
		return refused
	}
	return nil
}

// named deletes the sessions of these names, all or, where one cannot be found, none.
func (d *deletion) named(ctx context.Context, sessions *opened, names []string) error {
	all, err := d.find(ctx, sessions, names...)
	if err != nil {
		e, which := explain.Error(err), (*inspect.NameError)(nil)
		if errors.As(err, &which) && len(names) > 1 { // A name may be a token, so it is not repeated.
			e.Text = fmt.Sprintf("nothing was deleted, because of the session that is named as number %d: %s",
				which.Index+1, e.Text)
		}
		return e
	}
	seen := map[string]bool{} // Two names may be of one session.
	all = slices.DeleteFunc(all, func(found inspect.Found) bool {
		twice := seen[found.Record.Key]
		seen[found.Record.Key] = true
		return twice
	})
	if now := time.Now(); !d.yes && d.Asks {
		for _, found := range all {
			report := sessions.reportOf(found, now)
			d.Say("%s: %s, updated %s", report.Session, report.Status, terminal.From(now, report.UpdatedAt))
		}
	}
	if err := d.confirm(ctx, "nothing was deleted", "Delete "+plural(len(all))+"?"); err != nil {
		return err
	}
	for i, found := range all {
		if err := sessions.Delete(ctx, found); err != nil {
			return partly(i, err)
		}
	}
	return d.print(deleted{len(all)}, "deleted "+plural(len(all)))
}

// emptied is the result of sessions delete --all.
type emptied struct {
	DryRun  bool   `json:"dry_run"`
	Deleted int    `json:"deleted"`
	Left    int    `json:"left,omitempty"` // in a dry run: of another application or secret
	Of      string `json:"of"`
}

func (d *deletion) everything(ctx context.Context, sessions *opened) error {
	expected := d.cost(ctx, sessions.cfg)
	target, err := targetOf(ctx, sessions.cfg)
	if err != nil {
		return err
	}
	if d.confirmed == nil || *d.confirmed != target.name || d.dryRun {
		if confirmed, err := d.confirmAll(ctx, sessions, target, expected); err != nil || !confirmed {
			return err
		}
	} else {
		d.note("this deletes all sessions of %s", target.text)
	}
	progress := d.NewProgress("deleting", expected)
	n, err := sessions.DeleteAll(ctx, func(n int) { progress.Set(int64(n)) })
	progress.Done()
	if err != nil {
		return partly(n, err)
	}
	return d.print(emptied{false, n, 0, target.text}, fmt.Sprintf("deleted %s of %s", plural(n), target.text))
}

// confirmAll says what would be deleted, and reports whether it is to be.
func (d *deletion) confirmAll(ctx context.Context, sessions *opened, target target, expected int64) (bool, error) {
	progress := d.NewProgress("counting", expected)
	would, err := sessions.WouldDelete(ctx, time.Now(), func(w inspect.Deletion) { progress.Set(int64(w.Deleted)) })
	progress.Done()
	if err != nil {
		return false, err
	}
	what := fmt.Sprintf("%s of %s, %d of them live", plural(would.Deleted), target.text, would.Live)
	if would.Left > 0 {
		what += fmt.Sprintf("; %s of another application or secret would be left", plural(would.Left))
	}
	if d.dryRun {
		return false, d.print(emptied{true, would.Deleted, would.Left, target.text}, "would delete "+what)
	}
	if d.confirmed == nil && d.Asks {
		d.Say("This deletes %s. Everybody is logged out.", what)
		answer, err := d.Ask(ctx, "Type "+target.name+" to delete them:")
		if err != nil || answer == target.name {
			return err == nil, err
		}
	}
	return false, explain.New(explain.Unconfirmed, "nothing was deleted; it would have been "+what,
		"to delete them, and log everybody out, add: "+target.confirm())
}

// collected is the result of sessions delete --expired.
type collected struct {
	DryRun     bool    `json:"dry_run"`
	Deleted    int     `json:"deleted"`
	Scanned    int     `json:"scanned"`
	Renewed    int     `json:"renewed"`
	Leased     int     `json:"leased"`
	Unreadable int     `json:"unreadable"`
	ReadUnits  float64 `json:"read_units"`
	WriteUnits float64 `json:"write_units"`
}

func (d *deletion) collect(ctx context.Context, sessions *opened) error {
	progress := d.NewProgress("looking for expired sessions", d.cost(ctx, sessions.cfg))
	rules := gcrunner.Rules{Expired: true, Grace: sessions.cfg.Rules().Grace}
	collector, err := gcrunner.NewCollector(sessions.driver, rules, gcrunner.CollectorOptions{
		Source:   gcrunner.SourceScan, // an index would leave the last hour out
		Progress: func(r gcrunner.Report) { progress.Set(int64(r.Scanned)) },
		DryRun:   d.dryRun,
		Budget: gcrunner.Budget{
			ReadUnits: budget(sessions.cfg, "collection.read_units"), WriteUnits: budget(sessions.cfg, "collection.write_units"),
		},
	})
	if err != nil {
		progress.Done()
		return err
	}
	r, err := collector.Run(ctx)
	progress.Done()
	if err != nil {
		return partly(r.Total(), err)
	}
	if err := ctx.Err(); r.Stopped == gcrunner.Canceled && err != nil {
		return partly(r.Total(), err)
	}
	result := collected{
		d.dryRun, r.Total(), r.Scanned, r.Conflicts, r.Leased, r.Unreadable, r.ReadUnits, r.WriteUnits,
	}
	done := "deleted "
	if d.dryRun {
		done = "would delete "
	}
	parts := []string{fmt.Sprintf("%s%s of %d that were looked at", done, plural(result.Deleted), result.Scanned)}
	for _, left := range []struct {
		n   int
		why string
	}{{result.Renewed, "renewed meanwhile"}, {result.Leased, "in use by a request"}, {result.Unreadable, "unreadable"}} {
		if left.n > 0 {
			parts = append(parts, fmt.Sprintf("left %d %s", left.n, left.why))
		}
	}
	return d.print(result, strings.Join(parts, "; "))
}

// partly is an error that says how much was done before it.
func partly(deleted int, err error) error {
	e := explain.Error(err)
	e.Text = plural(deleted) + " deleted, then: " + e.Text
	return e
}

// budget returns a number of units per second, 0 where it is not set.
func budget(cfg *config.Config, key string) float64 {
	units, _ := strconv.ParseFloat(text(cfg, key), 64)
	return units
}
