package dynamostore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// MismatchError says where a table differs from what Table describes. It matches [ErrTableMismatch].
type MismatchError struct {
	// Table and Region say which table.
	Table, Region string
	// Problems are the differences that harm sessions, each with what to do about it.
	Problems []string
	// Settings are those that do not: see [Description].
	Settings []string
}

// Error implements error.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("dynamostore: table %q in region %s does not fit: %s", e.Table, e.Region,
		strings.Join(slices.Concat(e.Problems, e.Settings), "; "))
}

// Is matches ErrTableMismatch.
func (e *MismatchError) Is(target error) bool { return target == ErrTableMismatch }

// Verify checks that the table exists and fits: its primary key and the key's types, its [Table.ExpiryIndex], TTL,
// its status, and every setting that Table asks for. It changes nothing. A strongly consistent global table (MRSC) fits
// without TTL, which it cannot have: expired sessions stay there until package gcrunner collects them.
//
// All that is wrong is in one [*MismatchError], which says what harms sessions and what does not. A missing table is an
// [*Error] with [ErrTableNotFound].
//
// It needs the rights of [Table.Describe].
func (t Table) Verify(ctx context.Context, client TableClient) error {
	d, err := t.Describe(ctx, client)
	if err != nil {
		return err
	}
	return d.Err()
}

// Err is what [Table.Verify] returns for a table that is described so: a [*MismatchError], or nil where it fits.
func (d Description) Err() error {
	if len(d.Problems)+len(d.Settings) == 0 {
		return nil
	}
	return &MismatchError{Table: d.Name, Region: d.Region, Problems: d.Problems, Settings: d.Settings}
}

func (a admin) mismatch(problems []string) error {
	return &MismatchError{Table: a.table.Name, Region: a.faults.region, Problems: problems}
}

// compareSchema compares the primary key.
func (t Table) compareSchema(d *types.TableDescription) []string {
	var problems []string
	kinds, names := attributeTypes(d), keyNames(d)
	compare := func(what, field string, keyType types.KeyType, want string) {
		got := names[keyType]
		switch {
		case got == want && got != "" && kinds[got] != types.ScalarAttributeTypeS:
			problems = append(problems, fmt.Sprintf("its %s %q has type %s, but must have S; a key cannot be changed: create "+
				"another table", what, got, kinds[got]))
		case got == want:
		case got == "":
			problems = append(problems, fmt.Sprintf("it has no %s, but Table.%s is %q", what, field, want))
		case want == "":
			problems = append(problems, fmt.Sprintf("it has the %s %q, but Table.%s is not set", what, got, field))
		default:
			problems = append(problems, fmt.Sprintf("its %s is %q, but Table.%s is %q", what, got, field, want))
		}
	}
	compare("partition key", "PartitionKey.Name", types.KeyTypeHash, t.PartitionKey.Name)
	compare("sort key", "SortKey.Name", types.KeyTypeRange, t.SortKey.Name)
	return problems
}

// attributeTypes are the types of the attributes that are in a key.
func attributeTypes(d *types.TableDescription) map[string]types.ScalarAttributeType {
	kinds := map[string]types.ScalarAttributeType{}
	for _, attribute := range d.AttributeDefinitions {
		kinds[aws.ToString(attribute.AttributeName)] = attribute.AttributeType
	}
	return kinds
}

// keyNames are the names of the attributes of the primary key.
func keyNames(d *types.TableDescription) map[types.KeyType]string {
	names := map[types.KeyType]string{}
	for _, key := range d.KeySchema {
		names[key.KeyType] = aws.ToString(key.AttributeName)
	}
	return names
}

// compareStatus reports a status in which the table cannot be used.
func compareStatus(status types.TableStatus) []string {
	switch status {
	case types.TableStatusActive, types.TableStatusUpdating:
		return nil
	case types.TableStatusInaccessibleEncryptionCredentials:
		return []string{"DynamoDB cannot use its KMS key: enable the key, and let its policy allow what iac.Policy does; " +
			"after seven days without it the table is archived"}
	default:
		return []string{fmt.Sprintf("its status is %s, not ACTIVE", status)}
	}
}

// compareTTL compares TTL. That a table has none which cannot have it is no difference.
func (t Table) compareTTL(table *types.TableDescription, d *types.TimeToLiveDescription) []string {
	switch d.TimeToLiveStatus {
	case types.TimeToLiveStatusEnabled, types.TimeToLiveStatusEnabling:
		if got := aws.ToString(d.AttributeName); got != t.Attributes.TTL {
			return []string{fmt.Sprintf("its TTL attribute is %q, but Table.Attributes.TTL is %q: expired sessions would stay",
				got, t.Attributes.TTL)}
		}
		return nil
	default:
		if isStrong(table) {
			return nil
		}
		return []string{"TTL is off, so expired sessions would stay: turn it on with Table.Create, or for the attribute \"" +
			t.Attributes.TTL + "\" in the AWS console"}
	}
}
