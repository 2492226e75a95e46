package iac_test

import (
	"compress/gzip"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// schemaFile has JSON schemas of the resource types in our templates. They are made from the specification that AWS
// publishes for the CDK, the npm package @aws-cdk/aws-service-spec, by
//
//	go test ./dynamostore/iac -run TestCloudFormationSchemas -specification path/to/db.json.gz
const schemaFile = "testdata/cloudformation.schema.json"

var specification = flag.String("specification", "",
	"make "+schemaFile+" anew from this file, db.json.gz of the npm package @aws-cdk/aws-service-spec")

// schemas are schemas by the name of the resource type.
type schemas map[string]schema

// schema is a JSON schema.
type schema map[string]any

var resourceTypes = []string{"AWS::DynamoDB::Table", "AWS::IAM::ManagedPolicy"}

// The schemas refuse what the specification does not have: otherwise the tests that use them would say nothing.
func TestCloudFormationSchemas(t *testing.T) {
	t.Parallel()
	if *specification != "" {
		writeSchemas(t, *specification)
	}
	for name, test := range map[string]struct{ resource, properties string }{
		"unknown property": {"AWS::DynamoDB::Table", `{"KeySchema": [], "TTL": {}}`},
		"unknown inner property": {
			"AWS::DynamoDB::Table",
			`{"KeySchema": [], "TimeToLiveSpecification": {"Enabled": true, "Name": "x"}}`,
		},
		"missing property":       {"AWS::DynamoDB::Table", `{"TableName": "sessions"}`},
		"missing inner property": {"AWS::DynamoDB::Table", `{"KeySchema": [], "SSESpecification": {"SSEType": "KMS"}}`},
		"wrong type":             {"AWS::DynamoDB::Table", `{"KeySchema": [], "DeletionProtectionEnabled": "yes"}`},
		"tag without a key":      {"AWS::DynamoDB::Table", `{"KeySchema": [], "Tags": [{"Value": "v"}]}`},
		"no document":            {"AWS::IAM::ManagedPolicy", `{"Description": "nothing"}`},
	} {
		if err := validateProperties(t, test.resource, test.properties); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := validateProperties(t, "AWS::DynamoDB::Table",
		`{"KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}]}`); err != nil {
		t.Errorf("the least of a table: %v", err)
	}
}

// validateProperties validates JSON against the schema of a resource type.
func validateProperties(t rapid.TB, resource, properties string) error {
	t.Helper()
	compiled, err := jsonschema.NewCompiler().Compile(schemaFile + "#/$defs/" + resource)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(properties))
	if err != nil {
		t.Fatal(err)
	}
	return compiled.Validate(value)
}

// specProperty and specType are what the specification says of a property, as far as it is of interest here.
type specProperty struct {
	Type     specType
	Required bool
}

type specType struct {
	Type      string
	Element   *specType
	Types     []specType
	Reference struct {
		ID string `json:"$ref"`
	}
}

type specDefinition struct {
	ID                 string `json:"$id"`
	CloudFormationType string
	Properties         map[string]specProperty
}

func writeSchemas(t *testing.T, path string) {
	t.Helper()
	packed, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = packed.Close() }()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	var database struct {
		Schema struct {
			Resource, TypeDefinition struct{ Entities []specDefinition }
		}
	}
	if err := json.NewDecoder(unpacked).Decode(&database); err != nil {
		t.Fatal(err)
	}
	types := map[string]specDefinition{}
	for _, definition := range database.Schema.TypeDefinition.Entities {
		types[definition.ID] = definition
	}
	defs := schemas{}
	for _, definition := range database.Schema.Resource.Entities {
		for _, name := range resourceTypes {
			if definition.CloudFormationType == name {
				defs[name] = definition.schema(types)
			}
		}
	}
	if len(defs) != len(resourceTypes) {
		t.Fatalf("the specification has %d of the %d resource types", len(defs), len(resourceTypes))
	}
	text, err := json.MarshalIndent(map[string]any{
		"$schema":  "https://json-schema.org/draft/2020-12/schema",
		"$comment": "Made from the npm package @aws-cdk/aws-service-spec 0.1.216; see schema_test.go.",
		"$defs":    defs,
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(schemaFile, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (d specDefinition) schema(types map[string]specDefinition) schema {
	properties, required := schemas{}, []string{}
	for _, name := range slices.Sorted(maps.Keys(d.Properties)) {
		property := d.Properties[name]
		properties[name] = property.Type.schema(types)
		if property.Required {
			required = append(required, name)
		}
	}
	return object(properties, required)
}

func (s specType) schema(types map[string]specDefinition) schema {
	switch s.Type {
	case "string", "boolean", "integer", "number":
		return schema{"type": s.Type}
	case "array":
		return schema{"type": "array", "items": s.Element.schema(types)}
	case "map":
		return schema{"type": "object", "additionalProperties": s.Element.schema(types)}
	case "ref":
		return types[s.Reference.ID].schema(types)
	case "tag":
		text := schema{"type": "string"}
		return object(schemas{"Key": text, "Value": text}, []string{"Key", "Value"})
	case "union":
		alternatives := make([]schema, len(s.Types))
		for i, alternative := range s.Types {
			alternatives[i] = alternative.schema(types)
		}
		return schema{"anyOf": alternatives}
	case "json":
		return schema{"type": "object"}
	default:
		panic("the specification has a type that this test does not know: " + s.Type)
	}
}

func object(properties schemas, required []string) schema {
	s := schema{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}
