package main

import (
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/dynamostore/iac"
)

// What the commands that print a document have in common.
const documentHelp = "The document is printed as it is, whatever --output says. Nothing is called."

// rolesOf returns the roles of these names.
func rolesOf(cmd *cobra.Command, names ...string) ([]iac.Role, error) {
	roles := make([]iac.Role, len(names))
	for i, name := range names {
		if !slices.Contains(roleNames(), name) {
			return nil, usage(cmd, "--role must be one of "+strings.Join(roleNames(), ", "))
		}
		roles[i] = iac.Role(name)
	}
	return roles, nil
}

func roleNames() []string {
	var names []string
	for _, role := range iac.Roles() {
		names = append(names, string(role))
	}
	return names
}

func (a *app) tableCloudFormationCommand() *cobra.Command {
	return a.documentCommand("cloudformation", "Print a CloudFormation template that makes the table",
		"Print a CloudFormation template, in YAML, that makes the table exactly as \"table create\" does, and for each "+
			"--role an IAM policy.\n"+
			"The table stays when the stack is deleted. With a role, the stack needs CAPABILITY_IAM.",
		`  scsdynamo table cloudformation --role app > sessions.yaml
  aws cloudformation deploy --stack-name sessions --template-file sessions.yaml --capabilities CAPABILITY_IAM`,
		iac.CloudFormation)
}

func (a *app) tableTerraformCommand() *cobra.Command {
	return a.documentCommand("terraform", "Print a Terraform configuration that makes the table",
		"Print a Terraform configuration, for the provider hashicorp/aws, that makes the table exactly as \"table "+
			"create\" does, and for\n"+
			"each --role an IAM policy. Terraform refuses to destroy the table.",
		`  scsdynamo table terraform --role app --role collector > sessions.tf`,
		iac.Terraform)
}

// documentCommand returns a command that prints what makes the table.
func (a *app) documentCommand(
	use, short, long, example string, write func(dynamostore.Table, ...iac.Role) (string, error),
) *cobra.Command {
	var roles []string
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long + "\n\n" + documentHelp, Example: example, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chosen, err := rolesOf(cmd, roles...)
			if err != nil {
				return err
			}
			cfg, err := a.layout()
			if err != nil {
				return err
			}
			document, err := write(cfg.Table(), chosen...)
			if err != nil {
				return err
			}
			return a.printDocument(document)
		},
	}
	cmd.Flags().StringSliceVar(&roles, "role", nil,
		"also a policy for this `ROLE`: "+strings.Join(roleNames(), ", ")+"; may be repeated")
	a.complete(cmd, "role", roleNames()...)
	return cmd
}

var accountNumber = regexp.MustCompile(`^[0-9]{12}$`)

func (a *app) tableIAMCommand() *cobra.Command {
	var role, account string
	cmd := &cobra.Command{
		Use:   "iam",
		Short: "Print the IAM policy of a role: exactly the calls that it makes",
		Long: `Print the IAM policy of a role, as JSON, with exactly the calls that it makes:

  app        a process that serves requests
  iterator   a process that lists all sessions, or deletes them all; besides app
  collector  a process that deletes expired sessions; it cannot read what is in one
  admin      who makes, checks, describes and deletes the table; it cannot read a session

Statements called "OnlyFor..." can be left out where that is not needed. The Region is that of the configuration.

` + documentHelp,
		Example: `  scsdynamo table iam --role app --account 123456789012 > policy.json`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chosen, err := rolesOf(cmd, role)
			if err != nil {
				return err
			}
			cfg, err := a.layout()
			if err != nil {
				return err
			}
			// An empty variable of a script must not mean none.
			if cmd.Flags().Changed("account") && !accountNumber.MatchString(account) {
				return usage(cmd,
					"--account must be the number of an AWS account, which has twelve digits; leave it out to fill it in by hand")
			}
			at := iac.Location{Account: account}
			if client, err := cfg.Client(cmd.Context()); err == nil { // Without a Region, the policy says REGION.
				at.Region = client.Options().Region
			}
			policy, err := iac.Policy(cfg.Table(), chosen[0], at)
			if err != nil {
				return err
			}
			return a.printDocument(policy)
		},
	}
	cmd.Flags().StringVar(&role, "role", string(iac.RoleApp), "the `ROLE`: "+strings.Join(roleNames(), ", "))
	cmd.Flags().StringVar(&account, "account", "", "the `NUMBER` of the AWS account (default: ACCOUNT, to be filled in)")
	a.complete(cmd, "role", roleNames()...)
	return cmd
}

func (a *app) printDocument(document string) error {
	if !strings.HasSuffix(document, "\n") {
		document += "\n"
	}
	_, err := io.WriteString(a.Out, document)
	return outputError(err)
}
