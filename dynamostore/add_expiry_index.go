package dynamostore

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// AddExpiryIndex adds [Table.ExpiryIndex] to an existing table, which stays in use, and waits until the index can be
// used or ctx ends. AWS takes some minutes, and hours for a table of many GB; ending ctx does not stop it. Where the
// index exists, or another call is adding it, AddExpiryIndex only waits. Where AWS is changing the table in another
// way, or another index of it, it waits for that first.
//
// Sessions enter the index when they are written by a program whose Table has it, so building it costs nothing but
// time. Add it first, then set ExpiryIndex in all programs that write sessions, and let a collector use it alone when
// the longest lifetime of a session has passed; until then, scans and TTL find what was written without it.
//
// Errors: what [Table.Validate] reports, a Table without ExpiryIndex, [*MismatchError] where an index of the name has
// other keys, and [*Error].
//
// It needs the rights dynamodb:UpdateTable and DescribeTable.
func (t Table) AddExpiryIndex(ctx context.Context, client TableClient) error {
	a, err := t.indexAdmin(client)
	if err != nil {
		return err
	}
	err = a.poll(ctx, func() (bool, error) {
		err := a.startIndex(ctx)
		if errors.Is(err, ErrTableBusy) {
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return err
	}
	return a.waitIndexed(ctx)
}

// StartExpiryIndex is [Table.AddExpiryIndex] without waiting: [Table.Verify] says whether the index can be used, and
// the error is [ErrTableBusy] where AWS must be done with something else first.
func (t Table) StartExpiryIndex(ctx context.Context, client TableClient) error {
	a, err := t.indexAdmin(client)
	if err != nil {
		return err
	}
	return a.startIndex(ctx)
}

// indexAdmin is admin for a table that has an index.
func (t Table) indexAdmin(client TableClient) (admin, error) {
	a, err := t.admin(client)
	if err == nil && !t.hasExpiryIndex() {
		err = errors.New("dynamostore: Table.ExpiryIndex has no name; there is no index to add")
	}
	return a, err
}

// startIndex makes AWS start building the index, where there is none.
func (a admin) startIndex(ctx context.Context) error {
	description, err := a.describe(ctx)
	if err != nil {
		return err
	}
	problems := a.table.compareSchema(description)
	there := a.table.findIndex(description) != nil
	if there {
		problems = append(problems, a.table.compareExpiryIndex(description)...)
	}
	if len(problems) > 0 {
		return a.mismatch(problems)
	}
	if there {
		return nil
	}
	_, err = a.client.UpdateTable(ctx, a.table.addIndexInput(description))
	switch {
	case err == nil:
		return nil
	case a.refusedAsBusy(ctx, err):
		return a.faults.error("UpdateTable", ErrTableBusy, err)
	default:
		return a.faults.wrap(ctx, "UpdateTable", err)
	}
}

// refusedAsBusy reports whether UpdateTable failed because AWS is changing the table. A second index at a time is
// refused as beyond a limit, as other things are that waiting does not help against:
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html.
func (a admin) refusedAsBusy(ctx context.Context, refused error) bool {
	if inUse := (*types.ResourceInUseException)(nil); errors.As(refused, &inUse) {
		return true
	}
	if limit := (*types.LimitExceededException)(nil); !errors.As(refused, &limit) {
		return false
	}
	description, err := a.describe(ctx)
	return err == nil && (description.TableStatus != types.TableStatusActive ||
		slices.ContainsFunc(description.GlobalSecondaryIndexes, func(index types.GlobalSecondaryIndexDescription) bool {
			return index.IndexStatus != types.IndexStatusActive
		}))
}

// waitIndexed waits until the index can be used.
func (a admin) waitIndexed(ctx context.Context) error {
	return a.poll(ctx, func() (bool, error) {
		description, err := a.describe(ctx)
		if err != nil {
			return false, err
		}
		index := a.table.findIndex(description)
		if index == nil || index.IndexStatus == types.IndexStatusCreating {
			return false, nil
		}
		if problems := a.table.compareExpiryIndex(description); len(problems) > 0 {
			return false, a.mismatch(problems)
		}
		return description.TableStatus == types.TableStatusActive, nil
	})
}

// addIndexInput is the request that adds the index. What else the table has stays as it is, its billing among
// it: where that is by provisioned capacity, the index gets as much as the table has.
func (t Table) addIndexInput(d *types.TableDescription) *dynamodb.UpdateTableInput {
	create := &types.CreateGlobalSecondaryIndexAction{
		IndexName: &t.ExpiryIndex.Name, KeySchema: t.indexSchema(),
		Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
	}
	if has := newDescription(d, &types.TimeToLiveDescription{}); has.Billing == types.BillingModeProvisioned {
		create.ProvisionedThroughput = &types.ProvisionedThroughput{
			ReadCapacityUnits: &has.ReadCapacity, WriteCapacityUnits: &has.WriteCapacity,
		}
	}
	return &dynamodb.UpdateTableInput{
		TableName:                   &t.Name,
		AttributeDefinitions:        append(t.keyDefinitions(), t.indexDefinitions()...),
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: create}},
	}
}
