package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/internal/arn"
	"github.com/scsdynamo/scsdynamo/internal/backoff"
)

// What waiting for a table asks, and how often.
const (
	pollFirst = 20 * time.Millisecond
	pollMost  = 2 * time.Second
)

// Create makes the table, turns TTL on and waits until the table can be used or ctx ends; AWS takes some seconds. Of an
// existing table it turns TTL on where it was off, and changes nothing else. A strongly consistent global table (MRSC)
// can have no TTL: expired sessions stay there until package gcrunner collects them.
//
// A table of another schema, or without [Table.ExpiryIndex], is left alone: the error is a [*MismatchError]. One that
// only has other settings than Table asks for can be used, and the error is a [*MismatchError] that has Settings and no
// Problems. Other errors: what [Table.Validate] reports, and [*Error].
//
// It needs the rights dynamodb:CreateTable, DescribeTable, UpdateTimeToLive and DescribeTimeToLive, and TagResource and
// ListTagsOfResource for tags.
func (t Table) Create(ctx context.Context, client TableClient) error {
	a, err := t.admin(client)
	if err != nil {
		return err
	}
	input, err := a.table.CreateInput()
	if err != nil {
		return err
	}
	_, err = client.CreateTable(ctx, input)
	inUse := (*types.ResourceInUseException)(nil)
	wasThere := errors.As(err, &inUse)
	if err != nil && !wasThere {
		return a.faults.wrap(ctx, "CreateTable", err)
	}
	description, err := a.waitActive(ctx)
	if err != nil {
		return err
	}
	if problems := a.table.compareSchema(description); len(problems) > 0 {
		return a.mismatch(problems)
	}
	if problems := a.table.compareExpiryIndex(description); len(problems) > 0 {
		return a.mismatch(problems)
	}
	if !isStrong(description) {
		if err := a.enableTTL(ctx); err != nil {
			return err
		}
	}
	if !wasThere {
		return nil
	}
	settings := a.table.compareSettings(newDescription(description, &types.TimeToLiveDescription{}))
	tags, _, err := a.compareTags(ctx, aws.ToString(description.TableArn))
	if settings = append(settings, tags...); err == nil && len(settings) > 0 {
		err = &MismatchError{Table: a.table.Name, Region: a.faults.region, Settings: settings}
	}
	return err
}

// Delete deletes the table with all sessions in it, and waits until it is gone. confirm must be the name of the table:
// a slip of the hand must not log everybody out. Errors match [ErrTableNotFound] or [ErrDeletionProtected], or say that
// the name is another one.
//
// It needs the rights dynamodb:DeleteTable and DescribeTable.
func (t Table) Delete(ctx context.Context, client TableClient, confirm string) error {
	a, err := t.admin(client)
	if err != nil {
		return err
	}
	if confirm != t.Name {
		return a.faults.error("DeleteTable", errNotConfirmed, nil)
	}
	description, err := a.describe(ctx)
	if err != nil {
		return err
	}
	if aws.ToBool(description.DeletionProtectionEnabled) {
		return a.faults.error("DeleteTable", ErrDeletionProtected, nil)
	}
	if _, err := client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &t.Name}); err != nil {
		return a.faults.wrap(ctx, "DeleteTable", err)
	}
	return a.poll(ctx, func() (bool, error) {
		_, err := a.describe(ctx)
		if errors.Is(err, ErrTableNotFound) {
			return true, nil
		}
		return false, err
	})
}

// admin is one administrative task.
type admin struct {
	client TableClient
	table  Table
	faults faults
}

func (t Table) admin(client TableClient) (admin, error) {
	if client == nil {
		return admin{}, errors.New("dynamostore: the client is nil; make one with dynamodb.NewFromConfig")
	}
	options := client.Options()
	return admin{
		client: client,
		table:  t.WithDefaults(),
		faults: newFaults(t.Name, options),
	}, t.validateClient(options.Region)
}

func (a admin) describe(ctx context.Context) (*types.TableDescription, error) {
	out, err := a.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &a.table.Name})
	if err != nil {
		return nil, a.faults.wrap(ctx, "DescribeTable", err)
	}
	return out.Table, nil
}

// waitActive waits until the table can be used.
func (a admin) waitActive(ctx context.Context) (*types.TableDescription, error) {
	var description *types.TableDescription
	err := a.poll(ctx, func() (bool, error) {
		var err error
		description, err = a.describe(ctx)
		switch {
		case errors.Is(err, ErrTableNotFound): // not yet known everywhere
			return false, nil
		case err != nil:
			return false, err
		}
		switch description.TableStatus {
		case types.TableStatusActive, types.TableStatusUpdating:
			return true, nil
		case types.TableStatusCreating:
			return false, nil
		default:
			return false, a.faults.error("CreateTable", fmt.Errorf("the table is %s; wait until that is over, or see to it "+
				"in the AWS console", description.TableStatus), nil)
		}
	})
	return description, err
}

// poll calls done until it reports true.
func (a admin) poll(ctx context.Context, done func() (bool, error)) error {
	for pause := pollFirst; ; pause = min(2*pause, pollMost) {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if err := backoff.Sleep(ctx, pause); err != nil {
			return a.faults.wrap(ctx, "DescribeTable", err)
		}
	}
}

// enableTTL turns TTL on where it is off.
func (a admin) enableTTL(ctx context.Context) error {
	ttl, err := a.describeTTL(ctx)
	if err != nil {
		return err
	}
	switch ttl.TimeToLiveStatus {
	case types.TimeToLiveStatusEnabled, types.TimeToLiveStatusEnabling:
		if problems := a.table.compareTTL(&types.TableDescription{}, ttl); len(problems) > 0 {
			return a.mismatch(problems)
		}
		return nil
	}
	_, err = a.client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: &a.table.Name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{
			AttributeName: &a.table.Attributes.TTL, Enabled: aws.Bool(true),
		},
	})
	if err != nil {
		return a.faults.wrap(ctx, "UpdateTimeToLive", err)
	}
	return nil
}

func (a admin) describeTTL(ctx context.Context) (*types.TimeToLiveDescription, error) {
	out, err := a.client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &a.table.Name})
	if err != nil {
		return nil, a.faults.wrap(ctx, "DescribeTimeToLive", err)
	}
	if out.TimeToLiveDescription == nil {
		return &types.TimeToLiveDescription{TimeToLiveStatus: types.TimeToLiveStatusDisabled}, nil
	}
	return out.TimeToLiveDescription, nil
}

// CreateInput returns the request with which [Table.Create] makes the table, for programs that make it in another way.
// TTL, by Attributes.TTL, is not part of it. Errors: what [Table.Validate] reports, and a name that is an ARN.
func (t Table) CreateInput() (*dynamodb.CreateTableInput, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	t = t.WithDefaults()
	if !tableName.MatchString(t.Name) {
		return nil, errors.New("dynamostore: Table.Name: a table is created by its name, not by its ARN")
	}
	input := &dynamodb.CreateTableInput{
		TableName:   &t.Name,
		BillingMode: types.BillingModePayPerRequest,
		TableClass:  t.Class,
	}
	input.KeySchema, input.AttributeDefinitions = t.schema(), t.keyDefinitions()
	if t.hasExpiryIndex() {
		input.AttributeDefinitions = append(input.AttributeDefinitions, t.indexDefinitions()...)
		input.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
			IndexName: &t.ExpiryIndex.Name, KeySchema: t.indexSchema(),
			Projection:            &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
			ProvisionedThroughput: t.throughput(),
		}}
	}
	if t.ReadCapacity > 0 {
		input.BillingMode = types.BillingModeProvisioned
		input.ProvisionedThroughput = t.throughput()
	}
	if t.DeletionProtection {
		input.DeletionProtectionEnabled = aws.Bool(true)
	}
	if t.Stream {
		input.StreamSpecification = &types.StreamSpecification{
			StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages,
		}
	}
	if t.KMSKey != "" {
		input.SSESpecification = &types.SSESpecification{Enabled: aws.Bool(true), SSEType: types.SSETypeKms}
		if !arn.IsAWSManaged(t.KMSKey) { // which is the one that is used where none is named, and must not be named
			input.SSESpecification.KMSMasterKeyId = &t.KMSKey
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
		input.Tags = append(input.Tags, types.Tag{Key: &key, Value: aws.String(t.Tags[key])})
	}
	return input, nil
}

// keyDefinitions are the types of the primary key.
func (t Table) keyDefinitions() []types.AttributeDefinition {
	var definitions []types.AttributeDefinition
	for _, key := range t.schema() {
		definitions = append(definitions, types.AttributeDefinition{
			AttributeName: key.AttributeName, AttributeType: types.ScalarAttributeTypeS,
		})
	}
	return definitions
}

// schema is the primary key.
func (t Table) schema() []types.KeySchemaElement {
	schema := []types.KeySchemaElement{{AttributeName: &t.PartitionKey.Name, KeyType: types.KeyTypeHash}}
	if t.SortKey.Name != "" {
		schema = append(schema, types.KeySchemaElement{AttributeName: &t.SortKey.Name, KeyType: types.KeyTypeRange})
	}
	return schema
}
