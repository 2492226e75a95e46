package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// openDriver opens the driver that the flags ask for, and says in words where it keeps the sessions.
func openDriver(ctx context.Context, s settings) (driver storage.Driver, place string, err error) {
	if s.table != "" {
		return openTable(ctx, s)
	}
	file, err := boltstore.OpenDriver(s.file)
	if err != nil {
		return nil, "", fmt.Errorf("-db %s: %w", s.file, err)
	}
	return file, "bbolt file " + s.file, nil
}

// openTable makes sure that the table is there before anybody asks for a page.
func openTable(ctx context.Context, s settings) (driver storage.Driver, place string, err error) {
	client, err := newClient(ctx, s)
	if err != nil {
		return nil, "", err
	}
	table := dynamostore.Table{Name: s.table}
	if s.createTable {
		err = table.Create(ctx, client)
	} else {
		err = table.Verify(ctx, client)
	}
	if err != nil {
		return nil, "", explain(err, s)
	}
	driver, err = dynamostore.NewDriver(client, table)
	if err != nil {
		return nil, "", err
	}
	place = "DynamoDB table " + s.table
	options := client.Options()
	if options.BaseEndpoint != nil {
		return driver, place + " at " + *options.BaseEndpoint, nil
	}
	return driver, place + " in " + options.Region, nil
}

func newClient(ctx context.Context, s settings) (*dynamodb.Client, error) {
	var options []func(*config.LoadOptions) error
	if s.endpoint != "" {
		if u, err := url.Parse(s.endpoint); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, fmt.Errorf("-endpoint %q is not a URL; it looks like http://127.0.0.1:8000", s.endpoint)
		}
		options = append(options, config.WithDefaultRegion("us-east-1"))
		if cmp.Or(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_PROFILE")) == "" {
			// DynamoDB Local takes any credentials, as long as they are letters and digits.
			options = append(options, config.WithCredentialsProvider(
				credentials.NewStaticCredentialsProvider("quickstart", "quickstart", "")))
		}
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("the AWS configuration cannot be read: %w", err)
	}
	return dynamodb.NewFromConfig(cfg, dynamostore.TuneClient, func(o *dynamodb.Options) {
		if s.endpoint != "" {
			o.BaseEndpoint = aws.String(s.endpoint)
		}
	}), nil
}

// explain says what to do in terms of the flags, and leaves out what the SDK has to say: request numbers and status
// codes.
func explain(err error, s settings) error {
	var failed *dynamostore.Error
	if !errors.As(err, &failed) || failed.Kind == nil {
		return fmt.Errorf("-table %s: %w", s.table, err)
	}
	switch {
	case errors.Is(err, dynamostore.ErrTableNotFound):
		return fmt.Errorf("there is no table %q in region %s; create it with -create-table, or name another with -table",
			failed.Table, failed.Region)
	case errors.Is(err, dynamostore.ErrUnreachable) && s.endpoint != "":
		return fmt.Errorf("nothing answers at %s; start DynamoDB Local there, or name another address with -endpoint",
			s.endpoint)
	default:
		short := *failed
		short.Err = nil
		return &short
	}
}
