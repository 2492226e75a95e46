package main

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// ownerDoc is what commands with --owner say of it.
const ownerDoc = `An owner is known where the application gives sessionstore.WithOwner under the same index, and from the next commit of a
session on. The name is compared as it is, capitals included.`

// ownerName is what --owner names: user=alice.
type ownerName struct{ index, name string }

// ownerFlag adds --owner to a command.
func ownerFlag(cmd *cobra.Command, value *string, usage string) {
	cmd.Flags().StringVar(value, "owner", "", usage+": `INDEX=NAME`, such as user=alice")
}

var indexName = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

// ownerOf reads the value of --owner. It is not repeated: what stands in the wrong place may be a token.
func ownerOf(cmd *cobra.Command, text string) (ownerName, error) {
	index, name, cut := strings.Cut(text, "=")
	switch {
	case !cut:
		return ownerName{}, usage(cmd, "--owner takes an index and a name with = between them, such as user=alice")
	case !indexName.MatchString(index):
		return ownerName{}, usage(cmd, "in --owner, the index in front of the first = has 1 to 32 of a-z, 0-9, _ and -, "+
			"as sessionstore.WithOwner has it")
	case name == "":
		return ownerName{}, usage(cmd, "in --owner, there is no name behind the =; is a variable of a script not set?")
	case !storage.ValidKey(name, sessionstore.MaxOwnerBytes):
		return ownerName{}, usage(cmd, "in --owner, the name behind the = has at most "+
			terminal.Bytes(sessionstore.MaxOwnerBytes)+" of valid UTF-8")
	}
	return ownerName{index, name}, nil
}

// owned are the sessions of an owner.
type owned struct {
	*opened
	owner *sessionstore.Owner
}

// owner opens the store for the sessions of one owner. The caller must close it.
func (a *app) owner(ctx context.Context, name ownerName) (*owned, error) {
	sessions, err := a.sessions(ctx)
	if err != nil {
		return nil, err
	}
	// Nothing is committed here, so that nobody is asked whose a session is.
	nobody := func(map[string]any) string { return "" }
	store, err := storeOf(sessions.cfg)(sessions.driver, sessionstore.WithOwner(name.index, nobody))
	if err != nil {
		sessions.close(&err)
		return nil, err
	}
	return &owned{sessions, store.Owner(name.index, name.name)}, nil
}

// all returns the sessions of the owner, the latest login first; with a limit not all of them, and whether there are
// more.
func (o *owned) all(ctx context.Context, limit int) (all []sessionstore.OwnedSession, more bool, err error) {
	for session, err := range o.owner.Sessions(ctx) {
		switch {
		case err != nil:
			return all, false, err
		case limit > 0 && len(all) == limit:
			return all, true, nil
		}
		all = append(all, session)
	}
	return all, false, nil
}

// errNoOwner says that an owner has no sessions.
func errNoOwner() error {
	return explain.New(explain.NotFound, "there are no sessions of this owner",
		"owners are known only where the application gives sessionstore.WithOwner under that index, and names are "+
			"compared as they are; the sessions may also have ended, or belong to another table or secret")
}

// ownedReport is a session of an owner as it is printed.
type ownedReport struct {
	Session   string            `json:"session"`
	CreatedAt time.Time         `json:"created_at"`
	UpdatedAt time.Time         `json:"updated_at"`
	ExpiresAt time.Time         `json:"expires_at"`
	Details   map[string]string `json:"details,omitempty"`
}

// ownedList is the result of sessions list --owner.
type ownedList struct {
	Index     string        `json:"index"`
	Owner     string        `json:"owner"`
	Sessions  []ownedReport `json:"sessions"`
	Truncated bool          `json:"truncated"`
}

// owned lists the sessions of an owner.
func (l *listing) owned(ctx context.Context, name ownerName) (err error) {
	owner, err := l.owner(ctx, name)
	if err != nil {
		return err
	}
	defer owner.close(&err)
	ctx, used := metered(ctx)
	all, more, err := owner.all(ctx, l.limit)
	if err == nil && len(all) == 0 {
		err = errNoOwner()
	}
	if err != nil {
		return err
	}
	if l.output == outputJSON {
		list := ownedList{name.index, name.name, nil, more}
		for _, s := range all {
			list.Sessions = append(list.Sessions, ownedReport{s.ID, s.CreatedAt, s.UpdatedAt, s.ExpiresAt, s.Details})
		}
		return l.print(list)
	}
	table, now := l.NewTable("SESSION", "CREATED", "UPDATED", "EXPIRES", "DETAILS"), time.Now()
	for _, s := range all {
		table.Row(terminal.Cell{Text: s.ID, Style: terminal.Strong}, terminal.Cell{Text: terminal.Time(s.CreatedAt)},
			terminal.Cell{Text: terminal.Time(s.UpdatedAt)}, terminal.Cell{Text: terminal.From(now, s.ExpiresAt)},
			terminal.Cell{Text: detailsText(s.Details)})
	}
	if err := table.Flush(); err != nil {
		return err
	}
	l.consumed(used)
	if more {
		l.note("there are more than these %d; --limit 0 lists all", l.limit)
	}
	return nil
}

// detailsText writes details in one line.
func detailsText(details map[string]string) string {
	parts := make([]string, 0, len(details))
	for _, name := range slices.Sorted(maps.Keys(details)) {
		parts = append(parts, name+"="+details[name])
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

// announce says before a question which sessions would end, and how many that are.
func (a *app) announce(ctx context.Context, owner *owned) (n int, err error) {
	all, _, err := owner.all(ctx, 0)
	if err != nil || !a.Asks {
		return len(all), err
	}
	now := time.Now()
	for _, s := range all[:min(len(all), defaultLimit)] {
		a.Say("%s: updated %s, %s", s.ID, terminal.From(now, s.UpdatedAt), detailsText(s.Details))
	}
	if more := len(all) - defaultLimit; more > 0 {
		a.Say("and %d more", more)
	}
	return len(all), nil
}

// owned deletes all sessions of an owner.
func (d *deletion) owned(ctx context.Context, name ownerName) (err error) {
	owner, err := d.owner(ctx, name)
	if err != nil {
		return err
	}
	defer owner.close(&err)
	ctx, used := metered(ctx)
	if !d.yes {
		n, err := d.announce(ctx, owner)
		if err == nil && n == 0 {
			err = errNoOwner()
		}
		if err == nil {
			err = d.confirm(ctx, "nothing was deleted", "Delete "+plural(n)+", all of this owner?")
		}
		if err != nil {
			return err
		}
	}
	n, err := owner.owner.EndAll(ctx) // also where there are none: a login may be under way
	switch {
	case err != nil && n > 0:
		return partly(n, err)
	case err != nil:
		return err
	case n == 0:
		return errNoOwner()
	}
	d.consumed(used)
	return d.print(deleted{n}, "deleted "+plural(n))
}

// sessionsEraseCommand is for requests by the law on data protection.
func (a *app) sessionsEraseCommand() *cobra.Command {
	d, of := &deletion{app: a}, ""
	cmd := &cobra.Command{
		Use:   "erase --owner INDEX=NAME",
		Short: "Remove what is stored of an owner, and tell what that was",
		Long: `End all sessions of an owner, remove what is stored of them and of the owner, and print what that was: proof that a
request for erasure was met. On a terminal it asks. Anywhere else it needs --yes, and nothing is done without it.

For 75 minutes there is left what keeps writes from coming late that are under way: that a session has ended, under its
storage key, and that the owner's sessions have, without data. Without a secret, the owner's name is in a key of these.
It says until when they count; the TTL of the table, or gcrunner, removes them after that. Backups and exports of the
table keep what they have, and so does a log of the application. It may be run again, also where it has failed.

` + ownerDoc,
		Example: `  scsdynamo sessions erase --owner user=alice
  scsdynamo sessions erase --owner user=alice --yes --output json > erased.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("owner") {
				return usage(cmd, "say whose sessions, such as --owner user=alice")
			}
			name, err := ownerOf(cmd, of)
			if err != nil {
				return err
			}
			return d.erase(cmd.Context(), name)
		},
	}
	ownerFlag(cmd, &of, "whose sessions and data")
	cmd.Flags().BoolVar(&d.yes, "yes", false, "do not ask")
	return cmd
}

// erasure is the result of sessions erase.
type erasure struct {
	Index    string    `json:"index"`
	Owner    string    `json:"owner"`
	Of       string    `json:"of"`
	Sessions []string  `json:"sessions"`
	ErasedAt time.Time `json:"erased_at"`
	Until    time.Time `json:"left_until"`
	Left     string    `json:"left"`
}

func (d *deletion) erase(ctx context.Context, name ownerName) (err error) {
	owner, err := d.owner(ctx, name)
	if err != nil {
		return err
	}
	defer owner.close(&err)
	ctx, used := metered(ctx)
	if !d.yes {
		n, err := d.announce(ctx, owner)
		if err == nil {
			err = d.confirm(ctx, "nothing was erased", "Delete "+plural(n)+" and all that is stored of this owner?")
		}
		if err != nil {
			return err
		}
	}
	target, err := targetOf(ctx, owner.cfg)
	if err != nil {
		return err
	}
	removed, err := owner.owner.Erase(ctx)
	if err != nil {
		return err
	}
	d.consumed(used)
	result := erasure{
		name.index, name.name, target.text, append([]string{}, removed.Sessions...), time.Now().UTC(), removed.Until.UTC(),
		"that these sessions have ended and when all of this owner's were, without data",
	}
	if !sealed(owner.cfg) {
		result.Left += "; the owner's name is in a key"
	}
	if len(result.Sessions) == 0 {
		d.note("there were no sessions of this owner; owners are known only where the application gives " +
			"sessionstore.WithOwner under that index, and names are compared as they are")
	}
	if d.output == outputJSON {
		return d.print(result)
	}
	table := d.NewTable()
	row := func(what, text string, style terminal.Style) {
		table.Row(terminal.Cell{Text: what, Style: terminal.Faint}, terminal.Cell{Text: text, Style: style})
	}
	row("erased of", name.index+"="+name.name, terminal.Strong)
	row("in", result.Of, terminal.Plain)
	row("at", terminal.Time(result.ErasedAt), terminal.Plain)
	row("sessions", terminal.Number(int64(len(result.Sessions))), terminal.Plain)
	for _, id := range result.Sessions {
		row("session", id, terminal.Plain)
	}
	row("left", result.Left, terminal.Plain)
	row("until", terminal.Time(result.Until), terminal.Plain)
	return table.Flush()
}
