package iac_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/dynamostore/iac"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
)

var update = flag.Bool("update", false, "write the files in testdata that tests compare with")

// templateTables are tables whose templates are in testdata.
var templateTables = map[string]dynamostore.Table{
	"default": {Name: "sessions"},
	"single-table": {
		Name:         "app",
		PartitionKey: dynamostore.Key{Name: "pk", Prefix: "SESSION#", Suffix: "#v1"},
		SortKey:      dynamostore.Key{Name: "sk", Prefix: "SESSION#"},
		Attributes:   dynamostore.Attributes{TTL: "ttl"},
	},
	"expiry-index": {
		Name: "sessions", ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry"},
		PartitionKey: dynamostore.Key{Prefix: "SESSION#"},
	},
	"provisioned": {
		Name: "sessions", ExpiryIndex: dynamostore.ExpiryIndex{Name: "by-hour", Shards: 8}, ReadCapacity: 50,
		WriteCapacity: 25, KMSKey: "alias/sessions", DeletionProtection: true, Stream: true,
		Class: types.TableClassStandardInfrequentAccess, Tags: map[string]string{"team": "web", "cost centre": "4711"},
	},
}

// here is where the tables are.
var here = iac.Location{Region: "eu-central-1", Account: "123456789012"}

// tableARN is the ARN of a table that is here.
func tableARN(name string) string { return "arn:aws:dynamodb:eu-central-1:123456789012:table/" + name }

// written is what a template says, as the service would understand it.
type written struct {
	input    *dynamodb.CreateTableInput
	ttl      string
	policies map[iac.Role]any // decoded JSON
}

// wanted is what a template must say: what Create does, and what Policy returns.
func wanted(t rapid.TB, table dynamostore.Table, roles []iac.Role) written {
	t.Helper()
	input, err := table.CreateInput()
	if err != nil {
		t.Fatal(err)
	}
	w := written{input: input, ttl: table.WithDefaults().Attributes.TTL, policies: map[iac.Role]any{}}
	for _, role := range roles {
		text, err := iac.Policy(table, role, here)
		if err != nil {
			t.Fatal(err)
		}
		var policy any
		if err := json.Unmarshal([]byte(text), &policy); err != nil {
			t.Fatal(err)
		}
		w.policies[role] = policy
	}
	return w
}

func (w written) check(t rapid.TB, want written) {
	t.Helper()
	if !reflect.DeepEqual(w.input, want.input) {
		t.Errorf("the template says\n%s\nCreate asks for\n%s", asJSON(w.input), asJSON(want.input))
	}
	if w.ttl != want.ttl {
		t.Errorf("the template turns TTL on for %q, Create for %q", w.ttl, want.ttl)
	}
	if !reflect.DeepEqual(w.policies, want.policies) {
		t.Errorf("the template allows\n%s\nPolicy allows\n%s", asJSON(w.policies), asJSON(want.policies))
	}
}

func asJSON(value any) string {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// strictJSON decodes JSON that has no fields but those of the value.
func strictJSON(t rapid.TB, text []byte, value any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// anyText draws text with all that must be quoted somewhere. It is in Unicode's normal form C, into which HCL brings
// all text.
func anyText(shortest, longest int) *rapid.Generator[string] {
	return rapid.StringOfN(rapid.SampledFrom([]rune("ab#:- _.*?$&%{}[]<>!@|\\\"'`~,=\n\t\r\a\x7f\u0085\u200b\ufeffäßÿ€日😀")), shortest, longest, -1)
}

// anyTable draws tables that are valid.
func anyTable() *rapid.Generator[dynamostore.Table] {
	separator := rapid.SampledFrom([]string{":", "#", " ", "*", "?", "$", "&{", "\"", "\\", "\n", "\x7f"})
	return rapid.Custom(func(t *rapid.T) dynamostore.Table {
		key := func(label string) dynamostore.Key {
			k := dynamostore.Key{Name: "k" + anyText(1, 8).Draw(t, label)}
			if rapid.Bool().Draw(t, label+" with a prefix") {
				k.Prefix = anyText(0, 12).Draw(t, label+" prefix") + separator.Draw(t, "end")
			}
			if rapid.Bool().Draw(t, label+" with a suffix") {
				k.Suffix = separator.Draw(t, "begin") + anyText(0, 12).Draw(t, label+" suffix")
			}
			return k
		}
		table := dynamostore.Table{
			Name:         rapid.StringMatching(`[a-zA-Z0-9_.-]{3,255}`).Draw(t, "name"),
			PartitionKey: key("partition key"),
			Attributes: dynamostore.Attributes{
				TTL: "t" + rapid.OneOf(anyText(0, 8), rapid.Just("&{$*?")).Draw(t, "ttl"),
			},
			DeletionProtection: rapid.Bool().Draw(t, "protected"),
			Stream:             rapid.Bool().Draw(t, "stream"),
			Class:              rapid.SampledFrom(append(types.TableClass("").Values(), "")).Draw(t, "class"),
			KMSKey: rapid.SampledFrom([]string{
				"", "alias/sessions", "alias/aws/dynamodb", "1234abcd-12ab-34cd-56ef-1234567890ab",
				"arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
				"arn:aws:kms:eu-central-1:123456789012:alias/sessions",
			}).Draw(t, "key"),
		}
		if rapid.Bool().Draw(t, "sorted") {
			table.SortKey = key("sort key")
			table.SortKey.Name = "s" + table.SortKey.Name
		}
		if rapid.Bool().Draw(t, "provisioned") {
			table.ReadCapacity = rapid.Int64Range(1, 1<<40).Draw(t, "read")
			table.WriteCapacity = rapid.Int64Range(1, 1<<40).Draw(t, "write")
		}
		if rapid.Bool().Draw(t, "indexed") {
			table.ExpiryIndex = dynamostore.ExpiryIndex{
				Name:   rapid.StringMatching(`[a-zA-Z0-9_.-]{3,255}`).Draw(t, "index"),
				Shards: rapid.IntRange(0, defaults.MaxExpiryShards).Draw(t, "shards"),
			}
			table.Attributes.ExpiryShard = "x" + anyText(0, 8).Draw(t, "shard")
			table.Attributes.ExpiryHour = "y" + anyText(0, 8).Draw(t, "hour")
		}
		if rapid.Bool().Draw(t, "tagged") {
			table.Tags = rapid.MapOfN(anyText(1, 10), anyText(0, 10), 1, 5).Draw(t, "tags")
		}
		if err := table.Validate(); err != nil {
			t.Fatal(err)
		}
		return table
	})
}

// Whoever reviews a change of the templates sees it in these files.
func TestTemplatesInTestdata(t *testing.T) {
	t.Parallel()
	for name, table := range templateTables {
		texts := map[string]func() (string, error){
			".yaml":     func() (string, error) { return iac.CloudFormation(table, iac.Roles()...) },
			".tf":       func() (string, error) { return iac.Terraform(table, iac.Roles()...) },
			".app.json": func() (string, error) { return iac.Policy(table, iac.RoleApp, here) },
		}
		for suffix, write := range texts {
			got, err := write()
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+suffix)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v; `go test -run %s -update` writes it", err, t.Name())
			}
			if got != string(want) {
				t.Errorf("%s is not what is written now; if that is right, `go test -run %s -update`\n%s", path, t.Name(), got)
			}
		}
	}
}

func TestTemplatesRefuse(t *testing.T) {
	t.Parallel()
	writers := map[string]func(dynamostore.Table, iac.Role) (string, error){
		"CloudFormation": func(table dynamostore.Table, role iac.Role) (string, error) {
			return iac.CloudFormation(table, role)
		},
		"Terraform": func(table dynamostore.Table, role iac.Role) (string, error) { return iac.Terraform(table, role) },
		"Policy":    func(table dynamostore.Table, role iac.Role) (string, error) { return iac.Policy(table, role, here) },
	}
	const arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/sessions"
	for name, write := range writers {
		_, invalid := write(dynamostore.Table{Name: "no spaces", ReadCapacity: 1}, iac.RoleApp)
		want := dynamostore.Table{Name: "no spaces", ReadCapacity: 1}.Validate()
		if invalid == nil || invalid.Error() != want.Error() {
			t.Errorf("%s of an invalid table: %v; want %v", name, invalid, want)
		}
		_, role := write(dynamostore.Table{Name: "sessions"}, "root")
		if role == nil || !strings.Contains(role.Error(), `"root"`) || !strings.Contains(role.Error(), "app, collector, admin") {
			t.Errorf("%s for a role that there is not: %v", name, role)
		}
		text, err := write(dynamostore.Table{Name: arn}, iac.RoleApp)
		if name == "Policy" {
			if err != nil || !strings.Contains(text, `"Resource": "`+arn+`"`) {
				t.Errorf("Policy of an ARN: %v\n%s", err, text)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "ARN") {
			t.Errorf("%s of an ARN: %v; want an error that says so", name, err)
		}
	}
}
