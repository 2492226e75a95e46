package dynamostore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Role is a user of the table, as [Table.Policy] knows them.
type Role string

// The roles. None of them includes another: a process that does the work of two needs the policies of both.
const (
	// RoleApp is a process that serves requests: it uses a store, session by session.
	RoleApp Role = "app"
	// RoleIterator is a process that looks at all sessions, or deletes them all: with All, Iterate, Sessions and
	// DeleteAll.
	RoleIterator Role = "iterator"
	// RoleCollector is a process that deletes sessions with package gcrunner, over [Driver.WithoutData]. It is granted
	// to read everything of a session but its data. It cannot write one: what it writes is where it is, and by which
	// lease it was elected. IAM knows no condition on what a delete returns that is refused
	// (ReturnValuesOnConditionCheckFailure): whoever has the credentials of a collector and not its program can read
	// sessions by that.
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
	return fmt.Errorf("dynamostore: %q is not a role; there are %s", string(r), strings.Join(names, ", "))
}

// Actions returns the IAM actions that the role needs on a table that has all there is, an [ExpiryIndex] among it, sorted.
// They are those that this module calls, which its tests record, and no others. For what is not a role it returns none.
func (r Role) Actions() []string {
	var actions []string
	for _, s := range (Table{ExpiryIndex: ExpiryIndex{Name: "expiry"}}).statements(r) {
		actions = append(actions, s.actions...)
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

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

// byOperator returns restrictions with those together that have an operator in common, as a policy has them.
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
// A transaction needs the rights to what is in it.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
func (t Table) statements(role Role) []statement {
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
			// A scan names no key, and a condition that is about all its keys holds: it would look like a limit and be none.
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

// keyStatements is what a KMS key of one's own needs. DynamoDB uses it in the name of the caller: of whoever accesses the
// table to decrypt the key of the table, of whoever creates the table for the rest, which includes the grant that
// DynamoDB's own work needs. The key's policy may grant all that instead.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html
func (t Table) keyStatements(role Role) []statement {
	if t.KMSKey == "" || isAWSManagedKey(t.KMSKey) { // whose policy lets everybody in the account in
		return nil
	}
	s := statement{
		sid: "KeyOfTheTable", actions: []string{"kms:Decrypt"}, on: theKMSKey,
		// Behind the name of the service, partitions differ. A Region would be wrong for a global table.
		only: []restriction{{"StringLike", "kms:ViaService", []string{"dynamodb.*"}}},
	}
	if alias, ok := aliasOf(t.KMSKey); ok { // which cannot be a resource
		s.only = append(s.only, restriction{"ForAnyValue:StringEquals", resourceAliases, []string{alias}})
	}
	if role != RoleAdmin {
		return []statement{s}
	}
	s.actions = []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"}
	grant := s
	grant.sid, grant.actions = "GrantForTheTable", []string{"kms:CreateGrant"}
	grant.only = append([]restriction{{"Bool", "kms:GrantIsForAWSResource", []string{"true"}}}, s.only...) // DynamoDB itself, that is
	return []statement{grant, s}
}

const resourceAliases = "kms:ResourceAliases"

// isAWSManagedKey reports whether it is the key that AWS keeps in each account for DynamoDB.
func isAWSManagedKey(key string) bool {
	alias, ok := aliasOf(key)
	return ok && strings.HasPrefix(alias, "alias/aws/")
}

// aliasOf returns the alias that a key is named by.
func aliasOf(key string) (alias string, ok bool) {
	if strings.HasPrefix(key, arnPrefix) {
		key = key[strings.LastIndexByte(key, ':')+1:]
	}
	return key, strings.HasPrefix(key, "alias/")
}

// leadingKeys limits calls on items to those whose partition key is that of a storage key that begins so, where that tells.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
func (t Table) leadingKeys(begin string) []restriction {
	key := t.PartitionKey
	key.Prefix += begin
	pattern := key.pattern()
	if pattern == "*" {
		return nil
	}
	return []restriction{{"ForAllValues:StringLike", "dynamodb:LeadingKeys", []string{pattern}}}
}

// withoutData limits reads to those that name what they read, and not the data of sessions among that.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
func (t Table) withoutData() []restriction {
	t = t.WithDefaults()
	names := t.attributesWithoutData()
	if t.hasExpiryIndex() { // all keys must be there, those of indexes, too
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

// pattern is an IAM pattern of all values of the key attribute. Where a prefix or suffix is too long or has characters that
// a policy cannot hold, the pattern stands for more than those.
func (k Key) pattern() string {
	prefix, suffix := []rune(k.Prefix), []rune(k.Suffix)
	prefix = prefix[:min(len(prefix), maxAffixRunes)]
	suffix = suffix[max(0, len(suffix)-maxAffixRunes):]
	if i := slices.IndexFunc(prefix, notInPolicies); i >= 0 {
		prefix = prefix[:i]
	}
	slices.Reverse(suffix)
	if i := slices.IndexFunc(suffix, notInPolicies); i >= 0 {
		suffix = suffix[:i]
	}
	slices.Reverse(suffix)
	return escapePattern.Replace(string(prefix)) + "*" + escapePattern.Replace(string(suffix))
}

// notInPolicies reports whether IAM refuses a character.
func notInPolicies(r rune) bool { return r < ' ' || r > 'ÿ' }

// escapePattern makes the characters that mean something stand for themselves. In Terraform, &{ does as well, and cannot:
// there it is & and any character.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
var escapePattern = strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}", "&{", "&?")
