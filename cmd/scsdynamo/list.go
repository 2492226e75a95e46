package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
	"github.com/scsdynamo/scsdynamo/storage"
)

// listing is sessions list.
type listing struct {
	*app
	expired, all, showToken bool
	limit                   int

	sessions *opened
	now      time.Time
	table    *terminal.Table
	begun    bool
	printed  int
	unopened int
	cut      bool // Not all were printed.
}

// defaultLimit is enough for a person to look at.
const defaultLimit = 100

func (a *app) sessionsListCommand() *cobra.Command {
	l, of := &listing{app: a}, ""
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the live sessions, or the expired ones",
		Long: `List the live sessions, in no particular order, with the name that "show" and "delete" take: with a secret the storage
key, without one a fingerprint. Those that cannot be read, do not open with the secret that is configured, or are over
by it, are listed and marked. All are listed with --limit 0; they are printed as they are read, and a page of them is
held in memory. On DynamoDB this scans the table, up to the limit.

With --owner, it lists the live sessions of one user, or whatever else owns sessions, the latest login first, and what
the application tells of each login. That reads these sessions alone, not the table.

` + ownerDoc,
		Example: `  scsdynamo sessions list
  scsdynamo sessions list --owner user=alice
  scsdynamo sessions list --expired --limit 0 --output json | jq -r '.sessions[].session'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if l.expired && l.all {
				return usage(cmd, "--expired and --all together; choose one")
			}
			if l.limit < 0 {
				return usage(cmd, "--limit must not be negative; 0 lists all")
			}
			if cmd.Flags().Changed("owner") {
				if l.expired || l.all || l.showToken {
					return usage(cmd, "--owner lists live sessions, of which no token is known; leave out --expired, --all and "+
						"--show-token")
				}
				name, err := ownerOf(cmd, of)
				if err != nil {
					return err
				}
				return l.owned(cmd.Context(), name)
			}
			return l.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&l.expired, "expired", false, "list the expired sessions instead")
	cmd.Flags().BoolVar(&l.all, "all", false, "list live and expired sessions")
	cmd.Flags().IntVar(&l.limit, "limit", defaultLimit, "stop after so many `SESSIONS`; 0 lists all")
	ownerFlag(cmd, &of, "list the live sessions of this owner")
	cmd.Flags().BoolVar(&l.showToken, "show-token", false, "print the tokens, too: whoever has one is logged in")
	return cmd
}

func (l *listing) run(ctx context.Context) (err error) {
	if l.sessions, err = l.app.sessions(ctx); err != nil {
		return err
	}
	defer l.sessions.close(&err)
	ctx, used := metered(ctx)
	if l.limit == 0 {
		l.cost(ctx, l.sessions.cfg)
	}
	l.now = time.Now()
	if err = l.read(ctx); l.begun { // What was listed before an error stays readable.
		err = errors.Join(err, l.end(err != nil))
	}
	if err != nil {
		return err
	}
	l.consumed(used)
	if l.unopened > 0 {
		l.note("%s", doNotOpen(l.unopened))
	}
	if l.cut {
		l.note("there are more than these %d; --limit 0 lists all", l.limit)
	}
	return nil
}

// begin prints what comes before the first session.
func (l *listing) begin() error {
	if l.begun {
		return nil
	}
	l.begun = true
	if l.output == outputJSON {
		_, err := io.WriteString(l.Out, `{"sessions": [`)
		return outputError(err)
	}
	headings := []string{"SESSION", "CREATED", "UPDATED", "EXPIRES", "DATA", "LEASE"}
	if l.showToken {
		headings = append(headings, "TOKEN")
	}
	l.table = l.NewTable(headings...).AlignRight(4)
	return nil
}

// end prints what comes behind the last session.
func (l *listing) end(failed bool) error {
	if l.output == outputJSON {
		_, err := fmt.Fprintf(l.Out, "\n], \"truncated\": %t}\n", l.cut || failed)
		return outputError(err)
	}
	return l.table.Flush()
}

// read prints the sessions, a page at a time.
func (l *listing) read(ctx context.Context) error {
	for page, err := range l.sessions.Pages(ctx, false) {
		if err == nil {
			err = l.begin()
		}
		if err != nil {
			return err
		}
		if err := l.page(ctx, page); err != nil || l.cut {
			return err
		}
		if l.table == nil {
			continue
		}
		if err := l.table.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// page prints the sessions of a page.
func (l *listing) page(ctx context.Context, page storage.Page) error {
	for _, bad := range page.Unreadable {
		found := inspect.UnreadableOf(bad.Key, bad.Err)
		if err := l.add(l.sessions.reportOf(found, l.now), ""); err != nil {
			return err
		}
	}
	for _, record := range page.Records {
		found := l.sessions.Open(ctx, record)
		report := l.sessions.reportOf(found, l.now)
		if !l.all && (report.Status == expired) != l.expired {
			continue
		}
		token := ""
		if l.showToken {
			token = found.Token
		}
		if err := l.add(report, token); err != nil {
			return err
		}
	}
	return nil
}

// add prints one, or notes that there are more than were asked for.
func (l *listing) add(report sessionReport, token string) error {
	if l.limit > 0 && l.printed == l.limit {
		l.cut = true
		return nil
	}
	l.printed++
	if report.Status == unopened || report.Status == another {
		l.unopened++
	}
	report.Token = token
	if l.output == outputJSON {
		text, err := json.Marshal(report)
		if err != nil {
			return explain.New(explain.Failed, "the session cannot be written as JSON", "")
		}
		separator := ","
		if l.printed == 1 {
			separator = ""
		}
		_, err = fmt.Fprintf(l.Out, "%s\n  %s", separator, text)
		return outputError(err)
	}
	cells := []terminal.Cell{{Text: report.Session, Style: terminal.Strong}}
	if report.Status == unreadable {
		l.table.Row(append(cells, terminal.Cell{Text: "unreadable: " + report.Problem, Style: terminal.Bad})...)
		return nil
	}
	lease := "-"
	if report.Lease != nil {
		lease = terminal.From(l.now, report.Lease.ExpiresAt)
	}
	cells = append(cells, terminal.Cell{Text: terminal.Time(report.CreatedAt)},
		terminal.Cell{Text: terminal.Time(report.UpdatedAt)},
		terminal.Cell{Text: terminal.From(l.now, report.ExpiresAt)}, terminal.Cell{Text: terminal.Bytes(int64(report.Bytes))},
		terminal.Cell{Text: lease})
	if remark, marked := map[string]string{
		unopened: "does not open: ",
		another:  "does not open: ", over: "",
	}[report.Status]; marked {
		l.table.Row(append(cells, terminal.Cell{Text: remark + report.Problem, Style: terminal.Bad})...)
		return nil
	}
	if l.showToken {
		cells = append(cells, terminal.Cell{Text: token})
	}
	l.table.Row(cells...)
	return nil
}
