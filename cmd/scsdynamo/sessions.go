package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
	"github.com/scsdynamo/scsdynamo/storage"
)

const sessionsLong = `Count, list, show and delete the sessions that are stored.

Those of one user, or of whatever else owns sessions in the application, are listed, deleted and erased with --owner.

A session is called by one of these:

  its token         what the browser has in its cookie, also where the application sets HashTokenInStore
  its storage key   the key of the item, which lists show where it is a keyed hash of the token: the session opens with
                    the secret that is configured
  its fingerprint   else the storage key may be the token, so lists show "sha256:" and the beginning of its hash
                    instead; the first digits are enough where they name one session. All sessions are read, once,
                    for all fingerprints of a command

What begins with a dash and is none of the command's flags is a name, too: one token in 64 does.

A token lets whoever has it in. It is never printed, unless --show-token asks for it. On a command line, it ends up in
the history of the shell: write - in place of it to have it read from standard input.

On DynamoDB, what looks at all sessions scans the table, which is billed by its size. A bbolt file can be open in one
process at a time: stop the application first.`

func (a *app) sessionsCommand() *cobra.Command {
	return a.commands("sessions", "Count, list, show, delete and erase sessions", sessionsLong,
		a.sessionsCountCommand(), a.sessionsListCommand(), a.sessionsShowCommand(), a.sessionsDeleteCommand(),
		a.sessionsEraseCommand())
}

func (a *app) sessionsCountCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "count",
		Short: "Count the sessions, live and expired, and their size",
		Long: `Count the sessions, live and expired, and add up the size of their data. Any number of sessions can be counted: a page
of them is held in memory. Sessions that are over whatever their expiry, as secret.previous_until or
secret.sealed_since says, those of another application with the same secret, and those that do not open otherwise, are
not counted as live, but on lines of their own. On DynamoDB this scans the table, which is billed by its size.`,
		Example: `  scsdynamo sessions count
  scsdynamo sessions count --output json | jq .live`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.sessionsCount(cmd.Context()) },
	}
}

// counted is the result of sessions count.
type counted struct {
	Live          int       `json:"live"`
	Expired       int       `json:"expired"`
	Over          int       `json:"over"`
	Another       int       `json:"another_application"`
	Unopened      int       `json:"unopened"`
	Unreadable    int       `json:"unreadable"`
	Total         int       `json:"total"`
	Leased        int       `json:"leased"`
	LiveBytes     int64     `json:"live_bytes"`
	ExpiredBytes  int64     `json:"expired_bytes"`
	OverBytes     int64     `json:"over_bytes"`
	AnotherBytes  int64     `json:"another_application_bytes"`
	UnopenedBytes int64     `json:"unopened_bytes"`
	LargestBytes  int64     `json:"largest_bytes"`
	OldestExpired time.Time `json:"oldest_expired,omitzero"`
}

func (a *app) sessionsCount(ctx context.Context) (err error) {
	sessions, err := a.sessions(ctx)
	if err != nil {
		return err
	}
	defer sessions.close(&err)
	ctx, used := metered(ctx)
	progress := a.NewProgress("counting", a.cost(ctx, sessions.cfg))
	now := time.Now()
	count, err := sessions.Count(ctx, now, func(c inspect.Count) { progress.Set(int64(c.Total())) })
	progress.Done()
	if err != nil {
		return err
	}
	a.consumed(used)
	if a.output == outputJSON {
		return a.print(counted{
			count.Live, count.Expired, count.Over, count.Another, count.Unopened, count.Unreadable, count.Total(), count.Leased,
			count.LiveBytes, count.ExpiredBytes, count.OverBytes, count.AnotherBytes, count.UnopenedBytes,
			count.Largest, count.OldestExpired,
		})
	}
	table := a.NewTable("", "SESSIONS", "DATA").AlignRight(1, 2)
	row := func(name string, n int, bytes string) {
		table.Row(terminal.Cell{Text: name}, terminal.Cell{Text: terminal.Number(int64(n))}, terminal.Cell{Text: bytes})
	}
	row("live", count.Live, terminal.Bytes(count.LiveBytes))
	row("expired", count.Expired, terminal.Bytes(count.ExpiredBytes))
	if count.Over > 0 {
		row("over", count.Over, terminal.Bytes(count.OverBytes))
	}
	if count.Another > 0 {
		row("of another application", count.Another, terminal.Bytes(count.AnotherBytes))
	}
	if count.Unopened > 0 {
		row("unopened", count.Unopened, terminal.Bytes(count.UnopenedBytes))
	}
	if count.Unreadable > 0 {
		row("unreadable", count.Unreadable, "-")
	}
	row("total", count.Total(), terminal.Bytes(count.Bytes()))
	if err := table.Flush(); err != nil {
		return err
	}
	var lines []string
	if count.Over > 0 {
		lines = append(lines, terminal.Count(int64(count.Over), "session is over before its expiry",
			"sessions are over before their expiry")+": "+overProblem)
	}
	if n := count.Unopened + count.Another; n > 0 {
		lines = append(lines, doNotOpen(n))
	}
	if count.Leased > 0 {
		lines = append(lines, terminal.Count(int64(count.Leased), "live session has", "live sessions have")+" a lease")
	}
	if count.Largest > 0 {
		lines = append(lines, "the largest has "+terminal.Bytes(count.Largest))
	}
	if !count.OldestExpired.IsZero() {
		lines = append(lines, "the oldest expired one ended "+terminal.From(now, count.OldestExpired))
	}
	return a.print(nil, lines...)
}

// doNotOpen says that so many sessions do not open.
func doNotOpen(n int) string {
	return terminal.Count(int64(n), "session does", "sessions do") +
		` not open with this configuration, and log nobody in with it; "scsdynamo doctor" says what to do`
}

// metered returns a context under which what is consumed is added up.
func metered(ctx context.Context) (context.Context, *storage.Meter) {
	meter := &storage.Meter{}
	return storage.WithMeter(ctx, meter), meter
}

// consumed tells what was consumed.
func (a *app) consumed(meter *storage.Meter) {
	if used := meter.Usage(); a.verbose {
		a.note("%s, %.1f read and %.1f write units consumed", terminal.Count(int64(used.Calls), "call", "calls"),
			used.ReadUnits, used.WriteUnits)
	}
}

// sessionReport is a session as it is printed.
type sessionReport struct {
	Session     string          `json:"session"`
	Token       string          `json:"token,omitempty"`
	Status      string          `json:"status"`
	CreatedAt   time.Time       `json:"created_at,omitzero"`
	UpdatedAt   time.Time       `json:"updated_at,omitzero"`
	ExpiresAt   time.Time       `json:"expires_at,omitzero"`
	Bytes       int             `json:"bytes"`
	Version     string          `json:"version,omitempty"`
	Lease       *leaseReport    `json:"lease,omitempty"`
	Fingerprint string          `json:"fingerprint"`
	Problem     string          `json:"problem,omitempty"`
	Values      *inspect.Values `json:"values,omitempty"`
}

type leaseReport struct {
	ID        string    `json:"id"`
	ExpiresAt time.Time `json:"expires_at"`
}

// The statuses of a session.
const (
	live       = "live"
	expired    = "expired"
	over       = "over"                // It opens, and does not count.
	another    = "another application" // It is of one that has the same secret.
	unopened   = "unopened"            // It does not open with the secrets that are configured.
	unreadable = "unreadable"          // The driver cannot read it.
)

// overProblem says what ends a session before its expiry.
const overProblem = "sealed before secret.sealed_since, or with a secret whose secret.previous_until has passed, or " +
	"past the deadline of scs"

// statuses are those of sessions whose expiry has not passed.
var statuses = map[inspect.State]string{
	inspect.Opens: live, inspect.Over: over, inspect.OfAnother: another, inspect.Foreign: unopened,
	inspect.Unsealed: unopened, inspect.Damaged: unopened,
	inspect.Unreadable: unreadable,
}

// reportOf returns what may be printed of a record, opened or not.
func (o *opened) reportOf(found inspect.Found, now time.Time) sessionReport {
	record := found.Record
	r := sessionReport{Session: o.Name(found), Fingerprint: fingerprint.Of(record.Key), Status: statuses[found.State]}
	if found.Err != nil {
		r.Problem = found.Err.Error()
	}
	if found.State == inspect.Unreadable {
		return r
	}
	r.CreatedAt, r.UpdatedAt, r.ExpiresAt = record.CreatedAt, record.UpdatedAt, record.ExpiresAt
	r.Bytes, r.Version = len(record.Data), record.Version
	switch {
	case record.Expired(now):
		r.Status = expired
	case r.Status == over:
		r.Problem = "over: " + overProblem
	}
	if !record.Lease.Free() {
		r.Lease = &leaseReport{record.Lease.ID, record.Lease.ExpiresAt}
	}
	return r
}

// cost tells what looking at all sessions will cost, and returns how many there are about; 0 where that is not known.
func (a *app) cost(ctx context.Context, cfg *config.Config) int64 {
	if a.quiet || onBolt(cfg) || (a.output == outputJSON && !a.Watched) {
		return 0 // Nobody would see it.
	}
	client, err := cfg.Client(ctx)
	if err != nil {
		return 0 // What follows says why.
	}
	description, err := cfg.Table().Describe(ctx, client)
	if errors.Is(err, dynamostore.ErrAccessDenied) {
		a.note("this reads the whole table; what that costs is not known without the right to dynamodb:DescribeTable")
	}
	if err != nil {
		return 0
	}
	a.note("this reads the whole table: about %s, %s, %s (figures up to six hours old)",
		terminal.Count(description.Items, "item", "items"), terminal.Bytes(description.Bytes),
		terminal.Count(readUnits(description.Bytes), "read unit", "read units"))
	return description.Items
}

// readUnits is what an eventually consistent scan of so much consumes.
func readUnits(bytes int64) int64 {
	const bytesPerUnit = 2 * 4096
	return max(1, (bytes+bytesPerUnit-1)/bytesPerUnit)
}

// plural writes a number of sessions.
func plural(n int) string { return terminal.Count(int64(n), "session", "sessions") }
