package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/dynamostore"
)

// target is what a command deletes all sessions of.
type target struct {
	name string // which confirms it: that of the table, or the path of the file
	text string // all that tells it from others
}

// targetOf says where the sessions are that a configuration leads to.
func targetOf(ctx context.Context, cfg *config.Config) (target, error) {
	if onBolt(cfg) {
		path := text(cfg, "bolt.path")
		return target{path, "the file " + path}, nil
	}
	client, err := cfg.Client(ctx)
	if err != nil {
		return target{}, err
	}
	table := cfg.Table()
	text := describeTarget(ctx, table, client)
	if prefix := table.PartitionKey.Prefix; prefix != "" {
		text += fmt.Sprintf(", prefix %q", prefix)
	}
	if suffix := table.PartitionKey.Suffix; suffix != "" {
		text += fmt.Sprintf(", suffix %q", suffix)
	}
	return target{table.Name, text}, nil
}

// describeTarget says which table it is.
func describeTarget(ctx context.Context, table dynamostore.Table, client *dynamodb.Client) string {
	options, arn, account := client.Options(), table.Name, "not known"
	if description, err := table.Describe(ctx, client); err == nil { // Whoever may delete items may not be allowed to.
		arn = description.ARN
	}
	if parts := strings.Split(arn, ":"); len(parts) == 6 && parts[4] != "" {
		account = parts[4]
	}
	text := fmt.Sprintf("the table %s, region %s, account %s", table.Name, options.Region, account)
	if endpoint := aws.ToString(options.BaseEndpoint); endpoint != "" {
		text += ", endpoint " + withoutUser(endpoint)
	}
	return text
}

// withoutUser returns an endpoint without what credentials it may have.
func withoutUser(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "not known"
	}
	u.User = nil
	return u.String()
}

// confirm is the flag that confirms it.
func (t target) confirm() string { return "--confirm " + terminal.ShellWord(t.name) }
