package iac

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/arn"
)

// CloudFormation returns a template, as YAML, for a stack with the table exactly as [dynamostore.Table.Create] makes
// it, and a managed policy for each of the roles, as [Policy] writes it. A stack with policies needs CAPABILITY_IAM.
// The outputs are TableName, TableArn, StreamArn where there is a stream, and AppPolicyArn and so on.
//
// The table outlives the stack, because to delete it logs everybody out: DeletionPolicy and UpdateReplacePolicy are
// Retain.
//
// Errors: what [dynamostore.Table.Validate] reports, an unknown role, and a name that is an ARN. It makes no call.
func CloudFormation(of dynamostore.Table, roles ...Role) (string, error) {
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
	w.line(0, `AWSTemplateFormatVersion: "2010-09-09"`)
	w.line(0, "Description: %s", quoteYAML("The DynamoDB table "+t.Name+", which keeps web sessions"))
	w.line(0, "")
	w.line(0, "Resources:")
	t.writeTableResource(w, input)
	for _, role := range roles {
		t.writeManagedPolicy(w, role)
	}
	w.line(0, "")
	w.line(0, "Outputs:")
	writeOutput(w, "TableName", "The name of the table", "!Ref Sessions")
	writeOutput(w, "TableArn", "The ARN of the table", "!GetAtt Sessions.Arn")
	if input.StreamSpecification != nil {
		writeOutput(w, "StreamArn", "The ARN of the stream of the table", "!GetAtt Sessions.StreamArn")
	}
	for _, role := range roles {
		writeOutput(w, policyID(role)+"Arn", "The ARN of the policy for the role "+string(role), "!Ref "+policyID(role))
	}
	return w.String(), nil
}

func (t table) writeTableResource(w *textWriter, input *dynamodb.CreateTableInput) {
	w.line(1, "Sessions:")
	w.line(2, "Type: AWS::DynamoDB::Table")
	w.line(2,
		"# Without the table everybody is logged out: it stays where the stack goes, or where a change needs another "+
			"table.")
	w.line(2, "DeletionPolicy: Retain")
	w.line(2, "UpdateReplacePolicy: Retain")
	w.line(2, "Properties:")
	w.line(3, "TableName: %s", quoteYAML(*input.TableName))
	w.line(3, "AttributeDefinitions:")
	for _, attribute := range input.AttributeDefinitions {
		w.line(4, "- AttributeName: %s", quoteYAML(*attribute.AttributeName))
		w.line(4, "  AttributeType: %s", attribute.AttributeType)
	}
	w.line(3, "KeySchema:")
	for _, key := range input.KeySchema {
		w.line(4, "- AttributeName: %s", quoteYAML(*key.AttributeName))
		w.line(4, "  KeyType: %s", key.KeyType)
	}
	w.line(3, "BillingMode: %s", input.BillingMode)
	writeThroughput(w, 3, input.ProvisionedThroughput)
	if len(input.GlobalSecondaryIndexes) > 0 {
		w.line(3, "GlobalSecondaryIndexes:")
	}
	for _, index := range input.GlobalSecondaryIndexes {
		w.line(4, "- IndexName: %s", quoteYAML(*index.IndexName))
		w.line(4, "  KeySchema:")
		for _, key := range index.KeySchema {
			w.line(6, "- AttributeName: %s", quoteYAML(*key.AttributeName))
			w.line(6, "  KeyType: %s", key.KeyType)
		}
		w.line(4, "  Projection:")
		w.line(6, "ProjectionType: %s", index.Projection.ProjectionType)
		writeThroughput(w, 5, index.ProvisionedThroughput)
	}
	w.line(3, "# A strongly consistent global table has no TTL. It is an AWS::DynamoDB::GlobalTable with "+
		"MultiRegionConsistency: STRONG")
	w.line(3, "# and without the next three lines. Run gcrunner there: without it, expired sessions stay.")
	w.line(3, "TimeToLiveSpecification:")
	w.line(4, "AttributeName: %s", quoteYAML(t.Attributes.TTL))
	w.line(4, "Enabled: true")
	if input.TableClass != "" {
		w.line(3, "TableClass: %s", input.TableClass)
	}
	if aws.ToBool(input.DeletionProtectionEnabled) {
		w.line(3, "DeletionProtectionEnabled: true")
	}
	if stream := input.StreamSpecification; stream != nil {
		w.line(3, "StreamSpecification:")
		w.line(4, "StreamViewType: %s", stream.StreamViewType)
	}
	if sse := input.SSESpecification; sse != nil {
		w.line(3, "SSESpecification:")
		w.line(4, "SSEEnabled: %t", *sse.Enabled)
		w.line(4, "SSEType: %s", sse.SSEType)
		if sse.KMSMasterKeyId != nil {
			w.line(4, "KMSMasterKeyId: %s", quoteYAML(*sse.KMSMasterKeyId))
		}
	}
	if len(input.Tags) > 0 {
		w.line(3, "Tags:")
	}
	for _, tag := range input.Tags {
		w.line(4, "- Key: %s", quoteYAML(*tag.Key))
		w.line(4, "  Value: %s", quoteYAML(*tag.Value))
	}
	w.line(3, "# Backups bring back sessions of the past, and are billed by size. Where they are wanted all the same:")
	w.line(3, "# PointInTimeRecoverySpecification:")
	w.line(3, "#   PointInTimeRecoveryEnabled: true")
}

func writeThroughput(w *textWriter, depth int, throughput *types.ProvisionedThroughput) {
	if throughput == nil {
		return
	}
	w.line(depth, "ProvisionedThroughput:")
	w.line(depth+1, "ReadCapacityUnits: %d", *throughput.ReadCapacityUnits)
	w.line(depth+1, "WriteCapacityUnits: %d", *throughput.WriteCapacityUnits)
}

func (t table) writeManagedPolicy(w *textWriter, role Role) {
	w.line(0, "")
	w.line(1, "%s:", policyID(role))
	w.line(2, "Type: AWS::IAM::ManagedPolicy")
	w.line(2, "Properties:")
	w.line(3, "Description: %s", quoteYAML(policyDescription(t, role)))
	w.line(3, "PolicyDocument:")
	w.line(4, "Version: %q", policyVersion)
	w.line(4, "Statement:")
	for _, s := range t.statements(role) {
		w.line(5, "- Sid: %s", s.sid)
		w.line(5, "  Effect: Allow")
		w.line(5, "  Action:")
		for _, action := range s.actions {
			w.line(7, "- %s", action)
		}
		w.line(5, "  Resource: %s", t.cloudFormationARN(s.on))
		if len(s.only) > 0 {
			w.line(5, "  Condition:")
		}
		for _, group := range byOperator(s.only) {
			w.line(7, "%s:", group[0].operator)
			for _, c := range group {
				if len(c.values) == 1 {
					w.line(8, "%s: %s", c.key, quoteYAML(c.values[0]))
					continue
				}
				w.line(8, "%s:", c.key)
				for _, value := range c.values {
					w.line(9, "- %s", quoteYAML(value))
				}
			}
		}
	}
}

func (t table) cloudFormationARN(on resource) string {
	switch on {
	case theTable:
		return "!GetAtt Sessions.Arn"
	case theExpiryIndex:
		return "!Sub " + quoteYAML("${Sessions.Arn}"+t.indexResource())
	case theKMSKey:
	}
	here := Location{Region: "${AWS::Region}", Account: "${AWS::AccountId}", Partition: "${AWS::Partition}"}
	key := quoteYAML(t.keyARN(here))
	if strings.HasPrefix(t.KMSKey, arn.Prefix) {
		return key
	}
	return "!Sub " + key
}

func writeOutput(w *textWriter, name, description, value string) {
	w.line(1, "%s:", name)
	w.line(2, "Description: %s", description)
	w.line(2, "Value: %s", value)
}

// policyID is the name of a role's policy in a template.
func policyID(role Role) string {
	return strings.ToUpper(string(role[:1])) + string(role[1:]) + "Policy"
}

func policyDescription(t table, role Role) string {
	return fmt.Sprintf("What the %s needs on the DynamoDB table %s", roleNames[role], t.Name)
}

var roleNames = map[Role]string{
	RoleApp: "application", RoleIterator: "iteration over sessions", RoleCollector: "collector of sessions",
	RoleAdmin: "administrator",
}
