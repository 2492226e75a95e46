package main_test

import (
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore/iac"
)

func TestTable(t *testing.T) {
	t.Parallel()
	s := onDynamoDB(t)
	name := s.config().Table().Name
	s.run("table", "verify")
	s.run("table", "describe", "--output", "json")
	s.run("sessions", "count")
	s.run("table", "create")
	s.run("table", "create")
	s.run("table", "create", "--output", "json")
	s.run("table", "verify")
	s.run("table", "verify", "--output", "json")
	s.run("table", "describe")
	s.note("another layout")
	s.run("table", "verify", "--set", "table.partition_key.name=pk", "--set", "table.sort_key.name=sk")
	s.run("table", "create", "--set", "table.partition_key.name=pk")
	s.run("table", "verify", "--set", "table.attributes.ttl=end", "--output", "json")
	s.note("nothing is done without both --yes and the name")
	s.run("table", "delete")
	s.run("table", "delete", "--yes")
	s.run("table", "delete", "--confirm", name)
	s.run("table", "delete", "--yes", "--confirm", "another")
	s.run("table", "delete", "--yes", "--confirm", "", "--output", "json")
	s.run("table", "verify")
	s.run("table", "delete", "--yes", "--confirm", name)
	s.run("table", "verify")
	s.run("table", "delete", "--yes", "--confirm", name, "--output", "json")
	s.golden("table")
}

// A strongly consistent global table has no TTL, and cannot get it: that is said, and is no error.
func TestTableOfSeveralRegions(t *testing.T) {
	t.Parallel()
	s := onDynamoDB(t)
	s.through(t, proxy{strong: true})
	s.run("table", "create")
	s.run("table", "create")
	s.run("table", "verify")
	s.run("table", "describe")
	s.run("doctor", "--read-only")
	s.note("another layout")
	s.run("table", "verify", "--set", "table.sort_key.name=sk")
	s.golden("table-regions")
}

// The index is added to a table that has none.
func TestTableAddIndex(t *testing.T) {
	t.Parallel()
	s := onDynamoDB(t)
	s.run("table", "add-index")
	s.run("table", "add-index", "--set", "table.expiry_index.name=expiry")
	s.run("table", "create")
	s.set("SCSDYNAMO_TABLE_EXPIRY_INDEX_NAME", "expiry")
	s.run("table", "verify")
	s.run("table", "create")
	s.run("table", "add-index", "--no-wait", "--output", "json")
	s.run("table", "add-index")
	s.run("table", "verify")
	s.run("table", "describe")
	s.note("another key")
	s.run("table", "add-index", "--set", "table.attributes.expiry_hour=hour")
	s.golden("table-index")
}

// Each setting that is configured and that the table does not have is named, and nothing is changed.
func TestTableSettings(t *testing.T) {
	t.Parallel()
	s := onDynamoDB(t)
	s.run("table", "create")
	s.set("SCSDYNAMO_TABLE_DELETION_PROTECTION", "true")
	s.set("SCSDYNAMO_TABLE_KMS_KEY", "alias/foo")
	s.set("SCSDYNAMO_TABLE_CLASS", "STANDARD_INFREQUENT_ACCESS")
	s.set("SCSDYNAMO_TABLE_READ_CAPACITY", "5")
	s.set("SCSDYNAMO_TABLE_WRITE_CAPACITY", "6")
	s.run("table", "verify")
	s.run("table", "verify", "--output", "json")
	s.run("table", "create")
	s.run("table", "describe")
	s.run("doctor", "--read-only")
	for _, key := range []string{"DELETION_PROTECTION", "KMS_KEY", "CLASS", "READ_CAPACITY", "WRITE_CAPACITY"} {
		s.unset("SCSDYNAMO_TABLE_" + key)
	}
	s.run("table", "verify")
	s.golden("table-settings")
	// Not every engine has tags.
	r := s.execute("", "table", "verify", "--set", "table.tags=team=web")
	if differs := r.code == 5 && strings.Contains(r.stderr, `it has no tag "team"`); !differs &&
		(r.code != 0 || !strings.Contains(r.stderr, "its tags are not compared")) {
		t.Errorf("of a tag that is missing, nothing is said: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// TTL that was turned off is turned on again, and a table that is protected is not deleted.
func TestTableCreateCompletes(t *testing.T) {
	t.Parallel()
	s := onDynamoDB(t, "SCSDYNAMO_TABLE_DELETION_PROTECTION=true")
	client, table := dynamotest.Client(t), s.config().Table()
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &table.Name, BillingMode: types.BillingModePayPerRequest, DeletionProtectionEnabled: aws.Bool(true),
		KeySchema:            []types.KeySchemaElement{{AttributeName: &table.PartitionKey.Name, KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &table.PartitionKey.Name, AttributeType: "S"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.run("table", "verify")
	s.run("table", "create")
	s.run("table", "verify")
	s.run("table", "delete", "--yes", "--confirm", table.Name)
	s.golden("table-completed")
}

func TestTableOnBolt(t *testing.T) {
	t.Parallel()
	s := onBolt(t)
	for _, command := range []string{"create", "verify", "describe", "delete", "cloudformation", "terraform", "iam"} {
		s.run("table", command)
	}
	s.golden("table-bolt")
	if entries, err := os.ReadDir(s.dir); err != nil || len(entries) > 0 {
		t.Errorf("files were made: %v, %v", entries, err)
	}
}

// What is printed is what the library writes.
func TestTableDocuments(t *testing.T) {
	t.Parallel()
	s := newTranscript(t, "SCSDYNAMO_TABLE_NAME=web", "SCSDYNAMO_TABLE_PARTITION_KEY_PREFIX=session#",
		"SCSDYNAMO_TABLE_TAGS=team=web")
	table := s.config().Table()
	s.set("AWS_REGION", "eu-central-1")
	document := func(text string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	at := iac.Location{Region: "eu-central-1"}
	for _, test := range []struct {
		want string
		args []string
	}{
		{document(iac.CloudFormation(table)), []string{"cloudformation"}},
		{document(iac.CloudFormation(table, "app", "admin")), []string{"cloudformation", "--role", "app", "--role", "admin"}},
		{document(iac.Terraform(table)), []string{"terraform", "--output", "json"}},
		{document(iac.Terraform(table, "collector", "app")), []string{"terraform", "--role", "collector,app"}},
		{document(iac.Policy(table, "app", at)), []string{"iam"}},
		{document(iac.Policy(table, "admin", at)), []string{"iam", "--role", "admin"}},
		{
			document(iac.Policy(table, "collector", iac.Location{Region: "eu-west-1", Account: "123456789012"})),
			[]string{"iam", "--role", "collector", "--account", "123456789012", "--set", "dynamodb.region=eu-west-1"},
		},
	} {
		r := s.execute("", append([]string{"table"}, test.args...)...)
		if r.code != 0 || r.stderr != "" || strings.TrimSuffix(r.stdout, "\n") != strings.TrimSuffix(test.want, "\n") ||
			!strings.HasSuffix(r.stdout, "\n") {
			t.Errorf("table %q: exit code %d; got\n%s%s\nwant\n%s", test.args, r.code, r.stdout, r.stderr, test.want)
		}
	}
	s.set("AWS_REGION", "")
	if r := s.execute("", "table", "iam"); r.code != 0 || r.stdout != document(iac.Policy(table, "app", iac.Location{})) {
		t.Errorf("without a Region: exit code %d; %s%s", r.code, r.stdout, r.stderr)
	}
	s.run("table", "iam", "--role", "owner")
	s.run("table", "cloudformation", "--role", "owner")
	s.run("table", "terraform", "--set", "table.name=arn:aws:dynamodb:eu-central-1:123456789012:table/web")
	s.golden("documents")
}
