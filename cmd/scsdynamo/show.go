package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
)

func (a *app) sessionsShowCommand() *cobra.Command {
	var showToken, values bool
	cmd := &cobra.Command{
		Use:   "show SESSION",
		Short: "Show one session",
		Long: `Show one session, expired ones included: when it was created, written and will end, its size, its version and its
lease. With --values, also what the application has put into it, as far as the codec is that of scs (gob) and the
types are known here.

SESSION is its token, its storage key or its fingerprint: see "scsdynamo sessions --help". - reads it from standard
input.`,
		Example: `  scsdynamo sessions show sha256:5e88
  read -rs TOKEN; printf %s "$TOKEN" | scsdynamo sessions show - --values`,
		Annotations:       map[string]string{namesSessions: "yes"},
		Args:              oneSession,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.sessionsShow(cmd.Context(), args[0], showToken, values)
		},
	}
	cmd.Flags().BoolVar(&values, "values", false, "show what the application has put into the session")
	cmd.Flags().BoolVar(&showToken, "show-token", false, "print the token, too: whoever has it is logged in")
	return cmd
}

func (a *app) sessionsShow(ctx context.Context, name string, showToken, values bool) (err error) {
	sessions, err := a.sessions(ctx)
	if err != nil {
		return err
	}
	defer sessions.close(&err)
	ctx, used := metered(ctx)
	all, err := a.find(ctx, sessions, name)
	if err != nil {
		return err
	}
	found, now := all[0], time.Now()
	report := sessions.reportOf(found, now)
	if showToken {
		report.Token = found.Token
	}
	if values && found.Err == nil {
		decoded, err := inspect.Decode(found.Data)
		if err != nil {
			report.Problem = err.Error()
		} else {
			decoded.Values = printable(decoded.Values)
			report.Values = &decoded
		}
	}
	a.consumed(used)
	if a.output == outputJSON {
		return a.print(report)
	}
	return a.showTable(report, now)
}

// oneSession wants one argument.
func oneSession(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage(cmd, fmt.Sprintf("it shows one session, and %d are named", len(args)))
	}
	return nil
}

// find returns the sessions of these names, each of which is read from standard input where it is -.
func (a *app) find(ctx context.Context, sessions *opened, names ...string) ([]inspect.Found, error) {
	names = slices.Clone(names)
	input := bufio.NewReader(a.In)
	for i, name := range names {
		if name != "-" {
			continue
		}
		line, _ := input.ReadString('\n') // What comes before the end counts, too.
		if names[i] = strings.TrimSpace(line); names[i] == "" {
			return nil, explain.New(explain.Usage, "there is no session on standard input", "write its token in one line")
		}
	}
	if slices.ContainsFunc(names, inspect.IsFingerprint) {
		a.cost(ctx, sessions.cfg)
	}
	return sessions.Find(ctx, names...)
}

func (a *app) showTable(report sessionReport, now time.Time) error {
	table := a.NewTable()
	row := func(name, value string, style terminal.Style) {
		table.Row(terminal.Cell{Text: name, Style: terminal.Faint}, terminal.Cell{Text: value, Style: style})
	}
	at := func(instant time.Time) string { return terminal.Time(instant) + ", " + terminal.From(now, instant) }
	row("session", report.Session, terminal.Strong)
	if report.Fingerprint != report.Session {
		row("fingerprint", report.Fingerprint, terminal.Plain)
	}
	if report.Token != "" {
		row("token", report.Token, terminal.Warning)
	}
	row("status", report.Status, map[string]terminal.Style{
		live: terminal.Good, expired: terminal.Warning, over: terminal.Warning, another: terminal.Bad, unopened: terminal.Bad,
		unreadable: terminal.Bad,
	}[report.Status])
	if report.Status != unreadable {
		row("created", at(report.CreatedAt), terminal.Plain)
		row("updated", at(report.UpdatedAt), terminal.Plain)
		row("expires", at(report.ExpiresAt), terminal.Plain)
		row("data", terminal.Bytes(int64(report.Bytes)), terminal.Plain)
		row("version", report.Version, terminal.Plain)
		lease := "none"
		if report.Lease != nil {
			lease = report.Lease.ID + ", until " + at(report.Lease.ExpiresAt) + " by its holder's clock"
		}
		row("lease", lease, terminal.Plain)
	}
	if report.Problem != "" {
		row("problem", report.Problem, terminal.Bad)
	}
	if report.Values != nil {
		row("deadline", at(report.Values.Deadline), terminal.Plain)
		for _, key := range slices.Sorted(maps.Keys(report.Values.Values)) {
			row("value "+key, fmt.Sprintf("%+v", report.Values.Values[key]), terminal.Plain)
		}
		if len(report.Values.Values) == 0 {
			row("values", "none", terminal.Faint)
		}
	}
	return table.Flush()
}

// printable makes values JSON can write of those that it cannot.
func printable(values map[string]any) map[string]any {
	all := make(map[string]any, len(values))
	for key, value := range values {
		if _, err := json.Marshal(value); err != nil {
			value = fmt.Sprintf("%+v", value)
		}
		all[key] = value
	}
	return all
}
