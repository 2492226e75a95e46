package iac_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/dynamostore/iac"
)

// Create and the template can never differ, whatever the table is.
func TestCloudFormationSaysWhatCreateDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		table := anyTable().Draw(rt, "table")
		roles := rapid.SliceOfDistinct(rapid.SampledFrom(iac.Roles()), rapid.ID[iac.Role]).Draw(rt, "roles")
		text, err := iac.CloudFormation(table, roles...)
		if err != nil {
			rt.Fatal(err)
		}
		readCloudFormation(rt, text).check(rt, wanted(rt, table, roles))
	})
}

// The stack that CloudFormation would make of the template passes Verify, on an engine.
func TestCloudFormationMakesATable(t *testing.T) {
	t.Parallel()
	client := dynamotest.Client(t)
	for name, table := range templateTables {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table.Name = dynamotest.TableName(t, client)
			table.KMSKey, table.Class = "", "" // which not all engines have
			text, err := iac.CloudFormation(table)
			if err != nil {
				t.Fatal(err)
			}
			template := readCloudFormation(t, text)
			if _, err := client.CreateTable(t.Context(), template.input); err != nil {
				t.Fatal(err)
			}
			if _, err := client.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
				TableName: template.input.TableName, TimeToLiveSpecification: &types.TimeToLiveSpecification{
					AttributeName: &template.ttl, Enabled: aws.Bool(true),
				},
			}); err != nil {
				t.Fatal(err)
			}
			if err := table.Verify(t.Context(), client); err != nil {
				t.Error(err)
			}
		})
	}
}

// A stack update or deletion must not log everybody out, and others need the outputs.
func TestCloudFormationRetainsTheTable(t *testing.T) {
	t.Parallel()
	text, err := iac.CloudFormation(dynamostore.Table{Name: "sessions", Stream: true}, iac.RoleApp)
	if err != nil {
		t.Fatal(err)
	}
	template := decodeTemplate(t, text)
	if table := template.Resources["Sessions"]; table.DeletionPolicy != "Retain" || table.UpdateReplacePolicy != "Retain" {
		t.Errorf("the table goes with the stack: %+v", table)
	}
	outputs := map[string]string{}
	for name, output := range template.Outputs {
		outputs[name] = fmt.Sprint(output.Value)
	}
	want := map[string]string{
		"TableName": "map[Ref:Sessions]", "TableArn": "map[Fn::GetAtt:[Sessions Arn]]", "AppPolicyArn": "map[Ref:AppPolicy]",
		"StreamArn": "map[Fn::GetAtt:[Sessions StreamArn]]",
	}
	if fmt.Sprint(outputs) != fmt.Sprint(want) {
		t.Errorf("outputs %v; want %v", outputs, want)
	}
}

// cloudFormation is a template, as far as ours may go.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
type cloudFormation struct {
	AWSTemplateFormatVersion, Description string
	Resources                             map[string]struct {
		Type, DeletionPolicy, UpdateReplacePolicy string
		Properties                                json.RawMessage
	}
	Outputs map[string]struct {
		Description string
		Value       any
	}
}

// cloudFormationTable is a table in a template.
type cloudFormationTable struct {
	TableName, BillingMode, TableClass *string
	AttributeDefinitions               []types.AttributeDefinition
	KeySchema                          []types.KeySchemaElement
	ProvisionedThroughput              *types.ProvisionedThroughput
	GlobalSecondaryIndexes             []types.GlobalSecondaryIndex
	TimeToLiveSpecification            types.TimeToLiveSpecification
	DeletionProtectionEnabled          *bool
	StreamSpecification                *struct{ StreamViewType types.StreamViewType }
	SSESpecification                   *struct {
		SSEEnabled     *bool
		SSEType        types.SSEType
		KMSMasterKeyId *string
	}
	Tags []types.Tag
}

// readCloudFormation checks the template against the schemas, and returns what it says.
func readCloudFormation(t rapid.TB, text string) written {
	t.Helper()
	w := written{policies: map[iac.Role]any{}}
	template := decodeTemplate(t, text)
	w.input, w.ttl = createInputOf(t, template.Resources["Sessions"].Properties)
	for name, resource := range template.Resources {
		if err := validateProperties(t, resource.Type, string(resource.Properties)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		switch {
		case name == "Sessions" && resource.Type == "AWS::DynamoDB::Table":
		case resource.Type == "AWS::IAM::ManagedPolicy":
			var policy struct{ Description, PolicyDocument any }
			strictJSON(t, resource.Properties, &policy)
			role := iac.Role(strings.ToLower(strings.TrimSuffix(name, "Policy")))
			w.policies[role] = resolve(t, policy.PolicyDocument, tableARN(*w.input.TableName))
		default:
			t.Errorf("the stack has a resource %s of type %s", name, resource.Type)
		}
	}
	return w
}

func createInputOf(t rapid.TB, properties json.RawMessage) (*dynamodb.CreateTableInput, string) {
	t.Helper()
	var table cloudFormationTable
	strictJSON(t, properties, &table)
	input := &dynamodb.CreateTableInput{
		TableName:                 table.TableName,
		BillingMode:               types.BillingMode(aws.ToString(table.BillingMode)),
		TableClass:                types.TableClass(aws.ToString(table.TableClass)),
		AttributeDefinitions:      table.AttributeDefinitions,
		KeySchema:                 table.KeySchema,
		ProvisionedThroughput:     table.ProvisionedThroughput,
		GlobalSecondaryIndexes:    table.GlobalSecondaryIndexes,
		DeletionProtectionEnabled: table.DeletionProtectionEnabled,
		Tags:                      table.Tags,
	}
	if stream := table.StreamSpecification; stream != nil { // to have it is to enable it
		input.StreamSpecification = &types.StreamSpecification{
			StreamEnabled: aws.Bool(true), StreamViewType: stream.StreamViewType,
		}
	}
	if sse := table.SSESpecification; sse != nil {
		input.SSESpecification = &types.SSESpecification{
			Enabled: sse.SSEEnabled, SSEType: sse.SSEType, KMSMasterKeyId: sse.KMSMasterKeyId,
		}
	}
	if !aws.ToBool(table.TimeToLiveSpecification.Enabled) {
		t.Error("TTL is not turned on")
	}
	return input, aws.ToString(table.TimeToLiveSpecification.AttributeName)
}

func decodeTemplate(t rapid.TB, text string) cloudFormation {
	t.Helper()
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		t.Fatalf("not YAML: %v\n%s", err, text)
	}
	asJSON, err := json.Marshal(plain(t, node.Content[0]))
	if err != nil {
		t.Fatal(err)
	}
	var template cloudFormation
	strictJSON(t, asJSON, &template)
	if template.AWSTemplateFormatVersion != "2010-09-09" {
		t.Errorf("version %q", template.AWSTemplateFormatVersion)
	}
	return template
}

// plain returns the value of a YAML node, with CloudFormation's short tags written out. Other tags, and a key that
// comes twice, are mistakes.
func plain(t rapid.TB, node *yaml.Node) any {
	t.Helper()
	switch node.Tag {
	case "!Ref":
		return map[string]any{"Ref": node.Value}
	case "!Sub":
		return map[string]any{"Fn::Sub": node.Value}
	case "!GetAtt":
		name, attribute, _ := strings.Cut(node.Value, ".")
		return map[string]any{"Fn::GetAtt": []string{name, attribute}}
	}
	switch node.Kind {
	case yaml.MappingNode:
		values := map[string]any{}
		for i := 0; i < len(node.Content); i += 2 {
			key := node.Content[i].Value
			if _, twice := values[key]; twice {
				t.Errorf("line %d: %q comes twice", node.Content[i].Line, key)
			}
			values[key] = plain(t, node.Content[i+1])
		}
		return values
	case yaml.SequenceNode:
		values := []any{}
		for _, item := range node.Content {
			values = append(values, plain(t, item))
		}
		return values
	case yaml.ScalarNode:
		var value any
		if err := node.Decode(&value); err != nil || strings.HasPrefix(node.Tag, "!") && !strings.HasPrefix(node.Tag, "!!") {
			t.Fatalf("line %d: %s %q: %v", node.Line, node.Tag, node.Value, err)
		}
		return value
	default:
		t.Fatalf("line %d: an anchor or alias", node.Line)
		return nil
	}
}

// resolve returns a value in which intrinsic functions are replaced by what they stand for.
func resolve(t rapid.TB, value any, table string) any {
	t.Helper()
	switch value := value.(type) {
	case []any:
		for i := range value {
			value[i] = resolve(t, value[i], table)
		}
	case map[string]any:
		if attribute, ok := value["Fn::GetAtt"]; ok {
			if fmt.Sprint(attribute) != "[Sessions Arn]" {
				t.Errorf("there is no attribute %v", attribute)
			}
			return table
		}
		if text, ok := value["Fn::Sub"].(string); ok {
			return strings.NewReplacer("${AWS::Partition}", "aws", "${AWS::Region}", "eu-central-1",
				"${AWS::AccountId}", "123456789012", "${Sessions.Arn}", table).Replace(text)
		}
		for key := range value {
			value[key] = resolve(t, value[key], table)
		}
	}
	return value
}
