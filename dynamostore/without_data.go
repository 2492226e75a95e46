package dynamostore

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/storage"
)

// WithoutData returns a driver over the same table that never asks for the data of sessions, for a process that need
// not have it: a collector, with the rights of [RoleCollector]. Its Get returns records without Data, save of those
// that are reserved; where the condition of a Delete does not hold, the record is read, for a read unit, in place of
// coming with the refusal. It is for collecting alone: other writes return records with
// their data.
func (d *Driver) WithoutData() *Driver {
	return &Driver{
		client: d.client, table: d.table, maxKeyBytes: d.maxKeyBytes, conditions: d.conditions, upserts: d.upserts,
		faults: d.faults, withoutData: true,
	}
}

// hides reports whether the data of a record is not to be read.
func (d *Driver) hides(key string) bool { return d.withoutData && !storage.Reserved(key) }

// refused is what a delete returns that is refused.
func (d *Driver) refused(key string) types.ReturnValuesOnConditionCheckFailure {
	if d.hides(key) {
		return types.ReturnValuesOnConditionCheckFailureNone
	}
	return types.ReturnValuesOnConditionCheckFailureAllOld
}

// getInput is the input of a GetItem that reads what may be read.
func (d *Driver) getInput(key string) *dynamodb.GetItemInput {
	input := &dynamodb.GetItemInput{TableName: &d.table.Name, Key: d.table.key(key)}
	if d.hides(key) {
		names := map[string]string{}
		input.ProjectionExpression = aws.String(d.projectWithoutData(names))
		input.ExpressionAttributeNames = names
	}
	return input
}
