package iac

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/arn"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Role is a kind of process that uses the table. See [Policy].
type Role string

// The roles. None of them includes another: a process that does the work of two needs the policies of both.
const (
	// RoleApp is a process that serves requests: it uses a store, session by session.
	RoleApp Role = "app"
	// RoleIterator is a process that lists all sessions, or deletes them all: with All, Iterate, Sessions and
	// DeleteAll.
	RoleIterator Role = "iterator"
	// RoleCollector is a process that deletes sessions with package gcrunner, over [dynamostore.Driver.WithoutData]. It
	// may read everything of a session but its data, and cannot write one: it writes its position, and the lease that
	// elects it. IAM has no condition on what a refused delete returns (ReturnValuesOnConditionCheckFailure): whoever
	// has the credentials of a collector, and another program, can read sessions that way.
	RoleCollector Role = "collector"
	// RoleAdmin creates, verifies, describes and deletes the table. It cannot read or write a session.
	RoleAdmin Role = "admin"
)

// Roles returns all roles.
func Roles() []Role { return []Role{RoleApp, RoleCollector, RoleAdmin, RoleIterator} }

func (r Role) validate() error {
	if slices.Contains(Roles(), r) {
		return nil
	}
	names := make([]string, len(Roles()))
	for i, role := range Roles() {
		names[i] = string(role)
	}
	return fmt.Errorf("iac: %q is not a role; there are %s", string(r), strings.Join(names, ", "))
}

// Actions returns the IAM actions that the role needs on a table with an expiry index, sorted. They are those that this
// module calls, which its tests record, and no others. A role that does not exist has none.
func (r Role) Actions() []string {
	var actions []string
	indexed := dynamostore.Table{ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry"}}
	for _, s := range (table{indexed.WithDefaults()}).statements(r) {
		actions = append(actions, s.actions...)
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// table is a table, with its defaults, whose policies and templates are written.
type table struct{ dynamostore.Table }

func (t table) hasExpiryIndex() bool { return t.ExpiryIndex.Name != "" }

// statement is a statement of a policy, whatever it is written in. It allows the actions.
type statement struct {
	sid     string
	actions []string
	on      resource
	only    []restriction
}

// restriction is one operator, on one key, with the values that are allowed.
type restriction struct {
	operator, key string
	values        []string
}

// byOperator groups restrictions by their operator, as a policy does.
func byOperator(restrictions []restriction) [][]restriction {
	var groups [][]restriction
	for _, r := range restrictions {
		at := slices.IndexFunc(groups, func(group []restriction) bool { return group[0].operator == r.operator })
		if at < 0 {
			groups = append(groups, []restriction{r})
		} else {
			groups[at] = append(groups[at], r)
		}
	}
	return groups
}

// resource is what a statement is about.
type resource uint8

const (
	theTable resource = iota
	theExpiryIndex
	theKMSKey
)

// statements is what the role needs. Rights that only some programs need have statements of their own, to be left out.
// A transaction needs the rights to its parts.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
func (t table) statements(role Role) []statement {
	items := t.leadingKeys("")
	var statements []statement
	switch role {
	case RoleApp:
		statements = []statement{
			{sid: "Sessions", actions: []string{
				"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem",
			}, only: items},
		}
	case RoleIterator:
		statements = []statement{
			// A scan names no key, and a condition that is about all its keys holds: it would look like a limit and be
			// none.
			{sid: "Iteration", actions: []string{"dynamodb:Scan"}},
			{sid: "OnlyForDeleteAll", actions: []string{"dynamodb:BatchWriteItem"}, only: items},
		}
	case RoleCollector:
		statements = []statement{
			{sid: "FindSessions", actions: []string{"dynamodb:Scan"}, only: t.withoutData()},
		}
		if t.hasExpiryIndex() { // where a scan is for the other rules, and for what the index does not know
			statements[0].sid = "OnlyForScans"
			statements = append(statements, statement{
				sid: "FindExpiredSessions", actions: []string{"dynamodb:Query"}, on: theExpiryIndex,
			})
		}
		statements = append(statements, []statement{
			{sid: "DeleteSessions", actions: []string{"dynamodb:DeleteItem"}, only: append(
				[]restriction{{"StringEqualsIfExists", "dynamodb:ReturnValues", []string{"NONE"}}}, items...)},
			// The outcome of a delete that was refused, or whose response was lost, is read.
			{sid: "ReadOutcomes", actions: []string{"dynamodb:GetItem"}, only: append(t.withoutData(), items...)},
			{
				sid: "ElectionAndPosition", actions: []string{"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"},
				only: t.leadingKeys(storage.ReservedPrefix),
			},
		}...)
	case RoleAdmin:
		statements = []statement{
			{sid: "CreateTable", actions: []string{
				"dynamodb:CreateTable", "dynamodb:TagResource", "dynamodb:UpdateTimeToLive",
			}},
			{sid: "DescribeTable", actions: []string{
				"dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource",
			}},
			{sid: "DeleteTable", actions: []string{"dynamodb:DeleteTable"}},
		}
		if t.hasExpiryIndex() {
			statements = append(statements, statement{sid: "OnlyForAddExpiryIndex", actions: []string{"dynamodb:UpdateTable"}})
		}
	default:
		return nil
	}
	return append(statements, t.keyStatements(role)...)
}

// keyStatements is what a customer managed KMS key needs. DynamoDB uses it in the name of the caller: of whoever
// accesses the table to decrypt the key of the table, of whoever creates the table for the rest, which includes the
// grant that DynamoDB's own work needs. The key's policy may grant all that instead.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html
func (t table) keyStatements(role Role) []statement {
	if t.KMSKey == "" || arn.IsAWSManaged(t.KMSKey) { // its policy allows everybody in the account
		return nil
	}
	s := statement{
		sid: "KeyOfTheTable", actions: []string{"kms:Decrypt"}, on: theKMSKey,
		// Behind the name of the service, partitions differ. A Region would be wrong for a global table.
		only: []restriction{{"StringLike", "kms:ViaService", []string{"dynamodb.*"}}},
	}
	if alias, ok := arn.AliasOf(t.KMSKey); ok { // which cannot be a resource
		s.only = append(s.only, restriction{"ForAnyValue:StringEquals", resourceAliases, []string{alias}})
	}
	if role != RoleAdmin {
		return []statement{s}
	}
	s.actions = []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"}
	grant := s
	grant.sid, grant.actions = "GrantForTheTable", []string{"kms:CreateGrant"}
	// To DynamoDB itself, that is.
	grant.only = append([]restriction{{"Bool", "kms:GrantIsForAWSResource", []string{"true"}}}, s.only...)
	return []statement{grant, s}
}

const resourceAliases = "kms:ResourceAliases"

// leadingKeys limits calls on items to those whose partition key is that of a storage key that begins so, where that
// tells.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
func (t table) leadingKeys(begin string) []restriction {
	pattern := keyPattern(t.PartitionKey.Prefix+begin, t.PartitionKey.Suffix)
	if pattern == "*" {
		return nil
	}
	return []restriction{{"ForAllValues:StringLike", "dynamodb:LeadingKeys", []string{pattern}}}
}

// withoutData limits reads to those that name what they read, and not the data of sessions among that.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
func (t table) withoutData() []restriction {
	names := t.AttributesWithoutData()
	if t.hasExpiryIndex() { // all keys must be among them, those of indexes too
		names = append(names, t.Attributes.ExpiryShard, t.Attributes.ExpiryHour)
	}
	for i, name := range names {
		names[i] = namePattern(name)
	}
	return []restriction{
		{"ForAllValues:StringLike", "dynamodb:Attributes", names},
		{"StringEqualsIfExists", "dynamodb:Select", []string{string(types.SelectSpecificAttributes)}},
	}
}

// maxNameRunes is how much of the name of an attribute is in a pattern.
const maxNameRunes = 32

// namePattern is an IAM pattern of the name of an attribute. What cannot be in a policy stands for any character.
func namePattern(name string) string {
	runes, rest := []rune(name), ""
	if len(runes) > maxNameRunes {
		runes, rest = runes[:maxNameRunes], "*"
	}
	// Escaped piece by piece, and not rune by rune: &{ is two.
	var pattern strings.Builder
	for len(runes) > 0 {
		i := slices.IndexFunc(runes, notInPolicies)
		if i < 0 {
			i = len(runes)
		}
		pattern.WriteString(escapePattern.Replace(string(runes[:i])))
		if runes = runes[i:]; len(runes) > 0 {
			pattern.WriteString("?")
			runes = runes[1:]
		}
	}
	return pattern.String() + rest
}

// maxAffixRunes is how much of a prefix or suffix is in a pattern: both, in each statement, must fit in a policy.
const maxAffixRunes = 100

// keyPattern is an IAM pattern of all values of a key attribute. Where a prefix or suffix is too long, or has
// characters that a policy cannot hold, the pattern stands for more than those.
func keyPattern(prefix, suffix string) string {
	before, after := []rune(prefix), []rune(suffix)
	before = before[:min(len(before), maxAffixRunes)]
	after = after[max(0, len(after)-maxAffixRunes):]
	if i := slices.IndexFunc(before, notInPolicies); i >= 0 {
		before = before[:i]
	}
	for i, r := range slices.Backward(after) {
		if notInPolicies(r) {
			after = after[i+1:]
			break
		}
	}
	return escapePattern.Replace(string(before)) + "*" + escapePattern.Replace(string(after))
}

// notInPolicies reports whether IAM refuses a character.
func notInPolicies(r rune) bool { return r < ' ' || r > 'ÿ' }

// escapePattern escapes the characters that have a meaning in a pattern. In Terraform &{ has one too, and no escape:
// it becomes & and any character.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
var escapePattern = strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}", "&{", "&?")
