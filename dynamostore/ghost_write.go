package dynamostore

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/storage"
)

// ghostWrite is the write of DeleteGhost, and goes with it.
type ghostWrite struct {
	write
	attempts
	driver *Driver
}

func (d *Driver) newWrite(key string, condition storage.Condition, own recognise) *ghostWrite {
	return &ghostWrite{write: write{key: key, condition: condition, own: own}, driver: d}
}

func (g *ghostWrite) watch(o *dynamodb.Options) {
	repeatContended(o)
	g.attempts.watch(o)
}

func (g *ghostWrite) settle(ctx context.Context, operation string, err error) error {
	_, err = g.driver.settle(ctx, g.write, &g.attempts, operation, err)
	return err
}
