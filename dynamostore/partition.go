package dynamostore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// partitionOf returns the partition of AWS that a Region belongs to, such as aws or aws-cn, as the SDK knows it: of one
// that it does not know, it goes by how the name begins. It is empty where there is no Region.
func partitionOf(region string) string {
	endpoint, err := dynamodb.NewDefaultEndpointResolver().ResolveEndpoint(region, dynamodb.EndpointResolverOptions{})
	if err != nil {
		return ""
	}
	return endpoint.PartitionID
}

const arnPrefix = "arn:"

// arnParts are those of an ARN that tell where something is.
type arnParts struct{ partition, region, account string }

// partsOf takes the ARN of a table or a key apart. It is not ok for a name.
func partsOf(arn string) (parts arnParts, ok bool) {
	fields := strings.SplitN(arn, ":", 6)
	if !strings.HasPrefix(arn, arnPrefix) || len(fields) != 6 {
		return arnParts{}, false
	}
	return arnParts{fields[1], fields[3], fields[4]}, true
}

// validateARNs reports ARNs that contradict themselves or each other.
func (t Table) validateARNs(problem func(format string, args ...any)) {
	table, hasTable := partsOf(t.Name)
	key, hasKey := partsOf(t.KMSKey)
	// Else there is a problem already.
	hasTable, hasKey = hasTable && tableARN.MatchString(t.Name), hasKey && kmsKey.MatchString(t.KMSKey)
	check := func(field string, parts arnParts) {
		if known := partitionOf(parts.region); known != parts.partition {
			problem("%s: region %s is in the partition %s, but the ARN says %s", field, parts.region, known, parts.partition)
		}
	}
	if hasTable {
		check("Name", table)
	}
	if hasKey {
		check("KMSKey", key)
	}
	if hasTable && hasKey && table.region != key.region {
		problem("KMSKey: the key is in region %s, and the table in %s; a table is encrypted with a key of its own region", key.region,
			table.region)
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
	if table, ok := partsOf(t.Name); ok && table.region != region {
		return fmt.Errorf("dynamostore: Table.Name: the ARN is of region %s, and the client's region is %s; a call goes to one region: "+
			"use a client of %s", table.region, region, table.region)
	}
	if key, ok := partsOf(t.KMSKey); ok && key.region != region {
		return fmt.Errorf("dynamostore: Table.KMSKey: the key is in region %s, and the client's region is %s; a table is encrypted with "+
			"a key of its own region", key.region, region)
	}
	return nil
}
