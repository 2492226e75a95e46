package iac

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/arn"
)

// Location says where in AWS a table is. Without a Region or an account, a policy has REGION or ACCOUNT in its place,
// to be filled in by hand.
type Location struct {
	// Region is the AWS Region, such as "eu-central-1".
	Region string
	// Account is the number of the AWS account, of twelve digits.
	Account string
	// Partition is that of the Region, such as "aws-cn". Default: what the AWS SDK knows of the Region, else "aws".
	Partition string
}

func (l Location) withDefaults() Location {
	l.Partition = cmp.Or(l.Partition, arn.PartitionOf(l.Region), "aws")
	l.Region = cmp.Or(l.Region, "REGION")
	l.Account = cmp.Or(l.Account, "ACCOUNT")
	return l
}

var (
	accountNumber = regexp.MustCompile(`^[0-9]{12}$`)
	labelOfARN    = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
)

// validate refuses what is no part of an ARN, such as a wildcard: a policy would hold for more than the table.
func (l Location) validate() error {
	switch {
	case l.Account != "" && !accountNumber.MatchString(l.Account):
		return errors.New("iac: Location.Account: the number of an AWS account has twelve digits; leave it empty to fill " +
			"it in by hand")
	case l.Region != "" && !labelOfARN.MatchString(l.Region):
		return errors.New("iac: Location.Region: not the name of an AWS Region such as eu-central-1")
	case l.Partition != "" && !labelOfARN.MatchString(l.Partition):
		return errors.New("iac: Location.Partition: not the name of a partition such as aws-cn")
	}
	return nil
}

func (l Location) arn(service, resource string) string {
	return strings.Join([]string{"arn", l.Partition, service, l.Region, l.Account, resource}, ":")
}

// Policy returns an IAM policy, as JSON, that allows what the role needs on the table and nothing else: see
// [Role.Actions]. Where the name of the table is an ARN, the location does not matter.
//
// Statements called "OnlyFor..." can be left out where what they are for is not needed. A collector cannot read the
// data of sessions. Where a deleted session has left a lease behind, a collector cannot tell it from a record of
// others, and leaves it.
//
// Where the partition key has a prefix or suffix, items of others in the same table are out of reach
// (dynamodb:LeadingKeys), unless theirs begin and end alike, as "app:admin:" does where the prefix is "app:". Scan is
// an exception: it names no keys, and IAM lets it read the whole table, or nothing. An index, which holds nothing but
// keys, is read as a whole too. A customer managed KMS key needs rights as well, unless its key policy grants them.
// Give it as an ARN: of an alias, IAM only knows which key it stands for at the moment.
//
// Errors: what [dynamostore.Table.Validate] reports, an unknown role, and a location that cannot be one. It makes no
// call.
func Policy(of dynamostore.Table, role Role, at Location) (string, error) {
	if err := validate(of, role); err != nil {
		return "", err
	}
	if err := at.validate(); err != nil {
		return "", err
	}
	t, at := table{of.WithDefaults()}, at.withDefaults()
	document := policyDocument{Version: policyVersion}
	for _, s := range t.statements(role) {
		encoded := policyStatement{Sid: s.sid, Effect: "Allow", Action: s.actions, Resource: t.arn(at)}
		switch s.on {
		case theTable:
		case theExpiryIndex:
			encoded.Resource += t.indexResource()
		case theKMSKey:
			encoded.Resource = t.keyARN(at)
		}
		for _, group := range byOperator(s.only) {
			if encoded.Condition == nil {
				encoded.Condition = map[string]map[string]any{}
			}
			keys := map[string]any{}
			for _, c := range group {
				if keys[c.key] = c.values; len(c.values) == 1 {
					keys[c.key] = c.values[0]
				}
			}
			encoded.Condition[group[0].operator] = keys
		}
		document.Statement = append(document.Statement, encoded)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		return "", fmt.Errorf("iac: the policy cannot be written: %w", err)
	}
	return text.String(), nil
}

// policyVersion is that of the policy language.
const policyVersion = "2012-10-17"

type policyDocument struct {
	Version   string
	Statement []policyStatement
}

type policyStatement struct {
	Sid, Effect string
	Action      []string
	Resource    string
	Condition   map[string]map[string]any `json:",omitempty"`
}

// validate reports what is wrong with the table and the roles.
func validate(t dynamostore.Table, roles ...Role) error {
	err := t.Validate()
	for _, role := range roles {
		if err == nil {
			err = role.validate()
		}
	}
	return err
}

// arn is the ARN of the table.
func (t table) arn(at Location) string {
	if strings.HasPrefix(t.Name, arn.Prefix) {
		return t.Name
	}
	return at.arn("dynamodb", "table/"+t.Name)
}

// indexResource is what follows the ARN of the table in that of the index.
func (t table) indexResource() string { return "/index/" + t.ExpiryIndex.Name }

// keyARN is the ARN of the KMS key, or of all keys where only an alias is known.
func (t table) keyARN(at Location) string {
	_, isAlias := arn.AliasOf(t.KMSKey)
	switch {
	case isAlias && strings.HasPrefix(t.KMSKey, arn.Prefix):
		return t.KMSKey[:strings.LastIndexByte(t.KMSKey, ':')] + ":key/*"
	case isAlias:
		return at.arn("kms", "key/*")
	case strings.HasPrefix(t.KMSKey, arn.Prefix):
		return t.KMSKey
	default:
		return at.arn("kms", "key/"+t.KMSKey)
	}
}
