package iac_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/dynamostore/iac"
)

// Create and the configuration can never differ, whatever the table is.
func TestTerraformSaysWhatCreateDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table := anyTable().Draw(t, "table")
		roles := rapid.SliceOfDistinct(rapid.SampledFrom(iac.Roles()), rapid.ID[iac.Role]).Draw(t, "roles")
		text, err := iac.Terraform(table, roles...)
		if err != nil {
			t.Fatal(err)
		}
		want := wanted(t, table, roles)
		if strings.Contains(text, `data "aws_kms_key"`) {
			for _, policy := range want.policies {
				nameTheKey(policy)
			}
		}
		readTerraform(t, text).check(t, want)
	})
}

// looked is the ARN that the lookup of a KMS key finds in these tests.
const looked = "arn:aws:kms:eu-central-1:123456789012:key/looked-up"

// nameTheKey makes of a policy for a key known by an alias, or by its ID, one for the key that Terraform looks up.
func nameTheKey(policy any) {
	for _, statement := range policy.(map[string]any)["Statement"].([]any) {
		if statement := statement.(map[string]any); strings.Contains(statement["Resource"].(string), ":kms:") {
			statement["Resource"] = looked
			delete(statement["Condition"].(map[string]any), "ForAnyValue:StringEquals")
		}
	}
}

func TestTerraformIsFormatted(t *testing.T) {
	t.Parallel()
	for name, table := range templateTables {
		text, err := iac.Terraform(table, iac.Roles()...)
		if err != nil {
			t.Fatal(err)
		}
		if formatted := string(hclwrite.Format([]byte(text))); formatted != text {
			t.Errorf("%s: `terraform fmt` would write\n%s", name, formatted)
		}
	}
}

// Destroying the table would log everybody out.
func TestTerraformKeepsTheTable(t *testing.T) {
	t.Parallel()
	text, err := iac.Terraform(dynamostore.Table{Name: "sessions", Stream: true}, iac.RoleApp)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "\n    prevent_destroy = true ") {
		t.Errorf("nothing prevents the table's end:\n%s", text)
	}
	for _, output := range []string{"table_name", "table_arn", "stream_arn", "app_policy_arn"} {
		if !strings.Contains(text, `output "`+output+`"`) {
			t.Errorf("no output %s", output)
		}
	}
}

// documented are the arguments and blocks that the provider's documentation has of what we write; a block has a dot
// before each of its own. Required ones have a star.
//
// Sources: the pages of the resources and data sources of the same names in the documentation of the provider
// hashicorp/aws (website/docs/r and website/docs/d in its repository), and
// https://developer.hashicorp.com/terraform/language for lifecycle and output.
var documented = map[string][]string{
	"resource aws_dynamodb_table": {
		"attribute*", "attribute.name*", "attribute.type*", "billing_mode", "deletion_protection_enabled", "hash_key*",
		"import_table", "global_secondary_index", "global_secondary_index.hash_key*", "global_secondary_index.name*",
		"global_secondary_index.non_key_attributes", "global_secondary_index.projection_type*",
		"global_secondary_index.range_key",
		"global_secondary_index.read_capacity", "global_secondary_index.write_capacity", "local_secondary_index", "name*",
		"on_demand_throughput",
		"point_in_time_recovery", "point_in_time_recovery.enabled*", "range_key", "read_capacity", "replica",
		"restore_date_time", "restore_source_name", "restore_to_latest_time", "server_side_encryption",
		"server_side_encryption.enabled*", "server_side_encryption.kms_key_arn", "stream_enabled", "stream_view_type",
		"table_class", "tags", "ttl", "ttl.attribute_name", "ttl.enabled", "write_capacity",
		"lifecycle", "lifecycle.create_before_destroy", "lifecycle.prevent_destroy", "lifecycle.ignore_changes",
	},
	"resource aws_iam_policy": {"description", "name_prefix", "name", "path", "policy*", "tags"},
	"data aws_iam_policy_document": {
		"override_policy_documents", "policy_id", "source_policy_documents", "statement", "version",
		"statement.actions", "statement.condition", "statement.condition.test*", "statement.condition.variable*",
		"statement.condition.values*", "statement.effect", "statement.not_actions", "statement.not_principals",
		"statement.not_resources", "statement.principals", "statement.resources", "statement.sid",
	},
	"data aws_kms_key": {"key_id*", "grant_tokens"},
	"output":           {"value*", "description", "sensitive", "depends_on"},
}

// readTerraform checks the configuration against the documentation of the provider, and returns what it says.
func readTerraform(t rapid.TB, text string) written {
	t.Helper()
	file, diagnostics := hclsyntax.ParseConfig([]byte(text), "sessions.tf", hcl.InitialPos)
	if diagnostics.HasErrors() {
		t.Fatalf("not HCL: %v\n%s", diagnostics, text)
	}
	body := file.Body.(*hclsyntax.Body)
	if len(body.Attributes) > 0 {
		t.Errorf("arguments outside of all blocks: %v", body.Attributes)
	}
	blocks := map[string]*hclsyntax.Body{}
	for _, block := range body.Blocks {
		kind := block.Type
		if len(block.Labels) == 2 {
			kind += " " + block.Labels[0]
		}
		checkArguments(t, kind, "", block.Body)
		id := strings.Join(append([]string{block.Type}, block.Labels...), ".")
		if blocks[id] != nil {
			t.Errorf("%s comes twice", id)
		}
		blocks[id] = block.Body
	}
	r := terraformReader{t: t, keyID: looked}
	if key := blocks["data.aws_kms_key.sessions"]; key != nil {
		r.keyID = r.text(key, "key_id")
		if !strings.Contains(text, "= data.aws_kms_key.sessions.arn\n") {
			t.Errorf("a key is looked up and not used")
		}
	}
	table := blocks["resource.aws_dynamodb_table.sessions"]
	w := written{policies: map[iac.Role]any{}}
	w.input, w.ttl = r.createInput(table)
	r.tableARN, r.keyID = tableARN(*w.input.TableName), looked
	for id, block := range blocks {
		if name, ok := strings.CutPrefix(id, "data.aws_iam_policy_document.sessions_"); ok {
			w.policies[iac.Role(name)] = r.policy(block)
			policy := blocks["resource.aws_iam_policy.sessions_"+name]
			if got := string(policy.Attributes["policy"].Expr.Range().SliceBytes([]byte(text))); got != id+".json" {
				t.Errorf("the policy of the role %s is %s", name, got)
			}
			if prefix := r.text(policy, "name_prefix"); len(prefix) > 102 {
				t.Errorf("a name prefix of %d characters; the provider takes 102", len(prefix))
			}
		}
	}
	return w
}

// checkArguments checks the names in a block, and those in the blocks within.
func checkArguments(t rapid.TB, kind, path string, body *hclsyntax.Body) {
	t.Helper()
	var names []string
	for name := range body.Attributes {
		names = append(names, path+name)
	}
	for _, block := range body.Blocks {
		names = append(names, path+block.Type)
		checkArguments(t, kind, path+block.Type+".", block.Body)
	}
	for _, name := range names {
		if !slices.Contains(documented[kind], name) && !slices.Contains(documented[kind], name+"*") {
			t.Errorf("%s has no %s", kind, name)
		}
	}
	for _, name := range documented[kind] {
		required, isRequired := strings.CutSuffix(name, "*")
		local, inside := strings.CutPrefix(required, path)
		if isRequired && inside && !strings.Contains(local, ".") && !slices.Contains(names, required) {
			t.Errorf("%s has no %s, which is required", kind, required)
		}
	}
}

// terraformReader evaluates expressions.
type terraformReader struct {
	t               rapid.TB
	tableARN, keyID string
}

func (r terraformReader) value(body *hclsyntax.Body, name string) (cty.Value, bool) {
	r.t.Helper()
	attribute := body.Attributes[name]
	if attribute == nil {
		return cty.NilVal, false
	}
	arn := func(kind, arn string) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{kind: cty.ObjectVal(map[string]cty.Value{
			"sessions": cty.ObjectVal(map[string]cty.Value{"arn": cty.StringVal(arn)}),
		})})
	}
	value, diagnostics := attribute.Expr.Value(&hcl.EvalContext{Variables: map[string]cty.Value{
		"aws_dynamodb_table": arn("aws_dynamodb_table", r.tableARN).GetAttr("aws_dynamodb_table"),
		"data":               arn("aws_kms_key", r.keyID),
	}})
	if diagnostics.HasErrors() {
		r.t.Fatalf("%s: %v", name, diagnostics)
	}
	return value, true
}

// text returns a text, or "" where there is none.
func (r terraformReader) text(body *hclsyntax.Body, name string) string {
	r.t.Helper()
	value, ok := r.value(body, name)
	if !ok {
		return ""
	}
	return value.AsString()
}

func (r terraformReader) number(body *hclsyntax.Body, name string) int64 {
	r.t.Helper()
	value, _ := r.value(body, name)
	number, _ := value.AsBigFloat().Int64()
	return number
}

func (r terraformReader) enabled(body *hclsyntax.Body, name string) *bool {
	r.t.Helper()
	value, ok := r.value(body, name)
	if !ok {
		return nil
	}
	return aws.Bool(value.True())
}

func (r terraformReader) createInput(body *hclsyntax.Body) (input *dynamodb.CreateTableInput, ttl string) {
	r.t.Helper()
	input = &dynamodb.CreateTableInput{
		TableName:                 aws.String(r.text(body, "name")),
		BillingMode:               types.BillingMode(r.text(body, "billing_mode")),
		TableClass:                types.TableClass(r.text(body, "table_class")),
		DeletionProtectionEnabled: r.enabled(body, "deletion_protection_enabled"),
		KeySchema:                 r.schema(body),
		ProvisionedThroughput:     r.throughput(body),
	}
	if enabled := r.enabled(body, "stream_enabled"); enabled != nil {
		input.StreamSpecification = &types.StreamSpecification{
			StreamEnabled: enabled, StreamViewType: types.StreamViewType(r.text(body, "stream_view_type")),
		}
	}
	for _, block := range body.Blocks {
		switch block.Type {
		case "attribute":
			input.AttributeDefinitions = append(input.AttributeDefinitions, types.AttributeDefinition{
				AttributeName: aws.String(r.text(block.Body, "name")),
				AttributeType: types.ScalarAttributeType(r.text(block.Body, "type")),
			})
		case "global_secondary_index":
			input.GlobalSecondaryIndexes = append(input.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
				IndexName: aws.String(r.text(block.Body, "name")), KeySchema: r.schema(block.Body),
				ProvisionedThroughput: r.throughput(block.Body),
				Projection: &types.Projection{
					ProjectionType: types.ProjectionType(r.text(block.Body, "projection_type")),
				},
			})
		case "ttl":
			ttl = r.text(block.Body, "attribute_name")
			if !aws.ToBool(r.enabled(block.Body, "enabled")) {
				r.t.Errorf("TTL is not turned on")
			}
		case "server_side_encryption": // the provider always asks for KMS
			input.SSESpecification = &types.SSESpecification{
				Enabled: r.enabled(block.Body, "enabled"),
				SSEType: types.SSETypeKms,
			}
			if key := r.text(block.Body, "kms_key_arn"); key != "" {
				input.SSESpecification.KMSMasterKeyId = &key
			}
		}
	}
	if tags, ok := r.value(body, "tags"); ok {
		for key, value := range tags.AsValueMap() {
			input.Tags = append(input.Tags, types.Tag{Key: &key, Value: aws.String(value.AsString())})
		}
		slices.SortFunc(input.Tags, func(a, b types.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	}
	return input, ttl
}

// schema returns the key of the table, or of an index.
func (r terraformReader) schema(body *hclsyntax.Body) []types.KeySchemaElement {
	r.t.Helper()
	schema := []types.KeySchemaElement{{AttributeName: aws.String(r.text(body, "hash_key")), KeyType: types.KeyTypeHash}}
	if sortKey := r.text(body, "range_key"); sortKey != "" {
		schema = append(schema, types.KeySchemaElement{AttributeName: &sortKey, KeyType: types.KeyTypeRange})
	}
	return schema
}

func (r terraformReader) throughput(body *hclsyntax.Body) *types.ProvisionedThroughput {
	r.t.Helper()
	if body.Attributes["read_capacity"] == nil {
		return nil
	}
	return &types.ProvisionedThroughput{
		ReadCapacityUnits:  aws.Int64(r.number(body, "read_capacity")),
		WriteCapacityUnits: aws.Int64(r.number(body, "write_capacity")),
	}
}

// policy returns the document as the provider would write it.
func (r terraformReader) policy(body *hclsyntax.Body) any {
	r.t.Helper()
	statements := []any{}
	for _, block := range body.Blocks {
		statement := map[string]any{
			"Sid": r.text(block.Body, "sid"), "Effect": "Allow",
			"Action": r.list(block.Body, "actions"), "Resource": r.list(block.Body, "resources")[0],
		}
		conditions := map[string]any{}
		for _, condition := range block.Body.Blocks {
			values := r.list(condition.Body, "values")
			for i, value := range values {
				values[i] = strings.ReplaceAll(value.(string), "&{", "${")
			}
			test := r.text(condition.Body, "test")
			if conditions[test] == nil {
				conditions[test] = map[string]any{}
			}
			conditions[test].(map[string]any)[r.text(condition.Body, "variable")] = oneOrAll(values)
		}
		if len(conditions) > 0 {
			statement["Condition"] = conditions
		}
		statements = append(statements, statement)
	}
	return map[string]any{"Version": "2012-10-17", "Statement": statements}
}

// oneOrAll returns the only value, or else all.
func oneOrAll(values []any) any {
	if len(values) == 1 {
		return values[0]
	}
	return values
}

func (r terraformReader) list(body *hclsyntax.Body, name string) []any {
	r.t.Helper()
	value, _ := r.value(body, name)
	text, err := ctyjson.Marshal(value, value.Type())
	if err != nil {
		r.t.Fatal(err)
	}
	var list []any
	if err := json.Unmarshal(text, &list); err != nil {
		r.t.Fatal(err)
	}
	return list
}
