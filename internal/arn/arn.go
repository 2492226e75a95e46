// Package arn reads what ARNs and the names of KMS keys say.
package arn

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Prefix begins every ARN.
const Prefix = "arn:"

// Parts are those of an ARN that tell where something is.
type Parts struct{ Partition, Region, Account string }

// Split returns the parts of the ARN of a table or a key. It is not ok for a name.
func Split(arn string) (parts Parts, ok bool) {
	fields := strings.SplitN(arn, ":", 6)
	if !strings.HasPrefix(arn, Prefix) || len(fields) != 6 {
		return Parts{}, false
	}
	return Parts{fields[1], fields[3], fields[4]}, true
}

// PartitionOf returns the partition of AWS that a Region belongs to, such as aws or aws-cn, as the SDK knows it. For an
// unknown Region it goes by how the name begins. It is empty where there is no Region.
func PartitionOf(region string) string {
	endpoint, err := dynamodb.NewDefaultEndpointResolver().ResolveEndpoint(region, dynamodb.EndpointResolverOptions{})
	if err != nil {
		return ""
	}
	return endpoint.PartitionID
}

// AliasOf returns the alias that a KMS key is named by.
func AliasOf(key string) (alias string, ok bool) {
	if strings.HasPrefix(key, Prefix) {
		key = key[strings.LastIndexByte(key, ':')+1:]
	}
	return key, strings.HasPrefix(key, "alias/")
}

// IsAWSManaged reports whether it is the KMS key that AWS keeps in each account for DynamoDB.
func IsAWSManaged(key string) bool {
	alias, ok := AliasOf(key)
	return ok && strings.HasPrefix(alias, "alias/aws/")
}
