package iac

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/arn"
)

// Terraform returns a configuration, in HCL, for the provider hashicorp/aws: the table exactly as
// [dynamostore.Table.Create] makes it, and a policy for each of the roles, as [Policy] writes it. The outputs are
// table_name, table_arn, stream_arn where there is a stream, and app_policy_arn and so on.
//
// Terraform refuses to destroy the table, because that would log everybody out: prevent_destroy is set. It normalizes
// all text to Unicode's form C; a table with a name in another form must be made another way.
//
// Errors: what [dynamostore.Table.Validate] reports, an unknown role, and a name that is an ARN. It makes no call.
func Terraform(of dynamostore.Table, roles ...Role) (string, error) {
	if err := validate(of, roles...); err != nil {
		return "", err
	}
	t := table{of.WithDefaults()}
	input, err := t.CreateInput()
	if err != nil {
		return "", err
	}
	w := &textWriter{}
	w.line(0, madeBy)
	t.writeTerraformTable(w, input)
	for _, role := range roles {
		t.writeTerraformPolicy(w, role)
	}
	writeTerraformOutput(w, "table_name", "aws_dynamodb_table.sessions.name")
	writeTerraformOutput(w, "table_arn", "aws_dynamodb_table.sessions.arn")
	if input.StreamSpecification != nil {
		writeTerraformOutput(w, "stream_arn", "aws_dynamodb_table.sessions.stream_arn")
	}
	for _, role := range roles {
		writeTerraformOutput(w, string(role)+"_policy_arn", "aws_iam_policy.sessions_"+string(role)+".arn")
	}
	return w.String(), nil
}

func (t table) writeTerraformTable(w *textWriter, input *dynamodb.CreateTableInput) {
	key, lookup := t.terraformKey()
	if lookup {
		w.line(0, `data "aws_kms_key" "sessions" {`)
		w.line(1, "key_id = %s", quoteHCL(t.KMSKey))
		w.line(0, "}")
		w.line(0, "")
	}
	w.line(0, `resource "aws_dynamodb_table" "sessions" {`)
	arguments := [][2]string{{"name", quoteHCL(*input.TableName)}, {"billing_mode", quoteHCL(string(input.BillingMode))}}
	arguments = append(arguments, terraformThroughput(input.ProvisionedThroughput)...)
	arguments = append(arguments, terraformSchema(input.KeySchema)...)
	if input.TableClass != "" {
		arguments = append(arguments, [2]string{"table_class", quoteHCL(string(input.TableClass))})
	}
	if aws.ToBool(input.DeletionProtectionEnabled) {
		arguments = append(arguments, [2]string{"deletion_protection_enabled", "true"})
	}
	if stream := input.StreamSpecification; stream != nil {
		arguments = append(arguments, [2]string{"stream_enabled", "true"},
			[2]string{"stream_view_type", quoteHCL(string(stream.StreamViewType))})
	}
	writeArguments(w, 1, arguments...)
	for _, attribute := range input.AttributeDefinitions {
		writeBlock(w, "attribute",
			[2]string{"name", quoteHCL(*attribute.AttributeName)}, [2]string{"type", quoteHCL(string(attribute.AttributeType))})
	}
	for _, index := range input.GlobalSecondaryIndexes {
		arguments := append([][2]string{{"name", quoteHCL(*index.IndexName)}}, terraformSchema(index.KeySchema)...)
		arguments = append(arguments, [2]string{"projection_type", quoteHCL(string(index.Projection.ProjectionType))})
		writeBlock(w, "global_secondary_index", append(arguments, terraformThroughput(index.ProvisionedThroughput)...)...)
	}
	w.line(0, "")
	w.line(1,
		"# A strongly consistent global table has no TTL. For one, replace the block ttl by the other Regions, and run "+
			"gcrunner,")
	w.line(1, "# without which expired sessions stay:")
	w.line(1, "# replica {")
	w.line(1, "#   region_name      = \"us-west-2\"")
	w.line(1, "#   consistency_mode = \"STRONG\"")
	w.line(1, "# }")
	writeBlock(w, "ttl", [2]string{"attribute_name", quoteHCL(t.Attributes.TTL)}, [2]string{"enabled", "true"})
	if sse := input.SSESpecification; sse != nil {
		arguments := [][2]string{{"enabled", strconv.FormatBool(*sse.Enabled)}}
		if sse.KMSMasterKeyId != nil {
			arguments = append(arguments, [2]string{"kms_key_arn", key})
		}
		writeBlock(w, "server_side_encryption", arguments...)
	}
	if len(input.Tags) > 0 {
		w.line(0, "")
		w.line(1, "tags = {")
		tags := make([][2]string, len(input.Tags))
		for i, tag := range input.Tags {
			tags[i] = [2]string{quoteHCL(*tag.Key), quoteHCL(*tag.Value)}
		}
		writeArguments(w, 2, tags...)
		w.line(1, "}")
	}
	w.line(0, "")
	w.line(1, "# Backups bring back sessions of the past, and are billed by size. Where they are wanted all the same:")
	w.line(1, "# point_in_time_recovery {")
	w.line(1, "#   enabled = true")
	w.line(1, "# }")
	w.line(0, "")
	w.line(1, "lifecycle {")
	w.line(2, "prevent_destroy = true # without the table everybody is logged out")
	if input.ProvisionedThroughput != nil {
		w.line(2, "# ignore_changes = [read_capacity, write_capacity] # where autoscaling sets them")
	}
	w.line(1, "}")
	w.line(0, "}")
}

func terraformThroughput(throughput *types.ProvisionedThroughput) [][2]string {
	if throughput == nil {
		return nil
	}
	return [][2]string{
		{"read_capacity", strconv.FormatInt(*throughput.ReadCapacityUnits, 10)},
		{"write_capacity", strconv.FormatInt(*throughput.WriteCapacityUnits, 10)},
	}
}

func terraformSchema(schema []types.KeySchemaElement) [][2]string {
	var arguments [][2]string
	for _, element := range schema {
		name := map[types.KeyType]string{types.KeyTypeHash: "hash_key", types.KeyTypeRange: "range_key"}[element.KeyType]
		arguments = append(arguments, [2]string{name, quoteHCL(*element.AttributeName)})
	}
	return arguments
}

// terraformKey is the ARN of the KMS key, which Terraform must have: it is looked up where only the ID or an alias is
// given.
func (t table) terraformKey() (expression string, lookup bool) {
	if _, isAlias := arn.AliasOf(t.KMSKey); strings.HasPrefix(t.KMSKey, arn.Prefix) && !isAlias {
		return quoteHCL(t.KMSKey), false
	}
	return "data.aws_kms_key.sessions.arn", t.KMSKey != "" && !arn.IsAWSManaged(t.KMSKey)
}

func (t table) writeTerraformPolicy(w *textWriter, role Role) {
	label := "sessions_" + string(role)
	key, lookup := t.terraformKey()
	w.line(0, "")
	w.line(0, `data "aws_iam_policy_document" "%s" {`, label)
	for i, s := range t.statements(role) {
		if i > 0 {
			w.line(0, "")
		}
		w.line(1, "statement {")
		quoted := make([]string, len(s.actions))
		for i, action := range s.actions {
			quoted[i] = quoteHCL(action)
		}
		on := "aws_dynamodb_table.sessions.arn"
		switch s.on {
		case theTable:
		case theExpiryIndex:
			on = `"${` + on + `}` + t.indexResource() + `"`
		case theKMSKey:
			on = key
		}
		writeArguments(w, 2, [2]string{"sid", quoteHCL(s.sid)},
			[2]string{"actions", "[" + strings.Join(quoted, ", ") + "]"}, [2]string{"resources", "[" + on + "]"})
		for _, c := range s.only {
			if c.key == resourceAliases && lookup { // the key itself is known
				continue
			}
			w.line(0, "")
			w.line(2, "condition {")
			values := make([]string, len(c.values))
			for i, value := range c.values {
				values[i] = quoteHCL(value)
			}
			writeArguments(w, 3, [2]string{"test", quoteHCL(c.operator)}, [2]string{"variable", quoteHCL(c.key)},
				[2]string{"values", "[" + strings.Join(values, ", ") + "]"})
			w.line(2, "}")
		}
		w.line(1, "}")
	}
	w.line(0, "}")
	w.line(0, "")
	w.line(0, `resource "aws_iam_policy" "%s" {`, label)
	// The provider appends 26 characters, and a name has 128 at most.
	prefix := t.Name[:min(len(t.Name), 80)] + "-" + string(role) + "-"
	writeArguments(w, 1, [2]string{"name_prefix", quoteHCL(prefix)},
		[2]string{"description", quoteHCL(policyDescription(t, role))},
		[2]string{"policy", "data.aws_iam_policy_document." + label + ".json"})
	w.line(0, "}")
}

func writeTerraformOutput(w *textWriter, name, value string) {
	w.line(0, "")
	w.line(0, `output "%s" {`, name)
	w.line(1, "value = %s", value)
	w.line(0, "}")
}

func writeBlock(w *textWriter, name string, arguments ...[2]string) {
	w.line(0, "")
	w.line(1, "%s {", name)
	writeArguments(w, 2, arguments...)
	w.line(1, "}")
}

// writeArguments writes names and values as `terraform fmt` does, in columns.
func writeArguments(w *textWriter, depth int, arguments ...[2]string) {
	width := 0
	for _, argument := range arguments {
		width = max(width, len([]rune(argument[0])))
	}
	for _, argument := range arguments {
		w.line(depth, "%-*s = %s", width, argument[0], argument[1])
	}
}
