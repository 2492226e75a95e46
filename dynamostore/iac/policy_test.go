package iac_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/dynamostore/iac"
	"github.com/scsdynamo/scsdynamo/storage"
)

// iamPolicy is the grammar of IAM policies, as far as ours may go.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type iamPolicy struct {
	Version   string
	Statement []iamStatement
}

type iamStatement struct {
	Sid, Effect, Resource string
	Action                []string
	Condition             map[string]map[string]stringOrList
}

// stringOrList is what IAM takes in both forms.
type stringOrList []string

// UnmarshalJSON implements json.Unmarshaler.
func (s *stringOrList) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*s = stringOrList{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(s))
}

func readPolicy(t rapid.TB, text string) iamPolicy {
	t.Helper()
	var policy iamPolicy
	strictJSON(t, []byte(text), &policy)
	return policy
}

// The keys that conditions may name, with the actions that have them and the operators that fit their type.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
// https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
var conditionKeys = map[string]struct{ operator, actions string }{
	"dynamodb:LeadingKeys": {
		"ForAllValues:StringLike", `^dynamodb:(Get|Put|Update|Delete|BatchWrite)Item$`,
	},
	"dynamodb:Attributes": {
		"ForAllValues:StringLike",
		`^dynamodb:(Get|Put|Update|Delete|BatchWrite)Item$|^dynamodb:(Scan|Query)$`,
	},
	"dynamodb:Select":       {"StringEqualsIfExists", `^dynamodb:(GetItem|Scan|Query)$`},
	"dynamodb:ReturnValues": {"StringEqualsIfExists", `^dynamodb:(Put|Update|Delete)Item$`},
	"kms:ViaService": {
		"StringLike",
		`^kms:(Encrypt|Decrypt|ReEncrypt\*|GenerateDataKey\*|DescribeKey|CreateGrant)$`,
	},
	"kms:GrantIsForAWSResource": {"Bool", `^kms:CreateGrant$`},
	"kms:ResourceAliases":       {"ForAnyValue:StringEquals", `^kms:`},
}

var (
	sidPattern   = regexp.MustCompile(`^[a-zA-Z0-9]+$`)
	tableARNs    = regexp.MustCompile(`^arn:aws:dynamodb:eu-central-1:123456789012:table/[a-zA-Z0-9_.-]{3,255}$`)
	indexARNs    = regexp.MustCompile(`^arn:aws:dynamodb:eu-central-1:123456789012:table/[a-zA-Z0-9_.-]{3,255}/index/[a-zA-Z0-9_.-]{3,255}$`)
	keyARNs      = regexp.MustCompile(`^arn:aws:kms:eu-central-1:123456789012:key/([a-z0-9-]+|\*)$`)
	variables    = regexp.MustCompile(`\$\{[*?$]\}`)
	kmsActions   = []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"}
	clientMethod = reflect.TypeFor[*dynamodb.Client]().MethodByName
)

// maxPolicy is how long a managed policy can be, without white space.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const maxPolicy = 6144

// Whatever the table is, IAM takes the policies.
func TestPolicyGrammar(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table := anyTable().Draw(t, "table")
		if more := anyText(1, 1).Draw(t, "more"); rapid.Bool().Draw(t, "long") {
			table.PartitionKey.Prefix += strings.Repeat(more, 1800/len(more)) + ":"
		}
		for _, role := range iac.Roles() {
			text, err := iac.Policy(table, role, here)
			if err != nil {
				t.Fatal(err)
			}
			size := 0
			for _, r := range text {
				if !unicode.IsSpace(r) {
					size++
				}
				if r > 'ÿ' || r < ' ' && r != '\n' {
					t.Errorf("the policy has the character %U", r)
				}
			}
			if size > maxPolicy {
				t.Errorf("the policy has %d characters; at most %d are allowed", size, maxPolicy)
			}
			policy := readPolicy(t, text)
			if policy.Version != "2012-10-17" {
				t.Errorf("version %q", policy.Version)
			}
			sids := map[string]bool{}
			for _, statement := range policy.Statement {
				statement.check(t)
				if sids[statement.Sid] {
					t.Errorf("two statements are called %s", statement.Sid)
				}
				sids[statement.Sid] = true
			}
		}
	})
}

func (s iamStatement) check(t rapid.TB) {
	t.Helper()
	if !sidPattern.MatchString(s.Sid) || s.Effect != "Allow" || len(s.Action) == 0 {
		t.Errorf("statement %+v", s)
	}
	for _, action := range s.Action {
		operation, ofDynamoDB := strings.CutPrefix(action, "dynamodb:")
		_, exists := clientMethod(operation)
		switch {
		case ofDynamoDB && exists && (operation == "Query" && indexARNs.MatchString(s.Resource) ||
			tableARNs.MatchString(s.Resource)):
		case (slices.Contains(kmsActions, action) || action == "kms:CreateGrant") && keyARNs.MatchString(s.Resource):
		default:
			t.Errorf("%s: there is no action %s on %s", s.Sid, action, s.Resource)
		}
	}
	for operator, restrictions := range s.Condition {
		for key, values := range restrictions {
			known := conditionKeys[key]
			if operator != known.operator || len(values) == 0 || slices.Contains(values, "") {
				t.Errorf("%s: condition %s %s %q", s.Sid, operator, key, values)
			}
			for _, action := range s.Action {
				if !regexp.MustCompile(known.actions).MatchString(action) {
					t.Errorf("%s: %s has no %s, and the condition would hold for all of it, or never", s.Sid, action, key)
				}
			}
			for _, value := range values {
				if rest := variables.ReplaceAllString(value, ""); strings.Contains(rest, "${") {
					t.Errorf("%s: %q has a variable", s.Sid, value)
				}
			}
		}
	}
}

// A right to any key of KMS must be limited to the key that an alias stands for.
func TestPolicyOfAnAliasNamesIt(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]struct{ resource, alias string }{
		"alias/sessions": {"arn:aws:kms:eu-central-1:123456789012:key/*", "alias/sessions"},
		"arn:aws:kms:eu-west-1:210987654321:alias/sessions": {"arn:aws:kms:eu-west-1:210987654321:key/*", "alias/sessions"},
		"arn:aws:kms:eu-west-1:210987654321:key/1234":       {"arn:aws:kms:eu-west-1:210987654321:key/1234", ""},
		"1234": {"arn:aws:kms:eu-central-1:123456789012:key/1234", ""},
	} {
		for role, actions := range map[iac.Role][]string{
			iac.RoleApp: {"kms:Decrypt"}, iac.RoleCollector: {"kms:Decrypt"}, iac.RoleAdmin: kmsActions,
		} {
			text, err := iac.Policy(dynamostore.Table{Name: "sessions", KMSKey: key}, role, here)
			if err != nil {
				t.Fatal(err)
			}
			statements := readPolicy(t, text).Statement
			s := statements[len(statements)-1]
			var alias stringOrList
			if want.alias != "" {
				alias = stringOrList{want.alias}
			}
			if s.Resource != want.resource || !slices.Equal(s.Condition["ForAnyValue:StringEquals"]["kms:ResourceAliases"],
				alias) ||
				!slices.Equal(s.Action, actions) {
				t.Errorf("%s, %s: %+v", key, role, s)
			}
			// What may be granted is what DynamoDB needs for the table, by nobody but DynamoDB.
			for _, s := range statements {
				if slices.Contains(s.Action, "kms:CreateGrant") && (len(s.Action) > 1 ||
					!slices.Equal(s.Condition["Bool"]["kms:GrantIsForAWSResource"], stringOrList{"true"}) || role != iac.RoleAdmin ||
					!slices.Equal(s.Condition["ForAnyValue:StringEquals"]["kms:ResourceAliases"], alias) ||
					s.Resource != want.resource) {
					t.Errorf("%s, %s: %+v", key, role, s)
				}
			}
		}
	}
	for _, key := range []string{"", "alias/aws/dynamodb"} {
		text, err := iac.Policy(dynamostore.Table{Name: "sessions", KMSKey: key}, iac.RoleApp, here)
		if err != nil || strings.Contains(text, "kms") {
			t.Errorf("a key that needs no rights (%q): %v\n%s", key, err, text)
		}
	}
}

func TestPolicyOfALocation(t *testing.T) {
	t.Parallel()
	for want, at := range map[string]iac.Location{
		"arn:aws:dynamodb:REGION:ACCOUNT:table/sessions":               {},
		"arn:aws:dynamodb:eu-central-1:ACCOUNT:table/sessions":         {Region: "eu-central-1"},
		"arn:aws-cn:dynamodb:cn-north-1:123456789012:table/sessions":   {Region: "cn-north-1", Account: "123456789012"},
		"arn:aws-us-gov:dynamodb:us-gov-west-1:ACCOUNT:table/sessions": {Region: "us-gov-west-1"},
		"arn:aws-eusc:dynamodb:eusc-de-east-1:123456789012:table/sessions": {
			Region:  "eusc-de-east-1",
			Account: "123456789012",
		},
		"arn:aws-new:dynamodb:xx-new-1:ACCOUNT:table/sessions": {Region: "xx-new-1", Partition: "aws-new"},
	} {
		text, err := iac.Policy(dynamostore.Table{Name: "sessions"}, iac.RoleAdmin, at)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range readPolicy(t, text).Statement {
			if s.Resource != want {
				t.Errorf("%+v: %s; want %s", at, s.Resource, want)
			}
		}
	}
}

// The condition on keys lets every session through, and, where all of prefix and suffix can be in a policy, nothing
// else.
func TestPolicyLetsSessionsThrough(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table := anyTable().Draw(t, "table")
		key := table.PartitionKey
		if rapid.Bool().Draw(t, "long") {
			key.Prefix += strings.Repeat("pre", 50) + ":"
			key.Suffix = ":" + strings.Repeat("suf", 50) + key.Suffix
			table.PartitionKey = key
		}
		text, err := iac.Policy(table, iac.RoleApp, here)
		if err != nil {
			t.Fatal(err)
		}
		policy := readPolicy(t, text)
		session, other := anyText(1, 20).Draw(t, "session"), anyText(1, 20).Draw(t, "other")
		if !policy.allows("dynamodb:GetItem", key.Prefix+session+key.Suffix) {
			t.Errorf("the policy keeps the application from a session")
		}
		exact := len(key.Prefix)+len(key.Suffix) < 100 && !strings.ContainsFunc(key.Prefix+key.Suffix, func(r rune) bool {
			return r < ' ' || r > 'ÿ'
		}) && !strings.Contains(key.Prefix+key.Suffix, "&{")
		ours := len(other) >= len(key.Prefix)+len(key.Suffix) &&
			strings.HasPrefix(other, key.Prefix) && strings.HasSuffix(other, key.Suffix)
		if exact && policy.allows("dynamodb:GetItem", other) != ours {
			t.Errorf("an item with the key %q: allowed %v, ours %v", other, !ours, ours)
		}
	})
}

// A collector can delete sessions, and write none.
func TestPolicyOfTheCollector(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "SESSION#"} {
		table := dynamostore.Table{Name: "sessions", PartitionKey: dynamostore.Key{Prefix: prefix}}
		text, err := iac.Policy(table, iac.RoleCollector, here)
		if err != nil {
			t.Fatal(err)
		}
		policy := readPolicy(t, text)
		if !policy.allows("dynamodb:DeleteItem", prefix+"token") {
			t.Error("the collector cannot delete a session")
		}
		for _, action := range []string{"dynamodb:PutItem", "dynamodb:UpdateItem"} {
			if policy.allows(action, prefix+"token") {
				t.Errorf("the collector can write a session, by %s", action)
			}
			if !policy.allows(action, prefix+storage.ReservedPrefix+"collector") {
				t.Errorf("the collector cannot stand for election: %s", action)
			}
		}
	}
}

// allows judges as IAM does: an action with the partition keys of the items it is about.
func (p iamPolicy) allows(action string, keys ...string) bool {
	return p.allowsRequest(request{action: strings.TrimPrefix(action, "dynamodb:"), keys: keys})
}

// request is what IAM knows of a request. What a request does not say is empty.
type request struct {
	action       string
	keys         []string
	attributes   []string // that it names; nil for none
	selects      string
	returnValues string
}

// allowsRequest judges as IAM does. A condition on all values holds where there are none, and one that is about what is
// there only where it is not there.
func (p iamPolicy) allowsRequest(r request) bool {
	return slices.ContainsFunc(p.Statement, func(s iamStatement) bool {
		allLike := func(key string, values []string) bool {
			patterns, limited := s.Condition["ForAllValues:StringLike"][key]
			return !limited || !slices.ContainsFunc(values, func(value string) bool {
				return !slices.ContainsFunc(patterns, func(pattern string) bool { return like(pattern, value) })
			})
		}
		equalIfThere := func(key, value string) bool {
			allowed, limited := s.Condition["StringEqualsIfExists"][key]
			return !limited || value == "" || slices.Contains(allowed, value)
		}
		return slices.Contains(s.Action, "dynamodb:"+r.action) && allLike("dynamodb:LeadingKeys", r.keys) &&
			allLike("dynamodb:Attributes", r.attributes) && equalIfThere("dynamodb:Select", r.selects) &&
			equalIfThere("dynamodb:ReturnValues", r.returnValues)
	})
}

// like is IAM's StringLike: * and ? are wildcards, ${*}, ${?} and ${$} are characters.
func like(pattern, text string) bool {
	expression := variables.ReplaceAllStringFunc(pattern, func(variable string) string { return "\x00" + variable[2:3] })
	var compiled strings.Builder
	compiled.WriteString(`(?s)\A`)
	literal := false
	for _, r := range expression {
		switch {
		case r == 0:
			literal = true
			continue
		case r == '*' && !literal:
			compiled.WriteString(".*")
		case r == '?' && !literal:
			compiled.WriteString(".")
		default:
			compiled.WriteString(regexp.QuoteMeta(string(r)))
		}
		literal = false
	}
	return regexp.MustCompile(compiled.String() + `\z`).MatchString(text)
}

// Actions are what the policies grant for a table with an index, and no role has a right that it has not.
func TestActionsOfRoles(t *testing.T) {
	t.Parallel()
	for _, role := range append(iac.Roles(), "root") {
		var granted []string
		table := dynamostore.Table{Name: "sessions", ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry"}}
		if text, err := iac.Policy(table, role, here); err == nil {
			for _, s := range readPolicy(t, text).Statement {
				granted = append(granted, s.Action...)
			}
		}
		slices.Sort(granted)
		granted = slices.Compact(granted)
		if got := role.Actions(); !slices.Equal(got, granted) || len(slices.Compact(got)) != len(granted) {
			t.Errorf("%s: actions %v; the policy has %v", role, got, granted)
		}
	}
}

// What docs/rights.md shows is the policy.
func TestDocsShowThePolicy(t *testing.T) {
	t.Parallel()
	text, err := iac.Policy(dynamostore.Table{Name: "sessions"}, iac.RoleApp, iac.Location{})
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(readmePolicy(t), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("docs/rights.md shows\n%s\nthe policy is\n%s", asJSON(got), text)
	}
}

// Regions of every partition that the SDK knows, and one that came after it.
var partitions = map[string]string{
	"us-east-1": "aws", "eu-central-1": "aws", "mx-central-1": "aws", "eu-new-9": "aws",
	"cn-north-1": "aws-cn", "cn-northwest-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "us-gov-east-1": "aws-us-gov",
	"us-iso-east-1": "aws-iso", "us-isob-east-1": "aws-iso-b", "eu-isoe-west-1": "aws-iso-e",
	"us-isof-south-1": "aws-iso-f",
	"eusc-de-east-1":  "aws-eusc",
}

func TestPolicyOfEachPartition(t *testing.T) {
	t.Parallel()
	for region, partition := range partitions {
		table := dynamostore.Table{Name: "sessions", KMSKey: "1234"}
		for _, role := range iac.Roles() {
			text, err := iac.Policy(table, role, iac.Location{Region: region, Account: "123456789012"})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range readPolicy(t, text).Statement {
				if !strings.HasPrefix(s.Resource, "arn:"+partition+":") || !strings.Contains(s.Resource, ":"+region+":") {
					t.Errorf("%s: %s is not in the partition %s", region, s.Resource, partition)
				}
			}
		}
	}
}

// A location that cannot be one is refused: a wildcard in it would allow more than the table.
func TestPolicyRefusesLocations(t *testing.T) {
	t.Parallel()
	for _, at := range []iac.Location{
		{Account: "12*"},
		{Account: "*"},
		{Account: "1234"},
		{Account: "1234567890123"},
		{Account: "12345678901?"},
		{Account: "123456789012\n"},
		{Region: "*"},
		{Region: "eu central"},
		{Region: "eu-central-1:123456789012:table/other"},
		{Region: "eu-central-1\n"},
		{Partition: "aws*"},
		{Partition: "aws:dynamodb"},
	} {
		if text, err := iac.Policy(dynamostore.Table{Name: "sessions"}, iac.RoleApp, at); err == nil || text != "" {
			t.Errorf("%+v: a policy is made:\n%s", at, text)
		}
	}
	for _, at := range []iac.Location{{}, {Account: "123456789012"}, {Region: "eu-central-1", Partition: "aws-cn"}} {
		if _, err := iac.Policy(dynamostore.Table{Name: "sessions"}, iac.RoleApp, at); err != nil {
			t.Errorf("%+v: %v", at, err)
		}
	}
}
