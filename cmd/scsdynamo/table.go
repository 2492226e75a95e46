package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/spf13/cobra"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/dynamostore"
)

// How long AWS may take to make or delete a table, and to build an index, where --timeout says nothing else.
const (
	tableTimeout = 5 * time.Minute
	indexTimeout = 24 * time.Hour
)

func (a *app) tableCommand() *cobra.Command {
	return a.commands("table", "Make, check, describe and delete the DynamoDB table",
		"Make, check, describe and delete the DynamoDB table, or write what makes it: a CloudFormation template, a "+
			"Terraform configuration,\nand IAM policies. The table is that of the keys table.* of the configuration.",
		a.tableCreateCommand(), a.tableAddIndexCommand(), a.tableVerifyCommand(), a.tableDescribeCommand(),
		a.tableDeleteCommand(),
		a.tableCloudFormationCommand(), a.tableTerraformCommand(), a.tableIAMCommand())
}

// tableResult is the result of commands that change a table.
type tableResult struct {
	Table  string `json:"table"`
	Region string `json:"region"`
	Result string `json:"result"`
}

func (a *app) tableCreateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "create",
		Short: "Make the table with TTL, or finish making it",
		Long: `Make the table, turn TTL on, and wait until it can be used. That it is already there is fine: then TTL is turned on
where it was off, and nothing else is changed. A strongly consistent global table has no TTL: its expired sessions stay
until gcrunner collects them. A table with other keys is left alone, and that is an error. So is one with other settings
than those that are configured (capacity, class, deletion protection, KMS key, tags), which can be used all the same:
exit code 5.

Rights: see "scsdynamo table iam --role admin".`,
		Example: `  scsdynamo table create
  scsdynamo table create --set table.deletion_protection=true --set table.tags=team=web
  scsdynamo table create --set dynamodb.endpoint=http://127.0.0.1:8000    # DynamoDB Local`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.tableCreate(cmd.Context()) },
	}
}

func (a *app) tableCreate(ctx context.Context) error {
	table, client, err := a.table(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := a.patience(ctx, tableTimeout)
	defer cancel()
	result := tableResult{table.Name, client.Options().Region, "created"}
	switch err := table.Verify(ctx, client); {
	case err == nil:
		result.Result = "exists"
	case errors.Is(err, dynamostore.ErrTableNotFound):
	case errors.Is(err, dynamostore.ErrTableMismatch): // TTL can be turned on; Create says what cannot.
		result.Result = "completed"
	default:
		return err
	}
	if result.Result != "exists" {
		progress := a.Wait(ctx, "waiting for AWS to make the table")
		err := table.Create(ctx, client)
		progress.Done()
		if err != nil {
			return err
		}
	}
	done := map[string]string{
		"created": "made", "exists": "was already there, and fits",
		"completed": "was there; TTL was turned on",
	}
	return a.print(result, fmt.Sprintf("table %s in %s: %s", result.Table, result.Region, done[result.Result]))
}

func (a *app) tableAddIndexCommand() *cobra.Command {
	var noWait bool
	cmd := &cobra.Command{
		Use:   "add-index",
		Short: "Add the index by which collection finds expired sessions",
		Long: `Add the index that table.expiry_index.name names to a table that is there, and wait until it can be used. The table
stays in use meanwhile. AWS takes some minutes, and hours for a table of many GB: --no-wait does not wait, and
"scsdynamo table verify" says whether it is ready. That it is there already is fine.

Sessions enter the index when they are next written by a program that has table.expiry_index.name, so set it for all
programs that write sessions once the index is there. docs/operations.md has the steps.

Rights: see "scsdynamo table iam --role admin".`,
		Example: `  scsdynamo table add-index --set table.expiry_index.name=expiry
  scsdynamo table add-index --environment production --no-wait`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.tableAddIndex(cmd.Context(), !noWait) },
	}
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait until AWS has built it")
	return cmd
}

func (a *app) tableAddIndex(ctx context.Context, wait bool) error {
	table, client, err := a.table(ctx)
	if err != nil {
		return err
	}
	if table.ExpiryIndex.Name == "" {
		return explain.New(explain.Configuration, "there is no index to add",
			"set table.expiry_index.name, such as to expiry")
	}
	ctx, cancel := a.patience(ctx, indexTimeout)
	defer cancel()
	result := tableResult{table.Name, client.Options().Region, "added"}
	done := "added, and can be used"
	if wait {
		progress := a.Wait(ctx, "waiting for AWS to build the index")
		err = table.AddExpiryIndex(ctx, client)
		progress.Done()
	} else {
		result.Result, done = "started", `it is being built; "scsdynamo table verify" says when it is ready`
		err = table.StartExpiryIndex(ctx, client)
	}
	if err != nil {
		return err
	}
	return a.print(result, fmt.Sprintf("index %s of table %s in %s: %s", table.ExpiryIndex.Name, result.Table,
		result.Region, done))
}

// patience bounds how long to wait for AWS.
func (a *app) patience(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if a.timeout > 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}

func (a *app) tableDeleteCommand() *cobra.Command {
	var yes bool
	var confirm string
	cmd := &cobra.Command{
		Use:   "delete",
		Short: "Delete the table with all sessions in it: everybody is logged out",
		Long: `Delete the table with all sessions in it, and whatever else it holds: everybody is logged out, and nothing brings it
back.

On a terminal, the name of the table is asked for. Anywhere else, both --yes and --confirm with its exact name are
needed, and nothing is done without them. A table with deletion protection is not deleted.`,
		Example: `  scsdynamo table delete
  scsdynamo table delete --yes --confirm sessions-staging --environment staging`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.tableDelete(cmd.Context(), yes, confirm) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask; needs --confirm, too")
	cmd.Flags().StringVar(&confirm, "confirm", "", "the `NAME` of the table, exactly")
	return cmd
}

func (a *app) tableDelete(ctx context.Context, yes bool, confirm string) error {
	table, client, err := a.table(ctx)
	if err != nil {
		return err
	}
	name := table.Name
	confirmed, what := yes && confirm == name, ""
	if !confirmed {
		what = describeTarget(ctx, table, client)
	}
	if !yes && confirm == "" && a.Asks {
		description, err := table.Describe(ctx, client)
		if err != nil {
			return err
		}
		a.Say("This deletes %s, with %s (figures up to six hours old). Everybody is logged out.",
			what, terminal.Count(description.Items, "item", "items"))
		answer, err := a.Ask(ctx, "Type the name of the table to delete it:")
		if err != nil {
			return err
		}
		confirmed = answer == name
	}
	if !confirmed {
		return explain.New(explain.Unconfirmed, "nothing was deleted; it would have been "+what+", with all sessions in it",
			"to delete it with everything in it, add: --yes --confirm "+terminal.ShellWord(name))
	}
	ctx, cancel := a.patience(ctx, tableTimeout)
	defer cancel()
	progress := a.Wait(ctx, "waiting for AWS to delete the table")
	err = table.Delete(ctx, client, name)
	progress.Done()
	if err != nil {
		return err
	}
	region := client.Options().Region
	return a.print(tableResult{name, region, "deleted"}, fmt.Sprintf("table %s in %s: deleted", name, region))
}

func (a *app) tableVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Check that the table is there and fits",
		Long: `Check that the table is there and fits: its keys and their types, its index, TTL, its status, and every setting that
the configuration has for it: capacity, class, deletion protection, stream, KMS key, tags. Nothing is changed. All
that is wrong is printed at once, with exit code 5.`,
		Example: `  scsdynamo table verify --environment production && echo ready`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.tableVerify(cmd.Context()) },
	}
}

func (a *app) tableVerify(ctx context.Context) error {
	table, client, err := a.table(ctx)
	if err != nil {
		return err
	}
	description, err := table.Describe(ctx, client)
	if err != nil {
		return err
	}
	for _, remark := range explain.InKeys(description.Remarks) {
		a.note("%s", remark)
	}
	if err := description.Err(); err != nil {
		return err
	}
	region := client.Options().Region
	return a.print(tableResult{table.Name, region, "fits"}, fmt.Sprintf("table %s in %s: fits", table.Name, region))
}

func (a *app) tableDescribeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "describe",
		Short:   "Show what DynamoDB says of the table",
		Long:    "Show what DynamoDB says of the table, and where it differs from the configuration. Nothing is changed.",
		Example: `  scsdynamo table describe --output json | jq .items`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.tableDescribe(cmd.Context()) },
	}
}

func (a *app) tableDescribe(ctx context.Context) error {
	table, client, err := a.table(ctx)
	if err != nil {
		return err
	}
	d, err := table.Describe(ctx, client)
	if err != nil {
		return err
	}
	if a.output == outputJSON {
		d.Problems, d.Settings, d.Remarks = explain.InKeys(d.Problems), explain.InKeys(d.Settings), explain.InKeys(d.Remarks)
		return a.print(d)
	}
	out := a.NewTable()
	row := func(name, value string, style terminal.Style) {
		if value != "" {
			out.Row(terminal.Cell{Text: name, Style: terminal.Faint}, terminal.Cell{Text: value, Style: style})
		}
	}
	row("name", d.Name, terminal.Plain)
	row("arn", d.ARN, terminal.Plain)
	row("region", d.Region, terminal.Plain)
	row("status", string(d.Status), terminal.Plain)
	row("created", terminal.Time(d.CreatedAt), terminal.Plain)
	row("items", fmt.Sprintf("%s, %s (figures up to six hours old)", terminal.Number(d.Items), terminal.Bytes(d.Bytes)),
		terminal.Plain)
	row("keys",
		strings.Join(slices.DeleteFunc([]string{d.PartitionKey, d.SortKey}, func(s string) bool { return s == "" }), ", "),
		terminal.Plain)
	row("ttl", strings.TrimSpace(fmt.Sprintf("%s %s", d.TTL, d.TTLAttribute)), terminal.Plain)
	billing := "by the request"
	if d.Billing == types.BillingModeProvisioned {
		billing = fmt.Sprintf("provisioned, %d read and %d write units per second", d.ReadCapacity, d.WriteCapacity)
	}
	row("billing", billing, terminal.Plain)
	row("class", string(d.Class), terminal.Plain)
	row("deletion protection", map[bool]string{true: "on", false: "off"}[d.DeletionProtection], terminal.Plain)
	key := "a key that AWS owns"
	if d.KMSKey != "" {
		key = d.KMSKey
	}
	row("encrypted with", key, terminal.Plain)
	row("indexes", strings.Join(d.Indexes, ", "), terminal.Plain)
	row("stream", string(d.Stream), terminal.Plain)
	row("replicas", strings.Join(d.Replicas, ", "), terminal.Plain)
	row("consistency", strings.ToLower(string(d.MultiRegionConsistency)), terminal.Plain)
	for _, problem := range explain.InKeys(d.Problems) {
		row("problem", problem, terminal.Bad)
	}
	for _, setting := range explain.InKeys(d.Settings) {
		row("differs", setting, terminal.Warning)
	}
	for _, remark := range explain.InKeys(d.Remarks) {
		row("remark", remark, terminal.Warning)
	}
	return out.Flush()
}
