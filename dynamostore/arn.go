package dynamostore

import (
	"errors"
	"fmt"

	"github.com/scsdynamo/scsdynamo/internal/arn"
)

// validateARNs reports ARNs that contradict themselves or each other.
func (t Table) validateARNs(problem func(format string, args ...any)) {
	table, hasTable := arn.Split(t.Name)
	key, hasKey := arn.Split(t.KMSKey)
	// Else there is a problem already.
	hasTable, hasKey = hasTable && tableARN.MatchString(t.Name), hasKey && kmsKey.MatchString(t.KMSKey)
	check := func(field string, parts arn.Parts) {
		if known := arn.PartitionOf(parts.Region); known != parts.Partition {
			problem("%s: region %s is in the partition %s, but the ARN says %s", field, parts.Region, known, parts.Partition)
		}
	}
	if hasTable {
		check("Name", table)
	}
	if hasKey {
		check("KMSKey", key)
	}
	if hasTable && hasKey && table.Region != key.Region {
		problem("KMSKey: the key is in region %s, and the table in %s; a table is encrypted with a key of its own region",
			key.Region, table.Region)
	}
}

// validateClient is ValidateIn for the Region of a client, which may have none.
func (t Table) validateClient(region string) error {
	if region == "" {
		return errors.Join(t.Validate(), ErrNoRegion)
	}
	return t.ValidateIn(region)
}

// ValidateIn is Validate for a client of this Region: a table that is named by its ARN must be there, and so must a KMS
// key.
func (t Table) ValidateIn(region string) error {
	if err := t.Validate(); err != nil {
		return err
	}
	if table, ok := arn.Split(t.Name); ok && table.Region != region {
		return fmt.Errorf("dynamostore: Table.Name: the ARN is of region %s, and the client's region is %s; a call goes to "+
			"one region: use a client of %s", table.Region, region, table.Region)
	}
	if key, ok := arn.Split(t.KMSKey); ok && key.Region != region {
		return fmt.Errorf("dynamostore: Table.KMSKey: the key is in region %s, and the client's region is %s; a table is "+
			"encrypted with a key of its own region", key.Region, region)
	}
	return nil
}
